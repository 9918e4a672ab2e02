"""Remove objects that nothing needs and that are older than a grace period.

Nothing is removed unless everything that may need an object could be read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gitml.errors import InvalidInput
from gitml.formats import dvc_config
from gitml.maintenance.fsck import leftovers
from gitml.maintenance.needed import needed_objects
from gitml.repository import Repository
from gitml.sharing import push_pull
from gitml.storage.cache import Cache
from gitml.storage.remote import Remote

GRACE = 14 * 86_400  # s that an object is kept after it was last written or used
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


@dataclass(slots=True)
class _Tally:
    too_new: int = 0
    garbage: list[Garbage] = field(default_factory=list)


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
        InvalidInput: The shared remote is one of the user's own DVC project.
        RemoteUnavailable: The remote does not answer.
    """
    if remote:
        _refuse_shared_with_project(repository)
        push_pull.pull(repository)
    limit = (time.time() if now is None else now) - older_than
    needed = needed_objects(repository, deleted_before=limit if deleted_runs else None)
    tally = _Tally()
    work: list[Callable[[], None]] = []
    seen: set[tuple[int, int]] = set()  # cache and default remote share files
    for folder in (repository.state / "cache", repository.default_remote):
        work += _collect_folder(Cache(folder=folder), needed, limit, tally, seen)
    if remote and not repository.uses_default_remote():
        work += _collect_remote(repository.open_remote(), needed, limit, tally)
    work += _collect_derived(repository, limit, tally)
    if apply:
        for remove in work:
            remove()
    return GcReport(
        removed=apply, in_use=len(needed), too_new=tally.too_new, garbage=tuple(tally.garbage)
    )


def _collect_folder(
    cache: Cache, needed: set[str], limit: float, tally: _Tally, seen: set[tuple[int, int]]
) -> Iterator[Callable[[], None]]:
    """Add what is old and not needed to the tally; return what removes it."""
    count = size = 0
    old = []
    for oid, stat in cache.objects():
        if oid in needed:
            continue
        if _changed(stat) > limit:
            tally.too_new += 1
            continue
        old.append(oid)
        count += 1
        if (stat.st_dev, stat.st_ino) not in seen:
            size += stat.st_size
            seen.add((stat.st_dev, stat.st_ino))
    if old:
        tally.garbage.append(Garbage(location=str(cache.folder), count=count, bytes=size))
        yield lambda: _remove_objects(cache, old, limit)


def _changed(stat: os.stat_result) -> float:
    """Return when a file was last written, linked or used again, in s since the Unix epoch."""
    return max(stat.st_mtime, stat.st_ctime)


def _is_old(changed: float | None, limit: float) -> bool:
    return changed is not None and changed <= limit


def _remove_objects(cache: Cache, oids: Iterable[str], limit: float) -> None:
    for oid in oids:
        path = cache.path(oid)
        with contextlib.suppress(FileNotFoundError):
            if _changed(path.lstat()) <= limit:  # unless it is used again since it was looked at
                path.unlink()


def _collect_remote(
    remote: Remote, needed: set[str], limit: float, tally: _Tally
) -> Iterator[Callable[[], None]]:
    unneeded = [stored for stored in remote.objects() if stored.oid not in needed]
    old = [stored for stored in unneeded if _is_old(stored.changed, limit)]
    tally.too_new += len(unneeded) - len(old)
    if old:
        size = sum(stored.size for stored in old)
        tally.garbage.append(Garbage(location=remote.url, count=len(old), bytes=size))
        yield lambda: remote.remove(stored.oid for stored in old)


def _collect_derived(
    repository: Repository, limit: float, tally: _Tally
) -> Iterator[Callable[[], None]]:
    """Add loaded models, notes of remotes no longer in use, and what interrupted programs left."""
    state = repository.state
    folders = _old(sorted((state / "checkouts").glob("*")), limit)
    notes = _old(sorted((state / "sent").glob("*.json")), limit)
    hidden = list(leftovers(repository, 0, limit))
    for location, paths in ((state / "checkouts", folders), (state / "sent", notes),
                         (state, hidden)):  # fmt: skip
        if paths:
            size = sum(_size(path) for path in paths)
            tally.garbage.append(Garbage(location=str(location), count=len(paths), bytes=size))
            yield lambda paths=paths: _remove_all(paths)  # type: ignore[misc]


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
