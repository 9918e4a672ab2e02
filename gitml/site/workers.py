"""Hides that part of a long work is done by other processes, with results as if it was not.

A process begun here is a copy of this one, so that nothing has to be handed over to it but the
number of an item. Only Linux copies a process safely, and only while it has no other threads;
elsewhere, and where there is little to do, everything is done here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

from gitml.errors import GitmlError

_T = TypeVar("_T")
_R = TypeVar("_R")
FEWEST = 8  # items for each process, below which it is not worth beginning
_MOST = 7  # processes besides this one, each with a share of the memory
_work: Callable[[int], Any]


@contextlib.contextmanager
def begun(
    work: Callable[[_T], _R], items: Sequence[_T]
) -> Iterator[Callable[[], Iterator[tuple[_T, _R]]]]:
    """Let other processes begin with some work while this one does something else.

    Args:
        work: What is done with an item; what it changes besides its result may be lost.
        items: What there is to do.

    Yields:
        What gives each item with its result, in any order, once this process has time: it does
        then what the others have not begun.
    """
    helpers = min(_processors() - 1, len(items) // FEWEST, _MOST)
    if helpers < 1:
        yield lambda: ((item, work(item)) for item in items)
        return
    pool = ProcessPoolExecutor(
        helpers,
        mp_context=get_context("fork"),
        initializer=_begin,
        initargs=(lambda number: work(items[number]),),
    )
    try:
        futures = [pool.submit(_do, number) for number in range(len(items))]
        yield lambda: _results(work, items, futures)
    except BrokenProcessPool as error:
        raise GitmlError(
            "A process that helps this one was ended.", hint="Is there enough memory?"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _results(
    work: Callable[[_T], _R], items: Sequence[_T], futures: Sequence[Future[_R]]
) -> Iterator[tuple[_T, _R]]:
    for item, future in reversed(list(zip(items, futures, strict=True))):
        yield item, work(item) if future.cancel() else future.result()


def _processors() -> int:
    """How many processors may work for this process; 1 where it cannot be copied."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))


def _begin(work: Callable[[int], Any]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # this process ends with the one that began it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = work


def _end_with_parent() -> None:
    """A process that was killed cannot end its helpers, which would wait for it for ever."""
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def _do(number: int) -> Any:
    return _work(number)
