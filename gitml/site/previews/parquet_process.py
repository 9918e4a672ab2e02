"""Read first rows of Parquet files as a program of its own, with limits on memory and time.

What a file unpacks to is known only after unpacking it: its footer may say anything. So the kernel
holds this process, not the build, to a limit; a file that needs more ends it.

Usage: ``python -P parquet_process.py ROWS COLUMNS BYTES SECONDS``. It is run by its path, because
importing the package takes longer than pyarrow does. Standard input has files, standard output
an answer to each, both as 4 bytes of length and as many bytes. An answer is JSON,
``{"header": [text, …], "rows": [[text, …], …], "total": rows of the file}``, or ``null`` where the
file is damaged or declares too much.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile, RowGroupMetaData

_START_SECONDS = 60  # importing pyarrow from a slow disk
_UNPACKED_BYTES = 16_000_000  # of a row group, as the footer declares it
_CELL_CHARS = 1_000
_LENGTH = struct.Struct("!I")


def main(rows: int, columns: int, max_bytes: int, seconds: float) -> None:
    """Answer until standard input ends."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent ends at Ctrl-C and expects no trace
    signal.alarm(_START_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_DATA, max_bytes)
    import pyarrow as pa
    from pyarrow import parquet

    damaged = (pa.ArrowException, ArithmeticError, LookupError, OSError, TypeError, ValueError)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    signal.alarm(0)
    while data := _receive(requests):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            answer = _read(parquet.ParquetFile(pa.BufferReader(data)), rows, columns)
        except (MemoryError, pa.ArrowMemoryError):
            os._exit(1)  # what is left of the memory is in pieces
        except damaged:
            answer = None
        text = json.dumps(answer).encode("ascii")
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(_LENGTH.pack(len(text)) + text)
        answers.flush()


def _limit(kind: int, most: int) -> None:
    # A lower limit may hold already, and not every system has each of them.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, most))


def _receive(requests: BinaryIO) -> bytes:
    length = requests.read(_LENGTH.size)
    return requests.read(*_LENGTH.unpack(length)) if len(length) == _LENGTH.size else b""


def _read(file: ParquetFile, rows: int, columns: int) -> dict[str, object] | None:
    fields = list(file.schema_arrow)
    first = fields[:columns]
    flat = [field.name for field in first if not _is_nested(field.type)]
    # pyarrow takes the name `a` for the column `a.b` as well, which may be a list.
    if any(other.name.startswith(f"{name}.") for name in flat for other in fields):
        return None
    groups = [n for n in range(file.num_row_groups)[:1] if file.metadata.row_group(n).num_rows]
    if any(_declared_bytes(file.metadata.row_group(n), flat) > _UNPACKED_BYTES for n in groups):
        return None
    batches = (
        file.iter_batches(rows, groups, flat, use_threads=False) if groups and flat else iter(())
    )
    batch = next(batches, None)
    count = batch.num_rows if batch is not None else 0
    values = {name: batch.column(name).to_pylist() for name in flat} if batch is not None else {}
    cells = [values.get(field.name) or [str(field.type)] * count for field in first]
    return {
        "header": [_text(field.name) for field in first],
        "rows": [[_text(cell) for cell in row] for row in zip(*cells, strict=True)],
        "total": file.metadata.num_rows,
    }


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)[:_CELL_CHARS]


def _declared_bytes(group: RowGroupMetaData, names: list[str]) -> int:
    """Add up what the footer declares that some columns of a row group unpack to.

    Raises:
        ValueError: Two columns have the same name.
    """
    columns = [group.column(number) for number in range(group.num_columns)]
    matches = [column for column in columns if column.path_in_schema in names]
    if len(matches) > len(names):
        raise ValueError("Two columns have the same name.")
    return sum(column.total_uncompressed_size for column in matches)


def _is_nested(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
