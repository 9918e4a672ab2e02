"""Previews of Parquet files: their first rows as a table, whoever wrote them."""

from __future__ import annotations

import datetime
import io
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings, strategies as st
from pyarrow import parquet as writer

from gitml.entities import Artifact
from gitml.site import SiteOptions, build, previews
from gitml.site.previews import parquet
from tests.conftest import ended
from tests.site.conftest import run_id
from tests.site.hostile import ATTACK


def packed(columns: Mapping[str, Any], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    writer.write_table(table, sink, **options)
    return bytes(sink.getvalue())


GOOD = packed({"a": [1, 2, 3], "b": ["x", "y", "z"]})


@pytest.fixture(scope="module", autouse=True)
def reader_process() -> Iterator[None]:
    """One process for all tests that need none of their own."""
    with READER:
        yield


READER = previews.parquet_reader()


def preview(data: bytes) -> previews.File:
    file = Artifact(path="t.parquet", size=len(data))
    return previews.preview([file], lambda path, limit: data[:limit], READER)[0]


@pytest.mark.slow
def test_preview_shows_the_first_rows_as_texts() -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)
    file = preview(
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


def test_preview_cuts_long_and_wide_tables() -> None:
    file = preview(packed({f"c{n}": list(range(50)) for n in range(30)}, row_group_size=30))
    assert file.table
    assert (len(file.table.header), len(file.table.rows), file.cut) == (12, 20, True)
    empty = preview(packed({"a": pa.array([], pa.int8())}))
    assert empty.table == previews.Table(header=("a",), rows=())


def test_preview_skips_files_over_the_limit() -> None:
    reads: list[str] = []
    big = Artifact(path="t.parquet", size=previews.PARQUET_BYTES + 1)
    files = previews.preview([big], lambda path, limit: reads.append(path), READER)
    assert (files[0].table, reads) == (None, [])


def test_preview_skips_files_that_declare_to_unpack_to_too_much() -> None:
    large = packed({"s": ["x" * 1_000_000 + str(n) for n in range(30)]}, use_dictionary=False)
    assert len(large) < 2_000_000
    file = preview(large)
    assert (file.table, file.failure) == (None, "")


@pytest.fixture(scope="module")
def lie() -> bytes:
    """Pack 150 MB of zeros in 5 kB, in a file whose footer says that they are a thousand bytes."""
    data = packed(
        {"a": [b"\0" * 150_000_000]},
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
    )
    begin = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    pages, footer = data[:begin], data[begin:]
    group = writer.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    for true_size in {group.total_byte_size, group.column(0).total_uncompressed_size}:
        number = varint(2 * true_size)
        assert number in footer
        footer = footer.replace(number, varint(2 * 1_000, len(number)))
    assert len(pages) + len(footer) < 6_000
    metadata = writer.ParquetFile(io.BytesIO(pages + footer)).metadata
    assert metadata.row_group(0).total_byte_size == 1_000
    return pages + footer


def varint(number: int, length: int = 1) -> bytes:
    """Write a number as Thrift does, padded to a length."""
    digits = []
    while number or len(digits) < length:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits[:-1], digits[-1] & 0x7F])


def test_file_with_a_lying_footer_loses_only_its_own_preview(lie: bytes) -> None:
    with previews.parquet_reader() as reader:
        files = {"a.parquet": GOOD, "b.parquet": lie, "c.parquet": GOOD}
        artifacts = [Artifact(path=path, size=len(data)) for path, data in files.items()]
        first, second, third = previews.preview(artifacts, lambda path, _: files[path], reader)
    assert first.table and first.table == third.table
    assert second.table is None
    assert second.failure == "pyarrow could not read it within 256 MB and 5 s."


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
@pytest.mark.slow
def test_file_with_a_lying_footer_stays_within_the_limit(lie: bytes) -> None:
    code = (
        "import resource, sys\n"
        "from gitml.site.previews import parquet\n"
        "lie = sys.stdin.buffer.read()\n"
        "with parquet.TableReader(rows=20, columns=12) as reader:\n"
        "    for _ in range(2):\n"
        "        try: reader.read(lie)\n"
        "        except parquet.TooCostly: print('too costly')\n"
        "status = dict(line.split(':') for line in open('/proc/self/status'))\n"
        "print(status['VmHWM'].split()[0])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=lie, capture_output=True, check=True)
    *answers, own, children = done.stdout.decode().splitlines()
    assert answers == ["too costly", "too costly"]
    assert int(own) * 1024 < 100_000_000
    assert int(children) * 1024 < parquet.MAX_BYTES


def test_file_that_takes_too_long_loses_only_its_own_preview() -> None:
    with parquet.TableReader(rows=20, columns=12, max_seconds=1e-6) as hasty:
        for _ in range(2):
            with pytest.raises(parquet.TooCostly, match="within 256 MB and 1e-06 s"):
                hasty.read(GOOD)
        hasty.max_seconds = parquet.MAX_SECONDS
        assert hasty.read(GOOD)


@pytest.mark.slow
def test_files_that_end_the_process_again_and_again_are_not_read_for_ever() -> None:
    with parquet.TableReader(rows=20, columns=12, max_seconds=1e-6) as reader:
        for _ in range(parquet.MAX_FAILURES):
            with pytest.raises(parquet.TooCostly, match="within"):
                reader.read(GOOD)
        with pytest.raises(parquet.TooCostly, match="Too many files"):
            reader.read(GOOD)


def test_process_reads_all_files_of_a_context_and_ends_with_it() -> None:
    with parquet.TableReader(rows=20, columns=12) as reader:
        assert reader.process_id is None
        process_ids = set()
        for _ in range(3):
            assert reader.read(GOOD)
            process_ids.add(reader.process_id)
        (process_id,) = process_ids
        assert process_id
        os.kill(process_id, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


READING = (
    "import signal, sys\n"
    "from gitml.site.previews import parquet\n"
    "data = sys.stdin.buffer.read()\n"
    "with parquet.TableReader(rows=20, columns=12) as reader:\n"
    "    reader.read(data)\n"
    "    print(reader.process_id, flush=True)\n"
    "    signal.pause()\n"
)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process of another")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_process_ends_with_its_parent(end: signal.Signals) -> None:
    command = [sys.executable, "-c", READING]
    pipe = subprocess.PIPE
    reader = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    with ended(reader) as process:
        assert process.stdin and process.stdout
        process.stdin.write(GOOD)
        process.stdin.close()
        watched = os.pidfd_open(int(process.stdout.readline()))
        if end == signal.SIGINT:  # as a terminal sends it, to the whole group
            os.killpg(process.pid, end)
        else:
            process.kill()
        ready, _, _ = select.select([watched], [], [], 60)
        os.close(watched)
        assert ready == [watched]
        process.wait(timeout=60)


def test_nothing_of_the_current_folder_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "struct", "pyarrow", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(tmp_path)
    with parquet.TableReader(rows=20, columns=12) as reader:
        assert reader.read(GOOD)


def test_preview_skips_files_with_a_column_name_twice() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert preview(packed(twice)).table is None


def test_preview_skips_a_list_behind_a_dotted_name() -> None:
    assert preview(packed({"a": [1], "a.b": [[1]]})).table is None


def test_file_whose_bytes_are_not_on_this_machine_is_missing() -> None:
    file = Artifact(path="t.parquet", size=9)
    assert previews.preview([file], lambda path, limit: None, READER)[0].missing


def test_files_have_no_preview_without_a_recent_pyarrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> str:
        raise parquet.metadata.PackageNotFoundError(name)

    for version in (absent, lambda name: "14.0.0"):
        parquet.is_readable.cache_clear()
        monkeypatch.setattr(parquet.metadata, "version", version)
        file = preview(packed({"a": [1]}))
        assert (file.table, file.missing, file.size) == (None, False, file.size)
    monkeypatch.undo()
    parquet.is_readable.cache_clear()
    assert preview(packed({"a": [1]})).table


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
@example(3482040)
def test_damaged_files_raise_nothing(seed: int) -> None:
    choose = random.Random(seed)
    data = bytearray(GOOD)
    for _ in range(choose.randint(1, 6)):
        data[choose.randrange(len(data))] = choose.randrange(256)
    file = preview(bytes(data[: choose.choice([len(data), choose.randrange(len(data))])]))
    # Some damage makes pyarrow crash or ask for more memory than it may have.
    assert file.failure in ("", "pyarrow could not read it within 256 MB and 5 s.")
    assert file.table is None or file.failure == ""


def test_build_report_names_the_file_that_lost_its_preview(
    content: Any, options: SiteOptions, tmp_path: Path, lie: bytes
) -> None:
    files = {"good.parquet": GOOD, "lie.parquet": lie}
    hostile = content(
        1,
        artifacts=lambda _: [Artifact(path=p, size=len(data)) for p, data in files.items()],
        read_artifact=lambda _, path, limit: files[path][:limit],
    )
    report = build(hostile, tmp_path / "site", options=options)
    assert (
        f"Run {run_id(0)} is shown without a preview of lie.parquet: "
        "pyarrow could not read it within 256 MB and 5 s."
    ) in report.dropped
    assert len(report.dropped) == len(hostile.runs)
    page = (tmp_path / "site" / "runs" / f"{run_id(0)}.html").read_text()
    assert page.count("<bdi>x</bdi>") == 1


def test_run_page_escapes_hostile_values(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    data = packed({ATTACK: [ATTACK], "b": ["</td><script>alert(1)</script>"]})
    hostile = content(
        1,
        artifacts=lambda key: [Artifact(path="t.parquet", size=len(data), md5="ab")],
        read_artifact=lambda key, path, limit: data[:limit],
    )
    build(hostile, tmp_path / "site", options=options)
    page = (tmp_path / "site" / "runs" / f"{run_id(0)}.html").read_text()
    assert "&lt;/td&gt;&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert f"gitml artifacts download {run_id(0)} t.parquet" in page
