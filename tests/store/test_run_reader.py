"""Files of committed runs: read with their neighbours, and the same as read one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.git import GitRepo
from gitml.store import run_reader
from gitml.store.run_reader import CommittedRuns
from tests.conftest import git

RUNS = [("fuel", f"{number:02x}" * 16) for number in range(5)]
LARGE = b"x" * 40_000


@pytest.fixture
def tip(repository: Path) -> str:
    """A commit with five runs: some files are shared, large, links, or lie deeper."""
    for number, (experiment, run_id) in enumerate(RUNS):
        folder = repository / "runs" / experiment / run_id[:2] / run_id
        (folder / ".dvc").mkdir(parents=True)
        (folder / "run.json").write_text(f"{number}")
        (folder / "requirements.txt").write_bytes(b"numpy==2.0\n" if number % 2 else LARGE)
        (folder / ".dvc" / "config").write_text(f"config {number}")
        (folder / "source.patch").symlink_to("/etc/passwd")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Runs")
    return git(repository, "rev-parse", "HEAD")


def test_every_file_is_read_whatever_the_order(
    repository: Path, tip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_reader, "_BLOCK", 2)
    runs = CommittedRuns(GitRepo.discover(repository), tip, RUNS)
    for number, (_, run_id) in [*enumerate(RUNS), *reversed(list(enumerate(RUNS)))]:
        assert runs.read(run_id, "run.json") == str(number).encode()
        assert runs.read(run_id, "requirements.txt") == (b"numpy==2.0\n" if number % 2 else LARGE)
        assert runs.read(run_id, ".dvc/config") == f"config {number}".encode()
        assert runs.read(run_id, "metrics.jsonl") == b""
        assert runs.read(run_id, "source.patch") == b""  # a symbolic link is not a file
        path = f"{tip}:runs/fuel/{run_id[:2]}/{run_id}"
        assert runs.tree(run_id) == git(repository, "rev-parse", path)


def test_a_run_that_the_commit_does_not_have_has_no_files(repository: Path, tip: str) -> None:
    for runs in (
        CommittedRuns(GitRepo.discover(repository), tip, [("other", RUNS[0][1])]),
        CommittedRuns(GitRepo.discover(repository), None, RUNS),
    ):
        assert (runs.read(RUNS[0][1], "run.json"), runs.tree(RUNS[0][1])) == (b"", "")
