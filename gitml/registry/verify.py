"""Verify registry tags against each other, the branch, this clone, the remote and the commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

from gitml.errors import SignatureError, StoreError
from gitml.formats import manifest
from gitml.git import Tag
from gitml.query.gates import Value
from gitml.registry import facts
from gitml.registry.audit import chain
from gitml.registry.audit.acknowledged import AcknowledgedFault, parted
from gitml.registry.audit.chain import Audit, Claim, Measured, TagFault, TagProblem
from gitml.registry.audit.signers import of_team
from gitml.registry.deleted_tags import DeletedTags, deleted_tags
from gitml.registry.registry import Registry
from gitml.registry.tag_notes import NewestTags
from gitml.registry.tags import grammar, model_state
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.messages import parse_detail
from gitml.registry.tags.model_state import IgnoredTag
from gitml.registry.tags.version_commit import version_file
from gitml.store.exchange import tag_log

_EDITED_LATER = ("tags",)  # of a run: what people may change at any time
_NAMED = 3
_FIRST = (TagProblem.DELETED, TagProblem.MOVED)  # the others may be their consequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of the registry's tags.

    Attributes:
        tags: How many were replayed.
        models: Of how many models.
        signed: How many must be signed by somebody allowed.
        faults: What is wrong with them; empty where the audit trail is whole.
        foreign: Tags that look like events of the registry and are none; they mean nothing.
        acknowledged: What is wrong, too, and was looked at; see ``acknowledged.py``.
    """

    tags: int
    models: int
    signed: int
    faults: tuple[TagFault, ...]
    foreign: tuple[IgnoredTag, ...]
    acknowledged: tuple[AcknowledgedFault, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(registry: Registry, name: str | None = None) -> Verification:
    """Replay the registry's tags; nothing is changed.

    The tags of this clone are compared with what the tags say of each other, with what the history
    of the branch says was sent, with what this clone wrote last, and with the git remote.

    Args:
        registry: The registry.
        name: Only this model.

    Raises:
        NotFound: There never was such a model.
        InvalidInput: The ``gitml.yaml`` of the default branch is not as it should be.
        StoreError: The git remote does not answer.
    """
    return _Verifier(registry, name).verification()


def require_signed(registry: Registry, models: Iterable[str]) -> None:
    """Refuse to go on from tags of models that nobody allowed has signed.

    Raises:
        SignatureError: There are some that nobody acknowledged, and the policy of the default
            branch asks for signatures.
    """
    policy = of_team(registry.repo, registry.remote)
    if not policy.required:
        return
    patterns = [pattern for name in models for pattern in grammar.patterns(grammar.slug(name))]
    tags = registry.repo.tags(*patterns) if patterns else []
    rejected = registry.tag_filter.judge(tags, policy).rejected
    unknown, _ = parted([item.fault for item in rejected], policy)
    faults = [f"{fault.tag}: {fault.reason}" for fault in unknown]
    if faults:
        more = f" And {len(faults) - _NAMED} more." if len(faults) > _NAMED else ""
        raise SignatureError(
            f"Registry tags are not signed by somebody allowed. {' '.join(faults[:_NAMED])}{more}",
            hint="Look at them with `gitml registry verify`, and delete what is forged.",
        )


class _Verifier:
    """One look at the tags."""

    def __init__(self, registry: Registry, name: str | None) -> None:
        self._registry = registry
        self._repo = registry.repo
        self._only = grammar.slug(name) if name is not None else None
        self._tags = {tag.name: tag for tag in self._repo.tags() if self._concerns(tag.name)}
        self._values_ever = cache(partial(facts.values_ever, self._repo, registry.branch))
        if name is not None and not self._tags:
            registry.history(name)  # says that there is none, and which there are

    def _concerns(self, name: str) -> bool:
        event = grammar.parse(name)
        return event is not None and self._only in (None, event.model)

    def verification(self) -> Verification:
        policy = of_team(self._repo, self._registry.remote)
        judged = self._registry.tag_filter.judge(self._tags.values(), policy)
        ignored = model_state.fold(judged.accepted).ignored
        events: dict[str, list[Tag]] = defaultdict(list)
        left_out = {item.tag for item in ignored}
        for tag in judged.accepted:
            event = grammar.parse(tag.name)
            if event and tag.name not in left_out:
                events[event.model].append(tag)
        audits = [chain.audit(of_model) for of_model in events.values()]
        faults = [*self._claims(audits), *self._rules(audits, events)]
        faults += [item.fault for item in judged.rejected]
        faults = self._with_remedy(faults)
        faults.sort(key=lambda fault: (fault.problem not in _FIRST, fault.tag))
        unknown, acknowledged = parted(faults, policy)
        return Verification(
            tags=sum(map(len, events.values())) + len(judged.rejected),
            models=len(events.keys() | {item.event.model for item in judged.rejected}),
            signed=judged.required,
            faults=tuple(unknown),
            foreign=tuple(ignored),
            acknowledged=tuple(acknowledged),
        )

    # What others know ---------------------------------------------------------------------------

    def _claims(self, audits: Iterable[Audit]) -> Iterator[TagFault]:
        claims = [claim for audit in audits for claim in audit.claims]
        sent = self._sent()
        claims += (Claim(tag=n, oid=oid, by="The branch's history") for n, oid in sent)
        newest = NewestTags(self._registry.state).read()
        claims += (Claim(tag=entry.tag, oid=entry.oid, by="This clone") for entry in newest)
        claims = [claim for claim in claims if self._concerns(claim.tag)]
        yield from chain.check_claims(claims, {name: tag.oid for name, tag in self._tags.items()})
        yield from self._remote(claims)

    def _with_remedy(self, faults: Iterable[TagFault]) -> list[TagFault]:
        """Add to what was deleted who sent it, and how to put it back."""
        deleted = {(tag.tag, tag.oid): tag for tag in deleted_tags(self._registry)}
        return [
            replace(fault, reason=f"{fault.reason} {deleted[fault.tag, fault.oid].remedy}")
            if fault.problem is TagProblem.DELETED and (fault.tag, fault.oid) in deleted
            else fault
            for fault in faults
        ]

    def _sent(self) -> list[tuple[str, str]]:
        """Names and ids of the tags that the branch's history says were sent."""
        branch = self._registry.branch
        tips = {branch.tip(), self._repo.ref(branch.tracking_ref)}
        sent = tag_log.read(self._repo, (tip for tip in tips if tip))
        return sorted({(tag.tag, tag.oid) for tag in sent})

    def _remote(self, claims: Iterable[Claim]) -> Iterator[TagFault]:
        """Compare with the git remote what this clone has right."""
        remote = self._registry.remote
        if remote not in self._repo.remotes():
            return
        remote_oids = {
            name.removeprefix("refs/tags/"): oid
            for name, oid in self._repo.remote_refs(remote, "refs/tags/*").items()
        }
        DeletedTags.of(self._registry).observe(
            remote_oids.keys(), self._repo.ref(self._registry.branch.tracking_ref)
        )
        sent = {name for name, _ in self._sent()}
        for name, tag in self._tags.items():
            if name in remote_oids and remote_oids[name] != tag.oid:
                reason = f"It is {remote_oids[name][:12]} on {remote!r}, and {tag.oid[:12]} here."
                yield TagFault(tag=name, oid=tag.oid, problem=TagProblem.MOVED, reason=reason)
            elif name in sent and name not in remote_oids:
                reason = f"It was sent to {remote!r}, and is not there any more."
                yield TagFault(tag=name, oid=tag.oid, problem=TagProblem.DELETED, reason=reason)

    # What tags say ------------------------------------------------------------------------------

    def _rules(
        self, audits: Iterable[Audit], events: Mapping[str, list[Tag]]
    ) -> Iterator[TagFault]:
        for audit in audits:
            yield from audit.faults
            for measured in audit.measured:
                yield from self._measured(measured)
        for of_model in events.values():
            for tag in of_model:
                yield from self._commit(tag)

    def _commit(self, tag: Tag) -> Iterator[TagFault]:
        """Compare a registration of gitml with its version commit."""
        event = grammar.parse(tag.name)
        detail = parse_detail(tag.message)
        if not event or event.kind is not Kind.REGISTERED or detail.digest is None:
            return
        file = version_file(self._repo, tag.target)
        number = grammar.number_of(event.version or "")
        if file is None or (grammar.slug(file.name), file.version) != (event.model, number):
            reason = "Its commit is not that of this version."
        elif (file.run_id, file.digest) != (detail.run_id, detail.digest):
            reason = "Its commit holds the model of another run than it says."
        elif {file.digest} < {file.digest, *self._out_hashes(tag.target)}:
            reason = "Its commit names other files in model.dvc than in version.json."
        else:
            return
        yield TagFault(tag=tag.name, oid=tag.oid, problem=TagProblem.COMMIT, reason=reason)

    def _out_hashes(self, commit: str) -> list[str]:
        """Return the hashes that a version commit's DVC file names."""
        return manifest.out_hashes(self._repo.read(f"{commit}:model.dvc") or b"")

    def _measured(self, measured: Measured) -> Iterator[TagFault]:
        """Compare a value that a gate was judged by with all that the records have of it."""
        kind, key = measured.field.kind, measured.field.key
        if kind in _EDITED_LATER:
            return
        try:
            ever = self._values_ever(measured.commit, kind, key)
        except StoreError:  # `gitml fsck` names records that cannot be read
            return
        if ever and not any(_same(value, measured.value) for value in ever):
            has = ", ".join(sorted(map(str, ever))[:3])
            reason = (
                f"A gate was judged by {kind}.{key} = {measured.value!s:.60}; "
                f"its run has {has:.200}."
            )
            oid = self._tags[measured.tag].oid
            yield TagFault(tag=measured.tag, oid=oid, problem=TagProblem.GATES, reason=reason)


def _same(value: Value, recorded: Value) -> bool:
    """Compare a value with a recorded value, which may have been cut."""
    if isinstance(recorded, str) and recorded.endswith("…"):
        return str(value).startswith(recorded[:-1])
    return value == recorded
