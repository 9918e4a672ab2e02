"""Replays the tags of one model and names what cannot be: the rules of an audit trail. All pure.

A tag that gitml wrote names the event before it by the id of its tag object. Whoever deletes, moves
or rewrites a tag breaks what the next one says of it; whoever slips one in between is not named by
the next one. What the chain cannot know, the end of it, others remember: see ``Claim``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.git import Tag
from gitml.query import gates
from gitml.query.gate_nodes import Field, fields_of
from gitml.query.gates import Gate, Value
from gitml.registry.tags.grammar import (
    Kind,
    Link,
    TagEvent,
    link_of,
    number_of,
    one_line,
    parse,
    parse_message,
    slug,
)
from gitml.registry.tags.state import event_order

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
_SPELLING = 1e-3  # relative; a sentence is for people, another release may round it otherwise
_LOST = {Kind.LEFT: Kind.STAGE, Kind.UNALIAS: Kind.ALIAS}
_CUT = "…"  # ends a text that was too long to be recorded whole


class Problem(StrEnum):
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
    """A tag that is not as it must be.

    Attributes:
        tag: Its name.
        problem: What is wrong.
        reason: The same in a sentence.
    """

    tag: str
    problem: Problem
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody knows a tag by its id.

    Attributes:
        tag: Its name.
        oid: The id of the tag object.
        by: Who knows, for a sentence.
    """

    tag: str
    oid: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A value that a gate was judged by.

    Attributes:
        tag: The tag that tells.
        commit: Version commit of the version it was measured on.
        field: What was measured.
        value: The value.
    """

    tag: str
    commit: str
    field: Field
    value: Value


@dataclass(slots=True, kw_only=True)
class Audit:
    """What became of the replay of one model.

    Attributes:
        faults: What is wrong.
        claims: Which tags the others name, by id.
        measured: Values that gates were judged by.
    """

    faults: list[TagFault] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)


def known(claims: Iterable[Claim], tags: Mapping[str, str]) -> Iterator[TagFault]:
    """Compare what is known of tags with those that are there.

    Args:
        claims: What is known.
        tags: Name to id of every tag that is there.
    """
    told = set()
    for claim in claims:
        here = tags.get(claim.tag)
        problem = Problem.DELETED if here is None else Problem.MOVED
        if here == claim.oid or (claim.tag, problem) in told:
            continue
        told.add((claim.tag, problem))
        found = "it is not there" if here is None else f"it is {here[:12]} now"
        reason = f"{claim.by} knows it as {claim.oid[:12]}, but {found}."
        yield TagFault(tag=claim.tag, problem=problem, reason=reason)


def audit(tags: Iterable[Tag]) -> Audit:
    """Replay the tags of one model, which are all events, in the order in which they count."""
    replay = _Replay()
    ordered = sorted(tags, key=event_order)
    for tag in ordered:
        replay.take(tag)
    replay.found.faults += _inserted(ordered, replay.links)
    return replay.found


def _inserted(ordered: Sequence[Tag], links: Mapping[str, Link]) -> Iterator[TagFault]:
    """Find tags that stand between two of which the later one names the earlier one."""
    place = {tag.name: at for at, tag in enumerate(ordered)}
    for at, tag in enumerate(ordered):
        link = links.get(tag.name)
        before = place.get(link.tag) if link else None
        if link is None or before is None:
            continue
        if before >= at:
            reason = f"It names {link.tag} as the event before it, which came later."
            yield TagFault(tag=tag.name, problem=Problem.INCONSISTENT, reason=reason)
        for other in ordered[before + 1 : at]:
            reason = f"It was not there when {tag.name} was written, which follows {link.tag}."
            yield TagFault(tag=other.name, problem=Problem.INSERTED, reason=reason)


@dataclass(slots=True, kw_only=True)
class _Version:
    """One version while the tags are replayed."""

    name: str
    commit: str
    active: bool = True
    held: set[tuple[Kind, str]] = field(default_factory=set)  # stages and aliases

    @property
    def label(self) -> int | str:
        return number_of(self.name) or self.name


class _Replay:
    """The state of a model, one tag after the other."""

    def __init__(self) -> None:
        self.found = Audit()
        self.links: dict[str, Link] = {}
        self._versions: dict[str, _Version] = {}
        self._commits: dict[str, _Version] = {}
        self._holders: dict[tuple[Kind, str], list[_Version]] = defaultdict(list)
        self._before: dict[str, str] | None = None  # who was where before a change of many tags
        self._counter = 0
        self._time = 0

    def take(self, tag: Tag) -> None:
        """Replay one tag."""
        event = parse(tag.name)
        assert event is not None  # audit() asks for events
        detail = parse_message(tag.message)[1]
        ours = isinstance(detail.get("model"), str)
        link = link_of(detail)
        if link:
            self.links[tag.name] = link
            self.found.claims.append(Claim(tag=link.tag, oid=link.oid, by=tag.name))
        part = _is_part(event, detail)
        if tag.timestamp != self._time + 1:
            self._before = None
        if self._before is None and part:
            self._before = self._live()
        if ours:
            self._check_words(tag, event, detail)
        if event.value:
            self._hold(tag, event, detail, ours=ours)
        elif event.version:
            self._exist(tag, event)
        if not part:
            self._before = None
        self._time = tag.timestamp
        self._counter = max(self._counter, event.counter or 0)

    def _fault(self, tag: Tag, problem: Problem, reason: str) -> None:
        self.found.faults.append(TagFault(tag=tag.name, problem=problem, reason=reason))

    def _live(self) -> dict[str, str]:
        """Commit of the version that each stage means."""
        return {
            stage.lower(): max(holders, key=lambda one: number_of(one.name) or 0).commit
            for (kind, stage), holders in self._holders.items()
            if kind is Kind.STAGE and holders
        }

    def _check_words(self, tag: Tag, event: TagEvent, detail: Mapping[str, Any]) -> None:
        """Compare what a message of gitml says with the tag's name."""
        if slug(detail["model"]) != event.model:
            self._fault(tag, Problem.MALFORMED, f"Its message is about {detail['model']!r:.80}.")
        if event.counter is not None and event.counter <= self._counter:
            reason = f"Its counter is not above {self._counter}, which an earlier tag has."
            self._fault(tag, Problem.INCONSISTENT, reason)
        if event.kind is Kind.DEPRECATED:
            return
        owner = self._versions.get(event.version or "") or self._commits.get(tag.target)
        number = number_of(event.version) if event.version else owner and number_of(owner.name)
        if number and detail.get("version") != number:
            reason = f"Its message is about version {detail.get('version')!s:.20}, not {number}."
            self._fault(tag, Problem.MALFORMED, reason)

    def _exist(self, tag: Tag, event: TagEvent) -> None:
        """A version is registered or deleted."""
        name = event.version or ""
        version = self._versions.get(name)
        if event.kind is Kind.REGISTERED:
            if version is None:
                self._versions[name] = version = _Version(name=name, commit=tag.target)
                self._commits[tag.target] = version
            else:
                self._fault(tag, Problem.INCONSISTENT, f"{name} was registered before.")
        elif version is None or not version.active or version.commit != tag.target:
            self._fault(tag, Problem.INCONSISTENT, f"There was no {name} of its commit to delete.")
        else:
            version.active = False
            for key in version.held:
                self._holders[key].remove(version)
            version.held.clear()

    def _hold(self, tag: Tag, event: TagEvent, detail: Mapping[str, Any], *, ours: bool) -> None:
        """A version gains or loses a stage or an alias."""
        version = self._commits.get(tag.target)
        if version is None or not version.active:
            gone = "a deleted version" if version else "no registered version"
            self._fault(tag, Problem.INCONSISTENT, f"Its commit is that of {gone}.")
            return
        key = (_LOST.get(event.kind, event.kind), event.value)
        if event.kind in _LOST:
            if key not in version.held:
                reason = f"Version {version.label} was not there: it does not leave {event.value}."
                self._fault(tag, Problem.INCONSISTENT, reason)
                return
            version.held.remove(key)
            self._holders[key].remove(version)
            return
        if key not in version.held:
            version.held.add(key)
            self._holders[key].append(version)
        if ours:
            self._check_alone(tag, version, key)
        if event.kind is Kind.STAGE:
            self._check_gates(tag, version, detail)

    def _check_alone(self, tag: Tag, version: _Version, key: tuple[Kind, str]) -> None:
        """A version has one stage, an alias one version."""
        stages = sorted(value for kind, value in version.held if kind is Kind.STAGE)
        if key[0] is Kind.STAGE and len(stages) > 1:
            reason = f"Version {version.label} is in {' and '.join(stages)} by then."
            self._fault(tag, Problem.INCONSISTENT, reason)
        if key[0] is Kind.ALIAS and len(self._holders[key]) > 1:
            labels = " and ".join(str(one.label) for one in self._holders[key])
            reason = f"The alias names the versions {labels} by then."
            self._fault(tag, Problem.INCONSISTENT, reason)

    # Gates --------------------------------------------------------------------------------------

    def _check_gates(self, tag: Tag, version: _Version, detail: Mapping[str, Any]) -> None:
        told = detail.get("gates")
        recorded = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
        live = self._live() if self._before is None else self._before
        names = detail.get("approved_by")
        approvals = len(names) if isinstance(names, list) else 0
        for one in recorded:
            problem = gate_problem(one, approvals)
            if problem:
                self._fault(tag, Problem.GATES, problem)
                continue
            gate = gates.read(str(one["gate"]))
            for node, value in _values(gate, one["values"]):
                commit = live.get(node.stage) if node.stage else version.commit
                if commit and value is not None:
                    self.found.measured.append(
                        Measured(tag=tag.name, commit=commit, field=node, value=value)
                    )
        failed = [one for one in recorded if one.get("holds") is not True]
        if failed and detail.get("forced") is not True:
            reason = f"It entered although a gate failed: {failed[0].get('gate')!s:.120}."
            self._fault(tag, Problem.GATES, reason)


def _is_part(event: TagEvent, detail: Mapping[str, Any]) -> bool:
    """Tell whether a tag is part of a change that ends with the entry of another tag."""
    leaves = event.kind is Kind.LEFT and detail.get("to", Stage.NONE) != Stage.NONE
    return leaves or "replaced_by" in detail or "reasserted" in detail


def _values(gate: Gate, told: Mapping[str, Any]) -> Iterator[tuple[Field, Value | None]]:
    for node in fields_of(gate.node):
        yield node, told.get(gate.text[node.start : node.end])


def gate_problem(told: Mapping[str, Any], approvals: int = 0) -> str:
    """Judge a recorded gate again by the values recorded with it.

    Args:
        told: What the tag's YAML says of one gate.
        approvals: How many people it says approved.

    Returns:
        What does not agree, in a sentence; empty where all does.
    """
    text, values, measured = (told.get(key) for key in ("gate", "values", "measured"))
    if not isinstance(text, str) or not isinstance(values, dict) or not isinstance(measured, str):
        return "A gate is not recorded with its values."
    try:
        gate = gates.read(text)
    except InvalidInput as error:
        return f"The gate {text!r:.120} cannot be read: {error.message}"
    found = list(_values(gate, values))
    if any(one.kind == "approvals" and value != approvals for one, value in found):
        return f"The gate {text!r:.120} was judged by other approvals than the tag names."
    empty = {one.stage for one, value in found if one.stage and value is None}
    empty -= {one.stage for one, value in found if value is not None}
    for vacant in itertools.chain.from_iterable(
        itertools.combinations(sorted(empty), count) for count in range(len(empty), -1, -1)
    ):
        verdict = gates.judge(gate, *_facts(found, vacant))
        if _same_sentence(one_line(verdict.measured), measured):
            return _holding(told, verdict.holds, [value for _, value in found])
    return f"The gate {text!r:.120} is recorded as {measured!r:.120}, not with its values."


def _same_sentence(one: str, other: str) -> bool:
    (words, numbers), (others, others_numbers) = (
        (parts[::2], [float(number) for number in parts[1::2]])
        for parts in (_NUMBER.split(one), _NUMBER.split(other))
    )
    return words == others and all(
        math.isclose(a, b, rel_tol=_SPELLING) for a, b in zip(numbers, others_numbers, strict=True)
    )


def _holding(told: Mapping[str, Any], holds: bool, values: Iterable[Value | None]) -> str:
    cut = any(isinstance(value, str) and value.endswith(_CUT) for value in values)
    waived = str(told.get("note") or "").startswith("waived") and told.get("holds") is True
    if told.get("holds") is holds or cut or waived:
        return ""
    said = "holds" if told.get("holds") is True else "fails"
    return f"The gate {told['gate']!r:.120} is recorded as one that {said}: {told['measured']}."


def _facts(
    found: Iterable[tuple[Field, Value | None]], vacant: Iterable[str]
) -> tuple[gates.Facts, dict[str, gates.Facts | None]]:
    """The facts of the candidate and of who was live, as far as a gate's values tell."""
    facts: dict[str, dict[str, dict[str, Value]]] = defaultdict(lambda: defaultdict(dict))
    for one, value in found:
        facts[one.stage]  # known, even where it lacks the value
        if value is not None:
            facts[one.stage][one.kind][one.key] = value
    live: dict[str, gates.Facts | None] = {stage: one for stage, one in facts.items() if stage}
    return facts[""], {**live, **dict.fromkeys(vacant)}
