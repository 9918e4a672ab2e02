"""Connect to a remote at its first use, and translate its failures.

A remote is reached only through here, and only at an address that this clone accepted. A folder of
this machine may be read without that: no request leaves the machine, and what is read is checked by
its hash.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from gitml.errors import RemoteUnavailable
from gitml.formats.dvc_config import is_clone_folder
from gitml.storage.address import Address, mask
from gitml.storage.backends import Failures, Item, Progress, Storage, Stored, in_folder
from gitml.storage.dvc_remote import connect
from gitml.storage.failures import translate_errors
from gitml.storage.trust import Trust


class Remote:
    """A DVC remote; nothing is read or reached before the first use."""

    def __init__(
        self,
        connect: Callable[[], Storage],
        *,
        accept: Callable[[], None] | None = None,
        keeper: Callable[[], str] = str,
    ) -> None:
        """Take what connects; use `open` or `local`.

        Args:
            connect: Reaches the storage.
            accept: Raises if nothing may be changed in it; None for this clone's own folder,
                which needs no marker either.
            keeper: Says who has the files that it lacks; empty if that is unknown.
        """
        self._connect = connect
        self._accept = accept
        self._keeper = keeper
        self._is_ready = accept is None
        self._has_objects = False

    @classmethod
    def open(
        cls,
        address: Address,
        *,
        trust: Trust,
        settings: Callable[[], dict[str, Any]],
        keeper: Callable[[], str] = str,
        current: bool = True,
    ) -> Remote:
        """Return the remote at an address.

        Args:
            address: The address.
            trust: The addresses that this clone accepted.
            settings: Reads this machine's settings for the address.
            keeper: Says who logged the files, such as ``Ada Example <ada@example.org>``.
            current: Whether the branch names it, not just one of its runs.
        """

        def accept() -> None:
            trust.require(address, current=current)

        def reach() -> Storage:
            if not address.is_folder:
                accept()
                return connect(address, settings())
            if not Path(address.url).is_dir():
                raise absent(address, keeper())
            return in_folder(Path(address.url))

        return cls(reach, accept=accept, keeper=keeper)

    @classmethod
    def local(cls, folder: Path) -> Remote:
        """Return this clone's own folder as a remote, without importing dvc; made when needed.

        Objects are hard-linked from the cache if both are on one file system, so that a default
        remote beside the cache costs no space.
        """
        return cls(lambda: in_folder(folder))

    @cached_property
    def _storage(self) -> Storage:
        return self._connect()

    @property
    def url(self) -> str:
        """The remote's address, fit to be shown: without credentials."""
        return mask(self._storage.url)

    @property
    def keeper(self) -> str:
        """Who has files that the remote lacks; empty if that is unknown."""
        return self._keeper()

    def initialise(self) -> None:
        """Mark the remote as one that gitml uses, also an empty one.

        Raises:
            RemoteUnavailable: It does not answer.
            UntrustedRemote: Nobody accepted its address in this clone.
        """
        if self._accept:
            self._accept()
        storage = self._storage
        with translate_errors(storage.url):
            if not storage.is_marked():
                storage.mark()
        self._is_ready = True

    def _require_ready(self) -> None:
        """Go on only if the remote may be written to, and is what it was.

        A remote of an earlier version has objects, but no marker: it gets one.
        """
        if self._is_ready:
            return
        if self._accept:
            self._accept()
        storage = self._storage
        with translate_errors(storage.url):
            if not storage.is_marked():
                if not self._has_objects and storage.is_empty():
                    raise uninitialised(storage.url)
                storage.mark()
        self._is_ready = True

    def _is_unmounted(self, storage: Storage) -> bool:
        """Return True if a shared folder is as empty as a mount point without its drive."""
        is_shared_folder = self._accept is not None and "://" not in storage.url
        return is_shared_folder and not storage.is_marked() and storage.is_empty()

    def existing(self, oids: Collection[str]) -> set[str]:
        """Return which of these objects the remote holds.

        Raises:
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with translate_errors(storage.url):
            present = storage.existing(oids) if oids else set()
        self._has_objects = self._has_objects or bool(present)
        return present

    def send(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Send objects of this machine.

        Returns:
            What went wrong, per object.

        Raises:
            RemoteUnavailable: It does not answer, or lost its marker.
            UntrustedRemote: Nobody accepted its address in this clone.
        """
        storage = self._storage
        self._require_ready()
        with translate_errors(storage.url):
            failures = storage.send(items, progress)
        _finish(items, failures, progress)
        return failures

    def receive(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Bring objects to this machine, unverified; otherwise as ``send``."""
        storage = self._storage
        for folder in {item.path.parent for item in items}:
            folder.mkdir(parents=True, exist_ok=True)
        with translate_errors(storage.url):
            failures = storage.receive(items, progress)
        if len(failures) == len(items) > 0 and self._is_unmounted(storage):
            raise uninitialised(storage.url)
        _finish(items, failures, progress)
        return failures

    def objects(self) -> list[Stored]:
        """List what the remote holds.

        Raises:
            InvalidInput: This kind of remote cannot list its objects.
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with translate_errors(storage.url, operation="list what it stores"):
            return list(storage.objects())

    def remove(self, oids: Iterable[str]) -> None:
        """Remove objects; one that is gone already is no error.

        Raises:
            InvalidInput: This kind of remote cannot remove objects.
            RemoteUnavailable: It does not answer.
            UntrustedRemote: Nobody accepted its address in this clone.
        """
        if self._accept:
            self._accept()
        storage = self._storage
        with translate_errors(storage.url, operation="remove what it stores"):
            for oid in oids:
                storage.remove(oid)

    def read(self, oid: str, limit: int) -> bytes:
        """Read the first bytes of an object, unverified.

        Raises:
            FileNotFoundError: The remote does not hold it.
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with translate_errors(storage.url, passing=FileNotFoundError):
            return storage.read(oid, limit)


def _finish(items: Sequence[Item], failures: Failures, progress: Progress | None) -> None:
    if progress and not failures:
        total = sum(item.size for item in items)
        progress(total, total)


def absent(address: Address, keeper: str) -> RemoteUnavailable:
    """What to say of a folder that is not on this machine.

    Args:
        address: The folder.
        keeper: Who named it first; empty if that is unknown.
    """
    if not is_clone_folder(address.url):
        return RemoteUnavailable(
            f"The DVC remote '{address}' is not there: no such folder on this machine.",
            hint="Mount its drive, or point the branch elsewhere with `gitml remote add NAME URL`.",
        )
    owner = keeper or "the person who logged the run"
    clone = str(address).removesuffix("/gitml/remote").removesuffix("/.git")
    return RemoteUnavailable(
        f"The files are only in a clone of {owner} ('{clone}', not on this machine): no remote "
        "for artifacts was set up there.",
        hint=f"Ask {owner} to type `gitml remote add storage URL`, then `gitml push`, in that "
        "clone; URL is a storage that both of you reach, such as s3://bucket/path.",
    )


def uninitialised(url: str) -> RemoteUnavailable:
    """What to say of a remote that holds nothing, not even the marker."""
    return RemoteUnavailable(
        f"The DVC remote '{mask(url)}' is empty and lacks gitml's marker: its drive may not be "
        "mounted.",
        hint="Mount it and repeat the command; if it is a new, empty storage, "
        f"`gitml remote add storage {shlex.quote(mask(url))}` initialises it.",
    )
