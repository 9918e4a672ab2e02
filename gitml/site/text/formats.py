"""Numbers, times and sizes as people read them; the page's scripts write them the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

NAME_CHARS = 200
VALUE_CHARS = 2_000
_UNITS = ("B", "kB", "MB", "GB", "TB")


@lru_cache(maxsize=4096)  # a metric's last value is often its smallest, too, and that of others
def number(value: float) -> str:
    """Write a number with at most five significant digits, whole ones in full."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.5g}"


def moment(ms: int | None) -> str:
    """Write ms since the Unix epoch as UTC to the minute; empty for None."""
    return _written(ms, "minutes").replace("T", " ")


def iso(ms: int | None) -> str:
    """Write ms since the Unix epoch for a ``datetime`` attribute; empty for None."""
    return _written(ms, "seconds", "Z")


def duration(ms: int | None) -> str:
    """Write a span of ms with its two largest units; empty for None."""
    if ms is None or ms < 0:
        return ""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def size(count: int) -> str:
    """Write bytes in units of 1000."""
    if count < 1000:
        return f"{count} B"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def clip(text: str, limit: int) -> str:
    """Cut a text to ``limit`` characters, the last one an ellipsis where it was longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def name(text: str) -> str:
    """Cut a name to what a heading, a link or a cell can hold."""
    return clip(text, NAME_CHARS)


def pairs(texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Give names and values by name, both cut to what a table can hold."""
    return tuple((name(key), clip(value, VALUE_CHARS)) for key, value in sorted(texts.items()))


def _written(ms: int | None, unit: str, end: str = "") -> str:
    if ms is None:
        return ""
    try:
        text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec=unit)
        return text.removesuffix("+00:00") + end
    except (OverflowError, OSError, ValueError):
        return f"{ms} ms"
