"""Which version was in which stage when: bars on a line of time, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import ModelEvent
from gitml.registry.promotion.decisions import STAGES
from gitml.registry.tags.stage_history import StageEntry, entries
from gitml.site.catalogue import PageLink
from gitml.site.text import formats, urls

LANE = 30  # pixels
_NARROW = 4.0  # percent; a bar below that has no room for its label
_THIN = 0.4  # percent
_MOST = 200  # bars of a lane; the newest


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
    """The same as a row. Times are ms since the Unix epoch; ``until`` is None while it lasts."""

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
class Timeline:
    """A model's stages over time."""

    lanes: tuple[tuple[str, int], ...]
    bars: tuple[Bar, ...]
    height: int
    start: int
    end: int
    spells: tuple[Spell, ...]


def timeline(
    name: str, events: Sequence[ModelEvent], versions: frozenset[int], tags: frozenset[str]
) -> Timeline | None:
    """Draw a model's stages over time; None where nothing was ever in one.

    Args:
        name: The model.
        events: Its history, oldest first.
        versions: Versions that have a page.
        tags: Tags of promotions that have a page.
    """
    found = {stage.value: entries(events, stage) for stage in STAGES}
    found = {stage: entered for stage, entered in found.items() if entered}
    if not found:
        return None
    start, end = events[0].timestamp, events[-1].timestamp
    end += max((end - start) // 12, 60_000)  # what lasts goes on a little behind the last event
    spells = [
        _spell(name, stage, one, one.version in versions, one.tag in tags)
        for stage, entered in found.items()
        for one in entered
    ]
    return Timeline(
        lanes=tuple((stage, LANE * at) for at, stage in enumerate(found)),
        bars=tuple(
            _bar(stage, one, LANE * at, start, end)
            for at, (stage, entered) in enumerate(found.items())
            for one in entered[-_MOST:]
        ),
        height=LANE * len(found),
        start=start,
        end=events[-1].timestamp,
        spells=tuple(sorted(spells, key=lambda spell: -spell.since)),
    )


def _bar(stage: str, one: StageEntry, y: int, start: int, end: int) -> Bar:
    span = max(end - start, 1)
    x = (one.timestamp - start) / span * 100
    width = max(((one.until or end) - one.timestamp) / span * 100, _THIN)
    until = formats.moment(one.until) or "now"
    return Bar(
        version=one.version,
        x=f"{x:.2f}%",
        width=f"{width:.2f}%",
        y=y,
        label=f"v{one.version}" if width >= _NARROW else "",
        stage=stage,
        forced=one.forced,
        title=f"v{one.version} in {stage}, {formats.moment(one.timestamp)} to {until}",
    )


def _spell(name: str, stage: str, one: StageEntry, version: bool, promotion: bool) -> Spell:
    held = sum(gate.holds for gate in one.gates)
    address = urls.version_page(name, one.version) if version else ""
    return Spell(
        version=PageLink(text=f"v{one.version}", address=address),
        stage=stage,
        since=one.timestamp,
        until=one.until,
        user=formats.name(one.user),
        reason=one.reason,
        gates=f"{held} of {len(one.gates)} hold" if one.gates else "",
        forced=one.forced,
        approved_by=tuple(map(formats.name, one.approved_by)),
        promotion=urls.promotion_page(name, one.tag) if promotion else "",
    )
