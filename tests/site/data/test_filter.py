"""The page's filter language and Python's: the same runs, the same messages, the same places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from gitml.entities import Dataset, Run, RunInputs
from gitml.errors import InvalidInput
from gitml.query.filters import matches, parse_filter
from gitml.site.data import columns
from tests import filters
from tests.site.conftest import make_run
from tests.site.test_browser import count, experiment, until

pytestmark = pytest.mark.browser

METRICS = (0.0, -1.5, 3.0, 1e300, math.nan, math.inf, -math.inf, 0.1)
TEXTS = (
    "",
    "5",
    "5.0",
    "-1e3",
    " 7 ",
    "0x10",
    "1_0",
    "nan",
    "inf",
    "-Infinity",
    "it's",
    'a "b"',
    "100%",
    "a_b",
    "Émile",
    "🙂",
    "line\nbreak",
    "FINISHED",
    "tree",
)
RUNS = [
    make_run(
        n,
        metrics={key: METRICS[(n * 5 + k) % 8] for k, key in enumerate(("m", "a b")) if n % 7 != k},
        params={key: TEXTS[(n * 3 + k) % 19] for k, key in enumerate(("p", "x.y", "`")) if n % 5},
        tags={"t": TEXTS[n % 19]} if n % 3 else {},
        summaries={},
        user_id=TEXTS[n % 19],
        inputs=RunInputs(
            dataset_inputs=tuple(
                Dataset(name=TEXTS[(n + k) % 19], digest=f"d{k}", context=("", "tree")[n % 2])
                for k in range(n % 3)
            )
        ),
        end_time=None if n % 6 == 1 else 1_772_000_000_000 - n * 3_600_000 + n * 100,
    )
    for n in range(40)
]

_COUNTED = ("metrics.m", "metric.`a b`", "params.p", "start_time", "end_time", "duration")
_WORDED = (
    "params.p",
    'parameter."x.y"',
    "tags.t",
    "run_name",
    "user_id",
    "run.artifact_uri",
    "datasets.name",
    "dataset.`context`",
    "source",
)
_FIELDS = (
    *_COUNTED,
    *_WORDED,
    "metrics.gone",
    "params.x.y",
    'params."`"',
    "tag.gone",
    "attr.run_id",
    "attributes.status",
    "`Run name`",
    "created",
    "experiment_id",
    "source",
    "commit",
    "dirty",
    "datasets.digest",
    "datasets.source",
)
_NUMBERS = ("0", "-1.5", "3", "+.1", "1e300", "inf", "-Infinity", "5.", "1771996400000", "700")
_SIGNS = ("=", "!=", "<>", "<", "<=", ">", ">=")
_PATTERNS = (
    "%",
    "_",
    "%e%",
    "t%e",
    "%%",
    "f____t-%",
    "a\\_b",
    "a_b",
    "100%",
    "%it''s%",
    ".*",
    "É%",
    "runs:/%",
)
_SOUP = (
    *_FIELDS,
    *_NUMBERS,
    *_SIGNS,
    "'tree'",
    '"a ""b"""',
    "'it''s'",
    "AND",
    "or",
    "Not",
    "(",
    ")",
    ",",
    "IN",
    "LIKE",
    "ilike",
    "BETWEEN",
    "is",
    "null",
    "==",
    "&&",
    "||",
    ";",
    "`",
    "'",
    "forest",
    "metrics",
    "Metrics.m",
    "metrics.",
    "colour.x",
    "!",
    "🙂",
    "'🙂'",
    "it's",
    "\\",
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _conditions() -> st.SearchStrategy[str]:
    number, text = st.sampled_from(_NUMBERS), st.sampled_from(TEXTS).map(_quoted)
    counted, worded, field = map(st.sampled_from, (_COUNTED, _WORDED, _FIELDS))
    pattern, sign = st.sampled_from(_PATTERNS).map("'{}'".format), st.sampled_from(_SIGNS)
    negation = st.sampled_from(("", "NOT ", "not "))
    return st.one_of(
        st.builds("{} {} {}".format, counted, sign, number),
        st.builds("{} {} {}".format, worded, st.sampled_from(("=", "!=", "<>")), text),
        st.builds("{} {} {}".format, field, sign, number | text),
        st.builds("{} {}LIKE {}".format, worded, negation, pattern),
        st.builds("{} {}ILIKE {}".format, worded, negation, pattern),
        st.builds("{} {}IN ({}, {})".format, worded, negation, text, text),
        st.builds("{} {}IN ({},{})".format, field, negation, number, number),
        st.builds("{} {}BETWEEN {} AND {}".format, counted, negation, number, number),
        st.builds("{} IS {}NULL".format, field, negation),
    )


def _filters() -> st.SearchStrategy[str]:
    return st.recursive(
        _conditions(),
        lambda inner: st.one_of(
            st.builds("{} AND {}".format, inner, inner),
            st.builds("{} or {}".format, inner, inner),
            st.builds("NOT ({})".format, inner),
            st.builds("({}) AND".format, inner),
        ),
        max_leaves=4,
    )


def _soup() -> st.SearchStrategy[str]:
    words = st.lists(st.sampled_from(_SOUP), min_size=1, max_size=9)
    return words.map(" ".join) | words.map("".join)


def _python(text: str) -> list[int] | str:
    """Give the numbers of the runs that a filter keeps, or what is wrong with it."""
    try:
        node = parse_filter(text)
    except InvalidInput as error:
        return " ".join(filter(None, (error.message, error.hint)))
    return [row for row, run in enumerate(RUNS) if matches(node, run)]


def ask(page: Any, site: Path, runs: Sequence[Run]) -> None:
    """Give the page runs of the test's own, which `ask` then filters."""
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    until(lambda: count(page), "60 of 60 runs")
    page.evaluate(
        """([experiment, shard, inputs]) => {
          window.table = new gitml.Columns();
          table.experiment = experiment;
          table.add(shard);
          table.settle();
          table.inputs(inputs, 0);
          window.ask = text => {
            const {error, test} = gitml.filter.parse(text, table);
            return error || Array.from({length: table.rows}, (_, row) => row).filter(test);
          };
        }""",
        [
            runs[0].info.experiment_id,
            columns.encode(columns.columns(runs), len(runs)),
            columns.encode(columns.inputs(runs), len(runs)),
        ],
    )


def test_the_page_filters_as_the_table_says(page: Any, site: Path) -> None:
    ask(page, site, list(filters.RUNS.values()))
    names = list(filters.RUNS)
    for text, expected in filters.MATCHES:
        assert [names[row] for row in page.evaluate("ask", text)] == expected.split(), text
    for text, message in filters.REFUSED:
        assert page.evaluate("ask", text) == message


def test_the_page_filters_as_python_does(page: Any, site: Path) -> None:
    ask(page, site, RUNS)

    def compare(text: str) -> None:
        assert page.evaluate("ask", text) == _python(text), text

    quickly = settings(max_examples=250, deadline=None, derandomize=True, database=None)

    @quickly
    @given(_filters())
    @example("metrics.m < 3 AND")
    @example("params.p > 4 AND params.p <= 7")
    @example("params.p IN (5)")
    @example("params.p LIKE 5")
    @example("(" * 51 + "metrics.m > 1")
    @example(" AND ".join(["metrics.m > 1"] * 501))
    @example(" \n ")
    @example("params.p = 'a\nb")
    def check(text: str) -> None:
        compare(text)

    @quickly
    @given(_soup())
    def check_soup(text: str) -> None:
        compare(text)

    check()
    check_soup()


def test_a_pattern_cannot_take_long(page: Any, site: Path) -> None:
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    until(lambda: count(page), "60 of 60 runs")
    result = page.evaluate(
        """() => {
          const values = ["a".repeat(20000)], column = {values, numbers: null};
          const columns = {find: () => column};
          return gitml.filter.parse(`tags.t LIKE '${"%a".repeat(2000)}b'`, columns).test(0);
        }"""
    )
    assert result is False


# Completion -------------------------------------------------------------------------------------


def offers(page: Any) -> list[str]:
    return page.locator("#filter-list [role=option]").all_inner_texts()


def typed(page: Any, text: str) -> None:
    page.locator("#filter").press_sequentially(text)


@pytest.fixture
def field(page: Any, site: Path) -> Any:
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    until(lambda: count(page), "60 of 60 runs")
    page.locator("#filter").click()
    until(lambda: bool(offers(page)), True)
    return page


def test_a_filter_is_completed_by_keys_alone(field: Any) -> None:
    assert offers(field)[:3] == ["metrics.r2", "metrics.rmse", "metrics.fit_seconds"]
    typed(field, "mod")
    assert offers(field) == ["params.model"]
    field.keyboard.press("ArrowDown")
    box = field.locator("#filter")
    assert box.get_attribute("aria-activedescendant") == "filter-0"
    assert box.get_attribute("aria-expanded") == "true"
    field.keyboard.press("Enter")
    assert box.input_value() == "params.model "
    assert offers(field)[:2] == ["=", "!="]
    typed(field, "= ")
    assert offers(field) == ["'forest'", "'linear'", "'tree'"]
    typed(field, "'t")
    assert offers(field) == ["'forest'", "'tree'"]
    field.keyboard.press("ArrowUp")
    field.keyboard.press("Tab")
    assert box.input_value() == "params.model = 'tree' "
    until(lambda: count(field), "20 of 60 runs")
    assert offers(field) == ["AND", "OR"]
    typed(field, "a")
    field.keyboard.press("ArrowDown")
    field.keyboard.press("Enter")
    typed(field, "metrics.rmse")
    assert not field.locator("#filter-list").is_visible()
    typed(field, " ")
    assert offers(field)[0] == "<" and "BETWEEN" in offers(field)
    field.keyboard.press("Escape")
    typed(field, "< 3")
    until(lambda: count(field), "6 of 60 runs")


def test_a_filter_is_completed_by_the_pointer(field: Any) -> None:
    typed(field, "tags.t")
    field.locator("#filter-list").get_by_role("option", name="tags.team").click()
    typed(field, "IN ")
    typed(field, "(")
    field.locator("#filter-list").get_by_role("option", name="'blue'").click()
    typed(field, ")")
    assert field.locator("#filter").input_value() == "tags.team IN ('blue' )"
    until(lambda: count(field), "30 of 60 runs")
    assert field.evaluate("document.activeElement.id") == "filter"


def test_data_sets_are_loaded_when_a_filter_asks_for_them(page: Any, site: Path) -> None:
    page.goto(f"{site.as_uri()}/{experiment(site)}#q=datasets.context+%3D+'train'")
    until(lambda: count(page), "1 of 60 runs")
    assert not page.locator("#trouble").is_visible()
    page.goto(f"{site.as_uri()}/{experiment(site)}")
    page.reload()
    until(lambda: count(page), "60 of 60 runs")
    assert "inputs" not in page.evaluate("[...document.scripts].map(s => s.src).join()")
    page.locator("#filter").click()
    until(lambda: bool(offers(page)), True)
    typed(page, "datasets.n")
    assert offers(page) == ["datasets.name"]
    typed(page, "ame = ")
    until(lambda: offers(page) or typed(page, " "), ["'cars'"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(lambda: count(page), "1 of 60 runs")


def test_a_filter_of_notes_says_where_they_can_be_searched(page: Any, site: Path) -> None:
    page.goto(f"{site.as_uri()}/{experiment(site)}#q=tags.mlflow.note.content+LIKE+'%25tree%25'")
    until(lambda: count(page), "0 of 60 runs")
    assert page.locator("#trouble").inner_text().startswith("This table does not have the notes")
