"""Write the operations of a run in progress so that they survive its process, in microseconds.

A run in progress is a folder ``<state>/runs/<run_id>`` with one journal per writing process
(``journal.jsonl`` of the process that started it, ``journal-<8 hex>.jsonl`` of others), the staged
``artifacts/``, and what was recorded of the code. A call appends one line with one ``write`` on an
``O_APPEND`` descriptor: what returned is in the kernel and outlives ``kill -9``. Each writer holds
an advisory lock on its journal; a journal that nobody locks belongs to a dead process.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Protocol

from gitml import files
from gitml.errors import StoreError
from gitml.formats import canonical
from gitml.store.in_progress.fold import Op, is_op

_METRIC = b'["metric"'
_encode = json.JSONEncoder(allow_nan=False).encode


class OpLog(Protocol):
    """Where a process writes the operations of one run.

    What a method wrote is durable against the death of the process on return. All but ``close``
    raise ``StoreError`` if it cannot be written; then nothing of it was.
    """

    @property
    def path(self) -> Path:
        """The file that holds the operations."""

    @property
    def points(self) -> int:
        """Bytes of the metric points that were appended."""

    @property
    def texts(self) -> int:
        """Bytes of all other operations that were appended."""

    def append(self, *ops: Op) -> None:
        """Append operations."""

    def metric(self, key: str, value: float, *, step: int, timestamp: int) -> None:
        """Append a metric point; as ``append``, without the cost of a general encoder."""

    def sync(self) -> None:
        """Make what was written durable against the death of the machine."""

    def seal(self) -> None:
        """Refuse operations from now on, those of other threads too: the run is being committed."""

    def close(self) -> None:
        """Stop writing; the operations stay until their run is committed."""


class Journal:
    """The ``OpLog`` of a run that has a file of its own."""

    def __init__(self, folder: Path, first: Op) -> None:
        """Create a journal in a run's folder and lock it before anybody can see it.

        Raises:
            StoreError: The folder cannot be written.
        """
        name = "journal.jsonl" if first[0] == "start" else f"journal-{uuid.uuid4().hex[:8]}.jsonl"
        self.path = folder / name
        try:
            self._descriptor = files.create_locked(self.path, op_line(first).encode("ascii"))
        except OSError as error:
            raise files.cannot_write(folder, error) from error
        self.points = self.texts = 0
        self._lock = threading.RLock()  # re-entrant: a handler of a signal may end the run
        self._sealed = False

    def append(self, *ops: Op) -> None:
        """Append operations; see ``OpLog``."""
        text, points = lines_of(ops)
        self.write(text)
        self.points += points
        self.texts += len(text) - points

    def metric(self, key: str, value: float, *, step: int, timestamp: int) -> None:
        """Append a metric point; see ``OpLog``."""
        line = metric_line(key, value, step, timestamp)
        self.write(line)
        self.points += len(line)

    def write(self, lines: str) -> None:
        """Append whole lines.

        Raises:
            StoreError: The disk is full or the folder is missing; nothing was written.
        """
        data = lines.encode("ascii")
        with self._lock:  # a descriptor that another thread closes may be another file's next
            if self._sealed:
                raise ended(self.path.parent.name)
            try:
                written = os.write(self._descriptor, data)
            except OSError as error:
                raise files.cannot_write(self.path, error) from error
            if written != len(data):  # the disk is full: take the torn line back
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise StoreError(
                    f"No room left on the disk of {self.path}.",
                    hint="Free some space and log again.",
                )

    def sync(self) -> None:
        """Flush to the disk; see ``OpLog``."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise files.cannot_write(self.path, error) from error

    def seal(self) -> None:
        """Refuse further lines; see ``OpLog``."""
        with self._lock:
            self._sealed = True

    def close(self) -> None:
        """Drop the lock; see ``OpLog``."""
        self.seal()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def ended(run_id: str) -> StoreError:
    """Return the error for a line that comes while or after another thread ends the run."""
    return StoreError(
        f"Run {run_id} was ended by another thread before this was logged.",
        hint="End the run when all threads have logged, or log it again, to the ended run.",
    )


def op_line(op: Op) -> str:
    """Encode an operation as a line of a journal; params, the most frequent, without an encoder."""
    if op[0] == "param":
        return f'["param",{quoted(op[1])},{quoted(op[2])},{op[3]}]\n'
    return f"{_encode(op)}\n"


def lines_of(ops: Iterable[Op], prefix: str = "") -> tuple[str, int]:
    """Encode operations; returns their lines and how many bytes of these are metric points."""
    lines, points = [], 0
    for op in ops:
        line = prefix + op_line(op)
        lines.append(line)
        if op[0] == "metric":
            points += len(line)
    return "".join(lines), points


def metric_line(key: str, value: float, step: int, timestamp: int) -> str:
    """Encode a metric point as ``op_line`` does, in a fraction of the time."""
    number = repr(value) if value - value == 0.0 else f'"{canonical.number_out(value)}"'
    return f'["metric",{quoted(key)},{number},{step},{timestamp}]\n'


def read(folder: Path, *, besides: Path | None = None) -> list[Op]:
    """Read all operations of a run in progress; a torn last line is dropped.

    Args:
        folder: The run's folder.
        besides: A journal that is left out.
    """
    ops: list[Op] = []
    for path in (path for path in journals(folder) if path != besides):
        with contextlib.suppress(FileNotFoundError):  # committed and removed since
            ops.extend(parse(path.read_bytes()))
    return ops


def points_of(folder: Path, *, besides: Path) -> int:
    """Count the bytes of metric points in the journals of a run, but for one of them."""
    size = 0
    for path in (path for path in journals(folder) if path != besides):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as lines:
            size += sum(len(line) for line in lines if line.startswith(_METRIC))
    return size


def journals(folder: Path) -> list[Path]:
    """List the journals in a folder; none if the folder is missing."""
    try:
        return sorted(path for path in folder.iterdir() if is_journal(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_journal(name: str) -> bool:
    """Return True if a file of a run in progress is a journal."""
    return name.startswith("journal") and name.endswith(".jsonl")


def parse(data: bytes) -> Iterator[Op]:
    """Yield the operations of whole lines; a torn last line and malformed ones are dropped."""
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            op = json.loads(line)
        except ValueError:
            continue
        if is_op(op):
            yield op


def fingerprint(folder: Path) -> str:
    """Return a text that changes whenever a journal of the run does; empty without a journal."""
    sizes = []
    for path in journals(folder):
        with contextlib.suppress(FileNotFoundError):  # committed and removed since
            sizes.append(f"{path.name}:{path.stat().st_size}")
    return ",".join(sizes)


def is_alive(folder: Path, *, besides: Path | None = None) -> bool:
    """Return True if a process holds the lock of one of the run's journals.

    Args:
        folder: The run's folder.
        besides: A journal that does not count.
    """
    return any(files.is_locked(path) for path in journals(folder) if path != besides)
