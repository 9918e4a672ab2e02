"""Read and write the artifact files of runs.

Those of a run in progress wait in its folder, those of an ended run are in the cache or a remote.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from gitml.entities import Artifact
from gitml.errors import InvalidInput, NotFound
from gitml.formats import artifact_paths, manifest
from gitml.repository import Repository
from gitml.storage.transfer import copy_out
from gitml.text import plural, short_repr
from gitml.tracking import validation

_log = logging.getLogger(__name__)
_NAMED = 5  # files that a message names


class RunArtifacts:
    """The artifact files of a repository's runs, in progress or ended.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @contextlib.contextmanager
    def staging(self, run_id: str) -> Iterator[Path]:
        """Yield an empty folder whose files join the run's at the end, each in one step.

        A run that ended is resumed for it, and keeps the status that it had.

        Raises:
            NotFound: There is no such run.
            StoreError: The disk is full, or the folder cannot be written.
        """
        writer = self._repository.writer(run_id)
        if writer:
            with writer.staging() as folder:
                yield folder
            return
        info = self._repository.files(run_id).record.run.info
        runs = self._repository.runs
        writer = runs.resume(run_id, info.experiment_id)
        try:
            with writer.staging() as folder:
                yield folder
        finally:
            runs.end(run_id, info.status, info.end_time)

    def add(self, run_id: str, source: Path, folder: str | None) -> None:
        """Copy a file or folder into a folder of a run's artifacts.

        Raises:
            InvalidInput: There is no such file, or the folder leaves the run.
        """
        parent = validation.artifact_path(folder)
        target = validation.artifact_file(f"{parent}/{source.name}" if parent else source.name)
        if not source.exists():
            raise InvalidInput(f"No file or folder {os.fspath(source)!r} to log.")
        with self.staging(run_id) as staged:
            _copy(source, staged / target)

    def add_contents(self, run_id: str, source: Path, folder: str | None) -> None:
        """Copy the contents of a folder into a folder of a run's artifacts.

        Raises:
            InvalidInput: There is no such folder, or the target leaves the run.
        """
        target = validation.artifact_path(folder)
        if not source.is_dir():
            raise InvalidInput(f"No folder {os.fspath(source)!r} to log.")
        with self.staging(run_id) as staged:
            _copy(source, staged / target)

    def read(self, run_id: str, path: str) -> bytes | None:
        """Read one file; None if the run has no such file."""
        writer = self._repository.writer(run_id)
        if writer and (writer.artifacts / path).is_file():
            return (writer.artifacts / path).read_bytes()
        files = self._repository.files(run_id)
        for artifact in files.artifacts:
            if artifact.path == path and artifact.md5:
                remote = self._repository.remote_of(files)
                return self._repository.artifacts.read_bytes(artifact, remote)
        return None

    def download(self, run_id: str, path: str, folder: str | os.PathLike[str] | None) -> Path:
        """Copy a file or folder of a run, ``""`` for all, into a folder.

        Returns:
            Local path of the file or folder.

        Raises:
            NotFound: The run has no such artifact.
            InvalidInput: No artifact of the folder may be written.
            ArtifactError: Its content is not available.
        """
        source = validation.recorded_path(path)
        files = self._repository.files(run_id)
        artifacts = writable(run_id, files.artifacts, source)
        target = Path(folder or tempfile.mkdtemp(prefix="gitml-"))
        writer = self._repository.runs.writer(run_id)
        for artifact in artifacts:
            if not artifact.md5 and writer:  # of a run in progress, not stored yet
                copy_out(writer.artifacts / artifact.path, target, artifact.path)
        stored = [artifact for artifact in artifacts if artifact.md5]
        if stored:
            remote = self._repository.remote_of(files)
            self._repository.artifacts.checkout(stored, target, remote=remote)
        return target / source if source else target


def writable(run_id: str, artifacts: Sequence[Artifact], path: str) -> list[Artifact]:
    """Return a file or the files of a folder of a run that may be written; name the others.

    Raises:
        NotFound: The run has no such artifact.
        InvalidInput: None of them may be written.
    """
    chosen = manifest.select(artifacts, path)
    if not chosen:
        raise NotFound(
            f"Run {run_id} has no artifact {path!r:.80}.",
            hint=f"See `gitml artifacts list {run_id}`.",
        )
    faults = artifact_paths.faults(artifact.path for artifact in artifacts)
    files = [artifact for artifact in chosen if artifact.path not in faults]
    left_out = [artifact.path for artifact in chosen if artifact.path in faults]
    if not files:
        raise artifact_paths.refusal(left_out[0], faults[left_out[0]])
    for name in left_out[:_NAMED]:
        _log.warning("Left out artifact %s: it %s.", short_repr(name, 200), faults[name])
    if left_out[_NAMED:]:
        _log.warning("Left out %s like that.", plural(len(left_out) - _NAMED, "more artifact"))
    return files


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder.

    Raises:
        InvalidInput: A file of it cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    except shutil.Error as error:  # of a folder: all files that failed, with the reasons as texts
        path, _, reason = error.args[0][0]
        raise InvalidInput(
            f"{path} cannot be logged: {reason}.", hint="Remove it from the folder, or mend it."
        ) from error
