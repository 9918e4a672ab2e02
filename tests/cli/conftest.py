"""The command line in a real repository: in this process, and as a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import gitml
from gitml.cli.program import gitml as program
from gitml.models import Model
from tests.conftest import git

PROGRAM = [sys.executable, "-c", "from gitml.cli import main; main()"]
Cli = Callable[..., Result]


def shell(*args: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run gitml as a process of its own."""
    return subprocess.run(
        [*PROGRAM, *args], cwd=cwd, capture_output=True, text=True, timeout=60, **options
    )


def refs(folder: Path) -> str:
    """Every ref of a repository with what it points at."""
    return git(folder, "for-each-ref")


def loaded(result: Result) -> Any:
    """What a command printed as JSON; nothing else may be on stdout."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def cli(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command inside the repository, in this process."""
    monkeypatch.chdir(repository)

    def run(*args: str, code: int | None = 0) -> Result:
        result = CliRunner().invoke(program, args)
        assert code is None or result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


def log_run(folder: Path, name: str = "first", experiment: str = "house", rmse: float = 1.5) -> str:
    """Log a run with a param, a metric, a note and a file; returns its id."""
    client = gitml.MlflowClient(folder)
    experiment_id = client.repository.experiments.create(experiment, {}, exist_ok=True)
    run_id = client.create_run(experiment_id, run_name=name).info.run_id
    client.log_param(run_id, "alpha", 0.5)
    client.log_metric(run_id, "rmse", rmse, step=1)
    client.set_tag(run_id, "mlflow.note.content", "# A note\nwith two lines")
    client.log_text(run_id, "hello", "notes/hello.txt")
    client.set_terminated(run_id)
    return run_id


def log_model(folder: Path, run_id: str, path: str = "model") -> str:
    """Add a model without a library to a run; returns its URI."""
    client = gitml.MlflowClient(folder)
    model = Model(flavors={"python_function": {"loader_module": "nothing"}}, run_id=run_id)
    client.write_artifact(run_id, f"{path}/MLmodel", model.save)
    client.log_text(run_id, "weights", f"{path}/data.txt")
    return f"runs:/{run_id}/{path}"


@pytest.fixture
def model(repository: Path) -> str:
    """URI of a logged model."""
    return log_model(repository, log_run(repository))
