"""The first rows of a Parquet file, read by pyarrow where that is installed.

The file may be anybody's, so what it unpacks to is bounded before any of it is unpacked: by what
its pages declare, by reading few rows, and by leaving lists, structs and extension types alone, of
which one cell can hold any number of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from gitml.site.previews import parquet_pages

if TYPE_CHECKING:
    from pyarrow.parquet import ColumnChunkMetaData, RowGroupMetaData

_OLDEST = 15  # before 14.0.1 a file could carry code that runs when it is read (CVE-2023-47248)
_UNPACKED_BYTES = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The first rows of a table, and how many it has in all."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    total: int


@cache
def readable() -> bool:
    """Tell whether a pyarrow is installed that is safe with anybody's files."""
    try:
        return int(metadata.version("pyarrow").partition(".")[0]) >= _OLDEST
    except (metadata.PackageNotFoundError, ValueError):
        return False


def beginning(data: bytes, rows: int, columns: int) -> Beginning | None:
    """Read the beginning of a table; needs :func:`readable`.

    Args:
        data: A whole Parquet file.
        rows: How many rows at most.
        columns: How many columns at most.

    Returns:
        Its first columns and rows, nested values as the name of their type and missing ones as
        empty texts; None where the file is damaged or unpacks to too much.
    """
    import pyarrow as pa

    try:
        return _read(data, rows, columns)
    except (pa.ArrowException, ArithmeticError, LookupError, OSError, TypeError, ValueError):
        return None


def _read(data: bytes, rows: int, columns: int) -> Beginning | None:
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(data))
    fields = list(file.schema_arrow)
    shown = fields[:columns]
    flat = [field.name for field in shown if not _nested(field.type)]
    # pyarrow takes the name `a` for the column `a.b` as well, which may be a list.
    if any(other.name.startswith(f"{name}.") for name in flat for other in fields):
        return None
    groups = [n for n in range(file.num_row_groups)[:1] if file.metadata.row_group(n).num_rows]
    for group in groups:
        if _unpacked(data, file.metadata.row_group(group), flat) > _UNPACKED_BYTES:
            return None
    batches = file.iter_batches(rows, groups, flat) if groups and flat else iter(())
    batch = next(batches, None)
    count = batch.num_rows if batch is not None else 0
    values = {name: batch.column(name).to_pylist() for name in flat} if batch is not None else {}
    cells = [values.get(field.name) or [str(field.type)] * count for field in shown]
    return Beginning(
        header=[field.name for field in shown],
        rows=[["" if cell is None else cell for cell in row] for row in zip(*cells, strict=True)],
        total=file.metadata.num_rows,
    )


def _unpacked(data: bytes, group: RowGroupMetaData, names: Sequence[str]) -> int:
    """Bytes that some columns of a row group unpack to, at most."""
    columns = (group.column(number) for number in range(group.num_columns))
    wanted = [column for column in columns if column.path_in_schema in names]
    if len(wanted) > len(names):
        raise ValueError("Two columns have the same name.")
    return sum(_column(data, column) for column in wanted)


def _column(data: bytes, column: ColumnChunkMetaData) -> int:
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    return parquet_pages.unpacked(data, start, column.total_compressed_size)


def _nested(kind: object) -> bool:
    import pyarrow as pa

    return pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType)
