"""Runs of DVC's experiments are logged to the repository that started them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.entities import Run
from tests.conftest import git

pytestmark = pytest.mark.slow

SCRIPT = """
import gitml, json, yaml
lr = yaml.safe_load(open("params.yaml"))["lr"]
with gitml.start_run():
    gitml.log_param("lr", lr)
    gitml.log_text(str(lr), "lr.txt")
json.dump({"lr": lr}, open("out.json", "w"))
"""
STAGE = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [lr]
    metrics: [out.json: {cache: false}]
"""


def dvc(folder: Path, *args: str) -> None:
    programs = Path(sys.executable).parent
    done = subprocess.run(
        [programs / "dvc", *args],
        cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def project_in(repository: Path, folder: str) -> Path:
    """Make a DVC project with one stage in a folder of a repository."""
    project = repository / folder
    project.mkdir(exist_ok=True)
    dvc(project, "init", "-q", *(["--subdir"] if folder != "." else []))
    (project / "train.py").write_text(SCRIPT)
    (project / "params.yaml").write_text("lr: 0.1\n")
    (project / "dvc.yaml").write_text(STAGE)
    git(repository, "remote", "add", "origin", "https://example.org/a.git")
    git(repository, "config", "user.name", "Ada Example")
    git(repository, "config", "user.email", "ada@example.org")
    git(repository, "add", "--all")
    git(repository, "commit", "-q", "-m", "Add a pipeline")
    return project


def logged(repository: Path) -> list[Run]:
    runs = gitml.MlflowClient(repository).search_runs(["Default"])
    return sorted(runs, key=lambda run: run.data.params["lr"])


@pytest.mark.parametrize("folder", [".", "sub"])
def test_a_temporary_experiment_is_logged_to_the_repository_that_started_it(
    repository: Path, folder: str
) -> None:
    project = project_in(repository, folder)
    commit = git(repository, "rev-parse", "HEAD")

    dvc(project, "exp", "run", "--temp", "-n", "fast", "-S", "lr=0.2")

    (run,) = logged(repository)
    assert run.data.params == {"lr": "0.2"}
    assert run.info.status == "FINISHED"
    assert run.data.tags["gitml.dvc_experiment"] == "fast"
    assert run.data.tags["gitml.dvc_baseline"] == commit
    assert run.source.commit == commit
    assert run.source.remote == "https://example.org/a.git"
    assert run.source.dirty
    path = gitml.MlflowClient(repository).download_artifacts(
        run.info.run_id, "lr.txt", str(repository.parent)
    )
    assert Path(path).read_text() == "0.2"
    patch = git(repository, "grep", "-h", "-e", "^+lr", "gitml/runs", "--", "*source.patch")
    assert patch == "+lr: 0.2"
    assert git(repository, "status", "--short", "--untracked-files=no") == ""


def test_queued_experiments_are_logged_to_the_repository_that_queued_them(
    repository: Path,
) -> None:
    project = project_in(repository, ".")

    dvc(project, "exp", "run", "--queue", "-S", "lr=0.2,0.3")
    dvc(project, "exp", "run", "--run-all", "-j", "2")

    names = git(repository, "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps")
    runs = logged(repository)
    assert [run.data.params["lr"] for run in runs] == ["0.2", "0.3"]
    experiments = {run.data.tags["gitml.dvc_experiment"] for run in runs}
    assert len(experiments) == 2
    assert experiments <= set(names.split())


def test_an_experiment_in_the_work_tree_is_named_too(repository: Path) -> None:
    project = project_in(repository, ".")

    dvc(project, "exp", "run", "-n", "plain", "-S", "lr=0.5")

    (run,) = logged(repository)
    assert run.data.tags["gitml.dvc_experiment"] == "plain"


def test_commands_in_the_copy_use_the_repository_that_started_it(repository: Path) -> None:
    project = project_in(repository, ".")
    (project / "train.py").write_text(
        SCRIPT + "import subprocess\n"
        "command = ['gitml', 'runs', 'list', '--json']\n"
        "done = subprocess.run(command, capture_output=True, text=True)\n"
        "assert str(lr) in done.stdout, done\n"
    )
    git(repository, "commit", "-q", "-a", "-m", "List runs")

    dvc(project, "exp", "run", "--temp", "-S", "lr=0.25")

    assert len(logged(repository)) == 1
