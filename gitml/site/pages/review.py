"""The comparison of a candidate with its incumbent on the pages of versions and promotions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Metric
from gitml.query.gates import Verdict
from gitml.registry.promotion.comparison import (
    DatasetComparison,
    MetricComparison,
    ParamComparison,
    VersionComparison,
    VersionOrigin,
    gate_word,
)
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.data import columns
from gitml.site.text import formats
from gitml.text import format_difference

_MAX_ROWS = 200  # of one table
_MAX_CURVES = 6
_POINTS = 200  # of a curve
_HALF = 50.0  # width of a bar to either side
_WIDE, _HIGH = 300, 90  # of a curve
_SOURCES = {
    "declared": "declared in registry/*.yaml", "gate": "as a gate says", "name": "by the name",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """A gate; ``mark`` is ``good``, ``bad`` or ``busy``."""

    gate: str
    measured: str
    mark: str
    word: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMetric:
    """A metric of both versions; ``left`` and ``width`` of the bar are percent."""

    name: str
    arrow: str
    candidate: str
    incumbent: str
    difference: str
    percent: str
    outcome: str
    left: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A metric's curve in both versions, as paths of a 300 × 90 picture."""

    name: str
    candidate: str
    incumbent: str
    low: str
    high: str
    steps: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginRow:
    """Where both versions come from; a side is a link or plain text."""

    label: str
    candidate: PageLink
    incumbent: PageLink


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """A comparison as a page shows it."""

    version: int
    incumbent: int | None
    stage: str
    verdict: str
    mark: str
    gates: tuple[GateRow, ...]
    approved_by: tuple[str, ...]
    approvals_from: str
    forced: str
    gates_added: tuple[str, ...]
    gates_removed: tuple[str, ...]
    metrics: tuple[ComparedMetric, ...]
    legend: tuple[str, ...]
    curves: tuple[Curve, ...]
    params: tuple[ParamComparison, ...]
    datasets: tuple[DatasetComparison, ...]
    origin: tuple[OriginRow, ...]
    commits: int | None
    subjects: tuple[str, ...]
    code_link: str
    runs_link: str


def review_view(catalogue: Catalogue, comparison: VersionComparison) -> ReviewView:
    """Fill the part of a page that shows a comparison."""
    verdict, mark = verdict_of(comparison)
    return ReviewView(
        version=comparison.version,
        incumbent=comparison.incumbent,
        stage=comparison.stage,
        verdict=verdict,
        mark=mark,
        gates=tuple(map(_gate, comparison.gates[:_MAX_ROWS])),
        approved_by=tuple(map(formats.name, comparison.approved_by)),
        approvals_from=comparison.approvals_from,
        forced=comparison.incumbent_forced,
        gates_added=comparison.gates_added,
        gates_removed=comparison.gates_removed,
        metrics=tuple(_metrics(comparison.metrics[:_MAX_ROWS])),
        legend=tuple(_legend(comparison)),
        curves=tuple(_curves(catalogue, comparison)),
        params=comparison.params_changed[:_MAX_ROWS],
        datasets=comparison.datasets[:_MAX_ROWS],
        origin=tuple(_origin(catalogue, comparison)),
        commits=comparison.code.commits,
        subjects=comparison.code.subjects,
        code_link=comparison.code.link if comparison.code.link.startswith("https://") else "",
        runs_link=_runs_link(catalogue, comparison),
    )


def verdict_of(comparison: VersionComparison) -> tuple[str, str]:
    """Return a verdict in a few words, and its mark: good, bad, busy or quiet."""
    failed = comparison.failed
    if failed:
        return f"{failed} of {len(comparison.gates)} gates fail{'s' if failed == 1 else ''}", "bad"
    if comparison.waiting:
        return "Waits for approval", "busy"
    if comparison.gates:
        return ("The gate holds" if len(comparison.gates) == 1 else "All gates hold"), "good"
    return "No gates", "quiet"


def _gate(verdict: Verdict) -> GateRow:
    word = gate_word(verdict)
    mark = {"holds": "good", "waits": "busy", "fails": "bad"}[word]
    return GateRow(
        gate=verdict.gate, measured=verdict.measured, mark=mark, word=word, note=verdict.note
    )


# Metrics ----------------------------------------------------------------------------------------


def _metrics(rows: Sequence[MetricComparison]) -> Iterator[ComparedMetric]:
    shares = {row.metric: _share(row) for row in rows}
    longest = max((abs(share) for share in shares.values()), default=0) or 1
    for row in rows:
        share = shares[row.metric]
        candidate, incumbent = _numbers(row.candidate, row.incumbent)
        width = abs(share) / longest * (_HALF - 1)
        yield ComparedMetric(
            name=formats.name(row.metric),
            arrow={"lower": "↓", "higher": "↑"}.get(row.better or "", ""),
            candidate=candidate,
            incumbent=incumbent,
            difference="" if row.difference is None else format_difference(row.difference),
            percent=f"{share:+.1%}" if share else "",
            outcome=row.outcome or "",
            left=f"{_HALF - width if share < 0 else _HALF:.1f}",
            width=f"{width:.1f}",
        )


def _share(row: MetricComparison) -> float:
    """Return the difference as a share of the incumbent's value; 0 if there is none."""
    share = row.relative
    return share if share is not None and math.isfinite(share) else 0


def _legend(comparison: VersionComparison) -> Iterator[str]:
    """Return one line for each better direction and its origin."""
    for better, source, metrics in comparison.directions(_MAX_ROWS):
        arrow = "↓" if better == "lower" else "↑"
        names = ", ".join(map(formats.name, metrics))
        yield f"{arrow} {better} is better for {names} ({_SOURCES[source]})"


def _curves(catalogue: Catalogue, comparison: VersionComparison) -> Iterator[Curve]:
    old = comparison.incumbent_version
    new_points = _points(catalogue, comparison.candidate)
    old_points = _points(catalogue, old) if old else {}
    directed = {row.metric for row in comparison.metrics if row.better}
    keys = sorted(
        new_points.keys() | old_points.keys(),
        key=lambda key: (key not in directed, columns.rank(key)),
    )
    for key in keys[:_MAX_CURVES]:
        lines = (new_points.get(key, ()), old_points.get(key, ()))
        values = [point.value for line in lines for point in line]
        steps = [point.step for line in lines for point in line]
        frame = (min(steps), max(steps), min(values), max(values))
        low, high = formats.apart(frame[2:])
        yield Curve(
            name=formats.name(key),
            candidate=_path(lines[0], frame),
            incumbent=_path(lines[1], frame),
            low=low,
            high=high,
            steps=f"steps {frame[0]} to {frame[1]}",
        )


def _points(catalogue: Catalogue, version: VersionOrigin) -> Mapping[str, Sequence[Metric]]:
    """Return the finite points of each metric that has several; none if the run is left out."""
    if version.run_id not in catalogue.links:
        return {}
    series: dict[str, list[Metric]] = {}
    for point in catalogue.source.history(version.run_id):
        if math.isfinite(point.value) and not point.key.startswith("system/"):
            series.setdefault(point.key, []).append(point)
    return {
        key: columns.thin(columns.in_order(points), _POINTS)
        for key, points in series.items()
        if len(points) > 1
    }


def _path(points: Sequence[Metric], frame: tuple[int, int, float, float]) -> str:
    first, last, low, high = frame
    positions = [
        f"{(p.step - first) / (last - first) * _WIDE:.1f} {_down(p.value, low, high):.1f}"
        for p in points
    ]
    return f"M{'L'.join(positions)}" if positions else ""


def _down(value: float, low: float, high: float) -> float:
    """Return the distance from the top; dividing first keeps the span of huge numbers finite."""
    span = high / 2 - low / 2
    return _HIGH - 4 - ((value / 2 - low / 2) / span if span else 0.5) * (_HIGH - 8)


# Origin -----------------------------------------------------------------------------------------


def _origin(catalogue: Catalogue, comparison: VersionComparison) -> Iterator[OriginRow]:
    code, old = comparison.code, comparison.incumbent_version
    candidate = _origin_of(catalogue, comparison.candidate)
    candidate["code"] = _commit(catalogue, code.candidate)
    incumbent = _origin_of(catalogue, old) if old else {}
    if old:
        incumbent["code"] = _commit(catalogue, code.incumbent)
    for label, link in candidate.items():
        other = incumbent.get(label, PageLink(text=""))
        if link.text or other.text:
            yield OriginRow(label=label, candidate=link, incumbent=other)


def _origin_of(catalogue: Catalogue, version: VersionOrigin) -> dict[str, PageLink]:
    name = PageLink(text=version.run_name or version.run_id[:8])
    dirty = {None: "", True: "yes", False: "no"}[version.dirty]
    plural = "s" if version.files != 1 else ""
    files = f" in {version.files} file{plural}" if version.files else ""
    size = f"{formats.size(version.size)}{files}" if version.size else ""
    return {
        "run": catalogue.links.get(version.run_id, name),
        "trained by": PageLink(text=formats.name(version.trained_by)),
        "trained at": PageLink(text=formats.moment(version.trained_at)),
        "registered by": PageLink(text=formats.name(version.registered_by)),
        "uncommitted changes": PageLink(text=dirty),
        "size": PageLink(text=size),
        "digest": PageLink(text=version.digest[:12]),
    }


def _commit(catalogue: Catalogue, commit: str) -> PageLink:
    return PageLink(text=commit[:8], address=catalogue.source.forge.commit(commit))


def _runs_link(catalogue: Catalogue, comparison: VersionComparison) -> str:
    """Return the address of the page that compares the two runs."""
    new, old = comparison.candidate.run_id, comparison.incumbent_version
    if old is None or new == old.run_id or not {new, old.run_id} <= catalogue.links.keys():
        return ""
    return f"compare.html#{new},{old.run_id}"


def _numbers(*values: float | None) -> list[str]:
    """Format what is compared; an empty text for None."""
    texts = iter(formats.apart([value for value in values if value is not None]))
    return ["" if value is None else next(texts) for value in values]
