"""Hides how a DVC remote is opened, reached and checked, and what its failures mean.

Opening takes the same settings and credentials as stock DVC (the branch's ``.dvc/config``, the
user's ``.dvc/config.local``, global and system configuration), but nothing of DVC's that writes:
no lock, no ``.dvc/tmp``, no site cache and no analytics, which only DVC's command line sends.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import urlsplit

from gitml.artifacts.address import PLUGINS, absolute_url, mask
from gitml.artifacts.cache import Cache, atomic, is_oid
from gitml.artifacts.reaching import Reaching
from gitml.dvc_settings import REMOTE
from gitml.errors import InvalidInput, MissingDependency, NotFound, RemoteUnavailable

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


class Remote:
    """A DVC remote; nothing is read or reached before the first use."""

    def __init__(self, connect: Callable[[], Storage]) -> None:
        """Take what connects; `open`, `at` and `local` are the ways in."""
        self._connect = connect

    @classmethod
    def open(cls, root: Path, rev: str, *, name: str = REMOTE) -> Remote:
        """Take the remote that ``.dvc/config`` names at a revision, with the user's credentials.

        Args:
            root: The git repository, bare or not, or a linked work tree.
            rev: Branch, tag or commit whose tree holds ``.dvc/config``.
            name: The remote's name.
        """
        return cls(lambda: connect(_config_at(root, rev, name), name=name))

    @classmethod
    def at(cls, url: str, root: Path) -> Remote:
        """Take the remote at a URL, with the credentials beside the work tree.

        Args:
            url: As `check` returns it.
            root: The git repository, whose ``.dvc/config.local`` may hold credentials.
        """
        return cls(lambda: connect(_config_beside(root, url), must_exist=False))

    @classmethod
    def local(cls, folder: Path, *, make: bool = True) -> Remote:
        """Take a folder of this machine, without any import of dvc.

        Objects are hard-linked from the cache where both lie on one file system, so that a default
        remote beside the cache costs no space.

        Args:
            folder: The remote's root.
            make: Whether it is made when something is sent to it; else it has to be there.
        """

        def enter() -> Storage:
            if not make and not folder.is_dir():
                raise _absent(str(folder))
            return _Folder(Cache(folder=folder))

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
        with Reaching(storage.url):
            return storage.existing(oids) if oids else set()

    def send(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Send objects of this machine.

        Returns:
            What went wrong, per object.

        Raises:
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with Reaching(storage.url):
            failures = storage.send(items, progress)
        _finish(items, failures, progress)
        return failures

    def receive(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        """Bring objects to this machine, unverified; otherwise as ``send``."""
        storage = self._storage
        for folder in {item.path.parent for item in items}:
            folder.mkdir(parents=True, exist_ok=True)
        with Reaching(storage.url):
            failures = storage.receive(items, progress)
        _finish(items, failures, progress)
        return failures

    def objects(self) -> list[Stored]:
        """List what the remote holds.

        Raises:
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with Reaching(storage.url):
            return list(storage.objects())

    def remove(self, oids: Iterable[str]) -> None:
        """Remove objects; one that is gone already is no error.

        Raises:
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with Reaching(storage.url):
            for oid in oids:
                storage.remove(oid)

    def read(self, oid: str, limit: int) -> bytes:
        """Read the first bytes of an object, unverified.

        Raises:
            FileNotFoundError: The remote does not hold it.
            RemoteUnavailable: It does not answer.
        """
        storage = self._storage
        with Reaching(storage.url, keep=FileNotFoundError):
            return storage.read(oid, limit)


def _finish(items: Sequence[Item], failures: Failures, progress: Progress | None) -> None:
    if progress and not failures:
        total = sum(item.size for item in items)
        progress(total, total)


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
                with atomic(item.path) as temporary:
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


@dataclass(frozen=True, slots=True)
class _Dvc:
    """A remote of any kind that DVC can reach."""

    url: str
    database: Any  # dvc_data's HashFileDB

    def existing(self, oids: Collection[str]) -> set[str]:
        return set(self.database.oids_exist(list(oids)))

    def objects(self) -> Iterable[Stored]:
        fs, root = self.database.fs, self.database.path
        found = fs.find(root, detail=True) if fs.exists(root) else {}
        for path, info in found.items():
            oid = "".join(fs.parts(path)[-2:])
            if is_oid(oid):
                yield Stored(oid=oid, size=int(info.get("size") or 0), changed=_changed(info))

    def remove(self, oid: str) -> None:
        with suppress(FileNotFoundError):
            self.database.fs.remove(self.database.oid_to_path(oid))

    def send(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        _make_folders(self.database.fs, {self.database.oid_to_path(item.oid) for item in items})
        return self._transfer(items, to_remote=True, progress=progress)

    def receive(self, items: Sequence[Item], progress: Progress | None = None) -> Failures:
        # Where one is missing, some kinds of remote end the whole transfer with this error.
        with suppress(FileNotFoundError):
            return self._transfer(items, to_remote=False, progress=progress)
        return {}

    def read(self, oid: str, limit: int) -> bytes:
        with self.database.fs.open(self.database.oid_to_path(oid), mode="rb") as file:
            content: bytes = file.read(limit)
        return content

    def _transfer(
        self, items: Sequence[Item], *, to_remote: bool, progress: Progress | None
    ) -> Failures:
        from dvc_objects.fs import generic
        from dvc_objects.fs.local import localfs

        from gitml.artifacts.progress import callback

        here = {str(item.path): item.oid for item in items}
        there = [self.database.oid_to_path(oid) for oid in here.values()]
        local, distant = (localfs, list(here)), (self.database.fs, there)
        (from_fs, sources), (to_fs, targets) = (local, distant) if to_remote else (distant, local)
        failures: Failures = {}

        def failed(from_path: str, to_path: str, exc: BaseException) -> None:
            failures[here[from_path if to_remote else to_path]] = exc

        # Not `dvc_data.transfer`: it logs failures instead of returning them, and reflinks in
        # place, which truncates what another process has just stored.
        generic.copy(
            from_fs,
            sources,
            to_fs,
            targets,
            callback=callback(progress, {str(item.path): item.size for item in items}),
            batch_size=self.database.fs.jobs,
            on_error=failed,
        )
        return failures


def _changed(info: Mapping[str, Any]) -> float | None:
    """When a storage says that a file was written, s since the Unix epoch."""
    for key in ("mtime", "LastModified", "last_modified", "updated", "modified"):
        value = info.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None


def check(url: str, root: Path) -> str:
    """Try a URL before it is saved: write a small file there, read it back, remove it.

    Args:
        url: What the user typed: a URL, or a folder, relative ones to ``root``.
        root: The git repository, whose ``.dvc/config.local`` may hold credentials.

    Returns:
        The URL to save; absolute where it is a folder.

    Raises:
        InvalidInput: It is not the address of a DVC remote, or holds a password.
        MissingDependency: DVC's plugin for this kind of storage is not installed.
        RemoteUnavailable: It does not answer, or does not keep what is written.
    """
    url = absolute_url(url, root)
    if "://" not in url and not Path(url).parent.is_dir():
        raise RemoteUnavailable(
            f"The DVC remote '{url}' cannot be made: '{Path(url).parent}' is not a folder.",
            hint="Make it, or mount its drive, then repeat the command.",
        )
    _probe(connect(_config_beside(root, url), must_exist=False))
    return url


def _config_at(root: Path, rev: str, name: str) -> Mapping[str, Any]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from scmrepo.exceptions import SCMError

    try:
        repo = Repo(str(root), rev=rev, uninitialized=True)
        try:
            config: Mapping[str, Any] = repo.config
        finally:
            repo.close()
    except (DvcException, SCMError) as exc:
        raise NotFound(f"The DVC settings of '{rev}' cannot be read: {exc}.") from exc
    if "url" not in config["remote"].get(name, {}):
        raise NotFound(
            f"'{rev}' names no DVC remote '{name}'.", hint="Run `gitml remote add NAME URL`."
        )
    return config


def _config_beside(root: Path, url: str) -> Mapping[str, Any]:
    from dvc.config import Config, ConfigError

    local = root / ".dvc"
    try:
        config: Mapping[str, Any] = Config(
            local_dvc_dir=str(local) if local.is_dir() else None,
            config={"core": {"remote": REMOTE}, "remote": {REMOTE: {"url": url}}},
        )
        return config
    except ConfigError as exc:
        raise InvalidInput(f"DVC refuses its settings for '{mask(url)}': {exc}.") from exc


def connect(config: Mapping[str, Any], *, name: str = REMOTE, must_exist: bool = True) -> _Dvc:
    """Reach the remote that a DVC configuration names.

    Raises:
        InvalidInput: It keeps no object by its hash.
        MissingDependency: DVC's plugin for this kind of storage is not installed.
        RemoteUnavailable: It is a folder that is not there, or refuses its settings.
    """
    from dvc.fs import get_cloud_fs
    from dvc_objects.fs.errors import RemoteMissingDepsError

    url = str(config["remote"][name]["url"])
    try:
        with Reaching(url):
            kind, settings, path = get_cloud_fs(config, name=name)
            _refuse_versioned(url, settings)
            fs = kind(**settings)
    except (ImportError, RemoteMissingDepsError) as exc:
        package = PLUGINS.get(urlsplit(url).scheme, "dvc")
        raise MissingDependency(
            f"The DVC remote '{mask(url)}' needs {package}, which is not installed.",
            hint=f"Run `pip install {package}`.",
        ) from exc
    if must_exist and fs.protocol == "local" and not Path(path).is_dir():
        raise _absent(path)
    return _Dvc(url, _objects(fs, path, settings))


def _absent(folder: str) -> RemoteUnavailable:
    return RemoteUnavailable(
        f"The DVC remote '{folder}' is not there: no such folder on this machine.",
        hint="Mount its drive, or point the branch elsewhere with `gitml remote add NAME URL`.",
    )


def _objects(fs: Any, path: str, settings: Mapping[str, Any]) -> Any:
    from dvc_data.hashfile import db

    get_odb: Callable[..., Any] = db.get_odb
    return get_odb(fs, fs.join(path, "files", "md5"), hash_name="md5", **settings)


def _refuse_versioned(url: str, settings: Mapping[str, Any]) -> None:
    for setting in ("worktree", "version_aware"):
        if settings.get(setting):
            raise InvalidInput(
                f"The DVC remote '{mask(url)}' is set to {setting}, which keeps no object by hash.",
                hint=f"Run `dvc remote modify --unset {REMOTE} {setting}`, or use another remote.",
            )


def _make_folders(fs: Any, paths: Collection[str]) -> None:
    with suppress(NotImplementedError):  # plain HTTP has no folders
        for folder in {fs.parent(path) for path in paths}:
            fs.makedirs(folder, exist_ok=True)


def _probe(connection: _Dvc) -> None:
    fs = connection.database.fs
    content = secrets.token_hex(16).encode()
    folder = fs.parent(fs.parent(connection.database.path))
    path = fs.join(folder, f".gitml-probe-{secrets.token_hex(8)}")
    with Reaching(connection.url), TemporaryDirectory() as scratch:
        probe = Path(scratch) / "probe"
        probe.write_bytes(content)
        _make_folders(fs, {path})
        fs.put_file(str(probe), path)
        with fs.open(path, mode="rb") as file:
            returned = file.read()
        with suppress(NotImplementedError):  # plain HTTP cannot remove
            fs.remove(path)
    if returned != content:
        raise RemoteUnavailable(
            f"The DVC remote '{mask(connection.url)}' does not return what was written to it.",
            hint="Check that the address names a storage, not a website.",
        )
