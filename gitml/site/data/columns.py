"""Turn runs into columns, and columns into scripts that pages load from disk and over HTTP.

A table is cut into shards: the newest runs first, so that a page is usable at once, then blocks
counted from the oldest run, so that a full block never changes again; ten small blocks become a
large one. Each shard names its own columns; the page gives them the aliases ``v0…vk``, and no text
of a user ever becomes a key, a field name or a file name.

Format of a shard: ``{"n": rows, "columns": [[kind, name], …], "values": [column, …]}``, where a
column is ``{"x": [number, null or "NaN"/"Infinity"/"-Infinity", …]}`` or a text column
``{"t": [text or null, …]}``, or dictionary-coded ``{"d": [text, …], "i": [index or -1, …]}``.

What few views need comes in shards of the same format that a page loads when it shows them:
smallest and largest values of metrics (kinds ``min`` and ``max``, null where it is the last value),
data sets (kind ``datasets``, names ``name``, ``digest`` and ``context``; each cell has a list of
texts) and sparklines of the newest runs (kind ``trend``: a letter per point, 0 lowest to z
highest). The first shard lists them: ``"ends"`` and ``"inputs": [[key, address, first row], …]``,
``"trends": [key, address, [metric, …]]`` or null.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from gitml.entities import Metric, Run
from gitml.query.filter_nodes import DATASET_FIELDS
from gitml.site.options import DEFAULT_SIZES, ShardSizes
from gitml.site.text import formats
from gitml.tracking.failure import TRACEBACK_TAG

CELL_CHARS = 300
CURVE_POINTS = 500
TRENDS = 8
TREND_POINTS = 16
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
NOTE_TAG = "mlflow.note.content"
_TIMINGS = re.compile(r"(^|[/_.-])(seconds|secs?|time|duration|ms|s)$", re.IGNORECASE)

Value = float | str | None
Cell = Value | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table of runs.

    Attributes:
        kind: ``attributes``, ``metrics``, ``params`` or ``tags``.
        name: The key within its kind.
        values: One item per run; None where the run has none, texts where it can have several.
    """

    kind: str
    name: str
    values: Sequence[Cell]


ATTRIBUTES: Mapping[str, Callable[[Run], Value]] = {
    "run_id": lambda run: run.info.run_id,
    "run_name": lambda run: run.info.run_name,
    "status": lambda run: str(run.info.status),
    "start_time": lambda run: run.info.start_time,
    "duration": lambda run: elapsed(run),
    "user_id": lambda run: run.info.user_id,
    "source": lambda run: run.source.name or None,
    "commit": lambda run: run.source.commit,
    "dirty": lambda run: "yes" if run.source.dirty else "no",
}


def elapsed(run: Run) -> int | None:
    """Return the duration of a run in ms; None while it goes on."""
    return None if run.info.end_time is None else run.info.end_time - run.info.start_time


def columns(runs: Sequence[Run]) -> tuple[Column, ...]:
    """Turn runs into columns: attributes, then metrics, params and tags by name."""
    table = [
        Column(kind="attributes", name=name, values=cells([read(run) for run in runs]))
        for name, read in ATTRIBUTES.items()
    ]
    table += _keyed("metrics", [run.data.metrics for run in runs])
    table += _keyed("params", [run.data.params for run in runs])
    table += [
        column for column in _keyed("tags", [run.data.tags for run in runs])
        if column.name not in (NOTE_TAG, TRACEBACK_TAG)
    ]  # fmt: skip
    return tuple(table)


def rank(key: str) -> tuple[bool, str]:
    """Return the sort key of a column: by name, timings last, for results matter more."""
    return _TIMINGS.search(key) is not None, key


def extremes(runs: Sequence[Run]) -> tuple[Column, ...]:
    """Turn runs into columns of each metric's smallest and largest value where it is not the last.

    Kinds are ``min`` and ``max``; a metric whose every history is one point has neither.
    """
    values: dict[tuple[str, str], list[Value]] = {}
    for row, run in enumerate(runs):
        for key, summary in run.data.summaries.items():
            if summary.count == 1:
                continue
            for kind, value in (("min", summary.min), ("max", summary.max)):
                if math.isfinite(value) and value != run.data.metrics.get(key):
                    values.setdefault((kind, key), [None] * len(runs))[row] = value
    return tuple(
        Column(kind=kind, name=key, values=values) for (kind, key), values in sorted(values.items())
    )


def end(better: str) -> list[str]:
    """Return which end of its values is better for a metric; empty where that is unknown."""
    return {"lower": ["min"], "higher": ["max"]}.get(better, [])


def inputs(runs: Sequence[Run]) -> tuple[Column, ...]:
    """Turn runs into columns of their data sets; none where no run has any.

    Filters read them, which know no empty context.
    """
    table = []
    for name in DATASET_FIELDS:
        values = [
            tuple(
                dict.fromkeys(
                    _clipped(text)
                    for dataset in run.inputs.dataset_inputs
                    if (text := getattr(dataset, name)) or name != "context"
                )
            )
            or None
            for run in runs
        ]
        table.append(Column(kind="datasets", name=name, values=values))
    return tuple(table) if any(table[0].values) else ()


def trends(curves: Sequence[list[object]]) -> dict[str, str]:
    """Return sparklines of a run's main metrics by metric, from the result of :func:`curves`."""
    lines = {}
    main = [row for row in curves if not str(row[0]).startswith("system/")]
    for name, _, _, values, *_ in sorted(main, key=lambda row: rank(str(row[0])))[:TRENDS]:
        text = trend(values) if isinstance(values, list) else ""
        if text:
            lines[str(name)] = text
    return lines


def trend(points: Sequence[float | str]) -> str:
    """Draw a curve as at most 16 letters, 0 for its lowest point to z for its highest.

    Args:
        points: Values in the order of their steps; those that are not finite are left out.
    """
    numbers = [point for point in points if isinstance(point, float | int)]
    if len(numbers) < 2:
        return ""
    parts = [
        numbers[len(numbers) * k // TREND_POINTS : len(numbers) * (k + 1) // TREND_POINTS]
        for k in range(TREND_POINTS)
    ]
    means = [sum(part) / len(part) for part in parts if part]
    low, high = min(means), max(means)
    span = high - low
    if not math.isfinite(span) or span == 0:
        return _LETTERS[17] * len(means)
    return "".join(_LETTERS[round((mean - low) / span * 35)] for mean in means)


def shards(runs: Sequence[Run], sizes: ShardSizes) -> Iterator[Sequence[Run]]:
    """Cut runs, newest first, into the parts that become one script each."""
    yield runs[: sizes.newest]
    blocks, stop = [], len(runs)
    for size in (sizes.block, sizes.small_block):
        while stop - size >= sizes.newest:
            blocks.append(runs[stop - size : stop])
            stop -= size
    if stop > sizes.newest:
        yield runs[sizes.newest : stop]
    yield from reversed(blocks)


def encode(table: Sequence[Column], rows: int) -> dict[str, object]:
    """Return a table in the shape that is written into a shard."""
    return {
        "n": rows,
        "columns": [[column.kind, well_formed(column.name)] for column in table],
        "values": [_encode(column.values) for column in table],
    }


def script(key: str, value: object, plain_bytes: int = DEFAULT_SIZES.plain_bytes) -> bytes:
    """Return a classic script that hands a value to the page under ``key``.

    Args:
        key: Name of the value.
        value: JSON.
        plain_bytes: Size from which it is compressed, in bytes.
    """
    text = _json(value)
    if len(text) > plain_bytes:
        packed = gzip.compress(text.encode("ascii"), 6, mtime=0)
        text = f'"{base64.b64encode(packed).decode("ascii")}"'
    return f"gitml.push({_inert(_json(key))},{_inert(text)});\n".encode("ascii")


def curves(points: Sequence[Metric], start: int, limit: int = CURVE_POINTS) -> list[list[object]]:
    """Turn a history into ``[key, steps, ms since start, values]`` per metric with a curve.

    A metric that was logged without steps, or always at the same, has the order of its points in
    place of steps, and true as a fifth item.

    Args:
        points: Every point of every metric.
        start: When the run started, ms since the Unix epoch.
        limit: How many points a curve may have.
    """
    histories: dict[str, list[Metric]] = {}
    for point in points:
        histories.setdefault(point.key, []).append(point)
    rows: list[list[object]] = []
    for key, history in sorted(histories.items()):
        if len(history) < 2:
            continue
        ordered = in_order(history)
        stepless = len({point.step for point in history}) == 1
        drawn = thin(ordered, limit)
        steps, times = [p.step for p in drawn], [p.timestamp - start for p in drawn]
        values = [finite(p.value) for p in drawn]
        rows.append([well_formed(key), steps, times, values, *([True] if stepless else [])])
    return rows


def in_order(history: Sequence[Metric]) -> Sequence[Metric]:
    """Return the points of a metric by step; without steps, their order takes the place of steps.

    Args:
        history: The points in the order in which they were logged.
    """
    ordered = sorted(history, key=lambda point: point.step)
    if ordered[0].step != ordered[-1].step:
        return ordered
    return [replace(point, step=index) for index, point in enumerate(ordered)]


def thin(points: Sequence[Metric], limit: int) -> Sequence[Metric]:
    """Keep the ends and each bucket's smallest and largest value, so that spikes stay."""
    if len(points) <= limit:
        return points
    buckets = (limit - 2) // 2
    inner = range(1, len(points) - 1)
    keep = {0, len(points) - 1}
    for bucket in range(buckets):
        part = inner[len(inner) * bucket // buckets : len(inner) * (bucket + 1) // buckets]
        numbers = [i for i in part if math.isfinite(points[i].value)]
        if numbers:
            keep.add(min(numbers, key=lambda i: points[i].value))
            keep.add(max(numbers, key=lambda i: points[i].value))
    return [points[i] for i in sorted(keep)]


def finite(value: float) -> float | str:
    """Return a finite number as it is, others as text, for JSON has no word for them."""
    if isinstance(value, int) or math.isfinite(value):
        return value
    return formats.number(value)


def well_formed(text: str) -> str:
    """Replace lone surrogates, which neither UTF-8 nor a URL can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cells(values: Sequence[Value], limit: int = CELL_CHARS) -> Sequence[Value]:
    """Clip the texts of a column, each once, for many runs share theirs."""
    clipped: dict[Value, Value] = {
        value: _clipped(value, limit) for value in set(values) if isinstance(value, str)
    }
    return [clipped.get(value, value) for value in values] if clipped else values


def _clipped(text: str, limit: int = CELL_CHARS) -> str:
    return formats.clip(well_formed(text), limit)


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _inert(text: str) -> str:
    """Write JSON so that it ends no script element, even inside a page."""
    return text.replace("<", "\\u003c")


def _keyed(kind: str, rows: Sequence[Mapping[str, Value]]) -> list[Column]:
    counts = Counter(chain.from_iterable(rows))
    # What the page shows first comes first: keys that most runs have.
    keys = sorted(counts, key=lambda key: (counts[key] * 2 < len(rows), *rank(key)))
    table = []
    for key in keys:
        values = [row.get(key) for row in rows]
        table.append(
            Column(kind=kind, name=key, values=values if kind == "metrics" else cells(values))
        )
    return table


def _encode(values: Sequence[Cell]) -> dict[str, object]:
    texts = [value for value in dict.fromkeys(values) if isinstance(value, (str, tuple))]
    if not texts:
        numbers: Sequence[Any] = values
        if not math.isfinite(sum(filter(None, numbers))):  # one look instead of thousands
            numbers = [None if number is None else finite(number) for number in numbers]
        return {"x": numbers}
    if len(texts) * 2 > len(values):
        return {"t": list(values)}
    index: dict[Cell, int] = {text: number for number, text in enumerate(texts)}
    return {"d": texts, "i": [index.get(value, -1) for value in values]}
