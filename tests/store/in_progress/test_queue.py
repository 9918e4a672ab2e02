"""Runs that end together share a commit process, which may die at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.repository import Repository
from tests.conftest import git

ROOT = Path(__file__).parents[3]
LEADER = """
import os, signal, sys, gitml
from gitml.git import GitRepo
from gitml.store.in_progress.queue import Queue
moment = sys.argv[1]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

waiting, fast_import = Queue.waiting, GitRepo.fast_import

def wait_for_the_other(self, besides):
    print("leading", flush=True)
    sys.stdin.readline()
    found = waiting(self, besides)
    print(len(found), flush=True)
    if moment == "tickets read":
        die()
    return found

def interrupted(self, stream):
    fast_import(self, stream)
    if moment == "commits made":
        die()

run = gitml.start_run(run_name="leader")
gitml.log_param("who", "leader")
print(run.info.run_id, flush=True)
Queue.waiting, GitRepo.fast_import = wait_for_the_other, interrupted
gitml.end_run()
"""
FOLLOWER = """
import sys, gitml
from gitml.store.branch import Branch

run = gitml.start_run(run_name="follower")
gitml.log_param("who", "follower")
print(run.info.run_id, flush=True)
append_commits = Branch.append_commits

def announced(self, *args, **kwargs):
    print("waiting", flush=True)
    return append_commits(self, *args, **kwargs)

Branch.append_commits = announced
sys.stdin.readline()
gitml.end_run()
print("ended", flush=True)
"""


def start(folder: Path, code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args], cwd=folder, text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")


def end(process: subprocess.Popen[str]) -> int:
    with process:  # closes its pipes
        return process.wait(timeout=120)


@pytest.mark.parametrize("moment", ["tickets read", "commits made"])
def test_a_waiting_run_outlives_the_process_that_was_to_commit_it(
    tracked: Path, moment: str
) -> None:
    follower = start(tracked, FOLLOWER)
    second = read_line(follower)
    leader = start(tracked, LEADER, moment)
    first = read_line(leader)
    assert read_line(leader) == "leading"
    tell(follower)
    assert read_line(follower) == "waiting"

    tell(leader)
    assert read_line(leader) == "1"
    assert end(leader) == -signal.SIGKILL
    assert read_line(follower) == "ended"
    assert end(follower) == 0
    Repository.open(tracked).runs.recover()

    for run_id, name in ((first, "leader"), (second, "follower")):
        run = gitml.get_run(run_id)
        assert (run.data.params, run.info.status) == ({"who": name}, "FINISHED")
        paths = git(tracked, "log", "--format=", "--name-only", "gitml/runs").splitlines()
        assert sum(path.endswith(f"/{run_id}/run.json") for path in paths) == 1
        record = f"gitml/runs:runs/Default/{run_id[:2]}/{run_id}/run.json"
        assert json.loads(git(tracked, "show", record))["status"] == "FINISHED"
    state = tracked / ".git" / "gitml"
    assert list((state / "queue").iterdir()) == []
    assert not [folder for folder in (state / "runs").iterdir() if folder.name in (first, second)]
    assert git(tracked, "fsck") == ""
