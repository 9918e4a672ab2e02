"""The index: the same answers as the reference, whatever happens to the branch or to its file."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitml.entities import (
    Dataset,
    Experiment,
    LoggedModelInfo,
    MetricSummary,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
    Source,
    ViewType,
)
from gitml.errors import InvalidInput, SchemaTooNew, StoreError
from gitml.formats import run_records
from gitml.formats.run_records import ExperimentRecord, Record, RunFiles
from gitml.git import GitRepo, RefUpdate
from gitml.query.filters import RunQuery, matches, parse_filter, parse_order_by, sort_runs
from gitml.store.branch import Branch
from gitml.store.index.documents import run_from_document, run_to_document
from gitml.store.index.index import Counts, Index, LiveRun, RunsPage, UnreadableRecord
from tests.filters import MATCHES, RUNS

Files = Mapping[str, bytes | None]


def make_run(number: int, **changes: Any) -> Run:
    """A run with an id made from ``number``; fields of its info or data can be changed."""
    info: dict[str, Any] = {
        "run_id": f"{number:032x}",
        "experiment_id": "price",
        "run_name": f"run {number}",
        "user_id": "ada",
        "status": "FINISHED",
        "start_time": 1_000 + number,
        "end_time": 2_000 + number,
    }
    data: dict[str, Any] = {"params": {}, "tags": {}, "metrics": {}}
    rest: dict[str, Any] = {}
    for name, value in changes.items():
        target = info if name in RunInfo.__dataclass_fields__ else data if name in data else rest
        target[name] = value
    data["summaries"] = {
        key: MetricSummary(last=value, step=3, timestamp=5, min=0.0, max=9.0, count=4)
        for key, value in data["metrics"].items()
    }
    return Run(info=RunInfo(**info), data=RunData(**data), **rest)


def path_of(run: Run) -> str:
    return f"{run_records.run_folder(run.info.experiment_id, run.info.run_id)}/run.json"


def files_of(*runs: Run) -> dict[str, bytes | None]:
    return {path_of(run): run_records.run_to_json(Record(run=run)) for run in runs}


def experiment_file(experiment: Experiment) -> dict[str, bytes | None]:
    data = run_records.experiment_to_json(ExperimentRecord(experiment=experiment))
    return {run_records.experiment_path(experiment.experiment_id): data}


def live(run: Run, fingerprint: str = "1") -> LiveRun:
    return LiveRun(fingerprint=fingerprint, load=lambda: RunFiles(record=Record(run=run)))


class Project:
    """A repository with a runs branch and an index of it."""

    def __init__(self, folder: Path) -> None:
        self.repo = GitRepo.init(folder / "repo")
        self.state = folder / "state"
        self.branch = Branch(
            self.repo,
            "gitml/runs",
            remote="origin",
            state=self.state,
            remote_config=b"",
        )
        self.index = self.open()

    def open(self) -> Index:
        return Index(self.state / "index.sqlite3", self.repo)

    def commit(self, files: Files) -> str | None:
        return self.branch.update(lambda _: (files, "A change"))

    def show(self, files: Files, **in_progress: LiveRun) -> None:
        """Commit files and refresh."""
        self.commit(files)
        self.refresh(in_progress)

    def refresh(self, in_progress: Mapping[str, LiveRun] | None = None) -> None:
        self.index.refresh(self.branch.tip(), in_progress or {})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.index.close()


def everything(index: Index) -> list[Any]:
    """All that an index tells, as text because NaN equals nothing."""
    found = index.search_runs(RunQuery(run_view_type=ViewType.ALL)).runs
    return [
        [repr(run) for run in found],
        index.search_experiments(ViewType.ALL),
        index.model_files(),
        index.problems(),
        index.counts(),
    ]


def ids(index: Index, filter_string: str = "", **query: Any) -> list[int]:
    page = index.search_runs(RunQuery(filter_string=filter_string, **query))
    return [int(run.info.run_id, 16) for run in page.runs]


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


def test_runs_are_found_by_prefix(project: Project) -> None:
    project.show(
        files_of(*(make_run(n, run_id=f"{n:x}".ljust(32, "0")) for n in (0xAB, 0xAC, 0xB)))
    )
    found = project.index.find_runs("A")
    assert found == [f"{n}".ljust(32, "0") for n in ("ab", "ac")]
    assert project.index.find_runs("zz") == []
    assert len(project.index.find_runs("")) == 3


def test_experiments_are_found_by_id_name_and_filter(project: Project) -> None:
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


# The same answers as the reference --------------------------------------------------------------


def test_sql_holds_for_the_runs_of_the_table(shared_index: Index) -> None:
    shared_index.refresh(
        None, {run.info.run_id: live(run, str(next(fingerprints))) for run in RUNS.values()}
    )
    names = {run.info.run_id: name for name, run in RUNS.items()}
    found = [
        (text, " ".join(names[run.info.run_id] for run in reversed(page.runs)))
        for text, _ in MATCHES
        for page in [shared_index.search_runs(RunQuery(filter_string=text))]
    ]
    assert found == list(MATCHES)


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
    lists = st.lists(values, min_size=1, max_size=3).map(lambda one: f"IN ({', '.join(one)})")
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
        inner.map(lambda one: f"NOT {one}"),
    ),
    max_leaves=12,
)
sort_keys = st.lists(
    st.tuples(
        st.one_of(numeric_fields, text_fields.filter(lambda one: not one.startswith("datasets"))),
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


# Following the branch ---------------------------------------------------------------------------


def random_edit(choose: random.Random) -> Files:
    """Some records written, broken, moved or removed."""
    files: dict[str, bytes | None] = {}
    for _ in range(choose.randint(1, 6)):
        number = choose.randrange(12)
        run = make_run(
            number,
            experiment_id=choose.choice(["price", "size"]),
            metrics={choose.choice("abc"): choose.choice([1.0, math.nan, -math.inf])},
            params={choose.choice("abc"): str(choose.random())},
            lifecycle_stage=choose.choice(["active", "deleted"]),
        )
        wrong = run_records.run_to_json(Record(run=make_run(99)))
        good = run_records.run_to_json(Record(run=run))
        files[path_of(run)] = choose.choice([good, good, good, b"{", wrong, None])
    experiment = Experiment(
        experiment_id=choose.choice(["price", "size"]), name=choose.choice(["p", "s"])
    )
    ((path, data),) = experiment_file(experiment).items()
    files[path] = choose.choice([data, b"[]", None])
    files["models/M/versions/1.json"] = choose.choice([b'{"schema": 1}', b"", None])
    files["runs/stray.txt"] = choose.choice([b"1", b"2"])
    return files


def removable(project: Project, files: Files) -> Files:
    """Without removals of what is not there: git refuses none, but a tip without files is odd."""
    present = {entry.path for entry in project.repo.tree("gitml/runs", recursive=True)}
    return {path: data for path, data in files.items() if data is not None or path in present}


@pytest.mark.parametrize("seed", range(3))
def test_following_the_branch_gives_what_a_rebuild_gives(project: Project, seed: int) -> None:
    choose = random.Random(seed)
    project.commit({"README.md": b"x"})
    tips = [project.branch.tip()]
    for step in range(10):
        if choose.random() < 0.25:  # a reset to an older commit, or to none
            new = choose.choice([*tips, None] if step else tips)
            old = project.branch.tip()
            if new != old:
                project.repo.update_refs([RefUpdate(name=project.branch.ref, new=new, old=old)])
        else:
            project.commit(removable(project, random_edit(choose)))
        tips.append(project.branch.tip())
        in_progress = {
            f"{n:032x}": live(make_run(n, run_name=f"live {step}"), str(choose.randrange(2)))
            for n in choose.sample(range(12), choose.randrange(3))
        }
        # One that lasts must say the same thing under the same fingerprint.
        in_progress = {
            run_id: live(make_run(int(run_id, 16), run_name=one.fingerprint), one.fingerprint)
            for run_id, one in in_progress.items()
        }
        project.refresh(in_progress)
        fresh = Index(project.state / f"fresh-{step}.sqlite3", project.repo)
        fresh.refresh(project.branch.tip(), in_progress)
        assert everything(project.index) == everything(fresh)
        fresh.close()


def test_nothing_changed_asks_git_for_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.show(files_of(make_run(1)))
    monkeypatch.setattr(GitRepo, "start", lambda *_, **__: pytest.fail("a process was started"))
    project.refresh()
    assert ids(project.index) == [1]


def test_rewritten_history_without_the_old_commit_is_indexed_anew(project: Project) -> None:
    project.show(files_of(make_run(1), make_run(2)))
    old = project.branch.tip()
    project.repo.update_refs([RefUpdate(name=project.branch.ref, new=None, old=old)])
    project.repo.run("reflog", "expire", "--expire=now", "--all")
    project.repo.run("gc", "--quiet", "--prune=now")
    project.show(files_of(make_run(3)))
    assert ids(project.index) == [3]


def test_missing_commit_is_named_and_leaves_the_index_as_it_was(project: Project) -> None:
    project.show(files_of(make_run(1)))
    with pytest.raises(StoreError, match="Commit 1234567890123456789012345678901234567890 of"):
        project.index.refresh("1234567890" * 4, {})
    assert ids(project.index) == [1]


# Bad records ------------------------------------------------------------------------------------


def test_unreadable_records_are_left_out_and_named(project: Project) -> None:
    good, newer, moved = make_run(1), make_run(2), make_run(3)
    too_new = json.loads(files_of(newer)[path_of(newer)] or b"")
    too_new["schema"] = 99
    stranger = run_records.run_folder("price", "e" * 32) + "/run.json"
    project.show(
        {
            **files_of(good),
            path_of(newer): json.dumps(too_new).encode(),
            path_of(moved): b"\xff\xfe",
            stranger: files_of(good)[path_of(good)],
            "experiments/price.json": b"{}",
            "experiments/size.json": experiment_file(Experiment(experiment_id="x", name="x"))[
                "experiments/x.json"
            ],
            "models/M/model.json": b"[",
            "models/M/versions/1.json": b'{"schema": 1}',
            "runs/price/zz/not-a-run/run.json": b"",
        }
    )
    index = project.index
    assert ids(index) == [1]
    assert index.search_experiments() == []
    assert index.model_files() == {}
    assert [problem.path for problem in index.problems()] == sorted([
        path_of(newer), path_of(moved), stranger, "experiments/price.json",
        "experiments/size.json", "models/M/model.json", "models/M/versions/1.json",
    ])  # fmt: skip
    assert (
        UnreadableRecord(
            path=stranger, reason=f"{stranger} holds run {good.info.run_id} of experiment price."
        )
        in index.problems()
    )
    project.show({path_of(newer): None, **files_of(moved), "models/M/model.json": None})
    assert ids(index) == [3, 1]
    assert len(index.problems()) == 4


def test_entry_that_is_no_file_hides_no_other(project: Project) -> None:
    project.commit(files_of(make_run(1), make_run(2)))
    tip = project.branch.tip()
    path = path_of(make_run(3))
    stream = (
        f"commit {project.branch.ref}\ncommitter A <a@b> 1 +0000\ndata 1\nx\nfrom {tip}\n"
        f"M 160000 {'12' * 20} {path}\nM 120000 inline {path_of(make_run(4))}\ndata 1\nx\n"
    )
    project.repo.fast_import(stream.encode())
    project.refresh()
    assert ids(project.index) == [2, 1]
    assert [problem.path for problem in project.index.problems()] == [
        path,
        path_of(make_run(4)),
    ]


def test_run_id_in_two_experiments_shows_both(project: Project) -> None:
    project.show(files_of(make_run(1), make_run(1, experiment_id="size")))
    assert ids(project.index) == [1, 1]
    assert project.index.find_runs("0") == [f"{1:032x}"]
    assert project.index.run_experiment(f"{1:032x}") == "price"
    project.show({path_of(make_run(1)): None})
    assert project.index.run_experiment(f"{1:032x}") == "size"


# Runs in progress -------------------------------------------------------------------------------


def test_run_in_progress_is_found_until_its_commit_takes_over(project: Project) -> None:
    run_id = f"{1:032x}"
    begun = make_run(1, run_name="begun", end_time=None, status="RUNNING")
    project.refresh({run_id: live(begun)})
    assert project.index.get_run(run_id) == begun
    assert project.index.counts().live_runs == 1
    project.refresh({run_id: live(make_run(1, run_name="ignored"))})
    assert project.index.get_run(run_id) == begun
    further = make_run(1, run_name="further")
    project.refresh({run_id: live(further, "2")})
    assert project.index.get_run(run_id) == further
    project.show(files_of(make_run(1)))
    assert project.index.get_run(run_id) == make_run(1)
    resumed = make_run(1, run_name="resumed")
    project.refresh({run_id: live(resumed)})
    assert project.index.get_run(run_id) == resumed
    project.refresh()
    assert project.index.get_run(run_id) == make_run(1)


def test_run_in_progress_that_vanishes_leaves_nothing(project: Project) -> None:
    project.refresh({f"{1:032x}": live(make_run(1, metrics={"a": 1.0}))})
    project.refresh()
    assert ids(project.index, run_view_type=ViewType.ALL) == []
    assert ids(project.index, "metrics.a = 1") == []


def test_journal_that_cannot_be_read_is_named_and_hides_no_other(project: Project) -> None:
    def broken() -> RunFiles:
        raise StoreError("A journal without its first line cannot be turned into a run.")

    project.show(files_of(make_run(1), make_run(2)))
    project.refresh({
        f"{1:032x}": LiveRun(fingerprint="1", load=broken),
        f"{3:032x}": live(make_run(3)),
        f"{4:032x}": live(make_run(5)),
    })  # fmt: skip
    assert ids(project.index) == [3, 2, 1]
    assert project.index.problems() == [
        UnreadableRecord(
            path=f"live:{1:032x}",
            reason="A journal without its first line cannot be turned into a run.",
        ),
        UnreadableRecord(
            path=f"live:{4:032x}",
            reason=f"The journal of run {4:032x} holds run {5:032x}.",
        ),
    ]
    project.refresh()
    assert project.index.problems() == []


# The file ---------------------------------------------------------------------------------------


def test_file_that_is_no_database_is_replaced(project: Project) -> None:
    path = project.state / "index.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 1000)
    project.show(files_of(make_run(1)))
    assert ids(project.index) == [1]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    db.close()


def test_file_damaged_while_in_use_is_replaced(project: Project) -> None:
    project.show(files_of(*(make_run(n, params={"p": "x" * 3000}) for n in range(50))))
    project.index.close()
    path = project.state / "index.sqlite3"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))
    project.refresh()
    assert len(ids(project.index, "params.p LIKE 'x%'")) == 50


def test_newer_index_is_refused_and_kept(project: Project) -> None:
    path = project.state / "index.sqlite3"
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 1000")
    db.close()
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match=r"has schema 1000; this gitml reads up to \d+\."):
        project.refresh()
    assert path.read_bytes() == before


def test_older_index_is_made_again(project: Project) -> None:
    path = project.state / "index.sqlite3"
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE runs (old TEXT)")
    db.close()
    project.show(files_of(make_run(1)))
    assert ids(project.index) == [1]


def test_folder_that_cannot_be_made_leaves_an_index_shared_index(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    project.commit(files_of(make_run(1)))
    index = Index(tmp_path / "file" / "index.sqlite3", project.repo)
    index.refresh(project.branch.tip(), {})
    assert ids(index) == [1]
    index.close()


def refresh_in_child(folder: str, start: Any, answers: Any) -> None:
    repo = GitRepo.discover(folder)
    index = Index(Path(folder).parent / "state" / "index.sqlite3", repo)
    start.wait()
    index.refresh(repo.ref("refs/heads/gitml/runs"), {})
    answers.put(len(index.search_runs(RunQuery()).runs))
    index.close()


@pytest.mark.slow
def test_processes_that_refresh_at_once_agree(project: Project, tmp_path: Path) -> None:
    project.commit(files_of(*(make_run(n) for n in range(200))))
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(3), context.Queue()
    children = [
        context.Process(target=refresh_in_child, args=(str(tmp_path / "repo"), start, answers))
        for _ in range(3)
    ]
    for child in children:
        child.start()
    assert [answers.get(timeout=60) for _ in children] == [200, 200, 200]
    for child in children:
        child.join(120)
    project.refresh()
    assert len(ids(project.index)) == 200


def test_child_forked_in_the_middle_of_a_refresh_has_a_connection_of_its_own(
    project: Project,
) -> None:
    project.show(files_of(make_run(1)))
    codes = []

    def load() -> RunFiles:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if ids(project.index) == [1] else 1)
            finally:
                os._exit(2)
        codes.append(os.waitpid(child, 0)[1])
        return RunFiles(record=Record(run=make_run(2)))

    project.refresh({f"{2:032x}": LiveRun(fingerprint="1", load=load)})
    assert codes == [0]
    assert ids(project.index) == [2, 1]


def test_threads_share_an_index(project: Project) -> None:
    project.show(files_of(*(make_run(n) for n in range(20))))

    def work(number: int) -> int:
        project.refresh({f"{99:032x}": live(make_run(99), str(number))})
        return len(ids(project.index))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(20))) == [21] * 20


def test_records_and_search_load_no_database() -> None:
    modules = "gitml.query.filters, gitml.formats.run_records"
    code = f"import sys, {modules}; print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_edit_of_one_run_changes_only_that_run(project: Project) -> None:
    first, second = make_run(1, tags={"a": "1", "b": "1"}), make_run(2, tags={"a": "1"})
    project.show(files_of(first, second))
    project.show(files_of(replace(first, data=replace(first.data, tags={"b": "2"}))))
    assert ids(project.index, "tags.a = '1'") == [2]
    assert ids(project.index, "tags.b = '2'") == [1]
    assert ids(project.index, "tags.b = '1'") == []
