"""One default branch for everything: what an unmerged branch says rules nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.ci import workflows
from gitml.errors import InvalidInput
from gitml.git import GitRepo, default_branch
from gitml.publishing.repository_source import RepositorySource
from gitml.registry.audit import signers
from gitml.registry.promotion import review
from gitml.repository import Repository
from tests.clones import models, register
from tests.conftest import git


def clone_without_origin_head(
    root: Path, *, bare_head: str = "trunk", pushed: tuple[str, ...] = (), gitml_runs: bool = False
) -> Path:
    """Stand on an unmerged ``feature`` in a clone made by ``git remote add`` and ``git fetch``.

    Args:
        root: Folder of the clone and its remote.
        bare_head: Branch that the remote's HEAD names, whether it is there or not.
        pushed: Branches that are on the remote besides ``trunk``.
        gitml_runs: Whether the remote has branches that gitml and its users make, too.
    """
    git(root, "init", "-q", "--bare", "-b", bare_head, "origin.git")
    folder = root / "clone"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "feature")
    git(folder, "remote", "add", "origin", f"file://{root}/origin.git")
    (folder / "gitml.yaml").write_text("registry: {signatures: optional}\n")
    (folder / ".github").mkdir()
    (folder / ".github" / "origin").write_text("trunk\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Reviewed")
    git(folder, "push", "-q", "origin", "feature:trunk")
    for branch in pushed:
        git(folder, "push", "-q", "origin", f"feature:{branch}")
    if gitml_runs:
        git(folder, "push", "-q", "origin", "feature:gitml/runs", "feature:gh-pages")
        git(folder, "push", "-q", "origin", "feature:promote/price-v2-production")
    git(folder, "fetch", "-q", "origin")
    git(folder, "update-ref", "-d", "--no-deref", "refs/remotes/origin/HEAD")
    (folder / "gitml.yaml").write_text("registry: {signatures: required}\n")
    (folder / ".github" / "origin").write_text("feature\n")
    git(folder, "commit", "-qam", "Not reviewed")
    return folder


def answers(folder: Path) -> dict[str, object]:
    """What everybody who needs the default branch takes for it."""
    repository = Repository.open(folder)
    registry = models(folder)
    version = register(folder)
    tag = f"{version.name}@v{version.version}.0.0"
    workflows.write(repository, workflows.Host.GITHUB)
    written = (folder / ".github" / "workflows").iterdir()
    text = "".join(path.read_text() for path in written)
    names = [name for name in ("trunk", "feature", "main") if f'"{name}"' in text]
    commits = RepositorySource(repository).commits()
    return {
        "dashboard": commits[0].subject,
        "signing": signers.of_clone(repository.git, "origin").required,
        "version commit": git(folder, "show", f"{tag}:.github/origin"),
        "workflows": names,
        "check": review.check(registry).base,
        "verify": signers.of_team(repository.git, "origin").required,
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gitml_runs": True},
        {"pushed": ("feature",)},
        {"bare_head": "main"},
        {"bare_head": "main", "gitml_runs": True},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_everyone_takes_the_same_branch_in_a_clone_without_origin_head(
    tmp_path: Path, options: dict[str, object]
) -> None:
    folder = clone_without_origin_head(tmp_path, **options)  # type: ignore[arg-type]
    assert answers(folder) == {
        "dashboard": "Reviewed",
        "signing": False,
        "version commit": "trunk",
        "workflows": ["trunk"],
        "check": git(folder, "rev-parse", "origin/trunk"),
        "verify": False,
    }


def test_a_shallow_clone_of_an_unmerged_branch_asks_the_remote(tmp_path: Path) -> None:
    folder = clone_without_origin_head(tmp_path, pushed=("feature",))
    git(folder, "push", "-q", "origin", "feature")
    job = tmp_path / "job"
    job.mkdir()
    git(job, "init", "-q")
    git(job, "remote", "add", "origin", f"file://{tmp_path}/origin.git")
    git(job, "fetch", "-q", "--depth=1", "origin", "+feature:refs/remotes/origin/feature")
    git(job, "checkout", "-qB", "feature", "refs/remotes/origin/feature")
    assert signers.of_clone(GitRepo.discover(job), "origin").required is False
    assert git(job, "symbolic-ref", "refs/remotes/origin/HEAD") == "refs/remotes/origin/trunk"


def test_an_ambiguous_remote_is_an_error_with_what_to_type(tmp_path: Path) -> None:
    folder = clone_without_origin_head(tmp_path, bare_head="main", pushed=("feature",))
    repo = GitRepo.discover(folder)
    for find in (default_branch.find, default_branch.require):
        with pytest.raises(InvalidInput) as error:
            find(repo, "origin")
        assert error.value.message == (
            "Cannot tell which branch of 'origin' is its default branch: feature, trunk."
        )
        assert error.value.hint == (
            "Name it: `git fetch origin`, then `git remote set-head origin BRANCH`."
        )
    git(folder, "remote", "set-head", "origin", "trunk")
    branch = default_branch.find(repo, "origin")
    assert branch and branch.branch == "trunk"
    assert default_branch.require(repo, "origin") == branch
    assert signers.of_team(repo, "origin").required is False


def test_an_empty_remote_has_no_default_branch(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(tmp_path, "init", "-q", "-b", "main", "clone")
    git(tmp_path / "clone", "remote", "add", "origin", f"file://{tmp_path}/origin.git")
    repo = GitRepo.discover(tmp_path / "clone")
    assert default_branch.find(repo, "origin") is None
    with pytest.raises(InvalidInput, match="no branch of code yet") as error:
        default_branch.require(repo, "origin")
    assert error.value.hint == "Push your main branch to it first."
