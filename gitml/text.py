"""Format numbers, sizes, times and texts for people, the same way in every place that shows them.

Pages, reports, tables, messages and commits use these functions, so that a value looks the same
wherever it is met. The scripts of the dashboard have their own copy of ``format_number``,
``format_duration`` and ``format_time``.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context
from functools import lru_cache

DIGITS = 5
"""Significant digits of a number, if nothing else is said."""
_EXACT = 17  # digits that tell any two numbers apart
_WHOLE = 1e15  # from here on a number is written with an exponent
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_LONG_FRACTION = re.compile(r"-?\d*\.\d{12,400}(e[-+]?\d{1,3})?", re.ASCII)
_JOINERS = "\u200c\u200d"  # emoji and several scripts need them
_ROUNDING = {digits: Context(prec=digits, rounding=ROUND_HALF_UP) for digits in range(1, 18)}


@lru_cache(maxsize=4096)  # the last value of a metric is often its best, too
def format_number(value: float, digits: int = DIGITS) -> str:
    """Format a number with a few significant digits; digits before the point are never dropped.

    Args:
        value: The number.
        digits: Significant digits, 1 to 17.

    >>> [format_number(value) for value in (3.0, 0.123456, 123456.7, 1e15, 0.00002, 1.5e-7)]
    ['3', '0.12346', '123457', '1e+15', '0.00002', '1.5e-7']
    >>> [format_number(float(text)) for text in ("nan", "inf", "-inf", "-0")]
    ['NaN', 'Infinity', '-Infinity', '0']
    """
    if math.isnan(value):
        return "NaN"
    size = abs(value)
    sign = "-" if value < 0 else ""
    if math.isinf(value):
        return f"{sign}Infinity"
    if size < _WHOLE and (size >= 10 ** (digits - 1) or size == int(size)):
        return f"{sign}{math.floor(size) + (size % 1 >= 0.5)}"
    decimal = _ROUNDING[digits].create_decimal_from_float(value)
    mantissa, _, exponent = f"{decimal:{'e' if size >= _WHOLE else 'g'}}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{exponent}" if exponent else mantissa


def format_apart(values: Sequence[float]) -> list[str]:
    """Format numbers that are compared: each with digits enough to differ from all others.

    >>> format_apart([0.99999, 0.999991, 0.5])
    ['0.99999', '0.999991', '0.5']
    """
    ordered = sorted({value for value in values if math.isfinite(value)})
    texts: dict[float, str] = {}
    for index, value in enumerate(ordered):
        neighbours = ordered[max(index - 1, 0) : index] + ordered[index + 1 : index + 2]
        digits = next(
            (d for d in range(DIGITS, _EXACT) if _differs(value, neighbours, d)), _EXACT
        )  # rounding keeps the order, so that only neighbours can be alike
        texts[value] = format_number(value, digits)
    return [texts[value] if value in texts else format_number(value) for value in values]


def format_param(text: str) -> str:
    """Format a param for people: a number without the noise of binary fractions.

    >>> format_param("-0.30000000000000004"), format_param("0.1"), format_param("1e-3")
    ('-0.3', '0.1', '1e-3')
    """
    if not _LONG_FRACTION.fullmatch(text):
        return text
    return format_number(float(text), _EXACT - 2)


def _differs(value: float, others: Sequence[float], digits: int) -> bool:
    text = format_number(value, digits)
    return all(format_number(other, digits) != text for other in others)


def format_difference(value: float) -> str:
    """Format a difference of two numbers, always with a sign.

    >>> format_difference(0.25), format_difference(-3.0)
    ('+0.25', '-3')
    """
    return f"{'' if value < 0 else '+'}{format_number(value)}"


def plural(amount: int, noun: str) -> str:
    """Format a count with its noun.

    >>> plural(1, "run"), plural(2000, "run")
    ('1 run', '2,000 runs')
    """
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def format_size(count: int) -> str:
    """Format a number of bytes in units of 1000, with three significant digits.

    >>> [format_size(count) for count in (0, 999, 1_500, 123_456, 999_600, 2 * 10**12)]
    ['0 B', '999 B', '1.5 kB', '123 kB', '1 MB', '2 TB']
    """
    if count < 1000:
        return f"{count} B"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def format_duration(ms: int | None) -> str:
    """Format a duration in ms with its two largest units, rounded down.

    Returns:
        An empty text for None and for a negative duration.

    >>> [format_duration(ms) for ms in (250, 59_999, 61_000, 7_260_000, 180_000_000)]
    ['250 ms', '59.9 s', '1 min 1 s', '2 h 1 min', '2 d 2 h']
    """
    if ms is None or ms < 0:
        return ""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms // 1000}.{ms // 100 % 10} s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def format_time(ms: int | None) -> str:
    """Format a time in ms since the Unix epoch as UTC, to the minute; an empty text for None.

    >>> format_time(1_772_000_000_000)
    '2026-02-25 06:13'
    """
    return _iso(ms, "minutes").replace("T", " ")


def format_exact_time(ms: int | None) -> str:
    """Format a time in ms since the Unix epoch as UTC, to the ms; an empty text for None.

    >>> format_exact_time(1_772_000_000_042)
    '2026-02-25 06:13:20.042'
    """
    return _iso(ms, "milliseconds").replace("T", " ")


def format_iso_time(ms: int | None) -> str:
    """Format a time in ms since the Unix epoch as ISO 8601 in UTC; an empty text for None.

    >>> format_iso_time(1_772_000_000_000)
    '2026-02-25T06:13:20Z'
    """
    return _iso(ms, "seconds", "Z")


def single_line(text: str, limit: int | None = None) -> str:
    r"""Return a text as one line that any git object can contain.

    Args:
        text: Any text; control characters and line breaks become spaces.
        limit: Characters after which it is clipped.

    >>> single_line(" a\r\n\tb ")
    'a b'
    """
    line = _CONTROLS.sub(" ", text).encode("utf-8", "replace").decode().strip()
    return line if limit is None else clip(line, limit)


def clip(text: str, limit: int) -> str:
    """Cut a text to ``limit`` characters; the last one is an ellipsis if it was longer.

    >>> clip("metrics", 7), clip("metrics", 4)
    ('metrics', 'met…')
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: Sequence[str], limit: int) -> str:
    """Return names with commas, and how many more there are after the first ones.

    >>> listed(["a", "b", "c"], 2), listed([], 2)
    ('a, b and 1 more', '')
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def short_repr(value: object, limit: int = 60) -> str:
    """Return the ``repr`` of a value for a message, with at most ``limit`` characters.

    >>> short_repr("name"), short_repr("a long name", limit=8)
    ("'name'", "'a lon…'")
    """
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 2]}…{text[-1]}"


def escape_controls(text: str) -> str:
    r"""Escape the characters that control a terminal or change the order of what is read.

    Control characters, line breaks, bidirectional marks and unpaired surrogates become ``\x1b``,
    ``\n``, ``\u202e`` and the like; letters and emoji of any script stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    controls = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not controls or char in _JOINERS:
        return char
    return char.encode("unicode_escape").decode("ascii")


def _iso(ms: int | None, precision: str, end: str = "") -> str:
    if ms is None:
        return ""
    try:
        text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec=precision)
    except (OverflowError, OSError, ValueError):  # a record can name the year 10^9
        return f"{ms} ms"
    return text.removesuffix("+00:00") + end
