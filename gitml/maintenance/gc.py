"""Hides what ``gitml gc`` may remove: objects that nothing names and that are not young.

Marked, and so kept, is what is named by the runs of the branch as of this clone and of every
tracked remote, by every version commit that a registry tag holds (also of deleted versions), and by
runs in progress. Nothing is removed unless all of that could be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gitml.entities import Artifact, LifecycleStage
from gitml.errors import ArtifactError, InvalidInput, StoreError
from gitml.formats import canonical, checks, dvc_config, manifest, run_records
from gitml.git import LARGEST
from gitml.maintenance.fsck import leftovers, whole_tree
from gitml.registry.tags import grammar
from gitml.repository import Repository
from gitml.sharing import push_pull
from gitml.storage.cache import Cache, is_oid
from gitml.storage.remote import Remote

GRACE = 14 * 86_400  # s that an object is kept after it was last written or used
_LARGEST_FOLDER = 256 * 2**20  # bytes of a directory object
_DVC_CONFIGS = (".dvc/config", ".dvc/config.local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one place holds that nothing needs.

    Attributes:
        place: Folder or URL.
        count: Objects, files or folders.
        bytes: Their size.
    """

    place: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a sweep found.

    Attributes:
        removed: Whether it was removed, too.
        kept: Objects that something names.
        young: Objects that nothing names but that are within the grace period, or of no known age.
        swept: What goes, by place.
    """

    removed: bool
    kept: int
    young: int
    swept: tuple[Swept, ...]


@dataclass(slots=True)
class _Tally:
    young: int = 0
    swept: list[Swept] = field(default_factory=list)


def sweep(
    repository: Repository,
    *,
    apply: bool = False,
    older_than: float = GRACE,
    remote: bool = False,
    deleted_runs: bool = False,
    now: float | None = None,
) -> Report:
    """Find what nothing needs any more, and remove it where told to.

    Args:
        repository: The clone.
        apply: Remove it; else only tell.
        older_than: Keep what was written or used since, s before ``now``.
        remote: Sweep the shared DVC remote, too; pulls first, to know everybody's runs.
        deleted_runs: Let go of artifacts of runs that were deleted before that time.
        now: s since the Unix epoch; default the clock's.

    Raises:
        StoreError: A record cannot be read: nothing was removed.
        ArtifactError: The files of a model version cannot be known: nothing was removed.
        InvalidInput: The shared remote is one of the user's own DVC project.
        RemoteUnavailable: The remote does not answer.
    """
    if remote:
        _refuse_shared_with_project(repository)
        push_pull.pull(repository)
    limit = (time.time() if now is None else now) - older_than
    marks = _Marks(repository, limit if deleted_runs else None).oids()
    tally = _Tally()
    work: list[Callable[[], None]] = []
    seen: set[tuple[int, int]] = set()  # cache and default remote share files
    for folder in (repository.state / "cache", repository.default_remote):
        work += _sweep_folder(Cache(folder=folder), marks, limit, tally, seen)
    if remote and not repository.uses_default_remote():
        work += _sweep_remote(repository.open_remote(), marks, limit, tally)
    work += _sweep_derived(repository, limit, tally)
    if apply:
        for remove in work:
            remove()
    return Report(removed=apply, kept=len(marks), young=tally.young, swept=tuple(tally.swept))


# Marking -----------------------------------------------------------------------------------------


class _Marks:
    """Collects the objects that something names."""

    def __init__(self, repository: Repository, deleted_before: float | None) -> None:
        self._repository, self._git = repository, repository.git
        self._deleted_before = deleted_before
        self._folders: dict[str, list[Artifact]] = {}  # model folders by digest

    def oids(self) -> set[str]:
        marks: set[str] = set()
        for commit in self._commits():
            for listed in self._manifests(commit):
                marks.update(_oids_of(listed))
        for digest in self._versions():
            marks.add(digest)
            marks.update(self._members(digest, marks))
        return marks

    def _commits(self) -> set[str]:
        """The runs as of this clone and as of every remote that it tracks."""
        branch = self._repository.branch
        out = self._git.run("for-each-ref", "--format=%(objectname) %(refname)",
                            branch.ref, "refs/remotes")  # fmt: skip
        pairs = (line.split(" ", 1) for line in out.decode().splitlines())
        return {
            oid for oid, name in pairs
            if name == branch.ref or name.endswith(f"/{branch.name}")
        }  # fmt: skip

    def _manifests(self, commit: str) -> Iterator[list[Artifact]]:
        """Every manifest of a commit; those of runs deleted long ago where that is asked for."""
        found: dict[str, dict[str, str]] = {}
        for entry in whole_tree(self._git, commit):
            place = run_records.parse_run_path(entry.path)
            if place and place[2] in ("run.json", "artifacts.json"):
                where = run_records.run_folder(place[0], place[1])
                found.setdefault(where, {})[place[2]] = entry.oid
        wanted = {where: oids for where, oids in found.items() if "artifacts.json" in oids}
        gone = self._long_deleted(wanted)
        contents = self._git.read_checked((o["artifacts.json"] for o in wanted.values()), LARGEST)
        for where, data in zip(wanted, contents, strict=True):
            if isinstance(data, StoreError):
                raise _unread(f"{where}/artifacts.json", data)
            try:
                listed = manifest.parse(data)
            except StoreError as error:
                raise _unread(f"{where}/artifacts.json", error) from error
            if where not in gone:
                yield listed
            self._note_folders(listed)

    def _long_deleted(self, runs: dict[str, dict[str, str]]) -> set[str]:
        if self._deleted_before is None:
            return set()
        known = {where: oids["run.json"] for where, oids in runs.items() if "run.json" in oids}
        gone = set()
        contents = self._git.read_checked(known.values(), canonical.LARGEST_RECORD)
        for where, data in zip(known, contents, strict=True):
            try:
                if isinstance(data, StoreError):
                    raise data
                record = run_records.run_from_json(data, where)
            except StoreError as error:
                raise _unread(f"{where}/run.json", error) from error
            since = record.written.get("lifecycle_stage", record.run.info.start_time) / 1000
            deleted = record.run.info.lifecycle_stage == LifecycleStage.DELETED
            if deleted and since < self._deleted_before:
                gone.add(where)
        return gone

    def _note_folders(self, listed: list[Artifact]) -> None:
        """Remember the folders of a run that hold a model: their digests name versions."""
        for artifact in listed:
            folder, slash, name = artifact.path.rpartition("/")
            if slash and name == "MLmodel":
                files = manifest.subdirectory(listed, folder)
                self._folders[manifest.directory_hash(files)] = files

    def _versions(self) -> set[str]:
        """Digests of the models that registry tags hold."""
        commits = {tag.target for tag in self._git.tags() if grammar.parse(tag.name)}
        outs = (self._git.read(f"{commit}:model.dvc") for commit in sorted(commits))
        return {digest for out in outs if out and (digest := checks.dvc_digest(out))}

    def _members(self, digest: str, marks: set[str]) -> set[str]:
        """The files of a model folder.

        Raises:
            ArtifactError: Neither a run nor a directory object tells.
        """
        if not digest.endswith(".dir"):
            return set()
        if digest in self._folders:
            return _oids_of(self._folders[digest])
        data = self._directory(digest)
        try:
            entries = json.loads(data)
            members = {str(entry["md5"]) for entry in entries}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _unknown_members(digest) from error
        if not all(map(is_oid, members)):
            raise _unknown_members(digest)
        return members

    def _directory(self, digest: str) -> bytes:
        ours = Cache(folder=self._repository.default_remote)
        for cache in (self._repository.artifacts.cache, ours):
            with contextlib.suppress(FileNotFoundError):
                return cache.path(digest).read_bytes()
        try:
            return self._repository.open_remote().read(digest, _LARGEST_FOLDER)
        except FileNotFoundError as error:
            raise _unknown_members(digest) from error


def _oids_of(listed: list[Artifact]) -> set[str]:
    oids = {artifact.md5 for artifact in listed}
    return oids | {manifest.directory_hash(listed)} if listed else oids


def _unread(path: str, error: StoreError) -> StoreError:
    return StoreError(
        f"Nothing was removed, because {path} cannot be read: {error.message}",
        hint="See `gitml fsck`.",
    )


def _unknown_members(digest: str) -> ArtifactError:
    return ArtifactError(
        f"Nothing was removed, because the files of the model version {digest} cannot be known.",
        hint="Run `gitml pull`, or see `gitml fsck --remote`.",
    )


# Sweeping ----------------------------------------------------------------------------------------


def _sweep_folder(
    cache: Cache, marks: set[str], limit: float, tally: _Tally, seen: set[tuple[int, int]]
) -> Iterator[Callable[[], None]]:
    """Take what is old and not marked; give what removes it."""
    count = size = 0
    old = []
    for oid, stat in cache.objects():
        if oid in marks:
            continue
        if _changed(stat) > limit:
            tally.young += 1
            continue
        old.append(oid)
        count += 1
        if (stat.st_dev, stat.st_ino) not in seen:
            size += stat.st_size
            seen.add((stat.st_dev, stat.st_ino))
    if old:
        tally.swept.append(Swept(place=str(cache.folder), count=count, bytes=size))
        yield lambda: _remove_objects(cache, old, limit)


def _changed(stat: os.stat_result) -> float:
    """When a file was last written, linked or used again."""
    return max(stat.st_mtime, stat.st_ctime)


def _remove_objects(cache: Cache, oids: Iterable[str], limit: float) -> None:
    for oid in oids:
        path = cache.path(oid)
        with contextlib.suppress(FileNotFoundError):
            if _changed(path.lstat()) <= limit:  # unless it is used again since it was looked at
                path.unlink()


def _sweep_remote(
    remote: Remote, marks: set[str], limit: float, tally: _Tally
) -> Iterator[Callable[[], None]]:
    unmarked = [one for one in remote.objects() if one.oid not in marks]
    old = [one for one in unmarked if one.changed is not None and one.changed <= limit]
    tally.young += len(unmarked) - len(old)
    if old:
        size = sum(one.size for one in old)
        tally.swept.append(Swept(place=remote.url, count=len(old), bytes=size))
        yield lambda: remote.remove(one.oid for one in old)


def _sweep_derived(
    repository: Repository, limit: float, tally: _Tally
) -> Iterator[Callable[[], None]]:
    """Loaded model folders, notes of remotes no longer in use, what interrupted programs left."""
    state = repository.state
    folders = _old(sorted((state / "checkouts").glob("*")), limit)
    notes = _old(sorted((state / "sent").glob("*.json")), limit)
    hidden = list(leftovers(repository, 0, limit))
    for place, paths in ((state / "checkouts", folders), (state / "sent", notes),
                         (state, hidden)):  # fmt: skip
        if paths:
            size = sum(_size(path) for path in paths)
            tally.swept.append(Swept(place=str(place), count=len(paths), bytes=size))
            yield lambda paths=paths: _remove_all(paths)  # type: ignore[misc]


def _old(paths: Iterable[Path], limit: float) -> list[Path]:
    return [path for path in paths if _changed(path.lstat()) <= limit]


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(one.lstat().st_size for one in path.rglob("*") if not one.is_dir())
    return path.lstat().st_size


def _remove_all(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _refuse_shared_with_project(repository: Repository) -> None:
    """Refuse to sweep a remote that the user's own DVC project uses, too.

    Raises:
        InvalidInput: It is one of them, or lies inside one, or has one inside.
    """
    ours = repository.remote_url().rstrip("/")
    for url in _project_urls(repository):
        theirs = url.rstrip("/")
        if f"{ours}/".startswith(f"{theirs}/") or f"{theirs}/".startswith(f"{ours}/"):
            raise InvalidInput(
                f"The DVC remote {ours!r} also holds data of this repository's own DVC project.",
                hint="Give gitml a place of its own with `gitml remote add NAME URL`.",
            )


def _project_urls(repository: Repository) -> Iterator[str]:
    root = repository.git.work_tree
    for name in _DVC_CONFIGS:
        texts = [repository.git.read(f"HEAD:{name}")]
        if root and (root / name).is_file():
            texts.append((root / name).read_bytes())
        for text in texts:
            yield from dvc_config.remote_urls(text, root) if text else ()
