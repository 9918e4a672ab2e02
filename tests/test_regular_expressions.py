"""No text makes a regular expression of ours work more than in proportion to its length."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.regular_expressions import (
    LIMIT,
    Backtracking,
    Expression,
    beginnings,
    characters,
    expressions,
)

ALL = list(expressions())
SIZES = (12, 100, 400)  # repetitions of a text: an expression may repeat something 300 times itself
GROWTH = 2.6  # of the steps when a text is doubled: 2 in proportion, 4 for a square


def worst(expression: Expression) -> tuple[float, str]:
    """Return the growth of the steps for the worst of many texts, and that text."""
    matcher = Backtracking(expression.pattern, expression.flags)
    chars = characters(expression.pattern, expression.flags)
    pumps = [*chars[:10], *("".join(pair) for pair in itertools.permutations(chars[:4], 2))]
    heads = beginnings(expression.pattern, expression.flags)[-2:]
    tails = ["\x00", "\n", "x"]
    for head, pump, tail in itertools.product(heads, pumps, tails):
        for size in SIZES:
            steps = matcher.run(head + pump * size + tail, expression.uses)
            more = matcher.run(head + pump * 2 * size + tail, expression.uses)
            growth = more / steps if steps < LIMIT else 99.0
            if growth < GROWTH:
                break
        else:
            return growth, f"{head}{pump}*n{tail}"
    return 0.0, ""


@pytest.mark.slow
@pytest.mark.parametrize("expression", ALL, ids=lambda e: e.position)
def test_matching_takes_steps_in_proportion_to_the_text(expression: Expression) -> None:
    growth, text = worst(expression)
    assert growth < GROWTH, f"{expression.pattern!r} {set(expression.uses)} on {text!r}"


@pytest.mark.parametrize(
    ("pattern", "uses"),
    [
        (r"(a+)+b", "fullmatch"),
        (r"(a|a)*b", "match"),
        (r"#\s+(.*?)\s*#*\s*", "fullmatch"),
        (r"[a-z]+!", "search"),
        (r"\d+\.?\d*", "fullmatch"),
    ],
)
@pytest.mark.slow
def test_the_count_sees_slow_expressions(pattern: str | bytes, uses: str) -> None:
    slow = Expression(position="", pattern=pattern, flags=re.DOTALL, uses=frozenset({uses}))
    assert worst(slow)[0] > GROWTH


def test_most_expressions_are_read() -> None:
    assert len(ALL) > 80
