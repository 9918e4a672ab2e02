"""Read, write, order and summarize ``metrics.jsonl``, the points of a run's metrics. Pure.

Points of one key are in order of time and step; those of equal key, step and time are in the order
in which they were logged, which ``Metric.order`` holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from gitml.entities import Metric, MetricSummary
from gitml.errors import StoreError
from gitml.formats.canonical import INT64, is_int64, number_in, number_out, text

_spot = attrgetter("key", "timestamp", "step")
_Spot = tuple[str, int, int]


def to_jsonl(history: Iterable[Metric]) -> bytes:
    """Format ``metrics.jsonl``: one ``[key, step, timestamp, value]`` per line, then any order."""
    lines = (
        f"[{text(m.key)}, {m.step}, {m.timestamp}, {text(number_out(m.value))}"
        f"{f', {m.order}' if m.order else ''}]\n"
        for m in history
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
            key, step, timestamp, value, *rest = json.loads(line.decode("utf-8"))
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreError(f"{what}, line {number}: not a metric point.") from error
        order = rest[0] if rest else 0
        if (
            not isinstance(key, str)
            or not all(map(is_int64, (step, timestamp, order)))
            or order < 0
            or len(rest) > 1
        ):
            raise StoreError(f"{what}, line {number}: not a metric point.")
        points.append(
            Metric(key=key, value=number_in(value), timestamp=timestamp, step=step, order=order)
        )
    return tuple(points)


def ordered(points: Iterable[Metric]) -> tuple[Metric, ...]:
    """Sort points by (key, timestamp, step, order, value) and drop exact duplicates.

    NaN sorts last.
    """
    unique = {(p.key, p.timestamp, p.step, p.order, _rank(p.value)): p for p in points}
    return tuple(unique[key] for key in sorted(unique))


def summarize(history: Iterable[Metric]) -> dict[str, MetricSummary]:
    """Summarize a history, key by key.

    The last value is that of the highest (step, timestamp, order, value): as in MLflow, but of
    equal step and time the one that was logged last.
    """
    by_key: dict[str, list[Metric]] = {}
    for point in history:
        by_key.setdefault(point.key, []).append(point)
    return {key: _summary(points) for key, points in by_key.items()}


def _summary(points: list[Metric]) -> MetricSummary:
    last = max(points, key=lambda p: (p.step, p.timestamp, p.order, _rank(p.value)))
    finite = [p.value for p in points if math.isfinite(p.value)]
    return MetricSummary(
        last=last.value,
        step=last.step,
        timestamp=last.timestamp,
        min=min(finite, default=math.nan),
        max=max(finite, default=math.nan),
        count=len(points),
    )


def _rank(value: float) -> tuple[bool, float, float]:
    """Return a key that sorts floats totally: all NaN are equal and the highest, -0.0 < 0.0."""
    return (True, 0.0, 0.0) if math.isnan(value) else (False, value, math.copysign(1.0, value))


# The order of what is logged --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequel:
    """Where the points of a writer begin that came after others.

    It is written into the writer's journal, so that its points are the same ones whenever the
    journal is folded, also onto a record that has them already.

    Attributes:
        until: The latest time of a point that was there before, ms since the Unix epoch.
        order: Order of a first point up to that time; one after it has the order 0.
    """

    until: int
    order: int

    @classmethod
    def read(cls, value: Any) -> Sequel:
        """Return the sequel of a journal, as ``dump`` wrote it; that of a new run without one."""
        if isinstance(value, list) and len(value) == 2 and all(map(is_int64, value)):
            return cls(until=value[0], order=max(value[1], 0))
        return cls(until=-INT64, order=0)

    def dump(self) -> list[int]:
        """Return what a journal holds."""
        return [self.until, self.order]

    @classmethod
    def of(cls, history: Sequence[Metric]) -> Sequel | None:
        """Return what comes after a history; None if that is empty."""
        if not history:
            return None
        return cls(
            until=max(point.timestamp for point in history),
            order=min(max(point.order for point in history) + 1, INT64 - 1),
        )

    def numbered(self, points: Iterable[Metric]) -> list[Metric]:
        """Number the points of one writer, given in the order in which it logged them."""
        return _numbered(points, lambda spot: (self.order if spot[1] <= self.until else 0, None))


def continued(history: Sequence[Metric], points: Sequence[Metric]) -> list[Metric]:
    """Number points that come after all of a history; those that repeat its last are dropped."""
    spots = set(map(_spot, points))
    last: Mapping[_Spot, Metric] = {
        _spot(point): point for point in history if _spot(point) in spots
    }

    def start(spot: _Spot) -> tuple[int, float | None]:
        before = last.get(spot)
        return (min(before.order + 1, INT64 - 1), before.value) if before else (0, None)

    return _numbered(points, start)


def _numbered(
    points: Iterable[Metric], start: Callable[[_Spot], tuple[int, float | None]]
) -> list[Metric]:
    """Number points of equal key, step and time one after the other.

    A value that follows itself there is the same point: a request that was sent again.
    """
    numbered: list[Metric] = []
    for spot, group in groupby(sorted(points, key=_spot), key=_spot):
        order, before = start(spot)
        for point in group:
            if before is None or _rank(point.value) != _rank(before):
                numbered.append(replace(point, order=order) if order else point)
                order, before = min(order + 1, INT64 - 1), point.value
    return numbered
