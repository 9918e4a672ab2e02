"""Hides how thousands of runs get onto the branch with one process and few commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import unquote

from gitml.store import folder, merge, records
from gitml.store.branch import Branch, Commit
from gitml.store.message import commit_message, one_line
from gitml.store.records import RunFiles

_MAX_RUNS = 5_000  # given to one git process; all of them are in memory at once
_MAX_POINTS = 500_000  # metric points in them
_COMMIT = 500  # runs of one commit: git writes one while the next is put together


def add(branch: Branch, runs: Iterable[RunFiles]) -> int:
    """Commit runs, some thousands at a time; one that is on the branch already is joined with.

    Returns:
        How many were given.
    """
    count = 0
    for portion in _portions(runs):
        count += len(portion)
        branch.update_many(partial(_commits, branch, portion))
    return count


def _portions(runs: Iterable[RunFiles]) -> Iterator[list[RunFiles]]:
    portion: list[RunFiles] = []
    points = 0
    for run in runs:
        portion.append(run)
        points += len(run.history)
        if len(portion) >= _MAX_RUNS or points >= _MAX_POINTS:
            yield portion
            portion, points = [], 0
    if portion:
        yield portion


def _commits(branch: Branch, runs: Sequence[RunFiles], tip: str | None) -> Iterator[Commit]:
    config = branch.remote_config(tip)
    known = _known(branch, runs, tip)
    for at in range(0, len(runs), _COMMIT):
        portion = runs[at : at + _COMMIT]
        files: dict[str, bytes | None] = {}
        for run in portion:
            before = next(known)
            if run.artifacts and not run.remote_config:
                run = replace(run, remote_config=config)
            if before is None:
                files.update(folder.to_files(run))
            else:
                new = folder.to_files(merge.join_runs(before, run))
                files.update(folder.changed(new, lambda path: branch.read(path, tip)))
        if files:
            yield Commit(files=files, message=_message(portion))


def _known(branch: Branch, runs: Sequence[RunFiles], tip: str | None) -> Iterator[RunFiles | None]:
    """What the branch has of each run."""
    folders = [_folder_of(run) for run in runs]
    names = [f"{tip}:{where}/{folder.RECORD}" for where in folders] if tip else []
    present = branch.repo.present(names) if tip else [False] * len(runs)
    for where, there in zip(folders, present, strict=True):
        yield folder.from_files(lambda path: branch.read(path, tip), where) if there else None


def _folder_of(run: RunFiles) -> str:
    info = run.record.run.info
    return records.run_folder(info.experiment_id, info.run_id)


def _message(runs: Sequence[RunFiles]) -> str:
    if len(runs) == 1:
        return commit_message(runs[0].record.run)
    infos = [run.record.run.info for run in runs]
    states = Counter(info.status.lower() for info in infos)
    counts = ", ".join(f"{n:,} {state}" for state, n in states.most_common())
    lines = [f"{len(runs):,} runs: {counts}", ""]
    for experiment, number in Counter(info.experiment_id for info in infos).most_common(20):
        lines.append(f"{one_line(unquote(experiment), 60)}: {number:,} runs")
    return "\n".join(lines) + "\n"
