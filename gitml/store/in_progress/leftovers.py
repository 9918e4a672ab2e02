"""Hides what killed processes leave behind, and how it goes away without harm to living ones."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from gitml import files
from gitml.git import GitRepo
from gitml.store.in_progress import journal

DONE = "done-"
"""Begin of the name of a run's folder whose record is committed."""
_CRASH_REPORT = "fast_import_crash_"


def clear_away(place: Path) -> None:
    """Remove the folder of a committed run, under its lock.

    It gets another name first: of several journals never only some are left.
    """
    done = place.with_name(DONE + place.name)
    try:
        place.rename(done)
    except OSError:  # the rest of an earlier clean-up stands there; the next sweep takes it
        shutil.rmtree(done, ignore_errors=True)
        with contextlib.suppress(OSError):
            place.rename(done)
    shutil.rmtree(done, ignore_errors=True)


def sweep_runs(runs: Path) -> None:
    """Remove what is in the folder of runs in progress and belongs to none.

    That are folders whose clean-up was interrupted, and folders without a journal: their process
    died before the run had begun. A living process holds the folder's lock until its journal is
    there.
    """
    if not runs.is_dir():
        return
    for place in runs.iterdir():
        if place.name.startswith(DONE):
            shutil.rmtree(place, ignore_errors=True)
        elif not journal.journals(place):
            _sweep_run(place)


def _sweep_run(place: Path) -> None:
    with contextlib.suppress(OSError), files.exclusive_or_skip(place / "lock") as locked:
        if locked and not journal.journals(place):
            clear_away(place)


def sweep_crash_reports(repo: GitRepo, branch: str) -> None:
    """Remove what `git fast-import` wrote about streams of ours that ended too early."""
    for path in repo.common_dir.iterdir():
        if path.name.startswith(_CRASH_REPORT):
            with contextlib.suppress(OSError):
                told = path.read_bytes()
                if branch.encode() in told or b"refs/gitml/tmp/" in told:
                    path.unlink()
