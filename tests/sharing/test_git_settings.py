"""Push and pull work in clones whose git settings change what plain `git push` and `fetch` do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitml.forge import ForgeKind
from gitml.registry import promotion
from gitml.registry.promotion.pull_request import forge_of
from gitml.sharing import push_pull
from tests import clones
from tests.conftest import git

Setting = tuple[str, ...]


def mirror(root: Path) -> Path:
    git(root, "clone", "-q", "--mirror", f"file://{root}/origin.git", "clone")
    return root / "clone"


def single_branch(root: Path) -> Path:
    git(root, "clone", "-q", "--single-branch", f"file://{root}/origin.git", "clone")
    return root / "clone"


def shallow(root: Path) -> Path:
    git(root, "clone", "-q", "--depth", "1", f"file://{root}/origin.git", "clone")
    return root / "clone"


def configured(*settings: Setting) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        git(root, "clone", "-q", f"file://{root}/origin.git", "clone")
        for setting in settings:
            git(root / "clone", "config", *(part.format(root=root) for part in setting))
        return root / "clone"

    return make


def failing_hook(root: Path) -> Path:
    folder = configured(("core.hooksPath", "{root}/hooks"))(root)
    (root / "hooks").mkdir()
    for name in ("pre-push", "post-merge", "pre-commit"):
        (root / "hooks" / name).write_text("#!/bin/sh\necho lint fails >&2\nexit 1\n")
        (root / "hooks" / name).chmod(0o755)
    return folder


KINDS: dict[str, Callable[[Path], Path]] = {
    "mirror": mirror,
    "single branch": single_branch,
    "shallow": shallow,
    "pushDefault": configured(
        ("remote.other.url", "file:///nowhere"), ("remote.pushDefault", "other")
    ),
    "push.default=nothing": configured(("push.default", "nothing")),
    "insteadOf": configured(
        ("remote.origin.url", "team:origin.git"), ("url.file://{root}/.insteadOf", "team:")
    ),
    "pushInsteadOf": configured(
        ("remote.origin.url", "team:origin.git"), ("url.file://{root}/.insteadOf", "team:"),
        ("url.file://{root}/./.pushInsteadOf", "team:"),
    ),
    "mirrored pushes": configured(("remote.origin.mirror", "true")),
    "configured refspecs": configured(
        ("--add", "remote.origin.fetch", "+refs/heads/*:refs/heads/*"),
        ("--add", "remote.origin.push", "refs/heads/*:refs/heads/*"),
    ),
    "pruning": configured(
        ("fetch.prune", "true"), ("fetch.pruneTags", "true"),
        ("--add", "remote.origin.fetch", "+refs/tags/*:refs/tags/*"),
    ),
    "all tags": configured(("remote.origin.tagOpt", "--tags"), ("push.followTags", "true")),
    "several addresses": configured(("--add", "remote.origin.url", "file://{root}/second.git")),
    "failing hooks": failing_hook,
}  # fmt: skip


@pytest.fixture(params=list(KINDS))
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A plain clone that shares a version with a clone of a kind."""
    plain = clones.origin_and_clone(tmp_path, "plain")
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "second.git")
    git(plain, "push", "-q", f"file://{tmp_path}/second.git", "main")
    clones.register(plain)
    push_pull.push(clones.repo(plain))
    return plain, KINDS[request.param](tmp_path)


def test_clones_of_every_kind_exchange_records_and_tags(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    plain, clone = pair
    git(clone, "tag", "-a", "-m", "not for others", "private")
    before = git(tmp_path / "origin.git", "rev-parse", "main")
    push_pull.pull(clones.repo(clone))
    assert [v.version for v in clones.models(clone).model_versions("Price")] == [1]

    clones.register(clone)
    unsent = git(clone, "rev-parse", "gitml/runs")
    clones.register(plain, "Churn")
    push_pull.push(clones.repo(plain))
    push_pull.pull(clones.repo(clone))  # what was not sent yet survives a pull
    assert git(clone, "merge-base", "--is-ancestor", unsent, "gitml/runs") == ""
    assert push_pull.push(clones.repo(clone)).exchange.tags == 1
    push_pull.pull(clones.repo(plain))
    for folder in pair:
        assert [v.version for v in clones.models(folder).model_versions("Price")] == [1, 2]
        assert [v.version for v in clones.models(folder).model_versions("Churn")] == [1]
        assert not push_pull.pull(clones.repo(folder)).changed
    tags = git(tmp_path / "origin.git", "tag").splitlines()
    assert tags == ["Churn@v1.0.0", "Price@v1.0.0", "Price@v2.0.0"]
    assert git(tmp_path / "origin.git", "rev-parse", "main") == before


def test_clones_of_every_kind_propose_and_apply(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, clone = pair
    push_pull.pull(clones.repo(clone))
    made = promotion.propose(clones.models(clone), "Price", 1, "Production", "good")
    heads = git(tmp_path / "origin.git", "for-each-ref", "--format=%(refname)", "refs/heads")
    assert heads.splitlines() == [
        "refs/heads/gitml/runs", "refs/heads/main", f"refs/heads/{made.branch}",
    ]  # fmt: skip


def test_a_short_address_leads_to_the_pages_that_it_stands_for(tmp_path: Path) -> None:
    folder = clones.origin_and_clone(tmp_path, "clone")
    git(folder, "config", "remote.origin.url", "gh:team/prices")
    git(folder, "config", "url.https://github.com/.insteadOf", "gh:")
    pages = forge_of(clones.repo(folder).git, "origin")
    assert (pages.address, pages.kind) == ("https://github.com/team/prices", ForgeKind.GITHUB)


def test_a_mirror_has_the_settings_of_its_newest_commit(tmp_path: Path) -> None:
    plain = clones.origin_and_clone(tmp_path, "plain")
    (plain / "gitml.yaml").write_text("branch: team/records\n")
    git(plain, "add", ".")
    git(plain, "commit", "-q", "-m", "Name the branch")
    git(plain, "push", "-q", "origin", "main")
    clones.register(plain)
    push_pull.push(clones.repo(plain))
    clone = mirror(tmp_path)
    clones.register(clone)
    push_pull.push(clones.repo(clone))
    heads = git(tmp_path / "origin.git", "for-each-ref", "--format=%(refname:short)", "refs/heads")
    assert heads.splitlines() == ["main", "team/records"]
