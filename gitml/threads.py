"""Do work in threads, or without them where there can be none.

While the interpreter shuts down, and where the system has no thread left, Python starts no thread.
What a process does at its end has to work all the same. No other module makes a pool of threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int
) -> Iterator[_Result]:
    """Yield a function's results in the order of the items.

    Args:
        function: It may be called twice for an item where threads run out.
        items: What it is called with.
        workers: Most threads.
    """
    with _pool(workers) as pool:
        results = [_started(pool, function, item) for item in items]
        for result in results:
            yield result()


def ahead(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yield a function's results; a thread computes the next one while the last is used."""
    with _pool(1) as pool:
        result: Callable[[], _Result] | None = None
        for item in items:
            following = _started(pool, function, item)
            if result:
                yield result()
            result = following
        if result:
            yield result()


def _pool(workers: int) -> contextlib.AbstractContextManager[ThreadPoolExecutor | None]:
    try:
        from concurrent.futures import ThreadPoolExecutor
    except RuntimeError:  # its module cannot be loaded while the interpreter shuts down
        return contextlib.nullcontext()
    return ThreadPoolExecutor(workers)


def _started(
    pool: ThreadPoolExecutor | None, function: Callable[[_Item], _Result], item: _Item
) -> Callable[[], _Result]:
    """Return what waits for a result: computed by a thread, or by the call itself."""
    if pool:
        with contextlib.suppress(RuntimeError):  # no thread can be started
            return pool.submit(function, item).result
    return partial(function, item)
