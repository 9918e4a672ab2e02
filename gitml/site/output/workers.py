"""Hides that part of a long work is done by other processes, with results as if it was not.

A process begun here is a copy of this one, so that nothing has to be handed over to it but the
number of a task. Only Linux copies a process safely, and only while it has no other threads;
elsewhere, and where there is little to do, everything is done here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gitml.errors import GitmlError

if TYPE_CHECKING:
    from concurrent.futures import Future

_R = TypeVar("_R")
_WORTH = 0.2  # s of work for each process, below which it is not worth beginning
_MOST = 7  # processes besides this one, each with a share of the memory
_QUEUED = 16_000  # tasks whose numbers a pipe holds
_NUMBER = Struct("I")
_work: Callable[[], Any]


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
def begun(tasks: Sequence[Task[_R]]) -> Iterator[Callable[[], Iterator[_R]]]:
    """Let other processes begin with some tasks while this one does something else.

    Args:
        tasks: What there is to do, the longest first.

    Yields:
        What gives all results, in any order, once this process has time: it does then its share of
        what nobody has begun.
    """
    worth = int(sum(task.seconds for task in tasks) / _WORTH)
    helpers = min(_processors() - 1, worth, len(tasks), _MOST)
    if helpers < 1:
        yield lambda: (task.work() for task in tasks)
        return
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
    from multiprocessing import get_context

    shared, rest = tasks[:_QUEUED], tasks[_QUEUED:]
    with _queue(len(shared)) as queue:

        def next_one() -> tuple[_R] | None:
            number = os.read(queue, _NUMBER.size)
            return (tasks[_NUMBER.unpack(number)[0]].work(),) if number else None

        pool = ProcessPoolExecutor(
            helpers, mp_context=get_context("fork"), initializer=_begin, initargs=(next_one,)
        )
        try:
            asked = [pool.submit(_do) for _ in shared]
            yield lambda: chain(_results(next_one, asked), (task.work() for task in rest))
        except BrokenProcessPool as error:
            raise GitmlError(
                "A process that helps this one was ended.", hint="Is there enough memory?"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _queue(count: int) -> Iterator[int]:
    """Make a pipe that gives each number below ``count`` to whoever reads first, then its end.

    Unlike a lock, it is left in order by a process that is killed.
    """
    reading, writing = os.pipe()
    try:
        with open(writing, "wb") as file:
            file.writelines(map(_NUMBER.pack, range(count)))
        yield reading
    finally:
        os.close(reading)


def _results(
    next_one: Callable[[], tuple[_R] | None], asked: Sequence[Future[tuple[_R] | None]]
) -> Iterator[_R]:
    """Do what nobody has begun, and give what the others did whenever there is some."""
    waiting, mine = deque(asked), next_one()
    while waiting:
        if mine:
            yield mine[0]
            mine = next_one()
        while waiting and (not mine or waiting[0].done()):
            theirs = waiting.popleft().result()
            if theirs:
                yield theirs[0]


@contextlib.contextmanager
def aside(work: Callable[[], object]) -> Iterator[None]:
    """Let another process do some work meanwhile, where there is one, for what it leaves behind.

    Args:
        work: Does it; an error ends it silently.
    """
    if _processors() < 2:
        yield
        return
    from multiprocessing import get_context

    process = get_context("fork").Process(target=_quietly, args=(work,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _quietly(work: Callable[[], object]) -> None:
    _follow_parent()
    with contextlib.suppress(Exception):
        work()


def _processors() -> int:
    """How many processors may work for this process; 1 where it cannot be copied."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))


def _begin(work: Callable[[], Any]) -> None:
    global _work
    _follow_parent()
    _work = work


def _follow_parent() -> None:
    """Let this process end with the one that began it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a terminal sends to both
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that was killed cannot end its helpers, which would wait for it for ever."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def _do() -> Any:
    return _work()
