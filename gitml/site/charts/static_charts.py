"""Draw the charts of saved views as SVG for reports, so that these need no script.

Columns are called ``v0``, ``v1``, … in a specification: what people wrote is only ever a value.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from gitml import files
from gitml.entities import Run
from gitml.site.data import columns as data
from gitml.site.data.views import Chart, Key, numbers, odd, value
from gitml.site.text import formats

RUNS = 2_000
_WIDTH, _HEIGHT = 640, 300
_MARKS: dict[str, dict[str, Any]] = {
    "scatter": {"type": "circle", "size": 60, "opacity": 0.75},
    "line": {"type": "line", "point": True},
    "bar": {"type": "bar"},
    "box": {"type": "boxplot", "extent": "min-max"},
}
_OKABE_ITO = [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8a7a00",
    "#000000",
]
_CONFIG = {
    "font": "sans-serif",
    "background": "#ffffff",
    "view": {"stroke": None},
    "range": {"category": _OKABE_ITO, "ramp": {"scheme": "viridis"}},
    "axis": {"gridColor": "#e3e3df", "domainColor": "#a0a5ae", "labelLimit": 120},
}


def title(chart: Chart) -> str:
    """Describe a chart in words, for those who do not see it."""
    if chart.kind == "parallel":
        return "Parallel coordinates of " + ", ".join(_label(axis) for axis in chart.axes)
    sides = " and ".join(_label(side) for side in (chart.y, chart.x) if side)
    by = f", colour by {_label(chart.colour)}" if chart.colour else ""
    return f"{chart.kind.capitalize()} of {sides}{by}"


def spec(chart: Chart, runs: Sequence[Run]) -> dict[str, Any] | None:
    """Return the Vega-Lite specification of a chart; None if there is nothing to draw.

    Args:
        chart: What to draw.
        runs: The runs of the view; the first 2,000 are drawn.
    """
    drawn = (
        _parallel(chart, runs[:RUNS]) if chart.kind == "parallel" else _plane(chart, runs[:RUNS])
    )
    return drawn and {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": _WIDTH,
        "height": _HEIGHT,
        "config": _CONFIG,
        **drawn,
    }


def left_out(chart: Chart, runs: Sequence[Run]) -> str:
    """Name what a chart cannot draw on an axis of numbers, such as ``max_depth None``."""
    across = chart.x if chart.kind in ("scatter", "line") else None
    axes: tuple[Key | None, ...] = chart.axes or (across, chart.y)
    parts = (
        f"{_label(key)} {', '.join(formats.clip(data.well_formed(text), 60) for text in texts)}"
        for key in filter(None, axes)
        if (texts := odd(key, [value(run, key) for run in runs[:RUNS]])[:5])
    )
    return "; ".join(parts)


def svg(specification: dict[str, Any], folder: Path | None = None) -> bytes:
    """Draw a chart as SVG.

    Args:
        specification: What to draw.
        folder: Where drawings are cached between builds.
    """
    text = json.dumps(specification, sort_keys=True, allow_nan=False)
    key = hashlib.sha256(f"{metadata.version('vl-convert-python')}\n{text}".encode()).hexdigest()
    path = folder / f"{key[:24]}.svg" if folder else None
    if path and path.is_file():
        return path.read_bytes()
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(text, allowed_base_urls=[])).encode()
    if path:
        files.replace(path, drawn, durable=False)
    return drawn


def size(drawn: bytes) -> tuple[int, int]:
    """Return width and height of a chart that ``svg`` drew, in CSS pixels."""
    root = drawn[: drawn.index(b">")]
    matches = (re.search(rb'\b%s="([\d.]+)"' % name, root) for name in (b"width", b"height"))
    width, height = (round(float(match[1])) if match else 0 for match in matches)
    return width, height


def _plane(chart: Chart, runs: Sequence[Run]) -> dict[str, Any] | None:
    channels = {name: getattr(chart, name) for name in ("x", "y", "colour")}
    keys = {name: key for name, key in channels.items() if key}
    if "x" not in keys or "y" not in keys:
        return None
    columns = {name: _column(key, runs) for name, key in keys.items()}
    if columns["y"][0] != "quantitative" or not runs:
        return None
    if chart.kind in ("bar", "box"):
        columns["x"] = ("nominal", [_text(value(run, keys["x"])) for run in runs])
    encoding: dict[str, Any] = {}
    for number, (name, (kind, _)) in enumerate(columns.items()):
        channel: dict[str, Any] = {"field": f"v{number}", "type": kind, "title": _label(keys[name])}
        if kind == "quantitative" and name != "colour":
            channel["scale"] = {"zero": chart.kind == "bar"}
        if kind == "temporal":
            channel["scale"] = {"type": "utc"}
        encoding["color" if name == "colour" else name] = channel
    if chart.kind == "bar":
        encoding["y"] |= {"aggregate": "mean", "title": f"mean of {_label(keys['y'])}"}
    return {"mark": _MARKS[chart.kind], "encoding": encoding, "data": {"values": _rows(columns)}}


def _parallel(chart: Chart, runs: Sequence[Run]) -> dict[str, Any] | None:
    axes = [(_label(key), *_column(key, runs)) for key in chart.axes]
    if len(axes) < 2 or not runs:
        return None
    colour = _column(chart.colour, runs) if chart.colour else ("nominal", [""] * len(runs))
    lines: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    for index, (_, kind, values) in enumerate(axes):
        positions, low, high = _positions(kind, values)
        ends += [{"x": index, "y": 0, "text": low}, {"x": index, "y": 1, "text": high}]
        lines += [
            {"x": index, "y": position, "run": number, "c": colour[1][number]}
            for number, position in enumerate(positions)
            if position is not None
        ]
    titles = [{"x": index, "y": 1.22, "text": name} for index, (name, _, _) in enumerate(axes)]
    domain = {"domain": [-0.3, len(axes) - 0.7], "nice": False}
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": domain}
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [-0.12, 1.26]}}
    title_ = _label(chart.colour) if chart.colour else ""
    hue = {"field": "c", "type": colour[0], "title": title_}
    drawn = {"x": x, "y": y, "detail": {"field": "run"}}
    return {
        "layer": [
            {
                "data": {"values": lines},
                "mark": {"type": "line", "opacity": max(0.15, min(0.8, 12 / len(runs)))},
                "encoding": drawn | ({"color": hue} if chart.colour else {}),
            },
            {
                "data": {"values": [{"x": index, "y": 0, "y2": 1} for index in range(len(axes))]},
                "mark": {"type": "rule", "color": "#a0a5ae"},
                "encoding": {"x": x, "y": y, "y2": {"field": "y2"}},
            },
            _words([end for end in ends if end["y"]], x, y, dy=-9, color="#5f646d"),
            _words([end for end in ends if not end["y"]], x, y, dy=11, color="#5f646d"),
            _words(titles, x, y, fontWeight=600),
        ]
    }


def _words(rows: list[dict[str, Any]], x: Any, y: Any, **look: Any) -> dict[str, Any]:
    return {
        "data": {"values": rows},
        "mark": {"type": "text", "limit": 150, **look},
        "encoding": {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
    }


def _positions(kind: str, values: Sequence[Any]) -> tuple[list[float | None], str, str]:
    """Return where values lie on an axis, from 0 to 1, and the labels of its two ends."""
    if kind == "nominal":
        names = sorted({text for text in values if text is not None})
        span = max(1, len(names) - 1)
        position = {name: rank / span for rank, name in enumerate(names)}
        ends = (names[0], names[-1]) if names else ("", "")
        return [position.get(text) for text in values], *ends
    present = [number for number in values if number is not None]
    low, high = min(present), max(present)
    span = (high - low) or 1
    label = formats.moment if kind == "temporal" else formats.number
    positions = [None if number is None else (number - low) / span for number in values]
    return positions, label(low), label(high)


def _column(key: Key, runs: Sequence[Run]) -> tuple[str, list[Any]]:
    values = [value(run, key) for run in runs]
    parsed = numbers(key, values) if key.kind in ("metrics", "params", "attributes") else None
    if parsed is None:
        return "nominal", [_text(item) for item in values]
    return ("temporal" if key.name == "start_time" else "quantitative"), list(parsed)


def _rows(columns: dict[str, tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    rows = [
        {f"v{index}": item for index, item in enumerate(row)}
        for row in zip(*(values for _, values in columns.values()), strict=True)
    ]
    return [row for row in rows if row["v0"] is not None and row["v1"] is not None]


def _text(item: data.Value) -> str | None:
    return None if item is None else formats.clip(data.well_formed(str(item)), 60)


def _label(key: Key) -> str:
    return formats.clip(data.well_formed(key.name), 60)
