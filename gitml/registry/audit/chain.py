"""Replay the tags of one model and report what cannot have happened. All pure.

A tag that gitml wrote names the previous one by the id of its tag object. Whoever deletes, moves or
rewrites a tag breaks that link; whoever inserts one is not named by the next. The end of the chain
is known to others only: see ``Claim``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gitml.entities import Stage
from gitml.git import Tag
from gitml.query import gates
from gitml.query.gate_nodes import GateField
from gitml.query.gates import Value
from gitml.registry.audit.gate_replay import field_values, gate_problem
from gitml.registry.tags.detail import RecordedGate, TagDetail, TagLink
from gitml.registry.tags.grammar import Kind, TagEvent, number_of, parse, slug
from gitml.registry.tags.messages import parse_detail
from gitml.registry.tags.model_state import event_order

_GAINED = {Kind.LEFT: Kind.STAGE, Kind.UNALIAS: Kind.ALIAS}


class TagProblem(StrEnum):
    """What is wrong with a tag."""

    DELETED = "deleted"
    MOVED = "moved"
    INSERTED = "inserted"
    MALFORMED = "malformed"
    INCONSISTENT = "inconsistent"
    GATES = "gates"
    COMMIT = "commit"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    NOT_ALLOWED = "not allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFault:
    """A tag that breaks the audit trail.

    Attributes:
        tag: Its name.
        oid: Id of the tag object in question; of one that was deleted or moved, the former one.
        problem: What is wrong.
        reason: The same in a sentence.
    """

    tag: str
    oid: str = ""
    problem: TagProblem
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The id of a tag, as somebody recorded it.

    Attributes:
        tag: Its name.
        oid: The id of the tag object.
        by: Who recorded it, for a sentence.
    """

    tag: str
    oid: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A value that a gate was judged by.

    Attributes:
        tag: The tag that records it.
        commit: Version commit of the version it was measured on.
        field: The field.
        value: The value.
    """

    tag: str
    commit: str
    field: GateField
    value: Value


@dataclass(slots=True, kw_only=True)
class Audit:
    """Outcome of replaying one model.

    Attributes:
        faults: What is wrong.
        claims: Ids of tags that other tags record.
        measured: Values that gates were judged by.
    """

    faults: list[TagFault] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)


def check_claims(claims: Iterable[Claim], tags: Mapping[str, str]) -> Iterator[TagFault]:
    """Compare recorded ids of tags with the tags that exist.

    Args:
        claims: The recorded ids.
        tags: Name to id of every tag that exists.
    """
    reported = set()
    for claim in claims:
        oid = tags.get(claim.tag)
        problem = TagProblem.DELETED if oid is None else TagProblem.MOVED
        if oid == claim.oid or (claim.tag, problem) in reported:
            continue
        reported.add((claim.tag, problem))
        actual = "it does not exist" if oid is None else f"it is {oid[:12]} now"
        reason = f"{claim.by} records it as {claim.oid[:12]}, but {actual}."
        yield TagFault(tag=claim.tag, oid=claim.oid, problem=problem, reason=reason)


def audit(tags: Iterable[Tag]) -> Audit:
    """Replay the tags of one model, all of them events, in the order in which they take effect."""
    replay = _Replay()
    ordered = sorted(tags, key=event_order)
    for tag in ordered:
        replay.take(tag)
    replay.result.faults += _inserted(ordered, replay.links)
    return replay.result


def _inserted(ordered: Sequence[Tag], links: Mapping[str, TagLink]) -> Iterator[TagFault]:
    """Find tags that stand between two of which the later one links to the earlier one."""
    positions = {tag.name: position for position, tag in enumerate(ordered)}
    for position, tag in enumerate(ordered):
        link = links.get(tag.name)
        previous = positions.get(link.tag) if link else None
        if link is None or previous is None:
            continue
        if previous >= position:
            reason = f"It names {link.tag} as the previous event, which came later."
            yield _fault(tag, TagProblem.INCONSISTENT, reason)
        for other in ordered[previous + 1 : position]:
            reason = f"It did not exist when {tag.name} was written, which follows {link.tag}."
            yield _fault(other, TagProblem.INSERTED, reason)


@dataclass(slots=True, kw_only=True)
class _Version:
    """One version while the tags are replayed."""

    name: str
    commit: str
    active: bool = True
    assigned: set[tuple[Kind, str]] = field(default_factory=set)  # stages and aliases

    @property
    def label(self) -> int | str:
        return number_of(self.name) or self.name


class _Replay:
    """The state of a model, one tag after the other."""

    def __init__(self) -> None:
        self.result = Audit()
        self.links: dict[str, TagLink] = {}
        self._versions: dict[str, _Version] = {}
        self._commits: dict[str, _Version] = {}
        self._holders: dict[tuple[Kind, str], list[_Version]] = defaultdict(list)
        self._live_before: dict[str, str] | None = None  # a change of several tags
        self._counter = 0
        self._time = 0

    def take(self, tag: Tag) -> None:
        """Replay one tag."""
        event = parse(tag.name)
        assert event is not None  # audit() requires events
        detail = parse_detail(tag.message)
        link = detail.previous
        if link:
            self.links[tag.name] = link
            self.result.claims.append(Claim(tag=link.tag, oid=link.oid, by=tag.name))
        part = _is_part(event, detail)
        if tag.timestamp != self._time + 1:
            self._live_before = None
        if self._live_before is None and part:
            self._live_before = self._live()
        if detail.model is not None:
            self._check_subject(tag, event, detail, detail.model)
        if event.value:
            self._assign(tag, event, detail)
        elif event.version:
            self._register(tag, event)
        if not part:
            self._live_before = None
        self._time = tag.timestamp
        self._counter = max(self._counter, event.counter or 0)

    def _fault(self, tag: Tag, problem: TagProblem, reason: str) -> None:
        self.result.faults.append(_fault(tag, problem, reason))

    def _live(self) -> dict[str, str]:
        """Return the commit of the version that each stage resolves to."""
        return {
            stage.lower(): max(holders, key=lambda version: number_of(version.name) or 0).commit
            for (kind, stage), holders in self._holders.items()
            if kind is Kind.STAGE and holders
        }

    def _check_subject(self, tag: Tag, event: TagEvent, detail: TagDetail, model: str) -> None:
        """Compare the subject of a message by gitml with the tag's name."""
        if slug(model) != event.model:
            self._fault(tag, TagProblem.MALFORMED, f"Its message is about {model!r:.80}.")
        if event.counter is not None and event.counter <= self._counter:
            reason = f"Its counter is not above {self._counter}, which an earlier tag has."
            self._fault(tag, TagProblem.INCONSISTENT, reason)
        if event.kind is Kind.DEPRECATED:
            return
        owner = self._versions.get(event.version or "") or self._commits.get(tag.target)
        number = number_of(event.version) if event.version else owner and number_of(owner.name)
        if number and detail.version != number:
            reason = f"Its message is about version {detail.version!s:.20}, not {number}."
            self._fault(tag, TagProblem.MALFORMED, reason)

    def _register(self, tag: Tag, event: TagEvent) -> None:
        """Register or delete a version."""
        name = event.version or ""
        version = self._versions.get(name)
        if event.kind is Kind.REGISTERED:
            if version is None:
                self._versions[name] = version = _Version(name=name, commit=tag.target)
                self._commits[tag.target] = version
            else:
                self._fault(tag, TagProblem.INCONSISTENT, f"{name} was registered before.")
        elif version is None or not version.active or version.commit != tag.target:
            reason = f"There was no {name} of its commit to delete."
            self._fault(tag, TagProblem.INCONSISTENT, reason)
        else:
            version.active = False
            for key in version.assigned:
                self._holders[key].remove(version)
            version.assigned.clear()

    def _assign(self, tag: Tag, event: TagEvent, detail: TagDetail) -> None:
        """Assign a stage or an alias to a version, or take it away."""
        version = self._commits.get(tag.target)
        if version is None or not version.active:
            owner = "a deleted version" if version else "no registered version"
            self._fault(tag, TagProblem.INCONSISTENT, f"Its commit is that of {owner}.")
            return
        key = (_GAINED.get(event.kind, event.kind), event.value)
        if event.kind in _GAINED:
            self._take_away(tag, version, key)
            return
        if key not in version.assigned:
            version.assigned.add(key)
            self._holders[key].append(version)
        if detail.model is not None:
            self._check_alone(tag, version, key)
        if event.kind is Kind.STAGE:
            self._check_gates(tag, version, detail)

    def _take_away(self, tag: Tag, version: _Version, key: tuple[Kind, str]) -> None:
        if key not in version.assigned:
            reason = f"Version {version.label} was not in {key[1]}, so it cannot leave it."
            self._fault(tag, TagProblem.INCONSISTENT, reason)
            return
        version.assigned.remove(key)
        self._holders[key].remove(version)

    def _check_alone(self, tag: Tag, version: _Version, key: tuple[Kind, str]) -> None:
        """Check that a version has one stage, and an alias one version."""
        stages = sorted(value for kind, value in version.assigned if kind is Kind.STAGE)
        if key[0] is Kind.STAGE and len(stages) > 1:
            reason = f"Version {version.label} is in {' and '.join(stages)} by then."
            self._fault(tag, TagProblem.INCONSISTENT, reason)
        if key[0] is Kind.ALIAS and len(self._holders[key]) > 1:
            labels = " and ".join(str(holder.label) for holder in self._holders[key])
            reason = f"The alias names the versions {labels} by then."
            self._fault(tag, TagProblem.INCONSISTENT, reason)

    # Gates --------------------------------------------------------------------------------------

    def _check_gates(self, tag: Tag, version: _Version, detail: TagDetail) -> None:
        live = self._live() if self._live_before is None else self._live_before
        for recorded in detail.gates:
            problem = gate_problem(recorded, len(detail.approved_by))
            if problem:
                self._fault(tag, TagProblem.GATES, problem)
            else:
                self._measure(tag, version, recorded, live)
        failed = [recorded for recorded in detail.gates if recorded.holds is not True]
        if failed and not detail.forced:
            reason = f"It entered although a gate failed: {failed[0].gate!s:.120}."
            self._fault(tag, TagProblem.GATES, reason)

    def _measure(
        self, tag: Tag, version: _Version, recorded: RecordedGate, live: Mapping[str, str]
    ) -> None:
        """Collect the values of a gate."""
        gate = gates.read(recorded.gate or "")
        for node, value in field_values(gate, recorded.values or {}):
            commit = live.get(node.stage) if node.stage else version.commit
            if commit and value is not None:
                measured = Measured(tag=tag.name, commit=commit, field=node, value=value)
                self.result.measured.append(measured)


def _fault(tag: Tag, problem: TagProblem, reason: str) -> TagFault:
    return TagFault(tag=tag.name, oid=tag.oid, problem=problem, reason=reason)


def _is_part(event: TagEvent, detail: TagDetail) -> bool:
    """Return True if a tag is part of a change that ends with another tag's assignment."""
    leaves = event.kind is Kind.LEFT and detail.to_stage not in ("", Stage.NONE)
    return leaves or detail.replaced_by is not None or detail.reasserted
