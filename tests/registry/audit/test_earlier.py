"""``signed_since``: what was there before needs no signature, whatever date a later tag claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.errors import InvalidInput
from gitml.registry.promotion import verify
from gitml.registry.tags.grammar import Kind
from gitml.sharing import push_pull
from tests.clones import models, origin_and_clone, register, repo
from tests.conftest import git, make_repository
from tests.registry.audit.test_attacks import tag


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A clone with unsigned tags of two models, which were all sent."""
    folder = origin_and_clone(tmp_path, "old")
    for name in ("Price", "Price", "Other"):
        register(folder, name)
    models(folder).transition_model_version_stage("Price", 1, "Production")
    push_pull.push(repo(folder))
    return folder


def ask(folder: Path, since: str) -> None:
    """Commit and push the policy."""
    (folder / "gitml.yaml").write_text(
        f"registry:\n  signatures: required\n  signed_since: '{since}'\n"
    )
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Ask for signatures")
    if git(folder, "remote"):
        git(folder, "push", "-q", "origin", "main")
        git(folder, "fetch", "-q")


def rejected(folder: Path) -> list[str]:
    return [item.tag.name for item in models(folder).view().rejected]


@pytest.mark.parametrize("by", ["commit", "name", "id"])
def test_what_was_sent_before_counts_and_a_back_dated_tag_does_not(old: Path, by: str) -> None:
    newest = "Price#Production#1"
    since = {"commit": git(old, "rev-parse", "gitml/runs"), "name": newest,
             "id": git(old, "rev-parse", newest)}[by]  # fmt: skip
    ask(old, since)
    assert (rejected(old), verify(models(old)).faults, verify(models(old)).signed) == ([], (), 0)

    tag(old, "Price#Production#2", date=1_000_000_000)
    assert rejected(old) == ["Price#Production#2"]
    tag(old, "Price#Staging#1", date=1_000_000_000)
    assert rejected(old) == ["Price#Production#2", "Price#Staging#1"]
    git(old, "push", "-q", "origin", "--tags")
    (version,) = models(old).get_latest_versions("Price", ["Production"])
    assert version.version == 1


def test_a_tag_that_is_moved_to_another_object_is_not_from_before(old: Path) -> None:
    ask(old, "Price#Production#1")
    tag(old, "Price#Production#1")  # version 2, under the name that the setting names

    assert rejected(old) == ["Price#Production#1"]
    assert models(old).get_latest_versions("Price", ["Production"]) == []


def test_a_side_line_of_the_branch_does_not_make_a_tag_older(old: Path) -> None:
    """Eve names her tag beside the right one, in a commit that starts from the beginning."""
    ask(old, "Price#Production#1")
    tag(old, "Price#Production#2")
    first = git(old, "rev-list", "--max-parents=0", "gitml/runs")
    lines = [f"Tag: {git(old, 'rev-parse', name)} {name}"
             for name in ("Price#Production#2", "Price#Production#1")]  # fmt: skip
    tree = git(old, "rev-parse", f"{first}^{{tree}}")
    side = git(old, "commit-tree", tree, "-p", first, "-m", "\n".join(["registry", "", *lines]))
    tip = git(old, "rev-parse", "gitml/runs")
    merge = git(old, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-p", side, "-m", "merge")
    git(old, "update-ref", "refs/heads/gitml/runs", merge)

    assert "Price#Production#2" in rejected(old)


def test_the_chain_of_a_tag_vouches_where_nothing_was_ever_sent(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "alone")
    register(folder)
    models(folder).transition_model_version_stage("Price", 1, "Production")
    ask(folder, "Price#Production#1")

    assert rejected(folder) == []
    tag(folder, "Price#Staging#0", "Price@v1.0.0", date=1_000_000_000)
    assert rejected(folder) == ["Price#Staging#0"]


@pytest.mark.parametrize(
    ("since", "message"),
    [
        ("f" * 40, "names ffffffff.* which is not in this clone"),
        ("Price#Staging#9", "names Price#Staging#9, which never was sent"),
        ("main", "before which no registry tag was sent"),
    ],
)
def test_a_setting_that_says_nothing_of_what_was_before_is_refused(
    old: Path, since: str, message: str
) -> None:
    ask(old, git(old, "rev-parse", since) if since == "main" else since)

    with pytest.raises(InvalidInput, match=message) as refused:
        models(old).get_registered_model("Price")
    assert refused.value.hint


def test_a_shallow_clone_says_what_it_lacks(old: Path, tmp_path: Path) -> None:
    ask(old, git(old, "rev-parse", "gitml/runs"))
    url = f"file://{tmp_path}/origin.git"
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", url, "job")
    git(tmp_path / "job", "fetch", "-q", "origin", "refs/tags/*:refs/tags/*")

    with pytest.raises(InvalidInput, match="shallow clone has not all") as refused:
        models(tmp_path / "job").get_registered_model("Price")
    assert refused.value.hint == "Run `git fetch --unshallow`."
    git(tmp_path / "job", "fetch", "-q", "--unshallow")
    assert models(tmp_path / "job").get_registered_model("Price").name == "Price"


def test_names_of_tags_that_do_not_count_are_not_used_again(old: Path) -> None:
    ask(old, git(old, "rev-parse", "gitml/runs"))
    tag(old, "Price@v3.0.0")
    view = models(old).view("Price")

    assert view.model("Price").next_number == 4
    (item,) = view.rejected
    assert (item.event.kind, item.fault.problem.value) == (Kind.REGISTERED, "unsigned")
