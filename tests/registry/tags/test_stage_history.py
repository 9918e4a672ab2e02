"""The times that versions spent in a stage, read from tags that anybody may have written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gitml.entities import ModelEvent
from gitml.query.gates import Verdict
from gitml.registry.tags.stage_history import entries, stage_entry


def event(kind: str, version: int | None, value: str, when: int, **detail: Any) -> ModelEvent:
    return ModelEvent(
        model="Price", kind=kind, version=version, value=value, tag=f"t{when}", commit="c",
        timestamp=when, user="Ada", detail=detail,
    )  # fmt: skip


def test_versions_enter_leave_and_are_followed() -> None:
    history = entries(
        [
            event("stage", 1, "Production", 1, reason="first"),
            event("stage", 2, "Staging", 2),
            event("left", 1, "Production", 3),
            event("stage", 2, "Production", 4, forced=True),
            event("stage", 2, "Production", 5, reasserted=True),
            event("stage", 3, "Production", 6),
            event("deleted", 2, "", 7),
            event("stage", 1, "Production", 8),
            event("deprecated", None, "", 9),
        ],
        "Production",
    )
    assert [(e.version, e.timestamp, e.until, e.before, e.forced) for e in history] == [
        (1, 1, 3, None, False), (2, 4, 7, 1, True), (3, 6, 9, 2, False), (1, 8, 9, 3, False),
    ]  # fmt: skip
    assert history[0].reason == "first"


def test_what_a_tag_tells_is_taken_as_it_was_recorded() -> None:
    gate = {"gate": "metrics.a < 1", "measured": "0.5 < 1", "holds": True, "values": {"a": 0.5}}
    detail = {"approved_by": ["Bo"], "approvals_from": "workflow", "pull_request": "#7"}
    entry = stage_entry(event("stage", 1, "Production", 1, gates=[gate, "x"], **detail), 1, None)
    assert entry.gates == (
        Verdict(gate="metrics.a < 1", measured="0.5 < 1", holds=True, values={"a": 0.5}),
    )
    assert (entry.approved_by, entry.approvals_from, entry.pull_request) == (
        ("Bo",), "workflow", "#7",
    )  # fmt: skip


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["gate", "measured", "holds", "values"]), inner)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["gates", "approved_by", "reason", "forced", "merged_by", "pull_request"])
KINDS = st.sampled_from(["stage", "left", "deleted", "registered", "deprecated"])


@pytest.mark.slow
@given(
    st.lists(st.tuples(KINDS, st.integers(1, 3), st.dictionaries(KEYS, JSON)), max_size=12),
)
def test_any_history_gives_times_of_a_version_that_do_not_overlap(
    changes: list[tuple[str, int, dict[str, Any]]],
) -> None:
    events = [
        event(kind, version, "Production", when, **detail)
        for when, (kind, version, detail) in enumerate(changes, 1)
    ]
    history = entries(events, "Production")
    for version in (1, 2, 3):
        times = [(e.timestamp, e.until) for e in history if e.version == version]
        for (_, until), (since, _) in pairwise(times):
            assert until is not None and until <= since
