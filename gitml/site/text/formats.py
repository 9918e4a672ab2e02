"""Format what pages show; the page's scripts write numbers and times the same way."""

from __future__ import annotations

from collections.abc import Mapping

from gitml.text import (
    clip,
    format_apart as apart,
    format_duration as duration,
    format_exact_time as exact_moment,
    format_iso_time as iso,
    format_number as number,
    format_param as param,
    format_size as size,
    format_time as moment,
)

__all__ = [
    "apart",
    "clip",
    "duration",
    "exact_moment",
    "iso",
    "moment",
    "name",
    "number",
    "pairs",
    "param",
    "size",
]

NAME_CHARS = 200
VALUE_CHARS = 2_000


def name(text: str) -> str:
    """Cut a name to what a heading, a link or a cell can hold."""
    return clip(text, NAME_CHARS)


def pairs(texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Give names and values by name, both cut to what a table can hold."""
    return tuple((name(key), clip(value, VALUE_CHARS)) for key, value in sorted(texts.items()))
