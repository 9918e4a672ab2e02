"""Read the beginnings of artifacts for the pages of a site, and remember why some cannot be had.

A remote that failed once is not asked again during a build, since each time may be a timeout. Pages
are rendered in several processes, so the first answer of each remote is noted in a folder that they
share; the others wait for it.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from pathlib import Path

from gitml import files
from gitml.entities import Artifact
from gitml.errors import ArtifactError, GitmlError, RemoteUnavailable
from gitml.repository import Repository

_INCOMPLETE = "They are missing from the remote, or corrupt; `gitml fsck --remote` names them."


class ArtifactBytes:
    """Reads artifacts from the cache and their remotes.

    Args:
        repository: The clone.
        notes: Empty folder for what remotes answered, which all processes of the build share;
            None if there is one process.
    """

    def __init__(self, repository: Repository, notes: Path | None) -> None:
        self._repository = repository
        self._notes = notes
        self._faults: dict[bytes, str] = {}  # why a remote cannot be used, or nothing
        self._open = cache(repository.open_remote)

    def read(self, artifact: Artifact, remote_config: bytes, limit: int) -> bytes | None:
        """Return the first bytes of a file, or None if they are not available."""
        if self._repository.artifacts.has(artifact) or remote_config in self._faults:
            return self._read(artifact, remote_config, limit)
        if self._notes is None:
            return self._first_read(artifact, remote_config, limit)
        note = self._notes / sha1(remote_config, usedforsecurity=False).hexdigest()
        with files.exclusive(note.with_suffix(".lock")):
            if note.exists():
                self._faults[remote_config] = note.read_text()
            else:
                data = self._first_read(artifact, remote_config, limit)
                note.write_text(self._faults[remote_config])
                return data
        return self._read(artifact, remote_config, limit)

    def reason(self, remote_config: bytes) -> str:
        """Return why files were not available, as a sentence."""
        return self._faults.get(remote_config) or _INCOMPLETE

    def _first_read(self, artifact: Artifact, remote_config: bytes, limit: int) -> bytes | None:
        data = self._read(artifact, remote_config, limit)
        self._faults.setdefault(remote_config, "")
        return data

    def _read(self, artifact: Artifact, remote_config: bytes, limit: int) -> bytes | None:
        store = self._repository.artifacts
        cached = store.has(artifact)
        if self._faults.get(remote_config) and not cached:
            return None
        try:
            remote = None if cached else self._open(remote_config)
            return store.read_bytes(artifact, remote, limit)
        except GitmlError as error:
            if isinstance(error, RemoteUnavailable) or not isinstance(error, ArtifactError):
                self._faults[remote_config] = str(error)  # not this file, but the remote
            return None
