"""Format the cells of tables: short for people, whole for programs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gitml.text import (
    escape_controls,
    format_apart,
    format_duration,
    format_iso_time,
    format_number,
    format_size,
)

_SHORT_ID = 8
_SYSTEM = "system/"  # metrics of the machine
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


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and how people read it beside those that it is compared with."""

    value: float
    text: str


Cell = str | int | float | bool | None | When | Took | Size | Identifier | Figure


def figures(cells: Sequence[Cell]) -> list[Cell]:
    """Give cells that are read together; numbers among them that differ look different."""
    numbers = [cell for cell in cells if isinstance(cell, float)]
    texts = dict(zip(numbers, format_apart(numbers), strict=True))
    return [Figure(cell, texts[cell]) if isinstance(cell, float) else cell for cell in cells]


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
            return format_duration(ms)
        case Size(count):
            return "" if count is None else format_size(count)
        case Identifier(text):
            return escape_controls(text[:_SHORT_ID])
        case Figure(_, text):
            return text
        case float():
            return format_number(cell)
    return for_programs(cell)


def for_programs(cell: Cell) -> str:
    """Show a cell where the output is not a terminal: nothing rounded or shortened."""
    match cell:
        case When(ms):
            return format_iso_time(ms)
        case Took(ms):
            return "" if ms is None else str(ms)
        case Size(count):
            return "" if count is None else str(count)
        case Identifier(text):
            return escape_controls(text)
        case bool():
            return "yes" if cell else "no"
        case Figure(value, _):
            return for_programs(value)
        case float():
            return repr(cell).removesuffix(".0") if math.isfinite(cell) else format_number(cell)
        case None:
            return ""
    return escape_controls(str(cell))


def unit_of(cell: Cell) -> str:
    """Return the unit of the number that ``for_programs`` gives for a cell; empty for none."""
    match cell:
        case Took(int()):
            return "ms"
        case Size(int()):
            return "B"
    return ""


def ago(ms: int, now: int) -> str:
    """Format a time relative to now ("3 days ago"), or as a local date if older than a month."""
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
        return format_iso_time(ms)


def pairs(values: Mapping[str, object]) -> str:
    """Format metrics, params or tags on one line."""
    texts = (
        f"{key}={format_number(value) if isinstance(value, float) else value}"
        for key, value in sorted(values.items())
    )
    return " ".join(texts)


def metric_pairs(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Format the metrics of each run on one line, those of the machine last.

    Values of one metric that differ between the runs look different.
    """
    keys = sorted({key for row in rows for key in row})
    keys.sort(key=lambda key: key.startswith(_SYSTEM))
    texts: dict[str, dict[float, str]] = {}
    for key in keys:
        values = [row[key] for row in rows if key in row]
        texts[key] = dict(zip(values, format_apart(values), strict=True))
    return [" ".join(f"{key}={texts[key][row[key]]}" for key in keys if key in row) for row in rows]
