"""Collect the objects that runs, model versions and runs in progress need.

These are named by the runs of the branch as of this clone and of every tracked remote, by every
version commit that a registry tag holds (also of deleted versions), and by runs in progress. If
one of them cannot be read, what is needed is unknown, and that is an error.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from gitml.entities import Artifact, LifecycleStage
from gitml.errors import ArtifactError, StoreError
from gitml.formats import checks, limits, manifest, run_records
from gitml.maintenance.fsck import whole_tree
from gitml.registry.tags import grammar
from gitml.repository import Repository
from gitml.storage.cache import Cache, is_oid


class NeededObjects:
    """The objects that something needs, read anew as often as wanted.

    What was read before is not read again: a second `refresh` costs what changed since.

    Args:
        repository: The clone.
        deleted_before: Leave out what only runs need that were deleted before that time, in s
            since the Unix epoch; None keeps the artifacts of deleted runs.
    """

    def __init__(self, repository: Repository, *, deleted_before: float | None = None) -> None:
        self._repository, self._git = repository, repository.git
        self._deleted_before = deleted_before
        self._folders: dict[str, list[Artifact]] = {}  # model folders by digest
        self._tips: dict[str, str] = {}  # commits that were read, by ref
        self._digests: dict[str, str | None] = {}  # of models, by version commit
        self._oids: set[str] = set()

    def refresh(self) -> set[str]:
        """Return the MD5s of all objects that something needs now, or needed when last read.

        Raises:
            StoreError: A record cannot be read.
            ArtifactError: The files of a model version are unknown.
        """
        for ref, commit in self._branches().items():
            if commit not in self._tips.values():
                for artifacts in self._manifests(commit, self._tips.get(ref)):
                    self._oids.update(_oids_of(artifacts))
            self._tips[ref] = commit
        for digest in self._versions() - self._oids:
            self._oids.update(self._members(digest))
            self._oids.add(digest)
        return self._oids

    def _branches(self) -> dict[str, str]:
        """Return the tips of the runs branch: this clone's, its copies, and those of remotes."""
        branch = self._repository.branch
        out = self._git.run("for-each-ref", "--format=%(objectname) %(refname)",
                            branch.ref, "refs/remotes", "refs/gitml")  # fmt: skip
        pairs = (line.split(" ", 1) for line in out.decode().splitlines())
        return {
            name: oid for oid, name in pairs
            if name == branch.ref or name.endswith(f"/{branch.name}")
        }  # fmt: skip

    def _manifests(self, commit: str, since: str | None) -> Iterator[list[Artifact]]:
        """Iterate over the manifests of a commit, without those of runs deleted long ago.

        Args:
            commit: The commit.
            since: Only those of runs that differ in this one.
        """
        changes = self._git.diff(since, commit) if since else []
        changed = {_run_file(change.path)[0] for change in changes}
        oids: dict[str, dict[str, str]] = {}  # of files, by run folder and name
        for entry in whole_tree(self._git, commit):
            folder, name = _run_file(entry.path)
            if name in ("run.json", "artifacts.json") and (since is None or folder in changed):
                oids.setdefault(folder, {})[name] = entry.oid
        runs = {folder: files for folder, files in oids.items() if "artifacts.json" in files}
        deleted = self._long_deleted(runs)
        manifests = (files["artifacts.json"] for files in runs.values())
        contents = self._git.read_checked(manifests, limits.READ_FILE)
        for folder, data in zip(runs, contents, strict=True):
            if isinstance(data, StoreError):
                raise _unreadable(f"{folder}/artifacts.json", data)
            try:
                artifacts = manifest.parse(data)
            except StoreError as error:
                raise _unreadable(f"{folder}/artifacts.json", error) from error
            if folder not in deleted:
                yield artifacts
            self._add_folders(artifacts)

    def _long_deleted(self, runs: dict[str, dict[str, str]]) -> set[str]:
        if self._deleted_before is None:
            return set()
        records = {folder: oids["run.json"] for folder, oids in runs.items() if "run.json" in oids}
        deleted = set()
        contents = self._git.read_checked(records.values(), limits.READ_RECORD)
        for folder, data in zip(records, contents, strict=True):
            try:
                if isinstance(data, StoreError):
                    raise data
                record = run_records.run_from_json(data, folder)
            except StoreError as error:
                raise _unreadable(f"{folder}/run.json", error) from error
            since = record.written.get("lifecycle_stage", record.run.info.start_time) / 1000
            stage = record.run.info.lifecycle_stage
            if stage == LifecycleStage.DELETED and since < self._deleted_before:
                deleted.add(folder)
        return deleted

    def _add_folders(self, artifacts: list[Artifact]) -> None:
        """Remember the folders of a run that hold a model: their digests name versions."""
        for artifact in artifacts:
            folder, slash, name = artifact.path.rpartition("/")
            if slash and name == "MLmodel":
                files = manifest.subdirectory(artifacts, folder)
                self._folders[manifest.directory_hash(files)] = files

    def _versions(self) -> set[str]:
        """Return the digests of the models that registry tags hold."""
        commits = {tag.target for tag in self._git.tags() if grammar.parse(tag.name)}
        for commit in sorted(commits - self._digests.keys()):
            out = self._git.read(f"{commit}:model.dvc")
            self._digests[commit] = checks.dvc_digest(out) if out else None
        return {digest for digest in self._digests.values() if digest}

    def _members(self, digest: str) -> set[str]:
        """Return the files of a model folder.

        Raises:
            ArtifactError: Neither a run nor a directory object lists them.
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
        default_remote = Cache(folder=self._repository.default_remote)
        for cache in (self._repository.artifacts.cache, default_remote):
            with contextlib.suppress(FileNotFoundError):
                return cache.path(digest).read_bytes()
        try:
            return self._repository.open_remote().read(digest, limits.READ_FILE)
        except FileNotFoundError as error:
            raise _unknown_members(digest) from error


def _run_file(path: str) -> tuple[str, str]:
    """Return the folder of the run that a path of the branch is in, and the path inside it."""
    parts = run_records.parse_run_path(path)
    return (run_records.run_folder(parts[0], parts[1]), parts[2]) if parts else ("", "")


def _oids_of(artifacts: list[Artifact]) -> set[str]:
    oids = {artifact.md5 for artifact in artifacts}
    return oids | {manifest.directory_hash(artifacts)} if artifacts else oids


def _unreadable(path: str, error: StoreError) -> StoreError:
    return StoreError(
        f"Nothing was removed, because {path} cannot be read: {error.message}",
        hint="See `gitml fsck`.",
    )


def _unknown_members(digest: str) -> ArtifactError:
    return ArtifactError(
        f"Nothing was removed, because the files of model version {digest} are unknown.",
        hint="Run `gitml pull`, or see `gitml fsck --remote`.",
    )
