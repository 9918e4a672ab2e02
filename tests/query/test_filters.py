"""The filter language: what it reads, what it refuses and how, and what it means."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from gitml.entities import Experiment, Run, RunData, RunInfo, ViewType
from gitml.errors import InvalidInput
from gitml.query.filter_nodes import (
    EXPERIMENTS,
    RUNS as RUN_FIELDS,
    And,
    Condition,
    Entity,
    FilterField,
    Not,
    Operator,
    Or,
    OrderKey,
    Target,
)
from gitml.query.filter_parser import number
from gitml.query.filters import (
    RunQuery,
    as_number,
    check_max_results,
    decode_token,
    encode_token,
    experiment_matches,
    like,
    matches,
    parse_filter,
    parse_order_by,
    plain,
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
def test_excessive_filter_is_refused_in_a_single_sentence(text: str, message: str) -> None:
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


NUMBER_TESTS = "=, !=, >, >=, <, <=, BETWEEN, IN or IS NULL"
STRING_TESTS = "=, !=, LIKE, ILIKE, IN or IS NULL"
ANY_FIELD = "a field such as metrics.rmse, params.alpha or tags.team"
UNQUOTED = "Compare it with a number without quotes."


@pytest.mark.parametrize(
    ("text", "position", "expected", "hint"),
    [
        ("params.a ! 3", 10, f"a comparison such as {STRING_TESTS}", None),
        ("params.a NOT 3", 10, f"a comparison such as {STRING_TESTS}", None),
        ("params.a IS NOT 3", 17, "NULL", None),
        ("params.a IN 'x'", 13, "a list in parentheses after IN", None),
        ("params.a IN ('x' 'y')", 18, ", or )", None),
        (
            "params.a NOT LIKE 3",
            19,
            "a string in quotes, because params.a is a string",
            "Write '3' with the quotes.",
        ),
        ("metrics.a NOT LIKE 'x'", 11, f"{NUMBER_TESTS}, because metrics.a is a number", None),
        ("metrics.a ILIKE 'x'", 11, f"{NUMBER_TESTS}, because metrics.a is a number", None),
        ("tags.a BETWEEN 'a' AND 'b'", 8, f"{STRING_TESTS}, because tags.a is a string", None),
        ("status >= 'x'", 8, f"{STRING_TESTS}, because attributes.status is a string", None),
        ("params.a < 'x'", 10, f"{STRING_TESTS}, because params.a is a string", UNQUOTED),
        ("params.a <= 'x'", 10, f"{STRING_TESTS}, because params.a is a string", UNQUOTED),
        (
            "params.a BETWEEN 'a' AND 'b'",
            10,
            f"{STRING_TESTS}, because params.a is a string",
            UNQUOTED,
        ),
        (
            f"params.a = {'w' * 50}",
            12,
            "a string in quotes, because params.a is a string",
            f"Write '{'w' * 40}' with the quotes.",
        ),
        ("params.a && 'x'", 10, f"a comparison such as {STRING_TESTS}", "Write AND."),
        ("status = 'x' || status = 'y'", 14, "AND, OR or the end", "Write OR."),
        ("status = 'x' && status = 'y'", 14, "AND, OR or the end", "Write AND."),
        ("metrics.a > -", 13, "a number without quotes, because metrics.a is a number", None),
        (
            "metrics.a BETWEEN 1 AND",
            24,
            "a number without quotes, because metrics.a is a number",
            None,
        ),
        ("(status = 'x' AND)", 18, ANY_FIELD, None),
        ("status = 'x' OR", 16, ANY_FIELD, None),
        ("NOT", 4, ANY_FIELD, None),
        ("status = 'x' NOT", 14, "AND, OR or the end", None),
        ("metrics .a = 1", 8, "a dot and a key after metrics", None),
        (
            "metrics.a BETWEEN 1 AND 'x'",
            25,
            "a number without quotes, because metrics.a is a number",
            None,
        ),
        ("params.a = 'x' AND params.a.b", 30, f"a comparison such as {STRING_TESTS}", None),
        ("params.a IN (1, 'x')", 17, "a number without quotes, because params.a is a number", None),
        ("metrics.a = 1_0", 13, "a number without quotes, because metrics.a is a number", None),
        ("(tags.a = 'x'", 14, "AND, OR or )", None),
        ("dataset.x = 'y'", 9, "one of name, digest, context after datasets.", None),
    ],
)
def test_unexpected_token_of_a_run_filter(
    text: str, position: int, expected: str, hint: str | None
) -> None:
    check_unexpected(text, RUN_FIELDS, position, expected, hint)


@pytest.mark.parametrize(
    ("text", "position", "expected", "hint"),
    [
        ("name > 'x'", 6, f"{STRING_TESTS}, because attributes.name is a string", None),
        (
            "creation_time LIKE 'x'",
            15,
            f"{NUMBER_TESTS}, because attributes.creation_time is a number",
            None,
        ),
        ("tags = 'x'", 5, "a dot and a key after tags", None),
    ],
)
def test_unexpected_token_of_an_experiment_filter(
    text: str, position: int, expected: str, hint: str | None
) -> None:
    check_unexpected(text, EXPERIMENTS, position, expected, hint)


def check_unexpected(
    text: str, target: Target, position: int, expected: str, hint: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text, target)
    rest = text[position - 1 :][:25].rstrip()
    actual = f"found {rest!r}" if rest else "but it ends there"
    message = f"Invalid filter at character {position}: expected {expected}, {actual}."
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("target", "text", "field", "position", "hint"),
    [
        (
            RUN_FIELDS,
            "status = 'x' AND x.y = 1",
            "x.y",
            18,
            "Fields start with metrics., params., tags., datasets. or attributes.",
        ),
        (
            RUN_FIELDS,
            "status = 'x' AND run.nope = 'x'",
            "nope",
            22,
            "Did you mean metrics.nope, params.nope or tags.nope?",
        ),
        (RUN_FIELDS, "st = 1", "st", 1, "Did you mean metrics.st, params.st or tags.st?"),
        (RUN_FIELDS, "START = 1", "START", 1, "Did you mean status or start_time?"),
        (RUN_FIELDS, "METRICS.a = 1", "METRICS.a", 1, "Did you mean metrics.a?"),
        (RUN_FIELDS, "attr1.status = 'x'", "attr1.status", 1, "Did you mean attributes.status?"),
        (RUN_FIELDS, "dat.name = 'x'", "dat.name", 1, "Did you mean datasets.name?"),
        (RUN_FIELDS, "metrcs.`a b` = 1", "metrcs.a b", 1, "Did you mean metrics.`a b`?"),
        (
            RUN_FIELDS,
            "me.a = 1",
            "me.a",
            1,
            "Fields start with metrics., params., tags., datasets. or attributes.",
        ),
        (RUN_FIELDS, "sta", "sta", 1, "Did you mean status or start_time?"),
        (EXPERIMENTS, "nam = 'x'", "nam", 1, "Did you mean name?"),
        (EXPERIMENTS, "CREation = 1", "CREation", 1, "Did you mean creation_time?"),
        (EXPERIMENTS, "metrics.a = 1", "metrics.a", 1, "Fields start with tags. or attributes."),
        (EXPERIMENTS, "a.b = 'x'", "a.b", 1, "Fields start with tags. or attributes."),
        (EXPERIMENTS, "foo = 'x'", "foo", 1, "Did you mean tags.foo?"),
        (EXPERIMENTS, "tagz.a = 'x'", "tagz.a", 1, "Did you mean tags.a?"),
        (EXPERIMENTS, "`a b` = 'x'", "a b", 1, "Did you mean tags.`a b`?"),
    ],
)
def test_unknown_field_gets_a_suggestion(
    target: Target, text: str, field: str, position: int, hint: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text, target)
    message = f"Unknown field {field!r} at character {position}."
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("item", "position", "expected", "rest", "hint"),
    [
        ("metrics.a DOWN", 11, "ASC, DESC or the end", "found 'DOWN'", None),
        ("metrics.a DESC, x", 15, "ASC, DESC or the end", "found ', x'", None),
        ("metrics.a == 1", 11, "ASC, DESC or the end", "found '== 1'", "Write = for equality."),
        ("datasets.name", 1, "a field with one value per run", "found 'datasets.name'", None),
        ("  dataset.name", 3, "a field with one value per run", "found 'dataset.name'", None),
        ("  ", 3, ANY_FIELD, "but it ends there", None),
        ("metrics", 8, "a dot and a key after metrics", "but it ends there", None),
    ],
)
def test_unexpected_token_of_a_sort_key(
    item: str, position: int, expected: str, rest: str, hint: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_order_by([item])
    message = f"Invalid order_by item at character {position}: expected {expected}, {rest}."
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("action", "message", "hint"),
    [
        (
            lambda: parse_order_by("metrics.a"),
            "order_by must be a list of strings, not the string 'metrics.a'.",
            "Write ['metrics.a'].",
        ),
        (lambda: parse_order_by([3]), "An order_by item must be a string, not 3.", None),
        (
            lambda: parse_order_by(["metrics.a"] * 21),
            "order_by has 21 keys; at most 20 are allowed.",
            None,
        ),
        (lambda: parse_filter(3), "A filter must be a string, not 3.", None),
        (
            lambda: check_max_results(0),
            "max_results must be a whole number from 1 to 50,000, not 0.",
            None,
        ),
        (
            lambda: decode_token("x"),
            "'x' is not a page token.",
            "Pass the token of the previous page.",
        ),
        (
            lambda: RunQuery(experiment_ids="abc"),
            "experiment_ids must be a list of strings, not 'abc'.",
            'For example ["1", "2"].',
        ),
        (
            lambda: RunQuery(experiment_ids=("1", 2)),
            "experiment_ids must be a list of strings, not ('1', 2).",
            'For example ["1", "2"].',
        ),
        (
            lambda: RunQuery(run_view_type=9),
            "run_view_type must be a ViewType, not 9.",
            "Use gitml.entities.ViewType.",
        ),
        (
            lambda: parse_filter("(" * 51 + "status = 'x'"),
            "The filter has more than 50 levels of parentheses and NOT (at character 52).",
            "Split it into several searches.",
        ),
        (
            lambda: parse_filter("(status = 'x') AND " + "(" * 51 + "status = 'x'" + ")" * 51),
            "The filter has more than 50 levels of parentheses and NOT (at character 71).",
            "Split it into several searches.",
        ),
        (
            lambda: parse_filter(" OR ".join(["start_time = 1"] * 501)),
            "The filter has more than 500 conditions (at character 9001).",
            "Split it into several searches.",
        ),
        (
            lambda: parse_filter(f"start_time IN ({','.join(['1'] * 10_001)})"),
            "The filter has more than 10000 values (at character 20016).",
            "Split it into several searches.",
        ),
    ],
)
def test_message_and_hint_of_a_bad_value(
    action: Callable[[], object], message: str, hint: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        action()
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "text",
    [
        "(status = 'x') AND " + "(" * 50 + "status = 'x'" + ")" * 50,
        "NOT " * 50 + "status = 'x'",
        " AND ".join(["(status = 'x')"] * 60),
        " OR ".join(["start_time = 1"] * 500),
        f"start_time IN ({','.join(['1'] * 10_000)})",
        "status = 'x' AND",
    ],
)
def test_filter_within_its_limits_is_accepted(text: str) -> None:
    assert parse_filter(text) is not None


def test_sort_keys_and_pages_within_their_limits_are_accepted() -> None:
    assert len(parse_order_by(["metrics.a"] * 20)) == 20
    assert parse_order_by(None) == parse_order_by([]) == ()
    check_max_results(1)
    check_max_results(50_000)
    for view_type in ViewType:
        assert RunQuery(experiment_ids=("1", "2"), run_view_type=view_type).page_token is None


def test_suggestion_quotes_40_characters_of_a_key() -> None:
    with pytest.raises(InvalidInput, match=f"mean metrics.{'a' * 40}[?]"):
        parse_filter(f"metrcs.{'a' * 41} = 1")
    for text, key in (("a" * 50, "a" * 40), (f"`{'a b' * 20}`", f"`{('a b' * 20)[:40]}`")):
        with pytest.raises(InvalidInput) as caught:
            parse_filter(f"{text} = 1")
        assert caught.value.hint == f"Did you mean metrics.{key}, params.{key} or tags.{key}?"


@pytest.mark.parametrize(
    ("test", "operator", "values"),
    [
        ("= 1", Operator.EQUAL, (1,)),
        ("!= 1", Operator.UNEQUAL, (1,)),
        ("<> 1", Operator.UNEQUAL, (1,)),
        ("> 1", Operator.GREATER, (1,)),
        (">= 1", Operator.GREATER_OR_EQUAL, (1,)),
        ("< 1", Operator.LESS, (1,)),
        ("<= 1", Operator.LESS_OR_EQUAL, (1,)),
        ("in (1, 2)", Operator.IN, (1, 2)),
        ("not in (1)", Operator.NOT_IN, (1,)),
        ("between 1 and 2", Operator.BETWEEN, (1, 2)),
        ("not between 1 and 2", Operator.NOT_BETWEEN, (1, 2)),
        ("is null", Operator.IS_NULL, ()),
        ("is not null", Operator.IS_NOT_NULL, ()),
    ],
)
def test_every_test_of_a_number(test: str, operator: Operator, values: tuple[int, ...]) -> None:
    for field in (
        FilterField(entity=Entity.METRIC, key="a.b", numeric=True),
        FilterField(entity=Entity.ATTRIBUTE, key="start_time", numeric=True),
    ):
        expected = Condition(field=field, operator=operator, values=values)
        assert parse_filter(f"{field} {test}") == expected
    param = FilterField(entity=Entity.PARAM, key="a", numeric=bool(values))
    expected = Condition(field=param, operator=operator, values=values)
    assert parse_filter(f"params.a {test}") == expected


@pytest.mark.parametrize(
    ("test", "operator", "values"),
    [
        ("= '1'", Operator.EQUAL, ("1",)),
        ("<> '1'", Operator.UNEQUAL, ("1",)),
        ("like '1'", Operator.LIKE, ("1",)),
        ("not like '1'", Operator.NOT_LIKE, ("1",)),
        ("ilike '1'", Operator.ILIKE, ("1",)),
        ("not ilike '1'", Operator.NOT_ILIKE, ("1",)),
        ("in ('1', '2')", Operator.IN, ("1", "2")),
        ("not in ('1')", Operator.NOT_IN, ("1",)),
        ("is null", Operator.IS_NULL, ()),
        ("is not null", Operator.IS_NOT_NULL, ()),
    ],
)
def test_every_test_of_a_string(test: str, operator: Operator, values: tuple[str, ...]) -> None:
    for entity, key in (
        (Entity.PARAM, "a.b"),
        (Entity.TAG, "a"),
        (Entity.DATASET, "digest"),
        (Entity.ATTRIBUTE, "status"),
    ):
        field = FilterField(entity=entity, key=key)
        expected = Condition(field=field, operator=operator, values=values)
        assert parse_filter(f"{field} {test}") == expected


@pytest.mark.parametrize(
    ("word", "whole", "value"),
    [
        ("9223372036854775807", True, 2**63 - 1),
        ("-9223372036854775808", True, -(2**63)),
        ("+5", True, 5),
        ("9223372036854775808", True, 2.0**63),
        ("-9223372036854775809", True, -(2.0**63)),
        ("9" * 19, True, 1e19),
        ("0" * 19 + "1", True, 1.0),
        ("5.0", True, 5.0),
        ("inf", True, math.inf),
        ("5", False, 5.0),
    ],
)
def test_number_is_an_integer_if_it_fits(word: str, whole: bool, value: float) -> None:
    result = number(word, whole=whole)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [(" 1e1 ", 10.0), ("x", None), ("", None), ("-inf", -math.inf), ("1 2", None)],
)
def test_param_as_a_number(text: str, value: float | None) -> None:
    assert as_number(text) == value


def test_lone_surrogates_are_replaced() -> None:
    assert plain("a\ud800é\udfffb") == "a\ufffdé\ufffdb"
    assert plain("abc") == "abc"
    run = replace(make_run(), data=RunData(tags={"a": "x\ud800"}))
    assert matches(parse_filter("tags.a = 'x\udfff'"), run)
    assert matches(parse_filter("tags.a IN ('y', 'x\ufffd')"), run)


@pytest.mark.parametrize(
    ("start", "end", "operand", "expected"),
    [
        (0, 2**63 - 1, 2**63 - 1, True),
        (0, 2**63 + 1, 2**63, True),
        (0, -(2**63) - 1, -(2**63), True),
        (2**53 + 1, 0, -(2**53), False),
        (2**53 + 1, 0, -(2**53) - 1, True),
        (1, 2, 1, True),
    ],
)
def test_duration_beyond_64_bits_is_rounded(
    start: int, end: int, operand: int, expected: bool
) -> None:
    run = make_run(start_time=start)
    run = replace(run, info=replace(run.info, end_time=end))
    assert matches(parse_filter(f"duration = {operand}"), run) is expected


def test_page_token_is_the_offset_as_json() -> None:
    assert encode_token(1000) == "eyJvZmZzZXQiOiAxMDAwfQ=="
    for offset in (1, 2**63 - 1):
        assert decode_token(encode_token(offset)) == offset


@pytest.mark.parametrize("offset", ["true", "1.5", '"5"', "null", "0"])
def test_page_token_with_a_bad_offset_is_refused(offset: str) -> None:
    token = base64.urlsafe_b64encode(f'{{"offset": {offset}}}'.encode()).decode()
    with pytest.raises(InvalidInput, match="is not a page token"):
        decode_token(token)


def test_runs_are_sorted_by_every_key_in_turn() -> None:
    first, second, third = (
        replace(make_run(n), data=RunData(tags={"a": a}, metrics={"m": m}))
        for n, a, m in ((1, "\ud800", 1.0), (2, "\ue000", 2.0), (3, "\ue000", 1.0))
    )
    absent = make_run(4)
    runs = [absent, first, second, third]
    by_tag = parse_order_by(["tags.a", "metrics.m"])
    assert sort_runs(runs, by_tag) == [third, second, first, absent]
    by_metric = parse_order_by(["metrics.m DESC", "tags.a DESC"])
    assert sort_runs(runs, by_metric) == [second, first, third, absent]


def test_runs_with_equal_ids_are_sorted_by_experiment() -> None:
    runs = [
        replace(run, info=replace(run.info, experiment_id=name))
        for run, name in ((make_run(), "b"), (make_run(), "a"), (make_run(), "c"))
    ]
    assert [run.info.experiment_id for run in sort_runs(runs, ())] == ["a", "b", "c"]


def test_experiments_are_sorted_by_every_key_in_turn() -> None:
    ada, bob, cy, dan = (
        Experiment(experiment_id=id_, name=name, creation_time=time, tags=tags)
        for id_, name, time, tags in (
            ("1", "same", 5, {"team": "x"}),
            ("2", "same", 5, {"team": "y"}),
            ("3", "other", 5, {}),
            ("4", "other", 7, {}),
        )
    )
    experiments = [cy, bob, dan, ada]
    for order, expected in (
        ([], [dan, ada, bob, cy]),
        (["creation_time"], [ada, bob, cy, dan]),
        (["tags.team DESC"], [bob, ada, dan, cy]),
        (["name DESC", "experiment_id DESC"], [bob, ada, dan, cy]),
        (["attributes.name", "creation_time ASC"], [cy, dan, ada, bob]),
    ):
        assert sort_experiments(experiments, parse_order_by(order, EXPERIMENTS)) == expected
    assert experiment_matches(None, ada)
    assert not experiment_matches(parse_filter("tags.team IS NOT NULL", EXPERIMENTS), cy)
