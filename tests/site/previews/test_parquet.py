"""Previews of Parquet files: their first rows as a table, whoever wrote them."""

from __future__ import annotations

import contextlib
import datetime
import io
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from pyarrow import parquet as writer

from gitml.entities import Artifact
from gitml.site import SiteOptions, build, previews
from gitml.site.previews import parquet, parquet_pages
from tests.site.conftest import run_id
from tests.site.hostile import ATTACK


def packed(columns: Mapping[str, Any], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    writer.write_table(table, sink, **options)
    return bytes(sink.getvalue())


def look(data: bytes, size: int | None = None) -> previews.File:
    file = Artifact(path="t.parquet", size=len(data) if size is None else size)
    return previews.look([file], lambda path, limit: data[:limit])[0]


def test_the_first_rows_are_shown_as_texts() -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)
    file = look(
        packed({
            "n": pa.array([1, None, 3]),
            "x": [0.1, float("nan"), 2e9],
            "s": ["a", "b", "a"],
            "kind": pa.array(["u", "v", "u"]).dictionary_encode(),
            "at": pa.array([when, when, None]),
            "raw": [b"\x00", b"", b"x"],
            "vector": [[1.0], [2.0, 3.0], None],
            "pair": [{"a": 1}, {"a": 2}, {"a": 3}],
        })
    )  # fmt: skip
    assert file.table == previews.Table(
        header=("n", "x", "s", "kind", "at", "raw", "vector", "pair"),
        rows=(
            ("1", "0.1", "a", "u", str(when), "b'\\x00'", *TYPES),
            ("", "nan", "b", "v", str(when), "b''", *TYPES),
            ("3", "2000000000.0", "a", "u", "", "b'x'", *TYPES),
        ),
    )
    assert not file.cut


TYPES = ("list<element: double>", "struct<a: int64>")


def test_long_and_wide_tables_are_cut() -> None:
    file = look(packed({f"c{n}": list(range(50)) for n in range(30)}, row_group_size=30))
    assert file.table
    assert (len(file.table.header), len(file.table.rows), file.cut) == (12, 20, True)
    empty = look(packed({"a": pa.array([], pa.int8())}))
    assert empty.table == previews.Table(header=("a",), rows=())


def test_what_is_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    big = Artifact(path="t.parquet", size=previews.PARQUET_BYTES + 1)
    found = previews.look([big], lambda path, limit: asked.append(path))
    assert (found[0].table, asked) == (None, [])
    bomb = packed({"s": ["x" * 1_000_000 + str(n) for n in range(30)]}, use_dictionary=False)
    assert len(bomb) < 2_000_000
    assert look(bomb).table is None


def test_a_footer_that_lies_about_sizes_is_not_believed() -> None:
    bomb = packed({"a": [b"\0" * 40_000_000]}, compression="zstd", use_dictionary=False)
    begin = len(bomb) - 8 - int.from_bytes(bomb[-8:-4], "little")
    head, footer = bomb[:begin], bomb[begin:]
    group = writer.ParquetFile(io.BytesIO(bomb)).metadata.row_group(0)
    for size in {group.total_byte_size, group.column(0).total_uncompressed_size}:
        true = varint(2 * size)
        assert true in footer
        footer = footer.replace(true, varint(2 * 1_000, len(true)))
    lie = head + footer
    assert writer.ParquetFile(io.BytesIO(lie)).metadata.row_group(0).total_byte_size == 1_000
    assert (len(lie) < 5_000, look(lie).table) == (True, None)


def varint(number: int, length: int = 1) -> bytes:
    """Write a number in Thrift's way, in more bytes than it needs where they are asked for."""
    found = []
    while number or len(found) < length:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found[:-1], found[-1] & 0x7F])


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "none"},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"compression": "zstd", "data_page_size": 500, "write_page_checksum": True},
        {"use_dictionary": False, "write_page_index": True},
    ],
)
def test_what_pages_unpack_to_is_read_from_their_headers(options: dict[str, Any]) -> None:
    values = [f"text {number % 97}" for number in range(5_000)]
    data = packed({"a": values}, **options)
    column = writer.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)
    start, size = (
        column.dictionary_page_offset or column.data_page_offset,
        (column.total_compressed_size),
    )
    found = parquet_pages.unpacked(data, start, size)
    assert 0.9 * column.total_uncompressed_size < found < column.total_uncompressed_size
    assert look(data).table
    for wrong in ((start, size - 1), (start, size + 1), (start + 1, size), (start, len(data))):
        with pytest.raises(parquet_pages.Damaged):
            parquet_pages.unpacked(data, *wrong)


def test_countless_pages_are_not_counted() -> None:
    page = bytes([0x15, 0, 0x15, 2, 0x15, 0, 0])  # of one byte unpacked, none packed
    assert parquet_pages.unpacked(page * 10_000, 0, len(page) * 10_000) == 10_000
    with pytest.raises(parquet_pages.Damaged, match="too many"):
        parquet_pages.unpacked(page * 10_001, 0, len(page) * 10_001)


def test_names_that_several_columns_have_are_left_alone() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert look(packed(twice)).table is None


@given(st.binary(max_size=300))
def test_bytes_that_are_no_pages_are_refused_or_counted(data: bytes) -> None:
    with contextlib.suppress(parquet_pages.Damaged):
        assert parquet_pages.unpacked(data, 0, len(data)) >= 0


def test_a_list_behind_a_dotted_name_is_not_unpacked() -> None:
    assert look(packed({"a": [1], "a.b": [[1]]})).table is None


def test_bytes_that_are_elsewhere_are_said_to_be() -> None:
    file = Artifact(path="t.parquet", size=9)
    assert previews.look([file], lambda path, limit: None)[0].missing


def test_without_pyarrow_or_with_an_old_one_files_keep_their_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> str:
        raise parquet.metadata.PackageNotFoundError(name)

    for version in (absent, lambda name: "14.0.0"):
        parquet.readable.cache_clear()
        monkeypatch.setattr(parquet.metadata, "version", version)
        file = look(packed({"a": [1]}))
        assert (file.table, file.missing, file.size) == (None, False, file.size)
    monkeypatch.undo()
    parquet.readable.cache_clear()
    assert look(packed({"a": [1]})).table


GOOD = packed({"a": [1, 2, 3], "b": ["x", "y", "z"]})


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_damaged_files_have_no_preview_and_raise_nothing(seed: int) -> None:
    choose = random.Random(seed)
    data = bytearray(GOOD)
    for _ in range(choose.randint(1, 6)):
        data[choose.randrange(len(data))] = choose.randrange(256)
    look(bytes(data[: choose.choice([len(data), choose.randrange(len(data))])]))


def test_hostile_values_are_texts_on_the_page(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    data = packed({ATTACK: [ATTACK], "b": ["</td><script>alert(1)</script>"]})
    some = content(
        1,
        artifacts=lambda key: [Artifact(path="t.parquet", size=len(data), md5="ab")],
        read_artifact=lambda key, path, limit: data[:limit],
    )
    build(some, tmp_path / "site", options=options)
    page = (tmp_path / "site" / "runs" / f"{run_id(0)}.html").read_text()
    assert "&lt;/td&gt;&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert f"gitml artifacts download {run_id(0)} t.parquet" in page
