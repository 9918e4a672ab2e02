"""Metrics over commits: what each commit of the default branch's first-parent line measured.

A run counts for the commit it was started from, unless the work tree had changes or the run did not
finish; a commit's value is the median of its runs. :mod:`gitml.site.charts.change_points` finds
where a metric moved to another level.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from gitml.entities import Experiment, Run, RunStatus
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.charts import change_points
from gitml.site.pages.experiment import main_metrics
from gitml.site.source import CodeCommit
from gitml.site.text import formats

COMMITS = 300  # measured ones
METRICS = 8
FEWEST = 2  # commits that make a line
_SMALLEST, _LARGEST = 1e-200, 1e200  # what can be drawn without underflow and overflow
_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What the runs of one commit measured; x and y are pixels in the drawing."""

    commit: CodeCommit
    runs: int
    value: float
    low: float
    high: float
    x: float
    y: float
    y_low: float
    y_high: float
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A move of a metric to another level.

    Attributes:
        verdict: ``regression``, ``improvement``, or ``change`` where better is not known.
        commit: The first commit that was measured at the new level.
        link: Its page on the forge, or plain text.
        between: How many commits lie between it and the last one measured before.
        before: The level it left.
        after: The level it reached.
        relative: The change in percent of the level before; empty where that is zero.
        x: Where in the drawing.
    """

    verdict: str
    commit: CodeCommit
    link: PageLink
    between: int
    before: str
    after: str
    relative: str
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLine:
    """A metric over commits, as a drawing of 960 by 240 pixels."""

    name: str
    better: str
    points: tuple[Point, ...]
    levels: tuple[tuple[float, float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    steps: tuple[Step, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """An experiment over commits.

    Attributes:
        metrics: Its metrics that at least two commits have.
        commits: How many commits were measured.
        runs: How many runs count.
        dirty: Runs left out because the work tree had changes.
        elsewhere: Runs left out because their commit is not on the line.
        unfinished: Runs left out because they did not finish.
    """

    metrics: tuple[MetricLine, ...]
    commits: int
    runs: int
    dirty: int
    elsewhere: int
    unfinished: int


def timeline(catalogue: Catalogue, item: Experiment, line: Sequence[CodeCommit]) -> Timeline:
    """Measure an experiment along a line of commits.

    Args:
        catalogue: What the site shows.
        item: The experiment.
        line: The commits, newest first.
    """
    place = {one.commit: number for number, one in enumerate(line)}
    by_commit: dict[int, list[Run]] = {}
    dirty = elsewhere = unfinished = 0
    for run in catalogue.by_experiment.get(item.experiment_id, ()):
        at = place.get(run.source.commit or "")
        if at is None:
            elsewhere += 1
        elif run.source.dirty:
            dirty += 1
        elif run.info.status != RunStatus.FINISHED:
            unfinished += 1
        else:
            by_commit.setdefault(at, []).append(run)
    chosen = sorted(by_commit)[:COMMITS][::-1]  # oldest first
    runs = [run for at in chosen for run in by_commit[at]]
    metrics = (
        _line(catalogue, key, {at: by_commit[at] for at in chosen}, line)
        for key in main_metrics(runs, METRICS)
    )
    return Timeline(
        metrics=tuple(metric for metric in metrics if metric),
        commits=len(chosen),
        runs=len(runs),
        dirty=dirty,
        elsewhere=elsewhere,
        unfinished=unfinished,
    )


def _line(
    catalogue: Catalogue,
    key: str,
    by_commit: Mapping[int, Sequence[Run]],
    line: Sequence[CodeCommit],
) -> MetricLine | None:
    measured = {
        at: found
        for at, runs in by_commit.items()
        if (found := [v for r in runs if math.isfinite(v := r.data.metrics.get(key, math.nan))])
    }
    values = [value for found in measured.values() for value in found]
    if len(measured) < FEWEST or max(map(abs, values)) > _LARGEST:
        return None
    scale = _Scale.over(values)
    points = tuple(
        _point(line[at], measured[at], scale, scale.x(number, len(measured)))
        for number, at in enumerate(measured)
    )
    cuts = change_points.pieces([point.value for point in points])
    return MetricLine(
        name=formats.name(key),
        better=catalogue.source.better(key),
        points=points,
        levels=tuple(
            (points[one.start].x, points[one.stop - 1].x, scale.y(one.level)) for one in cuts
        ),
        ticks=tuple((scale.y(tick), formats.number(tick)) for tick in scale.ticks()),
        steps=tuple(_steps(catalogue, key, cuts, points, list(measured)))[::-1],
    )


def _point(commit: CodeCommit, found: Sequence[float], scale: _Scale, x: float) -> Point:
    value, low, high = median(found), min(found), max(found)
    many = f", median of {len(found)} runs" if found[1:] else ""
    said = f"{commit.commit[:8]} {formats.name(commit.subject)}: {formats.number(value)}{many}"
    return Point(
        commit=commit,
        runs=len(found),
        value=value,
        low=low,
        high=high,
        x=x,
        y=scale.y(value),
        y_low=scale.y(low),
        y_high=scale.y(high),
        said=said,
    )


def _steps(
    catalogue: Catalogue,
    key: str,
    cuts: Sequence[change_points.Piece],
    points: Sequence[Point],
    places: Sequence[int],
) -> Iterator[Step]:
    way = catalogue.source.better(key)
    for before, after in itertools.pairwise(cuts):
        first, change = points[after.start], after.level - before.level
        worse = {"lower": change > 0, "higher": change < 0}.get(way)
        verdict = {True: "regression", False: "improvement", None: "change"}[worse]
        percent = 100 * change / abs(before.level) if before.level else None
        yield Step(
            verdict=verdict,
            commit=first.commit,
            link=PageLink(
                text=first.commit.commit[:8],
                address=catalogue.source.forge.commit(first.commit.commit),
            ),
            between=places[after.start - 1] - places[after.start] - 1,
            before=formats.number(before.level),
            after=formats.number(after.level),
            relative="" if percent is None else f"{percent:+.2g} %",
            x=first.x,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Values to pixels."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> _Scale:
        low, high = min(values), max(values)
        around = (high - low) * 0.06 or abs(high) * 0.1
        around = 1.0 if around < _SMALLEST else around
        return cls(low=low - around, high=high + around)

    def x(self, number: int, count: int) -> float:
        return round(_LEFT + 8 + (_WIDTH - _LEFT - _RIGHT - 16) * number / max(1, count - 1), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share, 1)

    def ticks(self) -> list[float]:
        """Choose three to six round values."""
        rough = (self.high - self.low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        size = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
        first = math.ceil(self.low / size)
        return [n * size for n in range(first, math.floor(self.high / size) + 1)]
