"""Repositories with a runs branch and an index, for the tests of the index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitml.entities import (
    Experiment,
    MetricSummary,
    Run,
    RunData,
    RunInfo,
    ViewType,
)
from gitml.formats import run_records
from gitml.formats.run_records import ExperimentRecord, Record, RunFiles
from gitml.git import GitRepo
from gitml.query.filters import RunQuery
from gitml.store.branch import Branch
from gitml.store.index.index import Index, LiveRun

Files = Mapping[str, bytes | None]


def make_run(number: int, **changes: Any) -> Run:
    """Build a run with an id made from ``number``; fields of its info or data can be changed."""
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


def everything(index: Index) -> list[Any]:
    """Return everything in an index; runs as text, because NaN equals nothing."""
    runs = index.search_runs(RunQuery(run_view_type=ViewType.ALL)).runs
    return [
        [repr(run) for run in runs],
        index.search_experiments(ViewType.ALL),
        index.model_files(),
        index.problems(),
        index.counts(),
    ]


def ids(index: Index, filter_string: str = "", **query: Any) -> list[int]:
    page = index.search_runs(RunQuery(filter_string=filter_string, **query))
    return [int(run.info.run_id, 16) for run in page.runs]
