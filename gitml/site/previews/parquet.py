"""Read the first rows of Parquet files with pyarrow, where that is installed.

A file may be anybody's: 12 kB can unpack to gigabytes, whatever the file says of itself. So pyarrow
runs in a process of its own that may use :data:`MAX_BYTES` and, for each file, :data:`MAX_SECONDS`.
A file that needs more ends that process and has no preview; the next file starts another. (Linux
holds a process to its memory; macOS does so only to its time.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from multiprocessing import util
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any

from gitml.site.text import formats

_OLDEST = 15  # before 14.0.1 a file could carry code that runs when it is read (CVE-2023-47248)
MAX_BYTES = 256_000_000  # of data; pyarrow alone has 118 MB of them, half of which are never used
MAX_SECONDS = 5.0
MAX_FAILURES = 10  # processes ended by files, after which a build reads no more of them
_PROGRAM = Path(__file__).with_name("parquet_process.py")
_ENVIRONMENT = {
    **dict.fromkeys(("ARROW_IO_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve a gigabyte, which counts
}
_LENGTH = Struct("!I")


class TooCostly(Exception):
    """Reading a file takes more memory or time than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRows:
    """The first rows of a table, and how many it has in all."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: int


@cache
def is_readable() -> bool:
    """Return True if a pyarrow is installed that is safe with anybody's files."""
    try:
        return int(metadata.version("pyarrow").partition(".")[0]) >= _OLDEST
    except (metadata.PackageNotFoundError, ValueError):
        return False


@dataclass(slots=True, kw_only=True)
class TableReader:
    """A context in which Parquet files are read; needs :func:`is_readable`.

    Attributes:
        rows: How many rows of a file are read at most.
        columns: How many columns of it at most.
        max_bytes: Memory of the process that reads, in bytes.
        max_seconds: Time that it has for a file, in s.
    """

    rows: int
    columns: int
    max_bytes: int = MAX_BYTES
    max_seconds: float = MAX_SECONDS
    _process: subprocess.Popen[bytes] | None = None
    _finalizer: util.Finalize[None] | None = None
    _failures: int = 0

    def __enter__(self) -> TableReader:
        """Return the reader; its process starts with the first file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    @property
    def process_id(self) -> int | None:
        """Id of the process; None before the first file and after one that ended it."""
        return self._process.pid if self._process else None

    def read(self, data: bytes) -> FirstRows | None:
        """Read the beginning of a table.

        Args:
            data: A whole Parquet file.

        Returns:
            Its first columns and rows, nested values as the name of their type and missing ones as
            empty texts; None where the file is damaged or declares to unpack to too much.

        Raises:
            TooCostly: The file ended the process, or too many did before.
        """
        if self._failures >= MAX_FAILURES:
            raise TooCostly("Too many files could not be read within the limits.")
        process = self._process or self._start()
        try:
            answer = _ask(process, data)
        except (OSError, EOFError, ValueError):
            self._failures += 1
            self.close()
            limits = f"{formats.size(self.max_bytes)} and {self.max_seconds:g} s"
            raise TooCostly(f"pyarrow could not read it within {limits}.") from None
        return FirstRows(**answer) if answer else None

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process and self._finalizer:
            self._finalizer.cancel()
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        limits = (self.rows, self.columns, self.max_bytes, self.max_seconds)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), *map(str, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
        # A worker of a build ends without leaving the context.
        self._finalizer = util.Finalize(None, self.close, exitpriority=0)
        return self._process


def _ask(process: subprocess.Popen[bytes], data: bytes) -> Any:
    """Send a file and wait for the answer.

    Raises:
        OSError, EOFError, ValueError: The process ended.
    """
    assert process.stdin and process.stdout
    process.stdin.write(_LENGTH.pack(len(data)) + data)
    process.stdin.flush()
    length = process.stdout.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        raise EOFError
    return json.loads(process.stdout.read(*_LENGTH.unpack(length)))
