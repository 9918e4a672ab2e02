"""Hides how two trees of the branch become one, file by file. Pure but for reading blobs.

Anybody may have pushed anything, so every rule has to give the same tree from either side, or
clones would never come to rest:

- records are joined (``merge.py``); one that cannot be read yields to one that can, and where a
  newer gitml wrote one, that of the higher schema stays: the other is in the branch's history;
- of other files that differ the greater bytes stay, of ``.dvc/config`` the shared remote's;
- links, submodules and executable files, which gitml never writes, do not survive a difference;
- where one side has a file and the other a folder, a file of gitml's own wins, else the folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from gitml.errors import SchemaTooNew, StoreError
from gitml.formats import joins, metric_history, model_records, run_folder, run_records
from gitml.formats.run_records import RunFiles
from gitml.git import REGULAR, Blob, Change

Read = Callable[[str], bytes | None]
_PLAIN = "100644"
_Record = TypeVar("_Record")


def merged(
    changes: Sequence[Change], read: Read, ours: str, theirs: str
) -> tuple[dict[str, bytes | Blob | None], int]:
    """Work out what a merge writes on top of our tree.

    Args:
        changes: Difference from our tree to theirs.
        read: Gives a blob by id or by ``<rev>:<path>``.
        ours: Our commit.
        theirs: Their commit.

    Returns:
        Path to content of every file that differs from ours (None removes one), and how many runs
        were joined. No record is ever removed: what only we have stays.
    """
    places = _shared_runs(changes)
    files: dict[str, bytes | Blob | None] = {}
    kept: set[str] = set()
    joined = 0
    for change in changes:
        if _run_folder(change.path) in places:
            continue
        if change.new is None and change.old_mode == _PLAIN:
            kept.add(change.path)
        else:
            files[change.path] = _merged_file(change, read)
    for where, here in sorted(places.items()):
        files.update(_merged_run(here, read, ours, theirs, where))
        joined += any(change.path == f"{where}/{run_folder.RECORD}" for change in here)
    files |= dict.fromkeys(_in_the_way({*kept, *(p for p, d in files.items() if d is not None)}))
    absent = {change.path for change in changes if change.old is None}
    return {p: data for p, data in files.items() if data is not None or p not in absent}, joined


def removes_records(changes: Iterable[Change]) -> bool:
    """Tell whether a difference takes away what gitml only ever adds: somebody else made it.

    Such a commit is merged, even on top of ours, so that what it removed comes back.
    """
    return any(change.new is None and _is_record(change.path) for change in changes)


def _in_the_way(paths: set[str]) -> set[str]:
    """Of files that cannot be in one tree, those that have to go."""
    gone = set()
    for path in paths:
        for folder_ in _parents(path):
            if folder_ in paths:
                gone.add(path if _is_record(folder_) else folder_)
    return gone


def _parents(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_record(path: str) -> bool:
    """Tell whether gitml itself writes a file of that name."""
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
    place = run_records.parse_run_path(path)
    return run_records.run_folder(place[0], place[1]) if place else None


def _shared_runs(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """Changes in the folders of runs that both sides have, by folder."""
    found: dict[str, list[Change]] = {}
    one_sided = set()
    for change in changes:
        where = _run_folder(change.path)
        if where is None:
            continue
        found.setdefault(where, []).append(change)
        if change.path == f"{where}/{run_folder.RECORD}" and None in (change.old, change.new):
            one_sided.add(where)
    return {where: here for where, here in found.items() if where not in one_sided}


def _merged_run(
    here: Sequence[Change], read: Read, ours: str, theirs: str, where: str
) -> dict[str, bytes | Blob | None]:
    """Join a run; what cannot be read of one side counts as absent."""
    try:
        sides = [_Side(read, rev, where) for rev in (ours, theirs)]
    except SchemaTooNew:
        return {change.path: _merged_file(change, read) for change in here}
    known = [side.record for side in sides if side.record]
    if not known:
        return {change.path: _merged_file(change, read) for change in here}
    runs = (
        RunFiles(
            record=side.record or known[0],
            history=side.history,
            artifacts=side.artifacts,
            patch=side.data(run_folder.PATCH),
            requirements=side.data(run_folder.REQUIREMENTS),
            remote_config=side.data(run_folder.CONFIG),
        )
        for side in sides
    )
    joined = run_folder.to_files(joins.join_runs(*runs))
    derived = {f"{where}/{name}" for name in run_folder.DERIVED}
    rest = {
        change.path: None if change.path in derived else _merged_file(change, read)
        for change in here if change.path not in joined
    }  # fmt: skip
    return {**rest, **joined}


class _Side:
    """The files of a run as of a commit, as far as they can be read."""

    def __init__(self, read: Read, rev: str, where: str) -> None:
        self._read, self._folder, self._rev = read, where, rev
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
    """What becomes of a file that differs; None where it cannot stay."""
    ours = change.old if change.old_mode in REGULAR else None
    theirs = change.new if change.new_mode in REGULAR else None
    if ours is None or theirs is None:
        only = theirs or ours
        return Blob(only) if only else None
    try:
        return _joined_file(change.path, read(ours) or b"", read(theirs) or b"")
    except StoreError:  # too large to be read
        return Blob(max(ours, theirs))


def _joined_file(path: str, ours: bytes, theirs: bytes) -> bytes:
    model = model_records.parse_model_path(path)
    if path.startswith("experiments/"):
        return _joined(
            ours, theirs,
            lambda data: _experiment(data, path),
            joins.join_experiments,
            run_records.experiment_to_json,
        )  # fmt: skip
    if model and model[1] is None:
        return _joined(
            ours, theirs,
            model_records.model_from_json,
            model_records.join_models,
            model_records.model_to_json,
        )  # fmt: skip
    if model:
        return _joined(
            ours, theirs,
            lambda data: _version(data, path, model[1]),
            model_records.join_versions,
            model_records.version_to_json,
        )  # fmt: skip
    if path.endswith(".dvc/config"):
        return joins.join_remote_configs(ours, theirs)
    return _newer(ours, theirs)


def _joined(
    ours: bytes,
    theirs: bytes,
    parse: Callable[[bytes], _Record],
    join: Callable[[_Record, _Record], _Record],
    write: Callable[[_Record], bytes],
) -> bytes:
    """Join two records; one that cannot be read yields to one that can."""
    try:
        one, other = _readable(lambda: parse(ours)), _readable(lambda: parse(theirs))
    except SchemaTooNew:
        return _newer(ours, theirs)
    if one is not None and other is not None:
        return write(join(one, other))
    if one is None and other is None:
        return max(ours, theirs)
    return ours if other is None else theirs


def _newer(ours: bytes, theirs: bytes) -> bytes:
    """Of two records that this gitml cannot join, the one of the higher schema."""
    return max(ours, theirs, key=lambda data: (_schema(data), data))


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
