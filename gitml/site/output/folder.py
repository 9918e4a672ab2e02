"""Write a site's folder: changes are built aside and moved in once they are complete.

A build that fails leaves the old site as it was. Of one that succeeds, a page is replaced after
the scripts that it names, whose addresses hold their digests, and what nothing names any more goes
last, so that every page fits its data at every moment.

The marker ``.gitml.json`` says that a folder is ours to change, and which files belong to which
run, shard or model under which key, so that what did not change is neither rendered nor written
again: ``{"generator": "gitml", "schema": 3, "parts": {run id or other name: {"key": …, "files":
{path: bytes, …}, "facts": {…}}}}``. While files are moved it has no parts: a build after a crash
trusts no file.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from gitml import files
from gitml.errors import GitmlError, InvalidInput
from gitml.site.output.budget import OverBudget

MARKER = ".gitml.json"
_SCHEMA = 3
_WITHDRAWN = ".withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Files of one run, shard or model.

    Attributes:
        key: Hash of what they were made of; empty where they are to be made anew.
        files: Their addresses, each with its bytes.
        facts: Values that other pages show: of a run its sparklines by metric, of a part of a
            table the addresses of its shards.
    """

    key: str
    files: Mapping[str, int]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A file of the site: its size in bytes, and whether it is new."""

    size: int
    new: bool


@dataclass(slots=True, kw_only=True)
class Output:
    """A context in which a site is written; leaving it without an error moves the files in.

    Attributes:
        folder: The site's folder.
        limit: Largest size of the site in bytes; 0 for any.
        files: Its files by address.
        total_bytes: Size of all files.
    """

    folder: Path
    limit: int = 0
    files: dict[str, SiteFile] = field(default_factory=dict)
    total_bytes: int = 0
    _aside: Path = field(init=False)
    _locks: list[int] = field(default_factory=list)
    _exists: bool = False
    _old: set[str] = field(default_factory=set)
    _strange: list[Path] = field(default_factory=list)
    _folders: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self._aside = self.folder.with_name(f".{self.folder.name}.{secrets.token_hex(4)}.new")

    def __enter__(self) -> Output:
        """Make the folder aside and list the old site.

        Raises:
            InvalidInput: The folder to replace is not a site of ours, or cannot be written.
        """
        self._refuse_foreign()
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._look()
            self._sweep()
            self._locks.append(self._make_aside())
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return self

    def _make_aside(self) -> int:
        """Make the folder aside and return its lock; a sweep may remove it before the lock."""
        while True:
            self._aside.mkdir(exist_ok=True)
            try:
                lock = files.lock_folder(self._aside)
            except FileNotFoundError:
                continue
            if self._aside.is_dir():
                return lock
            os.close(lock)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Move what was written into the site, or drop it."""
        try:
            if error is None:
                self._move_in()
            elif isinstance(error, OSError):
                raise _unwritable(self.folder, error) from error
        except OSError as failed:
            raise _unwritable(self.folder, failed) from failed
        finally:
            shutil.rmtree(self._aside, ignore_errors=True)
            for lock in self._locks:
                os.close(lock)

    def previous(self) -> Mapping[str, Rendered]:
        """Read the parts of the old site from its marker; empty if that cannot be used."""
        try:
            value = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))
            if value["schema"] != _SCHEMA:
                return {}
            return {
                name: Rendered(
                    key=str(item["key"]),
                    files={str(address): int(size) for address, size in item["files"].items()},
                    facts={str(address): str(text) for address, text in item["facts"].items()},
                )
                for name, item in value["parts"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, address: str, data: bytes) -> None:
        """Write one file, once; a file with the same bytes is taken over from the old site."""
        if address in self.files:
            return
        same = self._has(address, data)
        if not same:
            self._write_aside(address, data)
        self.take({address: SiteFile(len(data), not same)})

    def reuse(self, files: Mapping[str, int]) -> bool:
        """Take files over from the old site; False, and nothing is done, unless all are there."""
        if not self._old >= files.keys():
            return False
        self.take({address: SiteFile(size, False) for address, size in files.items()})
        return True

    def sizes(self, addresses: Iterable[str]) -> dict[str, int]:
        """Return the sizes of files in bytes."""
        return {address: self.files[address].size for address in addresses}

    def take(self, files: Mapping[str, SiteFile]) -> None:
        """Add files that are written, such as by a worker process.

        Raises:
            OverBudget: The site is larger than its limit.
        """
        self.total_bytes += sum(file.size for key, file in files.items() if key not in self.files)
        self.files.update(files)
        if self.limit and self.total_bytes > self.limit:
            raise OverBudget(f"The site has more than {self.limit} bytes.")

    def mark(self, parts: Mapping[str, Rendered]) -> None:
        """Write the marker."""
        value = {
            "generator": "gitml",
            "schema": _SCHEMA,
            "parts": {
                name: {"key": r.key, "files": dict(r.files), "facts": dict(r.facts)}
                for name, r in parts.items()
            },
        }
        data = (json.dumps(value, sort_keys=True) + "\n").encode()
        self._write_aside(MARKER, data)  # even the same one: it is withdrawn for a moment
        self.take({MARKER: SiteFile(len(data), not self._has(MARKER, data))})

    def _has(self, address: str, data: bytes) -> bool:
        """Return True if the old site has a file with these bytes."""
        return address in self._old and (self.folder / address).read_bytes() == data

    def _write_aside(self, address: str, data: bytes) -> None:
        folder = address.rpartition("/")[0]
        if folder not in self._folders:
            (self._aside / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        with open(f"{self._aside}/{address}", "wb") as file:
            file.write(data)

    def _refuse_foreign(self) -> None:
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise InvalidInput(f"{self.folder} is a file.", hint="Give another folder with -o.")
        if any(self.folder.iterdir()) and not _is_site(self.folder):
            raise InvalidInput(
                f"{self.folder} is not empty and was not made by gitml, so it is not replaced.",
                hint="Give an empty or new folder with -o.",
            )

    def _look(self) -> None:
        """List the old site, which no other build changes as long as this one is at work."""
        if not self.folder.exists():
            return
        self._exists = True
        self._locks.append(files.lock_folder(self.folder))
        begin = len(str(self.folder)) + 1
        for entry in _entries(str(self.folder)):
            if entry.is_file(follow_symlinks=False):
                self._old.add(entry.path[begin:])
            else:
                self._strange.append(Path(entry.path))

    def _sweep(self) -> None:
        """Remove what builds that were killed left aside; one that is at work holds a lock."""
        for path in self.folder.parent.glob(f".{glob.escape(self.folder.name)}.*.new"):
            with suppress(OSError):
                lock = files.lock_folder(path, wait=False)
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)

    def _move_in(self) -> None:
        if not self._exists:
            with suppress(OSError):  # another build made the site meanwhile, or an empty folder
                self._aside.rename(self.folder)
                return
            self._look()
        for path in self._strange:  # a link could lead what is moved or removed out of the folder
            path.unlink()
        new = [address for address, file in self.files.items() if file.new and address != MARKER]
        obsolete = self._old - self.files.keys()
        if new or obsolete:
            (self._aside / _WITHDRAWN).write_text(json.dumps({"generator": "gitml"}) + "\n")
            self._move(_WITHDRAWN, MARKER)
        for folder in {address.rpartition("/")[0] for address in new}:
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        for address in sorted(new, key=lambda name: name.endswith(".html")):
            self._move(address, address)
        for address in obsolete:
            (self.folder / address).unlink()
        for folder in {address.rpartition("/")[0] for address in obsolete} - {""}:
            with suppress(OSError):  # there is more in it
                (self.folder / folder).rmdir()
        self._move(MARKER, MARKER)

    def _move(self, address: str, to: str) -> None:
        source, target = self._aside / address, self.folder / to
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copyfile(source, target)  # the site's folder is a volume of its own


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Walk through what is in a folder and below it, following no link."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path)
            else:
                yield entry


def _is_site(folder: Path) -> bool:
    try:
        value = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("generator") == "gitml"


def _unwritable(folder: Path, error: OSError) -> GitmlError:
    return InvalidInput(
        f"The site cannot be written to {folder}: {error.strerror or error}.",
        hint="Give a folder you may write to with -o.",
    )
