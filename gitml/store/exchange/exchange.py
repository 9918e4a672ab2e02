"""Exchange records and tags with other clones through a git remote, without a checkout.

The branch is merged record by record (``tree_merge.py``), so no state of two clones can conflict.
Refs are pushed by compare-and-swap: where another clone was first, its records are merged and the
push is repeated after a random, growing pause.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitml.errors import Conflict, InvalidInput, PushRejected
from gitml.files import exclusive
from gitml.git import RefUpdate
from gitml.store.branch import TEMPORARY, Branch
from gitml.store.exchange import tag_log
from gitml.store.exchange.merging import Merged, merge, new_runs
from gitml.store.exchange.tag_rules import INCOMING, Arrival, Renumbered, Settled, TagRules

_TAGS = "refs/tags/"
_ATTEMPTS = 12
_FIRST_PAUSE = 0.05  # s; doubles with each lost race, times a random factor


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeReport:
    """What a push or a pull moved.

    Attributes:
        runs: Runs that the receiving side did not have.
        joined: Runs that both sides had changed.
        tags: Tags that the receiving side did not have.
        changed: Whether anything was moved at all.
        renumbered: Model versions of this clone that got another number.
        lost: Requests of this clone to the registry that no longer apply, in words.
        deleted: Tags that were sent once and are not on the remote any more, a sentence each.
        restored: Names of such tags that this clone put back.
    """

    runs: int = 0
    joined: int = 0
    tags: int = 0
    changed: bool = False
    renumbered: tuple[Renumbered, ...] = ()
    lost: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """The remote's tip, how many of its tags are new, what became of ours, what is gone there."""

    tip: str | None
    tags: int
    settled: Settled
    deleted: Mapping[str, str]


class Exchange:
    """The traffic of one clone with one git remote.

    Args:
        branch: The branch of this clone.
        remote: Name of the git remote.
        rules: The registry's part in it.

    Raises:
        InvalidInput: There is no such git remote.
    """

    def __init__(self, branch: Branch, remote: str, rules: TagRules) -> None:
        self._branch = branch
        self._git = branch.repo
        self._remote = remote
        self._rules = rules
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
        fetched = self._fetch()
        merged = merge(self._branch, fetched.tip, self._remote) if fetched.tip else Merged()
        return ExchangeReport(
            runs=merged.runs,
            joined=merged.joined,
            tags=fetched.tags,
            changed=merged.changed or bool(fetched.tags),
            renumbered=fetched.settled.renumbered,
            lost=fetched.settled.lost,
            deleted=tuple(fetched.deleted.values()),
        )

    def push(self) -> ExchangeReport:
        """Bring this clone's records and tags to the remote, merging the remote's first.

        Raises:
            StoreError: The remote does not answer or refuses.
            Conflict: A tag means different things on both sides, or the race was lost too often.
        """
        pause, lost_race = _FIRST_PAUSE, ""
        renumbered: list[Renumbered] = []
        lost: list[str] = []
        for _ in range(_ATTEMPTS):
            fetched = self._fetch()
            renumbered += fetched.settled.renumbered
            lost += fetched.settled.lost
            if fetched.tip:
                merge(self._branch, fetched.tip, self._remote)
            try:
                report = self._send(fetched.tip, fetched.deleted)
            except Conflict as error:
                lost_race = error.message
                time.sleep(pause * (0.5 + random.random()))
                pause *= 2
                continue
            return replace(report, renumbered=tuple(renumbered), lost=tuple(lost))
        raise Conflict(
            f"Other clones pushed to {self._remote!r} again and again. {lost_race}",
            hint="Everything is safe here; repeat `gitml push`.",
        )

    def _send(self, remote_tip: str | None, deleted: Mapping[str, str]) -> ExchangeReport:
        tip = self._branch.tip()
        remote_tags = self._git.remote_refs(self._remote, "refs/tags/*")
        tags = self._tags()
        new = sorted(name for name in tags if name not in remote_tags)
        refspecs = [f"{tags[name]}:{name}" for name in new]
        if new and tip:
            tip = self._mark({name.removeprefix(_TAGS): tags[name] for name in new}, tip)
        if tip and tip != remote_tip:
            refspecs.insert(0, f"{tip}:{self._branch.ref}")
        if not refspecs:
            return ExchangeReport(deleted=tuple(deleted.values()))
        self._push(refspecs)
        self._note_sent(tip)
        self._rules.shared(tags[name] for name in new)
        moved = tip and tip != remote_tip
        runs = len(new_runs(self._git.diff(remote_tip, tip))) if tip and moved else 0
        names = {name.removeprefix(_TAGS) for name in (*remote_tags, *new)}
        return ExchangeReport(
            runs=runs,
            tags=len(new),
            changed=True,
            deleted=tuple(self._rules.deleted(names, tip or remote_tip).values()),
            restored=tuple(sorted(deleted.keys() & names)),
        )

    def push_tags(self, batches: Callable[[], Iterable[Sequence[str]]]) -> list[str]:
        """Send tags and nothing else of this clone, batch after batch, each whole or not at all.

        Args:
            batches: Returns names of tags that the remote lacks; called again after a lost race.

        Returns:
            The tags that were sent, in their order.

        Raises:
            StoreError: The remote does not answer or refuses; what it took it keeps.
            Conflict: A tag means different things on both sides, or the race was lost too often.
        """
        pause, lost_race = _FIRST_PAUSE, ""
        sent: list[str] = []
        for _ in range(_ATTEMPTS):
            try:
                for batch in batches():
                    self._send_tags(batch)
                    sent += batch
                return sent
            except Conflict as error:
                lost_race = error.message
                time.sleep(pause * (0.5 + random.random()))
                pause *= 2
                self.pull()
        raise Conflict(
            f"Other clones pushed to {self._remote!r} again and again. {lost_race}",
            hint="Everything is safe here; repeat the command.",
        )

    def _send_tags(self, names: Sequence[str]) -> None:
        local_tags = self._tags()
        tags = {name: local_tags[f"{_TAGS}{name}"] for name in names}
        tip = self._git.remote_refs(self._remote, self._branch.ref).get(self._branch.ref)
        refspecs = [f"{oid}:{_TAGS}{name}" for name, oid in tags.items()]
        if tip:
            if tip != self._git.ref(self._branch.tracking_ref):
                self._git.fetch(self._remote, f"+{self._branch.ref}:{self._branch.tracking_ref}")
            tip = self._mark(tags, tip)
            refspecs.append(f"{tip}:{self._branch.ref}")
        self._push(refspecs)
        self._note_sent(tip)
        self._rules.shared(tags.values())

    def _push(self, refspecs: Sequence[str]) -> None:
        """Push refspecs; where a rule of the remote refuses one, say which setting names it."""
        try:
            self._git.push(self._remote, *refspecs)
        except PushRejected as error:
            raise error.advised(
                "Registry tags are named by GTO's grammar (`*@v*`, `*#*`): let the remote's rules "
                "for tags allow these."
                if error.ref.startswith(_TAGS)
                else f"Let the remote's rules allow {self._branch.name}, or put `branch: NAME` "
                f"into gitml.yaml and move what is here: `git branch -m {self._branch.name} NAME`."
            ) from error

    def _mark(self, tags: Mapping[str, str], tip: str) -> str | None:
        """Write a commit without a file that names tags; the branch moves once they are sent.

        A remote takes tags of two clones at once where their names differ; it takes only one new
        commit on top of the same branch. Whoever comes second then looks at the other's first.
        """
        ref = f"{TEMPORARY}/{uuid.uuid4().hex}"
        moved = self._branch.prepare(ref, {}, tag_log.message(tags), tip)[0].new
        self._git.update_refs([RefUpdate(name=ref, new=None, old=moved)])
        return moved

    def _note_sent(self, tip: str | None) -> None:
        """Move the refs that `git push` leaves alone if a bare commit id was pushed."""
        if tip is None:
            return
        tracked, old = (self._git.ref(n) for n in (self._branch.tracking_ref, self._branch.ref))
        if tracked != tip:
            with contextlib.suppress(Conflict):  # another process has pushed just now
                update = RefUpdate(name=self._branch.tracking_ref, new=tip, old=tracked)
                self._git.update_refs([update])
        if old != tip and (old is None or self._git.is_ancestor(old, tip)):
            with contextlib.suppress(Conflict):  # a run ended just now: the next pull merges
                self._git.update_refs(self._branch.move(tip, old))

    def _tags(self) -> dict[str, str]:
        """Return full names and ids of this clone's registry tags."""
        tags = self._git.tags()
        return {
            f"{_TAGS}{tag.name}": tag.oid for tag in tags if self._rules.is_registry_tag(tag.name)
        }

    def _fetch(self) -> _Fetched:
        """Fetch the remote's branch and its registry tags."""
        refs = self._git.remote_refs(self._remote, self._branch.ref, f"{_TAGS}*")
        tip = refs.pop(self._branch.ref, None)
        tags = {
            n: oid for n, oid in refs.items() if self._rules.is_registry_tag(n.removeprefix(_TAGS))
        }
        branch = []
        if tip and tip != self._git.ref(self._branch.tracking_ref):
            branch = [f"+{self._branch.ref}:{self._branch.tracking_ref}"]
        local_tags = self._tags()
        missing = sorted(name for name, oid in tags.items() if local_tags.get(name) != oid)
        settled = Settled()
        if all(tags.get(name) == oid for name, oid in local_tags.items()):
            refspecs = branch + [f"{name}:{name}" for name in missing]
            try:
                if refspecs:
                    self._git.fetch(self._remote, *refspecs)
            except Conflict:  # a tag of that name was made here just now
                return self._fetch()
        else:  # this clone has news, too
            with exclusive(self._branch.locks / "exchange"):
                settled = self._settle(tags, missing, branch, tip)
        self._rules.shared(tags.values())
        deleted = self._rules.deleted({name.removeprefix(_TAGS) for name in tags}, tip)
        return _Fetched(tip=tip, tags=len(missing), settled=settled, deleted=deleted)

    def _settle(
        self, tags: Mapping[str, str], missing: list[str], branch: list[str], tip: str | None
    ) -> Settled:
        """Fetch tags under ``INCOMING``, and let the registry take them in."""
        self._clear_incoming()
        names = {name: name.removeprefix(_TAGS) for name in tags}
        refspecs = branch + [f"+{name}:{INCOMING}/{names[name]}" for name in missing]
        self._fetch_over(refspecs)
        incoming = {names[name]: oid for name, oid in tags.items()}
        try:
            return self._rules.settle(Arrival(tip=tip, tags=incoming))
        finally:
            self._clear_incoming()

    def _fetch_over(self, refspecs: Sequence[str]) -> None:
        """Fetch what replaces whatever is there, again if another process moves it meanwhile."""
        for attempt in range(_ATTEMPTS if refspecs else 0):
            try:
                return self._git.fetch(self._remote, *refspecs)
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise

    def _clear_incoming(self) -> None:
        left = self._git.tags(under=INCOMING)
        if left:
            self._git.update_refs(
                RefUpdate(name=f"{INCOMING}/{tag.name}", new=None, old=tag.oid) for tag in left
            )
