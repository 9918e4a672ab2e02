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
from functools import cached_property
from statistics import median

from gitml.entities import Experiment, Run, RunStatus
from gitml.site.catalogue import Catalogue, PageLink, experiment_link
from gitml.site.charts import change_points
from gitml.site.page import HtmlFile, Outputs, Page, Result
from gitml.site.pages.experiment_view import main_metrics
from gitml.site.source import CodeCommit
from gitml.site.text import formats, urls

COMMITS = 300  # measured ones
METRICS = 8
MIN_COMMITS = 2  # that make a line
_SMALLEST, _LARGEST = 1e-200, 1e200  # what can be drawn without underflow and overflow
_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPoint:
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
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShift:
    """A move of a metric to another level.

    Attributes:
        verdict: ``regression``, ``improvement``, or ``change`` if the direction is unknown.
        commit: The first commit that was measured at the new level.
        link: Its page on the forge, or plain text.
        between: How many commits lie between it and the last one measured before.
        before: The level it left.
        after: The level it reached.
        relative: The change in percent of the level before; empty if that is zero.
        x: Position in the drawing.
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
class CommitLine:
    """A metric over commits, as a drawing of 960 by 240 pixels."""

    name: str
    better: str
    points: tuple[CommitPoint, ...]
    levels: tuple[tuple[float, float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    steps: tuple[LevelShift, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineView:
    """An experiment over commits.

    Attributes:
        metrics: Its metrics that at least two commits have.
        commits: How many commits were measured.
        runs: How many runs count.
        dirty: Runs left out because the work tree had changes.
        elsewhere: Runs left out because their commit is not on the line.
        unfinished: Runs left out because they did not finish.
    """

    metrics: tuple[CommitLine, ...]
    commits: int
    runs: int
    dirty: int
    elsewhere: int
    unfinished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A shift for the worse.

    Attributes:
        experiment: Name of the experiment.
        experiment_id: Its id.
        metric: The metric.
        address: The page that shows it, from the site's root.
        shift: The shift.
    """

    experiment: str
    experiment_id: str
    metric: str
    address: str
    shift: LevelShift

    @property
    def sentence(self) -> str:
        """The regression in one line."""
        shift, commit = self.shift, self.shift.commit
        relative = f" ({shift.relative})" if shift.relative else ""
        return (
            f"{self.metric} of {self.experiment} went from {shift.before} to "
            f"{shift.after}{relative} with {commit.commit[:8]}, "
            f"“{formats.clip(commit.subject, 100)}” by {commit.author}"
        )


class Timelines:
    """The timelines of all experiments, computed at the first use."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @cached_property
    def views(self) -> Mapping[str, TimelineView]:
        """The timelines that have a metric, by experiment id."""
        commits = self._catalogue.source.commits()
        views = {
            experiment_id: timeline_view(self._catalogue, experiment, commits)
            for experiment_id, experiment in self._catalogue.experiments.items()
        }
        return {experiment_id: view for experiment_id, view in views.items() if view.metrics}

    @cached_property
    def regressions(self) -> Sequence[Regression]:
        """Shifts for the worse, newest first."""
        regressions = list(self._regressions())
        regressions.sort(key=lambda r: (-r.shift.commit.timestamp, r.experiment, r.metric))
        return regressions

    def files(self) -> Iterator[HtmlFile]:
        """Iterate over the pages of the timelines."""
        for experiment_id, view in self.views.items():
            experiment = self._catalogue.experiments[experiment_id]
            values = {"page": view, "experiment": experiment_link(experiment)}
            address = self.address(experiment)
            yield HtmlFile(address=address, template="timeline.html", values=values)

    def address(self, experiment: Experiment) -> str:
        """Return the address of an experiment's timeline; an empty text if it has none."""
        if experiment.experiment_id not in self.views:
            return ""
        return urls.timeline_page(experiment.name, experiment.experiment_id)

    def _regressions(self) -> Iterator[Regression]:
        for experiment_id, view in self.views.items():
            experiment = self._catalogue.experiments[experiment_id]
            for metric in view.metrics:
                for shift in metric.steps:
                    if shift.verdict == "regression":
                        yield Regression(
                            experiment=formats.name(experiment.name),
                            experiment_id=experiment_id,
                            metric=metric.name,
                            address=self.address(experiment),
                            shift=shift,
                        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePages(Page):
    """A page for each experiment with a metric that several commits measured."""

    timelines: Timelines

    name = "history"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the pages."""
        return Outputs(files=list(self.timelines.files()))


def timeline_view(
    catalogue: Catalogue, experiment: Experiment, commits: Sequence[CodeCommit]
) -> TimelineView:
    """Measure an experiment along a line of commits.

    Args:
        catalogue: What the site shows.
        experiment: The experiment.
        commits: The commits, newest first.
    """
    positions = {commit.commit: position for position, commit in enumerate(commits)}
    by_commit: dict[int, list[Run]] = {}
    dirty = elsewhere = unfinished = 0
    for run in catalogue.by_experiment.get(experiment.experiment_id, ()):
        position = positions.get(run.source.commit or "")
        if position is None:
            elsewhere += 1
        elif run.source.dirty:
            dirty += 1
        elif run.info.status != RunStatus.FINISHED:
            unfinished += 1
        else:
            by_commit.setdefault(position, []).append(run)
    measured = {position: by_commit[position] for position in sorted(by_commit)[:COMMITS][::-1]}
    runs = [run for group in measured.values() for run in group]  # of the oldest commit first
    lines = (_line(catalogue, key, measured, commits) for key in main_metrics(runs, METRICS))
    return TimelineView(
        metrics=tuple(line for line in lines if line),
        commits=len(measured),
        runs=len(runs),
        dirty=dirty,
        elsewhere=elsewhere,
        unfinished=unfinished,
    )


def _line(
    catalogue: Catalogue,
    key: str,
    by_commit: Mapping[int, Sequence[Run]],
    commits: Sequence[CodeCommit],
) -> CommitLine | None:
    measured = {position: _finite(runs, key) for position, runs in by_commit.items()}
    measured = {position: values for position, values in measured.items() if values}
    values = [value for group in measured.values() for value in group]
    if len(measured) < MIN_COMMITS or max(map(abs, values)) > _LARGEST:
        return None
    scale = _Scale.over(values)
    points = tuple(
        _point(commits[position], measured[position], scale, scale.x(number, len(measured)))
        for number, position in enumerate(measured)
    )
    pieces = change_points.pieces([point.value for point in points])
    return CommitLine(
        name=formats.name(key),
        better=catalogue.source.better(key),
        points=points,
        levels=tuple(
            (points[piece.start].x, points[piece.stop - 1].x, scale.y(piece.level))
            for piece in pieces
        ),
        ticks=tuple((scale.y(tick), formats.number(tick)) for tick in scale.ticks()),
        steps=tuple(_shifts(catalogue, key, pieces, points, list(measured)))[::-1],
    )


def _finite(runs: Sequence[Run], key: str) -> list[float]:
    values = (run.data.metrics.get(key, math.nan) for run in runs)
    return [value for value in values if math.isfinite(value)]


def _point(commit: CodeCommit, values: Sequence[float], scale: _Scale, x: float) -> CommitPoint:
    value, low, high = median(values), min(values), max(values)
    several = f", median of {len(values)} runs" if values[1:] else ""
    subject = formats.name(commit.subject)
    return CommitPoint(
        commit=commit,
        runs=len(values),
        value=value,
        low=low,
        high=high,
        x=x,
        y=scale.y(value),
        y_low=scale.y(low),
        y_high=scale.y(high),
        label=f"{commit.commit[:8]} {subject}: {formats.number(value)}{several}",
    )


def _shifts(
    catalogue: Catalogue,
    key: str,
    pieces: Sequence[change_points.Piece],
    points: Sequence[CommitPoint],
    positions: Sequence[int],
) -> Iterator[LevelShift]:
    direction = catalogue.source.better(key)
    for before, after in itertools.pairwise(pieces):
        first, change = points[after.start], after.level - before.level
        worse = {"lower": change > 0, "higher": change < 0}.get(direction)
        verdict = {True: "regression", False: "improvement", None: "change"}[worse]
        percent = 100 * change / abs(before.level) if before.level else None
        commit = first.commit.commit
        old, new = formats.apart([before.level, after.level])
        yield LevelShift(
            verdict=verdict,
            commit=first.commit,
            link=PageLink(text=commit[:8], address=catalogue.source.forge.commit(commit)),
            between=positions[after.start - 1] - positions[after.start] - 1,
            before=old,
            after=new,
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
        margin = (high - low) * 0.06 or abs(high) * 0.1
        margin = 1.0 if margin < _SMALLEST else margin
        return cls(low=low - margin, high=high + margin)

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
