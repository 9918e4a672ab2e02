"""Remove what killed processes left behind, without harm to live ones."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from gitml import files
from gitml.git import GitRepo
from gitml.store.in_progress import journal

DONE = "done-"
"""Prefix of the name of a folder whose run is committed."""
_CRASH_REPORT = "fast_import_crash_"


def remove_run(folder: Path) -> None:
    """Remove the folder of a committed run, under its lock.

    It is renamed first, so that never only some of several journals remain.
    """
    done = folder.with_name(DONE + folder.name)
    try:
        folder.rename(done)
    except OSError:  # the rest of an earlier clean-up; the next sweep removes it
        shutil.rmtree(done, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rename(done)
    shutil.rmtree(done, ignore_errors=True)


def sweep_runs(runs: Path) -> None:
    """Remove folders of runs in progress that belong to no run.

    Their clean-up was interrupted, or they have no journal because their process died before the
    run started. A live process holds the folder's lock until its journal exists.
    """
    if not runs.is_dir():
        return
    for folder in runs.iterdir():
        if folder.name.startswith(DONE):
            shutil.rmtree(folder, ignore_errors=True)
        elif not journal.journals(folder):
            _sweep_run(folder)


def _sweep_run(folder: Path) -> None:
    with contextlib.suppress(OSError), files.exclusive_or_skip(folder / "lock") as locked:
        if locked and not journal.journals(folder):
            remove_run(folder)


def sweep_crash_reports(repo: GitRepo, branch: str) -> None:
    """Remove the crash reports of `git fast-import` about our streams."""
    for path in repo.common_dir.iterdir():
        if path.name.startswith(_CRASH_REPORT):
            with contextlib.suppress(OSError):
                report = path.read_bytes()
                if branch.encode() in report or b"refs/gitml/tmp/" in report:
                    path.unlink()
