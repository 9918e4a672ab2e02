from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from gitml.errors import NotFound
from gitml.models.requirements import chosen_requirements, distributions_of, write_environment


def test_installed_versions_are_pinned_and_others_left_out() -> None:
    lines = chosen_requirements(["scikit-learn", "no-such-thing"], None, ["extra>=1"])
    assert lines == [f"scikit-learn=={metadata.version('scikit-learn')}", "extra>=1"]


def test_given_requirements_replace_the_inferred_ones(tmp_path: Path) -> None:
    file = tmp_path / "req.txt"
    file.write_text("# comment\n\na==1\n  b\n")
    assert chosen_requirements(["numpy"], file, ["b", "c"]) == ["a==1", "b", "c"]


def test_a_missing_requirements_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.txt cannot be read"):
        chosen_requirements([], tmp_path / "none.txt", None)


def test_modules_lead_to_the_distributions_that_provide_them() -> None:
    modules = ["sklearn.linear_model._base", "json", "__main__", "no_such_module"]
    assert distributions_of(modules) == {"scikit-learn"}


def test_the_three_files_agree(tmp_path: Path) -> None:
    write_environment(tmp_path, ["a==1", "b"])
    python = platform.python_version()
    pip = metadata.version("pip")
    assert (tmp_path / "requirements.txt").read_text() == "a==1\nb\n"
    conda = yaml.safe_load((tmp_path / "conda.yaml").read_text())
    assert conda == {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", f"pip<={pip}", {"pip": ["a==1", "b"]}],
        "name": "mlflow-env",
    }
    virtual = yaml.safe_load((tmp_path / "python_env.yaml").read_text())
    assert virtual["python"] == python
    assert virtual["dependencies"] == ["-r requirements.txt"]
    assert virtual["build_dependencies"][0] == f"pip=={pip}"
