"""Many runs at once: one journal, few commits, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import gitml
from gitml.errors import StoreError
from gitml.formats.run_records import RunFiles
from gitml.repository import Repository
from gitml.store.in_progress import batch
from gitml.store.in_progress.fold import fold
from gitml.store.runs import RECOVERED_TAG
from tests.conftest import git


def commits(folder: Path) -> int:
    return int(git(folder, "rev-list", "--count", "gitml/runs"))


def records(folder: Path) -> dict[str, dict[str, object]]:
    paths = git(folder, "ls-tree", "-r", "--name-only", "gitml/runs", "runs/").splitlines()
    contents = (
        json.loads(git(folder, "show", f"gitml/runs:{p}")) for p in paths if "run.json" in p
    )
    return {record["run_id"]: record for record in contents}


def log(number: int) -> str:
    with gitml.start_run(run_name=f"run {number}") as run:
        gitml.log_param("number", number)
        gitml.log_metric("loss", 1 / (number + 1), step=number)
    return run.info.run_id


def left_over(folder: Path) -> list[Path]:
    return list((folder / ".git" / "gitml" / "batches").iterdir())


def test_runs_of_a_batch_share_a_commit_and_are_as_any_others(tracked: Path) -> None:
    (tracked / "train.py").write_text("print('changed')\n")
    alone = log(0)
    before = commits(tracked)
    with gitml.batch():
        ids = [log(number) for number in range(1, 6)]
        assert commits(tracked) == before

    assert commits(tracked) == before + 1
    assert git(tracked, "log", "-1", "--format=%B", "gitml/runs").splitlines() == [
        "5 runs: 5 finished", "", "Default: 5 runs",
    ]  # fmt: skip
    by_id = records(tracked)
    assert by_id.keys() == {alone, *ids}
    for number, run_id in enumerate(ids, 1):
        assert by_id[run_id]["params"] == {"number": str(number)}
        assert by_id[run_id]["metrics"] == {"loss": 1 / (number + 1)}
        assert by_id[run_id]["status"] == "FINISHED"
        assert by_id[run_id].keys() == by_id[alone].keys()
        assert by_id[run_id]["source"] == by_id[alone]["source"]
        where = f"gitml/runs:runs/Default/{run_id[:2]}/{run_id}"
        assert "+print('changed')" in git(tracked, "show", f"{where}/source.patch")
        assert git(tracked, "show", f"{where}/requirements.txt")
    assert left_over(tracked) == []
    assert git(tracked, "fsck") == ""


def test_an_exception_ends_the_batch_with_all_that_had_ended(tracked: Path) -> None:
    ids = []
    with pytest.raises(ZeroDivisionError), gitml.batch():
        ids.append(log(1))
        with gitml.start_run() as run:
            ids.append(run.info.run_id)
            gitml.log_metric("loss", 1 / 0)

    states = {run_id: record["status"] for run_id, record in records(tracked).items()}
    assert states == dict(zip(ids, ("FINISHED", "FAILED"), strict=True))


def test_this_process_sees_its_batch(tracked: Path) -> None:
    with gitml.batch():
        first = log(1)
        assert gitml.get_run(first).data.params == {"number": "1"}
        with gitml.start_run() as run:
            gitml.log_param("depth", 3)
            gitml.log_text("hello", "notes.txt")
            assert gitml.get_run(run.info.run_id).data.params == {"depth": "3"}
            files = client().list_artifacts(run.info.run_id)
            assert [file.path for file in files] == ["notes.txt"]
            runs = gitml.search_runs(output_format="list")
            assert [listed.info.run_id for listed in runs] == [first]
            gitml.log_param("width", 4)
        gitml.set_tracking_uri(tracked)
        client().set_tag(first, "late", "yes")

    assert gitml.get_run(first).data.tags["late"] == "yes"
    last = gitml.get_run(run.info.run_id)
    assert last.data.params == {"depth": "3", "width": "4"}
    assert Path(client().download_artifacts(last.info.run_id, "notes.txt")).read_text() == "hello"
    assert left_over(tracked) == []


def client() -> gitml.MlflowClient:
    return gitml.MlflowClient(gitml.get_tracking_uri())


def tag_on_the_branch(tracked: Path, run_id: str) -> None:
    """What a pull may do to a run that was committed while it goes on."""
    runs = Repository.open(tracked).runs
    runs.edit(run_id, "Default", lambda _, now: [["tag", "seen", "elsewhere", now]])


def test_a_run_committed_before_its_end_is_joined_with_what_others_made_of_it(
    tracked: Path,
) -> None:
    with gitml.batch(), gitml.start_run() as run:
        gitml.log_param("depth", 3)
        Repository.open(tracked).runs.checkpoint(run.info.run_id)
        tag_on_the_branch(tracked, run.info.run_id)
        gitml.log_metric("loss", 0.5)

    (record,) = records(tracked).values()
    assert (record["params"], record["metrics"]) == ({"depth": "3"}, {"loss": 0.5})
    assert (record["tags"]["seen"], record["status"]) == ("elsewhere", "FINISHED")


def test_a_commit_that_failed_after_git_made_it_is_joined_when_it_is_repeated(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = Repository.open(tracked).branch
    update = branch.append_commits

    def fail_after(*args: object, **more: object) -> None:
        update(*args, **more)
        monkeypatch.undo()
        raise StoreError("The machine is tired.")

    with gitml.batch():
        run_id = log(1)
        monkeypatch.setattr(branch, "append_commits", fail_after)
        with pytest.raises(StoreError, match="tired"):
            Repository.open(tracked).runs.flush()
        tag_on_the_branch(tracked, run_id)
    assert records(tracked)[run_id]["tags"]["seen"] == "elsewhere"
    assert left_over(tracked) == []


def test_a_run_that_outlives_the_batch_is_committed_when_it_ends(tracked: Path) -> None:
    with gitml.batch(), gitml.batch():
        run = gitml.start_run()
        gitml.log_param("depth", 3)
    gitml.log_param("width", 4)
    gitml.end_run()

    assert records(tracked)[run.info.run_id]["params"] == {"depth": "3", "width": "4"}
    assert left_over(tracked) == []


def test_commits_follow_each_other_in_a_long_batch(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_RUNS", 3)
    with gitml.batch():
        with gitml.start_run() as outer:
            gitml.log_metric("loss", 0.5)
            inner = []
            for _ in range(7):
                with gitml.start_run(nested=True) as run:
                    inner.append(run.info.run_id)
            gitml.log_metric("loss", 0.25, step=1)
        assert len(records(tracked)) == 6

    by_id = records(tracked)
    assert by_id.keys() == {outer.info.run_id, *inner}
    assert {by_id[run_id]["parent_run_id"] for run_id in inner} == {outer.info.run_id}
    history = client().get_metric_history(outer.info.run_id, "loss")
    assert [point.value for point in history] == [0.5, 0.25]


KILLED = """
import os, signal, sys, gitml
from gitml.errors import StoreError
from gitml.store.in_progress import batch
batch.MAX_RUNS = 3
with gitml.batch():
    for number in range(5):
        with gitml.start_run() as run:
            gitml.log_param("number", number)
            gitml.log_metric("loss", float("nan"), step=number)
            print(run.info.run_id, flush=True)
    gitml.start_run()
    gitml.log_text("half", "notes.txt")
    print(gitml.active_run().info.run_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_calls_of_a_batch_survive_a_kill(tracked: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=tracked, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    *ended, open_ = done.stdout.split()
    (folder,) = left_over(tracked)
    torn = next(folder.glob("journal*.jsonl"))
    torn.write_bytes(torn.read_bytes() + b'0123 ["par')

    assert set(Repository.open(tracked).runs.recover()) == {*ended[3:], open_}
    by_id = records(tracked)
    assert by_id.keys() == {*ended, open_}
    for number, run_id in enumerate(ended):
        assert (by_id[run_id]["status"], by_id[run_id]["params"]) == (
            "FINISHED", {"number": str(number)},
        )  # fmt: skip
        assert by_id[run_id]["metrics"] == {"loss": "NaN"}
    assert (by_id[open_]["status"], by_id[open_]["tags"][RECOVERED_TAG]) == ("FAILED", "true")  # type: ignore[index]
    assert Path(client().download_artifacts(open_, "notes.txt")).read_text() == "half"
    assert left_over(tracked) == []


def test_a_journal_that_was_committed_already_changes_nothing(tracked: Path) -> None:
    runs = Repository.open(tracked).runs
    ids = [log(number) for number in range(3)]
    tip = git(tracked, "rev-parse", "gitml/runs")
    base = {run_id: runs.read(run_id, "Default") for run_id in ids}

    assert runs.add_all(base.values()) == 3
    assert git(tracked, "rev-parse", "gitml/runs") == tip
    assert {run_id: runs.read(run_id, "Default") for run_id in ids} == base


def made(count: int) -> Iterator[RunFiles]:
    for number in range(count):
        header = {"run_id": f"{number:032x}", "experiment_id": "house", "run_name": "r",
                  "user_id": "ada", "start_time": number}  # fmt: skip
        yield fold(None, [["start", header], ["param", "n", str(number), number]])


def test_runs_made_elsewhere_are_added_in_portions(tracked: Path) -> None:
    runs = Repository.open(tracked).runs

    assert runs.add_all(made(1101)) == 1101
    assert commits(tracked) == 3
    tree = git(tracked, "ls-tree", "-r", "--name-only", "gitml/runs", "runs/").splitlines()
    assert tree == [f"runs/house/{n:032x}"[:13] + f"/{n:032x}/run.json" for n in range(1101)]
    assert runs.read(f"{7:032x}", "house") == next(replace(r) for r in list(made(8))[7:])
