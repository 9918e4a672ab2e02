"""Hides the open end of a run: log calls go to its journal, files wait beside it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitml import files
from gitml.errors import InvalidInput
from gitml.files import exclusive
from gitml.store.in_progress.batch import Lane
from gitml.store.in_progress.journal import Journal


@dataclass(slots=True, kw_only=True)
class Writer:
    """This process's open journal of a run, and what it needs to refuse a changed param.

    Attributes:
        run_id: The run.
        experiment_id: Its experiment.
        folder: Its local folder while in progress.
        context: Where the files are that tell which code it runs.
        journal: Where log calls go.
        floor: Earliest time of its operations, ms since the Unix epoch: later than every write it
            builds on, even if another machine's clock runs ahead of ours.
        params: Every param known when the journal was opened, and those logged since.
    """

    run_id: str
    experiment_id: str
    folder: Path
    context: Path
    journal: Journal
    clock: Callable[[], int]
    floor: int = 0
    params: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> int:
        """Time of an operation that is written now, ms since the Unix epoch."""
        return max(self.clock(), self.floor)

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log params: all of them, or none.

        Raises:
            InvalidInput: One was logged with another value.
        """
        with self._lock:
            refuse_changes(self.params, params)
            now = self.now()
            for key, value in params.items():
                if key not in self.params:
                    self.journal.param(key, value, now)
                    self.params[key] = value

    def record_source(self, source: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Note what code the run is; runs of a batch share the files."""
        lane = self.journal if isinstance(self.journal, Lane) else None
        if lane is None or not lane.batch.noted:
            for name, data in files.items():
                if data:
                    self.keep(name, data)
        if lane:
            lane.batch.noted = True
        self.journal.append(["source", dict(source)])

    @property
    def artifacts(self) -> Path:
        """Folder in which files wait until the run ends."""
        return self.folder / "artifacts"

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Give an empty folder whose files join the artifacts at the end, each in one step.

        Nobody ever commits a part of a file, whenever this process dies.

        Raises:
            StoreError: The disk is full, or the folder cannot be written.
        """
        aside = self.folder / f"incoming-{uuid.uuid4().hex}"
        try:
            aside.mkdir(parents=isinstance(self.journal, Lane))  # a batch makes no folder per run
            yield aside
            with exclusive(self.folder / "lock"):  # nobody commits meanwhile
                _move_files(aside, self.artifacts)
        except OSError as error:
            if not _is_ours(error, self.folder):
                raise
            raise files.cannot_write(self.folder, error) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def keep(self, name: str, data: bytes) -> None:
        """Put a file beside the journal, whole or not at all; raises as ``staging`` does."""
        try:
            with files.replacing(self.context / name, durable=False) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise files.cannot_write(self.folder, error) from error


def refuse_changes(known: Mapping[str, str], params: Mapping[str, str]) -> None:
    """Check that no param that is known gets another value.

    Raises:
        InvalidInput: One would.
    """
    for key, value in params.items():
        if known.get(key, value) != value:
            raise InvalidInput(
                f"Param {key!r} was already logged with value {known[key]!r:.80} and cannot change "
                f"to {value!r:.80}.",
                hint="Log it under another name, or start a new run.",
            )


def _move_files(source: Path, target: Path) -> None:
    for parent, _, names in os.walk(source):
        folder = target / Path(parent).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (Path(parent) / name).replace(folder / name)


def _is_ours(error: OSError, place: Path) -> bool:
    """Tell a failure of our own folder from one of the file that is logged."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    return full or any(str(place) in str(name) for name in (error.filename, error.filename2))
