"""What stands in tables: short for people, whole for programs, harmless for terminals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from gitml.cli.cells import Cell, Identifier, Size, Took, When, for_people, for_programs, pairs
from gitml.cli.output import fitted, to_json
from gitml.entities import Metric, RunStatus

NOW = 1_700_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("cell", "people", "programs"),
    [
        (When(NOW - 3 * MINUTE), "3 min ago", "2023-11-14T22:10:20Z"),
        (When(NOW - 2_000), "just now", "2023-11-14T22:13:18Z"),
        (When(NOW - HOUR), "1 hour ago", "2023-11-14T21:13:20Z"),
        (When(NOW - 2 * DAY), "2 days ago", "2023-11-12T22:13:20Z"),
        (When(None), "", ""),
        (Took(1_500), "1.5 s", "1500"),
        (Took(None), "", ""),
        (Size(1_500_000), "1.5 MB", "1500000"),
        (Size(7), "7 B", "7"),
        (Size(None), "", ""),
        (Identifier("a" * 32), "a" * 8, "a" * 32),
        (1.23456789, "1.2346", "1.23456789"),
        (3.0, "3", "3"),
        (math.nan, "NaN", "NaN"),
        (True, "yes", "yes"),
        (3, "3", "3"),
        (None, "", ""),
        ("\x1b", "\\x1b", "\\x1b"),
    ],
)
def test_a_cell_is_short_for_people_and_whole_for_programs(
    cell: Cell, people: str, programs: str
) -> None:
    assert (for_people(cell, NOW), for_programs(cell)) == (people, programs)


def test_times_beyond_the_calendar_are_formatted_as_numbers() -> None:
    assert for_people(When(10**18), NOW) == f"{10**18} ms"


def test_pairs_are_sorted() -> None:
    assert pairs({"b": 0.123456789, "a": "x"}) == "a=x b=0.12346"


def test_the_widest_columns_shrink_first() -> None:
    assert fitted([4, 30, 10], 40) == [4, 26, 10]
    assert fitted([4, 10], 40) == [4, 10]
    assert fitted([30, 30], 2) == [4, 4]


def test_json_is_strict_whatever_the_value() -> None:
    value = {
        "metric": Metric(key="k", value=math.inf, timestamp=1),
        "nan": math.nan,
        "low": -math.inf,
        "status": RunStatus.FAILED,
        "path": Path("a/b"),
        "items": (1, None, True),
    }

    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == {
        "metric": {"key": "k", "value": "Infinity", "timestamp": 1, "step": 0, "order": 0},
        "nan": "NaN",
        "low": "-Infinity",
        "status": "FAILED",
        "path": "a/b",
        "items": [1, None, True],
    }
