"""Check the objects of runs: those of the cache by their hash, those of a remote by their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitml.entities import Artifact
from gitml.errors import GitmlError
from gitml.formats import dvc_config, manifest
from gitml.formats.checks import Fault, RunCheck
from gitml.repository import Repository
from gitml.storage.address import mask
from gitml.storage.cache import file_md5
from gitml.text import plural


@dataclass(slots=True)
class _Unreachable:
    """A remote that failed, and what was not looked for in it."""

    error: GitmlError
    runs: int = 0
    files: int = 0


class ArtifactCheck:
    """One look at the objects of all runs.

    A directory object that is only missing from the cache is no fault: downloads bring files, and
    a push makes it from the manifest.

    Args:
        repository: The clone.
        remote: Whether to look for every object in the DVC remotes; otherwise only in the default
            remote, a folder of this clone.
    """

    def __init__(self, repository: Repository, *, remote: bool) -> None:
        self._repository = repository
        self._with_remote = remote
        self._cache = repository.artifacts.cache
        self._folders: list[tuple[Artifact, ...]] = []  # whose directory object is to be made
        self._resend: list[tuple[Artifact, ...]] = []  # that a remote lacks
        self._sound: dict[str, bool] = {}  # by object id, as hashed once
        self._unreachable: dict[bytes, _Unreachable] = {}  # by the runs' `.dvc/config`

    @property
    def hashed(self) -> int:
        """Number of objects of this machine that were hashed."""
        return len(self._sound)

    def check(self, folder: str, run: RunCheck) -> Iterator[Fault]:
        """Check the objects of a run.

        Args:
            folder: The run's folder on the branch.
            run: What its files say.
        """
        if not run.artifacts:
            return
        own = run.remote_config == dvc_config.dvc_config(str(self._repository.default_remote))
        default = own and self._repository.uses_default_remote()
        absent = self._absent(run) if self._with_remote or default else set()
        lost = []
        for artifact in run.artifacts:
            sound = self._is_sound(artifact.md5)
            if sound is False:
                yield self._corrupt(folder, artifact)
            if artifact.md5 in absent and not sound:
                lost.append(artifact)
        for artifact in lost:
            yield Fault(
                place=f"{folder}/{artifact.path}",
                reason=f"its content (md5 {artifact.md5}) is neither here nor in the remote",
                fix="Run `gitml push` in the clone where the run was made",
            )
        if not lost:
            yield from self._missing_in_remote(folder, run, absent)

    def unreachable(self) -> Iterator[Fault]:
        """Name the remotes that failed, each once, with what was not looked for in it."""
        for config, remote in self._unreachable.items():
            subject = f"{plural(remote.files, 'file')} of {plural(remote.runs, 'run')}"
            yield Fault(
                place=mask(dvc_config.remote_url(config) or self._repository.remote_url()),
                reason=f"{subject} could not be looked for: {remote.error.message}",
                fix=remote.error.hint or "gitml doctor",
            )

    def repair(self) -> Iterator[str]:
        """Make what can be derived and send what a remote lacks; describes each repair."""
        for folder in self._folders:
            self._cache.verify(manifest.directory_hash(folder))
            digest = self._repository.artifacts.add_directory_object(folder)
            yield f"Made the directory object {digest}."
        if self._resend:
            sent = self._repository.artifacts.push(self._resend, self._repository.open_remote())
            subject = plural(sent.files, "file")
            yield f"Sent {subject} and the directory objects that the remote lacked."

    def _absent(self, run: RunCheck) -> set[str]:
        """Return what a run's remote lacks, its directory object included; nothing if it fails."""
        oids = {artifact.md5 for artifact in run.artifacts}
        oids.add(manifest.directory_hash(run.artifacts))
        failed = self._unreachable.get(run.remote_config)
        if failed is None:
            try:
                remote = self._repository.open_remote(run.remote_config or None)
                return oids - remote.existing(oids)
            except GitmlError as error:
                failed = self._unreachable[run.remote_config] = _Unreachable(error)
        failed.runs += 1
        failed.files += len(run.artifacts)
        return set()

    def _is_sound(self, oid: str) -> bool | None:
        """Return True if an object of the cache has its hash; None if it is not there."""
        if oid not in self._sound:
            try:
                self._sound[oid] = file_md5(self._cache.path(oid)) == oid.removesuffix(".dir")
            except FileNotFoundError:
                return None
        return self._sound[oid]

    def _corrupt(self, folder: str, artifact: Artifact) -> Fault:
        path = self._cache.path(artifact.md5)
        return Fault(
            place=f"{folder}/{artifact.path}",
            reason=f"its content in the cache is corrupt ({path})",
            fix=f"rm -f {path}; gitml artifacts download {folder.rpartition('/')[2]}",
        )

    def _missing_in_remote(self, folder: str, run: RunCheck, absent: set[str]) -> Iterator[Fault]:
        digest = manifest.directory_hash(run.artifacts)
        reasons = []
        if self._is_sound(digest) is False:
            reasons.append(f"its directory object {digest} is corrupt in the cache")
        if digest in absent:
            reasons.append(f"its directory object {digest} is missing")
        elif absent:
            reasons.append("the remote lacks files that the cache has")
        for reason in reasons:
            yield Fault(place=f"{folder}/artifacts", reason=reason, fix="gitml fsck --repair",
                        repairable=True)  # fmt: skip
        if reasons:
            self._folders.append(run.artifacts)
        if absent:
            self._resend.append(run.artifacts)
