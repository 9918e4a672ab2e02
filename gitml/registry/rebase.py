"""Rebase this clone's registry tags onto those that reached the remote first.

``rebase_rules`` decides what becomes of them. All of it reaches git in one transaction: the
remote's tags arrive, ours are written again, and the branch's records of renumbered versions move.
Whatever interrupts it, either all of it happened or nothing.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitml.errors import Conflict, StoreError
from gitml.files import exclusive
from gitml.formats import model_records
from gitml.formats.model_records import VersionFile
from gitml.git import GitRepo, RefUpdate, Tag
from gitml.registry import rebase_rules
from gitml.registry.deleted_tags import DeletedTags
from gitml.registry.rebase_rules import Moves
from gitml.registry.sent_log import SentLog
from gitml.registry.tag_filter import TagFilter
from gitml.registry.tag_notes import NewestTags, SentTags
from gitml.registry.tag_writer import TagWriter
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.registry.tags.grammar import Kind, parse
from gitml.registry.tags.messages import tag_signature
from gitml.registry.tags.model_state import event_order
from gitml.registry.tags.version_commit import VersionCommits
from gitml.store.branch import TEMPORARY, Branch
from gitml.store.exchange.tag_rules import INCOMING, Arrival, Renumbered, Settled

_ATTEMPTS = 10
_TAGS = "refs/tags/"


@dataclass(slots=True, kw_only=True)
class _Plan:
    """The parts of one transaction.

    Attributes:
        local: This clone's tags, by name.
        final: Id of every tag that is to exist of the models in question, by name.
        removed: Names of tags of ours that are replaced.
        newest: The last tag of every model that is written again, by slug.
        releases: Updates that delete temporary refs.
        files: Records that move on the branch.
        renumbered: Versions that got another number.
        lost: Requests that are void by now, in words.
    """

    local: Mapping[str, Tag]
    final: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    newest: dict[str, TagLink | None] = field(default_factory=dict)
    releases: list[RefUpdate] = field(default_factory=list)
    files: dict[str, bytes | None] = field(default_factory=dict)
    renumbered: list[Renumbered] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class TagRebaser:
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
        self._sent = SentTags(state)
        self._log = SentLog(repo, branch, state)
        self._filter = TagFilter(repo, self._log, state=state, remote=remote)
        self._deleted = DeletedTags(repo, branch, state=state, remote=remote, tags=self._filter)
        self._newest = NewestTags(state)

    def is_registry_tag(self, name: str) -> bool:
        """Return True if a tag is of the registry, not one of the user's other tags."""
        return parse(name) is not None

    def shared(self, oids: Iterable[str]) -> None:
        """Note tags that others have: these are never written again."""
        self._sent.add(oids)

    def deleted(self, remote_tags: Collection[str], tip: str | None) -> Mapping[str, str]:
        """Return what was sent once and is not on the remote any more: name to a sentence."""
        return {tag.tag: tag.sentence for tag in self._deleted.observe(remote_tags, tip)}

    def settle(self, arrival: Arrival) -> Settled:
        """Take in the remote's tags, and rebase ours onto them if both are new.

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
            "The registry keeps changing; another process is writing to it.", hint="Try again."
        )

    def _clear_away(self) -> None:
        """Delete temporary refs of killed processes; a living one would hold the lock."""
        leftovers = self._repo.tags(under=TEMPORARY)
        with contextlib.suppress(Conflict):
            self._repo.update_refs(
                RefUpdate(name=f"{TEMPORARY}/{tag.name}", new=None, old=tag.oid)
                for tag in leftovers
            )

    def _plan(self, arrival: Arrival) -> _Plan:
        local = {tag.name: tag for tag in self._repo.tags()}
        incoming = {tag.name: tag for tag in self._repo.tags(under=INCOMING)}
        plan = _Plan(local=local)
        remote: dict[str, list[Tag]] = defaultdict(list)
        unsent: dict[str, list[Tag]] = defaultdict(list)
        for name, oid in arrival.tags.items():
            event, tag = parse(name), incoming.get(name) or local.get(name)
            if event and tag and tag.oid == oid:
                remote[event.model].append(tag)
                plan.final[name] = oid
        for name, tag in local.items():
            event = parse(name)
            if event and arrival.tags.get(name) != tag.oid:
                unsent[event.model].append(tag)
        for slug, tags in sorted(unsent.items()):
            self._plan_model(plan, slug, tags, remote.get(slug, []), arrival)
        return plan

    def _plan_model(
        self, plan: _Plan, slug: str, unsent: list[Tag], remote: list[Tag], arrival: Arrival
    ) -> None:
        log = self._log.tags()
        sent = self._sent.read() | {tag.oid for tag in log}
        requests = [tag for tag in unsent if tag.oid not in sent and rebase_rules.is_request(tag)]
        requests = [
            tag for tag in requests if self._is_whole(slug, tag) and self._is_rewritable(tag)
        ]
        fixed = [tag for tag in unsent if tag not in requests]
        self._refuse_clashes(fixed, arrival)
        news = any(tag.name not in plan.local for tag in remote)
        judged = self._filter.judge([*remote, *fixed])
        others = list(judged.accepted)
        rejected = {item.tag.name for item in judged.rejected}
        reserved = [*rejected, *(tag.tag for tag in log)]
        if not requests or not (
            news
            or rebase_rules.is_reusing(requests, slug, reserved)
            or rebase_rules.is_concurrent(requests, [t for t in remote if t.name not in rejected])
            or not rebase_rules.is_chained(requests, others)
        ):
            return
        moves = self._move_versions(plan, slug, requests, others, arrival.tip, reserved)
        replayed = rebase_rules.replay(slug, others, requests, moves, self._origin, reserved)
        plan.lost += replayed.lost
        plan.removed |= {tag.name for tag in requests}
        last = max(others, key=event_order, default=None)
        before = TagLink.to(last) if last else None
        own = {tag.name: tag for tag in requests}
        written = TagWriter(self._repo, self._remote).write(replayed.tags, before, own)
        plan.final |= {link.tag: link.oid for link in written}
        plan.newest[slug] = written[-1] if written else before

    def _is_whole(self, slug: str, tag: Tag) -> bool:
        """Return True unless it is a registration whose commit does not describe it."""
        event = parse(tag.name)
        if event is None or event.kind is not Kind.REGISTERED:
            return True
        file = self._commits.file(tag.target)
        return file is not None and event.version == f"v{file.version}.0.0"

    def _is_rewritable(self, tag: Tag) -> bool:
        """Return True if a tag is not signed, or was signed by the one who would sign it again."""
        return not tag_signature(tag.message) or tag.email == self._repo.identity.email

    def _refuse_clashes(self, fixed: list[Tag], arrival: Arrival) -> None:
        clashing = sorted(tag.name for tag in fixed if tag.name in arrival.tags)
        if clashing:
            raise Conflict(
                f"Tag {', '.join(clashing[:5])} differs between {self._remote!r} and this clone.",
                hint="Look at both with `git show` and `git ls-remote --tags`, then delete yours "
                "with `git tag -d` and register again.",
            )

    # Versions under another number --------------------------------------------------------------

    def _move_versions(
        self,
        plan: _Plan,
        slug: str,
        requests: list[Tag],
        others: list[Tag],
        tip: str | None,
        reserved: list[str],
    ) -> Moves:
        names = [name for name in reserved if (event := parse(name)) and event.model == slug]
        recorded = self._recorded(slug, tip)
        numbers = rebase_rules.new_numbers(requests, others, recorded, names)
        commits = {}
        old: dict[str, bytes | None] = {}
        new: dict[str, bytes | None] = {}
        for tag in requests:
            file = self._commits.file(tag.target)
            event = parse(tag.name)
            if not (file and event and event.kind is Kind.REGISTERED and file.version in numbers):
                continue
            moved = replace(file, version=numbers[file.version])
            commit = self._commits.renumber(slug, tag.target, moved)
            commits[tag.target] = commit.commit
            plan.releases.append(commit.release)
            plan.renumbered.append(Renumbered(model=file.name, old=file.version, new=moved.version))
            record = self._record(slug, file.version, moved)
            if record is not None:
                old[model_records.version_path(slug, file.version)] = None
                new[model_records.version_path(slug, moved.version)] = record
        plan.files |= {**old, **new}
        return Moves(numbers=numbers, commits=commits)

    def _recorded(self, slug: str, tip: str | None) -> list[int]:
        """Return the numbers of the versions that have records on the remote's branch."""
        folder = f"{model_records.ROOT}/{slug}/versions"
        entries = self._repo.tree(tip, folder) if tip else []
        paths = (model_records.parse_model_path(f"{folder}/{entry.path}") for entry in entries)
        return [path[1] for path in paths if path and path[1] is not None]

    def _record(self, slug: str, old: int, moved: VersionFile) -> bytes | None:
        """Return the record of a version for its new number."""
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
            for name in sorted(plan.removed - set(plan.final))
        ]
        for name, oid in sorted(plan.final.items()):
            old = plan.local[name].oid if name in plan.local else None
            if old != oid:
                updates.append(RefUpdate(name=f"{_TAGS}{name}", new=oid, old=old))
        if plan.files:
            ref = f"{TEMPORARY}/{uuid.uuid4().hex}"
            message = "models: " + ", ".join(
                f"{moved.model} {moved.old} is {moved.new}" for moved in plan.renumbered
            )
            moves = self._branch.prepare(ref, plan.files, f"{message}\n")
            plan.releases.append(RefUpdate(name=ref, new=None, old=moves[0].new))
            updates += moves
        updates += plan.releases
        for slug in plan.newest:
            self._newest.forget(slug)
        if updates:
            self._repo.update_refs(updates)
        for slug, link in plan.newest.items():
            if link:
                self._newest.note(slug, link)

    def _abandon(self, plan: _Plan) -> None:
        """Delete the temporary refs of a transaction that failed."""
        with contextlib.suppress(Conflict):
            self._repo.update_refs(plan.releases)
