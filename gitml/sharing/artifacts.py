"""Send the artifacts of runs and model versions to the DVC remote that the team uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from gitml import files, uris
from gitml.entities import Artifact
from gitml.errors import InvalidInput, NotFound, StoreError
from gitml.formats import canonical, dvc_config, limits, manifest, run_records
from gitml.git import GitRepo
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.sharing.collection import Collected

Progress = Callable[[int, int], None]
"""Called with the bytes moved so far and the bytes in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent to the DVC remote.

    Attributes:
        files: Number of files.
        bytes: Their size.
        missing: Artifacts that are neither in the cache nor in the remote.
    """

    files: int = 0
    bytes: int = 0
    missing: tuple[Artifact, ...] = ()


def send_artifacts(
    repository: Repository, collected: Collected, *, progress: Progress | None = None
) -> Sent:
    """Send what the DVC remote lacks of the artifacts of all runs and model versions.

    What was sent once is remembered until somebody cleans the remote, so that the next push looks
    only at what came since.

    Args:
        repository: The clone.
        collected: Which collections the remote has seen, as of now or before.
        progress: Called with the bytes sent.

    Raises:
        RemoteUnavailable: The remote does not answer.
    """
    tip = repository.branch.tip()
    if tip is None or repository.uses_default_remote():
        return Sent()  # this clone's own folder got everything when it was logged
    memory = _SentMemory(repository, collected)
    runs = [artifacts for artifacts, _ in manifests(repository.git, memory.tip, tip)]
    folders = {
        digest: artifacts
        for digest, artifacts in model_folders(repository)
        if digest not in memory.models
    }
    if not runs and not folders:
        memory.write(tip, set())
        return Sent()
    if not _may_send(repository, [*runs, *folders.values()]):
        return Sent()
    for artifacts in folders.values():
        repository.artifacts.add_directory_object(artifacts)
    remote = repository.open_remote()
    report = repository.artifacts.push([*runs, *folders.values()], remote, progress)
    _point_to_shared_remote(repository, memory.tip, tip)
    if not report.missing:
        memory.write(tip, set(folders))
    return Sent(files=report.files, bytes=report.bytes, missing=report.missing)


def who_logged(repository: Repository, artifact: Artifact) -> str:
    """Return who logged the run that has a file; empty if that is unknown."""
    tip = repository.branch.tip()
    for artifacts, folder in manifests(repository.git, None, tip) if tip else ():
        if any(listed.md5 == artifact.md5 for listed in artifacts):
            return repository.remotes.who_logged(folder)
    return ""


def _may_send(repository: Repository, runs: list[list[Artifact]]) -> bool:
    """Return False if this clone has no file, and did not accept the remote that may have them."""
    address = repository.remotes.address()
    if address.is_folder or repository.remotes.trust.accepts(address):
        return True
    return any(repository.artifacts.has(artifact) for run in runs for artifact in run)


def manifests(git: GitRepo, since: str | None, tip: str) -> Iterator[tuple[list[Artifact], str]]:
    """Iterate over the artifacts of every run that changed since a commit, and its folder."""
    changed = [
        change for change in git.diff(since, tip)
        if change.new and change.regular and change.path.endswith("/artifacts.json")
        and run_records.parse_run_path(change.path)
    ]  # fmt: skip
    oids = (change.new for change in changed if change.new)
    for change, data in zip(changed, git.read_checked(oids, limits.READ_FILE), strict=True):
        if isinstance(data, StoreError):
            continue
        try:
            yield manifest.parse(data), change.path.removesuffix("/artifacts.json")
        except StoreError:  # somebody pushed an invalid manifest; the index names it
            continue


def model_folders(repository: Repository) -> Iterator[tuple[str, list[Artifact]]]:
    """Iterate over the model versions' directories: DVC hash of the directory, and its files."""
    for version in Registry.of(repository).search_model_versions():
        try:
            source = uris.parse(version.source) if version.source else None
            if not isinstance(source, uris.RunUri) or not version.digest:
                continue
            artifacts = repository.files(source.run_id).artifacts
        except (InvalidInput, NotFound, StoreError):  # somebody pushed an invalid version
            continue
        folder = manifest.subdirectory(artifacts, source.path)
        if folder and manifest.directory_hash(folder) == version.digest:
            yield version.digest, folder


class _SentMemory:
    """What this clone already sent to the remote in use; losing it costs time only.

    Attributes:
        tip: Commit of the branch whose artifacts were all sent, None before the first push.
        models: DVC hashes of the model directories that were sent.

    Nothing counts that was sent before the last collection of the remote.
    """

    def __init__(self, repository: Repository, collected: Collected) -> None:
        name = sha1(repository.remote_url().encode()).hexdigest()[:16]
        self._path = repository.state / "sent" / f"{name}.json"
        self._collected = collected
        value = {} if collected.running else self._read(self._path)
        if value.get("collected") != collected.last:
            value = {}
        tip, models = value.get("tip"), value.get("models")
        self.tip = tip if isinstance(tip, str) and repository.git.contains(tip) else None
        self.models = set(models) if self.tip and isinstance(models, list) else set()

    @staticmethod
    def _read(path: Path) -> Mapping[str, object]:
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def write(self, tip: str, models: set[str]) -> None:
        if self._collected.running:  # who may be removing what was there
            return
        value = {
            "collected": self._collected.last,
            "models": sorted(self.models | models),
            "tip": tip,
        }
        files.replace(self._path, canonical.dump(value))


def _point_to_shared_remote(repository: Repository, since: str | None, tip: str) -> None:
    """Let runs that were logged before the shared remote was known name it now."""
    config = repository.branch.remote_config(tip)
    own = dvc_config.dvc_config(str(repository.default_remote))
    folders = [folder for _, folder in manifests(repository.git, since, tip)]
    stale = [
        f"{folder}/.dvc/config"
        for folder in folders
        if repository.branch.read(f"{folder}/.dvc/config", tip) == own
    ]
    if stale:
        changes = dict.fromkeys(stale, config)
        repository.branch.update(lambda _: (changes, "artifacts of earlier runs: shared remote\n"))
