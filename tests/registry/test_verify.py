"""gitml registry verify: whatever is done to a tag behind the registry's back is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.registry.promotion import Verification, verify
from gitml.sharing import push_pull
from tests.clones import exchange, models, register, repo
from tests.conftest import git, make_repository

FAKE = ("-c", "user.name=Eve", "-c", "user.email=eve@example.org")


def faults(folder: Path) -> list[tuple[str, str]]:
    return [(fault.tag, fault.problem.value) for fault in check(folder).faults]


def check(folder: Path, name: str | None = None) -> Verification:
    before = git(folder, "for-each-ref")
    result = verify(models(folder), name)
    assert git(folder, "for-each-ref") == before
    return result


def move(folder: Path, version: int, stage: str, *, archive: bool = False) -> None:
    models(folder).transition_model_version_stage("Price", version, stage, archive)


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A repository without a remote: two versions, the second in Production."""
    folder = make_repository(tmp_path / "alone")
    register(folder)
    register(folder)
    move(folder, 1, "Production")
    move(folder, 2, "Production", archive=True)
    return folder


@pytest.fixture
def team(tmp_path: Path, alone: Path) -> tuple[Path, Path]:
    """Two clones of one bare repository with the same."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(alone, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(alone, "push", "-q", "origin", "main")
    push_pull.push(repo(alone))
    git(tmp_path, "clone", "-q", "origin.git", "second")
    push_pull.pull(repo(tmp_path / "second"))
    return alone, tmp_path / "second"


@pytest.mark.slow
def test_a_registry_that_nobody_touched_holds(team: tuple[Path, Path]) -> None:
    for folder in team:
        result = check(folder)
        assert (result.faults, result.foreign, result.tags, result.models) == ((), (), 6, 1)
    assert check(team[0], "Price").tags == 6


@pytest.mark.parametrize("tag", ["Price@v1.0.0", "Price#Production#1", "Price#Production#4"])
def test_a_deleted_tag_is_named_without_any_remote(alone: Path, tag: str) -> None:
    git(alone, "tag", "-d", tag)

    assert faults(alone)[0] == (tag, "deleted")


@pytest.mark.parametrize("tag", ["Price@v1.0.0", "Price#Production#1", "Price#Production#4"])
def test_a_moved_tag_is_named_without_any_remote(alone: Path, tag: str) -> None:
    other = "Price@v1.0.0" if tag.endswith("4") else "Price@v2.0.0"
    git(alone, *FAKE, "tag", "-f", "-a", "-m", "moved", tag, f"{other}^{{}}")

    assert faults(alone)[0] == (tag, "moved")


def test_a_rewritten_message_is_named(alone: Path) -> None:
    git(alone, "tag", "-f", "-a", "-m", "I never said that", "Price#Archived#3", "Price@v1.0.0^{}")

    assert faults(alone)[0] == ("Price#Archived#3", "moved")


def test_what_the_remote_lost_or_changed_is_named_in_every_clone(
    team: tuple[Path, Path], tmp_path: Path
) -> None:
    origin = tmp_path / "origin.git"
    last, entered = "Price#Production#4", "Price#Production#1"
    git(origin, "update-ref", "-d", f"refs/tags/{last}")
    git(origin, *FAKE, "tag", "-f", "-a", "-m", "moved", entered, "Price@v2.0.0^{}")

    assert faults(team[0]) == [(entered, "moved"), (last, "deleted")]
    git(tmp_path, "clone", "-q", "origin.git", "fresh")  # knows it from the branch's history
    fresh = tmp_path / "fresh"
    assert {(entered, "moved"), (last, "deleted")} <= set(faults(fresh))


@pytest.mark.slow
def test_clones_that_changed_the_registry_concurrently_still_hold(team: tuple[Path, Path]) -> None:
    first, second = team
    register(first)
    register(second)
    move(first, 3, "Staging")
    move(second, 3, "Staging")
    models(second).set_registered_model_alias("Price", "champion", 3)
    assert faults(first) == faults(second) == []

    exchange(*team)

    assert faults(first) == faults(second) == []
    assert check(first).tags == 11
    log = git(first, "log", "--format=%B", "gitml/runs")
    assert sorted(line.split()[2] for line in log.splitlines() if line.startswith("Tag: ")) \
        == sorted(git(first, "tag").splitlines())  # fmt: skip


@pytest.mark.slow
def test_events_unknown_when_others_were_written_are_put_in_order(
    team: tuple[Path, Path],
) -> None:
    first, second = team
    move(second, 1, "Staging")
    models(first).set_registered_model_alias("Price", "champion", 1)
    push_pull.push(repo(first))
    git(second, "fetch", "-q", "--tags", "origin")  # here before gitml looks

    exchange(*team)

    assert faults(first) == faults(second) == []


def test_tags_of_stock_git_and_gto_are_foreign_or_events_and_never_faults(alone: Path) -> None:
    git(alone, "tag", "v1.0")
    git(alone, "tag", "Foo@v1.0.0")
    git(alone, "tag", "-a", "-m", "x", "Tree@v1.0.0", "HEAD^{tree}")
    git(alone, "tag", "-a", "-m", "x", "Foo@v1")
    git(alone, "tag", "-a", "-m", "by hand", "Other@v1.0.0")

    result = check(alone)
    assert result.faults == ()
    assert [(tag.tag, tag.reason) for tag in result.foreign] == [
        ("Foo@v1.0.0", "not an annotated tag on a commit"),
        ("Tree@v1.0.0", "not an annotated tag on a commit"),
    ]
    assert result.models == 2


def test_a_registration_of_another_commit_is_named(alone: Path) -> None:
    text = git(alone, "cat-file", "tag", "Price@v2.0.0")
    v1, v2 = (git(alone, "rev-parse", f"Price@v{n}.0.0^{{}}") for n in (1, 2))
    forged = text.replace(v2, v1).replace("v2.0.0", "v3.0.0").replace("version: 2", "version: 3")
    (alone / "tag").write_text(f"{forged}\n")
    oid = git(alone, "hash-object", "-w", "-t", "tag", "tag")
    git(alone, "update-ref", "refs/tags/Price@v3.0.0", oid)

    assert ("Price@v3.0.0", "commit") in faults(alone)
