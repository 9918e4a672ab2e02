"""Merge two trees of the branch, file by file. Pure but for reading blobs.

Anybody may have pushed anything, so every rule has to give the same tree from either side, or
clones would never agree:

- records are joined (``formats/joins.py``); one that cannot be read yields to one that can, and if
  a newer gitml wrote one, that of the higher schema stays: the other is in the branch's history;
- of other files that differ the greater bytes stay, of ``.dvc/config`` the shared remote's;
- links, submodules and executable files, which gitml never writes, do not survive a difference;
- where one side has a file and the other a folder, a file of gitml's own wins, else the folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from gitml.errors import SchemaTooNew, StoreError
from gitml.formats import (
    joins,
    limits,
    metric_history,
    model_records,
    run_folder,
    run_records,
)
from gitml.formats.run_records import RunFiles
from gitml.git import REGULAR, Blob, Change

Read = Callable[[str], bytes | None]
_PLAIN = "100644"
_Record = TypeVar("_Record")


def merged(
    changes: Sequence[Change], read: Read, local: str, remote: str
) -> tuple[dict[str, bytes | Blob | None], int]:
    """Return what a merge writes on top of the local tree.

    Args:
        changes: Difference from the local tree to the remote one.
        read: Returns a blob by id or by ``<rev>:<path>``.
        local: The local commit.
        remote: The remote commit.

    Returns:
        Path to content of every file that differs from the local one (None removes it), and how
        many runs were joined. No record is ever removed: what only this clone has stays.
    """
    runs = _shared_runs(changes)
    files: dict[str, bytes | Blob | None] = {}
    unchanged: set[str] = set()
    joined = 0
    for change in changes:
        if _run_folder(change.path) in runs:
            continue
        if change.new is None and change.old_mode == _PLAIN:
            unchanged.add(change.path)
        else:
            files[change.path] = _merged_file(change, read)
    for folder, in_run in sorted(runs.items()):
        files.update(_merged_run(in_run, read, local, remote, folder))
        joined += any(change.path == f"{folder}/{run_folder.RECORD}" for change in in_run)
    written = {path for path, data in files.items() if data is not None}
    files |= dict.fromkeys(_clashes(unchanged | written))
    absent = {change.path for change in changes if change.old is None}
    return {p: data for p, data in files.items() if data is not None or p not in absent}, joined


def removes_records(changes: Iterable[Change]) -> bool:
    """Return True if a difference removes what gitml only ever adds: another tool made it.

    Such a commit is merged, even on top of the local one, so that what it removed comes back.
    """
    return any(change.new is None and _is_record(change.path) for change in changes)


def _clashes(paths: set[str]) -> set[str]:
    """Return the files that have to be removed from those that cannot be in one tree."""
    removed = set()
    for path in paths:
        for parent in _parents(path):
            if parent in paths:
                removed.add(path if _is_record(parent) else parent)
    return removed


def _parents(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_record(path: str) -> bool:
    """Return True if gitml itself writes a file of that name."""
    run = run_records.parse_run_path(path)
    if run:
        return run[2] in run_folder.NAMES
    experiment = path.startswith("experiments/") and path.count("/") == 1
    return (
        (experiment and path.endswith(".json"))
        or model_records.parse_model_path(path) is not None
        or path in (".dvc/config", ".dvcignore", "README.md")
    )


# Runs -------------------------------------------------------------------------------------------


def _run_folder(path: str) -> str | None:
    parsed = run_records.parse_run_path(path)
    return run_records.run_folder(parsed[0], parsed[1]) if parsed else None


def _shared_runs(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """Group the changes in folders of runs that both sides have, by folder."""
    by_folder: dict[str, list[Change]] = {}
    new_or_removed = set()
    for change in changes:
        folder = _run_folder(change.path)
        if folder is None:
            continue
        by_folder.setdefault(folder, []).append(change)
        if change.path == f"{folder}/{run_folder.RECORD}" and None in (change.old, change.new):
            new_or_removed.add(folder)
    return {folder: item for folder, item in by_folder.items() if folder not in new_or_removed}


def _merged_run(
    changes: Sequence[Change], read: Read, local: str, remote: str, folder: str
) -> dict[str, bytes | Blob | None]:
    """Join the files of a run; what cannot be read of one side counts as absent."""
    try:
        sides = [_Side(read, rev, folder) for rev in (local, remote)]
    except SchemaTooNew:
        return {change.path: _merged_file(change, read) for change in changes}
    records = [side.record for side in sides if side.record]
    if not records:
        return {change.path: _merged_file(change, read) for change in changes}
    runs = (
        RunFiles(
            record=side.record or records[0],
            history=side.history,
            artifacts=side.artifacts,
            patch=side.data(run_folder.PATCH),
            requirements=side.data(run_folder.REQUIREMENTS),
            remote_config=side.data(run_folder.CONFIG),
        )
        for side in sides
    )
    joined = run_folder.to_files(joins.join_runs(*runs))
    if any(map(_is_unreadable, joined, joined.values())):  # of more clones than a record has room
        return {change.path: _merged_file(change, read) for change in changes}
    derived = {f"{folder}/{name}" for name in run_folder.DERIVED}
    rest = {
        change.path: None if change.path in derived else _merged_file(change, read)
        for change in changes if change.path not in joined
    }  # fmt: skip
    return {**rest, **joined}


def _is_unreadable(path: str, data: bytes) -> bool:
    record = path.endswith(f"/{run_folder.RECORD}")
    return len(data) > (limits.READ_RECORD if record else limits.READ_FILE)


class _Side:
    """The files of a run as of a commit, as far as they can be read."""

    def __init__(self, read: Read, rev: str, folder: str) -> None:
        self._read, self._folder, self._rev = read, folder, rev
        self.record = _readable(self._record)
        self.history = _readable(
            lambda: metric_history.from_jsonl(self.data(run_folder.HISTORY), run_folder.HISTORY)
        ) or ()  # fmt: skip
        self.artifacts = tuple(
            _readable(lambda: run_folder.artifacts(self.data(run_folder.MANIFEST))) or ()
        )

    def data(self, name: str) -> bytes:
        try:
            return self._read(f"{self._rev}:{self._folder}/{name}") or b""
        except StoreError:  # too large to be read
            return b""

    def _record(self) -> run_records.Record:
        record = run_records.run_from_json(
            self.data(run_folder.RECORD), f"{self._folder}/{run_folder.RECORD}"
        )
        info = record.run.info
        if run_records.run_folder(info.experiment_id, info.run_id) != self._folder:
            raise StoreError(f"{self._folder} holds run {info.run_id}.")
        return record


# Files ------------------------------------------------------------------------------------------


def _merged_file(change: Change, read: Read) -> bytes | Blob | None:
    """Return what becomes of a file that differs; None if it cannot stay."""
    local = change.old if change.old_mode in REGULAR else None
    remote = change.new if change.new_mode in REGULAR else None
    if local is None or remote is None:
        only = remote or local
        return Blob(only) if only else None
    try:
        return _joined_file(change.path, read(local) or b"", read(remote) or b"")
    except StoreError:  # too large to be read
        return Blob(max(local, remote))


def _joined_file(path: str, local: bytes, remote: bytes) -> bytes:
    model = model_records.parse_model_path(path)
    if path.startswith("experiments/"):
        return _joined(
            local, remote,
            lambda data: _experiment(data, path),
            joins.join_experiments,
            run_records.experiment_to_json,
        )  # fmt: skip
    if model and model[1] is None:
        return _joined(
            local, remote,
            model_records.model_from_json,
            model_records.join_models,
            model_records.model_to_json,
        )  # fmt: skip
    if model:
        return _joined(
            local, remote,
            lambda data: _version(data, path, model[1]),
            model_records.join_versions,
            model_records.version_to_json,
        )  # fmt: skip
    if path.endswith(".dvc/config"):
        return joins.join_remote_configs(local, remote)
    return _newer(local, remote)


def _joined(
    local: bytes,
    remote: bytes,
    parse: Callable[[bytes], _Record],
    join: Callable[[_Record, _Record], _Record],
    write: Callable[[_Record], bytes],
) -> bytes:
    """Join two records; one that cannot be read yields to one that can."""
    try:
        left, right = _readable(lambda: parse(local)), _readable(lambda: parse(remote))
    except SchemaTooNew:
        return _newer(local, remote)
    if left is not None and right is not None:
        joined = write(join(left, right))
        return joined if len(joined) <= limits.READ_RECORD else max(local, remote)
    if left is None and right is None:
        return max(local, remote)
    return local if right is None else remote


def _newer(local: bytes, remote: bytes) -> bytes:
    """Return the record of the higher schema of two that this gitml cannot join."""
    return max(local, remote, key=lambda data: (_schema(data), data))


def _schema(data: bytes) -> int:
    try:
        schema = json.loads(data)["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return schema if type(schema) is int else 0


def _experiment(data: bytes, path: str) -> run_records.ExperimentRecord:
    record = run_records.experiment_from_json(data, path)
    if run_records.experiment_path(record.experiment.experiment_id) != path:
        raise StoreError(f"{path} holds another experiment.")
    return record


def _version(data: bytes, path: str, number: int | None) -> model_records.VersionRecord:
    record = model_records.version_from_json(data, path)
    if record.version != number:
        raise StoreError(f"{path} holds version {record.version}.")
    return record


def _readable(parse: Callable[[], _Record]) -> _Record | None:
    try:
        return parse()
    except SchemaTooNew:
        raise
    except StoreError:
        return None
