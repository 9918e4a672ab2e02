"""Merge a commit into the branch of records, and bring back a branch that lost commits.

Records are only ever added, so those of a branch are not given up because somebody deleted it or
set it back: a ref of this clone alone remembers its newest commit (``Branch.last_ref``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gitml.errors import Conflict
from gitml.formats import run_folder
from gitml.git import Change, Files, RefUpdate
from gitml.store.branch import Branch
from gitml.store.exchange.tree_merge import merged, removes_records

_ATTEMPTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge brought.

    Attributes:
        runs: Runs that the branch did not have.
        joined: Runs that both sides had changed.
        changed: Whether the branch moved.
    """

    runs: int = 0
    joined: int = 0
    changed: bool = False


def merge(branch: Branch, commit: str, source: str) -> Merged:
    """Merge a commit of records into the branch, again if the branch moves meanwhile.

    Args:
        branch: The branch.
        commit: The commit.
        source: Where it comes from, for the message of a commit.

    Raises:
        Conflict: The branch kept moving.
    """
    for _ in range(_ATTEMPTS):
        try:
            result = _forward(branch, commit)
        except Conflict:  # a run ended, or another process pulled, just now
            continue
        return result if result is not None else _join(branch, commit, source)
    raise Conflict(
        f"Branch {branch.name} keeps changing; another process is writing to it.",
        hint="Try again.",
    )


def _forward(branch: Branch, commit: str) -> Merged | None:
    """Move the branch to a commit that has all it has; None if they have to be joined.

    Raises:
        Conflict: The branch moved meanwhile.
    """
    repo = branch.repo
    local = repo.ref(branch.ref)
    if local == commit or (local and repo.is_ancestor(commit, local)):
        return Merged()
    if local and not repo.is_ancestor(local, commit):
        return None
    changes = repo.diff(local, commit)
    if local and removes_records(changes):
        return None
    repo.update_refs(branch.move(commit, local))
    return Merged(runs=len(new_runs(changes)), changed=True)


def _join(branch: Branch, commit: str, source: str) -> Merged:
    """Merge record by record, in one commit."""
    result = Merged()

    def make(tip: str | None) -> tuple[Files, str]:
        nonlocal result
        if tip is None or tip == commit:
            return {}, ""
        changes = branch.repo.diff(tip, commit, exact=True)
        files, joined = merged(changes, branch.repo.read, tip, commit)
        runs = len(new_runs(changes))
        result = Merged(runs=runs, joined=joined, changed=True)
        return files, f"merge {source}: {runs} new runs, {joined} joined\n"

    branch.update(make, also_parent=commit)
    return result


def new_runs(changes: Iterable[Change]) -> list[str]:
    """Return the records of runs that a difference adds."""
    return [
        change.path
        for change in changes
        if change.old is None and change.path.endswith(f"/{run_folder.RECORD}")
    ]


def restore(branch: Branch) -> None:
    """Bring back the commits that the branch had in this clone and has lost; says so.

    Raises:
        StoreError: The repository cannot be written.
        Conflict: The branch kept moving.
    """
    last, local = branch.last(), branch.repo.ref(branch.ref)
    if last is None or last == local:
        return
    if local and branch.repo.is_ancestor(last, local):  # git itself moved it forward
        branch.repo.update_refs([RefUpdate(name=branch.last_ref, new=local, old=last)])
        return
    merge(branch, last, "what was here before")
    branch.warn_of_restoring(was_deleted=local is None)
