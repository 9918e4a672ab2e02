"""Stock gto and dvc see what gitml sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gto.api
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitml.entities import Stage
from gitml.errors import NotFound
from gitml.registry.tags.grammar import slug

from .conftest import World

_STAGES = st.sampled_from([stage.value for stage in Stage])
_NUMBERS = st.integers(1, 4)
_CHANGES = st.one_of(
    *[st.tuples(st.just("move"), _NUMBERS, _STAGES, st.booleans())] * 4,
    st.tuples(st.just("alias"), _NUMBERS, st.sampled_from(["champion", "_x_"])),
    st.tuples(st.just("unalias"), st.sampled_from(["champion", "_x_"])),
    st.tuples(st.just("delete"), _NUMBERS),
    st.tuples(st.just("register")),
    st.tuples(st.just("drop")),
)


def in_gitml(world: World) -> dict[str, tuple[str, set[str]]]:
    """Version to commit, stage and aliases, the way gto calls them, as gitml says."""
    try:
        world.registry.get_registered_model("m")
    except NotFound:
        return {}
    return {
        f"v{v.version}.0.0": (
            v.commit,
            ({v.current_stage} - {"None"}) | {f"alias/{slug(alias)}" for alias in v.aliases},
        )
        for v in world.registry.search_model_versions("name = 'm'")
    }


def in_gto(world: World) -> dict[str, tuple[str, set[str]]]:
    """The same as gto says."""
    rows = gto.api.show(str(world.folder), name="m", versions_per_stage=-1)
    return {v["version"]: (v["commit_hexsha"], {s["stage"] for s in v["stages"]}) for v in rows}


def change(world: World, what: tuple[object, ...]) -> None:
    registry, kind, rest = world.registry, what[0], what[1:]
    if kind == "move":
        archive = bool(rest[2]) and rest[1] in ("Staging", "Production")
        registry.transition_model_version_stage("m", rest[0], str(rest[1]), archive)  # type: ignore[arg-type]
    elif kind == "alias":
        registry.set_registered_model_alias("m", str(rest[1]), rest[0])  # type: ignore[arg-type]
    elif kind == "unalias":
        registry.delete_registered_model_alias("m", str(rest[0]))
    elif kind == "delete":
        registry.delete_model_version("m", rest[0])  # type: ignore[arg-type]
    elif kind == "register":
        registry.register("m", world.model())
    else:
        registry.delete_registered_model("m")


@pytest.mark.slow
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(_CHANGES, min_size=4, max_size=9))
def test_gto_agrees_after_any_sequence_of_changes(
    new_world: Callable[[], World], changes: list[tuple[object, ...]]
) -> None:
    world = new_world()
    world.versions(3, "m")
    for what in changes:
        try:
            change(world, what)
        except NotFound:
            continue
    assert in_gitml(world) == in_gto(world)
    events = gto.api.history(str(world.folder), artifact="m", ascending=True)
    assert [event.tag for event in world.registry.history("m")] == [e["ref"] for e in events]
    for stage in ("Staging", "Production"):
        assert_same_answer(world, stage)


def assert_same_answer(world: World, stage: str) -> None:
    """Check that gitml, gto and DVC mean the same version by a stage."""
    from dvc.repo.artifacts import Artifacts
    from scmrepo.git import Git

    try:
        latest = world.registry.get_latest_versions("m", [stage])
    except NotFound:
        return
    if not latest:
        return
    rows = gto.api.show(str(world.folder), name="m", versions_per_stage=1)
    assert [v["version"] for v in rows if stage in {s["stage"] for s in v["stages"]}] == [
        f"v{latest[0].version}.0.0"
    ]

    class Repo:
        scm = Git(str(world.folder))

    assert Artifacts(Repo()).get_rev("m", stage=stage) == latest[0].commit
    Repo.scm.close()


@pytest.mark.slow
def test_gtos_own_commands_understand_the_registry(world: World) -> None:
    world.versions(2)
    registry = world.registry
    registry.transition_model_version_stage("PriceOptimizer", 1, "Production", reason="first")
    registry.transition_model_version_stage("PriceOptimizer", 2, "Production", True, "better")
    rows = world.gto("show", "PriceOptimizer", "--vs", "-1")
    assert {v["version"]: [s["stage"] for s in v["stages"]] for v in rows} == {
        "v1.0.0": ["Archived"],
        "v2.0.0": ["Production"],
    }
    assert world.gto("show") == {
        "PriceOptimizer": {
            "version": "v2.0.0",
            "stage": {"Archived": "v1.0.0", "Production": "v2.0.0"},
            "registered": True,
            "active": True,
        }
    }
    history = world.gto("history", "PriceOptimizer")
    assert [event["ref"] for event in history][::-1] == [
        event.tag for event in registry.history("PriceOptimizer")
    ]
    assert history[0]["message"].startswith("PriceOptimizer version 2 moved to Production\n\n")


@pytest.mark.slow
def test_what_stock_gto_wrote_is_understood(world: World) -> None:
    world.versions(1, "m")
    world.tool("gto", "assign", "m", "--version", "v1.0.0", "--stage", "Production")
    assert world.registry.get_model_version("m", 1).current_stage == "Production"
    world.tool("gto", "register", "m", "main", "--version", "v5.0.0")
    world.tool("gto", "register", "team/other", "main", "--version", "v1.0.0")
    assert world.registry.get_model_version("m", 5).commit == world.git("rev-parse", "main")
    assert [t.tag for t in world.registry.ignored_tags()] == ["team/other@v1.0.0"]
    world.registry.transition_model_version_stage("m", 5, "Production", True)
    assert in_gto(world) == in_gitml(world)
    assert world.registry.register("m", world.model()).version == 6


@pytest.mark.slow
def test_model_that_stock_gto_deprecated_is_absent(world: World) -> None:
    world.versions(1, "m")
    world.tool("gto", "deprecate", "m")
    assert world.registry.search_registered_models() == []
    world.registry.create_registered_model("m")
    assert world.registry.register("m", world.model()).version == 2


@pytest.fixture
def two_versions(world: World) -> World:
    """A model with two versions of different bytes, the first in Production."""
    world.registry.register("PriceOptimizer", world.model(b"one", world.run(1)))
    world.registry.register("PriceOptimizer", world.model(b"two", world.run(2)))
    world.registry.transition_model_version_stage("PriceOptimizer", 1, "Production")
    return world


@pytest.mark.slow
def test_dvc_fetches_a_stage_and_a_version(two_versions: World, tmp_path: Path) -> None:
    world = two_versions
    get = ("dvc", "artifacts", "get", ".", "PriceOptimizer")
    world.tool(*get, "--stage", "Production", "-o", str(tmp_path / "live"))
    world.tool(*get, "--rev", "v2.0.0", "-o", str(tmp_path / "second"))
    world.tool("dvc", "get", ".", "model", "--rev", "PriceOptimizer@v2.0.0", "-o", "got")
    assert (tmp_path / "live" / "model.bin").read_bytes() == b"one"
    assert (tmp_path / "second" / "model.bin").read_bytes() == b"two"
    assert (world.folder / "got" / "model.bin").read_bytes() == b"two"


@pytest.mark.slow
def test_dvc_fetches_who_stays_in_a_stage_after_another_left(
    two_versions: World, tmp_path: Path
) -> None:
    world = two_versions
    world.registry.transition_model_version_stage("PriceOptimizer", 2, "Production")
    world.registry.transition_model_version_stage("PriceOptimizer", 2, "None")
    out = tmp_path / "live"
    world.tool("dvc", "artifacts", "get", ".", "PriceOptimizer", "--stage", "Production",
               "-o", str(out))  # fmt: skip
    assert (out / "model.bin").read_bytes() == b"one"
