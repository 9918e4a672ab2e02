"""The stages of a model over time, as bars and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import ModelEvent
from gitml.registry.promotion.decisions import STAGES
from gitml.registry.tags.stage_history import StageEntry, entries, people
from gitml.site.catalogue import PageLink
from gitml.site.text import formats, urls

LANE = 30  # pixels
_NARROW = 4.0  # percent; a bar below that has no room for its label
_THIN = 0.4  # percent
_MAX_BARS = 200  # bars of a lane; the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A version's time in a stage; lengths are percent of the width, ``y`` is in pixels."""

    version: int
    x: str
    width: str
    y: int
    label: str
    stage: str
    forced: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A bar as a row. Times are ms since the Unix epoch; ``until`` is None while it lasts."""

    version: PageLink
    stage: str
    since: int
    until: int | None
    user: str
    reason: str
    gates: str
    forced: bool
    approved_by: tuple[str, ...]
    promotion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimeline:
    """A model's stages over time."""

    lanes: tuple[tuple[str, int], ...]
    bars: tuple[Bar, ...]
    height: int
    start: int
    end: int
    spells: tuple[Spell, ...]


def stage_timeline(
    name: str, events: Sequence[ModelEvent], versions: frozenset[int], tags: frozenset[str]
) -> StageTimeline | None:
    """Draw a model's stages over time; None if no version was ever in entry.

    Args:
        name: The model.
        events: Its history, oldest first.
        versions: Versions that have a page.
        tags: Tags of promotions that have a page.
    """
    lanes = {stage.value: entries(events, stage) for stage in STAGES}
    lanes = {stage: entered for stage, entered in lanes.items() if entered}
    if not lanes:
        return None
    start, end = events[0].timestamp, events[-1].timestamp
    end += max((end - start) // 12, 60_000)  # what lasts goes on a little behind the last event
    spells = [
        _spell(name, stage, entry, entry.version in versions, entry.tag in tags)
        for stage, entered in lanes.items()
        for entry in entered
    ]
    return StageTimeline(
        lanes=tuple((stage, LANE * row) for row, stage in enumerate(lanes)),
        bars=tuple(
            _bar(stage, entry, LANE * row, start, end)
            for row, (stage, entered) in enumerate(lanes.items())
            for entry in entered[-_MAX_BARS:]
        ),
        height=LANE * len(lanes),
        start=start,
        end=events[-1].timestamp,
        spells=tuple(sorted(spells, key=lambda spell: -spell.since)),
    )


def _bar(stage: str, entry: StageEntry, y: int, start: int, end: int) -> Bar:
    span = max(end - start, 1)
    x = (entry.timestamp - start) / span * 100
    width = max(((entry.until or end) - entry.timestamp) / span * 100, _THIN)
    until = formats.moment(entry.until) or "now"
    return Bar(
        version=entry.version,
        x=f"{x:.2f}%",
        width=f"{width:.2f}%",
        y=y,
        label=f"v{entry.version}" if width >= _NARROW else "",
        stage=stage,
        forced=entry.forced,
        title=f"v{entry.version} in {stage}, {formats.moment(entry.timestamp)} to {until}",
    )


def _spell(name: str, stage: str, entry: StageEntry, version: bool, promotion: bool) -> Spell:
    passed = sum(gate.holds for gate in entry.gates)
    address = urls.version_page(name, entry.version) if version else ""
    return Spell(
        version=PageLink(text=f"v{entry.version}", address=address),
        stage=stage,
        since=entry.timestamp,
        until=entry.until,
        user=formats.name(people(entry.user, entry.merged_by)),
        reason=entry.reason,
        gates=f"{passed} of {len(entry.gates)} hold" if entry.gates else "",
        forced=entry.forced,
        approved_by=tuple(map(formats.name, entry.approved_by)),
        promotion=urls.promotion_page(name, entry.tag) if promotion else "",
    )
