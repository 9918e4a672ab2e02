"""Preview the files of a run: a picture, a page, a table, a text, or only name and size.

The first bytes of a file decide what it is; its name only decides whether to read it at all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from gitml.entities import Artifact
from gitml.formats import artifact_paths
from gitml.site.data import columns as scripts
from gitml.site.previews import parquet
from gitml.site.previews.parquet import TableReader
from gitml.site.text import formats, urls

PICTURE_BYTES = 5_000_000
PAGE_BYTES = 5_000_000
TEXT_BYTES = 64_000
PARQUET_BYTES = 5_000_000
TABLE_ROWS = 20
TABLE_COLUMNS = 12
FILES = 60

_PAGES = frozenset({".html", ".htm"})
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
_TEXTS = frozenset(
    {".txt", ".log", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".toml"}
    | {".ini", ".cfg", ".py", ".sql", ".xml", ".diff", ".patch", ".sh"}
)
_STEP_IMAGE = re.compile(
    r"images/(.+)[+%]step[+%](-?\d+)[+%]timestamp[+%]\d+[+%][0-9a-f-]+\.(?:png|webp)"
)  # as MLflow and gitml name the pictures of `log_image(key=…, step=…)`
_TEXT_NAMES = frozenset({"MLmodel", "MLproject", "Dockerfile", "LICENSE", "README"})

Read = Callable[[str, int], bytes | None]
"""(path, limit) → the first bytes of a file, None if they are not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first rows of a table."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture copied into the site.

    Attributes:
        address: Its path from the site's root.
        data: Its bytes.
    """

    address: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPage:
    """An HTML page of a run, carried by a script for the sandbox to show.

    Attributes:
        address: The script's path from the site's root, and its key.
        data: The script's bytes: ``{"html": …}``.
    """

    address: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One artifact on a run page; at most one of the previews is set.

    Attributes:
        path: POSIX path below the run's artifacts.
        size: Its size with unit.
        md5: Content hash, maybe empty.
        text: Its text.
        table: Its first rows.
        picture: A picture, copied.
        drawing: An SVG as a ``data:`` address: as an image it runs nothing, and it has no address
            of the site at which it could be opened as a page.
        page: An HTML page, to be shown in the sandbox.
        cut: Whether the preview shows only the beginning.
        warning: Why it is never downloaded; empty for all but a few.
        missing: Whether there is no preview because the bytes are not on this machine.
        failure: Why there is no preview although the bytes are here; empty for files that have
            none because of what they are.
    """

    path: str
    size: str
    md5: str
    text: str | None = None
    table: Table | None = None
    picture: Picture | None = None
    drawing: str = ""
    page: HtmlPage | None = None
    cut: bool = False
    warning: str = ""
    missing: bool = False
    failure: str = ""

    @property
    def title(self) -> str:
        """Return its path, or key and step of a picture that was logged with these."""
        match = _STEP_IMAGE.fullmatch(self.path)
        return f"{match[1]}, step {match[2]}" if match else self.path


def parquet_reader() -> TableReader:
    """Return the context that :func:`preview` needs for Parquet files."""
    return TableReader(rows=TABLE_ROWS, columns=TABLE_COLUMNS)


def list_files(artifacts: Sequence[Artifact]) -> tuple[File, ...]:
    """Describe a run's files by path without reading them."""
    return tuple(_bare(artifact) for artifact in sorted(artifacts, key=lambda item: item.path))


def preview(artifacts: Sequence[Artifact], read: Read, reader: TableReader) -> tuple[File, ...]:
    """Describe a run's files by path, the first :data:`FILES` of a known kind with a preview.

    Args:
        artifacts: The run's manifest.
        read: Reads the beginning of a file.
        reader: Reads Parquet files.
    """
    files, remaining = [], FILES
    for artifact in sorted(artifacts, key=lambda item: item.path):
        file = _preview(artifact, read, reader) if remaining else None
        remaining -= file is not None
        files.append(file or _bare(artifact))
    return tuple(files)


def failures(run_id: str, files: Sequence[File]) -> Iterator[str]:
    """Yield a sentence for each file of a run that could not be previewed."""
    for file in files:
        if file.failure:
            yield f"Run {run_id} is shown without a preview of {file.path}: {file.failure}"


def picture_type(data: bytes) -> str | None:
    """Return the format of a picture by its first bytes: png, jpg, gif, webp, or None."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def _preview(artifact: Artifact, read: Read, reader: TableReader) -> File | None:
    path = PurePosixPath(artifact.path)
    extension, size = path.suffix.lower(), artifact.size
    show: Callable[[Artifact, bytes], File | None]
    if extension in _PICTURES and size <= PICTURE_BYTES:
        limit, show = PICTURE_BYTES, _picture
    elif extension in _PAGES and size <= PAGE_BYTES:
        limit, show = PAGE_BYTES, _page
    elif extension == ".parquet" and size <= PARQUET_BYTES and parquet.is_readable():
        limit, show = PARQUET_BYTES, partial(_parquet, reader=reader)
    elif extension == ".svg" and size <= TEXT_BYTES:
        limit, show = TEXT_BYTES, _drawing
    elif extension in _TEXTS or path.name in _TEXT_NAMES:
        limit, show = TEXT_BYTES, partial(_text, extension=extension)
    else:
        return None
    data = read(artifact.path, limit)
    return _bare(artifact, missing=True) if data is None else show(artifact, data)


def _picture(artifact: Artifact, data: bytes) -> File | None:
    kind = picture_type(data)
    if kind is None:
        return None
    return _bare(artifact, picture=Picture(address=urls.media(data, kind), data=data))


def _page(artifact: Artifact, data: bytes) -> File:
    address = urls.copied_page(data)
    content = scripts.script(address, {"html": data.decode("utf-8", "replace")})
    return _bare(artifact, page=HtmlPage(address=address, data=content))


def _drawing(artifact: Artifact, data: bytes) -> File:
    return _bare(artifact, drawing=f"data:image/svg+xml;base64,{b64encode(data).decode('ascii')}")


def _text(artifact: Artifact, data: bytes, extension: str) -> File | None:
    if b"\0" in data:
        return None
    cut = artifact.size > TEXT_BYTES
    text = data[:TEXT_BYTES].decode("utf-8", "replace")
    table = None
    if extension in (".csv", ".tsv"):
        table = _csv(text, "\t" if extension == ".tsv" else ",")
    elif extension == ".json" and not cut:
        table, text = _json(text)
    if table is not None:
        return _bare(artifact, table=table, cut=cut or len(table.rows) == TABLE_ROWS)
    return _bare(artifact, text=text, cut=cut)


def _parquet(artifact: Artifact, data: bytes, reader: TableReader) -> File | None:
    try:
        first = reader.read(data)
    except parquet.TooCostly as error:
        return _bare(artifact, failure=str(error))
    if first is None:
        return None
    table = _table(first.header, first.rows)
    return _bare(artifact, table=table, cut=first.total > len(table.rows))


def _csv(text: str, delimiter: str) -> Table | None:
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))[: TABLE_ROWS + 1]
    except csv.Error:
        return None
    return _table(lines[0], lines[1:]) if len(lines) > 1 else None


def _json(text: str) -> tuple[Table | None, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None, text
    match value:
        case {"columns": [*header], "data": [[*_], *_] as rows} if len(value) == 2:
            if all(isinstance(row, list) for row in rows):
                return _table(header, rows), text
    return None, json.dumps(value, indent=2, ensure_ascii=False)


def _table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> Table:
    def cells(row: Sequence[object]) -> tuple[str, ...]:
        return tuple(formats.clip(str(cell), 200) for cell in row[:TABLE_COLUMNS])

    return Table(header=cells(header), rows=tuple(cells(row) for row in rows[:TABLE_ROWS]))


def _bare(
    artifact: Artifact,
    *,
    text: str | None = None,
    table: Table | None = None,
    picture: Picture | None = None,
    drawing: str = "",
    page: HtmlPage | None = None,
    cut: bool = False,
    missing: bool = False,
    failure: str = "",
) -> File:
    return File(
        path=artifact.path,
        size=formats.size(artifact.size),
        md5=artifact.md5,
        text=text,
        table=table,
        picture=picture,
        drawing=drawing,
        page=page,
        cut=cut,
        warning=artifact_paths.fault(artifact.path) or "",
        missing=missing,
        failure=failure,
    )
