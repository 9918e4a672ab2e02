"""Read, write, order and summarize ``metrics.jsonl``, the points of a run's metrics. Pure.

Points of one key are in order of time and step; those of equal key, step and time are in the order
in which they were logged, which ``Metric.order`` holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from gitml.entities import Metric, MetricSummary
from gitml.errors import StoreError
from gitml.formats.canonical import INT64, is_int64, number_in, number_out, text

_BLOCK = 2**18  # bytes that are parsed together
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
    """Read ``metrics.jsonl``; raises as ``points`` does."""
    return tuple(points(data, what))


def points(data: bytes, what: str, key: str | None = None) -> Iterator[Metric]:
    """Yield the points of ``metrics.jsonl``, of which there may be millions.

    Args:
        data: The file's bytes.
        what: What they are, for messages.
        key: Yield only those of this metric.

    Raises:
        StoreError: A line is not such an array; the message gives its number.
    """
    number, start, end = 1, 0, len(data.removesuffix(b"\n"))
    keys: dict[str, str] = {}
    while start < end:
        stop = data.find(b"\n", min(start + _BLOCK, end), end)
        block = data[start : stop if stop >= 0 else end]
        lines = block.count(b"\n") + 1
        for item in _items(block, lines, what, number):
            if key is None or item[0] == key:
                name, step, timestamp, value, *rest = item
                yield Metric(
                    key=keys.setdefault(name, name),
                    value=value if type(value) is float else number_in(value),
                    timestamp=timestamp,
                    step=step,
                    order=rest[0] if rest else 0,
                )
        number, start = number + lines, start + len(block) + 1


def _items(block: bytes, count: int, what: str, first: int) -> list[Any]:
    """Return the arrays of whole lines, checked but for the values of the points."""
    try:  # all at once takes a third of the time
        items = json.loads(b"[" + block.replace(b"\n", b",") + b"]")
    except (ValueError, RecursionError):
        items = []
    if len(items) == count and all(map(_is_point, items)):
        return items  # type: ignore[no-any-return]
    items = []
    for number, line in enumerate(block.split(b"\n"), first):
        try:
            items.append(json.loads(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{what}, line {number}: not a metric point.") from error
        if not _is_point(items[-1]):
            raise StoreError(f"{what}, line {number}: not a metric point.")
    return items


def _is_point(item: Any) -> bool:
    if type(item) is not list or not 4 <= len(item) <= 5 or type(item[0]) is not str:
        return False
    step, timestamp, order = item[1], item[2], item[4] if len(item) > 4 else 0
    return (
        type(step) is type(timestamp) is type(order) is int
        and -INT64 <= step < INT64
        and -INT64 <= timestamp < INT64
        and 0 <= order < INT64
    )


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
