"""Hides how values look in a table: short for people, whole for programs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gitml.cli.escape import inert

_SHORT_ID = 8
_UNITS = ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3600, "hour"),
          (60, "min"))  # fmt: skip
_PLURALS = ("year", "month", "day", "hour")


@dataclass(frozen=True, slots=True)
class When:
    """A moment in ms since the Unix epoch; None for one that has not come."""

    ms: int | None


@dataclass(frozen=True, slots=True)
class Took:
    """A duration in ms; None while it lasts."""

    ms: int | None


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes; None for a folder."""

    bytes: int | None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A long hexadecimal id."""

    text: str


Cell = str | int | float | bool | None | When | Took | Size | Identifier


def for_people(cell: Cell, now: int) -> str:
    """Show a cell on a terminal.

    Args:
        cell: The value.
        now: ms since the Unix epoch.
    """
    match cell:
        case When(ms):
            return "" if ms is None else ago(ms, now)
        case Took(ms):
            return "" if ms is None else duration(ms)
        case Size(count):
            return "" if count is None else size(count)
        case Identifier(text):
            return inert(text[:_SHORT_ID])
    return for_programs(cell)


def for_programs(cell: Cell) -> str:
    """Show a cell where the output is not a terminal: nothing rounded or shortened."""
    match cell:
        case When(ms):
            return "" if ms is None else iso(ms)
        case Took(ms):
            return "" if ms is None else str(ms)
        case Size(count):
            return "" if count is None else str(count)
        case Identifier(text):
            return inert(text)
        case bool():
            return "yes" if cell else "no"
        case float():
            return number(cell)
        case None:
            return ""
    return inert(str(cell))


def iso(ms: int) -> str:
    """Format a time as ISO 8601 in UTC, whole seconds."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # anybody can push a record of the year 10^9
        return f"{ms} ms"


def ago(ms: int, now: int) -> str:
    """Say how long ago a time was; the date in local time where that is more than a month."""
    seconds = (now - ms) // 1000
    if -60 < seconds < 60:
        return "just now" if seconds < 10 else f"{seconds} s ago"
    if not 0 <= seconds < 86_400 * 30:
        return _date(ms)
    span, unit = next((span, unit) for span, unit in _UNITS if seconds >= span)
    count = seconds // span
    return f"{count} {unit}{'s' if unit in _PLURALS and count > 1 else ''} ago"


def _date(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return iso(ms)


def duration(ms: int) -> str:
    """Format a duration with the two units that matter."""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def size(count: int) -> str:
    """Format a number of bytes with a decimal unit."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def number(value: float) -> str:
    """Format a metric to six digits; whole ones without a point."""
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def pairs(values: Mapping[str, object]) -> str:
    """Format metrics, params or tags on one line."""
    texts = (
        f"{key}={number(value) if isinstance(value, float) else value}"
        for key, value in sorted(values.items())
    )
    return " ".join(texts)


def count(amount: int, noun: str) -> str:
    """Format a count with its noun, such as ``1 run`` and ``2 runs``."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"
