"""Run tasks of a long work in forked processes.

A worker is a copy of this process, so that a task is handed over as its number alone and only its
result is pickled. Only Linux forks safely, and only a process without other threads: all workers
are forked before the executor starts its first thread. Elsewhere, and where there is little to do,
everything is done in this process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gitml import signals
from gitml.errors import GitmlError

_R = TypeVar("_R")
_MIN_SECONDS = 0.2  # of work for each worker; forking and ending it takes some 0.02 s
_MAX_WORKERS = 8  # each has its share of the memory
_tasks: Sequence[Task[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Generic[_R]):
    """Something that any process may do.

    Attributes:
        seconds: How long it takes, roughly.
        work: Does it; what it changes besides its result may be lost.
    """

    seconds: float
    work: Callable[[], _R]


@contextlib.contextmanager
def run(
    tasks: Sequence[Task[_R]], count: int | None = None
) -> Iterator[Callable[[], Iterator[_R]]]:
    """Run tasks in workers while this process does something else.

    Args:
        tasks: What there is to do, the longest first.
        count: How many workers; None for as many as is worthwhile. A process that cannot be forked
            has none.

    Yields:
        A function that waits for all results, in any order.

    Raises:
        GitmlError: A worker was killed.
    """
    if count is None:
        count = min(_processors(), int(sum(task.seconds for task in tasks) / _MIN_SECONDS))
    count = min(count, len(tasks), _MAX_WORKERS)
    if count < 2 or not _can_fork():
        yield lambda: (task.work() for task in tasks)
        return
    from concurrent.futures import as_completed
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(
        count, mp_context=get_context("fork"), initializer=_start, initargs=(tasks,)
    )
    try:
        results = [pool.submit(_do, number) for number in range(len(tasks))]
        yield lambda: (result.result() for result in as_completed(results))
    except BrokenProcessPool as error:
        raise GitmlError("A worker process was killed (out of memory?).") from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def run_aside(work: Callable[[], object]) -> Iterator[None]:
    """Run some work in a worker meanwhile, for what it leaves on disk; end it afterwards.

    Args:
        work: Does it; an error ends it silently.
    """
    if _processors() < 2 or not _can_fork():
        yield
        return
    from multiprocessing import get_context

    process = get_context("fork").Process(target=_do_quietly, args=(work,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _processors() -> int:
    """Return how many processors may work for this process."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _can_fork() -> bool:
    """Return True if this process can be forked safely."""
    return sys.platform == "linux" and threading.active_count() == 1


def _start(tasks: Sequence[Task[Any]]) -> None:
    global _tasks
    _follow_parent()
    _tasks = tasks


def _do(number: int) -> Any:
    return _tasks[number].work()


def _do_quietly(work: Callable[[], object]) -> None:
    _follow_parent()
    with contextlib.suppress(Exception):
        work()


def _follow_parent() -> None:
    """End this process when its parent ends, which may be killed and end nobody."""
    signals.leave_to_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)
