"""Hides where the files of a run are: waiting in its folder, or in the cache and a remote."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from gitml import config
from gitml.errors import NotFound
from gitml.repository import Repository


class RunArtifacts:
    """The artifact files of a repository's runs, in progress or ended.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @contextlib.contextmanager
    def staging(self, run_id: str) -> Iterator[Path]:
        """Give an empty folder whose files join the run's at the end, each in one step.

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
            ended = config.now_ms() if info.end_time is None else info.end_time
            runs.end(run_id, info.status, ended)

    def copy_in(self, run_id: str, source: Path, target: str) -> None:
        """Add a copy of a file or folder as ``target``; a folder's files alone for ``""``."""
        with self.staging(run_id) as folder:
            _copy(source, folder / target)

    def read(self, run_id: str, path: str) -> bytes | None:
        """Read one file; None if the run has none there."""
        writer = self._repository.writer(run_id)
        if writer and (writer.artifacts / path).is_file():
            return (writer.artifacts / path).read_bytes()
        files = self._repository.files(run_id)
        for artifact in files.artifacts:
            if artifact.path == path and artifact.md5:
                remote = self._repository.open_remote(files.remote_config)
                return self._repository.artifacts.read_bytes(artifact, remote)
        return None

    def copy_out(self, run_id: str, where: str, target: Path) -> None:
        """Put a file or folder of a run, ``""`` for all, into a folder.

        Raises:
            NotFound: The run has no such artifact.
            ArtifactError: Its bytes cannot be had.
        """
        files = self._repository.files(run_id)
        wanted = [
            a for a in files.artifacts if where in ("", a.path) or a.path.startswith(f"{where}/")
        ]
        if not wanted:
            raise NotFound(
                f"Run {run_id} has no artifact {where!r:.80}.",
                hint=f"See `gitml artifacts list {run_id}`.",
            )
        writer = self._repository.runs.writer(run_id)
        for artifact in wanted:
            if not artifact.md5 and writer:  # of a run in progress, not stored yet
                _copy(writer.artifacts / artifact.path, target / artifact.path)
        stored = [artifact for artifact in wanted if artifact.md5]
        if stored:
            remote = self._repository.open_remote(files.remote_config)
            self._repository.artifacts.checkout(stored, target, remote=remote)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
