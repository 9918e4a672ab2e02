"""Numbers, times and texts look the same wherever people meet them, and mean what they were."""

from __future__ import annotations

import doctest
import math
import unicodedata

import pytest
from hypothesis import given, strategies as st

from gitml import text
from gitml.text import (
    clip,
    escape_controls,
    format_duration,
    format_iso_time,
    format_number,
    format_size,
    format_time,
    plural,
    short_repr,
    single_line,
)

FLOATS = st.floats(-1e307, 1e307)
UNIT_SIZES = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15, "EB": 1e18}
UNIT_MS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def test_examples_of_the_docstrings() -> None:
    result = doctest.testmod(text)
    assert result.attempted >= 10 and not result.failed


@given(FLOATS, st.integers(1, 17))
def test_a_number_reads_back_within_half_a_unit_of_its_last_digit(
    value: float, digits: int
) -> None:
    parsed = float(format_number(value, digits))

    assert math.isclose(parsed, value, rel_tol=0.501 * 10.0 ** (1 - digits), abs_tol=5e-324)


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_are_written_in_full(value: int) -> None:
    assert format_number(float(value)) == str(value)


@given(FLOATS)
def test_numbers_have_no_trailing_zeros_and_no_sign_of_zero(value: float) -> None:
    formatted = format_number(value)

    mantissa = formatted.partition("e")[0]
    assert "." not in mantissa or mantissa[-1] not in "0."
    assert formatted != "-0"


@given(FLOATS, FLOATS)
def test_formatted_numbers_keep_their_order(left: float, right: float) -> None:
    low, high = sorted((left, right))

    assert float(format_number(low)) <= float(format_number(high))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (9999.99, "10000"),
        (99_999.5, "100000"),
        (10_000.5, "10001"),  # as the dashboard's scripts round
        (-1234.5678, "-1234.6"),
        (9.99999e-7, "0.000001"),
        (1.23456e15, "1.2346e+15"),
        (5e-324, "4.9407e-324"),
    ],
)
def test_numbers_are_rounded_as_in_the_scripts_of_the_dashboard(
    value: float, expected: str
) -> None:
    assert format_number(value) == expected


@given(st.integers(0, 2**63))
def test_sizes_have_three_digits_and_the_right_unit(count: int) -> None:
    amount, unit = format_size(count).split()

    assert len(amount) <= 4 and "e" not in amount
    assert math.isclose(float(amount) * UNIT_SIZES[unit], count, rel_tol=0.0051)


@given(st.integers(0, 10**15))
def test_durations_are_rounded_down_by_less_than_their_smallest_unit(ms: int) -> None:
    words = format_duration(ms).split()

    units = [UNIT_MS[unit] for unit in words[1::2]]
    read = sum(float(amount) * unit for amount, unit in zip(words[::2], units, strict=True))
    precision = 100 if words[1:] == ["s"] else units[-1]
    assert ms - precision < round(read) <= ms


def test_durations_that_are_missing_or_negative_are_empty() -> None:
    assert (format_duration(None), format_duration(-1)) == ("", "")


def test_times_outside_the_calendar_are_numbers() -> None:
    assert format_time(10**18) == format_iso_time(10**18) == f"{10**18} ms"
    assert (format_time(None), format_iso_time(None)) == ("", "")


@given(st.text(), st.integers(2, 80))
def test_single_line_is_printable_utf8_within_the_limit(value: str, limit: int) -> None:
    line = single_line(value, limit)

    assert len(line) <= limit and len(line.splitlines()) <= 1
    line.encode()
    assert single_line(line, limit) == line


@given(st.text(), st.integers(1, 80))
def test_clip_cuts_only_what_is_too_long(value: str, limit: int) -> None:
    clipped = clip(value, limit)

    assert clipped == value if len(value) <= limit else len(clipped) == limit
    assert value.startswith(clipped.removesuffix("…")) or value == clipped


@given(st.text(), st.integers(4, 80))
def test_a_short_repr_keeps_both_quotation_marks(value: str, limit: int) -> None:
    quoted = short_repr(value, limit)

    assert len(quoted) <= limit and quoted[0] == quoted[-1] and quoted[0] in "'\""


@given(st.text())
def test_escaped_texts_cannot_control_a_terminal(value: str) -> None:
    escaped = escape_controls(value)

    assert not {unicodedata.category(char) for char in escaped} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {"\u202e", "\u2066", "\u200f"} & set(escaped)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("abc\u202edcba\u200f", "abc\\u202edcba\\u200f"),
        ("\ud800", "\\ud800"),
        ("naïve 模型 🚀 👩‍🔬", "naïve 模型 🚀 👩‍🔬"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_letters_and_emoji_stay_and_control_characters_are_escaped(
    value: str, expected: str
) -> None:
    assert escape_controls(value) == expected


def test_counts_have_a_plural() -> None:
    assert [plural(count, "run") for count in (0, 1, 1000)] == ["0 runs", "1 run", "1,000 runs"]
