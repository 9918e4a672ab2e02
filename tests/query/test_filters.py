"""The filter language: what it reads, what it refuses and how, and what it means."""

from __future__ import annotations

import math

import pytest

from gitml.entities import Experiment, Run, RunData, RunInfo
from gitml.errors import InvalidInput
from gitml.query.filter_nodes import (
    EXPERIMENTS,
    And,
    Condition,
    Entity,
    FilterField,
    Not,
    Operator,
    Or,
    OrderKey,
)
from gitml.query.filters import (
    RunQuery,
    decode_token,
    encode_token,
    experiment_matches,
    like,
    matches,
    parse_filter,
    parse_order_by,
    sort_experiments,
    sort_runs,
)
from tests.filters import MATCHES, REFUSED, RUNS


def make_run(
    number: int = 1,
    *,
    metrics: dict[str, float] | None = None,
    start_time: int = 1_000,
) -> Run:
    return Run(
        info=RunInfo(
            run_id=f"{number:032x}",
            experiment_id="price",
            run_name="Bold Fox",
            user_id="ada",
            status="FINISHED",
            start_time=start_time,
        ),
        data=RunData(metrics=metrics or {}),
    )


@pytest.mark.parametrize(("text", "matching"), MATCHES)
def test_filter_holds_for_the_runs_of_the_table(text: str, matching: str) -> None:
    node = parse_filter(text)
    assert [name for name, run in RUNS.items() if matches(node, run)] == matching.split()


@pytest.mark.parametrize("text", ["", "   ", None])
def test_no_filter_holds_for_every_run(text: str | None) -> None:
    assert parse_filter(text) is None
    assert matches(None, make_run())


def test_filter_becomes_values() -> None:
    rmse = FilterField(entity=Entity.METRIC, key="rmse", numeric=True)
    alpha = FilterField(entity=Entity.PARAM, key="alpha")
    start = FilterField(entity=Entity.ATTRIBUTE, key="start_time", numeric=True)
    assert parse_filter(
        "metrics.rmse < 3 AND NOT (params.alpha IN ('a','b') OR created > 9007199254740993)"
    ) == And(
        items=(
            Condition(field=rmse, operator=Operator.LESS, values=(3.0,)),
            Not(
                item=Or(
                    items=(
                        Condition(field=alpha, operator=Operator.IN, values=("a", "b")),
                        Condition(
                            field=start, operator=Operator.GREATER, values=(9007199254740993,)
                        ),
                    )
                )
            ),
        )
    )


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_error_names_position_expectation_and_find(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 100_000, "more than 50 levels of parentheses and NOT (at character 52)"),
        ("NOT " * 100_000, "more than 50 levels of parentheses and NOT (at character 205)"),
        (" OR ".join(["start_time = 1"] * 501), "more than 500 conditions"),
        (f"start_time IN ({','.join(['1'] * 10_001)})", "more than 10000 values"),
    ],
)
def test_excessive_filter_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match="The filter has") as caught:
        parse_filter(text)
    assert message in caught.value.message


@pytest.mark.parametrize("text", [3, ["a"], b"metrics.a < 1"])
def test_filter_that_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="A filter must be a string"):
        parse_filter(text)  # type: ignore[arg-type]


def test_sort_keys_become_values() -> None:
    assert parse_order_by(["metrics.`val loss` desc", "params.alpha ASC", "Created"]) == (
        OrderKey(
            field=FilterField(entity=Entity.METRIC, key="val loss", numeric=True), descending=True
        ),
        OrderKey(field=FilterField(entity=Entity.PARAM, key="alpha")),
        OrderKey(field=FilterField(entity=Entity.ATTRIBUTE, key="start_time", numeric=True)),
    )


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["metrics.a DOWN"], "at character 11: expected ASC, DESC or the end, found 'DOWN'"),
        (["metrics.a, metrics.b"], "at character 10: expected ASC, DESC or the end"),
        (["datasets.name"], "expected a field with one value per run"),
        ([""], "expected a field such as"),
        ([None], "An order_by item must be a string, not None"),
        ("metrics.a", "order_by must be a list of strings"),
        (["metrics.a"] * 21, "order_by has 21 keys"),
    ],
)
def test_bad_sort_key_is_refused(items: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_order_by(items)
    assert message in str(caught.value)


@pytest.mark.parametrize("descending", [False, True])
def test_nan_comes_after_numbers_and_absent_values_last(descending: bool) -> None:
    values = {1: 2.0, 2: math.nan, 3: None, 4: -math.inf, 5: 2.0}
    runs = [
        make_run(n, metrics={"m": v} if v is not None else {"other": 1.0}, start_time=n)
        for n, v in values.items()
    ]
    order = parse_order_by([f"metrics.m {'DESC' if descending else 'ASC'}"])
    numbers = [int(run.info.run_id, 16) for run in sort_runs(runs, order)]
    assert numbers == ([5, 1, 4, 2, 3] if descending else [4, 5, 1, 2, 3])


def test_runs_without_sort_key_come_newest_first_then_by_id() -> None:
    runs = [make_run(n, start_time=t) for n, t in ((3, 5), (1, 5), (2, 9))]
    assert [int(run.info.run_id, 16) for run in sort_runs(runs, ())] == [2, 1, 3]


def test_experiments_are_filtered_and_sorted_by_the_same_language() -> None:
    first = Experiment(experiment_id="a", name="Alpha", creation_time=1, tags={"team": "x"})
    second = Experiment(experiment_id="b", name="Beta", creation_time=2)
    node = parse_filter("tags.team = 'x' OR name ILIKE 'BETA'", EXPERIMENTS)
    assert [experiment_matches(node, experiment) for experiment in (first, second)] == [True, True]
    only = parse_filter("creation_time > 1 AND tags.team IS NULL", EXPERIMENTS)
    assert [experiment_matches(only, experiment) for experiment in (first, second)] == [False, True]
    assert sort_experiments([first, second], ()) == [second, first]
    by_name = parse_order_by(["name"], EXPERIMENTS)
    assert sort_experiments([second, first], by_name) == [first, second]
    with pytest.raises(InvalidInput, match=r"Fields start with tags. or attributes."):
        parse_filter("metrics.a > 1", EXPERIMENTS)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("%", "", True),
        ("a%b%c", "a-b-b-c", True),
        ("a%b%c", "a-c-b", False),
        ("a%a", "a", False),
        ("_", "\n", True),
        ("%.%", "ab", False),
        ("%a%b%a%", "abbab", True),
        ("%a_%b", "aab", True),
        ("%aab%b", "aaabb", True),
        ("a%\n%b", "a\x00\n b", True),
    ],
)
def test_like_pattern(pattern: str, text: str, expected: bool) -> None:
    assert (like(pattern, False)(text) is not None) is expected


def test_hostile_like_pattern_is_fast() -> None:
    assert like("%a" * 2_000 + "b", False)("a" * 5_000) is None
    assert like("%" + "_a" * 500 + "%b", True)("a" * 5_000) is None


def test_page_token_comes_back() -> None:
    assert decode_token(encode_token(1000)) == 1000
    assert decode_token(None) == decode_token("") == 0


@pytest.mark.parametrize(
    "token", ["x", "é", "eyJvZmZzZXQiOiAwfQ==", encode_token(-1), encode_token(2**63), "W10=", 3]
)
def test_foreign_page_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="is not a page token"):
        RunQuery(page_token=token)


@pytest.mark.parametrize("max_results", [0, -1, 50_001, 1.5, True, "5", None])
def test_page_length_out_of_range_is_refused(max_results: int) -> None:
    with pytest.raises(InvalidInput, match="must be a whole number from 1 to 50,000"):
        RunQuery(max_results=max_results)


def test_experiment_ids_that_are_no_list_of_texts_are_refused() -> None:
    for bad in ("abc", (1,)):
        with pytest.raises(InvalidInput, match="experiment_ids"):
            RunQuery(experiment_ids=bad)  # type: ignore[arg-type]


def test_unknown_view_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="run_view_type must be a ViewType, not 9"):
        RunQuery(run_view_type=9)  # type: ignore[arg-type]
