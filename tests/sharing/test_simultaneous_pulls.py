"""Several processes pull one fresh clone at once: all of them succeed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.repository import Repository
from gitml.sharing import push_pull
from tests.clones import origin_and_clone
from tests.conftest import git

pytestmark = pytest.mark.slow

PULL = [Path(sys.executable).with_name("gitml"), "pull"]


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    """A clone that has never pulled, of a project with one run."""
    folder = origin_and_clone(tmp_path, "first")
    gitml.set_tracking_uri(folder)
    with gitml.start_run():
        gitml.log_metric("rmse", 1.0)
    push_pull.push(Repository.open(folder))
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "fresh")
    return tmp_path / "fresh"


def test_pull_succeeds_if_another_process_makes_the_branch_meanwhile(
    fresh_clone: Path, tmp_path: Path
) -> None:
    tip = git(fresh_clone, "rev-parse", "refs/remotes/origin/gitml/runs")
    ref = fresh_clone / ".git" / "refs" / "heads" / "gitml" / "runs"
    ref.parent.mkdir(parents=True)
    lock = ref.with_name("runs.lock")  # as git, half way through making the ref
    lock.write_text(f"{tip}\n")
    trace = tmp_path / "trace"
    os.mkfifo(trace)
    environment = {**os.environ, "GIT_TRACE": str(trace)}
    with open(os.open(trace, os.O_RDWR), encoding="utf-8") as commands:  # never at its end
        pull = subprocess.Popen(
            PULL, cwd=fresh_clone, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        next(line for line in commands if "update-ref" in line)  # it saw no branch
        lock.rename(ref)
        output, _ = pull.communicate()
    assert (pull.returncode, "Nothing new" in output) == (0, True), output
    assert git(fresh_clone, "rev-parse", "refs/heads/gitml/runs") == tip


def test_simultaneous_first_pulls_all_succeed(fresh_clone: Path) -> None:
    pulls = [
        subprocess.Popen(
            PULL, cwd=fresh_clone, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(6)
    ]
    outputs = [pull.communicate()[0] for pull in pulls]
    assert [pull.returncode for pull in pulls] == [0] * 6, outputs
    assert git(fresh_clone, "rev-parse", "gitml/runs") == git(
        fresh_clone, "rev-parse", "origin/gitml/runs"
    )
