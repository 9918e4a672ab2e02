"""Clones that change the registry at once: every request is kept, and all clones agree."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import Conflict, StoreError
from gitml.registry.rebase import TagRebaser
from gitml.registry.tags import model_state
from gitml.sharing import push_pull
from gitml.store.exchange.exchange import Exchange
from gitml.store.exchange.tag_rules import Arrival, Renumbered, Settled
from tests.clones import exchange, models, origin_and_clone, register, repo
from tests.conftest import git, temporary_refs


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one bare repository, both with version 1 of Price."""
    first = origin_and_clone(tmp_path, "first")
    register(first)
    push_pull.push(repo(first))
    git(tmp_path, "clone", "-q", "origin.git", "second")
    push_pull.pull(repo(tmp_path / "second"))
    return first, tmp_path / "second"


def move(folder: Path, version: int, stage: str, *, archive: bool = False, why: str = "") -> None:
    models(folder).transition_model_version_stage(
        "Price", version, stage, archive_existing_versions=archive, reason=why
    )


def seen(folder: Path) -> dict[str, Any]:
    """All that the registry says, and the refs behind it."""
    registry = models(folder)
    registered = registry.search_registered_models()
    return {
        "models": registered,
        "versions": registry.search_model_versions(order_by=["version_number ASC"]),
        "history": [registry.history(model.name) for model in registered],
        "tags": git(folder, "for-each-ref", "refs/tags"),
        "tree": git(folder, "rev-parse", "gitml/runs^{tree}"),
        "ignored": registry.ignored_tags(),
    }


def stages(folder: Path) -> dict[int, str]:
    versions = models(folder).search_model_versions("name='Price'")
    return {
        version.version: version.current_stage
        for version in sorted(versions, key=lambda v: v.version)
    }


def gto_stages(folder: Path, name: str = "Price") -> dict[str, str]:
    """Which version stock gto sees in each stage (the first, as it shows one)."""
    program = Path(sys.executable).with_name("gto")
    done = subprocess.run(
        [program, "show", "--json"], cwd=folder, capture_output=True, text=True, check=True
    )
    output = json.loads(done.stdout)[name]
    assert output["version"] == f"v{max(stages(folder))}.0.0"
    return {
        stage: version
        for stage, version in output["stage"].items()
        if version and not stage.startswith("alias/")
    }


def highest(folder: Path) -> dict[str, str]:
    """What gto is to show: the highest version of each stage."""
    return {stage: f"v{number}.0.0" for number, stage in stages(folder).items() if stage != "None"}


def settled(clones: tuple[Path, Path], tmp_path: Path) -> dict[str, Any]:
    """Exchange everything; returns what every clone sees, a fresh one too."""
    exchange(*clones)
    fresh = tmp_path / "fresh"
    git(tmp_path, "clone", "-q", "origin.git", "fresh")
    push_pull.pull(repo(fresh))
    in_first, in_second, in_fresh = (seen(folder) for folder in (*clones, fresh))
    assert in_first == in_second == in_fresh
    assert in_first["ignored"] == []
    assert gto_stages(fresh) == highest(fresh)
    for folder in (*clones, fresh):
        assert git(folder, "fsck", "--no-dangling") == ""
        assert temporary_refs(folder) == []
    return in_first


@pytest.mark.slow
def test_two_versions_of_the_same_number_become_two_and_keep_their_texts(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    earlier = register(first, description="from the first", tags={"who": "first"})
    later = register(second, description="from the second", tags={"who": "second"})
    move(second, 2, "Staging", why="models:/Price/2 beats models:/Price/1")
    models(second).set_registered_model_alias("Price", "champion", 2)
    assert (earlier.version, later.version) == (2, 2)

    push_pull.push(repo(first))
    report = push_pull.push(repo(second))

    assert report.exchange.renumbered == (Renumbered(model="Price", old=2, new=3),)
    settled(clones, tmp_path)
    two, three = (models(first).get_model_version("Price", number) for number in (2, 3))
    assert (two.run_id, two.description, two.tags) == (
        earlier.run_id, "from the first", {"who": "first"},
    )  # fmt: skip
    assert (three.run_id, three.description, three.tags, three.source) == (
        later.run_id, "from the second", {"who": "second"}, later.source,
    )  # fmt: skip
    assert (three.current_stage, three.aliases, three.digest) == (
        "Staging", ("champion",), later.digest,
    )  # fmt: skip
    assert three.creation_timestamp == later.creation_timestamp
    (moved,) = [e for e in models(first).history("Price") if e.kind == "stage"]
    assert (moved.version, moved.detail["version"], moved.detail["run_id"]) == (3, 3, later.run_id)
    assert moved.detail["reason"] == "models:/Price/3 beats models:/Price/1"
    assert json.loads(git(first, "show", "Price@v3.0.0:version.json"))["version"] == 3
    assert "version 3" in git(first, "show", "Price@v3.0.0^{}", "--no-patch", "--format=%s")


@pytest.mark.slow
def test_a_pull_renumbers_what_was_never_pushed_and_says_so(clones: tuple[Path, Path]) -> None:
    first, second = clones
    register(first)
    for _ in range(2):
        register(second)
    runs = [models(second).get_model_version("Price", n).run_id for n in (2, 3)]
    push_pull.push(repo(first))

    report = push_pull.pull(repo(second))

    assert report.renumbered == (
        Renumbered(model="Price", old=2, new=3), Renumbered(model="Price", old=3, new=4),
    )  # fmt: skip
    assert [models(second).get_model_version("Price", n).run_id for n in (3, 4)] == runs
    assert push_pull.pull(repo(second)).renumbered == ()


@pytest.mark.slow
def test_numbers_that_are_free_on_the_remote_stay(clones: tuple[Path, Path]) -> None:
    first, second = clones
    register(second)
    move(first, 1, "Staging")
    push_pull.push(repo(first))

    assert push_pull.push(repo(second)).exchange.renumbered == ()
    assert stages(second) == {1: "Staging", 2: "None"}


@pytest.mark.slow
def test_of_two_promotions_the_later_push_archives_the_earlier(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    register(first)
    exchange(*clones)
    move(first, 1, "Production", archive=True)
    move(second, 2, "Production", archive=True)  # there was nothing to archive here

    push_pull.push(repo(first))
    push_pull.push(repo(second))

    settled(clones, tmp_path)
    assert stages(first) == {1: "Archived", 2: "Production"}


@pytest.mark.slow
def test_of_two_promotions_without_archive_both_stay(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    register(first)
    exchange(*clones)
    move(first, 2, "Production")
    move(second, 1, "Production")

    settled(clones, tmp_path)
    assert stages(first) == {1: "Production", 2: "Production"}


@pytest.mark.slow
def test_version_moved_to_two_stages_concurrently_is_in_that_of_the_later_push(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    move(first, 1, "Production")
    move(second, 1, "Staging")
    models(first).set_registered_model_alias("Price", "champion", 1)

    settled(clones, tmp_path)  # no tag of the one has the name of one of the other
    assert stages(second) == {1: "Staging"}
    assert models(second).get_model_version_by_alias("Price", "champion").version == 1


def test_a_request_for_a_version_that_was_deleted_meanwhile_is_named(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    models(first).delete_model_version("Price", 1)
    move(second, 1, "Staging")
    push_pull.push(repo(first))

    report = push_pull.push(repo(second)).exchange

    assert report.lost == ("Price version 1 moved to Staging: the version was deleted meanwhile",)
    assert models(second).search_model_versions() == []
    assert git(first, "ls-remote", "--tags", "origin", "*Staging*") == ""


@pytest.mark.slow
def test_model_deleted_in_a_clone_lives_on_with_the_version_of_the_other(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    register(first)
    models(second).delete_registered_model("Price")

    settled(clones, tmp_path)
    assert stages(first) == {2: "None"}


@pytest.mark.slow
def test_tags_that_another_remote_has_are_never_written_again(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    register(second)
    push_pull.push(repo(second))
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "fork.git")
    for folder in clones:
        git(folder, "remote", "add", "fork", str(tmp_path / "fork.git"))
    register(first)
    push_pull.push(repo(first), git_remote="fork")

    before = git(second, "for-each-ref", "refs/tags")
    with pytest.raises(Conflict, match=r"Price@v2\.0\.0 differs between 'fork'"):
        push_pull.push(repo(second), git_remote="fork")
    assert git(second, "for-each-ref", "refs/tags") == before


@pytest.mark.slow
def test_a_plain_fetch_of_tags_before_does_no_harm(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    move(first, 1, "Production")
    move(second, 1, "Staging")
    push_pull.push(repo(first))
    git(second, "fetch", "-q", "--tags", "origin")

    settled(clones, tmp_path)
    assert stages(first) == {1: "Staging"}


class _SlowRules(TagRebaser):
    """Lets another clone push between our look at the remote and our push."""

    other: Path | None = None

    def settle(self, arrival: Arrival) -> Settled:
        settlement = super().settle(arrival)
        other, self.other = self.other, None
        if other:
            push_pull.push(repo(other))
        return settlement


@pytest.mark.slow
def test_a_push_between_our_look_and_our_push_is_seen(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    move(first, 1, "Production")
    move(second, 1, "Staging")
    repository = repo(second)
    rules = _SlowRules(repository.git, repository.branch, state=repository.state, remote="origin")
    rules.other = first

    assert Exchange(repository.branch, "origin", rules).push().tags == 2  # left, entered

    settled(clones, tmp_path)
    assert stages(first) == {1: "Staging"}


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_renumbering_that_is_cut_off_happens_whole_the_next_time(
    clones: tuple[Path, Path], tmp_path: Path, killed: bool
) -> None:
    first, second = clones
    register(first, description="from the first")
    later = register(second, description="from the second")
    push_pull.push(repo(first))
    hook, pid = second / ".git" / "hooks" / "reference-transaction", tmp_path / "pid"
    hook.write_text(
        f"""#!/bin/sh
[ "$1" = prepared ] && grep -q "Price@v3.0.0" || exit 0
rm -- "$0"
[ -e {pid} ] && kill -9 $(cat {pid})
exit 1
"""
    )
    hook.chmod(0o755)
    before = git(second, "for-each-ref", "refs/tags", "refs/heads")
    if not killed:
        with pytest.raises(StoreError, match="aborted by hook"):
            push_pull.push(repo(second))
    else:
        code = (
            "import os, sys; from pathlib import Path; from gitml.sharing import push_pull\n"
            "from gitml.repository import Repository\n"
            "Path(sys.argv[2]).write_text(str(os.getpid()))\n"
            "push_pull.pull(Repository.open(sys.argv[1]))\n"
        )
        done = subprocess.run([sys.executable, "-c", code, second, pid])
        assert done.returncode == -9
    assert git(second, "for-each-ref", "refs/tags", "refs/heads") == before

    assert [change.new for change in push_pull.push(repo(second)).exchange.renumbered] == [3]
    assert not hook.exists()
    settled(clones, tmp_path)
    three = models(first).get_model_version("Price", 3)
    assert (three.run_id, three.description) == (later.run_id, "from the second")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_interleaved_changes_end_in_the_same_state_and_no_version_is_lost(
    clones: tuple[Path, Path], tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)
    registered = {models(clones[0]).get_model_version("Price", 1).run_id}
    for _ in range(14):
        folder = choose.choice(clones)
        numbers = list(stages(folder))
        action = choose.choice(["register", "move", "move", "archive", "alias", "push", "pull"])
        if action == "register":
            registered.add(register(folder).run_id)
        elif action in ("move", "archive"):
            stage = choose.choice(["Production", "Staging"])
            move(folder, choose.choice(numbers), stage, archive=action == "archive")
        elif action == "alias":
            alias, version = choose.choice(["champion", "next"]), choose.choice(numbers)
            models(folder).set_registered_model_alias("Price", alias, version)
        elif action == "push":
            push_pull.push(repo(folder))
        else:
            push_pull.pull(repo(folder))

    state_of_all = settled(clones, tmp_path)
    assert {version.run_id for version in state_of_all["versions"]} == registered
    for number in stages(clones[0]):
        state = next(
            v
            for v in model_state.fold(repo(clones[0]).git.tags()).models["Price"].active
            if v.number == number
        )
        assert len(state.stages) <= 1


@pytest.mark.slow
def test_clones_that_register_and_push_from_concurrent_processes_agree(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.registry.race_in_process"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen([*command, folder], stderr=subprocess.PIPE, text=True, env=environment)
        for folder in clones
    ]
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err

    state_of_all = settled(clones, tmp_path)
    assert len({version.run_id for version in state_of_all["versions"]}) == 7
    assert [version.version for version in state_of_all["versions"]] == list(range(1, 8))
    assert sum(stage == "Production" for stage in stages(clones[0]).values()) == 1
