"""Remove objects that nothing needs and that are older than a grace period.

Nothing is removed unless everything that may need an object could be read, and never while another
program stores objects: `store/object_lock.py` says how that is held within a clone,
`sharing/collection.py` how between clones that share a DVC remote.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gitml.errors import InvalidInput
from gitml.formats import dvc_config
from gitml.maintenance.fsck import leftovers
from gitml.maintenance.needed import NeededObjects
from gitml.repository import Repository
from gitml.sharing import push_pull
from gitml.sharing.collection import Collections, Lease
from gitml.storage.cache import Cache
from gitml.store import object_lock

GRACE = 14 * 86_400  # s that an object is kept after it was last written or used
_IN_USE = 3600  # s after which a loaded model or a temporary file is used by nobody
_DVC_CONFIGS = (".dvc/config", ".dvc/config.local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What one folder or remote holds that nothing needs.

    Attributes:
        location: Folder or URL.
        count: Objects, files or folders.
        bytes: Their size.
    """

    location: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What ``collect`` found.

    Attributes:
        removed: Whether the garbage was removed.
        in_use: Number of objects that something needs.
        too_new: Number of objects that nothing needs, within the grace period or of unknown age.
        garbage: What goes, by location.
    """

    removed: bool
    in_use: int
    too_new: int
    garbage: tuple[Garbage, ...]


def collect(
    repository: Repository,
    *,
    apply: bool = False,
    older_than: float = GRACE,
    remote: bool = False,
    deleted_runs: bool = False,
    now: float | None = None,
) -> GcReport:
    """Find what nothing needs any more, and remove it if ``apply`` is set.

    Args:
        repository: The clone.
        apply: Remove it; else only report it.
        older_than: Keep what was written or used since, s before ``now``.
        remote: Clean the shared DVC remote, too; pulls first, to know everybody's runs.
        deleted_runs: Also remove artifacts of runs that were deleted before that time.
        now: s since the Unix epoch; default the clock's.

    Raises:
        StoreError: A record cannot be read: nothing was removed.
        ArtifactError: The files of a model version are unknown: nothing was removed.
        InvalidInput: The shared remote is one of the user's own DVC project, or cannot list what
            it stores.
        Conflict: Somebody else cleans the shared remote.
        RemoteUnavailable: The remote does not answer.
    """
    if remote:
        _refuse_shared_with_project(repository)
        push_pull.pull(repository)
    now = time.time() if now is None else now
    limit = now - older_than
    needed = NeededObjects(repository, deleted_before=limit if deleted_runs else None)
    needed.refresh()  # reads nearly everything before anybody has to wait
    sweep = _Sweep(repository, needed, now, limit, apply=apply)
    if remote and not repository.uses_default_remote():
        sweep.shared_remote()
    sweep.clone()
    return GcReport(
        removed=apply,
        in_use=len(needed.refresh()),
        too_new=sweep.too_new,
        garbage=tuple(sweep.garbage),
    )


class _Sweep:
    """One collection; counts what it finds."""

    def __init__(
        self,
        repository: Repository,
        needed: NeededObjects,
        now: float,
        limit: float,
        *,
        apply: bool,
    ) -> None:
        self._repository, self._needed = repository, needed
        self._now, self._limit, self._apply = now, limit, apply
        self.too_new = 0
        self.garbage: list[Garbage] = []

    def clone(self) -> None:
        """Sweep the cache, the default remote and what else this clone can make again."""
        locks = self._repository.branch.locks
        with object_lock.collecting(locks) if self._apply else nullcontext():
            needed = self._needed.refresh()
            seen: set[tuple[int, int]] = set()  # cache and default remote share files
            for folder in (self._repository.state / "cache", self._repository.default_remote):
                self._folder(Cache(folder=folder), needed, seen)
            self._derived()

    def _folder(self, cache: Cache, needed: set[str], seen: set[tuple[int, int]]) -> None:
        size = 0
        old = []
        for oid, stat in cache.objects():
            if oid in needed:
                continue
            if _changed(stat) > self._limit:
                self.too_new += 1
                continue
            old.append(cache.path(oid))
            if (stat.st_dev, stat.st_ino) not in seen:
                size += stat.st_size
                seen.add((stat.st_dev, stat.st_ino))
        self._sweep(cache.folder, old, size)

    def _derived(self) -> None:
        """Sweep loaded models, notes of unused remotes, and what interrupted programs left."""
        state = self._repository.state
        limit = min(self._limit, self._now - _IN_USE)
        folders = _old(sorted((state / "checkouts").glob("*")), limit)
        notes = _old(sorted((state / "sent").glob("*.json")), self._limit)
        hidden = list(leftovers(self._repository, 0, limit))
        for location, paths in ((state / "checkouts", folders), (state / "sent", notes),
                             (state, hidden)):  # fmt: skip
            self._sweep(location, paths, sum(_size(path) for path in paths))

    def _sweep(self, location: Path, paths: Sequence[Path], size: int) -> None:
        if paths:
            self.garbage.append(Garbage(location=str(location), count=len(paths), bytes=size))
        if self._apply:
            _remove_all(paths)

    def shared_remote(self) -> None:
        """Sweep the DVC remote that the team shares."""
        with self._lease() as lease:
            needed = self._needed.refresh()
            remote = self._repository.open_remote()
            unneeded = [stored for stored in remote.objects() if stored.oid not in needed]
            old = [stored for stored in unneeded if _is_old(stored.changed, self._limit)]
            self.too_new += len(unneeded) - len(old)
            if old:
                size = sum(stored.size for stored in old)
                self.garbage.append(Garbage(location=remote.url, count=len(old), bytes=size))
            if self._apply:
                remote.remove(lease.limit(stored.oid for stored in old))

    @contextmanager
    def _lease(self) -> Iterator[Lease]:
        if not self._apply:
            yield Lease()
            return
        with Collections.of(self._repository).begin() as lease:
            push_pull.pull(self._repository)  # what was pushed before the collection began
            yield lease


def _changed(stat: os.stat_result) -> float:
    """Return when a file was last written, linked or used again, in s since the Unix epoch."""
    return max(stat.st_mtime, stat.st_ctime)


def _is_old(changed: float | None, limit: float) -> bool:
    return changed is not None and changed <= limit


def _old(paths: Iterable[Path], limit: float) -> list[Path]:
    return [path for path in paths if _changed(path.lstat()) <= limit]


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    return path.lstat().st_size


def _remove_all(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _refuse_shared_with_project(repository: Repository) -> None:
    """Refuse to clean a remote that the user's own DVC project uses, too.

    Raises:
        InvalidInput: It is one of them, or lies inside one, or has one inside.
    """
    artifacts_url = repository.remote_url().rstrip("/")
    for url in _project_urls(repository):
        project_url = url.rstrip("/")
        if _contains(project_url, artifacts_url) or _contains(artifacts_url, project_url):
            raise InvalidInput(
                f"The DVC remote {artifacts_url!r} also holds data of your own DVC project.",
                hint="Give gitml a remote of its own with `gitml remote add NAME URL`.",
            )


def _contains(outer: str, inner: str) -> bool:
    return f"{inner}/".startswith(f"{outer}/")


def _project_urls(repository: Repository) -> Iterator[str]:
    root = repository.git.work_tree
    for name in _DVC_CONFIGS:
        texts = [repository.git.read(f"HEAD:{name}")]
        if root and (root / name).is_file():
            texts.append((root / name).read_bytes())
        for text in texts:
            yield from dvc_config.remote_urls(text, root) if text else ()
