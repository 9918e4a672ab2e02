"""The record formats: canonical, complete, and closed against what others may push."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, strategies as st

from gitml.entities import (
    Dataset,
    LoggedModelInfo,
    Metric,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Source,
)
from gitml.errors import InvalidInput, SchemaTooNew, StoreError
from gitml.formats import canonical, metric_history, run_records
from gitml.formats.run_records import Record

texts = st.text(max_size=20)
keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
times = st.integers(-(2**63), 2**63 - 1)
points = st.builds(
    Metric,
    key=keys,
    value=st.floats(),
    timestamp=st.integers(0, 10**13),
    step=st.integers(-5, 5),
    order=st.integers(0, 3),
)


def a_run(**info: object) -> Run:
    values = {
        "run_id": "0a" * 16,
        "experiment_id": "Default",
        "run_name": "first",
        "user_id": "ada",
        "status": "FINISHED",
        "start_time": 1_700_000_000_000,
        "end_time": 1_700_000_001_000,
    }
    return Run(info=RunInfo(**{**values, **info}))  # type: ignore[arg-type]


@given(
    params=st.dictionaries(keys, texts, max_size=4),
    tags=st.dictionaries(keys, texts, max_size=4),
    history=st.lists(points, max_size=8),
    written=st.dictionaries(keys, times, max_size=3),
    name=texts,
)
def test_a_run_reads_back_as_it_was_written(params, tags, history, written, name) -> None:
    summaries = metric_history.summarize(history)
    run = Run(
        info=a_run(run_name=name).info,
        data=RunData(
            params=params,
            tags=tags,
            metrics={key: summary.last for key, summary in summaries.items()},
            summaries=summaries,
        ),
        inputs=RunInputs(dataset_inputs=(Dataset(name=name, digest="12"),)),
        outputs=RunOutputs(model_outputs=(LoggedModelInfo(path="m", flavors=("sklearn",)),)),
        source=Source(name="train.py", command=("python", "train.py"), commit="c" * 40, dirty=True),
        conflicts={"params.a": ("1", "2")},
    )
    record = Record(run=run, written=written, extra={"later": {"x": [1, None]}})

    data = run_records.run_to_json(record)

    # NaN differs from itself, so bytes are compared too: they are canonical.
    assert run_records.run_to_json(run_records.run_from_json(data)) == data
    back = run_records.run_from_json(data)
    assert (back.run.data.params, back.run.data.tags) == (params, tags)
    assert (back.run.info, back.run.source, back.run.inputs) == (run.info, run.source, run.inputs)
    assert (back.written, back.extra) == (written, record.extra)
    assert data.endswith(b"}\n") and b"\r" not in data


@given(st.lists(points, max_size=12))
def test_a_history_reads_back_as_it_was_written(history: list[Metric]) -> None:
    data = metric_history.to_jsonl(history)

    assert repr(metric_history.from_jsonl(data)) == repr(tuple(history))


def test_last_value_is_that_of_the_highest_step_not_the_last_logged() -> None:
    history = [
        Metric(key="m", value=1.0, timestamp=10, step=5),
        Metric(key="m", value=9.0, timestamp=20, step=1),
        Metric(key="m", value=math.nan, timestamp=5, step=0),
    ]

    summary = metric_history.summarize(history)["m"]

    assert (summary.last, summary.step, summary.min, summary.max, summary.count) == (1, 5, 1, 9, 3)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("Default", "Default"),
        ("price model", "price%20model"),
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("\N{OWL}", "%F0%9F%A6%89"),
    ],
)
def test_an_experiment_id_is_its_percent_encoded_name(name: str, identifier: str) -> None:
    assert run_records.experiment_id(name) == identifier


def test_the_id_of_a_long_name_stays_short_and_distinct() -> None:
    first, second = (run_records.experiment_id("x" * 299 + end) for end in "ab")

    assert first != second
    assert len(first) == len(second) == 89


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0b", "x" * 501])
def test_names_that_cannot_be_used_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be used"):
        run_records.experiment_id(name)


def good() -> dict[str, object]:
    value: dict[str, object] = json.loads(run_records.run_to_json(Record(run=a_run())))
    return value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run_id", "../../etc"),
        ("run_id", 7),
        ("experiment_id", "a/b"),
        ("experiment_id", ".."),
        ("status", "DANCING"),
        ("lifecycle_stage", "gone"),
        ("start_time", "now"),
        ("start_time", 2**63),
        ("start_time", True),
        ("end_time", 1.5),
        ("params", ["a"]),
        ("params", {"a": 1}),
        ("tags", {"a": None}),
        ("metrics", {"a": "high"}),
        ("metrics", {"a": 1.0}),
        ("metrics", {"a": 10**400}),
        ("written", {"a": 2**70}),
        ("source", "me"),
        ("inputs", [3]),
        ("models", [{"path": 5}]),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: object) -> None:
    data = json.dumps({**good(), field: value}).encode()

    with pytest.raises(StoreError, match=r"run\.json|metric value|out of range"):
        run_records.run_from_json(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema": 0}'])
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    with pytest.raises(StoreError):
        run_records.run_from_json(data)


def test_a_record_of_a_newer_schema_says_to_upgrade() -> None:
    with pytest.raises(SchemaTooNew, match="pip install --upgrade gitml"):
        run_records.run_from_json(json.dumps({**good(), "schema": 99}).encode())


@pytest.mark.parametrize(
    "path",
    [
        "runs/Default/0a/" + "0a" * 16,
        "runs/Default/ff/" + "0a" * 16 + "/run.json",
        "runs/../0a/" + "0a" * 16 + "/run.json",
        "runs/Default/0A/" + "0A" * 16 + "/run.json",
        "experiments/Default.json",
    ],
)
def test_paths_that_no_run_has_are_not_taken_for_run_paths(path: str) -> None:
    assert run_records.parse_run_path(path) is None


def test_a_run_path_is_taken_apart() -> None:
    path = run_records.run_folder("a%20b", "0a" * 16) + "/.dvc/config"

    assert run_records.parse_run_path(path) == ("a%20b", "0a" * 16, ".dvc/config")


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    plain | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@pytest.mark.slow
@given(st.dictionaries(st.text(), values))
def test_canonical_bytes_are_those_of_pythons_json(value: dict[str, object]) -> None:
    made = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    assert canonical.dump(value) == f"{made}\n".encode("utf-8", "backslashreplace")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_never_become_json(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical.dump({"metrics": {"loss": value}})
