from __future__ import annotations

from gitml.git import Tag
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.grammar import slug
from gitml.registry.tags.messages import format_message
from gitml.registry.tags.model_state import IgnoredTag, fold, history


def tag(
    name: str, target: str, timestamp: int, *, annotated: bool = True, message: str = ""
) -> Tag:
    return Tag(
        name=name,
        oid="f" * 40,
        target=target * 40,
        annotated=annotated,
        timestamp=timestamp,
        user="Ada",
        email="ada@example.org",
        message=message,
    )


def test_a_removal_wins_over_an_assignment_of_the_same_second() -> None:
    state = fold(
        [tag("m@v1.0.0", "a", 1), tag("m#Staging!#2", "a", 2), tag("m#Staging#9", "a", 2)]
    ).models["m"]
    assert state.versions[0].stages == {}
    assert state.counter == 9


def test_the_state_of_a_model() -> None:
    state = fold([
        tag("m@v1.0.0", "a", 1),
        tag("m@v2.0.0", "b", 2),
        tag("m@v3.0.0", "c", 3),
        tag("m#Staging#1", "b", 4),
        tag("m#alias/best#2", "a", 5),
        tag("m#alias/best#3", "b", 6),
        tag("m@v3.0.0!", "c", 7),
    ]).models["m"]  # fmt: skip
    assert [(v.number, v.active, v.stage) for v in state.versions] == [
        (1, True, "None"),
        (2, True, "Staging"),
        (3, False, "None"),
    ]
    assert {alias: v.number for alias, v in state.aliases.items()} == {"best": 2}
    assert (state.first, state.newest, state.counter, state.highest) == (1, 7, 3, 3)


def test_a_deprecated_model_comes_back_with_a_newer_event() -> None:
    tags = [tag("m@v1.0.0", "a", 1), tag("m@deprecated", "a", 2)]
    assert fold(tags).models["m"].active == ()
    again = fold([*tags, tag("m@v2.0.0", "b", 3)]).models["m"]
    assert [v.number for v in again.active] == [1, 2]


def test_a_second_registration_cannot_take_a_version_over() -> None:
    state = fold([tag("m@v1.0.0#7", "b", 1), tag("m@v1.0.0", "a", 5)])
    assert state.models["m"].versions[0].commit == "a" * 40
    assert state.ignored == (
        IgnoredTag(tag="m@v1.0.0#7", reason="m@v1.0.0 registered this version already"),
    )


def test_tags_that_are_no_events_are_listed_and_change_nothing() -> None:
    state = fold([
        tag("v1.0", "a", 1),
        tag("m@v1.0.0", "a", 1),
        tag("m@v2.0.0", "b", 1, annotated=False),
        tag("m#Production#1", "c", 2),
        tag("m#Production#2", "a", 2**62),
        tag("m@v99999999999999999999.0.0", "d", 3),
    ])  # fmt: skip
    assert [entry.tag for entry in state.ignored] == [
        "m#Production#1",
        "m#Production#2",
        "m@v2.0.0",
    ]
    assert [v.number for v in state.models["m"].versions] == [None, 1]
    assert (state.models["m"].highest, state.models["m"].versions[1].stage) == (1, "None")


def test_stages_on_a_commit_with_two_versions_belong_to_neither() -> None:
    state = fold([tag("m@v1.0.0", "a", 1), tag("m@v2.0.0", "a", 2), tag("m#Staging#1", "a", 3)])
    assert [v.stages for v in state.models["m"].versions] == [{}, {}]
    assert [entry.tag for entry in state.ignored] == ["m#Staging#1"]


def test_true_names_come_from_messages() -> None:
    model, alias = slug("Prix élevé"), slug("préféré", "alias")
    detail = format_message("…", TagDetail.of(model="Prix élevé", alias="préféré"))
    tags = [tag(f"{model}@v1.0.0", "a", 1), tag(f"{model}#alias/{alias}#1", "a", 2, message=detail)]
    state = fold(tags).models[model]
    assert (state.name, state.alias_names) == ("Prix élevé", {alias: "préféré"})
    assert [(e.kind, e.version, e.value) for e in history(tags, model, state.name)] == [
        ("registered", 1, ""),
        ("alias", 1, "préféré"),
    ]
