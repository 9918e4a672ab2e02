"""A site's folder: built aside, then swapped in, so that a crash leaves the old one standing.

The marker ``.gitml.json`` says that a folder is ours to replace, and which files belong to which
run or shard of older runs under which key, so that what did not change is hard-linked instead of
rendered: ``{"generator": "gitml", "schema": 2, "runs": {run id or "older/<n>": {"key": …, "files":
[path, …], "trends": {metric: sparkline}}}}``.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from gitml.errors import GitmlError, InvalidInput
from gitml.site.budget import OverBudget

MARKER = ".gitml.json"
_SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a run's files were made of, which they are, and its sparklines by metric."""

    key: str
    files: tuple[str, ...]
    trends: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Output:
    """A context in which a site is written; leaving it without an error swaps the site in.

    Attributes:
        folder: Where the site is to be.
        limit: How many bytes it may have; 0 for any number.
        written: Files whose bytes are new.
        unchanged: Files taken over from the site that was there.
        total_bytes: Size of all files.
    """

    folder: Path
    limit: int = 0
    written: int = 0
    unchanged: int = 0
    total_bytes: int = 0
    _aside: Path = field(init=False)
    _done: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self._aside = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.new")

    def __enter__(self) -> Output:
        """Make the folder aside.

        Raises:
            InvalidInput: The folder to replace is not a site of ours, or cannot be written.
        """
        self._refuse_foreign()
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._recover()
            shutil.rmtree(self._aside, ignore_errors=True)
            self._aside.mkdir()
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Swap the site in, or drop what was written."""
        if error is None:
            self._swap()
        else:
            shutil.rmtree(self._aside, ignore_errors=True)
            if isinstance(error, OSError):
                raise _unwritable(self.folder, error) from error

    def previous(self) -> Mapping[str, Rendered]:
        """Read what the site that is there says of its runs; nothing where it cannot be used."""
        try:
            value = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))
            if value["schema"] != _SCHEMA:
                return {}
            return {
                run_id: Rendered(
                    key=str(item["key"]),
                    files=tuple(map(str, item["files"])),
                    trends={str(name): str(text) for name, text in item["trends"].items()},
                )
                for run_id, item in value["runs"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, address: str, data: bytes) -> None:
        """Write one file, once; a file with the same bytes is taken over from the old site."""
        if address in self._done:
            return
        size = self._size(address)
        same = size == len(data) and (self.folder / address).read_bytes() == data
        if same and self.reuse([address]):
            return
        Path(self._place(address)).write_bytes(data)
        self.written += 1
        self._count(len(data))

    def reuse(self, addresses: Iterable[str]) -> bool:
        """Take files over from the old site; False, and nothing is done, unless all are there."""
        wanted = [address for address in addresses if address not in self._done]
        found = [self._size(address) if _is_inside(address) else None for address in wanted]
        sizes = [size for size in found if size is not None]
        if len(sizes) < len(wanted):
            return False
        for address, size in zip(wanted, sizes, strict=True):
            old, path = f"{self.folder}/{address}", self._place(address)
            try:
                os.link(old, path)
            except OSError:  # a file system without hard links
                shutil.copyfile(old, path)
            self.unchanged += 1
            self._count(size)
        return True

    def _size(self, address: str) -> int | None:
        """Bytes of a file of the old site; None where there is none."""
        try:
            found = os.stat(f"{self.folder}/{address}")  # noqa: PTH116, there are thousands
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def mark(self, runs: Mapping[str, Rendered]) -> None:
        """Write the marker."""
        value = {
            "generator": "gitml",
            "schema": _SCHEMA,
            "runs": {
                run_id: {"key": r.key, "files": r.files, "trends": dict(r.trends)}
                for run_id, r in runs.items()
            },
        }
        self.write(MARKER, (json.dumps(value, sort_keys=True) + "\n").encode())

    def _count(self, size: int) -> None:
        self.total_bytes += size
        if self.limit and self.total_bytes > self.limit:
            raise OverBudget(f"The site has more than {self.limit} bytes.")

    def _place(self, address: str) -> str:
        folder = address.rpartition("/")[0]
        if folder not in self._folders:
            (self._aside / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        self._done.add(address)
        return f"{self._aside}/{address}"

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

    def _recover(self) -> None:
        """Put a site back that a crash between the two renames of a swap left aside."""
        old = self._old()
        if old.is_dir() and not self.folder.exists():
            old.rename(self.folder)

    def _swap(self) -> None:
        old = self._old()
        try:
            shutil.rmtree(old, ignore_errors=True)
            if self.folder.exists():
                self.folder.rename(old)
            self._aside.rename(self.folder)
        except OSError as error:
            self._recover()
            shutil.rmtree(self._aside, ignore_errors=True)
            raise _unwritable(self.folder, error) from error
        shutil.rmtree(old, ignore_errors=True)

    def _old(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.old")


def _is_site(folder: Path) -> bool:
    try:
        value = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("generator") == "gitml"


def _is_inside(address: str) -> bool:
    return not address.startswith("/") and ".." not in address.split("/")


def _unwritable(folder: Path, error: OSError) -> GitmlError:
    return InvalidInput(
        f"The site cannot be written to {folder}: {error.strerror or error}.",
        hint="Give a folder you may write to with -o.",
    )
