"""Move the bytes of artifacts between folders, cache and DVC remote."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitml.entities import Artifact
from gitml.errors import ArtifactError, NotFound
from gitml.files import is_readable, replacing
from gitml.formats import manifest as manifests
from gitml.storage.backends import Failures, Item, Progress
from gitml.storage.cache import Cache, file_md5, flush_all
from gitml.storage.failures import corrupt, missing, not_arrived, storing, unavailable, writing
from gitml.storage.folders import files_of, target_path
from gitml.storage.remote import Remote

Manifest = Sequence[Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """The result of a transfer.

    Attributes:
        files: Files that were transferred; equal content counts once.
        bytes: Their size.
        skipped: Files that were at their destination already.
        missing: Files that are neither in the cache nor in the remote.
    """

    files: int = 0
    bytes: int = 0
    skipped: int = 0
    missing: tuple[Artifact, ...] = ()


class ArtifactStore:
    """The artifacts of all runs of a repository.

    Safe to use from several processes at once; nothing takes a lock. Whoever stores what no commit
    names yet holds `store.object_lock.storing` until one does, or `gitml gc` removes it.
    """

    def __init__(self, cache_dir: Path) -> None:
        """Use a folder as the object cache; it is created by the first write."""
        self.cache = Cache(folder=cache_dir)

    def put(self, folder: Path) -> list[Artifact]:
        """Store the files of a folder, and the directory object that lists them.

        Files are hard-linked into the cache if possible and become read-only: the caller deletes
        the folder or does not change it.

        Args:
            folder: The folder; a missing one counts as empty.

        Returns:
            Its manifest, sorted by path; empty folders are not in it.

        Raises:
            InvalidInput: An entry is neither a file nor a folder, leads out of the folder by a
                symbolic link, or has a name that cannot be stored.
            ArtifactError: A file cannot be read, changed meanwhile, or the cache cannot be written.
        """
        with storing(self.cache.folder):
            linked: list[Path] = []
            manifest = [self._put_file(name, path, linked) for name, path in files_of(folder)]
            flush_all(linked)
            manifest.sort(key=lambda artifact: artifact.path)
            if manifest:
                self.add_directory_object(manifest)
        return manifest

    def add_directory_object(self, manifest: Manifest) -> str:
        """Store the directory object of a manifest, such as a merged one or a model's folder.

        Returns:
            Its name: the md5 and ``.dir``.
        """
        oid = manifests.directory_hash(manifest)
        if not self.cache.has(oid):
            with storing(self.cache.folder):
                self.cache.add_bytes(manifests.directory_object(manifest), oid)
        return oid

    def has(self, artifact: Artifact) -> bool:
        """Return True if a file is in the cache."""
        return self.cache.has(artifact.md5)

    def missing(self, manifest: Manifest, remote: Remote | None = None) -> list[Artifact]:
        """Return the files that are neither in the cache nor in the remote.

        Raises:
            RemoteUnavailable: The remote does not answer.
        """
        absent = [artifact for artifact in manifest if not self.has(artifact)]
        existing = remote.existing({a.md5 for a in absent}) if remote and absent else set()
        return [artifact for artifact in absent if artifact.md5 not in existing]

    def push(
        self,
        runs: Iterable[Manifest],
        remote: Remote,
        progress: Progress | None = None,
    ) -> TransferReport:
        """Send what the remote lacks: files first, then the directory objects of whole folders.

        Repeating an interrupted push sends only the rest.

        Args:
            runs: Manifests, also those of model folders that have a directory object of their own.
            remote: The destination.
            progress: Called with the transferred and the total bytes.

        Raises:
            RemoteUnavailable: The remote does not answer, or files have not arrived.
        """
        runs = [run for run in runs if run]
        files = {artifact.md5: artifact for run in runs for artifact in run}
        existing = remote.existing(files.keys())
        sent = {
            oid: a
            for oid, a in files.items()
            if oid not in existing and is_readable(self.cache.path(oid))
        }
        self._send(sent, remote, progress)
        whole = existing | sent.keys()
        self._send_directories([r for r in runs if all(a.md5 in whole for a in r)], remote)
        return TransferReport(
            files=len(sent),
            bytes=sum(artifact.size for artifact in sent.values()),
            skipped=len(existing),
            missing=tuple(a for oid, a in files.items() if oid not in whole),
        )

    def fetch(
        self,
        manifest: Manifest,
        remote: Remote | None,
        *,
        prefix: str = "",
        progress: Progress | None = None,
    ) -> TransferReport:
        """Fetch files into the cache and verify them.

        Args:
            manifest: The run's files.
            remote: The source; None if there is no remote.
            prefix: A file or folder of the run; all files for ``""``.
            progress: Called with the transferred and the total bytes.

        Raises:
            NotFound: The run has nothing named ``prefix``.
            ArtifactError: A file is missing or corrupt.
            RemoteUnavailable: The remote does not answer.
        """
        files = {artifact.md5: artifact for artifact in _select(manifest, prefix)}
        needed = {oid: a for oid, a in files.items() if not self.cache.has(oid)}
        if needed:
            failures = self._receive(needed, remote, progress)
            self._verify(needed, remote, failures)
        return TransferReport(
            files=len(needed),
            bytes=sum(artifact.size for artifact in needed.values()),
            skipped=len(files) - len(needed),
        )

    def checkout(
        self,
        manifest: Manifest,
        destination: Path,
        remote: Remote | None = None,
        *,
        prefix: str = "",
        progress: Progress | None = None,
    ) -> Path:
        """Copy files to a folder, fetching and verifying them; existing files are replaced.

        Args:
            manifest: The run's files.
            destination: Folder that stands for the artifact root: ``model/MLmodel`` arrives as
                ``destination/model/MLmodel``. The copies may be edited.
            remote: The source of files that are not in the cache.
            prefix: A file or folder of the run; all files for ``""``.
            progress: Called with the fetched and the total bytes.

        Returns:
            ``destination / prefix``.

        Raises:
            NotFound: The run has nothing named ``prefix``.
            InvalidInput: The destination cannot be written.
            ArtifactError: A file is missing or corrupt.
            RemoteUnavailable: The remote does not answer.
        """
        chosen = _select(manifest, prefix)
        self.fetch(chosen, remote, progress=progress)
        with writing(destination):
            destination.mkdir(parents=True, exist_ok=True)
            for artifact in chosen:
                self._copy_out(artifact, target_path(destination, artifact.path), remote)
        return destination / prefix.strip("/")

    def read_bytes(
        self, artifact: Artifact, remote: Remote | None = None, limit: int | None = None
    ) -> bytes:
        """Read a file, from the cache if possible.

        Args:
            artifact: The file.
            remote: The source if it is not in the cache.
            limit: Most bytes to read. The beginning of a file is neither cached nor verified.

        Raises:
            ArtifactError: It is missing or corrupt.
            RemoteUnavailable: The remote does not answer.
        """
        if limit is not None and limit < artifact.size and remote and not self.has(artifact):
            try:
                return remote.read(artifact.md5, limit)
            except FileNotFoundError as exc:
                raise missing([artifact], remote.url, remote.keeper) from exc
        self.fetch([artifact], remote)
        path = self.cache.path(artifact.md5)
        if limit is None and file_md5(path) != artifact.md5:
            self._recover(artifact, remote)
        with path.open("rb") as file:
            return file.read(-1 if limit is None else limit)

    def _put_file(self, name: str, path: Path, linked: list[Path]) -> Artifact:
        before = path.stat()
        oid = file_md5(path)
        # A file that has other hard links may be edited through one of them: it is copied.
        sole = before.st_nlink == 1
        if self.cache.has(oid):
            self.cache.keep(oid)
        elif self.cache.add(path, oid, link=sole):
            linked.append(path)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            self.cache.verify(oid)
            raise ArtifactError(
                f"The artifact '{name}' changed while it was being stored.",
                hint="Log it when it is complete.",
            )
        return Artifact(path=name, size=before.st_size, md5=oid)

    def _send(
        self, files: Mapping[str, Artifact], remote: Remote, progress: Progress | None
    ) -> None:
        if not files:
            return
        items = [self._item(oid, artifact.size) for oid, artifact in files.items()]
        failures = remote.send(items, progress)
        lost = [files[oid] for oid in files.keys() - remote.existing(files.keys())]
        if lost:
            raise not_arrived(lost, remote.url, failures)

    def _send_directories(self, runs: Iterable[Manifest], remote: Remote) -> None:
        sizes = {
            self.add_directory_object(run): len(manifests.directory_object(run)) for run in runs
        }
        absent = sizes.keys() - remote.existing(sizes.keys())
        folders = {oid: Artifact(path=oid, size=sizes[oid], md5=oid) for oid in absent}
        self._send(folders, remote, None)

    def _receive(
        self, needed: Mapping[str, Artifact], remote: Remote | None, progress: Progress | None
    ) -> Failures:
        if remote is None:
            raise missing(list(needed.values()), None)
        items = [self._item(oid, artifact.size) for oid, artifact in needed.items()]
        with storing(self.cache.folder):
            return remote.receive(items, progress)

    def _verify(
        self, needed: Mapping[str, Artifact], remote: Remote | None, failures: Failures
    ) -> None:
        assert remote is not None
        arrived = {oid for oid in needed if self.cache.path(oid).exists()}
        damaged = [needed[oid] for oid in sorted(arrived) if not self.cache.verify(oid)]
        if damaged:
            raise corrupt(damaged[0], remote.url)
        for oid, exc in failures.items():
            if oid not in arrived and not isinstance(exc, FileNotFoundError):
                raise unavailable(remote.url, exc) from exc
        absent = needed.keys() - arrived
        if absent:
            lost = [needed[oid] for oid in absent - remote.existing(absent)]
            if lost:
                raise missing(lost, remote.url, remote.keeper)
            raise not_arrived([needed[oid] for oid in absent], remote.url, failures)

    def _copy_out(self, artifact: Artifact, target: Path, remote: Remote | None) -> None:
        source = self.cache.path(artifact.md5)
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
            if file_md5(temporary) != artifact.md5:
                self._recover(artifact, remote)
                shutil.copyfile(source, temporary)

    def _recover(self, artifact: Artifact, remote: Remote | None) -> None:
        """Remove a corrupt object from the cache and fetch it again."""
        if remote is None:
            raise corrupt(artifact, None)
        self.cache.verify(artifact.md5)
        self.fetch([artifact], remote)

    def _item(self, oid: str, size: int) -> Item:
        return Item(oid=oid, path=self.cache.path(oid), size=size)


def copy_out(source: Path, destination: Path, name: str) -> None:
    """Copy a file to a path below a folder, through no symbolic link; an existing one is replaced.

    Raises:
        InvalidInput: The path must not be written, or a folder on the way is a symbolic link.
    """
    with writing(destination), replacing(target_path(destination, name)) as temporary:
        shutil.copyfile(source, temporary)


def _select(manifest: Manifest, prefix: str) -> list[Artifact]:
    chosen = manifests.select(manifest, prefix)
    if prefix.strip("/") and not chosen:
        raise NotFound(
            f"The run has no artifact '{prefix}'.", hint="`gitml artifacts list` shows them."
        )
    return chosen
