"""The index returns whole records, in pages, by filters and orders."""

from __future__ import annotations

import math

import pytest

from gitml.entities import (
    Dataset,
    Experiment,
    LoggedModelInfo,
    RunInputs,
    RunOutputs,
    Source,
    ViewType,
)
from gitml.errors import InvalidInput
from gitml.formats import run_records
from gitml.formats.run_records import Record
from gitml.query.filters import RunQuery
from gitml.store.index.documents import run_from_document, run_to_document
from gitml.store.index.index import Counts, RunsPage
from tests.store.index.projects import (
    Project,
    experiment_file,
    files_of,
    ids,
    make_run,
)

# What it holds ----------------------------------------------------------------------------------

FULL = make_run(
    1,
    params={"alpha": "0.1", "emoji 🦊": "x" * 1000},
    tags={"note": "line\nline", "lone": "\ud800"},
    metrics={"nan": math.nan, "inf": math.inf, "rmse": -0.5},
    inputs=RunInputs(
        dataset_inputs=(Dataset(name="cars", digest="aa", context="train", profile="{}"),)
    ),
    outputs=RunOutputs(
        model_outputs=(LoggedModelInfo(path="model", flavors=("sklearn", "python_function")),)
    ),
    source=Source(name="train.py", command=("python", "train.py"), commit="a" * 40, dirty=True),
    conflicts={"params.alpha": ("0.2",)},
    end_time=None,
    status="RUNNING",
)


def test_document_keeps_every_field_of_a_run() -> None:
    assert repr(run_from_document(run_to_document(FULL))) == repr(FULL)


def test_committed_run_comes_back_whole(project: Project) -> None:
    project.show(files_of(FULL))
    read = run_records.run_from_json(run_records.run_to_json(Record(run=FULL))).run
    run_id = FULL.info.run_id
    assert repr(project.index.get_run(run_id)) == repr(read)
    assert project.index.run_experiment(run_id) == "price"
    assert ids(project.index, "tags.lone = '\udfff' AND params.`emoji 🦊` LIKE 'x%'") == [1]


def test_repository_without_branch_has_no_runs(project: Project) -> None:
    project.refresh()
    assert project.index.search_runs(RunQuery()) == RunsPage(runs=[], token=None)
    assert project.index.get_run("0" * 32) is None
    assert project.index.run_experiment("0" * 32) is None
    assert project.index.experiment("price") is None
    assert project.index.experiment_by_name("price") is None


def test_runs_match_by_prefix(project: Project) -> None:
    project.show(
        files_of(*(make_run(n, run_id=f"{n:x}".ljust(32, "0")) for n in (0xAB, 0xAC, 0xB)))
    )
    run_ids = project.index.find_runs("A")
    assert run_ids == [f"{n}".ljust(32, "0") for n in ("ab", "ac")]
    assert project.index.find_runs("zz") == []
    assert len(project.index.find_runs("")) == 3


def test_experiments_match_by_id_name_and_filter(project: Project) -> None:
    old = Experiment(experiment_id="old", name="Price", creation_time=1, lifecycle_stage="deleted")
    new = Experiment(experiment_id="new", name="Price", creation_time=5, tags={"team": "x"})
    other = Experiment(experiment_id="other", name="Größe", creation_time=3)
    project.show(experiment_file(old) | experiment_file(new) | experiment_file(other))
    index = project.index
    assert index.search_experiments() == [new, other]
    assert index.search_experiments(ViewType.DELETED_ONLY) == [old]
    assert index.search_experiments(ViewType.ALL, "name LIKE 'P%'", ["creation_time"]) == [old, new]
    assert index.search_experiments(ViewType.ALL, max_results=1) == [new]
    assert index.experiment("old") == old
    assert index.experiment_by_name("Price") == new
    assert index.experiment_by_name("price") is None
    with pytest.raises(InvalidInput, match="max_results"):
        index.search_experiments(max_results=0)


def test_view_type_and_experiments_narrow_a_search(project: Project) -> None:
    project.show(
        files_of(
            make_run(1),
            make_run(2, experiment_id="size"),
            make_run(3, lifecycle_stage="deleted"),
        )
    )
    index = project.index
    assert ids(index) == [2, 1]
    assert ids(index, run_view_type=ViewType.DELETED_ONLY) == [3]
    assert ids(index, run_view_type=ViewType.ALL) == [3, 2, 1]
    assert ids(index, experiment_ids=("size", "nope")) == [2]
    assert ids(index, experiment_ids=()) == []
    assert index.counts() == Counts(
        runs=2,
        deleted_runs=1,
        live_runs=0,
        experiments=0,
        problems=0,
        runs_by_experiment={"price": 1, "size": 1},
    )


def test_pages_join_to_the_whole_result(project: Project) -> None:
    project.show(files_of(*(make_run(n, start_time=7) for n in range(5))))
    pages, token = [], None
    while True:
        page = project.index.search_runs(RunQuery(max_results=2, page_token=token))
        pages.append([int(run.info.run_id, 16) for run in page.runs])
        token = page.token
        if token is None:
            break
    assert pages == [[0, 1], [2, 3], [4]]


def test_deep_and_wide_filters_are_answered(project: Project) -> None:
    project.show(files_of(make_run(1, params={"a": "1"})))
    deep = "params.a = '1'"
    for level in range(50):
        deep = f"status = 'x' {'OR' if level % 2 else 'AND'} params.a = '2' OR ({deep})"
    assert ids(project.index, deep) == [1]
    assert ids(project.index, "NOT " * 50 + "params.a = '1'") == [1]
    assert ids(project.index, " OR ".join(["params.a = '2'"] * 499 + ["params.a = '1'"])) == [1]
    assert ids(project.index, f"start_time IN ({','.join(map(str, range(5000)))})") == [1]
    keys = tuple(f"metrics.m{n}" for n in range(20))
    assert ids(project.index, order_by=keys) == [1]


def test_text_of_a_filter_never_becomes_sql(project: Project) -> None:
    project.show(files_of(make_run(1, params={"a'; DROP TABLE runs; --": "'"})))
    assert ids(project.index, "params.`a'; DROP TABLE runs; --` = ''''") == [1]
    assert ids(project.index, order_by=('params."\') --" DESC',)) == [1]
    assert ids(project.index, "run_id IN (''') OR 1=1 --')") == []


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_nan_comes_after_numbers_and_absent_values_last(project: Project, direction: str) -> None:
    values = {1: 2.0, 2: math.nan, 3: None, 4: -math.inf, 5: 2.0}
    project.show(
        files_of(*(make_run(n, metrics={} if v is None else {"m": v}) for n, v in values.items()))
    )
    expected = [4, 5, 1, 2, 3] if direction == "ASC" else [5, 1, 4, 2, 3]
    assert ids(project.index, order_by=(f"metrics.m {direction}",)) == expected


def test_data_set_without_context_has_none_to_compare(project: Project) -> None:
    trained = RunInputs(dataset_inputs=(Dataset(name="cars", digest="aa", context="train"),))
    unsaid = RunInputs(dataset_inputs=(Dataset(name="cars", digest="aa"),))
    project.show(files_of(make_run(1, inputs=trained), make_run(2, inputs=unsaid), make_run(3)))
    assert ids(project.index, "datasets.context IS NOT NULL") == [1]
    assert ids(project.index, "datasets.context IS NULL") == [3, 2]
    assert ids(project.index, "datasets.context != 'test'") == [1]
    assert ids(project.index, "datasets.name IS NULL") == [3]
