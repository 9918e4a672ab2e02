"""Draw a comparison as Vega-Lite charts, rendered to PNG and SVG without a browser.

Names that people gave are data and titles only, never a field, an expression or a file name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gitml.entities import Metric
from gitml.registry.promotion.comparison import MetricComparison, VersionComparison
from gitml.registry.tags.grammar import slug
from gitml.text import single_line

_MAX_BARS = 20
_MAX_CURVES = 6
_MAX_POINTS = 1_000  # of a curve
_MAX_NAME = 60  # characters of a name
_COLOURS = {"better": "#009e73", "worse": "#d55e00", "same": "#999999", "difference": "#0072b2"}
_SIDES = {"candidate": "#0072b2", "incumbent": "#e69f00"}
_CONFIG = {"font": "sans-serif", "view": {"stroke": None}, "axis": {"domain": False}}

Spec = dict[str, Any]
Curves = Mapping[int, Sequence[Metric]]
"""Version to every point of its run's metrics."""


def pictures(change: VersionComparison, curves: Curves) -> Iterator[tuple[str, bytes]]:
    """Draw a comparison: its differences, then the curves of metrics that have one.

    Args:
        change: The comparison.
        curves: Of the candidate and of the incumbent.

    Yields:
        File names and their content; each picture as SVG and as PNG.
    """
    import vl_convert

    for name, spec in charts(change, curves):
        yield f"{name}.svg", vl_convert.vegalite_to_svg(spec).encode()
        yield f"{name}.png", vl_convert.vegalite_to_png(spec, scale=2)


def charts(change: VersionComparison, curves: Curves) -> Iterator[tuple[str, Spec]]:
    """Yield the name and the specification of each chart that ``pictures`` draws."""
    stem = f"{slug(change.model)}-v{change.version}-{change.stage.lower()}"
    bars = [bar for row in change.metrics if (bar := _bar(row))][:_MAX_BARS]
    if bars:
        yield f"{stem}-differences", _differences(change, bars)
    for number, metric in enumerate(_curved(change, curves), 1):
        yield f"{stem}-curve-{number}", _curve(change, curves, metric)


def _bar(row: MetricComparison) -> Mapping[str, object] | None:
    share = row.relative
    if share is None or not math.isfinite(share):
        return None
    return {"metric": _short(row.metric), "share": share, "outcome": row.outcome or "difference"}


def _differences(change: VersionComparison, bars: Sequence[Mapping[str, object]]) -> Spec:
    title = f"Version {change.version} compared with version {change.incumbent}"
    axis = {"format": "+.1%", "title": None}
    used = {bar["outcome"] for bar in bars}
    colours = {outcome: colour for outcome, colour in _COLOURS.items() if outcome in used}
    colour = {"domain": list(colours), "range": list(colours.values())}
    return {
        **_head(title, bars),
        "width": 420,
        "height": {"step": 24},
        "mark": {"type": "bar", "cornerRadius": 2},
        "encoding": {
            "y": {"field": "metric", "type": "nominal", "title": None, "sort": None},
            "x": {"field": "share", "type": "quantitative", "axis": axis},
            "color": {
                "field": "outcome", "type": "nominal", "scale": colour, "legend": {"title": None},
            },
        },
    }  # fmt: skip


def _curved(change: VersionComparison, curves: Curves) -> Iterable[str]:
    """Return metrics with a curve in either version, those with a better direction first."""
    both = (curves.get(change.version, ()), curves.get(change.incumbent or 0, ()))
    steps: dict[str, set[int]] = {}
    for point in (point for points in both for point in points):
        if not point.key.startswith("system/"):
            steps.setdefault(point.key, set()).add(point.step)
    curved = [key for key in sorted(steps) if len(steps[key]) > 1]
    directed = {row.metric for row in change.metrics if row.better}
    return sorted(curved, key=lambda key: key not in directed)[:_MAX_CURVES]


def _curve(change: VersionComparison, curves: Curves, metric: str) -> Spec:
    rows = []
    for side, version in (("candidate", change.version), ("incumbent", change.incumbent)):
        points = [p for p in curves.get(version or 0, ()) if p.key == metric]
        points = [p for p in points if math.isfinite(p.value)]
        stride = max(1, math.ceil(len(points) / _MAX_POINTS))
        rows += [{"step": p.step, "value": p.value, "side": side} for p in points[::-stride][::-1]]
    colour = {"domain": list(_SIDES), "range": list(_SIDES.values())}
    value = {"field": "value", "type": "quantitative", "title": None, "scale": {"zero": False}}
    return {
        **_head(_short(metric), rows),
        "width": 420,
        "height": 200,
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step"},
            "y": value,
            "color": {
                "field": "side", "type": "nominal", "scale": colour, "legend": {"title": None},
            },
        },
    }  # fmt: skip


def _head(title: str, rows: Sequence[Mapping[str, object]]) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": title, "anchor": "start"},
        "config": _CONFIG,
        "background": "white",
        "padding": 12,
        "data": {"values": list(rows)},
    }


def _short(name: str) -> str:
    return single_line(name, _MAX_NAME)
