"""Many writers on one clone, and a person who works in it meanwhile: all is there, none is torn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from tests.conftest import git

WRITER = """
import gitml, sys
who, runs = sys.argv[1], int(sys.argv[2])
for i in range(runs):
    with gitml.start_run(run_name=f"{who}/{i}"):
        gitml.log_params({"who": who, "i": i})
        for step in range(5):
            gitml.log_metric("m", step * i, step=step)
        if i % 5 == 0:
            gitml.log_text(f"{who}/{i}", "note.txt")
"""
WORKER = """
import gitml, sys
with gitml.start_run(run_id=sys.argv[1]):
    for step in range(int(sys.argv[3])):
        gitml.log_metric("worker " + sys.argv[2], step, step=step)
    gitml.set_tag("worker " + sys.argv[2], "done")
    gitml.log_text(sys.argv[2], f"worker {sys.argv[2]}.txt")
"""


def start(repository: Path, script: str, *args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, *args], cwd=repository)


def check_all_whole(repository: Path, names: set[str]) -> None:
    client = gitml.MlflowClient(repository)
    runs = client.search_runs(["Default"], max_results=50_000)
    assert {run.info.run_name for run in runs} == names
    assert len(runs) == len(names)
    for run in runs:
        who, i = run.data.params["who"], int(run.data.params["i"])
        assert (run.info.run_name, run.info.status) == (f"{who}/{i}", "FINISHED")
        assert run.data.metrics == {"m": 4.0 * i}
        history = client.get_metric_history(run.info.run_id, "m")
        assert [point.step for point in history] == [0, 1, 2, 3, 4]
        listed = [artifact.path for artifact in client.list_artifacts(run.info.run_id)]
        assert listed == (["note.txt"] if i % 5 == 0 else [])
    assert client.repository.index().problems() == []
    assert list((repository / ".git" / "gitml" / "runs").iterdir()) == []
    assert list((repository / ".git").rglob("*.lock")) == []
    assert git(repository, "fsck", "--no-dangling", "--no-progress") == ""


def write_concurrently(repository: Path, processes: int, runs: int) -> set[str]:
    workers = [start(repository, WRITER, f"w{n}", str(runs)) for n in range(processes)]
    assert [worker.wait(timeout=120) for worker in workers] == [0] * processes
    return {f"w{n}/{i}" for n in range(processes) for i in range(runs)}


@pytest.mark.soak
def test_sixteen_processes_write_fifty_runs_each(repository: Path) -> None:
    names = write_concurrently(repository, 16, 50)

    check_all_whole(repository, names)


def log_to_run(repository: Path, processes: int, points: int) -> None:
    gitml.set_tracking_uri(repository)
    with gitml.start_run() as run:
        workers = [
            start(repository, WORKER, run.info.run_id, str(n), str(points))
            for n in range(processes)
        ]
        assert [worker.wait(timeout=120) for worker in workers] == [0] * processes
    client = gitml.MlflowClient(repository)
    logged = client.get_run(run.info.run_id)
    assert logged.info.status == "FINISHED"
    for n in range(processes):
        steps = [p.step for p in client.get_metric_history(run.info.run_id, f"worker {n}")]
        assert steps == list(range(points))
        assert logged.data.tags[f"worker {n}"] == "done"
    listed = [artifact.path for artifact in client.list_artifacts(run.info.run_id)]
    assert listed == [f"worker {n}.txt" for n in range(processes)]


@pytest.mark.slow
def test_four_processes_log_to_a_run(tracked: Path) -> None:
    log_to_run(tracked, 4, 100)


@pytest.mark.soak
def test_four_processes_log_thousands_of_points_to_a_run(tracked: Path) -> None:
    for _ in range(10):
        log_to_run(tracked, 4, 5_000)


def work(repository: Path, rounds: int) -> list[str]:
    """What a person does in a day: commit, stash, rebase, other work trees, gc."""
    subjects = []
    for number in range(rounds):
        file = repository / "train.py"
        file.write_text(f"print({number})\n")
        git(repository, "commit", "-qam", f"work {number}")
        git(repository, "checkout", "-q", "-b", "topic", "HEAD~1")
        (repository / f"topic {number}.txt").write_text("x")
        git(repository, "add", ".")
        git(repository, "commit", "-qm", f"topic {number}")
        git(repository, "rebase", "-q", "main")
        git(repository, "checkout", "-q", "main")
        git(repository, "merge", "-q", "--ff-only", "topic")
        git(repository, "branch", "-q", "-D", "topic")
        subjects += [f"work {number}", f"topic {number}"]
        file.write_text(f"print('not committed {number}')\n")
        git(repository, "stash", "-q")
        git(repository, "stash", "pop", "-q")
        git(repository, "checkout", "-q", "train.py")
        git(repository, "worktree", "add", "-q", "--detach", f"../tree {number}")
        git(repository, "worktree", "remove", f"../tree {number}")
        if number % 2:
            git(repository, "gc", "-q")  # `--prune=now` would harm any git that writes, says git
            git(repository, "pack-refs", "--all")
    (repository / "train.py").write_text("print('in work')\n")
    return subjects


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "runs", "rounds"),
    [pytest.param(2, 4, 4, id="few"), pytest.param(8, 40, 60, id="many", marks=pytest.mark.soak)],
)
def test_a_person_works_in_the_clone_meanwhile(
    repository: Path, processes: int, runs: int, rounds: int
) -> None:
    workers = [start(repository, WRITER, f"w{n}", str(runs)) for n in range(processes)]
    subjects = work(repository, rounds)
    assert [worker.wait(timeout=120) for worker in workers] == [0] * processes

    check_all_whole(repository, {f"w{n}/{i}" for n in range(processes) for i in range(runs)})
    log = git(repository, "log", "--format=%s", "--reverse", "main").splitlines()
    assert log == ["Add training", *subjects]
    assert git(repository, "status", "--porcelain").split("\n") == ["M train.py"]
    assert git(repository, "stash", "list") == ""
    assert (repository / "train.py").read_text() == "print('in work')\n"
