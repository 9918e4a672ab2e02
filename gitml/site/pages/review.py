"""A candidate beside its incumbent, as the pages of versions and promotions show it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Metric
from gitml.query.gates import Verdict
from gitml.registry.promotion.comparison import About, Comparison, DatasetRow, MetricRow, ParamRow
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.data import columns
from gitml.site.text import formats
from gitml.text import format_difference

_MOST = 200  # rows of one table
_MOST_CURVES = 6
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
class MetricLine:
    """A metric of both versions; the bar is in units of the picture's 100."""

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
    metrics: tuple[MetricLine, ...]
    legend: tuple[str, ...]
    curves: tuple[Curve, ...]
    params: tuple[ParamRow, ...]
    datasets: tuple[DatasetRow, ...]
    origin: tuple[OriginRow, ...]
    commits: int | None
    subjects: tuple[str, ...]
    code_link: str
    runs_link: str


def review(catalogue: Catalogue, found: Comparison) -> ReviewView:
    """Fill the part of a page that shows a comparison."""
    verdict, mark = verdict_of(found)
    return ReviewView(
        version=found.version,
        incumbent=found.incumbent,
        stage=found.stage,
        verdict=verdict,
        mark=mark,
        gates=tuple(map(_gate, found.gates[:_MOST])),
        approved_by=tuple(map(formats.name, found.approved_by)),
        approvals_from=found.approvals_from,
        forced=found.incumbent_forced,
        gates_added=found.gates_added,
        gates_removed=found.gates_removed,
        metrics=tuple(_metrics(found.metrics[:_MOST])),
        legend=tuple(_legend(found)),
        curves=tuple(_curves(catalogue, found)),
        params=found.params_changed[:_MOST],
        datasets=found.datasets[:_MOST],
        origin=tuple(_origin(catalogue, found)),
        commits=found.code.commits,
        subjects=found.code.subjects,
        code_link=found.code.link if found.code.link.startswith("https://") else "",
        runs_link=_runs_link(catalogue, found),
    )


def verdict_of(found: Comparison) -> tuple[str, str]:
    """Tell a verdict in a few words, and whether that is good, bad or busy."""
    failed = sum(not gate.holds and not gate.pending for gate in found.gates)
    waiting = sum(gate.pending for gate in found.gates)
    if failed:
        return f"{failed} of {len(found.gates)} gates fail{'s' if failed == 1 else ''}", "bad"
    if waiting:
        return "Waits for approval", "busy"
    if found.gates:
        return ("The gate holds" if len(found.gates) == 1 else "All gates hold"), "good"
    return "No gates", "quiet"


def _gate(one: Verdict) -> GateRow:
    mark = "good" if one.holds else "busy" if one.pending else "bad"
    word = {"good": "holds", "busy": "waits", "bad": "fails"}[mark]
    return GateRow(gate=one.gate, measured=one.measured, mark=mark, word=word, note=one.note)


# Metrics ----------------------------------------------------------------------------------------


def _metrics(rows: Sequence[MetricRow]) -> Iterator[MetricLine]:
    shares = {one.metric: _share(one) for one in rows}
    longest = max((abs(share) for share in shares.values()), default=0) or 1
    for one in rows:
        width = abs(shares[one.metric]) / longest * (_HALF - 1)
        yield MetricLine(
            name=formats.name(one.metric),
            arrow={"lower": "↓", "higher": "↑"}.get(one.better or "", ""),
            candidate=_number(one.candidate),
            incumbent=_number(one.incumbent),
            difference="" if one.difference is None else format_difference(one.difference),
            percent=f"{shares[one.metric]:+.1%}" if shares[one.metric] else "",
            outcome=one.outcome or "",
            left=f"{_HALF - width if shares[one.metric] < 0 else _HALF:.1f}",
            width=f"{width:.1f}",
        )


def _share(one: MetricRow) -> float:
    if one.difference is None or not one.incumbent:
        return 0
    share = one.difference / abs(one.incumbent)
    return share if math.isfinite(share) else 0


def _legend(found: Comparison) -> Iterator[str]:
    """Say how it is known which direction is better."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in found.metrics[:_MOST]:
        if one.better and one.candidate is not None and one.incumbent is not None:
            groups.setdefault((one.better, one.better_from), []).append(formats.name(one.metric))
    for (better, source), names in sorted(groups.items()):
        arrow = "↓" if better == "lower" else "↑"
        yield f"{arrow} {better} is better for {', '.join(names)} ({_SOURCES[source]})"


def _curves(catalogue: Catalogue, found: Comparison) -> Iterator[Curve]:
    old = found.incumbent_version
    ours, theirs = _points(catalogue, found.candidate), _points(catalogue, old) if old else {}
    known = {one.metric for one in found.metrics if one.better}
    both = sorted(
        ours.keys() | theirs.keys(), key=lambda key: (key not in known, columns.rank(key))
    )
    for key in both[:_MOST_CURVES]:
        lines = (ours.get(key, ()), theirs.get(key, ()))
        values = [point.value for line in lines for point in line]
        steps = [point.step for line in lines for point in line]
        frame = (min(steps), max(steps), min(values), max(values))
        yield Curve(
            name=formats.name(key),
            candidate=_path(lines[0], frame),
            incumbent=_path(lines[1], frame),
            low=formats.number(frame[2]),
            high=formats.number(frame[3]),
            steps=f"steps {frame[0]} to {frame[1]}",
        )


def _points(catalogue: Catalogue, one: About) -> Mapping[str, Sequence[Metric]]:
    """Return the finite points of each metric that has several; none if the run is left out."""
    if one.run_id not in catalogue.links:
        return {}
    found: dict[str, list[Metric]] = {}
    for point in catalogue.source.history(one.run_id):
        if math.isfinite(point.value) and not point.key.startswith("system/"):
            found.setdefault(point.key, []).append(point)
    return {
        key: columns.thin(sorted(points, key=lambda p: (p.step, p.timestamp)), _POINTS)
        for key, points in found.items()
        if len({point.step for point in points}) > 1
    }


def _path(points: Sequence[Metric], frame: tuple[int, int, float, float]) -> str:
    first, last, low, high = frame
    places = [
        f"{(p.step - first) / (last - first) * _WIDE:.1f} {_down(p.value, low, high):.1f}"
        for p in points
    ]
    return f"M{'L'.join(places)}" if places else ""


def _down(value: float, low: float, high: float) -> float:
    """Distance from the top; dividing first keeps the span of huge numbers finite."""
    span = high / 2 - low / 2
    return _HIGH - 4 - ((value / 2 - low / 2) / span if span else 0.5) * (_HIGH - 8)


# Origin -----------------------------------------------------------------------------------------


def _origin(catalogue: Catalogue, found: Comparison) -> Iterator[OriginRow]:
    new, old = found.candidate, found.incumbent_version

    def row(label: str, ours: PageLink, theirs: PageLink | None) -> Iterator[OriginRow]:
        other = theirs if theirs and old else PageLink(text="")
        if ours.text or other.text:
            yield OriginRow(label=label, candidate=ours, incumbent=other)

    def told(one: About) -> tuple[tuple[str, PageLink], ...]:
        run = catalogue.links.get(one.run_id, PageLink(text=one.run_name or one.run_id[:8]))
        dirty = {None: "", True: "yes", False: "no"}[one.dirty]
        files = f" in {one.files} file{'s' if one.files != 1 else ''}" if one.files else ""
        return (
            ("run", run),
            ("trained by", PageLink(text=formats.name(one.trained_by))),
            ("trained at", PageLink(text=formats.moment(one.trained_at))),
            ("registered by", PageLink(text=formats.name(one.registered_by))),
            ("uncommitted changes", PageLink(text=dirty)),
            ("size", PageLink(text=f"{formats.size(one.size)}{files}" if one.size else "")),
            ("digest", PageLink(text=one.digest[:12])),
        )

    others = dict(told(old)) if old else {}
    for label, ours in told(new):
        yield from row(label, ours, others.get(label))
    code = found.code
    yield from row("code", _commit(catalogue, code.candidate), _commit(catalogue, code.incumbent))


def _commit(catalogue: Catalogue, commit: str) -> PageLink:
    return PageLink(text=commit[:8], address=catalogue.source.forge.commit(commit))


def _runs_link(catalogue: Catalogue, found: Comparison) -> str:
    """Address of the page that compares the two runs."""
    new, old = found.candidate.run_id, found.incumbent_version
    if old is None or new == old.run_id or not {new, old.run_id} <= catalogue.links.keys():
        return ""
    return f"compare.html#{new},{old.run_id}"


def _number(value: float | None) -> str:
    return "" if value is None else formats.number(value)
