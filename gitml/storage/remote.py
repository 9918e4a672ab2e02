"""Connect to a remote at its first use, and translate its failures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path

from gitml.formats.dvc_config import REMOTE
from gitml.storage.address import mask
from gitml.storage.backends import Failures, Item, Progress, Storage, Stored, absent, in_folder
from gitml.storage.dvc_remote import config_beside, config_of_revision, connect
from gitml.storage.failures import translate_errors


class Remote:
    """A DVC remote; nothing is read or reached before the first use."""

    def __init__(self, connect: Callable[[], Storage]) -> None:
        """Take the function that connects; use `open`, `from_url` or `local`."""
        self._connect = connect

    @classmethod
    def open(cls, root: Path, rev: str, *, name: str = REMOTE) -> Remote:
        """Return the remote that ``.dvc/config`` names at a revision, with the user's credentials.

        Args:
            root: The git repository, bare or not, or a linked work tree.
            rev: Branch, tag or commit whose tree holds ``.dvc/config``.
            name: The remote's name.
        """
        return cls(lambda: connect(config_of_revision(root, rev, name), name=name))

    @classmethod
    def from_url(cls, url: str, root: Path) -> Remote:
        """Return the remote at a URL, with the credentials beside the work tree.

        Args:
            url: As `check` returns it.
            root: The git repository, whose ``.dvc/config.local`` may hold credentials.
        """
        return cls(lambda: connect(config_beside(root, url), must_exist=False))

    @classmethod
    def local(cls, folder: Path, *, make: bool = True) -> Remote:
        """Return a folder of this machine as a remote, without importing dvc.

        Objects are hard-linked from the cache if both are on one file system, so that a default
        remote beside the cache costs no space.

        Args:
            folder: The remote's root.
            make: True to create it when something is sent to it; otherwise it must exist.
        """

        def enter() -> Storage:
            if not make and not folder.is_dir():
                raise absent(str(folder))
            return in_folder(folder)

        return cls(enter)

    @cached_property
    def _storage(self) -> Storage:
        return self._connect()

    @property
    def url(self) -> str:
        """The remote's address, fit to be shown: without credentials."""
        return mask(self._storage.url)

    def existing(self, oids: Collection[str]) -> set[str]:
        """Return which of these objects the remote holds.

        Raises:
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with translate_errors(storage.url):
            return storage.existing(oids) if oids else set()

    def send(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Send objects of this machine.

        Returns:
            What went wrong, per object.

        Raises:
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
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
        """
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
