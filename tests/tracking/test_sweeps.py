"""Sweeps: many short runs of several processes on one clone, none lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.entities import Artifact
from gitml.store.in_progress.queue import Queue
from tests.conftest import git

PROCESSES = 8


WORK = """
import sys, gitml
worker, count = map(int, sys.argv[1:])
gitml.set_experiment("sweep")
for number in range(count):
    with gitml.start_run() as run:
        gitml.log_param("trial", f"{worker}/{number}")
        gitml.log_metric("loss", number, step=number)
    print(run.info.run_id)
"""


def work(folder: Path, worker: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORK, str(worker), str(count)],
        cwd=folder, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("count", [80, pytest.param(1000, marks=pytest.mark.soak)])
def test_no_run_of_eight_processes_is_lost(tracked: Path, count: int) -> None:
    each = count // PROCESSES
    workers = [work(tracked, worker, each) for worker in range(PROCESSES)]
    logged = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES

    gitml.set_experiment("sweep")
    runs = {run.info.run_id: run for run in gitml.search_runs(output_format="list")}
    assert runs.keys() == {run_id for ids in logged for run_id in ids}
    assert len(runs) == count
    for number_of_worker, ids in enumerate(logged):
        for number, run_id in enumerate(ids):
            run = runs[run_id]
            assert run.data.params == {"trial": f"{number_of_worker}/{number}"}
            assert (run.data.metrics, run.info.status) == ({"loss": number}, "FINISHED")
    subjects = git(
        tracked, "log", "--format=%(trailers:key=Run,valueonly,separator=)", "gitml/runs"
    )
    assert sorted(line for line in subjects.splitlines() if line) == sorted(runs)  # a commit each
    state = tracked / ".git" / "gitml"
    assert list((state / "queue").iterdir()) == []
    assert list((state / "runs").glob("*/journal*")) == []
    assert git(tracked, "fsck") == ""


def test_whoever_has_the_lock_commits_the_runs_that_wait(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue")
    first, second = "0" * 32, "1" * 32
    with queue.ticket(first, ()) as ticket:
        assert queue.waiting(besides=ticket) == []
        with queue.ticket(second, (Artifact(path="a", size=1, md5="0" * 32),)) as other:
            assert queue.waiting(besides=ticket) == [other]
        assert queue.waiting(besides=ticket) == []
    dead = tmp_path / "queue" / f"{second}-01234567.json"
    dead.write_text("[]")
    with queue.ticket(first, ()) as ticket:
        assert queue.waiting(besides=ticket) == []
    assert not dead.exists()
