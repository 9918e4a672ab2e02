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


def test_branch_other_than_the_default_is_not_taken(repository: Path, tmp_path: Path) -> None:
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


def test_default_branch_that_moved_on_the_remote_is_remembered_after_a_query(
    repository: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "origin.git")
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "clone")
    git(tmp_path / "origin.git", "branch", "trunk")
    git(tmp_path / "origin.git", "symbolic-ref", "HEAD", "refs/heads/trunk")
    repo = GitRepo.discover(tmp_path / "clone")
    before = default_branch.find(repo, "origin")
    assert before and before.branch == "main"
    assert default_branch.require(repo, "origin").branch == "trunk"
    after = default_branch.find(repo, "origin")
    assert after and after.branch == "trunk"


def test_an_origin_head_without_its_branch_does_not_count(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", f"file://{repository}", "clone")
    clone = tmp_path / "clone"
    git(clone, "update-ref", "refs/remotes/origin/trunk", "refs/remotes/origin/main")
    git(clone, "update-ref", "-d", "refs/remotes/origin/main")
    branch = default_branch.local(GitRepo.discover(clone), "origin")
    assert branch and branch.branch == "trunk"


def test_branch_of_a_single_branch_clone_does_not_count_as_the_default(
    repository: Path, tmp_path: Path
) -> None:
    git(repository, "branch", "feature")
    git(
        tmp_path, "clone", "-q", "--single-branch", "-b", "feature", f"file://{repository}", "clone"
    )
    repo = GitRepo.discover(tmp_path / "clone")
    assert default_branch.local(repo, "origin") is None
    branch = default_branch.find(repo, "origin")
    assert branch and branch.branch == "main"
