"""Hides how two clones exchange records and tags through a git remote, without a checkout.

The branch is merged record by record (``merge.py``), so no state of two clones can conflict. Refs
are pushed by compare-and-swap: where another clone was first, its records are merged and the push
is repeated after a random, growing pause.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gitml.errors import Conflict, InvalidInput, StoreError
from gitml.git import Change, RefUpdate
from gitml.store import folder, merge, model_records, records
from gitml.store.branch import Blob, Branch, Files

_ATTEMPTS = 12
_FIRST_PAUSE = 0.05  # s; doubles with each lost race, times a random factor


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeReport:
    """What was moved.

    Attributes:
        runs: Runs that the receiving side did not have.
        joined: Runs that both sides had changed.
        tags: Tags that the receiving side did not have.
        changed: Whether anything was moved at all.
    """

    runs: int = 0
    joined: int = 0
    tags: int = 0
    changed: bool = False


class Exchange:
    """The traffic of one clone with one git remote.

    Args:
        branch: The branch of this clone.
        remote: Name of the git remote.
        is_ours: Tells a tag of the registry from the user's other tags.

    Raises:
        InvalidInput: There is no such git remote.
    """

    def __init__(self, branch: Branch, remote: str, is_ours: Callable[[str], bool]) -> None:
        self._branch = branch
        self._git = branch.repo
        self._remote = remote
        self._is_ours = is_ours
        if remote not in self._git.remotes():
            raise InvalidInput(
                f"There is no git remote named {remote!r}.",
                hint=f"Add it with `git remote add {remote} URL`.",
            )

    def pull(self) -> ExchangeReport:
        """Bring the remote's records and tags into this clone.

        Raises:
            StoreError: The remote does not answer.
            Conflict: A tag means different things on both sides.
        """
        theirs, tags = self._fetch()
        report = self._merge(theirs) if theirs else ExchangeReport()
        return ExchangeReport(
            runs=report.runs,
            joined=report.joined,
            tags=tags,
            changed=report.changed or bool(tags),
        )

    def push(self) -> ExchangeReport:
        """Bring this clone's records and tags to the remote, merging the remote's first.

        Raises:
            StoreError: The remote does not answer or refuses.
            Conflict: A tag means different things on both sides, or the race was lost too often.
        """
        pause = _FIRST_PAUSE
        for _ in range(_ATTEMPTS):
            theirs, _ = self._fetch()
            if theirs:
                self._merge(theirs)
            try:
                return self._send(theirs)
            except Conflict:
                time.sleep(pause * (0.5 + random.random()))
                pause *= 2
        raise Conflict(
            f"Other clones pushed to {self._remote!r} again and again.",
            hint="Everything is safe here; repeat `gitml push`.",
        )

    def _send(self, theirs: str | None) -> ExchangeReport:
        ours = self._branch.tip()
        known = self._git.remote_refs(self._remote, "refs/tags/*")
        mine = self._tags()
        new = sorted(name for name in mine if name not in known)
        refspecs = [f"{name}:{name}" for name in new]
        if ours and ours != theirs:
            refspecs.insert(0, f"{ours}:{self._branch.ref}")
        if not refspecs:
            return ExchangeReport()
        self._git.push(self._remote, *refspecs)
        self._note_tracking(ours)
        runs = len(_new_runs(self._git.diff(theirs, ours))) if ours and ours != theirs else 0
        return ExchangeReport(runs=runs, tags=len(new), changed=True)

    def _note_tracking(self, ours: str | None) -> None:
        """Say what `git push` cannot know when a bare commit id was pushed."""
        old = self._git.ref(self._branch.tracking_ref)
        if ours and ours != old:
            update = RefUpdate(name=self._branch.tracking_ref, new=ours, old=old)
            self._git.update_refs([update])

    def _tags(self) -> dict[str, str]:
        """Full names and ids of this clone's registry tags."""
        return {f"refs/tags/{t.name}": t.oid for t in self._git.tags() if self._is_ours(t.name)}

    def _fetch(self) -> tuple[str | None, int]:
        """Fetch the remote's branch and its registry tags.

        Returns:
            The remote's tip, None if it has no such branch, and the number of new tags.
        """
        there = self._git.remote_refs(self._remote, self._branch.ref, "refs/tags/*")
        theirs = there.pop(self._branch.ref, None)
        mine = self._tags()
        wanted = {n: oid for n, oid in there.items() if self._is_ours(n.removeprefix("refs/tags/"))}
        clashing = [n for n, oid in wanted.items() if n in mine and mine[n] != oid]
        if clashing:
            names = ", ".join(name.removeprefix("refs/tags/") for name in sorted(clashing)[:5])
            raise Conflict(
                f"Tag {names} means something else on {self._remote!r} than in this clone.",
                hint="Look at both with `git show` and `git ls-remote --tags`, then delete yours "
                "with `git tag -d` and register again.",
            )
        new = sorted(name for name in wanted if name not in mine)
        refspecs = [f"{name}:{name}" for name in new]
        if theirs and theirs != self._git.ref(self._branch.tracking_ref):
            refspecs.append(f"+{self._branch.ref}:{self._branch.tracking_ref}")
        if refspecs:
            self._git.fetch(self._remote, *refspecs)
        return theirs, len(new)

    def _merge(self, theirs: str) -> ExchangeReport:
        """Merge a fetched tip into this clone's branch."""
        report = ExchangeReport()

        def make(tip: str | None) -> tuple[Files, str]:
            nonlocal report
            if tip is None or tip == theirs:
                return {}, ""
            changes = self._git.diff(tip, theirs)
            files, joined = merged(changes, self._git.read, tip, theirs)
            runs = len(_new_runs(changes))
            report = ExchangeReport(runs=runs, joined=joined, changed=True)
            return files, f"merge {self._remote}: {runs} new runs, {joined} joined\n"

        had = self._git.ref(self._branch.ref)
        if had is None:  # a fresh clone: its branch starts where the remote's is
            self._git.update_refs([RefUpdate(name=self._branch.ref, new=theirs, old=None)])
            runs = len(_new_runs(self._git.diff(None, theirs)))
            return ExchangeReport(runs=runs, changed=True)
        if had == theirs or self._git.is_ancestor(theirs, had):
            return report
        if self._git.is_ancestor(had, theirs):
            runs = len(_new_runs(self._git.diff(had, theirs)))
            self._git.update_refs([RefUpdate(name=self._branch.ref, new=theirs, old=had)])
            return ExchangeReport(runs=runs, changed=True)
        self._branch.update(make, also_parent=theirs)
        return report


def merged(
    changes: list[Change],
    read: Callable[[str], bytes | None],
    ours: str,
    theirs: str,
) -> tuple[dict[str, bytes | Blob | None], int]:
    """Work out what a merge writes on top of our tree.

    Args:
        changes: Difference from our tree to theirs.
        read: Gives a blob by id or by ``<rev>:<path>``.
        ours: Our commit.
        theirs: Their commit.

    Returns:
        Path to content of every file that differs from ours, and how many runs were joined.
        Nothing is ever removed: what only we have stays, also where they have a file in the place
        of a folder of ours. Links, submodules and paths that git would not check out are left out.
    """
    files: dict[str, bytes | Blob | None] = {}
    joined = 0
    folders: set[str] = set()
    ours_below = {folder for one in changes if one.old for folder in _parents(one.path)}
    for change in changes:
        if change.new is None or not _is_welcome(change, ours_below):
            continue
        if change.old is None:
            files[change.path] = Blob(change.new)
            continue
        place = records.parse_run_path(change.path)
        if place:
            folders.add(records.run_folder(place[0], place[1]))
        files[change.path] = _joined(change, read)
    for where in sorted(folders):
        both = [_run_at(read, rev, where) for rev in (ours, theirs)]
        if both[0] and both[1]:
            files.update(folder.to_files(merge.join_runs(both[0], both[1])))
            joined += 1
    return files, joined


def _is_welcome(change: Change, folders: Collection[str]) -> bool:
    odd = any(part.lower() in ("", ".", "..", ".git") for part in change.path.split("/"))
    return change.regular and not odd and change.path not in folders


def _parents(path: str) -> list[str]:
    return [path[:at] for at, char in enumerate(path) if char == "/"]


def _joined(change: Change, read: Callable[[str], bytes | None]) -> bytes | Blob:
    """Join one file that both sides have; of two that are too large the greater id wins."""
    assert change.old and change.new
    try:
        ours, theirs = read(change.old), read(change.new)
    except StoreError:
        return Blob(max(change.old, change.new))
    if ours is None:  # a link or a submodule
        return Blob(change.new)
    return _joined_file(change.path, ours, theirs or b"")


def _run_at(read: Callable[[str], bytes | None], rev: str, where: str) -> records.RunFiles | None:
    """A run as of a commit; None where somebody pushed one that cannot be read."""
    try:
        return folder.from_files(lambda path: read(f"{rev}:{path}"), where)
    except StoreError:
        return None


def _joined_file(path: str, ours: bytes, theirs: bytes) -> bytes:
    """Join one file that both sides have; of two that cannot be read the greater bytes win."""
    try:
        if path.startswith("experiments/"):
            return records.experiment_to_json(
                merge.join_experiments(
                    records.experiment_from_json(ours), records.experiment_from_json(theirs)
                )
            )
        model = model_records.parse_model_path(path)
        if model:
            return _joined_model(model[1] is None, ours, theirs)
    except StoreError:
        return max(ours, theirs)
    if path.endswith(".dvc/config"):
        return merge.join_remote_configs(ours, theirs)
    return max(ours, theirs)


def _joined_model(whole: bool, ours: bytes, theirs: bytes) -> bytes:
    """Join a model's file, or that of one of its versions."""
    if whole:
        models = (model_records.model_from_json(data) for data in (ours, theirs))
        return model_records.model_to_json(model_records.join_models(*models))
    versions = (model_records.version_from_json(data) for data in (ours, theirs))
    return model_records.version_to_json(model_records.join_versions(*versions))


def _new_runs(changes: list[Change]) -> list[str]:
    return [
        change.path
        for change in changes
        if change.old is None and change.path.endswith(f"/{folder.RECORD}")
    ]
