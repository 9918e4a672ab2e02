"""Hides what tags tell of the times that versions spent in a stage: when, who, why, on what gates.

Anybody may have written a tag's message, so whatever is no text becomes none. All pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitml.entities import ModelEvent
from gitml.query.gates import Verdict
from gitml.registry.tags.grammar import Kind

_LONGEST = 2_000  # characters of a text
_MOST = 100  # gates or names


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntry:
    """A version's time in a stage. Times are ms since the Unix epoch.

    Attributes:
        version: The version.
        timestamp: When it entered.
        until: When it left; None where it is in it still.
        before: The version that entered last before it, where one did.
        user: Who wrote the tag.
        reason: Why.
        forced: Whether it was forced past its gates.
        gates: What it was judged by, with the values measured then.
        approved_by: Who approved it.
        approvals_from: ``workflow`` or ``trailers``, empty where nobody did.
        merged_by: Who merged the proposal, ``Name <e-mail>``.
        pull_request: Such as ``#12``.
        merge_commit: Id of the commit that brought the declaration to the branch.
        tag: The git tag.
    """

    version: int
    timestamp: int
    until: int | None = None
    before: int | None = None
    user: str = ""
    reason: str = ""
    forced: bool = False
    gates: tuple[Verdict, ...] = field(default=())
    approved_by: tuple[str, ...] = ()
    approvals_from: str = ""
    merged_by: str = ""
    pull_request: str = ""
    merge_commit: str = ""
    tag: str = ""


def entries(events: Iterable[ModelEvent], stage: str) -> list[StageEntry]:
    """List the times that versions spent in a stage, oldest first.

    Args:
        events: A model's history, oldest first.
        stage: The stage.
    """
    found: list[StageEntry] = []
    open_ones: dict[int, int] = {}  # version to its place in the list
    for event in events:
        ended = _ended(event, stage, open_ones)
        for version in ended:
            place = open_ones.pop(version)
            found[place] = replace(found[place], until=event.timestamp)
        number = event.version
        if event.kind == Kind.STAGE and event.value == stage and number is not None:
            if number in open_ones:  # asserted again while another one left
                continue
            others = [one.version for one in found if one.version != number]
            open_ones[number] = len(found)
            found.append(entry(event, number, others[-1] if others else None))
    return found


def by_stage(events: Sequence[ModelEvent]) -> dict[str, list[StageEntry]]:
    """List the times that versions spent in each stage that any was ever in, oldest first."""
    stages = dict.fromkeys(event.value for event in events if event.kind == Kind.STAGE)
    return {stage: entries(events, stage) for stage in stages}


def _ended(event: ModelEvent, stage: str, open_ones: Mapping[int, int]) -> Sequence[int]:
    if event.kind == Kind.DEPRECATED:
        return list(open_ones)
    left = event.kind == Kind.LEFT and event.value == stage
    ends = left or event.kind == Kind.DELETED
    return [version for version in open_ones if ends and version == event.version]


def entry(event: ModelEvent, version: int, before: int | None = None) -> StageEntry:
    """Read what the tag tells that let a version enter a stage."""
    told = event.detail
    names = told.get("approved_by")
    return StageEntry(
        version=version,
        timestamp=event.timestamp,
        before=before,
        user=event.user,
        reason=_text(told.get("reason")),
        forced=told.get("forced") is True,
        gates=verdicts(event),
        approved_by=tuple(map(_text, names[:_MOST])) if isinstance(names, list) else (),
        approvals_from=_text(told.get("approvals_from")),
        merged_by=_text(told.get("merged_by")),
        pull_request=_text(told.get("pull_request")),
        merge_commit=_text(told.get("merge_commit")),
        tag=event.tag,
    )


def verdicts(event: ModelEvent) -> tuple[Verdict, ...]:
    """Read the gates of a tag, with the values measured then."""
    told = event.detail.get("gates")
    listed = told[:_MOST] if isinstance(told, list) else []
    return tuple(_verdict(one) for one in listed if isinstance(one, dict))


def _verdict(told: Mapping[str, Any]) -> Verdict:
    values = told.get("values")
    known = values.items() if isinstance(values, dict) else ()
    return Verdict(
        gate=_text(told.get("gate")),
        measured=_text(told.get("measured")),
        holds=told.get("holds") is True,
        note=_text(told.get("note")),
        values={
            str(key): value
            for key, value in known
            if value is None or isinstance(value, str | bool | int | float)
        },
    )


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
