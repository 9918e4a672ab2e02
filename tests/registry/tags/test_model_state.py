from __future__ import annotations

from gitml.entities import ModelEvent
from gitml.git import Tag
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.registry.tags.grammar import slug
from gitml.registry.tags.messages import format_message
from gitml.registry.tags.model_state import (
    IgnoredTag,
    ModelState,
    VersionState,
    event_order,
    fold,
    history,
    is_event,
)


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


def test_a_model_is_folded_into_all_of_its_state() -> None:
    tags = [
        tag("m@v2.0.0", "b", 20),
        tag("m#Staging#7", "a", 30),
        tag("m@v1.0.0", "a", 10),
        tag("m#Production#3", "a", 40),
        tag("m#alias/best#4", "b", 50),
        tag("m@v1.2.0-rc1", "c", 60),
        tag("other@v1.0.0", "d", 99),
    ]
    state = fold(tags)
    first = VersionState(
        version="v1.0.0", commit="a" * 40, tag="m@v1.0.0", active=True, registered=10, updated=40,
        stages={"Staging": 30, "Production": 40},
    )  # fmt: skip
    second = VersionState(
        version="v2.0.0", commit="b" * 40, tag="m@v2.0.0", active=True, registered=20, updated=50,
        aliases={"best": 50},
    )  # fmt: skip
    foreign = VersionState(
        version="v1.2.0-rc1", commit="c" * 40, tag="m@v1.2.0-rc1", active=True, registered=60,
        updated=60,
    )  # fmt: skip
    assert state.models["m"] == ModelState(
        slug="m",
        name="m",
        versions=(foreign, first, second),
        tags=frozenset(item.name for item in tags[:-1]),
        first=10,
        newest=60,
        last=TagLink(tag="m@v1.2.0-rc1", oid="f" * 40),
        counter=7,
        highest=2,
    )
    assert list(state.models) == ["m", "other"]
    assert (first.number, first.label, first.stage) == (1, 1, "Production")
    assert (foreign.number, foreign.label, foreign.stage) == (None, "v1.2.0-rc1", "None")
    assert state.models["m"].find(2) == second
    assert state.models["m"].find(9) is None


def test_versions_are_ordered_by_number_with_those_of_gitml_last() -> None:
    names = ["v10.0.0", "v9.0.0", "v1.10.0", "v1.9.0", "v1.9.0-rc1", "v1.9.1+b"]
    state = fold([tag(f"m@{name}", f"{i}", i) for i, name in enumerate(names)]).models["m"]
    assert [version.version for version in state.versions] == [
        "v1.9.0-rc1",
        "v1.9.0",
        "v1.9.1+b",
        "v1.10.0",
        "v9.0.0",
        "v10.0.0",
    ]


def test_the_latest_of_a_stage_is_the_highest_numbered_version_that_is_active() -> None:
    state = fold([
        tag("m@v1.0.0", "a", 1),
        tag("m@v2.0.0", "b", 2),
        tag("m@v3.0.0", "c", 3),
        tag("m@v1.1.0", "d", 3),
        tag("m#Staging#1", "b", 4),
        tag("m#Staging#2", "a", 5),
        tag("m#Production#3", "d", 6),
        tag("m@v3.0.0!", "c", 7),
    ]).models["m"]  # fmt: skip
    assert {stage: version.number for stage, version in state.latest.items()} == {"Staging": 2}


def test_alias_of_two_versions_belongs_to_the_last_that_got_it() -> None:
    versions = [tag("m@v1.0.0", "a", 1), tag("m@v2.0.0", "b", 1)]
    later = fold([*versions, tag("m#alias/x#1", "b", 2), tag("m#alias/x#2", "a", 3)])
    equal = fold([*versions, tag("m#alias/x#1", "b", 2), tag("m#alias/x#2", "a", 2)])
    assert {alias: v.number for alias, v in later.models["m"].aliases.items()} == {"x": 1}
    assert {alias: v.number for alias, v in equal.models["m"].aliases.items()} == {"x": 2}


def test_events_of_the_same_second_take_effect_by_kind_then_by_counter() -> None:
    names = [
        "m@deprecated",
        "m@v1.0.0",
        "m@v1.0.0!",
        "m#Staging#1",
        "m#Staging#2",
        "m#alias/x#1",
        "m#Staging!#1",
        "m#alias/x!#1",
    ]
    backwards = [tag(name, "a", 5) for name in reversed(names)]
    assert [item.name for item in sorted(backwards, key=event_order)] == names
    assert event_order(tag("v1.0", "a", 5)) == (5, -1, 0)
    assert event_order(tag("m#Staging#9", "a", 5))[::2] == (5, 9)


def test_a_date_is_valid_from_1970_for_eight_thousand_years() -> None:
    dates = [-1, 0, 2**38 - 1, 2**38]
    assert [is_event(tag("m@v1.0.0", "a", date)) for date in dates] == [False, True, True, False]
    assert not is_event(tag("m@v1.0.0", "a", 1, annotated=False))
    state = fold([tag("m@v1.0.0", "a", -1), tag("m@v2.0.0", "a", 1, annotated=False)])
    assert state.models == {}
    assert state.ignored == (
        IgnoredTag(tag="m@v1.0.0", reason="its date is out of range"),
        IgnoredTag(tag="m@v2.0.0", reason="not an annotated tag on a commit"),
    )


def test_a_stage_on_a_commit_without_a_version_says_why_it_is_ignored() -> None:
    state = fold([tag("m@v1.0.0", "a", 1), tag("m#Staging#1", "b", 2)])
    reason = "its commit is not the commit of exactly one version of this model"
    assert state.ignored == (IgnoredTag(tag="m#Staging#1", reason=reason),)


def test_a_version_that_was_deleted_can_be_registered_again() -> None:
    tags = [tag("m@v1.0.0", "a", 1), tag("m@v1.0.0!", "a", 2), tag("m@v1.0.0#3", "a", 3)]
    assert not fold(tags[:2]).models["m"].versions[0].active
    version = fold(tags).models["m"].versions[0]
    assert (version.active, version.registered, version.updated) == (True, 1, 3)


def test_a_model_is_hidden_only_by_a_deprecation_newer_than_all_else() -> None:
    tags = [tag("m@v1.0.0", "a", 5), tag("m@deprecated", "a", 5)]
    assert fold(tags).models["m"].deprecated is None
    assert fold([tags[0], tag("m@deprecated#2", "a", 6)]).models["m"].deprecated == 6


def test_the_history_of_a_model_has_every_event_in_full() -> None:
    name, key = "Prix élevé", slug("préféré", "alias")
    message = format_message("Prix élevé alias set", TagDetail.of(alias="préféré", reason="good"))
    tags = [
        tag("m#alias/" + key + "!#3", "a", 4),
        tag("m#alias/" + key + "#2", "a", 3, message=message),
        tag("m@v1.0.0", "a", 1, message="registered"),
        tag("m#Staging#4", "c", 5),
        tag("m@v1.5.0", "b", 6),
        tag("other@v1.0.0", "a", 2),
    ]
    alias = {"kind": "alias", "version": 1, "value": "préféré", "commit": "a" * 40}
    alias |= {"tag": f"m#alias/{key}#2", "timestamp": 3000, "user": "Ada", "model": name}
    alias |= {"email": "ada@example.org", "message": "Prix élevé alias set"}
    events = history(tags, "m", name)
    assert events[1] == ModelEvent(**alias, detail={"alias": "préféré", "reason": "good"})
    assert [(e.kind, e.version, e.value, e.commit[0], e.timestamp) for e in events] == [
        ("registered", 1, "", "a", 1000),
        ("alias", 1, "préféré", "a", 3000),
        ("unalias", 1, "préféré", "a", 4000),
        ("stage", None, "Staging", "c", 5000),
        ("registered", None, "v1.5.0", "b", 6000),
    ]
    assert events[0].message == "registered"


def test_names_without_a_claim_are_those_of_the_tags() -> None:
    model, alias = slug("Prix élevé"), slug("é", "alias")
    tags = [tag(f"{model}@v1.0.0", "a", 1), tag(f"{model}#alias/{alias}#1", "a", 2)]
    tags.append(tag(f"{model}#alias/best#2", "a", 3))
    state = fold(tags).models[model]
    assert (state.name, state.alias_names) == (model, {alias: alias})
    assert [event.value for event in history(tags, model, model)] == ["", alias, "best"]


def test_a_claimed_alias_has_to_fit_its_slug() -> None:
    alias = slug("é", "alias")
    claims = {"é": "é", "è": alias, "": alias}
    for claim, expected in claims.items():
        message = format_message("…", TagDetail.of(alias=claim))
        tags = [tag("m@v1.0.0", "a", 1), tag(f"m#alias/{alias}#1", "a", 2, message=message)]
        assert fold(tags).models["m"].alias_names == {alias: expected}


def test_a_tag_without_a_counter_comes_before_the_first_counter() -> None:
    assert event_order(tag("m@v1.0.0", "a", 5)) < event_order(tag("m@v1.0.0#1", "a", 5))
    state = fold([tag("m@v1.0.0#1", "b", 1), tag("m@v1.0.0", "a", 5)]).models["m"]
    assert state.versions[0].commit == "a" * 40


def test_a_version_that_was_deleted_in_the_second_of_its_registration_is_not_active() -> None:
    tags = [tag("m@v1.0.0#9", "a", 1), tag("m@v1.0.0!", "a", 1), tag("m@v2.0.0!", "c", 1)]
    assert [(v.number, v.active) for v in fold(tags).models["m"].versions] == [(1, False)]


def test_a_history_leaves_out_what_is_no_event_and_keeps_a_second_registration() -> None:
    tags = [
        tag("m@v1.0.0", "a", 1),
        tag("m@v1.0.0#2", "b", 2),
        tag("m@v2.0.0", "c", 3, annotated=False),
    ]
    events = history(tags, "m", "m")
    assert [(event.tag, event.commit[0]) for event in events] == [
        ("m@v1.0.0", "a"),
        ("m@v1.0.0#2", "b"),
    ]
