"""Read, write and summarize ``metrics.jsonl``, the points of a run's metrics. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from gitml.entities import Metric, MetricSummary
from gitml.errors import StoreError
from gitml.formats.canonical import INT64, number_in, number_out, text


def to_jsonl(history: Iterable[Metric]) -> bytes:
    """Format ``metrics.jsonl``: one ``[key, step, timestamp, value]`` per line."""
    lines = (
        f"[{text(m.key)}, {m.step}, {m.timestamp}, {text(number_out(m.value))}]\n" for m in history
    )
    return "".join(lines).encode("utf-8", "backslashreplace")


def from_jsonl(data: bytes, what: str = "metrics.jsonl") -> tuple[Metric, ...]:
    """Read ``metrics.jsonl``.

    Raises:
        StoreError: A line is not such an array; the message gives its number.
    """
    points = []
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n") if data else (), 1):
        try:
            key, step, timestamp, value = json.loads(line.decode("utf-8"))
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreError(f"{what}, line {number}: not a metric point.") from error
        whole = type(step) is int and type(timestamp) is int
        if (
            not isinstance(key, str)
            or not whole
            or not all(-INT64 <= n < INT64 for n in (step, timestamp))
        ):
            raise StoreError(f"{what}, line {number}: not a metric point.")
        points.append(Metric(key=key, value=number_in(value), timestamp=timestamp, step=step))
    return tuple(points)


def ordered(points: Iterable[Metric]) -> tuple[Metric, ...]:
    """Sort points by (key, timestamp, step, value) and drop exact duplicates; NaN sorts last."""
    unique = {(p.key, p.timestamp, p.step, _rank(p.value)): p for p in points}
    return tuple(unique[key] for key in sorted(unique))


def summarize(history: Iterable[Metric]) -> dict[str, MetricSummary]:
    """Summarize a history, key by key.

    The last value is the one with the highest (step, timestamp, value), as in MLflow.
    """
    by_key: dict[str, list[Metric]] = {}
    for point in history:
        by_key.setdefault(point.key, []).append(point)
    return {key: _summary(points) for key, points in by_key.items()}


def _summary(points: list[Metric]) -> MetricSummary:
    last = max(points, key=lambda p: (p.step, p.timestamp, _rank(p.value)))
    finite = [p.value for p in points if math.isfinite(p.value)]
    return MetricSummary(
        last=last.value,
        step=last.step,
        timestamp=last.timestamp,
        min=min(finite, default=math.nan),
        max=max(finite, default=math.nan),
        count=len(points),
    )


def _rank(value: float) -> tuple[bool, float]:
    """Return a key that sorts floats totally: all NaN are equal and the highest."""
    return (True, 0.0) if math.isnan(value) else (False, value)
