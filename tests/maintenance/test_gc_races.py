"""gitml gc never removes what another program has just stored, whatever the grace period."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml import files
from gitml.errors import Conflict
from gitml.maintenance import fsck, gc
from gitml.repository import Repository
from gitml.sharing import push_pull, remotes
from gitml.sharing.collection import COLLECTED, COLLECTING, Collected, Collections
from tests.cli.conftest import log_run
from tests.clones import origin_and_clone
from tests.conftest import LIMIT, ended, git

LOGGERS = 3


def program(name: str, project: Path, who: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.maintenance.collect_in_process", name, str(project)]
    root = Path(__file__).parents[2]
    return subprocess.Popen([*command, who], cwd=root, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)  # fmt: skip


def faults(project: Path) -> list[tuple[str, str]]:
    report = fsck.check(Repository.open(project), remote=True)
    return [(fault.place, fault.reason) for fault in report.faults]


@pytest.mark.slow
def test_gc_waits_for_a_run_between_storing_and_committing(repository: Path) -> None:
    with ended(program("end_slowly", repository)) as logger:
        assert logger.stdout and logger.stdout.readline() == "stored\n"
        command = [sys.executable, "-c", "from gitml.cli import main; main()", "gc"]
        with ended(subprocess.Popen([*command, "--older-than", "0h", "--yes"], cwd=repository,
                                    stdout=subprocess.PIPE, text=True)) as collector:  # fmt: skip
            gate = repository / ".git" / "gitml" / "locks" / "objects-gate"
            while collector.poll() is None and not files.is_locked(gate):
                os.sched_yield()
            logger.communicate("go\n", timeout=LIMIT)
            assert collector.communicate(timeout=LIMIT)[0] == (
                "Nothing to remove (2 objects in use, 0 newer than 0 hours).\n"
            )
    assert faults(repository) == []


@pytest.mark.slow
def test_no_file_is_lost_while_loggers_and_collectors_race(repository: Path) -> None:
    with ended(program("collect", repository)) as first, ended(program("collect", repository)):
        assert first.stdout and first.stdout.readline() == "ready\n"
        loggers = [program("log", repository, str(n)) for n in range(LOGGERS)]
        codes = [logger.wait(timeout=LIMIT) for logger in loggers]
        (repository.parent / "done").touch()
        assert (codes, first.wait(timeout=LIMIT)) == ([0] * LOGGERS, 0)
        for logger in loggers:
            logger.communicate()
    assert faults(repository) == []


# A DVC remote that clones share ------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones that share a git remote and a folder for artifacts."""
    pusher = origin_and_clone(tmp_path, "pusher")
    remotes.set_remote(Repository.open(pusher), str(tmp_path / "storage"))
    log_run(pusher)
    push_pull.push(Repository.open(pusher))
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "collector")
    collector = Repository.open(tmp_path / "collector")
    push_pull.pull(collector)
    collector.remotes.trust.accept(collector.remotes.address())
    return pusher, tmp_path / "collector"


def test_a_push_sends_again_what_was_collected_before_its_records_arrived(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    pusher, collector = pair
    repository = Repository.open(pusher)
    run_id = log_run(pusher, name="second")
    client = gitml.MlflowClient(pusher)
    client.log_text(run_id, "a second file", "second.txt")
    artifacts = repository.files(run_id).artifacts
    repository.artifacts.push([artifacts], repository.open_remote())  # a push that broke off
    command = shlex.join([sys.executable, "-c", "from gitml.cli import main; main()", "gc",
                          "--remote", "--older-than", "0h", "--yes"])  # fmt: skip
    hook = tmp_path / "origin.git" / "hooks" / "pre-receive"
    hook.write_text(
        f"#!/bin/sh\nrm $0\nunset $(git rev-parse --local-env-vars) GIT_QUARANTINE_PATH\n"
        f"cd {shlex.quote(str(collector))} && exec {command} >{tmp_path}/collected 2>&1\n"
    )
    hook.chmod(0o755)

    push_pull.push(repository)
    assert "Removed 2 objects" in (tmp_path / "collected").read_text()
    push_pull.pull(Repository.open(collector))
    assert gitml.MlflowClient(collector).download_artifacts(run_id, "second.txt")
    assert faults(collector) == []


def test_a_second_collection_of_a_remote_is_refused(pair: tuple[Path, Path]) -> None:
    pusher, collector = pair
    collections = Collections.of(Repository.open(pusher))
    assert collections.state() == Collected(running=None, last=None)
    with collections.begin():
        running = collections.state().running
        message = r"^Ada Example <ada@example.org> is cleaning the remote for artifacts\."
        with pytest.raises(Conflict, match=message):
            gc.collect(Repository.open(collector), apply=True, remote=True)
    assert collections.state() == Collected(running=None, last=running)
    gc.collect(Repository.open(collector), apply=True, remote=True)
    assert collections.state() != Collected(running=None, last=running)


def test_the_collection_of_a_program_that_died_is_taken_over(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pusher, collector = pair
    tree = git(pusher, "mktree")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "@1000000000 +0000")
    dead = git(pusher, "commit-tree", tree, "-m", "died")
    git(pusher, "push", "-q", "origin", f"{dead}:{COLLECTING}")
    collections = Collections.of(Repository.open(collector))
    assert collections.state() == Collected(running=None, last=dead)
    gc.collect(Repository.open(collector), apply=True, remote=True)
    assert list(Repository.open(collector).git.remote_refs("origin", "refs/gitml/*")) == [COLLECTED]
