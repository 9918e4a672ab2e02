"""Hides where a run's artifact bytes are: moves them between folders, cache and DVC remote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitml import files
from gitml.entities import Artifact
from gitml.errors import ArtifactError, InvalidInput, NotFound, RemoteUnavailable
from gitml.formats import manifest as manifests
from gitml.storage.backends import Failures, Item, Progress
from gitml.storage.cache import Cache, file_md5, flush_all
from gitml.storage.failures import reason, unavailable
from gitml.storage.remote import Remote

Manifest = Sequence[Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What a transfer did.

    Attributes:
        files: Files that were moved; equal content counts once.
        bytes: Their size.
        skipped: Files that were there already.
        missing: Files that are neither in the cache nor in the remote.
    """

    files: int = 0
    bytes: int = 0
    skipped: int = 0
    missing: tuple[Artifact, ...] = ()


class ArtifactStore:
    """The artifacts of all runs of a repository.

    Safe to use from several processes at once; nothing takes a lock.
    """

    def __init__(self, cache_dir: Path) -> None:
        """Take the folder of the object cache; it is made when first written to."""
        self.cache = Cache(folder=cache_dir)

    def put(self, folder: Path) -> list[Artifact]:
        """Store the files of a folder, and the directory object that lists them.

        Files are hard-linked into the cache where that is possible and become read-only: the
        caller deletes the folder, or leaves it alone.

        Args:
            folder: The folder; one that does not exist counts as empty.

        Returns:
            Its manifest, sorted by path; empty folders leave no trace in it.

        Raises:
            InvalidInput: An entry is neither a file nor a folder, leads out of the folder by a
                symbolic link, or has a name that cannot be stored.
            ArtifactError: A file cannot be read, changed meanwhile, or the cache cannot be written.
        """
        with _storing(self.cache.folder):
            linked: list[Path] = []
            manifest = [self._put_file(name, path, linked) for name, path in _files(folder)]
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
            with _storing(self.cache.folder):
                self.cache.add_bytes(manifests.directory_object(manifest), oid)
        return oid

    def has(self, artifact: Artifact) -> bool:
        """Tell whether a file is in the cache."""
        return self.cache.has(artifact.md5)

    def missing(self, manifest: Manifest, remote: Remote | None = None) -> list[Artifact]:
        """Return the files that are neither in the cache nor in the remote.

        Raises:
            RemoteUnavailable: The remote does not answer.
        """
        absent = [artifact for artifact in manifest if not self.has(artifact)]
        there = remote.existing({a.md5 for a in absent}) if remote and absent else set()
        return [artifact for artifact in absent if artifact.md5 not in there]

    def push(
        self,
        runs: Iterable[Manifest],
        remote: Remote,
        progress: Progress | None = None,
    ) -> TransferReport:
        """Send what the remote lacks: files first, then the directory objects of whole folders.

        A push that was interrupted is repeated: it sends only the rest.

        Args:
            runs: Manifests, also those of model folders that have a directory object of their own.
            remote: Where to.
            progress: Called with the bytes done and the bytes in all.

        Raises:
            RemoteUnavailable: The remote does not answer, or files have not arrived.
        """
        runs = [run for run in runs if run]
        files = {artifact.md5: artifact for run in runs for artifact in run}
        there = remote.existing(files.keys())
        here = {oid: a for oid, a in files.items() if oid not in there and self.cache.has(oid)}
        self._send(here, remote, progress)
        whole = there | here.keys()
        self._send_directories([r for r in runs if all(a.md5 in whole for a in r)], remote)
        return TransferReport(
            files=len(here),
            bytes=sum(artifact.size for artifact in here.values()),
            skipped=len(there),
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
        """Bring files into the cache and verify them.

        Args:
            manifest: The run's files.
            remote: Where from; None where there is no remote.
            prefix: A file or folder of the run; all files for ``""``.
            progress: Called with the bytes done and the bytes in all.

        Raises:
            NotFound: The run has nothing named ``prefix``.
            ArtifactError: A file is missing or corrupt.
            RemoteUnavailable: The remote does not answer.
        """
        files = {artifact.md5: artifact for artifact in _select(manifest, prefix)}
        wanted = {oid: a for oid, a in files.items() if not self.cache.has(oid)}
        if wanted:
            failures = self._receive(wanted, remote, progress)
            self._verify(wanted, remote, failures)
        return TransferReport(
            files=len(wanted),
            bytes=sum(artifact.size for artifact in wanted.values()),
            skipped=len(files) - len(wanted),
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
        """Copy files to a folder, fetching and verifying them; files already there are replaced.

        Args:
            manifest: The run's files.
            destination: Folder that stands for the artifact root: ``model/MLmodel`` arrives as
                ``destination/model/MLmodel``. The copies may be edited.
            remote: Where files come from that are not in the cache.
            prefix: A file or folder of the run; all files for ``""``.
            progress: Called with the bytes fetched and the bytes to fetch.

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
        with _writing(destination):
            destination.mkdir(parents=True, exist_ok=True)
            for artifact in chosen:
                self._copy_out(artifact, _place(destination, artifact.path), remote)
        return destination / prefix.strip("/")

    def read_bytes(
        self, artifact: Artifact, remote: Remote | None = None, limit: int | None = None
    ) -> bytes:
        """Read a file, from the cache if it is there.

        Args:
            artifact: The file.
            remote: Where it comes from if it is not in the cache.
            limit: Most bytes to read. The beginning of a file is neither cached nor verified.

        Raises:
            ArtifactError: It is missing or corrupt.
            RemoteUnavailable: The remote does not answer.
        """
        if limit is not None and limit < artifact.size and remote and not self.has(artifact):
            try:
                return remote.read(artifact.md5, limit)
            except FileNotFoundError as exc:
                raise _missing([artifact], remote) from exc
        self.fetch([artifact], remote)
        path = self.cache.path(artifact.md5)
        if limit is None and file_md5(path) != artifact.md5:
            self._recover(artifact, remote)
        with path.open("rb") as file:
            return file.read(-1 if limit is None else limit)

    def _put_file(self, name: str, path: Path, linked: list[Path]) -> Artifact:
        before = path.stat()
        oid = file_md5(path)
        # A file with other names may be edited through one of them: it is copied.
        alone = before.st_nlink == 1
        if self.cache.has(oid):
            self.cache.keep(oid)
        elif self.cache.add(path, oid, link=alone):
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
            raise _not_arrived(lost, remote, failures)

    def _send_directories(self, runs: Iterable[Manifest], remote: Remote) -> None:
        sizes = {
            self.add_directory_object(run): len(manifests.directory_object(run)) for run in runs
        }
        absent = sizes.keys() - remote.existing(sizes.keys())
        folders = {oid: Artifact(path=oid, size=sizes[oid], md5=oid) for oid in absent}
        self._send(folders, remote, None)

    def _receive(
        self, wanted: Mapping[str, Artifact], remote: Remote | None, progress: Progress | None
    ) -> Failures:
        if remote is None:
            raise _missing(list(wanted.values()), None)
        items = [self._item(oid, artifact.size) for oid, artifact in wanted.items()]
        with _storing(self.cache.folder):
            return remote.receive(items, progress)

    def _verify(
        self, wanted: Mapping[str, Artifact], remote: Remote | None, failures: Failures
    ) -> None:
        assert remote is not None
        arrived = {oid for oid in wanted if self.cache.path(oid).exists()}
        corrupt = [wanted[oid] for oid in sorted(arrived) if not self.cache.verify(oid)]
        if corrupt:
            raise _corrupt(corrupt[0], remote)
        for oid, exc in failures.items():
            if oid not in arrived and not isinstance(exc, FileNotFoundError):
                raise unavailable(remote.url, exc) from exc
        absent = wanted.keys() - arrived
        if absent:
            there = remote.existing(absent)
            lost = [wanted[oid] for oid in absent - there]
            if lost:
                raise _missing(lost, remote)
            raise _not_arrived([wanted[oid] for oid in absent], remote, failures)

    def _copy_out(self, artifact: Artifact, target: Path, remote: Remote | None) -> None:
        source = self.cache.path(artifact.md5)
        with files.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
            if file_md5(temporary) != artifact.md5:
                self._recover(artifact, remote)
                shutil.copyfile(source, temporary)

    def _recover(self, artifact: Artifact, remote: Remote | None) -> None:
        """Drop a corrupt object from the cache and take it from the remote again."""
        if remote is None:
            raise _corrupt(artifact, None)
        self.cache.verify(artifact.md5)
        self.fetch([artifact], remote)

    def _item(self, oid: str, size: int) -> Item:
        return Item(oid=oid, path=self.cache.path(oid), size=size)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Walk a folder; yields each file's artifact path and the file that holds its content."""
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders:
            if (Path(parent) / name).is_symlink():
                raise _unfit(Path(parent) / name, folder, "is a symbolic link to a folder")
        for name in names:
            path = Path(parent) / name
            manifests.check_path(path.relative_to(folder).as_posix())
            yield path.relative_to(folder).as_posix(), _regular(path, folder)


def _raise(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):  # the folder itself may not exist
        raise exc


def _regular(path: Path, folder: Path) -> Path:
    content = path.resolve() if path.is_symlink() else path
    if path.is_symlink() and not content.is_relative_to(folder.resolve()):
        raise _unfit(path, folder, f"is a symbolic link out of its folder, to '{content}'")
    if not content.exists():
        raise _unfit(path, folder, "is a broken symbolic link")
    if not content.is_file():
        raise _unfit(path, folder, "is neither a file nor a folder")
    return content


def _unfit(path: Path, folder: Path, why: str) -> InvalidInput:
    name = os.path.relpath(path, folder)
    return InvalidInput(f"The artifact '{name}' {why}.", hint="Log the file itself.")


def _select(manifest: Manifest, prefix: str) -> list[Artifact]:
    chosen = manifests.select(manifest, prefix)
    if prefix.strip("/") and not chosen:
        raise NotFound(
            f"The run has no artifact '{prefix}'.", hint="`gitml artifacts list` shows them."
        )
    return chosen


def _place(destination: Path, name: str) -> Path:
    """Return where a file goes, refusing to follow symbolic links below the destination."""
    target = destination / manifests.check_path(name)
    folder = destination
    for part in Path(name).parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise InvalidInput(
                f"'{folder}' is a symbolic link; artifacts are not written through it.",
                hint="Choose another folder.",
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextmanager
def _storing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        place = exc.filename or folder
        raise ArtifactError(
            f"The artifacts cannot be stored in '{folder}': {exc.strerror or exc} ('{place}').",
            hint="Check free space and permissions, then repeat the command.",
        ) from exc


@contextmanager
def _writing(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        place = exc.filename2 or exc.filename or destination
        raise InvalidInput(
            f"'{place}' cannot be written: {exc.strerror or exc}.", hint="Choose another folder."
        ) from exc


def _missing(files: Sequence[Artifact], remote: Remote | None) -> ArtifactError:
    first = min(files, key=lambda artifact: artifact.path)
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    named = f"The artifact '{first.path}' (md5 {first.md5}){others}"
    if remote is None:
        return ArtifactError(f"{named} is not on this machine.", hint="Run `gitml pull`.")
    return ArtifactError(
        f"{named} is missing from the DVC remote '{remote.url}'.",
        hint="Run `gitml push` where the run was made.",
    )


def _corrupt(artifact: Artifact, remote: Remote | None) -> ArtifactError:
    place = f"the DVC remote '{remote.url}'" if remote else "the cache of this machine"
    return ArtifactError(
        f"The artifact '{artifact.path}' (md5 {artifact.md5}) is corrupt in {place}.",
        hint="Delete that object, then run `gitml push` where the run was made.",
    )


def _not_arrived(
    files: Sequence[Artifact], remote: Remote, failures: Failures
) -> RemoteUnavailable:
    first = min(files, key=lambda artifact: artifact.path)
    exc = failures.get(first.md5) or next(iter(failures.values()), None)
    why = f": {reason(exc)}" if exc else ""
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return RemoteUnavailable(
        f"'{first.path}'{others} did not get through to or from '{remote.url}'{why}.",
        hint="Nothing is lost; repeat the command, it moves only the rest.",
    )
