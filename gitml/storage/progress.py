"""Add up the bytes of concurrent transfers for one progress bar, from fsspec's callbacks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback


class _Sum(Callback):  # type: ignore[misc]
    """Adds up the bytes of its branches, one per file."""

    def __init__(self, report: Callable[[int, int], None], sizes: Mapping[str, int]) -> None:
        super().__init__()
        self._report = report
        self._sizes = sizes
        self._total = sum(sizes.values())
        self._done = 0
        self._lock = threading.Lock()

    def branched(self, path_1: Any, path_2: Any, **kwargs: Any) -> Callback:
        """Begin a file; one of its two paths is that on this machine."""
        return _Bytes(self, self._sizes.get(path_1) or self._sizes.get(path_2) or 0)

    def add(self, count: int) -> None:
        """Count bytes of any file; called from several threads."""
        with self._lock:
            self._done = min(self._done + count, self._total)
            self._report(self._done, self._total)


class _Bytes(Callback):  # type: ignore[misc]
    """Counts the bytes of one file."""

    def __init__(self, parent: _Sum, expected: int) -> None:
        super().__init__()
        self._parent = parent
        self._expected = expected

    def relative_update(self, inc: int = 1) -> None:
        """Count some bytes more."""
        self.absolute_update(self.value + inc)

    def absolute_update(self, value: int) -> None:
        """Set the count of bytes."""
        self._parent.add(max(0, value - self.value))
        super().absolute_update(value)

    def close(self) -> None:
        """End the file: smaller files are copied without a word."""
        self.absolute_update(max(self.value, self._expected))


def callback(report: Callable[[int, int], None] | None, sizes: Mapping[str, int]) -> Callback:
    """Make a callback for DVC's transfers that calls ``report(bytes done, bytes in all)``.

    Args:
        report: What to call, possibly from other threads, one call at a time.
        sizes: Bytes of each file, by its path on this machine.
    """
    return DEFAULT_CALLBACK if report is None else _Sum(report, sizes)
