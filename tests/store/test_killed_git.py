"""The process of git that answers reads may be killed; what is there stays there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.errors import StoreError
from gitml.git import GitRepo


def test_objects_are_read_although_the_reading_process_was_killed(repository: Path) -> None:
    repo = GitRepo.discover(repository)
    assert repo.contains("HEAD^{commit}")
    for ask in (lambda: repo.contains("HEAD^{commit}"), lambda: repo.read("HEAD:train.py")):
        process = repo._handle._git.cat_file_header.proc
        process.kill()
        process.wait(timeout=120)
        assert ask()
    assert not repo.contains("nowhere") and repo.read("HEAD:nothing") is None
    repo.close()


def test_a_git_that_does_not_answer_is_an_error_not_an_absence(repository: Path) -> None:
    repo = GitRepo.discover(repository)
    (repository / ".git" / "HEAD").unlink()  # no repository any more

    with pytest.raises(StoreError, match="git cannot read 'main': fatal: not a git repo"):
        repo.contains("main")
    repo.close()
