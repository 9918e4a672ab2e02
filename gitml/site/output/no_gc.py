"""Switch Python's cyclic garbage collector off while a site is built."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collector(last: bool = False) -> Iterator[None]:
    """Switch Python's cyclic garbage collector off.

    It would look through millions of values again and again, none of which refers to itself.

    Args:
        last: Whether the process ends after this: then it never looks at what is left, either.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if last:
            gc.freeze()
        if was_on:
            gc.enable()
