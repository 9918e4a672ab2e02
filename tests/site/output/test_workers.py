"""Pages and tables made by other processes: the same bytes, the same errors, no one left."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import GitmlError, InvalidInput
from gitml.site import SiteOptions, build
from gitml.site.output import bundle, workers
from gitml.site.output.no_gc import without_collector
from gitml.site.pages import older_runs
from tests.site.test_build import snapshot

build_module = sys.modules["gitml.site.build"]  # which a function of its name hides
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors, and small work is worth sharing."""
    monkeypatch.setattr(workers, "_processors", lambda: 2)
    monkeypatch.setattr(older_runs, "RUNS", 4)
    monkeypatch.setattr(build_module, "_GROUP", 4)
    monkeypatch.setattr(build_module, "_PAGE", 1.0)  # s, so that it is worth sharing


@pytest.fixture
def signs() -> Iterator[tuple[int, int]]:
    """A pipe: another process writes to it when it begins, so that a test can wait for that."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def tasks(work: Callable[[Any], Any], items: Sequence[Any]) -> list[workers.Task[Any]]:
    return [workers.Task(seconds=1, work=partial(work, item)) for item in items]


def test_shared_work_gives_each_result_once(two: None, signs: tuple[int, int]) -> None:
    items = [f"{number}" for number in range(40)]

    def double(item: str) -> tuple[str, int]:
        os.write(signs[1], b".")
        return item * 2, os.getpid()

    with workers.begun(tasks(double, items)) as made:
        os.read(signs[0], 1)
        found = list(made())
    assert sorted(text for text, _ in found) == sorted(item * 2 for item in items)
    assert os.getpid() != dict(found)["00"]
    assert multiprocessing.active_children() == []


def test_more_tasks_than_a_pipe_holds_are_all_done(
    two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_QUEUED", 5)
    with workers.begun(tasks(str, range(12))) as made:
        assert sorted(made(), key=int) == [str(number) for number in range(12)]


def test_little_work_is_done_here(two: None) -> None:
    little = [workers.Task(seconds=0.001, work=os.getpid)] * 20
    with workers.begun(little) as made:
        assert set(made()) == {os.getpid()}


def test_work_aside_leaves_something_behind_and_nobody(two: None, signs: tuple[int, int]) -> None:
    def leave() -> None:
        os.write(signs[1], b".")
        signal.pause()

    with workers.aside(leave):
        assert os.read(signs[0], 1) == b"."
    assert multiprocessing.active_children() == []


def test_vega_is_bundled_once_by_whoever_comes_first(
    two: None, signs: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    me = os.getpid()

    def run(snippet: str) -> str:
        os.write(signs[1], b".")
        return f"by another: {os.getpid() != me};"

    monkeypatch.setattr(bundle, "_run", run)
    with bundle.begun(tmp_path / "cache"):
        os.read(signs[0], 1)
        assert b"by another: True;" in bundle.vega(tmp_path / "cache")
    with bundle.begun(tmp_path / "cache"):
        assert b"by another: True;" in bundle.vega(tmp_path / "cache")
    with bundle.begun(None):
        assert b"by another: False;" in bundle.vega(None)


def test_a_site_made_by_two_processes_has_the_same_bytes(
    content: Any, options: SiteOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two: None
) -> None:
    few = dataclasses.replace(options, run_pages=3)
    full = content(unread=lambda: ["One file could not be read."])
    shared = build(full, tmp_path / "shared", options=few)
    assert shared.dropped[-1:] == ("One file could not be read.",)
    monkeypatch.setattr(workers, "_processors", lambda: 1)
    alone = build(full, tmp_path / "alone", options=few)
    assert snapshot(tmp_path / "shared") == snapshot(tmp_path / "alone")
    assert (shared.bytes, shared.dropped) == (alone.bytes, alone.dropped)


def test_what_goes_wrong_in_another_process_is_told_as_here(
    two: None, signs: tuple[int, int]
) -> None:
    me = os.getpid()

    def refuse(item: int) -> None:
        os.write(signs[1], b".")
        if os.getpid() != me:
            raise InvalidInput(f"{item} is wrong.", hint="Give another.")

    with (
        pytest.raises(InvalidInput, match=r"0 is wrong\. Give another\."),
        workers.begun(tasks(refuse, [0])) as made,
    ):
        os.read(signs[0], 1)
        list(made())
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_said_in_one_sentence(
    two: None, signs: tuple[int, int]
) -> None:
    me = os.getpid()

    def die(item: int) -> None:
        os.write(signs[1], b".")
        if os.getpid() != me:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(GitmlError, match="was ended"), workers.begun(tasks(die, [0])) as made:
        os.read(signs[0], 1)
        list(made())


def test_helpers_do_not_outlive_a_process_that_is_killed() -> None:
    code = (
        "import os, signal; from gitml.site.output import workers\n"
        "workers._processors = lambda: 3\n"
        "def work():\n"
        "    os.write(1, b'.')\n"
        "    signal.pause()\n"
        "with workers.begun([workers.Task(seconds=1, work=work)] * 8): signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.read(2) == b".."
        process.kill()
        assert process.communicate(timeout=60) == (b"", None)  # nobody else holds its output


def test_the_collector_is_left_as_it_was() -> None:
    with without_collector():
        assert not gc.isenabled()
        with without_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
