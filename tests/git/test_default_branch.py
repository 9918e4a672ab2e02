"""The default branch's line of code, as a clone knows it."""

from __future__ import annotations

from pathlib import Path

from gitml.git import GitRepo, default_branch
from gitml.publishing.repository_source import RepositorySource
from gitml.repository import Repository
from tests.conftest import git


def test_only_first_parents_are_followed_newest_first(repository: Path) -> None:
    git(repository, "switch", "-qc", "side")
    git(repository, "commit", "-qm", "On the side", "--allow-empty")
    git(repository, "switch", "-q", "main")
    git(repository, "commit", "-qm", "On the line", "--allow-empty")
    git(repository, "merge", "-qm", "Merge side", "side")
    commits = RepositorySource(Repository.open(repository)).commits()
    assert [commit.subject for commit in commits] == ["Merge side", "On the line", "Add training"]
    assert commits[0].commit == git(repository, "rev-parse", "HEAD")
    assert commits[0].timestamp == int(git(repository, "log", "-1", "--format=%ct")) * 1000
    head = str(commits[0].commit)
    assert len(default_branch.first_parents(GitRepo.discover(repository), head, 2)) == 2


def test_another_branch_than_the_default_one_is_not_taken(repository: Path, tmp_path: Path) -> None:
    git(repository, "clone", "-q", ".", str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    git(clone, "switch", "-qc", "review")
    git(clone, "commit", "-qm", "Under review", "--allow-empty")
    repo = GitRepo.discover(clone)
    assert default_branch.tip(repo, "origin") == git(repository, "rev-parse", "main")
    assert default_branch.tip(repo, "nowhere") == git(clone, "rev-parse", "review")
    git(clone, "switch", "-q", "main")
    git(clone, "commit", "-qm", "Not pushed yet", "--allow-empty")
    assert default_branch.tip(repo, "origin") == git(clone, "rev-parse", "main")


def test_a_repository_without_commits_has_no_line(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    assert default_branch.tip(GitRepo.discover(tmp_path), "origin") is None
    assert RepositorySource(Repository.open(tmp_path)).commits() == []
