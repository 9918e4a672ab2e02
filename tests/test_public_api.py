"""The public names: complete, typed, lazy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gitml

MLFLOW_NAMES = """
MlflowClient MlflowException active_run autolog create_experiment delete_experiment delete_run
delete_tag end_run get_artifact_uri get_experiment get_experiment_by_name get_parent_run get_run
get_registry_uri get_tracking_uri is_tracking_uri_set last_active_run log_artifact log_artifacts
log_dict log_figure log_image log_input log_metric log_metrics log_param log_params log_table
log_text register_model restore_experiment restore_run search_experiments search_model_versions
search_registered_models search_runs set_experiment set_experiment_tag set_experiment_tags
set_model_version_tag set_registry_uri set_tag set_tags set_tracking_uri start_run
""".split()


@pytest.mark.parametrize("name", MLFLOW_NAMES)
def test_mlflow_name_exists(name: str) -> None:
    assert callable(getattr(gitml, name))
    assert name in dir(gitml)


def test_type_checkers_see_the_same_names_as_programs() -> None:
    tree = ast.parse(Path(gitml.__file__).read_text())
    guarded, _ = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.name
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(gitml.__all__) - {"__version__"}


def test_mlflow_submodules_exist() -> None:
    from gitml.exceptions import MlflowException
    from gitml.tracking import MlflowClient

    assert MlflowException is gitml.MlflowException
    assert MlflowClient is gitml.MlflowClient
    assert callable(gitml.artifacts.download_artifacts)
    assert callable(gitml.models.infer_signature)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gitml.nonsense  # noqa: B018


def loaded_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement", ["import gitml", "from gitml import MlflowException, log_metric, start_run"]
)
def test_importing_the_package_loads_nothing_heavy(statement: str) -> None:
    heavy = {"git", "dvc", "pandas", "numpy", "sqlite3", "sklearn", "yaml", "jinja2", "click"}

    assert loaded_after(statement) & heavy == set()


def test_logging_a_run_without_artifacts_loads_no_dvc(repository: Path) -> None:
    statement = (
        f"import gitml\ngitml.set_tracking_uri({str(repository)!r})\n"
        "with gitml.start_run(): gitml.log_metric('m', 1)"
    )

    assert loaded_after(statement) & {"dvc", "pandas", "numpy", "sklearn", "jinja2"} == set()
