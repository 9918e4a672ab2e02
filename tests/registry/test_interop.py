"""Random histories by stock GTO read by gitml, and by gitml read by stock GTO; strangers' tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gto.api
import pytest
from gto.exceptions import GTOException
from hypothesis import HealthCheck, given, settings, strategies as st

from gitml.errors import GitmlError
from gitml.registry.promotion import verify
from gitml.registry.registry import Registry
from gitml.registry.tags import model_state
from gitml.registry.tags.grammar import Kind, slug

from .conftest import World

NewWorld = Callable[[], World]
_NAMES = st.sampled_from(["m", "Team_model", "a-b"])
_STAGES = st.sampled_from(["Staging", "Production", "Archived"])
_NUMBERS = st.integers(1, 3)
_BY_GTO = st.lists(
    st.one_of(
        st.just(("register",)),
        *[st.tuples(st.just("assign"), _NUMBERS, _STAGES)] * 3,
        st.tuples(st.just("unassign"), _NUMBERS, _STAGES),
        st.tuples(st.just("deregister"), _NUMBERS),
        st.just(("deprecate",)),
    ),
    min_size=3,
    max_size=7,
)
_BY_GITML = st.lists(
    st.one_of(
        st.just(("register",)),
        *[st.tuples(st.just("move"), _NUMBERS, _STAGES | st.just("None"), st.booleans())] * 3,
        st.tuples(st.just("alias"), _NUMBERS, st.sampled_from(["champion", "next"])),
        st.tuples(st.just("unalias"), st.sampled_from(["champion", "next"])),
        st.tuples(st.just("delete"), _NUMBERS),
        st.just(("deprecate",)),
    ),
    min_size=3,
    max_size=8,
)
_few = settings(max_examples=5, deadline=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
_thorough = settings(_few, max_examples=150)
_KINDS = {
    "registration": Kind.REGISTERED, "deregistration": Kind.DELETED, "assignment": Kind.STAGE,
    "unassignment": Kind.LEFT, "deprecation": Kind.DEPRECATED,
}  # fmt: skip


def as_gto_shows(world: World, name: str) -> dict[str, tuple[str, set[str]]]:
    """Version to commit and stages, aliases among them."""
    rows = gto.api.show(str(world.folder), name=name, versions_per_stage=-1,
                         assignments_per_version=-1)  # fmt: skip
    return {v["version"]: (v["commit_hexsha"], {s["stage"] for s in v["stages"]}) for v in rows}


def as_gitml_reads(world: World, name: str) -> dict[str, tuple[str, set[str]]]:
    """The same."""
    state = model_state.fold(world.repo.tags()).models.get(slug(name))
    return {
        v.version: (v.commit, {*v.stages, *(f"alias/{alias}" for alias in v.aliases)})
        for v in (state.active if state else ())
    }


def assert_agree(world: World, name: str) -> None:
    """Compare state and history, event by event."""
    assert as_gitml_reads(world, name) == as_gto_shows(world, name)
    events = gto.api.history(str(world.folder), artifact=name, ascending=True)
    expected = [
        (e["ref"], e["commit"], e["author"], e["author_email"],
         int(e["timestamp"].timestamp()) * 1000, _KINDS[e["event"]]) for e in events
    ]  # fmt: skip
    alike = {"alias": "stage", "unalias": "left"}
    actual = [
        (e.tag, e.commit, e.user, e.email, e.timestamp, alike.get(e.kind, e.kind))
        for e in world.registry.history(name)
    ]
    if len({timestamp for *_, timestamp, _ in actual}) < len(actual):  # GTO's own, in one second
        actual, expected = sorted(actual), sorted(expected)
    assert actual == expected


def by_gto(world: World, name: str, what: tuple[object, ...]) -> None:
    """One command of stock GTO; what it refuses does not happen."""
    where = str(world.folder)
    kind, *rest = what
    version = f"v{rest[0]}.0.0" if rest else ""
    try:
        if kind == "register":
            world.git("commit", "-q", "--allow-empty", "-m", "next")
            count = sum("@v" in tag and "!" not in tag for tag in world.tags())
            gto.api.register(where, name, "HEAD", version=f"v{count + 1}.0.0")
        elif kind == "assign":
            gto.api.assign(where, name, str(rest[1]), version=version)
        elif kind == "unassign":
            gto.api.unassign(where, name, version=version, stage=str(rest[1]))
        elif kind == "deregister":
            gto.api.deregister(where, name, version=version)
        else:
            gto.api.deprecate(where, name)
    except GTOException:
        pass


def by_gitml(registry: Registry, world: World, name: str, what: tuple[object, ...]) -> None:
    kind, *rest = what
    number = rest[0] if rest and isinstance(rest[0], int) else 0
    try:
        if kind == "register":
            registry.register(name, world.model())
        elif kind == "move":
            stage = str(rest[1])
            archive = bool(rest[2]) and stage in ("Staging", "Production")
            registry.transition_model_version_stage(name, number, stage, archive)
        elif kind == "alias":
            registry.set_registered_model_alias(name, str(rest[1]), number)
        elif kind == "unalias":
            registry.delete_registered_model_alias(name, str(rest[0]))
        elif kind == "delete":
            registry.delete_model_version(name, number)
        else:
            registry.delete_registered_model(name)
    except GitmlError:
        pass


def read_what_gto_wrote(world: World, name: str, changes: list[tuple[object, ...]]) -> None:
    for what in (("register",), ("register",), *changes):
        by_gto(world, name, what)
    assert_agree(world, name)
    assert world.registry.ignored_tags() == []


def write_for_gto(world: World, name: str, changes: list[tuple[object, ...]]) -> None:
    for what in (("register",), ("register",), *changes):
        by_gitml(world.registry, world, name, what)
    assert_agree(world, name)
    assert verify(world.registry).faults == ()


@pytest.mark.slow
@_few
@given(name=_NAMES, changes=_BY_GTO)
def test_gitml_reads_whatever_stock_gto_wrote(
    new_world: NewWorld, name: str, changes: list[tuple[object, ...]]
) -> None:
    read_what_gto_wrote(new_world(), name, changes)


@pytest.mark.slow
@_few
@given(name=_NAMES, changes=_BY_GITML)
def test_stock_gto_reads_whatever_gitml_wrote(
    new_world: NewWorld, name: str, changes: list[tuple[object, ...]]
) -> None:
    write_for_gto(new_world(), name, changes)


@pytest.mark.soak
@_thorough
@given(name=_NAMES, by_gto=_BY_GTO, by_gitml=_BY_GITML)
def test_long_random_histories_are_read_alike(
    new_world: NewWorld, name: str, by_gto: list[tuple[object, ...]],
    by_gitml: list[tuple[object, ...]],
) -> None:  # fmt: skip
    read_what_gto_wrote(new_world(), name, by_gto)
    write_for_gto(new_world(), name, by_gitml)


# Strangers --------------------------------------------------------------------------------------

_BOMB = "a: &a [1,1,1,1,1,1,1,1]\n" + "\n".join(
    f"{new}: &{new} [{','.join(['*' + old] * 8)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "body",
    [_BOMB, "[" * 50_000, "- " * 30_000 + "x", "junk \x01\x1b[31m" * 80_000, "\ufeff? !!binary x",
     "previous: [1]", "previous: {tag: '../x', id: 1}", "gates: {a: b}", "model: {}", "\n" * 9999],
    ids=["bomb", "flow", "block", "megabyte", "binary", "link", "links", "gates", "model", "empty"],
)  # fmt: skip
def test_messages_of_strangers_never_crash_nor_hide_others(world: World, body: str) -> None:
    world.versions(1, "m")
    (world.folder / "body").write_text(f"hello\n\n{body}\n")
    for tag in ("m#Production#9", "other@v1.0.0"):
        world.git("tag", "-a", "--cleanup=verbatim", "-F", "body", tag, "m@v1.0.0^{}")

    assert [m.name for m in world.registry.search_registered_models()] == ["m", "other"]
    assert world.registry.get_model_version("m", 1).current_stage == "Production"
    event = world.registry.history("m")[-1]
    assert (event.message, event.value) == ("hello", "Production")
    result = verify(world.registry)
    assert (result.tags, [f.tag for f in result.faults if f.problem != "gates"]) == (3, [])


def test_tags_of_strangers_are_named_as_foreign_and_hide_nothing(
    world: World, tmp_path: Path
) -> None:
    world.versions(1, "m")
    world.git("tag", "v1.0")
    for tag in ("Foo@v1.0.0", "m#Staging#3", "team/x@v1.0.0"):
        world.git("tag", tag)  # lightweight
    world.git("tag", "-a", "-m", "x", "Foo@v1")
    world.git("tag", "-a", "-m", "x", "m@v2.0.0", "HEAD^{tree}")
    world.git("tag", "-a", "-m", "x", "m@v3.0.0", "HEAD:train.py")
    world.git("tag", "-a", "-m", "x", "m@v4.0.0", "m@v1.0.0")  # a tag of a tag
    world.git("tag", "-a", "-m", "x", "m#Staging#5", "HEAD")  # no version's commit

    assert [v.version for v in world.registry.search_model_versions()] == [1]
    reasons = {foreign.tag: foreign.reason for foreign in verify(world.registry).foreign}
    assert set(reasons) == {
        "Foo@v1.0.0", "m#Staging#3", "team/x@v1.0.0", "m@v2.0.0", "m@v3.0.0", "m@v4.0.0",
        "m#Staging#5",
    }  # fmt: skip
    assert reasons["m@v2.0.0"] == reasons["m@v4.0.0"] == "not an annotated tag on a commit"
    assert (
        reasons["m#Staging#5"]
        == "its commit is not the commit of exactly one version of this model"
    )
