"""The replay of a model's tags: what cannot have happened is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gitml.git import Tag
from gitml.query import gates
from gitml.registry.audit import gate_replay
from gitml.registry.audit.chain import Claim, TagProblem, audit, check_claims
from gitml.registry.tags.detail import RecordedGate, TagDetail, TagLink
from gitml.registry.tags.messages import format_message, linked


def tag(name: str, target: str, when: int, **detail: Any) -> Tag:
    document = TagDetail.from_yaml({"model": "m", **detail})
    message = format_message("line", document) if detail else "by another tool\n"
    return Tag(name=name, oid=f"{when:040x}", target=target, annotated=True, timestamp=when,
               user="Ada", email="ada@example.org", message=message)  # fmt: skip


def chain(*tags: Tag) -> list[Tag]:
    """Let each tag name the one before it."""
    linked_tags: list[Tag] = []
    for item in tags:
        link = TagLink.to(linked_tags[-1]) if linked_tags else None
        linked_tags.append(replace(item, message=linked(item.message, link)))
    return linked_tags


FINE = chain(
    tag("m@v1.0.0", "a", 10, version=1),
    tag("m#Staging#1", "a", 11, version=1, to="Staging"),
    tag("m#Staging!#2", "a", 12, version=1, **{"from": "Staging", "to": "Production"}),
    tag("m#Production#3", "a", 13, version=1, to="Production"),
    tag("m@v2.0.0", "b", 14, version=2),
    tag("m#alias/champion#4", "b", 15, version=2, alias="champion"),
)


def faults(*tags: Tag) -> list[tuple[str, str]]:
    return [(fault.tag, fault.problem.value) for fault in audit(tags).faults]


def test_a_whole_history_has_no_faults_in_any_order() -> None:
    assert faults(*FINE) == faults(*reversed(FINE)) == []
    assert audit(FINE).claims == [
        Claim(tag=item.name, oid=item.oid, by=following.name) for item, following in pairwise(FINE)
    ]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (tag("m@v1.0.0#7", "c", 16, version=1), [("m@v1.0.0#7", "inconsistent")]),
        (tag("m@v3.0.0!", "b", 16, version=3), [("m@v3.0.0!", "inconsistent")]),
        (tag("m@v1.0.0!", "b", 16, version=1), [("m@v1.0.0!", "inconsistent")]),
        (tag("m#Staging!#5", "a", 16, version=1), [("m#Staging!#5", "inconsistent")]),
        (tag("m#Staging#5", "a", 16, version=1), [("m#Staging#5", "inconsistent")]),
        (tag("m#Staging#5", "z", 16, version=1), [("m#Staging#5", "inconsistent")]),
        (tag("m#Staging#4", "b", 16, version=2), [("m#Staging#4", "inconsistent")]),
        (tag("m#Staging#5", "b", 16, version=1), [("m#Staging#5", "malformed")]),
        (tag("m#Staging#5", "b", 16, version=2, model="n"), [("m#Staging#5", "malformed")]),
        (tag("m#alias/champion#5", "a", 16, version=1), [("m#alias/champion#5", "inconsistent")]),
        (tag("m#Staging#5", "b", 16), []),
        (tag("m@deprecated", "b", 16, user="Ada"), []),
    ],
)
def test_an_event_that_cannot_have_happened_is_reported(
    extra: Tag, expected: list[tuple[str, str]]
) -> None:
    assert faults(*FINE, extra) == expected


FAILED = {
    "gate": "metrics.x < 1",
    "measured": "2 < 1",
    "holds": False,
    "values": {"metrics.x": 2.0},
}


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (tag("m@v1.0.0#7", "c", 16, version=1), "v1.0.0 was registered before."),
        (tag("m@v3.0.0!", "b", 16, version=3), "There was no v3.0.0 of its commit to delete."),
        (
            tag("m#Staging!#5", "a", 16, version=1),
            "Version 1 was not in Staging, so it cannot leave it.",
        ),
        (tag("m#Staging#5", "a", 16, version=1), "Version 1 is in Production and Staging by then."),
        (tag("m#Staging#5", "z", 16, version=1), "Its commit is that of no registered version."),
        (
            tag("m#Staging#4", "b", 16, version=2),
            "Its counter is not above 4, which an earlier tag has.",
        ),
        (tag("m#Staging#5", "b", 16, version=1), "Its message is about version 1, not 2."),
        (tag("m#Staging#5", "b", 16, version=2, model="n"), "Its message is about 'n'."),
        (
            tag("m#alias/champion#5", "a", 16, version=1),
            "The alias names the versions 2 and 1 by then.",
        ),
        (
            tag("m#Staging#5", "b", 16, version=2, to="Staging", gates=[FAILED]),
            "It entered although a gate failed: metrics.x < 1.",
        ),
        (
            tag("m#Staging#5", "b", 16, version=2, forced=True, gates=[{"gate": "metrics.x < 1"}]),
            "A gate is not recorded with its values.",
        ),
    ],
)
def test_a_fault_says_what_cannot_have_happened(extra: Tag, reason: str) -> None:
    assert [(fault.tag, fault.reason) for fault in audit([*FINE, extra]).faults] == [
        (extra.name, reason)
    ]


def test_a_version_that_gitml_does_not_number_is_called_by_its_semantic_version() -> None:
    foreign = tag("m@v1.5.0", "c", 16)
    leaving = tag("m#Staging!#5", "c", 17)
    (fault,) = audit([*FINE, foreign, leaving]).faults
    assert fault.reason == "Version v1.5.0 was not in Staging, so it cannot leave it."


def test_a_deleted_version_is_in_nothing_any_more() -> None:
    deleted = tag("m@v2.0.0!", "b", 16, version=2)
    alias = tag("m#alias/champion#5", "a", 17, version=1, alias="champion")
    stage = tag("m#Staging#6", "b", 18, version=2, to="Staging")
    assert faults(*FINE, deleted, alias) == []
    (fault,) = audit([*FINE, deleted, alias, stage]).faults
    assert (fault.tag, fault.reason) == (stage.name, "Its commit is that of a deleted version.")
    again = tag("m@v2.0.0!#7", "b", 19, version=2)
    assert faults(*FINE, deleted, again) == [("m@v2.0.0!#7", "inconsistent")]


def test_tag_that_names_a_later_tag_as_the_previous_is_reported() -> None:
    later, earlier = tag("m#Staging#6", "b", 17, version=2), tag("m#alias/x#5", "a", 16)
    earlier = replace(earlier, message=linked(earlier.message, TagLink.to(later)))
    (fault,) = audit([*FINE, earlier, later]).faults
    assert fault.problem == TagProblem.INCONSISTENT
    assert fault.reason == "It names m#Staging#6 as the previous event, which came later."


def test_inserted_tag_is_reported_with_its_two_neighbours() -> None:
    (fault,) = audit([*FINE, tag("m#alias/x", "a", 13)]).faults
    assert fault.reason == (
        "It did not exist when m@v2.0.0 was written, which follows m#Production#3."
    )


def test_values_of_a_gate_are_collected_with_the_version_they_were_measured_on() -> None:
    live = [tag("m#Production#5", "b", 17, version=2, to="Production")]
    text = "metrics.x < 9 and production.metrics.x < 9 and staging.metrics.x is null"
    verdict = gates.judge(
        gates.read(text),
        {"metrics": {"x": 1.0}},
        {"production": {"metrics": {"x": 2.0}}, "staging": None},
    )
    gate = {"gate": text, "measured": verdict.measured, "holds": verdict.holds,
            "values": dict(verdict.values)}  # fmt: skip
    third = [
        tag("m@v3.0.0", "c", 18, version=3),
        tag("m#Archived#6", "c", 20, version=3, to="Archived", gates=[gate]),
    ]
    result = audit([*FINE, *live, *third])
    assert [(m.tag, m.commit, m.value, m.field.stage) for m in result.measured] == [
        ("m#Archived#6", "c", 1.0, ""),
        ("m#Archived#6", "b", 2.0, "production"),
    ], result.faults


def test_a_waived_gate_may_be_recorded_as_met_and_a_cut_text_cannot_be_judged() -> None:
    failed = {"gate": "metrics.x < 1", "measured": "2 < 1", "values": {"metrics.x": 2.0}}
    assert gate_problem({**failed, "holds": True, "note": "waived: first version"}) == ""
    wrong = "The gate 'metrics.x < 1' is recorded as one that {}: 2 < 1."
    assert gate_problem({**failed, "holds": True, "note": "x"}) == wrong.format("holds")
    assert gate_problem({**failed, "holds": False}) == ""
    passed = {**failed, "measured": "0.5 < 1", "values": {"metrics.x": 0.5}, "holds": False}
    assert gate_problem({**passed, "note": "waived"}) == (
        "The gate 'metrics.x < 1' is recorded as one that fails: 0.5 < 1."
    )


def test_approvals_are_those_that_the_tag_names() -> None:
    document = {"gate": "approvals.count >= 2", "measured": "2 >= 2", "holds": True,
                "values": {"approvals.count": 2.0}}  # fmt: skip
    recorded = RecordedGate.from_yaml(document)
    assert gate_replay.gate_problem(recorded, 2) == ""
    assert gate_replay.gate_problem(recorded, 3) == (
        "The gate 'approvals.count >= 2' was judged by other approvals than the tag names."
    )
    entry = tag("m#Staging#5", "b", 16, version=2, approved_by=["bo", "cy"], gates=[document])
    assert faults(*FINE, entry) == []


def test_a_tag_slipped_in_between_is_reported() -> None:
    for when in (12, 13, 14):
        assert faults(*FINE, tag("m#alias/x", "a", when)) == [("m#alias/x", "inserted")]
    assert faults(*FINE, tag("m#alias/x", "a", 16)) == []


def test_recorded_ids_are_compared_with_the_tags_that_exist() -> None:
    records = [("a", 1, "x"), ("b", 2, "y"), ("b", 2, "z"), ("c", 3, "y")]
    claims = [Claim(tag=name, oid=str(digit) * 40, by=by) for name, digit, by in records]
    moved, deleted = check_claims(claims, {"a": "1" * 40, "b": "9" * 40})

    assert (moved.tag, moved.problem) == ("b", TagProblem.MOVED)
    assert moved.reason == "y records it as 222222222222, but it is 999999999999 now."
    assert (deleted.tag, deleted.problem) == ("c", TagProblem.DELETED)


def gate_problem(document: dict[str, Any]) -> str:
    return gate_replay.gate_problem(RecordedGate.from_yaml(document))


# Gates ------------------------------------------------------------------------------------------

_GATES = st.sampled_from([
    "metrics.rmse < 3.5", "metrics.rmse <= 0.98 * production.metrics.rmse",
    "params.kind = 'tree' or production.params.kind is null", "source.dirty = false",
    "staging.metrics.rmse > 1 and not production.metrics.rmse > 2", "metrics.`a b` + 1 = 2",
])  # fmt: skip
_VALUES = st.one_of(st.none(), st.floats(), st.sampled_from([1.0, 3.0]))
_TEXTS = st.one_of(st.none(), st.sampled_from(["tree", "it's", "x" * 200]))


@st.composite
def facts(draw: st.DrawFn) -> Mapping[str, Mapping[str, gates.Value]]:
    values: dict[str, dict[str, Any]] = {
        "metrics": {"rmse": draw(_VALUES), "a b": draw(_VALUES)},
        "params": {"kind": draw(_TEXTS)},
        "source": {"dirty": draw(st.sampled_from([None, True, False]))},
    }
    return {
        kind: {key: value for key, value in of_kind.items() if value is not None}
        for kind, of_kind in values.items()
    }


@given(_GATES, facts(), st.none() | facts(), st.none() | facts())
def test_gate_as_it_was_recorded_agrees_and_a_changed_gate_does_not(
    text: str, candidate: Any, live: Any, staged: Any
) -> None:
    verdict = gates.judge(gates.read(text), candidate, {"production": live, "staging": staged})
    document = {"gate": verdict.gate, "measured": verdict.measured, "holds": verdict.holds,
            "values": dict(verdict.values)}  # fmt: skip

    assert gate_problem(document) == ""
    cut = any(isinstance(v, str) and v.endswith("…") for v in verdict.values.values())
    if not cut:
        assert "recorded as one that" in gate_problem({**document, "holds": not verdict.holds})
    assert "not with its values" in gate_problem({**document, "measured": "0 < 1"})


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"gate": "metrics.x <", "measured": "", "values": {}}, "cannot be parsed"),
        ({"gate": "metrics.x < 1", "measured": "0 < 1"}, "not recorded with its values"),
        ({"gate": ["x"]}, "not recorded with its values"),
        ({"gate": "approvals.count >= 2", "measured": "2 >= 2", "holds": True,
          "values": {"approvals.count": 2.0}}, "other approvals"),
    ],
)  # fmt: skip
def test_gate_that_cannot_be_judged_again_is_reported(
    document: dict[str, Any], problem: str
) -> None:
    assert problem in gate_problem(document)


def test_a_recorded_sentence_may_round_its_numbers_but_not_say_others() -> None:
    document = {"gate": "metrics.x < 1e6", "holds": True, "values": {"metrics.x": 1234.5678901}}

    for measured in ("1234.568 < 1e6", "1234.6 < 1000000", "1.2346e+03 < 1e6"):
        assert gate_problem({**document, "measured": measured}) == ""
    for measured in ("1239 < 1e6", "-1234.568 < 1e6", "1234.568 > 1e6", "1234.568"):
        assert "not with its values" in gate_problem({**document, "measured": measured})


def test_an_entry_past_a_failed_gate_must_be_forced() -> None:
    gate = {"gate": "metrics.x < 1", "measured": "2 < 1", "holds": False,
            "values": {"metrics.x": 2.0}}  # fmt: skip
    entry = {"version": 2, "to": "Staging", "gates": [gate]}

    assert faults(*FINE, tag("m#Staging#5", "b", 16, **entry)) == [("m#Staging#5", "gates")]
    forced = tag("m#Staging#5", "b", 16, **entry, forced=True)
    assert faults(*FINE, forced) == []
    (measured,) = audit([*FINE, forced]).measured
    assert (measured.commit, measured.value, measured.field.key) == ("b", 2.0, "x")


def test_a_value_of_who_was_live_is_that_of_the_version_before_the_change() -> None:
    gate = {"gate": "production.metrics.x > 1", "measured": "2 > 1", "holds": True,
            "values": {"production.metrics.x": 2.0}}  # fmt: skip
    moved = [
        tag("m#Production!#5", "a", 16, version=1, replaced_by=2, to="Archived"),
        tag("m#Archived#6", "a", 17, version=1, replaced_by=2, to="Archived"),
        tag("m#Production#7", "b", 18, version=2, to="Production", archive=True, gates=[gate]),
    ]
    result = audit([*FINE, *moved])

    assert result.faults == []
    assert [measured.commit for measured in result.measured] == ["a"]
