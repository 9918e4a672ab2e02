"""Convert a run to the files of its folder on the branch, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitml.entities import Artifact
from gitml.formats import manifest, metric_history, run_records
from gitml.formats.run_records import RunFiles

RECORD = "run.json"
HISTORY = "metrics.jsonl"
MANIFEST = "artifacts.json"
OUT = "artifacts.dvc"
CONFIG = ".dvc/config"
PATCH = "source.patch"
REQUIREMENTS = "requirements.txt"
DERIVED = (RECORD, HISTORY, MANIFEST, OUT)  # a join writes these from what it read
NAMES = (*DERIVED, CONFIG, PATCH, REQUIREMENTS)


def to_files(files: RunFiles) -> dict[str, bytes]:
    """Format a run's files.

    Returns:
        Content by path on the branch; without files that would be empty.
    """
    info = files.record.run.info
    contents = {
        RECORD: run_records.run_to_json(files.record),
        HISTORY: metric_history.to_jsonl(files.history),
        PATCH: files.patch,
        REQUIREMENTS: files.requirements,
    }
    if files.artifacts:
        contents[MANIFEST] = manifest.to_json(files.artifacts)
        contents[OUT] = manifest.dvc_file(files.artifacts)
        contents[CONFIG] = files.remote_config
    folder = run_records.run_folder(info.experiment_id, info.run_id)
    return {f"{folder}/{name}": data for name, data in contents.items() if data}


def from_files(
    read: Callable[[str], bytes | None], folder: str, *, history: bool = True
) -> RunFiles | None:
    """Read a run's files.

    Args:
        read: Returns the content of a path on the branch, None if there is no file.
        folder: The run's folder on the branch.
        history: Read the points of its metrics, too, of which there may be millions.

    Returns:
        The run, or None if it has no record.

    Raises:
        StoreError: A file of it is malformed.
    """
    record = read(f"{folder}/{RECORD}")
    if record is None:
        return None
    return RunFiles(
        record=run_records.run_from_json(record, f"{folder}/{RECORD}"),
        history=metric_history.from_jsonl(
            (read(f"{folder}/{HISTORY}") if history else None) or b"", HISTORY
        ),
        artifacts=artifacts(read(f"{folder}/{MANIFEST}") or b""),
        patch=read(f"{folder}/{PATCH}") or b"",
        requirements=read(f"{folder}/{REQUIREMENTS}") or b"",
        remote_config=read(f"{folder}/{CONFIG}") or b"",
    )


def artifacts(data: bytes) -> tuple[Artifact, ...]:
    """Read ``artifacts.json``; an absent file is empty.

    Raises:
        StoreError: It is malformed.
    """
    return tuple(manifest.parse(data)) if data else ()


def changed(new: Mapping[str, bytes], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """Return the files whose content differs from what ``read`` returns."""
    return {path: data for path, data in new.items() if read(path) != data}
