"""Keep `gitml gc --remote` of one clone and `gitml push` of another apart.

Clones share no lock, but a git remote, whose refs change by compare-and-swap:

- A collection begins by making ``refs/gitml/collecting`` there, which fails where it exists. Then
  it fetches records and tags, removes what they do not name, and ends by moving the commit of that
  ref to ``refs/gitml/collected``.
- A push reads both refs before it looks at what the DVC remote holds, and again when its records
  have arrived. If they differ, or a collection is under way, what it saw may have been removed: it
  waits for the end and sends again what is missing.

Records that arrive before the fetch of a collection protect their objects. Those that arrive later
belong to a push whose second look sees the collection. So nothing that a record names stays lost,
whatever the age of an object, and no clock is involved but for programs that die: a collection
stops removing after an hour, and a ref that is older than two belongs to nobody. Another repository
at the same address knows nothing of this: a DVC remote belongs to one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from gitml.errors import Conflict, StoreError
from gitml.git import GitRepo
from gitml.repository import Repository

COLLECTING = "refs/gitml/collecting"
COLLECTED = "refs/gitml/collected"
_LONGEST = 3600  # s for which a collection may remove
_ABANDONED = 7200  # s after which the ref of a collection belongs to a program that died
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # s between two looks at a collection that is under way
_PATIENCE = 600  # s that a push waits for its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Which collections a shared DVC remote has seen.

    Attributes:
        running: Commit that announces the one that is under way; None if there is none.
        last: Commit of the last one, or of one that died since; None if there was none.
    """

    running: str | None
    last: str | None


class Lease:
    """The right to remove objects from a shared DVC remote, for an hour."""

    def __init__(self) -> None:
        self._end = time.monotonic() + _LONGEST

    def limit(self, oids: Iterable[str]) -> Iterator[str]:
        """Pass on what may still be removed.

        Raises:
            Conflict: The hour is over.
        """
        for oid in oids:
            if time.monotonic() > self._end:
                raise Conflict(
                    "Cleaning the remote took an hour: it stops here.",
                    hint="Repeat the command for the rest.",
                )
            yield oid


class Collections:
    """The collections of the DVC remote that the clones of one git remote share.

    Args:
        git: This clone.
        remote: Name of the git remote.
    """

    def __init__(self, git: GitRepo, remote: str) -> None:
        self._git, self._remote = git, remote

    @classmethod
    def of(cls, repository: Repository, git_remote: str | None = None) -> Self:
        """Return those of a clone's git remote, by default that of ``gitml.yaml``."""
        return cls(repository.git, git_remote or repository.settings.git_remote)

    def state(self) -> Collected:
        """Return which collections the git remote knows.

        Raises:
            StoreError: It does not answer.
        """
        refs = self._git.remote_refs(self._remote, COLLECTING, COLLECTED)
        running, last = refs.get(COLLECTING), refs.get(COLLECTED)
        if running and self._age(running) > _ABANDONED:
            return Collected(running=None, last=running)
        return Collected(running=running, last=last)

    def settled(self) -> Collected:
        """Wait until no collection is under way.

        Raises:
            Conflict: It takes too long.
            StoreError: The git remote does not answer.
        """
        start, pause = time.monotonic(), _FIRST_PAUSE
        while (state := self.state()).running:
            if time.monotonic() - start > _PATIENCE:
                raise Conflict(
                    f"{self._who(state.running)} is still cleaning the remote for artifacts.",
                    hint="Nothing is lost: repeat `gitml push` later, it sends what is missing.",
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return state

    @contextmanager
    def begin(self) -> Iterator[Lease]:
        """Announce a collection while the context lasts.

        Raises:
            Conflict: Another one is under way.
            StoreError: The git remote does not answer or refuses.
        """
        running = self._git.remote_refs(self._remote, COLLECTING).get(COLLECTING)
        if running and self._age(running) <= _ABANDONED:
            raise Conflict(
                f"{self._who(running)} is cleaning the remote for artifacts.",
                hint="Repeat the command when that is done, or in two hours if it was killed.",
            )
        own = self._announcement()
        lease = f"--force-with-lease={COLLECTING}:{running or ''}"
        self._git.push(self._remote, lease, f"{own}:{COLLECTING}")
        try:
            yield Lease()
        finally:
            lease = f"--force-with-lease={COLLECTING}:{own}"
            self._git.push(self._remote, lease, f":{COLLECTING}", f"+{own}:{COLLECTED}")

    def _announcement(self) -> str:
        """Write a commit without files that says who collects since when."""
        tree = self._git.run("mktree").decode().strip()
        who = f"{self._git.identity} {int(time.time())} +0000"
        subject = f"Collect garbage of the DVC remote ({secrets.token_hex(8)})"  # is not the last
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\n{subject}\n"
        out = self._git.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
        return out.decode().strip()

    def _age(self, commit: str) -> float:
        """Return for how long a collection is under way, s; none if it has just ended."""
        text = self._show(commit, "%ct")
        return time.time() - int(text) if text.isdecimal() else 0

    def _who(self, commit: str) -> str:
        return self._show(commit, "%an <%ae>") or "Somebody"

    def _show(self, commit: str, form: str) -> str:
        try:
            if not self._git.contains(commit):
                self._git.fetch(self._remote, COLLECTING)
            out = self._git.run("show", "-s", "--no-show-signature", f"--format={form}", commit)
        except StoreError:
            return ""
        return out.decode("utf-8", "replace").strip()
