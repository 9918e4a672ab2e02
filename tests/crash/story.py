"""What a writer does until it is killed: every kind of write once, each noted when it returned."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gitml
from gitml.sharing import push_pull

POINTS = 12
BIG = bytes(range(256)) * 1024
MLMODEL = "flavors:\n  python_function:\n    loader_module: none\n"


class Notes:
    """What was acknowledged, one JSON line each, in a file outside of the repository."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def done(self, what: str, *values: Any) -> None:
        os.write(self._descriptor, json.dumps([what, *values]).encode() + b"\n")


def read_notes(path: Path) -> list[list[Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tell(repository: Path, notes: Notes, number: int) -> None:
    """Log a run with artifacts, register a model of it, end it, edit it, search, push."""
    source = repository.parent / "inputs"
    gitml.set_tracking_uri(repository)
    gitml.set_experiment(f"trial {number % 3}")
    notes.done("experiment", f"trial {number % 3}")
    run = gitml.start_run(run_name=f"run {number}")
    run_id = run.info.run_id
    notes.done("run", run_id)

    def noted(kind: str, key: str, value: Any, call: Callable[[], Any]) -> None:
        call()
        notes.done(kind, run_id, key, value)

    for i in range(POINTS):
        noted("metric", f"m{i % 2}", i, lambda i=i: gitml.log_metric(f"m{i % 2}", i, step=i))
    noted("param", "p", "1", lambda: gitml.log_param("p", 1))
    noted("param", "q", "2", lambda: gitml.log_params({"q": 2}))
    noted("tag", "t", "x", lambda: gitml.set_tag("t", "x"))
    text = f"trial {number}\n" * 50
    noted("file", "a/note.txt", text, lambda: gitml.log_text(text, "a/note.txt"))
    noted("file", "big.bin", None, lambda: gitml.log_artifact(source / "big.bin"))
    noted("file", "model/MLmodel", MLMODEL, lambda: gitml.log_artifacts(source / "model", "model"))
    name = f"Model{number % 2}"
    version = gitml.register_model(f"runs:/{run_id}/model", name)
    notes.done("version", run_id, name, version.version)
    noted("metric", "late", 0, lambda: gitml.log_metric("late", 0, step=0))
    gitml.end_run()
    notes.done("ended", run_id)
    client = gitml.MlflowClient(repository)
    noted("tag", "edited", "y", lambda: client.set_tag(run_id, "edited", "y"))
    client.search_runs([run.info.experiment_id], "metrics.late = 0")
    push_pull.push(client.repository)
    notes.done("pushed", run_id)
