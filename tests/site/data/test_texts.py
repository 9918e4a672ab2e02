"""Numbers, durations and times look the same whether Python or the page's script formats them."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitml import text

pytestmark = pytest.mark.browser

EDGES = [
    *(0.0, -0.0, 0.1, -0.1, 1.0, -1.0, 0.5, 2.5, 0.123455, 1.000005, 99999.5, 9999.95, 9999.949),
    *(
        1e15,
        1e15 - 1,
        999999999999999.9,
        -1e15,
        1e-6,
        9.999949e-7,
        1e-7,
        1.5e-7,
        2.2250738585072014e-308,
        1.79e308,
    ),
    *(math.nan, math.inf, -math.inf),
]


def numbers() -> list[float]:
    """Edges, normal doubles of every size, and halves at each digit, where rounding decides."""
    choose = random.Random(7)
    doubles = [struct.unpack("<d", choose.randbytes(8))[0] for _ in range(2_000)]
    usual = [choose.uniform(-1, 1) * 10 ** choose.randint(-9, 17) for _ in range(4_000)]
    halves = [(choose.randint(10_000, 99_999) + 0.5) / 2**k for k in range(40) for _ in range(50)]
    whole = [float(choose.randint(-(10**16), 10**16)) for _ in range(500)]
    return [*EDGES, *doubles, *usual, *halves, *whole]


def milliseconds() -> list[int | None]:
    """Edges of the units, random spans, and times up to those that no calendar has."""
    choose = random.Random(7)
    edges = [0, 1, 999, 1_000, 59_949, 59_950, 59_999, 60_000, 3_599_999, 3_600_000, 172_799_999]
    spans = [choose.randrange(10 ** choose.randint(1, 13)) for _ in range(3_000)]
    return [None, -1, -1_000, *edges, 172_800_000, 253_402_300_799_999, 10**18, *spans]


@pytest.mark.parametrize(
    ("script", "values", "format_value"),
    [
        ("number", numbers(), text.format_number),
        ("duration", milliseconds(), text.format_duration),
        ("moment", milliseconds(), text.format_time),
    ],
    ids=["numbers", "durations", "times"],
)
def test_script_formats_values_as_python_does(
    page: Any, site: Path, script: str, values: list[Any], format_value: Callable[[Any], str]
) -> None:
    page.goto((site / "index.html").as_uri())
    formatted = page.evaluate(f"values => values.map(value => gitml.{script}(value))", values)
    pairs = zip(values, formatted, map(format_value, values), strict=True)
    assert [(value, js, python) for value, js, python in pairs if js != python] == []


def test_numbers_that_differ_are_written_apart_by_python_and_by_scripts(
    page: Any, site: Path
) -> None:
    page.goto((site / "index.html").as_uri())
    close = [0.99999, 0.999991, 0.9999912, 1.0, 12345.6, 12345.7, 1e15 + 2, 1e15, -0.1, -0.1000001]
    for values in (close, numbers()):
        apart = text.format_apart(values)
        assert page.evaluate("values => values.map(gitml.apart(values))", values) == apart
        differ = {value for value in values if not math.isnan(value)}
        assert len(set(apart)) == len(differ) + any(map(math.isnan, values))
    assert text.format_apart(close)[:4] == ["0.99999", "0.999991", "0.9999912", "1"]
    assert text.format_apart([0.1 + 0.2, 3.14159265]) == ["0.3", "3.1416"]
