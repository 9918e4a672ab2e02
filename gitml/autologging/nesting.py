"""Distinguish calls of ``fit`` by the user from those inside another ``fit``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing.dummy import DummyProcess

_inside: ContextVar[bool] = ContextVar("gitml_inside_fit", default=False)
_lock = threading.Lock()
_outer_fits = 0


def inside_fit() -> bool:
    """Return True if the caller runs within a ``fit`` that is being watched.

    Workers of joblib's threading backend do not inherit the context of the thread they work for;
    they are known by their class, and the user's own threads are not of it.
    """
    if _inside.get():
        return True
    return _outer_fits > 0 and isinstance(threading.current_thread(), DummyProcess)


@contextmanager
def outermost_fit() -> Iterator[None]:
    """Mark everything in the block as inside a ``fit``."""
    global _outer_fits
    token = _inside.set(True)
    with _lock:
        _outer_fits += 1
    try:
        yield
    finally:
        with _lock:
            _outer_fits -= 1
        _inside.reset(token)
