"""Hides the journal: how a log call becomes durable in microseconds and survives its process.

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
import uuid
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path

from gitml import files
from gitml.errors import StoreError
from gitml.formats import canonical
from gitml.store.in_progress.fold import Op, is_op

_encode = json.JSONEncoder(allow_nan=False).encode


class Journal:
    """One process's open journal of one run."""

    _prefix = ""  # of each line

    def __init__(self, folder: Path, first: Op) -> None:
        """Create a journal in a run's folder and lock it before anybody can see it.

        Raises:
            StoreError: The folder cannot be written.
        """
        name = "journal.jsonl" if first[0] == "start" else f"journal-{uuid.uuid4().hex[:8]}.jsonl"
        self.path = folder / name
        try:
            self._descriptor = files.create_locked(self.path, f"{_encode(first)}\n".encode("ascii"))
        except OSError as error:
            raise files.cannot_write(folder, error) from error

    def append(self, *ops: Op) -> None:
        """Write operations; they are durable against the death of the process on return.

        Raises:
            StoreError: The disk is full or the folder is gone; nothing of it was written.
        """
        lines = [f"{self._prefix}{_encode(op)}\n" for op in ops]
        self._write("".join(lines))

    def metric(self, key: str, value: float, step: int, timestamp: int) -> None:
        """Write a metric point; as ``append``, without the cost of a general encoder."""
        number = repr(value) if value - value == 0.0 else f'"{canonical.number_out(value)}"'
        self._write(f'{self._prefix}["metric",{quoted(key)},{number},{step},{timestamp}]\n')

    def param(self, key: str, value: str, time: int) -> None:
        """Write a param; as ``append``, without the cost of a general encoder."""
        self._write(f'{self._prefix}["param",{quoted(key)},{quoted(value)},{time}]\n')

    def _write(self, lines: str) -> None:
        data = lines.encode("ascii")
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise files.cannot_write(self.path, error) from error
        if written != len(data):  # the disk is full: take the torn line back
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise StoreError(
                f"No room left on the disk of {self.path}.", hint="Free some space and log again."
            )

    def sync(self) -> None:
        """Flush to the disk itself, against the death of the machine."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise files.cannot_write(self.path, error) from error

    def close(self) -> None:
        """Drop the lock; the file stays until its run is committed."""
        os.close(self._descriptor)


def read(folder: Path) -> list[Op]:
    """Read all operations of a run in progress; a torn last line is dropped."""
    ops: list[Op] = []
    for path in journals(folder):
        with contextlib.suppress(FileNotFoundError):  # committed and cleared away meanwhile
            ops.extend(parse(path.read_bytes()))
    return ops


def journals(folder: Path) -> list[Path]:
    """List the journals in a folder; none where it is gone."""
    try:
        return sorted(path for path in folder.iterdir() if is_journal(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_journal(name: str) -> bool:
    """Tell a journal from the other files of a run in progress."""
    return name.startswith("journal") and name.endswith(".jsonl")


def parse(data: bytes) -> Iterator[Op]:
    """Read the operations of whole lines; a torn last line and what is no operation are dropped."""
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            op = json.loads(line)
        except ValueError:
            continue
        if is_op(op):
            yield op


def signature(folder: Path) -> str:
    """A text that changes whenever a journal of the run does."""
    sizes = []
    for path in journals(folder):
        with contextlib.suppress(FileNotFoundError):  # committed and cleared away meanwhile
            sizes.append(f"{path.name}:{path.stat().st_size}")
    return ",".join(sizes)


def is_alive(folder: Path, *, besides: Path | None = None) -> bool:
    """Tell whether a process holds one of the run's journals.

    Args:
        folder: The run's folder.
        besides: A journal that does not count.
    """
    return any(files.is_locked(path) for path in journals(folder) if path != besides)
