"""Commit files to the branch of records with ``git fast-import``, without a checkout."""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitml.errors import Conflict
from gitml.files import exclusive
from gitml.formats.dvc_config import dvc_config, is_shared, remote_url
from gitml.git import CommitStream, Files, GitRepo, RefUpdate

_README = b"""# Runs of this project

This branch is written by gitml. Each folder below `runs/` is one training run: its record
(`run.json`), the history of its metrics (`metrics.jsonl`) and the DVC entry of its artifacts
(`artifacts.dvc`). `git log` reads like a lab notebook; `gitml ui` shows it as a website.

Please do not edit files here by hand: `gitml` merges this branch between clones.
"""
_logger = logging.getLogger("gitml")
_FIRST_FILES = {"README.md": _README, ".dvcignore": b"/runs\n"}
TEMPORARY = "refs/gitml/tmp"
"""Prefix of refs that hold a commit until the transaction that moves the branch to it."""
LAST = "refs/gitml/last"
"""Prefix of refs that remember the newest commit of a branch; see ``Branch.last_ref``."""
_ATTEMPTS = 200  # enough for the lock of a killed git to expire; see GitRepo


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCommit:
    """One commit to make: files to write (None removes one) and its message."""

    files: Files
    message: str


class Branch:
    """The orphan branch that holds all records of one repository.

    Args:
        repo: The repository.
        name: Branch name, such as ``gitml/runs``.
        remote: The git remote whose branch stands in while this clone has none of its own.
        state: The local state folder, ``<git common dir>/gitml``.
        remote_config: Bytes of the ``.dvc/config`` that names this clone's own folder.

    Attributes:
        ref: Full name of the branch.
        tracking_ref: Full name of the remote's.
        last_ref: A ref of this clone alone, which remembers the branch's newest commit: whoever
            deletes the branch or sets it back loses nothing.
        locks: Folder of the advisory locks.
    """

    def __init__(
        self, repo: GitRepo, name: str, *, remote: str, state: Path, remote_config: bytes
    ) -> None:
        self.repo = repo
        self.name = name
        self.ref = f"refs/heads/{name}"
        self.tracking_ref = f"refs/remotes/{remote}/{name}"
        self.last_ref = f"{LAST}/{name}"
        self.locks = state / "locks"
        self._lock = self.locks / "branch"
        self._own_config = remote_config

    def tip(self) -> str | None:
        """Return the id of the newest commit; a fresh clone has the one it was cloned with."""
        return self.repo.ref(self.ref) or self.repo.ref(self.tracking_ref)

    def last(self) -> str | None:
        """Return the newest commit that the branch is known to have had in this clone."""
        return self.repo.ref(self.last_ref)

    def move(self, new: str | None, old: str | None) -> list[RefUpdate]:
        """Return the updates that move the branch, and what remembers it, in one transaction."""
        updates = [RefUpdate(name=self.ref, new=new, old=old)]
        last = self.last()
        if last in (None, old):
            updates.append(RefUpdate(name=self.last_ref, new=new, old=last))
        return updates

    def read(self, path: str, tip: str | None = None) -> bytes | None:
        """Read one file as of ``tip`` (default: now); None if there is none."""
        tip = tip or self.tip()
        return self.repo.read(f"{tip}:{path}") if tip else None

    def remote_config(self, tip: str | None) -> bytes:
        """Return the ``.dvc/config`` for the runs of this clone.

        It names the shared remote of the branch, and has nothing else of what somebody may have
        pushed. Until there is one, every clone stores the artifacts of its runs in a folder of its
        own, which its runs name.
        """
        pushed = self.read(".dvc/config", tip) if tip else None
        url = remote_url(pushed) if pushed and is_shared(pushed) else None
        return dvc_config(url) if url else self._own_config

    def update(
        self,
        make: Callable[[str | None], tuple[Files, str]],
        *,
        also_parent: str | None = None,
    ) -> str | None:
        """Commit changes to the branch; start again if another writer was first.

        Args:
            make: Given the tip it builds on (None for a new branch), returns the files to write
                (None removes one) and the commit message. Called again after a lost race. No
                files: nothing is committed.
            also_parent: A second parent, for merges.

        Returns:
            Id of the branch's newest commit; None if there is still none.

        Raises:
            StoreError: git refused.
            Conflict: The race was lost too often.
        """

        def single_commit(tip: str | None) -> Sequence[RecordCommit]:
            files, message = make(tip)
            merges = also_parent is not None and also_parent != tip
            return [RecordCommit(files=files, message=message)] if files or merges else []

        return self.append_commits(single_commit, also_parent=also_parent)

    def append_commits(
        self,
        make: Callable[[str | None], Iterable[RecordCommit]],
        *,
        also_parent: str | None = None,
        then: Callable[[], None] | None = None,
    ) -> str | None:
        """Make several commits on the branch with one git process, all or none.

        Args:
            make: Given the tip it builds on, returns the commits, oldest first; see ``update``.
            also_parent: A second parent of the first commit, for merges.
            then: Called after the commits, before any other writer can begin.

        Returns:
            Id of the branch's newest commit; None if there is still none.

        Raises:
            StoreError: git refused.
            Conflict: The race was lost too often.
        """
        with exclusive(self._lock):
            for _ in range(_ATTEMPTS):
                try:
                    last = self._set_forward()
                except Conflict:
                    continue
                tip = self.tip()
                commits = iter(make(tip))
                first = next(commits, None)
                if first:
                    if tip is None:
                        root: Files = {**_FIRST_FILES, ".dvc/config": self._own_config}
                        first = RecordCommit(files={**root, **first.files}, message=first.message)
                    remember = self.last_ref if last in (None, tip, also_parent) else ""
                    try:
                        all_ = itertools.chain([first], commits)
                        self.repo.fast_import(
                            self._stream(tip, also_parent, all_, remember=remember)
                        )
                    except Conflict:
                        self._forget(last)
                        continue
                if then:
                    then()
                new = self.tip() if first else tip
                if first and new and new.startswith("0"):  # one in sixteen looks after the rest
                    self.repo.tidy()
                return new
        raise Conflict(
            f"Branch {self.name} keeps changing; another process is writing to it.",
            hint="Try again.",
        )

    def _set_forward(self) -> str | None:
        """Put a branch that was deleted or set back where it was.

        One that has other commits since is left to ``merging.restore``.

        Returns:
            What the next commit has to have, to be remembered: see ``last_ref``.

        Raises:
            Conflict: The branch moved meanwhile.
        """
        local, last = self.repo.ref(self.ref), self.last()
        if last is None or last == local:
            return last
        if local is None or self.repo.is_ancestor(local, last):
            self.repo.update_refs([RefUpdate(name=self.ref, new=last, old=local)])
            self.warn_of_restoring(was_deleted=local is None)
            return last
        return local if self.repo.is_ancestor(last, local) else last

    def warn_of_restoring(self, *, was_deleted: bool) -> None:
        """Say that commits were brought back, and how to give them up."""
        _logger.warning(
            "Branch %s was %s; it is restored with the records that it had in this clone. "
            "To give them up: `git update-ref -d %s` before you change the branch.",
            self.name, "deleted" if was_deleted else "set back", self.last_ref,
        )  # fmt: skip

    def _forget(self, last: str | None) -> None:
        """Take back a commit that was remembered although another writer was first."""
        lost = self.last()
        if lost != last:
            with contextlib.suppress(Conflict):
                self.repo.update_refs([RefUpdate(name=self.last_ref, new=last, old=lost)])

    def prepare(
        self, ref: str, files: Mapping[str, bytes | None], message: str, tip: str | None = None
    ) -> list[RefUpdate]:
        """Commit changes on top of this clone's tip, or of another commit, under another ref.

        Args:
            ref: The ref that comes to hold the commit.
            files: As in ``update``.
            message: The commit message.
            tip: The commit to build on; default this clone's tip.

        Returns:
            The updates that move the branch to it, as part of a larger transaction.

        Raises:
            StoreError: git refused.
        """
        old = self.repo.ref(self.ref)
        commit = RecordCommit(files=files, message=message)
        self.repo.fast_import(self._stream(tip or self.tip(), None, [commit], ref))
        return self.move(self.repo.ref(ref), old)

    def _stream(
        self,
        tip: str | None,
        also_parent: str | None,
        commits: Iterable[RecordCommit],
        ref: str = "",
        remember: str = "",
    ) -> Iterator[bytes]:
        """Yield the input of ``git fast-import`` commit by commit, so that it can start at once."""
        identity, now = self.repo.identity, int(time.time())
        stream = CommitStream(ref or self.ref, identity, timestamp=now)
        parents = [parent for parent in dict.fromkeys((tip, also_parent)) if parent]
        for commit in commits:
            yield from stream.commit(commit.message, commit.files, parents=parents)
            parents = []
        if remember:
            yield stream.also(remember)
