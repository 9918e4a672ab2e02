"""Use every kind of remote that DVC supports: its settings, objects and transfers.

`connect` takes an `Address`, which is all that a branch can say, and this machine's own settings
(`gitml.storage.settings`). Nothing of DVC's that writes is used: no lock, no ``.dvc/tmp``, no site
cache and no analytics, which only DVC's command line sends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gitml.errors import InvalidInput, MissingDependency, RemoteUnavailable
from gitml.formats.dvc_config import REMOTE
from gitml.storage.address import PLUGINS, Address, mask
from gitml.storage.backends import MARKER, MARKER_FILE, Failures, Item, Progress, Stored
from gitml.storage.cache import is_oid
from gitml.storage.failures import translate_errors


@dataclass(frozen=True, slots=True)
class _Dvc:
    """A remote of any kind that DVC can reach."""

    url: str
    root: str  # the remote's own folder, as its file system spells it
    database: Any  # dvc_data's HashFileDB

    def is_marked(self) -> bool:
        # Read, for `exists` of some kinds of storage is False for one that does not answer.
        try:
            return bool(self.database.fs.cat_file(self._marker))
        except (FileNotFoundError, PermissionError):  # the latter: who may not list, sees no 404
            return False

    def is_empty(self) -> bool:
        return not self.database.fs.exists(self.database.path)

    def mark(self) -> None:
        _write(self.database.fs, self._marker, MARKER)

    @property
    def _marker(self) -> str:
        marker: str = self.database.fs.join(self.root, MARKER_FILE)
        return marker

    def existing(self, oids: Collection[str]) -> set[str]:
        return set(self.database.oids_exist(list(oids)))

    def objects(self) -> Iterable[Stored]:
        fs, root = self.database.fs, self.database.path
        if not fs.CAN_TRAVERSE:
            raise NotImplementedError
        fs.fs.invalidate_cache()
        # Not DVC's `find`, which gives names only.
        entries = fs.fs.find(root, detail=True) if fs.exists(root) else {}
        for path, info in entries.items():
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

        from gitml.storage.progress import callback

        oids = {str(item.path): item.oid for item in items}
        remote_paths = [self.database.oid_to_path(oid) for oid in oids.values()]
        local, remote = (localfs, list(oids)), (self.database.fs, remote_paths)
        (from_fs, sources), (to_fs, targets) = (local, remote) if to_remote else (remote, local)
        failures: Failures = {}

        def failed(from_path: str, to_path: str, exc: BaseException) -> None:
            failures[oids[from_path if to_remote else to_path]] = exc

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


def check(address: Address, settings: Mapping[str, Any]) -> None:
    """Try an address before it is saved: write a small file there, read it back, remove it.

    Args:
        address: The address.
        settings: This machine's settings for it.

    Raises:
        InvalidInput: The settings do not fit.
        MissingDependency: DVC's plugin for this kind of storage is not installed.
        RemoteUnavailable: It does not answer, or does not keep what is written.
    """
    if address.is_folder and not Path(address.url).parent.is_dir():
        raise RemoteUnavailable(
            f"The DVC remote '{address}' cannot be made: '{Path(address.url).parent}' is not a "
            "folder.",
            hint="Make it, or mount its drive, then repeat the command.",
        )
    _probe(connect(address, settings))


def connect(address: Address, settings: Mapping[str, Any]) -> _Dvc:
    """Reach a remote: the only function that makes one of DVC's file systems.

    Args:
        address: The address.
        settings: This machine's settings for it.

    Raises:
        InvalidInput: The settings do not fit, or keep no object by its hash.
        MissingDependency: DVC's plugin for this kind of storage is not installed.
        RemoteUnavailable: It refuses its settings.
    """
    from dvc.config import ConfigError
    from dvc.fs import get_cloud_fs
    from dvc_objects.fs.errors import RemoteMissingDepsError

    config = {"remote": {REMOTE: {**settings, "url": address.url}}}
    try:
        with translate_errors(address.url, passing=ConfigError):
            kind, arguments, path = get_cloud_fs(config, name=REMOTE)
            _refuse_versioned(address.url, arguments)
            fs = kind(**arguments)
    except (ImportError, RemoteMissingDepsError) as exc:
        package = PLUGINS.get(address.scheme, "dvc")
        raise MissingDependency(
            f"The DVC remote '{address}' needs {package}, which is not installed.",
            hint=f"Run `pip install {package}`.",
        ) from exc
    except ConfigError as exc:
        raise InvalidInput(
            f"DVC refuses this machine's settings for '{address}': {exc}.",
            hint="`gitml remote set KEY VALUE` writes them.",
        ) from exc
    return _Dvc(address.url, path, _objects(fs, path, arguments))


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


def _write(fs: Any, path: str, content: bytes) -> None:
    _make_folders(fs, {path})
    with TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        source.write_bytes(content)
        fs.put_file(str(source), path)


def _probe(connection: _Dvc) -> None:
    fs = connection.database.fs
    content = secrets.token_hex(16).encode()
    path = fs.join(connection.root, f".gitml-probe-{secrets.token_hex(8)}")
    with translate_errors(connection.url):
        _write(fs, path, content)
        with fs.open(path, mode="rb") as file:
            returned = file.read()
        with suppress(NotImplementedError):  # plain HTTP cannot remove
            fs.remove(path)
    if returned != content:
        raise RemoteUnavailable(
            f"The DVC remote '{mask(connection.url)}' does not return what was written to it.",
            hint="Check that the address names a storage, not a website.",
        )
