"""Hides how this clone's registry events are put behind those that reached the remote first.

``replay.py`` decides what becomes of them. Here that reaches git in one transaction: the remote's
tags arrive, ours are written anew, and the branch's records of renumbered versions move. Whatever
interrupts it, either all of it happened or nothing.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitml.errors import Conflict, StoreError
from gitml.files import exclusive
from gitml.formats import model_records
from gitml.formats.model_records import VersionFile
from gitml.git import GitRepo, RefUpdate, Tag
from gitml.registry import rebase_rules
from gitml.registry.rebase_rules import Moves
from gitml.registry.tag_notes import NewestTags, SentTags
from gitml.registry.tag_writer import TagWriter
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.registry.tags.grammar import Kind, parse
from gitml.registry.tags.messages import tag_signature
from gitml.registry.tags.model_state import event_order
from gitml.registry.tags.version_commit import VersionCommits
from gitml.store.branch import TEMPORARY, Branch
from gitml.store.exchange.exchange import INCOMING, Arrival, Renumbered, Settled

_ATTEMPTS = 10
_TAGS = "refs/tags/"


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What one transaction is made of.

    Attributes:
        local: This clone's tags, by name.
        final: Id of every tag that is to exist of the models concerned, by name.
        gone: Tags of ours that go.
        newest: The last tag of every model that is written anew, by slug.
        releases: Temporary refs that go.
        files: Records that move on the branch.
        renumbered: Versions that got another number.
        lost: Requests that mean nothing any more, in words.
    """

    local: Mapping[str, Tag]
    final: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    newest: dict[str, TagLink | None] = field(default_factory=dict)
    releases: list[RefUpdate] = field(default_factory=list)
    files: dict[str, bytes | None] = field(default_factory=dict)
    renumbered: list[Renumbered] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class Reconciler:
    """The registry's part in an exchange with a git remote.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: Name of the git remote, for messages.
    """

    def __init__(self, repo: GitRepo, branch: Branch, *, state: Path, remote: str) -> None:
        self._repo = repo
        self._branch = branch
        self._remote = remote
        self._lock = state / "locks" / "registry"
        self._commits = VersionCommits(repo, branch, remote=remote)
        self._shared = SentTags(state)
        self._newest = NewestTags(state)

    def is_registry_tag(self, name: str) -> bool:
        """Tell a tag of the registry from the user's other tags."""
        return parse(name) is not None

    def shared(self, oids: Iterable[str]) -> None:
        """Note tags that others have: they are never written again."""
        self._shared.add(oids)

    def settle(self, arrival: Arrival) -> Settled:
        """Take the remote's tags in, and put ours behind them where both are news.

        Raises:
            Conflict: A tag that is not ours to change means different things on both sides.
        """
        with exclusive(self._lock):
            self._clear_away()
            for _ in range(_ATTEMPTS):
                plan = self._plan(arrival)
                try:
                    self._apply(plan)
                except Conflict:
                    self._abandon(plan)
                    continue
                return Settled(renumbered=tuple(plan.renumbered), lost=tuple(plan.lost))
        raise Conflict(
            "The registry is being changed by another program all the time.", hint="Try again."
        )

    def _clear_away(self) -> None:
        """Let go of what processes held that were killed; the living hold our lock."""
        left = self._repo.tags(under=TEMPORARY)
        with contextlib.suppress(Conflict):
            self._repo.update_refs(
                RefUpdate(name=f"{TEMPORARY}/{one.name}", new=None, old=one.oid) for one in left
            )

    def _plan(self, arrival: Arrival) -> _Plan:
        local = {tag.name: tag for tag in self._repo.tags()}
        incoming = {tag.name: tag for tag in self._repo.tags(under=INCOMING)}
        plan = _Plan(local=local)
        theirs: dict[str, list[Tag]] = defaultdict(list)
        ours: dict[str, list[Tag]] = defaultdict(list)
        for name, oid in arrival.tags.items():
            event, found = parse(name), incoming.get(name) or local.get(name)
            if event and found and found.oid == oid:
                theirs[event.model].append(found)
                plan.final[name] = oid
        for name, tag in local.items():
            event = parse(name)
            if event and arrival.tags.get(name) != tag.oid:
                ours[event.model].append(tag)
        for slug, tags in sorted(ours.items()):
            self._plan_model(plan, slug, tags, theirs.get(slug, []), arrival)
        return plan

    def _plan_model(
        self, plan: _Plan, slug: str, ours: list[Tag], theirs: list[Tag], arrival: Arrival
    ) -> None:
        shared = self._shared.read()
        requests = [tag for tag in ours if tag.oid not in shared and rebase_rules.is_request(tag)]
        requests = [tag for tag in requests if self._is_whole(slug, tag) and self._may_redo(tag)]
        kept = [tag for tag in ours if tag not in requests]
        self._refuse_clashes(kept, arrival)
        news = any(tag.name not in plan.local for tag in theirs)
        known = [*theirs, *kept]
        if not requests or not (
            news
            or rebase_rules.is_concurrent(requests, theirs)
            or not rebase_rules.is_chained(requests, known)
        ):
            return
        moves = self._move_versions(plan, slug, requests, known, arrival.tip)
        done = rebase_rules.replay(slug, known, requests, moves, self._origin)
        plan.lost += done.lost
        plan.gone |= {tag.name for tag in requests}
        last = max(known, key=event_order, default=None)
        before = TagLink.to(last) if last else None
        mine = {tag.name: tag for tag in requests}
        written = TagWriter(self._repo, self._remote).write(done.tags, before, mine)
        plan.final |= {link.tag: link.oid for link in written}
        plan.newest[slug] = written[-1] if written else before

    def _is_whole(self, slug: str, tag: Tag) -> bool:
        """Tell whether a registration can be written again: its commit tells what it is of."""
        event = parse(tag.name)
        if event is None or event.kind is not Kind.REGISTERED:
            return True
        file = self._commits.file(tag.target)
        return file is not None and event.version == f"v{file.version}.0.0"

    def _may_redo(self, tag: Tag) -> bool:
        """Tell whether a tag is not signed, or signed by who would sign it again."""
        return not tag_signature(tag.message) or tag.email == self._repo.identity.email

    def _refuse_clashes(self, kept: list[Tag], arrival: Arrival) -> None:
        clashing = sorted(tag.name for tag in kept if tag.name in arrival.tags)
        if clashing:
            raise Conflict(
                f"Tag {', '.join(clashing[:5])} means something else on {self._remote!r} than in "
                "this clone.",
                hint="Look at both with `git show` and `git ls-remote --tags`, then delete yours "
                "with `git tag -d` and register again.",
            )

    # Versions under another number --------------------------------------------------------------

    def _move_versions(
        self, plan: _Plan, slug: str, requests: list[Tag], theirs: list[Tag], tip: str | None
    ) -> Moves:
        numbers = rebase_rules.new_numbers(requests, theirs, self._recorded(slug, tip))
        commits = {}
        gone: dict[str, bytes | None] = {}
        new: dict[str, bytes | None] = {}
        for tag in requests:
            file = self._commits.file(tag.target)
            event = parse(tag.name)
            if not (file and event and event.kind is Kind.REGISTERED and file.version in numbers):
                continue
            moved = replace(file, version=numbers[file.version])
            made = self._commits.renumber(slug, tag.target, moved)
            commits[tag.target] = made.commit
            plan.releases.append(made.release)
            plan.renumbered.append(Renumbered(model=file.name, old=file.version, new=moved.version))
            record = self._record(slug, file.version, moved)
            if record is not None:
                gone[model_records.version_path(slug, file.version)] = None
                new[model_records.version_path(slug, moved.version)] = record
        plan.files |= {**gone, **new}
        return Moves(numbers=numbers, commits=commits)

    def _recorded(self, slug: str, tip: str | None) -> list[int]:
        """Numbers of the versions that the remote's branch has records of."""
        folder = f"{model_records.ROOT}/{slug}/versions"
        entries = self._repo.tree(tip, folder) if tip else []
        paths = (model_records.parse_model_path(f"{folder}/{entry.path}") for entry in entries)
        return [path[1] for path in paths if path and path[1] is not None]

    def _record(self, slug: str, old: int, moved: VersionFile) -> bytes | None:
        """What people wrote about a version, for its new number."""
        data = self._branch.read(model_records.version_path(slug, old))
        try:
            record = model_records.version_from_json(data) if data else None
        except StoreError:
            return None
        if record is None:
            return None
        own = replace(
            record, name=moved.name, version=moved.version, run_id=moved.run_id, source=moved.source
        )
        return model_records.version_to_json(own)

    # Into git -----------------------------------------------------------------------------------

    def _origin(self, commit: str) -> TagDetail:
        file = self._commits.file(commit)
        return TagDetail.of(run_id=file.run_id, digest=file.digest) if file else TagDetail()

    def _apply(self, plan: _Plan) -> None:
        updates = [
            RefUpdate(name=f"{_TAGS}{name}", new=None, old=plan.local[name].oid)
            for name in sorted(plan.gone - set(plan.final))
        ]
        for name, oid in sorted(plan.final.items()):
            old = plan.local[name].oid if name in plan.local else None
            if old != oid:
                updates.append(RefUpdate(name=f"{_TAGS}{name}", new=oid, old=old))
        if plan.files:
            ref = f"{TEMPORARY}/{uuid.uuid4().hex}"
            message = "models: " + ", ".join(
                f"{one.model} {one.old} is {one.new}" for one in plan.renumbered
            )
            update = self._branch.prepare(ref, plan.files, f"{message}\n")
            plan.releases.append(RefUpdate(name=ref, new=None, old=update.new))
            updates.append(update)
        updates += plan.releases
        for slug in plan.newest:
            self._newest.forget(slug)
        if updates:
            self._repo.update_refs(updates)
        for slug, link in plan.newest.items():
            if link:
                self._newest.note(slug, link)

    def _abandon(self, plan: _Plan) -> None:
        """Let go of the commits of a transaction that was not made."""
        with contextlib.suppress(Conflict):
            self._repo.update_refs(plan.releases)
