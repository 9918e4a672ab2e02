"""Commit thousands of runs with one git process and few commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import unquote

from gitml.formats import joins, limits, run_folder, run_records
from gitml.formats.commit_messages import commit_message
from gitml.formats.run_records import RunFiles
from gitml.store.branch import Branch, RecordCommit
from gitml.text import single_line

_MAX_RUNS = 5_000  # given to one git process; all of them are in memory at once
_MAX_POINTS = 500_000  # metric points in them
_COMMIT_RUNS = 500  # of one commit: git writes one while the next is put together
_COMMIT_POINTS = 100_000


def add(branch: Branch, runs: Iterable[RunFiles]) -> int:
    """Commit runs, some thousands at a time; a run that is on the branch already is joined.

    Returns:
        The number of runs.

    Raises:
        TooLarge: One of them could not be read; those before it are committed.
    """
    count = 0
    for portion in _portions(runs, _MAX_RUNS, _MAX_POINTS):
        count += len(portion)
        for run in portion:
            size = len(run_records.run_to_json(run.record))
            limits.check_record(f"Run {_id(run)}", size)
        commit(branch, portion.__iter__)
    return count


def commit(
    branch: Branch, make: Callable[[], Iterable[RunFiles]], uncommitted: Collection[str] = ()
) -> None:
    """Commit runs, all or none; git writes them while the next ones are prepared.

    Args:
        branch: Where they go.
        make: Returns the runs; called again if another writer was first, and always in the
            branch's lock, so that it must be quick.
        uncommitted: Ids of runs that cannot be on the branch yet.
    """
    branch.append_commits(lambda tip: _commits(branch, make(), uncommitted, tip))


def _portions(runs: Iterable[RunFiles], most: int, points: int) -> Iterator[list[RunFiles]]:
    portion: list[RunFiles] = []
    remaining = points
    for run in runs:
        portion.append(run)
        remaining -= len(run.history)
        if len(portion) >= most or remaining <= 0:
            yield portion
            portion, remaining = [], points
    if portion:
        yield portion


def _commits(
    branch: Branch, runs: Iterable[RunFiles], uncommitted: Collection[str], tip: str | None
) -> Iterator[RecordCommit]:
    config = branch.remote_config(tip)
    for portion in _portions(runs, _COMMIT_RUNS, _COMMIT_POINTS):
        existing = _existing(branch, [run for run in portion if _id(run) not in uncommitted], tip)
        files: dict[str, bytes | None] = {}
        for run in portion:
            before = None if _id(run) in uncommitted else next(existing)
            if run.artifacts and not run.remote_config:
                run = replace(run, remote_config=config)
            if before is None:
                files.update(run_folder.to_files(run))
            else:
                new = run_folder.to_files(joins.join_runs(before, run))
                files.update(run_folder.changed(new, lambda path: branch.read(path, tip)))
        if files:
            yield RecordCommit(files=files, message=_message(portion))


def _existing(
    branch: Branch, runs: Sequence[RunFiles], tip: str | None
) -> Iterator[RunFiles | None]:
    """Yield what the branch has of every run; None if it has nothing."""
    folders = [_folder_of(run) for run in runs]
    names = [f"{tip}:{folder}/{run_folder.RECORD}" for folder in folders] if tip else []
    present = branch.repo.present(names) if tip else [False] * len(runs)
    for folder, exists in zip(folders, present, strict=True):
        yield run_folder.from_files(lambda path: branch.read(path, tip), folder) if exists else None


def _id(run: RunFiles) -> str:
    return run.record.run.info.run_id


def _folder_of(run: RunFiles) -> str:
    info = run.record.run.info
    return run_records.run_folder(info.experiment_id, info.run_id)


def _message(runs: Sequence[RunFiles]) -> str:
    if len(runs) == 1:
        return commit_message(runs[0].record.run)
    infos = [run.record.run.info for run in runs]
    states = Counter(info.status.lower() for info in infos)
    counts = ", ".join(f"{n:,} {state}" for state, n in states.most_common())
    lines = [f"{len(runs):,} runs: {counts}", ""]
    for experiment, number in Counter(info.experiment_id for info in infos).most_common(20):
        lines.append(f"{single_line(unquote(experiment), 60)}: {number:,} runs")
    return "\n".join(lines) + "\n"
