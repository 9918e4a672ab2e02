"""The filter language: what it reads, what it refuses and how, and what it means."""

from __future__ import annotations

import math

import pytest

from gitml.entities import Dataset, Experiment, Run, RunData, RunInfo, RunInputs
from gitml.errors import InvalidInput
from gitml.store.search import (
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
from gitml.store.search_nodes import (
    EXPERIMENTS,
    And,
    Comparison,
    Entity,
    Field,
    Not,
    Operator,
    Or,
    OrderKey,
)


def make_run(
    number: int = 1,
    *,
    metrics: dict[str, float] | None = None,
    start_time: int = 1_000,
    datasets: tuple[Dataset, ...] = (),
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
        data=RunData(
            metrics=metrics or {"rmse": 2.5, "nan": math.nan, "val loss": 1.0, "val/acc": 0.9},
            params={"alpha": "0.1", "quoted": 'it\'s "it"', "empty": ""},
            tags={"mlflow.runName": "Bold Fox", "team": "Größe 100%"},
        ),
        inputs=RunInputs(dataset_inputs=datasets),
    )


RUN = make_run(
    datasets=(
        Dataset(name="cars", digest="aa11", context="train"),
        Dataset(name="weather", digest="bb22"),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.rmse = 2.5",
        "metrics.rmse != 2",
        "metrics.rmse <> 2",
        "metrics.rmse > -1e3 and metric.rmse<=2.5",
        "metrics.rmse >= 2.5 AND metrics.rmse < inf AND",
        "metrics.rmse BETWEEN 2 AND 3",
        "metrics.rmse NOT BETWEEN 3 AND 4",
        "metrics.rmse IN (1, 2.5)",
        "metrics.rmse NOT IN (1)",
        "metrics.`val loss` = 1",
        'metrics."val loss" = 1',
        "metrics.val/acc > .8",
        "metrics.nan IS NOT NULL",
        "metrics.nope IS NULL",
        "params.alpha = '0.1'",
        'param.alpha = "0.1"',
        "parameters.alpha LIKE '0._'",
        "parameter.alpha NOT LIKE '1%'",
        "params.empty = ''",
        "params.quoted = 'it''s \"it\"'",
        'params.quoted = "it\'s ""it"""',
        "params.nope is null",
        "params.alpha Is Not Null",
        "tags.mlflow.runName = 'Bold Fox'",
        "tag.team ILIKE 'grÖSSE%' OR tag.team ILIKE 'GRÖßE%'",
        "tags.team LIKE '%100%'",
        "tags.team NOT ILIKE 'x'",
        "run_id = '00000000000000000000000000000001'",
        "attributes.run_id IN ('x', '00000000000000000000000000000001')",
        "attr.status = 'FINISHED' AND attribute.status != 'finished'",
        "run.experiment_id = 'price'",
        "`Run name` = 'Bold Fox' AND attributes.`run name` LIKE '%Fox'",
        "Created = 1000 AND created < 1001",
        "end_time IS NULL",
        "user_id NOT IN ('bob')",
        "artifact_uri = 'runs:/00000000000000000000000000000001'",
        "datasets.name = 'cars' AND dataset.name = 'weather'",
        "datasets.name != 'cars'",
        "datasets.digest IN ('aa11') AND datasets.context = 'train'",
        "NOT params.nope = 'x'",
        "NOT (metrics.rmse > 3 OR params.alpha = '1') AND (status = 'FINISHED')",
        "params.alpha = 'x' AND params.alpha = 'y' OR status = 'FINISHED'",
        "",
        "   ",
        None,
    ],
)
def test_filter_holds_for_the_run(text: str | None) -> None:
    assert matches(parse_filter(text), RUN)


@pytest.mark.parametrize(
    "text",
    [
        "params.nope != 'x'",
        "params.nope NOT LIKE 'x'",
        "params.nope NOT IN ('x')",
        "params.nope IS NOT NULL",
        "metrics.nope < 1",
        "metrics.nan != 1",
        "metrics.nan < inf",
        "metrics.nan NOT BETWEEN 1 AND 2",
        "metrics.nan NOT IN (1)",
        "metrics.nan IS NULL",
        "end_time != 4",
        "datasets.context != 'train'",
        "status = 'finished'",
        "tags.team LIKE 'größe%'",
        "params.alpha LIKE '0.'",
        "NOT status = 'FINISHED'",
    ],
)
def test_filter_does_not_hold_for_the_run(text: str) -> None:
    assert not matches(parse_filter(text), RUN)


def test_filter_becomes_values() -> None:
    rmse = Field(entity=Entity.METRIC, key="rmse", numeric=True)
    alpha = Field(entity=Entity.PARAM, key="alpha")
    start = Field(entity=Entity.ATTRIBUTE, key="start_time", numeric=True)
    assert parse_filter(
        "metrics.rmse < 3 AND NOT (params.alpha IN ('a','b') OR created > 9007199254740993)"
    ) == And(
        items=(
            Comparison(field=rmse, operator=Operator.LESS, values=(3.0,)),
            Not(
                item=Or(
                    items=(
                        Comparison(field=alpha, operator=Operator.IN, values=("a", "b")),
                        Comparison(
                            field=start, operator=Operator.GREATER, values=(9007199254740993,)
                        ),
                    )
                )
            ),
        )
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "metrics.rmse == 3",
            "The filter cannot be read at character 14: expected a comparison such as =, !=, >, "
            ">=, <, <=, BETWEEN, IN or IS NULL, found '== 3'. Write = for equality.",
        ),
        (
            "params.alpha = fast",
            "The filter cannot be read at character 16: expected a text in quotes, because "
            "params.alpha is a text, found 'fast'. Write 'fast' with the quotes.",
        ),
        (
            "params.alpha > 3",
            "The filter cannot be read at character 14: expected =, !=, LIKE, ILIKE, IN or "
            "IS NULL, because params.alpha is a text, found '> 3'.",
        ),
        (
            "metrics.rmse < '3'",
            "The filter cannot be read at character 16: expected a number without quotes, because "
            "metrics.rmse is a number, found \"'3'\".",
        ),
        (
            "metrics.rmse LIKE '3%'",
            "The filter cannot be read at character 14: expected =, !=, >, >=, <, <=, BETWEEN, IN "
            "or IS NULL, because metrics.rmse is a number, found \"LIKE '3%'\".",
        ),
        (
            "rmse < 3",
            "The filter cannot be read at character 1: expected an attribute of the run (run_id, "
            "run_name, status, start_time, end_time, artifact_uri, user_id, experiment_id), found "
            "'rmse < 3'. Write metrics., params. or tags. before other keys.",
        ),
        (
            "metrcs.rmse < 3",
            "The filter cannot be read at character 1: expected one of metrics, params, tags, "
            "datasets or attributes before the dot, found 'metrcs.rmse < 3'.",
        ),
        (
            "metrics.rmse < 3 metrics.mae < 2",
            "The filter cannot be read at character 18: expected AND, OR or the end, found "
            "'metrics.mae < 2'.",
        ),
        (
            "metrics.rmse < 3;",
            "The filter cannot be read at character 17: expected AND, OR or the end, found ';'. "
            "A filter is one expression without a semicolon.",
        ),
        (
            "(metrics.rmse < 3",
            "The filter cannot be read at character 18: expected AND, OR or ), but it ends there.",
        ),
        (
            "metrics.rmse <",
            "The filter cannot be read at character 15: expected a number without quotes, because "
            "metrics.rmse is a number, but it ends there.",
        ),
        (
            "metrics.rmse < nan",
            "The filter cannot be read at character 16: expected a number without quotes, because "
            "metrics.rmse is a number, found 'nan'.",
        ),
        (
            "params.a = 'x",
            "The filter cannot be read at character 12: expected a text in quotes, because "
            'params.a is a text, found "\'x".',
        ),
        (
            "params.a IN ()",
            "The filter cannot be read at character 14: expected a text in quotes, because "
            "params.a is a text, found ')'.",
        ),
        (
            "metrics. < 3",
            "The filter cannot be read at character 9: expected a key behind metrics., quoted "
            "with ` where it has spaces, found ' < 3'.",
        ),
        (
            "datasets.source = 'x'",
            "The filter cannot be read at character 10: expected one of name, digest, context "
            "behind datasets., found \"source = 'x'\".",
        ),
        (
            "params.a IS 3",
            "The filter cannot be read at character 13: expected NULL or NOT NULL, found '3'.",
        ),
        (
            "metrics.a BETWEEN 1, 2",
            "The filter cannot be read at character 20: expected AND and the upper bound of "
            "BETWEEN, found ', 2'.",
        ),
    ],
)
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
    with pytest.raises(InvalidInput, match="A filter is a text"):
        parse_filter(text)  # type: ignore[arg-type]


def test_sort_keys_become_values() -> None:
    assert parse_order_by(["metrics.`val loss` desc", "params.alpha ASC", "Created"]) == (
        OrderKey(field=Field(entity=Entity.METRIC, key="val loss", numeric=True), descending=True),
        OrderKey(field=Field(entity=Entity.PARAM, key="alpha")),
        OrderKey(field=Field(entity=Entity.ATTRIBUTE, key="start_time", numeric=True)),
    )


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["metrics.a DOWN"], "at character 11: expected ASC, DESC or the end, found 'DOWN'"),
        (["metrics.a, metrics.b"], "at character 10: expected ASC, DESC or the end"),
        (["datasets.name"], "expected a field with one value per run"),
        ([""], "expected a field such as"),
        ([None], "An order_by item is a text, not None"),
        ("metrics.a", "order_by is a list of texts"),
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
    assert [experiment_matches(node, one) for one in (first, second)] == [True, True]
    only = parse_filter("creation_time > 1 AND tags.team IS NULL", EXPERIMENTS)
    assert [experiment_matches(only, one) for one in (first, second)] == [False, True]
    assert sort_experiments([first, second], ()) == [second, first]
    by_name = parse_order_by(["name"], EXPERIMENTS)
    assert sort_experiments([second, first], by_name) == [first, second]
    with pytest.raises(InvalidInput, match=r"one of tags or attributes before the dot"):
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
    with pytest.raises(InvalidInput, match="Give a whole number from 1 to 50000"):
        RunQuery(max_results=max_results)


def test_experiment_ids_that_are_no_list_of_texts_are_refused() -> None:
    for bad in ("abc", (1,)):
        with pytest.raises(InvalidInput, match="experiment_ids"):
            RunQuery(experiment_ids=bad)  # type: ignore[arg-type]


def test_unknown_view_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="run_view_type is 9"):
        RunQuery(run_view_type=9)  # type: ignore[arg-type]
