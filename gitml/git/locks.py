"""Remove the locks that killed processes left on refs: those older than ten seconds.

git holds the lock of a ref for milliseconds, but what it leaves when it is killed stays for ever.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gitml.git.processes import Running

_STALE = 10.0  # s
_PAUSE = 0.1  # s
_TRIES = int(2 * _STALE / _PAUSE)
"""How often a command may be repeated until any lock without an owner is gone."""


class RefLocks:
    """The locks of the refs of one repository.

    Args:
        common_dir: The ``.git`` folder shared by linked work trees.
    """

    def __init__(self, common_dir: Path) -> None:
        self._common_dir = common_dir

    def run_past(
        self, start: Callable[..., Running], args: Sequence[str], stdin: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Run git, again as long as only the lock of a ref is in its way.

        Returns:
            Exit code, standard output, standard error.
        """
        for _ in range(_TRIES):
            done = start(*args).finish(stdin)
            if not done[0] or not self.waited(done[2]):
                break
        return done

    def waited(self, err: bytes) -> bool:
        """Wait a moment if a lock was in a command's way, and remove it if it has no owner.

        Args:
            err: The command's standard error.

        Returns:
            True if it was a lock, so that the command is worth repeating.
        """
        lock = self._named(err)
        if lock and not _removed(lock):
            time.sleep(_PAUSE)
        return lock is not None

    def clear(self, prefix: str) -> None:
        """Remove the locks without an owner on refs below ``prefix``."""
        for path in (self._common_dir / prefix).rglob("*.lock"):
            unlink_older(path, _STALE)

    def _named(self, err: bytes) -> Path | None:
        """Return the lock of a ref of this repository that git complains about."""
        match = re.search(rb"Unable to create '(.+\.lock)': File exists", err)
        path = Path(os.fsdecode(match[1])) if match else None
        own = (self._common_dir / "refs", self._common_dir / "packed-refs.lock")
        return path if path and any(path.is_relative_to(folder) for folder in own) else None


def _removed(lock: Path) -> bool:
    """Remove a lock if it has no owner any more; True if it is gone."""
    if lock.name == "packed-refs.lock":  # its owner may be writing this file
        return unlink_older(lock.with_suffix(".new"), _STALE) and unlink_older(lock, _STALE)
    return unlink_older(lock, _STALE)


def unlink_older(path: Path, age: float) -> bool:
    """Remove a file that nobody has changed for some time, in s; True if it is gone."""
    try:
        if time.time() - path.stat().st_mtime < age:
            return False
        path.unlink()
    except FileNotFoundError:
        pass
    return True
