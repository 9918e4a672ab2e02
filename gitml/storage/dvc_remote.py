"""Use every kind of remote that DVC supports: its settings, objects and transfers.

Opening takes the same settings and credentials as stock DVC (the branch's ``.dvc/config``, the
user's ``.dvc/config.local``, global and system configuration), but nothing of DVC's that writes:
no lock, no ``.dvc/tmp``, no site cache and no analytics, which only DVC's command line sends.
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
from urllib.parse import urlsplit

from gitml.errors import InvalidInput, MissingDependency, NotFound, RemoteUnavailable
from gitml.formats.dvc_config import REMOTE
from gitml.storage.address import PLUGINS, absolute_url, mask
from gitml.storage.backends import Failures, Item, Progress, Stored, absent
from gitml.storage.cache import is_oid
from gitml.storage.failures import translate_errors


@dataclass(frozen=True, slots=True)
class _Dvc:
    """A remote of any kind that DVC can reach."""

    url: str
    database: Any  # dvc_data's HashFileDB

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
    _probe(connect(config_beside(root, url), must_exist=False))
    return url


def config_of_revision(root: Path, rev: str, name: str) -> Mapping[str, Any]:
    """Read DVC's settings as they are at a revision, with the user's credentials.

    Raises:
        NotFound: They cannot be read, or name no such remote.
    """
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


def config_beside(root: Path, url: str) -> Mapping[str, Any]:
    """Make DVC's settings for a URL, with the credentials beside a work tree.

    Raises:
        InvalidInput: DVC refuses them.
    """
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
        with translate_errors(url):
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
        raise absent(path)
    return _Dvc(url, _objects(fs, path, settings))


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
    with translate_errors(connection.url), TemporaryDirectory() as scratch:
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
