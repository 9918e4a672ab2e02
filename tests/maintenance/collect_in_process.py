"""Programs of `test_gc_races.py`: they log, store or collect in a process of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import gitml
from gitml.maintenance import gc
from gitml.repository import Repository
from gitml.store import object_lock

RUNS = 8  # of each logger


def log(project: Path, name: str) -> None:
    """End runs whose files are garbage in the cache already."""
    client = gitml.MlflowClient(project)
    repository = client.repository
    experiment = repository.experiments.create("race", {}, exist_ok=True)
    stray = project.parent / f"stray-{name}"
    stray.mkdir()
    for number in range(RUNS):
        text = f"content {number}"  # of every logger
        (stray / "weights.txt").unlink(missing_ok=True)
        (stray / "weights.txt").write_text(text)
        with object_lock.storing(repository.branch.locks):
            repository.artifacts.put(stray)
        run = client.create_run(experiment)
        client.log_text(run.info.run_id, text, "weights.txt")
        client.set_terminated(run.info.run_id)


def collect(project: Path, name: str) -> None:
    """Collect everything that nothing needs, of any age, until the loggers are done."""
    print("ready", flush=True)
    while not (project.parent / "done").exists():
        gc.collect(Repository.open(project), apply=True, older_than=0)


def end_slowly(project: Path, name: str) -> None:
    """End a run, and wait between storing its files and committing it."""
    client = gitml.MlflowClient(project)
    experiment = client.repository.experiments.create("race", {}, exist_ok=True)
    put = client.repository.artifacts.put

    def put_and_wait(folder: Path) -> object:
        stored = put(folder)
        print("stored", flush=True)
        sys.stdin.readline()
        return stored

    client.repository.artifacts.put = put_and_wait  # type: ignore[method-assign,assignment]
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "slow", "weights.txt")
    client.set_terminated(run.info.run_id)


if __name__ == "__main__":
    programs = {"log": log, "collect": collect, "end_slowly": end_slowly}
    programs[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
