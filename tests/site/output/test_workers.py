"""Work done by worker processes: the same bytes, the same errors, no process left."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import GitmlError, InvalidInput
from gitml.site import SiteOptions, build
from gitml.site.options import ShardSizes
from gitml.site.output import bundle, workers
from gitml.site.output.no_gc import without_collector
from tests.conftest import ended
from tests.site.previews.test_parquet import GOOD
from tests.site.test_build import snapshot

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork although pytest-xdist has threads, and have a processor for work aside."""
    monkeypatch.setattr(workers, "_can_fork", lambda: True)
    monkeypatch.setattr(workers, "_processors", lambda: 2)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: a worker writes to it when it starts, so that a test can wait for that."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def tasks(work: Callable[[Any], Any], items: Sequence[Any]) -> list[workers.Task[Any]]:
    return [workers.Task(seconds=1, work=partial(work, item)) for item in items]


def test_workers_give_each_result_once(forks: None) -> None:
    items = [f"{number}" for number in range(40)]

    def double(item: str) -> tuple[str, int]:
        return item * 2, os.getpid()

    with workers.run(tasks(double, items), 2) as results:
        pairs = list(results())
    assert sorted(text for text, _ in pairs) == sorted(item * 2 for item in items)
    assert os.getpid() not in dict(pairs).values()
    assert multiprocessing.active_children() == []


def test_workers_start_before_results_are_read(forks: None, pipe: tuple[int, int]) -> None:
    with workers.run(tasks(lambda _: os.write(pipe[1], b"."), range(3)), 2) as results:
        os.read(pipe[0], 1)
        assert list(results()) == [1, 1, 1]


def test_little_work_is_done_by_the_process_itself(forks: None) -> None:
    little = [workers.Task(seconds=0.001, work=os.getpid)] * 20
    with workers.run(little) as results:
        assert set(results()) == {os.getpid()}


def test_process_with_threads_is_not_forked() -> None:
    ready, end = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        end.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    try:
        with workers.run(tasks(lambda _: os.getpid(), range(4)), 2) as results:
            assert set(results()) == {os.getpid()}
    finally:
        end.set()
        thread.join(120)


def test_work_aside_ends_with_its_context(forks: None, pipe: tuple[int, int]) -> None:
    def wait() -> None:
        os.write(pipe[1], b".")
        signal.pause()

    with workers.run_aside(wait):
        assert os.read(pipe[0], 1) == b"."
    assert multiprocessing.active_children() == []


def test_vega_is_bundled_once_by_whoever_comes_first(
    forks: None, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    me = os.getpid()

    def run(snippet: str) -> str:
        os.write(pipe[1], b".")
        return f"by another: {os.getpid() != me};"

    monkeypatch.setattr(bundle, "_run", run)
    with bundle.begun(tmp_path / "cache"):
        os.read(pipe[0], 1)
        assert b"by another: True;" in bundle.vega(tmp_path / "cache")
    with bundle.begun(tmp_path / "cache"):
        assert b"by another: True;" in bundle.vega(tmp_path / "cache")
    with bundle.begun(None):
        assert b"by another: False;" in bundle.vega(None)


def test_site_built_by_workers_has_the_same_bytes(
    forks: None, content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    parent = os.getpid()
    source = content(unread=lambda: [f"Read by a worker: {os.getpid() != parent}"])
    sizes = ShardSizes(older=4)
    shared, alone = (
        build(
            source,
            tmp_path / str(count),
            options=dataclasses.replace(options, run_pages=60, sizes=sizes, workers=count),
        )
        for count in (2, 1)
    )
    assert "Read by a worker: True" in shared.dropped
    assert "Read by a worker: True" not in alone.dropped
    assert snapshot(tmp_path / "2") == snapshot(tmp_path / "1")
    assert shared.bytes == alone.bytes


def test_error_of_a_worker_is_raised_in_the_process_itself(forks: None) -> None:
    def refuse(item: int) -> None:
        raise InvalidInput(f"{item} is wrong.", hint="Give another.")

    with (
        pytest.raises(InvalidInput, match=r"[01] is wrong\. Give another\."),
        workers.run(tasks(refuse, [0, 1]), 2) as results,
    ):
        list(results())
    assert multiprocessing.active_children() == []


def test_killed_worker_is_an_error_that_names_memory(forks: None) -> None:
    def die(item: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    message = r"A worker process was killed \(out of memory\?\)\."
    with pytest.raises(GitmlError, match=message), workers.run(tasks(die, [0, 1]), 2) as results:
        list(results())


KILLED = """
import os, signal
from gitml.site.output import workers
def work():
    os.write(1, b".")
    signal.pause()
with workers.run([workers.Task(seconds=1, work=work)] * 8, 3): signal.pause()
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    command = [sys.executable, "-c", KILLED]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE)) as process:
        assert process.stdout and process.stdout.read(3) == b"..."
        process.kill()
        assert process.communicate(timeout=60) == (b"", None)  # no process holds its output


PREVIEWING = """
import ctypes, os, pathlib, sys, tempfile
from gitml.site.output import workers
from gitml.site.previews import parquet
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become our children
data = sys.stdin.buffer.read()
with parquet.TableReader(rows=20, columns=12) as reader:
    def work():
        return reader.read(data).total, reader.process_id
    with workers.run([workers.Task(seconds=1, work=work)] * 8, 2) as results:
        totals, readers = zip(*results())
assert set(totals) == {3} and 1 <= len(set(readers)) <= 2, (totals, readers)
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("no process is left")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="adopts orphans as only Linux can")
def test_workers_leave_no_process_that_read_parquet_files() -> None:
    command = [sys.executable, "-c", PREVIEWING]
    done = subprocess.run(command, input=GOOD, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"no process is left\n"


def test_the_collector_is_left_as_it_was() -> None:
    with without_collector():
        assert not gc.isenabled()
        with without_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
