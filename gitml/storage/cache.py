"""Read and write a folder of objects in DVC's layout, with the standard library only.

A training process that ends a run needs nothing else of DVC, so that it does not import dvc.
Objects lie in ``files/md5/<2 hex>/<30 hex>``; as in DVC, mode 0444 says that the content was
verified. Every object appears by ``link`` or ``rename``: no reader or second writer ever sees a
part of one, and no lock is needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitml import files
from gitml.threads import in_threads

VERIFIED = 0o444
_OID = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_FEW = 4  # files that are flushed one by one
_TOGETHER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A folder of DVC objects: the cache, or a remote that is a folder.

    Attributes:
        folder: Its root, what DVC calls ``cache.dir`` or the remote's ``url``.
    """

    folder: Path

    def path(self, oid: str) -> Path:
        """Return where an object lies; ``oid`` is an md5, with ``.dir`` for a directory object."""
        return self.folder / "files" / "md5" / oid[:2] / oid[2:]

    def has(self, oid: str) -> bool:
        """Return True if an object is present and valid; a corrupt, writable one is removed."""
        try:
            mode = self.path(oid).stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_IMODE(mode) == VERIFIED or self.verify(oid)

    def objects(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield all objects, valid or not."""
        root = self.folder / "files" / "md5"
        for path in sorted(root.glob("[0-9a-f][0-9a-f]/*")) if root.is_dir() else ():
            oid = path.parent.name + path.name
            with contextlib.suppress(FileNotFoundError):
                if is_oid(oid):
                    yield oid, path.lstat()

    def verify(self, oid: str) -> bool:
        """Hash an object: protect it if it is valid, remove it otherwise."""
        path = self.path(oid)
        try:
            sound = file_md5(path) == oid.removesuffix(".dir")
        except FileNotFoundError:
            return False
        if not sound:
            path.unlink(missing_ok=True)
            return False
        # A file system without modes only makes us hash again next time, as it does DVC.
        with contextlib.suppress(PermissionError):
            path.chmod(VERIFIED)
        return True

    def keep(self, oid: str) -> None:
        """Note that an object that is here is used anew, so that `gitml gc` sees it as young."""
        with contextlib.suppress(OSError):
            self.path(oid).chmod(VERIFIED)  # its change time becomes now

    def add(self, source: Path, oid: str, *, link: bool) -> bool:
        """Store a file: by hard link where that is allowed and possible, else by copy.

        Returns:
            Whether it was linked: a copy is on the disk itself, a link perhaps not yet.
        """
        path = self.path(oid)
        path.parent.mkdir(parents=True, exist_ok=True)
        linked = link and _link(source, path)
        if not linked:
            with files.replacing(path) as temporary:
                shutil.copyfile(source, temporary)
        path.chmod(VERIFIED)
        return linked

    def add_bytes(self, content: bytes, oid: str) -> None:
        """Store an object made in memory."""
        path = self.path(oid)
        files.replace(path, content)
        path.chmod(VERIFIED)


def is_oid(text: str) -> bool:
    """Return True if a text is the name of an object: an md5, with ``.dir`` for a folder."""
    return _OID.fullmatch(text) is not None


def file_md5(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def flush_all(paths: Sequence[Path]) -> None:
    """Flush several files; many at once, since the disk takes them together."""
    if len(paths) <= _FEW:
        for path in paths:
            files.flush(path)
        return
    for _ in in_threads(files.flush, paths, workers=_TOGETHER):
        pass


def _link(source: Path, path: Path) -> bool:
    try:
        os.link(source, path)
    except FileExistsError:
        return True
    except OSError:  # another device, or a file system without hard links
        return False
    return True
