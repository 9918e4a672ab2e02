"""Hides which files make up a run's folder on the branch, and builds them from a run and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitml import manifest
from gitml.store import records
from gitml.store.records import RunFiles

RECORD = "run.json"
_HISTORY = "metrics.jsonl"
_MANIFEST = "artifacts.json"
_OUT = "artifacts.dvc"
_CONFIG = ".dvc/config"
_PATCH = "source.patch"
_REQUIREMENTS = "requirements.txt"


def to_files(files: RunFiles) -> dict[str, bytes]:
    """Format a run's files.

    Returns:
        Path on the branch to bytes. Files without content are left out.
    """
    info = files.record.run.info
    contents = {
        RECORD: records.run_to_json(files.record),
        _HISTORY: records.history_to_jsonl(files.history),
        _PATCH: files.patch,
        _REQUIREMENTS: files.requirements,
    }
    if files.artifacts:
        contents[_MANIFEST] = manifest.to_json(files.artifacts)
        contents[_OUT] = manifest.dvc_file(files.artifacts)
        contents[_CONFIG] = files.remote_config
    folder = records.run_folder(info.experiment_id, info.run_id)
    return {f"{folder}/{name}": data for name, data in contents.items() if data}


def from_files(read: Callable[[str], bytes | None], folder: str) -> RunFiles | None:
    """Read a run's files.

    Args:
        read: Gives the bytes of a path on the branch, None where there is none.
        folder: The run's folder on the branch.

    Returns:
        The run, or None if it has no record.

    Raises:
        StoreError: A file of it is malformed.
    """
    record = read(f"{folder}/{RECORD}")
    if record is None:
        return None
    listed = read(f"{folder}/{_MANIFEST}")
    return RunFiles(
        record=records.run_from_json(record, f"{folder}/{RECORD}"),
        history=records.history_from_jsonl(read(f"{folder}/{_HISTORY}") or b"", _HISTORY),
        artifacts=tuple(manifest.parse(listed)) if listed else (),
        patch=read(f"{folder}/{_PATCH}") or b"",
        requirements=read(f"{folder}/{_REQUIREMENTS}") or b"",
        remote_config=read(f"{folder}/{_CONFIG}") or b"",
    )


def changed(new: Mapping[str, bytes], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """Keep the files whose bytes differ from what ``read`` gives."""
    return {path: data for path, data in new.items() if read(path) != data}
