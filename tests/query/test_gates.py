"""Gates: what they mean, what they refuse, and what a verdict tells."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gitml.errors import InvalidInput
from gitml.query.gate_nodes import GateField, Literal, Node, Operation
from gitml.query.gate_parser import parse
from gitml.query.gates import Verdict, format_value, judge, read

CANDIDATE: Any = {
    "metrics": {"rmse": 3.1, "val/loss": 0.5, "nan": math.nan},
    "params": {"alpha": "0.10", "kind": "ridge", "warm": "True"},
    "tags": {"team": "it's"},
    "source": {"dirty": False, "branch": "main"},
    "signature": {"inputs": "[x]"},
    "datasets": {"test": "abc"},
}
LIVE: Any = {"metrics": {"rmse": 3.2}, "params": {"kind": "ridge"}, "signature": {"inputs": "[x]"}}


def verdict(text: str, live: Any = LIVE) -> Verdict:
    return judge(read(text), CANDIDATE, {"production": live})


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("metrics.rmse < 3.5", "3.1 < 3.5"),
        ("metrics.rmse <= 0.98 * production.metrics.rmse", "3.1 <= 0.98 * 3.2"),
        ("source.dirty = false", "false = false"),
        ("NOT source.dirty AND metrics.`val/loss` <= .5", "NOT false AND 0.5 <= .5"),
        ('metrics."val/loss" + 1 = 1.5', "0.5 + 1 = 1.5"),
        ("metrics.rmse - 1 - 1 < 1.2 and 8 / 2 / 2 = 2", "3.1 - 1 - 1 < 1.2 and 8 / 2 / 2 = 2"),
        ("1 + 2 * 3 = 7 and -(2 - 3) = 1", "1 + 2 * 3 = 7 and -(2 - 3) = 1"),
        ("min(metrics.rmse, 9, 2) = 2 and abs(-2) = max(1, 2)",
         "min(3.1, 9, 2) = 2 and abs(-2) = max(1, 2)"),
        ("params.alpha = 0.1 and params.alpha < 1", "'0.10' = 0.1 and '0.10' < 1"),
        ("params.kind = production.params.kind", "'ridge' = 'ridge'"),
        ("params.warm = true", "'True' = true"),
        ("tags.team = 'it''s'", "'it's' = 'it''s'"),
        ("signature.inputs = production.signature.inputs", "'[x]' = '[x]'"),
        ("datasets.test is not null and metrics.nope is null",
         "'abc' is not null and (missing) is null"),
        ("metrics.nope < 1 or metrics.rmse < 4", "(missing) < 1 or 3.1 < 4"),
    ],
)  # fmt: skip
def test_a_gate_that_holds_shows_the_values(text: str, filled: str) -> None:
    result = verdict(text)
    assert (result.holds, result.measured, result.note) == (True, filled, "")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("metrics.rmse < 3", ""),
        ("metrics.nope < 3", "metrics.nope is missing"),
        ("not metrics.nope < 3", "metrics.nope is missing"),
        ("not metrics.nan > 3", "metrics.nan is NaN"),
        ("metrics.rmse < 9 and production.metrics.auc > 1", "production.metrics.auc is missing"),
        ("params.kind < 3", "params.kind is 'ridge', not a number"),
        ("params.kind = true", "params.kind is 'ridge', not true or false"),
        ("metrics.rmse / 0 > 1", "it divides by zero"),
    ],
)
def test_a_gate_that_fails_says_why(text: str, note: str) -> None:
    result = verdict(text)
    assert (result.holds, result.note) == (False, note)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("metrics.rmse <= 0.98 * production.metrics.rmse", True),
        ("not metrics.rmse > production.metrics.rmse", True),
        ("metrics.rmse < 3 and metrics.rmse < production.metrics.rmse", False),
        ("metrics.rmse < 3 or metrics.rmse < production.metrics.rmse", True),
        ("metrics.nope < production.metrics.nope", False),
    ],
)
def test_where_nothing_is_live_the_comparison_is_vacant(text: str, holds: bool) -> None:
    result = verdict(text, None)
    assert result.holds is holds
    if holds:
        assert result.note == "nothing is live in Production"
        assert "(nothing live)" in result.measured


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 1: expected a value such as"),
        ("metrics.rmse", "character 1: expected a comparison"),
        ("metrics.rmse <", "character 15: expected a value .* but it ends there"),
        ("metrics.rmse == 3", "character 14: .*Write = for equality"),
        ("metrics.rmse < 'a'", "character 16: expected a number, not a string"),
        ("source.branch < 'a'", "character 1: expected a number, not a string"),
        ("metrics.rmse < 3 && true", "character 18: .*Write and"),
        ("1 < metrics.a < 3", "character 15: expected and, or or the end"),
        ("model.rmse < 3", "character 1: expected a value such as"),
        ("live.metrics.rmse < 3", "character 1: "),
        ("source.nope = 'a'", "character 8: expected one of branch, commit"),
        ("eval(1) = 1", "character 1: expected one of min, max, abs"),
        ("abs(1, 2) = 1", "expected abs with one value"),
        ("(metrics.a < 1", "but it ends there"),
        ("1 and true", "character 1: expected a boolean, not a number"),
        ("true + 1 = 2", "character 1: expected a number, not a boolean"),
        ("__import__('os')", "character 1: expected one of min"),
        ("(" * 60 + "true", "at most 40 levels"),
        ("true or " * 400, "at most 2000 are allowed"),
    ],
)
def test_what_is_no_gate_is_refused_with_its_position(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_gate_or_a_clear_refusal(text: str) -> None:
    try:
        gate = read(text)
    except InvalidInput as error:
        assert "character" in error.message
    else:
        assert isinstance(judge(gate, CANDIDATE, {}).holds, bool)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SUMS = st.recursive(
    st.one_of(st.integers(0, 99).map(str), st.sampled_from(["metrics.rmse", "metrics.`val/loss`"])),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=8,
)


@given(left=SUMS, right=SUMS, sign=st.sampled_from(["<", "<=", ">", ">=", "=", "!="]))
def test_arithmetic_and_comparisons_are_those_of_python(left: str, right: str, sign: str) -> None:
    def python(text: str) -> float:
        text = text.replace("metrics.rmse", "3.1").replace("metrics.`val/loss`", "0.5")
        return float(eval(text, {"__builtins__": {}}))  # the peer, on text made here

    a, b = python(left), python(right)
    expected = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b, "!=": a != b}
    assert verdict(f"{left} {sign} {right}").holds is expected[sign]


@given(a=NUMBERS, b=NUMBERS)
def test_a_comparison_and_its_negation_never_agree(a: float, b: float) -> None:
    facts: Any = {"metrics": {"a": a, "b": b}}
    plain, negated = (judge(read(t), facts, {}) for t in ("metrics.a < metrics.b",
                                                          "not metrics.a < metrics.b"))  # fmt: skip
    assert plain.holds is (a < b)
    assert negated.holds is not plain.holds
    assert plain.values == {"metrics.a": a, "metrics.b": b}


def test_a_verdict_has_the_expression_the_values_and_why() -> None:
    assert verdict("  metrics.rmse < 3.5 ") == Verdict(
        gate="metrics.rmse < 3.5",
        measured="3.1 < 3.5",
        holds=True,
        values={"metrics.rmse": 3.1},
    )
    assert verdict("metrics.nope < 1 or params.kind < 1") == Verdict(
        gate="metrics.nope < 1 or params.kind < 1",
        measured="(missing) < 1 or 'ridge' < 1",
        holds=False,
        note="metrics.nope is missing",
        values={"metrics.nope": None, "params.kind": "ridge"},
    )


def test_every_vacant_stage_is_named() -> None:
    text = "production.metrics.rmse < 1 and staging.metrics.rmse < 1"
    assert judge(read(text), CANDIDATE, {}).note == "nothing is live in Production, Staging"


def test_a_candidate_without_any_field_of_a_kind_lacks_the_value() -> None:
    result = judge(read("metrics.rmse < 1"), {}, {})
    assert (result.holds, result.note) == (False, "metrics.rmse is missing")
    live = judge(read("production.metrics.rmse < 1"), {}, {"production": {}})
    assert (live.holds, live.note) == (False, "production.metrics.rmse is missing")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("params.off = false", True),
        ("params.off = true", False),
        ("params.one != params.two", True),
        ("params.one != params.one", False),
        ("params.one != 1", False),
        ("abs(params.two) = 2", True),
        ("metrics.inf = metrics.inf", True),
    ],
)
def test_labels_are_compared_as_what_they_are_compared_with(text: str, holds: bool) -> None:
    facts: Any = {
        "params": {"off": " False ", "one": "1.0", "two": "-2"},
        "metrics": {"inf": math.inf},
    }
    assert judge(read(text), facts, {}).holds is holds


def test_a_calculation_without_a_number_fails() -> None:
    facts: Any = {"metrics": {"inf": math.inf}}
    result = judge(read("metrics.inf - metrics.inf < 1"), facts, {})
    assert (result.holds, result.note) == (False, "the result is not a number")
    assert result.measured == "inf - inf < 1"


def test_long_texts_are_cut_shorter_in_the_expression_than_in_the_values() -> None:
    for length in (40, 41, 120, 121):
        text = "x" * length
        result = judge(read("params.kind = 'y'"), {"params": {"kind": text}}, {})
        measured = text if length <= 40 else text[:40] + "…"
        recorded = text if length <= 120 else text[:120] + "…"
        assert result.measured == f"'{measured}' = 'y'"
        assert result.values == {"params.kind": recorded}


def test_values_are_formatted_as_they_stand_in_an_expression() -> None:
    values = [None, True, "a", 1.23456789, 3.0, math.inf, -math.inf]
    expected = ["(missing)", "true", "'a'", "1.234568", "3", "inf", "-inf"]
    assert [format_value(value) for value in values] == expected
    assert format_value(None, vacant=True) == "(nothing live)"


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("1 < 2", Operation(operator="<", items=(Literal(value=1.0), Literal(value=2.0)))),
        ("1 <> .5e1", Operation(operator="!=", items=(Literal(value=1.0), Literal(value=5.0)))),
        ("not TRUE", Operation(operator="not", items=(Literal(value=True),))),
        (
            "1 is Not Null",
            Operation(operator="is not null", items=(Literal(value=1.0),)),
        ),
        (
            ' Staging.Params.`a b` = "it""s"',
            Operation(
                operator="=",
                items=(
                    GateField(stage="staging", kind="params", key="a b", start=1, end=21),
                    Literal(value='it"s'),
                ),
            ),
        ),
        (
            "MAX(1, -2) >= params.a.b:c",
            Operation(
                operator=">=",
                items=(
                    Operation(
                        operator="max",
                        items=(
                            Literal(value=1.0),
                            Operation(operator="-", items=(Literal(value=2.0),)),
                        ),
                    ),
                    GateField(stage="", kind="params", key="a.b:c", start=14, end=26),
                ),
            ),
        ),
        (
            "true or false and false",
            Operation(
                operator="or",
                items=(
                    Literal(value=True),
                    Operation(operator="and", items=(Literal(value=False), Literal(value=False))),
                ),
            ),
        ),
    ],
)
def test_a_gate_is_parsed_into_its_operations(text: str, node: Node) -> None:
    assert parse(text) == node


def test_the_largest_gates_are_parsed() -> None:
    assert parse("1 = 1" + " " * 1995)
    with pytest.raises(InvalidInput, match="has 2001 characters") as error:
        parse("1 = 1" + " " * 1996)
    assert error.value.hint == "Split it into several gates: all of them must hold."
    deepest = "(" * 39 + "true" + ")" * 39
    assert parse(f"{deepest} and {deepest}")
    for opening in ("(", "not ", "- "):
        with pytest.raises(InvalidInput, match="at most 40 levels of parentheses, not and -"):
            parse(opening * 41 + "true")


KINDS = (
    "metrics., params., tags., datasets., evaluations., source., signature., approvals., "
    "approved_by. or a stage"
)
VALUE = f"a value such as metrics.rmse, 3.5, 'text' or true (fields start with {KINDS})"


@pytest.mark.parametrize(
    ("text", "position", "expected", "actual"),
    [
        ("metrics.rmse <", 15, VALUE, "but it ends there"),
        ("x.y = 1", 1, VALUE, "found 'x.y = 1'"),
        (
            "production.approvals.count = 1",
            1,
            "approvals. without a stage: only a promotion has approvals",
            "found 'production.approvals.coun'",
        ),
        (
            "metrics. = 1",
            9,
            "a key after metrics. (in backticks if it has signs)",
            "found ' = 1'",
        ),
        ("1 is 2", 6, "null or not null", "found '2'"),
        ("1 == 1", 3, "a comparison", "found '== 1'"),
        ("min(1 2) = 1", 7, ", or )", "found '2) = 1'"),
        ("(1 = 1", 7, "an operator or )", "but it ends there"),
        ("1 + true = 2", 5, "a number, not a boolean", "found 'true = 2'"),
        ("true and 1", 10, "a boolean, not a number", "found '1'"),
        ("not 1", 5, "a boolean, not a number", "found '1'"),
        ("-true = 1", 2, "a number, not a boolean", "found 'true = 1'"),
        ("min(1, true) = 1", 8, "a number, not a boolean", "found 'true) = 1'"),
        ("'a' = 1", 7, "a string, not a number", "found '1'"),
    ],
)
def test_an_invalid_gate_says_what_was_expected_where(
    text: str, position: int, expected: str, actual: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(text)
    assert error.value.message == (
        f"Invalid gate at character {position}: expected {expected}, {actual}."
    )


@pytest.mark.parametrize(
    "text",
    [
        "-params.a = 1",
        "params.a + params.b = 1",
        "1 = params.a",
        "true = params.a",
        "'a' != params.a",
        " and ".join(["not true"] * 100),
        " + ".join(["-1"] * 100) + " = 1",
        "abs (1) = 1",
    ],
)
def test_labels_stand_for_any_type_and_width_is_no_depth(text: str) -> None:
    assert parse(text)
