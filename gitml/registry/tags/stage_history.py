"""Derive from a model's events the times that its versions spent in a stage. All pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitml.entities import ModelEvent
from gitml.query.gates import Verdict
from gitml.registry.tags.detail import RecordedGate, TagDetail
from gitml.registry.tags.grammar import Kind

_MAX_TEXT = 2_000  # characters
_MAX_ITEMS = 100  # gates or names


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntry:
    """A version's time in a stage. Times are ms since the Unix epoch.

    Attributes:
        version: The version.
        timestamp: When it entered.
        until: When it left; None if it is still in it.
        before: The version that entered last before it; None if none did.
        user: Who wrote the tag.
        reason: Why.
        forced: Whether it was forced past its gates.
        gates: The gates, with the values measured then.
        approved_by: Who approved it.
        approvals_from: ``workflow`` or ``trailers``; empty if nobody approved it.
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

    @property
    def people(self) -> str:
        """Who merged and who approved, beside who tagged, often a robot; see ``people``."""
        return people(self.user, self.merged_by, self.approved_by)


def people(tagger: str, merged_by: str, approved_by: Sequence[str] = ()) -> str:
    """Say who is behind a tag.

    >>> people("release-bot", "Bo <bo@example.org>", ["Cy"])
    'Bo merged, Cy approved, release-bot tagged'
    >>> people("Ada", "")
    'Ada'
    """
    merger = merged_by.partition(" <")[0].strip()
    approvers = [name for name in approved_by if name not in ("", merger, tagger)]
    parts = [f"{merger} merged"] if merger not in ("", tagger) else []
    parts += [f"{' and '.join(approvers)} approved"] if approvers else []
    return ", ".join([*parts, f"{tagger} tagged"]) if parts else tagger


def people_of(event: ModelEvent) -> str:
    """Say who is behind an event; see ``people``."""
    detail = TagDetail.from_yaml(event.detail)
    approvers = tuple(map(_cut, detail.approved_by[:_MAX_ITEMS]))
    return people(event.user, _cut(detail.merged_by), approvers)


def entries(events: Iterable[ModelEvent], stage: str) -> list[StageEntry]:
    """Return the times that versions spent in a stage, oldest first.

    Args:
        events: A model's history, oldest first.
        stage: The stage.
    """
    result: list[StageEntry] = []
    current: dict[int, int] = {}  # version to position in the result
    for event in events:
        for version in _leaving(event, stage, current):
            position = current.pop(version)
            result[position] = replace(result[position], until=event.timestamp)
        number = event.version
        if event.kind == Kind.STAGE and event.value == stage and number is not None:
            if number in current:  # asserted again because another version left
                continue
            others = [entry.version for entry in result if entry.version != number]
            current[number] = len(result)
            result.append(stage_entry(event, number, others[-1] if others else None))
    return result


def by_stage(events: Sequence[ModelEvent]) -> dict[str, list[StageEntry]]:
    """Return the times that versions spent in each stage that was ever assigned, oldest first."""
    stages = dict.fromkeys(event.value for event in events if event.kind == Kind.STAGE)
    return {stage: entries(events, stage) for stage in stages}


def _leaving(event: ModelEvent, stage: str, current: Mapping[int, int]) -> Sequence[int]:
    if event.kind == Kind.DEPRECATED:
        return list(current)
    left = event.kind == Kind.LEFT and event.value == stage
    leaves = left or event.kind == Kind.DELETED
    return [version for version in current if leaves and version == event.version]


def stage_entry(event: ModelEvent, version: int, previous: int | None = None) -> StageEntry:
    """Build a stage entry from the event that assigned the stage."""
    detail = TagDetail.from_yaml(event.detail)
    return StageEntry(
        version=version,
        timestamp=event.timestamp,
        before=previous,
        user=event.user,
        reason=_cut(detail.reason),
        forced=detail.forced,
        gates=tuple(map(_verdict, detail.gates[:_MAX_ITEMS])),
        approved_by=tuple(map(_cut, detail.approved_by[:_MAX_ITEMS])),
        approvals_from=_cut(detail.approvals_from),
        merged_by=_cut(detail.merged_by),
        pull_request=_cut(detail.pull_request),
        merge_commit=_cut(detail.merge_commit),
        tag=event.tag,
    )


def _verdict(recorded: RecordedGate) -> Verdict:
    return Verdict(
        gate=_cut(recorded.gate or ""),
        measured=_cut(recorded.measured or ""),
        holds=recorded.holds is True,
        note=_cut(recorded.note),
        values=recorded.values or {},
    )


def _cut(text: str) -> str:
    return text[:_MAX_TEXT]
