"""Write commits as input of ``git fast-import``, so that many cost one process and no checkout."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitml.errors import StoreError
from gitml.git.entities import Identity

_SHARED = 256  # bytes from which a blob that a commit needs twice is sent once
_CHUNK = 2**16  # bytes: a write to the pipe for every file would cost more than the file
_ESCAPES = ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"))


@dataclass(frozen=True, slots=True)
class Blob:
    """A file whose bytes are in the repository already.

    Attributes:
        oid: Id of the object.
        mode: Octal mode; ``040000`` puts a whole tree there.
    """

    oid: str
    mode: str = "100644"


Content = bytes | Path | Blob
"""What a file holds; that of a path is read while the stream is written."""
Files = Mapping[str, Content | None]
"""What a commit changes: path to content; None removes a file, the path "" is the root."""


class CommitStream:
    """Input of one ``git fast-import`` that puts commits on a ref.

    Args:
        ref: The ref; the first commit starts it, or follows its first parent.
        who: Author and committer.
        timestamp: When they are made, s since the Unix epoch.
    """

    def __init__(self, ref: str, who: Identity, *, timestamp: int) -> None:
        self._ref = ref.encode()
        author = str(who).encode("utf-8", "replace")
        self._start = b"commit %s\ncommitter %s %d +0000\n" % (self._ref, author, timestamp)
        self._marks = itertools.count(1)

    def commit(
        self, message: str, files: Files, *, parents: Sequence[str] = (), clear: bool = False
    ) -> Iterator[bytes]:
        """Return the input for one more commit, in parts.

        Args:
            message: The commit message.
            files: What changes against the first parent, or against the stream's last commit.
            parents: Ids of the parents; the stream's last commit if empty.
            clear: Start without the files of the parent.

        Raises:
            StoreError: A path cannot be in a tree.
        """
        return _chunks(self._parts(message, files, parents, clear))

    def also(self, ref: str) -> bytes:
        """Return the input that puts the last commit on another ref, too."""
        return b"reset %s\nfrom %s\n\n" % (ref.encode(), self._ref)

    def _parts(
        self, message: str, files: Files, parents: Sequence[str], clear: bool
    ) -> Iterator[bytes]:
        marks = {data: next(self._marks) for data in _shared(files)}
        for data, mark in marks.items():
            yield b"blob\nmark :%d\n%s" % (mark, _data(data))
        yield self._start + _data(message.encode("utf-8", "replace"))
        for number, parent in enumerate(parents):
            yield b"%s %s\n" % (b"merge" if number else b"from", parent.encode())
        if clear:
            yield b"deleteall\n"
        for path in sorted(path for path, content in files.items() if content is None):
            yield b"D %s\n" % _quoted(path)  # first: a folder may take a file's name
        for path, content in sorted(files.items()):
            if isinstance(content, Blob):
                mode, oid = content.mode.encode(), content.oid.encode()
                yield b"M %s %s %s\n" % (mode, oid, _quoted(path))
            elif isinstance(content, bytes) and content in marks:
                yield b"M 100644 :%d %s\n" % (marks[content], _quoted(path))
            elif content is not None:
                data = content if isinstance(content, bytes) else content.read_bytes()
                yield b"M 100644 inline %s\n%s" % (_quoted(path), _data(data))


def _shared(files: Files) -> list[bytes]:
    """Return the larger contents that are under several paths: git gets them once."""
    contents = (content for content in files.values() if isinstance(content, bytes))
    large = (data for data in contents if len(data) >= _SHARED)
    return [data for data, times in Counter(large).items() if times > 1]


def _data(data: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(data), data)


def _quoted(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise StoreError(f"{path!r} cannot be a path in git.")
    for plain, escaped in _ESCAPES:
        raw = raw.replace(plain, escaped)
    return b'"' + raw + b'"'


def _chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join parts up to the size of a pipe's buffer."""
    pending: list[bytes] = []
    size = 0
    for part in parts:
        pending.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield b"".join(pending)
            pending.clear()
            size = 0
    yield b"".join(pending)
