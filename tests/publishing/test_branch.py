"""Publishing a folder onto a branch, with real remotes and clones."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.errors import InvalidInput, StoreError
from gitml.git import GitRepo
from gitml.publishing.branch import publish
from tests.conftest import git, make_repository, temporary_refs


@pytest.fixture
def remote(repository: Path, tmp_path: Path) -> Path:
    """A bare remote of the repository."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    return tmp_path / "remote.git"


def write(folder: Path, **files: str) -> Path:
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    (folder / ".gitml.json").write_text('{"generator": "gitml", "runs": {}}')
    for name, text in {"index": "home", **files}.items():
        (folder / f"{name.replace('__', '/')}.html").write_text(text)
    return folder


def published(repository: Path, commit: str) -> dict[str, str]:
    names = git(repository, "ls-tree", "-r", "--name-only", commit).splitlines()
    return {name: git(repository, "show", f"{commit}:{name}") for name in names}


def count(repository: Path, ref: str) -> int:
    return int(git(repository, "rev-list", "--count", ref))


def test_a_site_is_published_and_nothing_of_the_users_is_touched(
    repository: Path, remote: Path, tmp_path: Path
) -> None:
    (repository / "train.py").write_text("changed")
    (repository / "new.py").write_text("staged")
    git(repository, "add", "new.py")
    before = (
        git(repository, "status", "--porcelain=2", "--branch"),
        git(repository, "stash", "list"),
    )
    repo = GitRepo.discover(repository)

    first = publish(repo, write(tmp_path / "site", runs__a="A"), "gh-pages", remote="origin")
    assert published(remote, "gh-pages") == {
        ".gitml.json": '{"generator": "gitml"}',
        ".nojekyll": "",
        "index.html": "home",
        "runs/a.html": "A",
    }
    again = publish(repo, tmp_path / "site", "gh-pages", remote="origin")
    assert (again.commit, again.changed, first.changed) == (first.commit, False, True)
    (tmp_path / "site" / "runs" / "a.html").unlink()
    publish(repo, write(tmp_path / "site", runs__b="B"), "gh-pages", remote="origin")
    assert sorted(published(remote, "gh-pages")) == [
        ".gitml.json", ".nojekyll", "index.html", "runs/b.html",
    ]  # fmt: skip
    assert count(remote, "gh-pages") == 2
    assert before == (
        git(repository, "status", "--porcelain=2", "--branch"),
        git(repository, "stash", "list"),
    )
    assert temporary_refs(repository) == []


def test_publish_without_history_leaves_a_single_commit(
    repository: Path, remote: Path, tmp_path: Path
) -> None:
    repo = GitRepo.discover(repository)
    for text in ("one", "two", "three"):
        folder = write(tmp_path / "site", index=text)
        publish(repo, folder, "gh-pages", remote="origin", keep_history=False)
    assert count(remote, "gh-pages") == 1
    assert published(remote, "gh-pages")["index.html"] == "three"


def test_two_clones_publish_in_turn(repository: Path, remote: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    git(other, "remote", "add", "origin", str(remote))
    for number, clone in enumerate((repository, other, repository)):
        folder = write(tmp_path / f"site-{number}", index=f"{number}")
        publish(GitRepo.discover(clone), folder, "gh-pages", remote="origin")
    assert count(remote, "gh-pages") == 3
    assert published(remote, "gh-pages")["index.html"] == "2"


def test_publish_pushes_what_was_committed_without_a_push(
    repository: Path, remote: Path, tmp_path: Path
) -> None:
    repo = GitRepo.discover(repository)
    publish(repo, write(tmp_path / "site"), "docs/site", remote="origin")
    local = publish(repo, write(tmp_path / "site", index="two"), "docs/site")
    assert local.remote is None
    assert git(repository, "rev-parse", "docs/site") == local.commit
    assert count(remote, "docs/site") == 1
    pushed = publish(repo, tmp_path / "site", "docs/site", remote="origin")
    assert (pushed.commit, pushed.changed) == (local.commit, False)
    assert git(remote, "rev-parse", "docs/site") == local.commit


def test_a_branch_with_something_else_is_left_alone(
    repository: Path, remote: Path, tmp_path: Path
) -> None:
    repo, folder = GitRepo.discover(repository), write(tmp_path / "site")
    git(repository, "branch", "work")
    git(repository, "push", "-q", "origin", "main:theirs")
    before = git(repository, "for-each-ref"), git(remote, "for-each-ref")
    with pytest.raises(InvalidInput, match="is checked out"):
        publish(repo, folder, "main")
    for branch in ("work", "theirs"):
        with pytest.raises(InvalidInput, match="was not made by"):
            publish(repo, folder, branch, remote="origin")
    with pytest.raises(InvalidInput, match="no git remote 'nowhere'"):
        publish(repo, folder, "gh-pages", remote="nowhere")
    with pytest.raises(InvalidInput, match="is not a valid branch name"):
        publish(repo, folder, "--force")
    assert before == (git(repository, "for-each-ref"), git(remote, "for-each-ref"))


def test_publish_names_a_remote_that_does_not_answer(repository: Path, tmp_path: Path) -> None:
    git(repository, "remote", "add", "origin", str(tmp_path / "nothing.git"))
    with pytest.raises(StoreError, match="remote 'origin'"):
        folder = write(tmp_path / "site")
        publish(GitRepo.discover(repository), folder, "gh-pages", remote="origin")
