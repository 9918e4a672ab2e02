"""Searches in SQL give the same results as the reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitml.entities import (
    Dataset,
    Run,
    RunInputs,
    RunStatus,
    Source,
    ViewType,
)
from gitml.git import GitRepo
from gitml.query.filters import RunQuery, matches, parse_filter, parse_order_by, sort_runs
from gitml.store.index.index import Index
from tests.filters import MATCHES, RUNS
from tests.store.index.projects import (
    live,
    make_run,
)

# The same answers as the reference --------------------------------------------------------------


def test_sql_holds_for_the_runs_of_the_table(shared_index: Index) -> None:
    shared_index.refresh(
        None, {run.info.run_id: live(run, str(next(fingerprints))) for run in RUNS.values()}
    )
    names = {run.info.run_id: name for name, run in RUNS.items()}
    answers = [
        (text, " ".join(names[run.info.run_id] for run in reversed(page.runs)))
        for text, _ in MATCHES
        for page in [shared_index.search_runs(RunQuery(filter_string=text))]
    ]
    assert answers == list(MATCHES)


KEYS = ("a", "b c", "Ä")
numbers = st.sampled_from([-1.5, 0.0, 1.0, 2.0, 2.5, math.inf, -math.inf, math.nan])
words = st.sampled_from(
    [
        "",
        "a",
        "A",
        "2.0",
        " -inf ",
        "1_0",
        "ab",
        "aXb",
        "ä",
        "Ä",
        "100%",
        "it's",
        "\n",
        "🦊",
        "a\0b",
    ]
)


@st.composite
def runs(draw: st.DrawFn, number: int) -> Run:
    def by_key(values: st.SearchStrategy[Any]) -> dict[str, Any]:
        return draw(st.dictionaries(st.sampled_from(KEYS), values, max_size=3))

    datasets = st.builds(Dataset, name=words, digest=words, context=words)
    return make_run(
        number,
        experiment_id=draw(st.sampled_from(["x", "y"])),
        run_name=draw(words),
        status=draw(st.sampled_from(list(RunStatus))).value,
        start_time=draw(st.sampled_from([0, 1, 2, 2**63 - 1, -(2**63)])),
        end_time=draw(st.sampled_from([None, 1, 2, 2**53 + 1])),
        lifecycle_stage=draw(st.sampled_from(["active", "deleted"])),
        metrics=by_key(numbers),
        params=by_key(words),
        tags=by_key(words),
        inputs=RunInputs(dataset_inputs=tuple(draw(st.lists(datasets, max_size=2)))),
        source=Source(name=draw(words), commit=draw(st.none() | words), dirty=draw(st.booleans())),
    )


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


number_texts = st.sampled_from(
    ["-1.5", "0", "1", "2", "2.5", "inf", "-inf", "9007199254740993", "9223372036854775807", "1e30"]
)
patterns = st.sampled_from(["%", "_", "a%", "%B", "a_b", "%\n%", "ä", "", "%'%", "1__%", "a%b"])
fields = st.sampled_from(KEYS).map(lambda key: f"`{key}`")
numeric_fields = st.one_of(
    fields.map(lambda key: f"metrics.{key}"),
    st.sampled_from(["start_time", "end_time", "duration"]),
)
text_fields = st.one_of(
    st.tuples(st.sampled_from(["params", "tags"]), fields).map(".".join),
    st.sampled_from([
        "run_id", "run_name", "status", "artifact_uri", "experiment_id", "user_id",
        "source", "commit", "dirty",
        "datasets.name", "datasets.digest", "datasets.context",
    ]),
)  # fmt: skip
null_tests = st.sampled_from(["IS NULL", "IS NOT NULL"])
negations = st.sampled_from(["", "NOT "])


def in_test(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(values, min_size=1, max_size=3).map(lambda part: f"IN ({', '.join(part)})")
    return st.tuples(negations, lists).map("".join)


numeric_tests = st.one_of(
    st.tuples(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), number_texts).map(" ".join),
    st.tuples(negations, number_texts, number_texts).map(
        lambda parts: f"{parts[0]}BETWEEN {parts[1]} AND {parts[2]}"
    ),
    in_test(number_texts),
    null_tests,
)
text_tests = st.one_of(
    st.tuples(st.sampled_from(["=", "!="]), words.map(quoted)).map(" ".join),
    st.tuples(negations, st.sampled_from(["LIKE ", "ILIKE "]), patterns.map(quoted)).map("".join),
    in_test(words.map(quoted)),
    null_tests,
)
conditions = st.one_of(
    st.tuples(numeric_fields | fields.map("params.{}".format), numeric_tests).map(" ".join),
    st.tuples(text_fields, text_tests).map(" ".join),
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda part: f"NOT {part}"),
    ),
    max_leaves=12,
)
sort_keys = st.lists(
    st.tuples(
        st.one_of(numeric_fields, text_fields.filter(lambda part: not part.startswith("datasets"))),
        st.sampled_from(["", "ASC", "desc"]),
    ).map(lambda parts: " ".join(parts).strip()),
    max_size=3,
)
run_sets = st.integers(1, 8).flatmap(lambda n: st.tuples(*(runs(i) for i in range(n))))


@pytest.fixture(scope="module")
def shared_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("reference")
    index = Index(folder / "index.sqlite3", GitRepo.init(folder / "repo"))
    yield index
    index.close()


fingerprints = iter(range(10**9))


@pytest.mark.slow
@given(
    all_runs=run_sets,
    queries=st.lists(st.tuples(st.just("") | filters, sort_keys), min_size=4, max_size=8),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sql_agrees_with_the_reference(
    shared_index: Index, all_runs: tuple[Run, ...], queries: list[tuple[str, list[str]]]
) -> None:
    shared_index.refresh(
        None, {run.info.run_id: live(run, str(next(fingerprints))) for run in all_runs}
    )
    for text, order in queries:
        node = parse_filter(text)
        expected = sort_runs((run for run in all_runs if matches(node, run)), parse_order_by(order))
        page = shared_index.search_runs(
            RunQuery(filter_string=text, order_by=tuple(order), run_view_type=ViewType.ALL)
        )
        assert [repr(run) for run in page.runs] == [repr(run) for run in expected], (text, order)
