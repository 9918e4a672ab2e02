"""Hides what it takes to share runs: artifacts to the DVC remote first, then records and tags.

The order matters: whoever sees a record can fetch its artifacts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha1
from pathlib import Path

from gitml import files, uris
from gitml.entities import Artifact
from gitml.errors import ArtifactError, InvalidInput, NotFound, StoreError
from gitml.formats import canonical, dvc_config, manifest, run_records
from gitml.git import LARGEST, GitRepo
from gitml.registry.rebase import Reconciler
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.store.exchange.exchange import Exchange, ExchangeReport

Progress = Callable[[int, int], None]
"""Called with the bytes moved so far and the bytes in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push moved.

    Attributes:
        exchange: Records and tags.
        files: Artifact files that were sent.
        bytes: Their size.
        missing: Artifacts that are neither here nor in the remote.
        stays_here: Whether the DVC remote is a folder of this clone, out of others' reach.
    """

    exchange: ExchangeReport
    files: int
    bytes: int
    missing: tuple[Artifact, ...]
    stays_here: bool


def push(
    repository: Repository, *, git_remote: str | None = None, progress: Progress | None = None
) -> PushReport:
    """Send artifacts, records and registry tags to where the team finds them.

    Args:
        repository: The clone.
        git_remote: Name of the git remote; default the one of ``gitml.yaml``.
        progress: Told about the artifacts' bytes.

    Raises:
        InvalidInput: There is no such git remote.
        RemoteUnavailable: The DVC remote does not answer; nothing was lost, repeat it.
        StoreError: The git remote does not answer; nothing was lost, repeat it.
    """
    exchange = _exchange(repository, git_remote)
    repository.runs.recover()
    pulled = exchange.pull()  # tells which DVC remote the team uses by now
    sent = send_artifacts(repository, progress=progress)
    pushed = exchange.push()
    return PushReport(
        exchange=replace(
            pushed,
            renumbered=pulled.renumbered + pushed.renumbered,
            lost=pulled.lost + pushed.lost,
        ),
        files=sent.files,
        bytes=sent.bytes,
        missing=sent.missing,
        stays_here=repository.uses_default_remote(),
    )


def pull(repository: Repository, *, git_remote: str | None = None) -> ExchangeReport:
    """Bring the team's records and registry tags here; artifacts follow when they are used.

    Raises:
        InvalidInput: There is no such git remote.
        StoreError: It does not answer.
    """
    repository.runs.recover()
    return _exchange(repository, git_remote).pull()


def _exchange(repository: Repository, git_remote: str | None) -> Exchange:
    remote = git_remote or repository.settings.git_remote
    rules = Reconciler(repository.git, repository.branch, state=repository.state, remote=remote)
    return Exchange(repository.branch, remote, rules)


# Artifacts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent to the DVC remote: number of files, their bytes, and what was not found."""

    files: int = 0
    bytes: int = 0
    missing: tuple[Artifact, ...] = ()


def send_artifacts(repository: Repository, *, progress: Progress | None = None) -> Sent:
    """Send what the DVC remote lacks of the artifacts of all runs and model versions.

    What was sent once is remembered, so that the next push looks only at what came since.

    Raises:
        RemoteUnavailable: The remote does not answer.
    """
    tip = repository.branch.tip()
    if tip is None or repository.uses_default_remote():
        return Sent()  # what was put into this clone's own folder is there already
    memory = _Memory(repository)
    listed = [manifest for manifest, _ in _manifests(repository.git, memory.tip, tip)]
    versions = [one for one in _model_folders(repository) if one[0] not in memory.models]
    wanted = [*listed, *(folder for _, folder in versions)]
    if not wanted:
        memory.write(tip, set())
        return Sent()
    for _, folder in versions:
        repository.artifacts.add_directory_object(folder)
    report = repository.artifacts.push(wanted, repository.open_remote(), progress)
    _point_to_shared_remote(repository, memory.tip, tip)
    if not report.missing:
        memory.write(tip, {digest for digest, _ in versions})
    return Sent(files=report.files, bytes=report.bytes, missing=report.missing)


class _Memory:
    """What this clone already sent to the remote in use; lost without harm."""

    def __init__(self, repository: Repository) -> None:
        name = sha1(repository.remote_url().encode()).hexdigest()[:16]
        self._path = repository.state / "sent" / f"{name}.json"
        known = self._read(self._path)
        tip = known.get("tip")
        self.tip = tip if isinstance(tip, str) and repository.git.contains(tip) else None
        models = known.get("models")
        self.models = set(models) if self.tip and isinstance(models, list) else set()

    @staticmethod
    def _read(path: Path) -> Mapping[str, object]:
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def write(self, tip: str, models: set[str]) -> None:
        value = {"tip": tip, "models": sorted(self.models | models)}
        files.replace(self._path, canonical.dump(value))


def _manifests(git: GitRepo, since: str | None, tip: str) -> Iterable[tuple[list[Artifact], str]]:
    """The artifacts of every run that changed since a commit, and the run's folder."""
    changed = [
        change for change in git.diff(since, tip)
        if change.new and change.regular and change.path.endswith("/artifacts.json")
        and run_records.parse_run_path(change.path)
    ]  # fmt: skip
    oids = (change.new for change in changed if change.new)
    for change, data in zip(changed, git.read_checked(oids, LARGEST), strict=True):
        if isinstance(data, StoreError):
            continue
        try:
            yield manifest.parse(data), change.path.removesuffix("/artifacts.json")
        except StoreError:  # somebody pushed a manifest that is none; the index names it
            continue


def _model_folders(repository: Repository) -> Iterable[tuple[str, list[Artifact]]]:
    """The files of every model version, which have a directory object of their own."""
    for version in Registry.of(repository).search_model_versions():
        try:
            source = uris.parse(version.source) if version.source else None
            if not isinstance(source, uris.RunUri) or not version.digest:
                continue
            files = repository.files(source.run_id).artifacts
        except (InvalidInput, NotFound, StoreError):  # somebody pushed a version that is none
            continue
        listed = manifest.subdirectory(files, source.path)
        if listed and manifest.directory_hash(listed) == version.digest:
            yield version.digest, listed


def _point_to_shared_remote(repository: Repository, since: str | None, tip: str) -> None:
    """Let runs that were logged before the shared remote was known name it now."""
    config = repository.branch.remote_config(tip)
    own = dvc_config.dvc_config(str(repository.default_remote))
    folders = [folder for _, folder in _manifests(repository.git, since, tip)]
    stale = [
        f"{folder}/.dvc/config"
        for folder in folders
        if repository.branch.read(f"{folder}/.dvc/config", tip) == own
    ]
    if stale:
        files = dict.fromkeys(stale, config)
        repository.branch.update(lambda _: (files, "artifacts of earlier runs: shared remote\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReport:
    """What setting a remote did.

    Attributes:
        url: The URL as it was saved.
        sent: The artifacts that were sent there.
        left: Folders of runs whose artifacts could not be had; they keep naming their old remote.
    """

    url: str
    sent: Sent
    left: tuple[str, ...]


def set_remote(
    repository: Repository, url: str, *, progress: Progress | None = None
) -> RemoteReport:
    """Make a DVC remote the home of all artifacts, past and future.

    The URL is tried first; then everything that can be had is sent there; then one commit lets
    the runs name it. Where something fails, the old remote stays in use.

    Args:
        repository: The clone.
        url: A URL that DVC knows, or a folder.
        progress: Told about the artifacts' bytes.

    Raises:
        InvalidInput: It is no address of a DVC remote.
        MissingDependency: DVC's plugin for it is not installed.
        RemoteUnavailable: It does not answer.
    """
    from gitml.storage.dvc_remote import check
    from gitml.storage.remote import Remote

    root = repository.git.work_tree or repository.git.git_dir
    saved = check(url, root)
    tip = repository.branch.tip()
    config = dvc_config.dvc_config(saved, repository.branch.remote_config(tip))
    runs = list(_manifests(repository.git, None, tip)) if tip else []
    here = [(listed, folder) for listed, folder in runs if _fetched(repository, listed, folder)]
    versions = list(_model_folders(repository))
    for _, listed in versions:
        repository.artifacts.add_directory_object(listed)
    wanted = [*(listed for listed, _ in here), *(listed for _, listed in versions)]
    report = repository.artifacts.push(wanted, Remote.at(saved, root), progress)
    files = {".dvc/config": config, **{f"{folder}/.dvc/config": config for _, folder in here}}
    repository.branch.update(lambda _: (files, "artifacts: another remote\n"))
    complete = {folder for _, folder in here}
    return RemoteReport(
        url=saved,
        sent=Sent(files=report.files, bytes=report.bytes, missing=report.missing),
        left=tuple(folder for _, folder in runs if folder not in complete),
    )


def _fetched(repository: Repository, listed: list[Artifact], folder: str) -> bool:
    """Bring a run's files into the cache from where they are now; False if they are lost."""
    config = repository.branch.read(f"{folder}/.dvc/config")
    try:
        repository.artifacts.fetch(listed, repository.open_remote(config))
    except ArtifactError:
        return False
    return True
