"""The contract of a remote, and the remote that is a folder of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gitml import files
from gitml.formats import canonical
from gitml.storage.cache import Cache

MARKER_FILE = "gitml-remote.json"
MARKER = canonical.dump({"schema": 1, "holds": "artifacts of gitml"})
"""What a remote has in its root: a mount point without its drive is not taken for the remote."""
Progress = Callable[[int, int], None]  # bytes done, bytes in all
Failures = dict[str, BaseException]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object to move: its md5 (with ``.dir``), its place on this machine, its size in bytes."""

    oid: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object of a remote.

    Attributes:
        oid: Its md5, with ``.dir`` for a directory object.
        size: Bytes.
        changed: When it was written, s since the Unix epoch; None where the remote does not say.
    """

    oid: str
    size: int
    changed: float | None


class Storage(Protocol):
    """What a remote does, whatever it is made of."""

    @property
    def url(self) -> str:
        """Its address, as it was given."""
        ...

    def existing(self, oids: Collection[str]) -> set[str]:
        """Return which of these objects it holds."""
        ...

    def send(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Take objects from this machine."""
        ...

    def receive(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Give objects to this machine, unverified."""
        ...

    def read(self, oid: str, limit: int) -> bytes:
        """Read the first bytes of an object."""
        ...

    def objects(self) -> Iterable[Stored]:
        """List everything it holds."""
        ...

    def remove(self, oid: str) -> None:
        """Remove an object."""
        ...

    def is_marked(self) -> bool:
        """Return True if it carries the marker of a remote that gitml uses."""
        ...

    def is_empty(self) -> bool:
        """Return True if it holds no object."""
        ...

    def mark(self) -> None:
        """Write the marker."""
        ...


def in_folder(folder: Path) -> Storage:
    """Give the storage in a folder of this machine, which need not be there yet."""
    return _Folder(Cache(folder=folder))


@dataclass(frozen=True, slots=True)
class _Folder:
    """A remote that is a folder of this machine."""

    cache: Cache

    @property
    def url(self) -> str:
        return str(self.cache.folder)

    def existing(self, oids: Collection[str]) -> set[str]:
        return {oid for oid in oids if self.cache.has(oid)}

    def send(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        for item in items:
            self.cache.add(item.path, item.oid, link=True)
        return {}

    def receive(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        failures: Failures = {}
        for item in items:
            try:
                with files.replacing(item.path) as temporary:
                    shutil.copyfile(self.cache.path(item.oid), temporary)
            except FileNotFoundError as exc:
                failures[item.oid] = exc
        return failures

    def read(self, oid: str, limit: int) -> bytes:
        with self.cache.path(oid).open("rb") as file:
            return file.read(limit)

    def objects(self) -> Iterable[Stored]:
        for oid, stat in self.cache.objects():
            yield Stored(oid=oid, size=stat.st_size, changed=max(stat.st_mtime, stat.st_ctime))

    def remove(self, oid: str) -> None:
        self.cache.path(oid).unlink(missing_ok=True)

    def is_marked(self) -> bool:
        return (self.cache.folder / MARKER_FILE).is_file()

    def is_empty(self) -> bool:
        return next(self.cache.objects(), None) is None

    def mark(self) -> None:
        files.replace(self.cache.folder / MARKER_FILE, MARKER)
