"""Write to a run in progress: operations to its journal, files to its staging folder."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gitml import files
from gitml.errors import InvalidInput
from gitml.files import exclusive
from gitml.formats import artifact_paths
from gitml.store.in_progress.batch import Batch
from gitml.store.in_progress.fold import Op
from gitml.store.in_progress.journal import OpLog
from gitml.store.in_progress.room import Room
from gitml.text import short_repr


@dataclass(slots=True, kw_only=True)
class Writer:
    """What this process writes a run with; refuses to change a param.

    Attributes:
        run_id: The run.
        experiment_id: Its experiment.
        folder: Its local folder while in progress.
        context: Folder of the files that describe the code it runs.
        journal: Where operations are written.
        batch: The batch it belongs to; None for a run of its own.
        min_time: Earliest time of its operations, ms since the Unix epoch: after every write it
            builds on, even if another machine's clock runs ahead of ours.
        params: Every param known when the journal was opened, and those logged since.
        room: What may still be logged.
    """

    run_id: str
    experiment_id: str
    folder: Path
    context: Path
    journal: OpLog
    room: Room
    clock: Callable[[], int]
    batch: Batch | None = None
    min_time: int = 0
    params: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> int:
        """Return the time of an operation that is written now, ms since the Unix epoch.

        It is never before that of an earlier operation, also where the clock was set back.
        """
        time = self.clock()
        if time < self.min_time:
            return self.min_time
        self.min_time = time
        return time

    def later(self, *, than: int = 0) -> int:
        """Return a time after every operation of this writer, and after another time."""
        self.min_time = max(self.min_time, than) + 1
        return self.now()

    def log_metric(self, key: str, value: float, *, step: int, timestamp: int | None) -> None:
        """Log a metric point; its time is now where none is given, ms since the Unix epoch.

        Raises:
            TooLarge: The run has no room for it.
        """
        room, journal = self.room, self.journal
        if key not in room.metrics:
            room.take([["metric", key]], journal)
        if journal.points > room.points:
            room.look(journal)
        if timestamp is None:
            timestamp = self.now()
        journal.metric(key, value, step=step, timestamp=timestamp)

    def write(self, ops: Sequence[Op], params: Mapping[str, str] = MappingProxyType({})) -> None:
        """Log operations, and params first: all of them, or none.

        Raises:
            InvalidInput: A param was logged with another value.
            TooLarge: The run has no room for them.
        """
        with self._lock:
            if params:
                refuse_changes(self.params, params)
                params = {key: value for key, value in params.items() if key not in self.params}
                now = self.now()
                ops = [*(["param", key, value, now] for key, value in params.items()), *ops]
            self.room.take(ops, self.journal)
            self.journal.append(*ops)
            self.params.update(params)

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log params; raises as ``write`` does."""
        self.write([], params)

    def record_source(self, source: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Record what code the run executes; runs of a batch share the files."""
        if self.batch is None or not self.batch.source_recorded:
            for name, data in files.items():
                if data:
                    self.keep(name, data)
        if self.batch:
            self.batch.source_recorded = True
        self.write([["source", dict(source)]])

    @property
    def artifacts(self) -> Path:
        """The folder of files that are stored when the run ends."""
        return self.folder / "artifacts"

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield an empty folder whose files join the artifacts at the end, each in one step.

        Part of a file is never committed, whenever this process dies.

        Raises:
            InvalidInput: A file has a path that must not be written.
            StoreError: The disk is full, or the folder cannot be written.
        """
        incoming = self.folder / f"incoming-{uuid.uuid4().hex}"
        try:
            incoming.mkdir(parents=self.batch is not None)  # a batch makes no folder per run
            yield incoming
            paths = list(_paths(incoming))
            artifact_paths.check_all(paths)
            self.room.take_files(paths, self.journal)
            with exclusive(self.folder / "lock"):  # nobody commits meanwhile
                _move_files(incoming, self.artifacts)
        except OSError as error:
            if not _is_folder_failure(error, self.folder):
                raise
            raise files.cannot_write(self.folder, error) from error
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def keep(self, name: str, data: bytes) -> None:
        """Write a file beside the journal, whole or not at all; raises as ``staging`` does."""
        try:
            with files.replacing(self.context / name, durable=False) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise files.cannot_write(self.folder, error) from error


def refuse_changes(existing: Mapping[str, str], params: Mapping[str, str]) -> None:
    """Check that no existing param gets another value.

    Raises:
        InvalidInput: A param would change.
    """
    for key, value in params.items():
        if existing.get(key, value) != value:
            raise InvalidInput(
                f"Param {key!r} was already logged with value {short_repr(existing[key], 80)} and "
                f"cannot change to {short_repr(value, 80)}.",
                hint="Log it under another name, or start a new run.",
            )


def _paths(folder: Path) -> list[str]:
    """Return the paths of all files below a folder."""
    return [
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
    ]


def _move_files(source: Path, target: Path) -> None:
    for parent, _, names in os.walk(source):
        folder = target / Path(parent).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (Path(parent) / name).replace(folder / name)


def _is_folder_failure(error: OSError, folder: Path) -> bool:
    """Return True if our own folder failed, False if the file that is logged did."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    return full or any(str(folder) in str(name) for name in (error.filename, error.filename2))
