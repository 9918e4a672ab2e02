"""Folds registry tags into what they mean: the state of every model, and its history. All pure.

The rules are GTO's, so that ``gto show`` agrees: within a version and stage the event with the
latest second counts, of two in the same second the removal; a stage belongs to the version whose
commit it points at; a deleted version has no stages; a deprecated model comes back with any newer
event.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitml.entities import ModelEvent, Stage
from gitml.git import Tag
from gitml.registry.tags.grammar import (
    Kind,
    Link,
    TagEvent,
    is_slugged,
    number_of,
    parse,
    parse_message,
    true_name,
)

_MAX_TIME = 2**38  # seconds: some thousand years from now
_PRIORITY = {kind: at for at, kind in enumerate(
    (Kind.DEPRECATED, Kind.REGISTERED, Kind.DELETED, Kind.STAGE, Kind.ALIAS, Kind.LEFT,
     Kind.UNALIAS)
)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionState:
    """One version as the tags describe it. Times are s since the Unix epoch.

    Attributes:
        version: Semantic version, such as ``v2.0.0``.
        commit: Id of the version commit.
        tag: Tag that registered it.
        active: Whether it is registered (not deleted).
        registered: When it was registered.
        updated: When its last event was.
        stages: Stages it is in, each with the time of its last assignment.
        aliases: Slugs of the aliases it holds, likewise.
    """

    version: str
    commit: str
    tag: str
    active: bool
    registered: int
    updated: int
    stages: Mapping[str, int] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int | None:
        """The version number; None where the version is not of the shape that gitml writes."""
        return number_of(self.version)

    @property
    def label(self) -> int | str:
        """The number, else the semantic version."""
        return self.number or self.version

    @property
    def stage(self) -> str:
        """The stage it entered last of those it is in."""
        return max(self.stages, key=lambda s: (self.stages[s], s), default=Stage.NONE.value)

    @property
    def rank(self) -> tuple[bool, tuple[int, ...], bool, str]:
        """Sorts versions from old to new, those of gitml's shape last."""
        core = re.split(r"[-+]", self.version[1:], maxsplit=1)[0]
        numbers = tuple(int(part[:18]) for part in core.split("."))
        return self.number is not None, numbers, "-" not in self.version, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One model as its tags describe it. Times are s since the Unix epoch.

    Attributes:
        slug: The model's name in its tags.
        name: Its true name, as far as tags tell.
        versions: All versions ever registered, oldest first.
        deprecated: Time of the deprecation that hides it, None where it is not hidden.
        alias_names: True names of the aliases whose slug is not their name.
        tags: Names of all its tags.
        first: Time of its first event.
        newest: Time of its last event.
        last: The tag of its last event.
        counter: Highest counter of its tags.
        highest: Highest major version of its tags.
    """

    slug: str
    name: str = ""
    versions: tuple[VersionState, ...] = ()
    deprecated: int | None = None
    alias_names: Mapping[str, str] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    first: int = 0
    newest: int = 0
    last: Link | None = None
    counter: int = 0
    highest: int = 0

    @property
    def active(self) -> tuple[VersionState, ...]:
        """Versions that can be used, oldest first."""
        if self.deprecated is not None:
            return ()
        return tuple(version for version in self.versions if version.active)

    @property
    def latest(self) -> dict[str, VersionState]:
        """The highest version in each stage, of those that gitml can number."""
        return {version.stage: version for version in self.active if version.number is not None}

    def find(self, number: int) -> VersionState | None:
        """Find a version by its number, deleted ones too."""
        return next((version for version in self.versions if version.number == number), None)

    @property
    def aliases(self) -> dict[str, VersionState]:
        """Who holds which alias (by slug); where clones disagreed, the one that got it last."""
        holders: dict[str, VersionState] = {}
        for version in self.active:
            for alias, since in version.aliases.items():
                if alias not in holders or since >= holders[alias].aliases[alias]:
                    holders[alias] = version
        return holders


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredTag:
    """A tag that looks like a registry event and is none, and why."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryState:
    """All models, by slug, and the tags that were left out."""

    models: Mapping[str, ModelState]
    ignored: tuple[IgnoredTag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A tag, what its name says, and when it takes effect."""

    tag: Tag
    event: TagEvent
    order: tuple[int, int, int]


def event_order(tag: Tag) -> tuple[int, int, int]:
    """Sorts the tags of one model the way they take effect."""
    event = parse(tag.name)
    return _order(tag, event) if event else (tag.timestamp, -1, 0)


def _order(tag: Tag, event: TagEvent) -> tuple[int, int, int]:
    return tag.timestamp, _PRIORITY[event.kind], event.counter or 0


def is_event(tag: Tag) -> bool:
    """Tell whether a tag of an event's name is one: annotated, on a commit, of a date."""
    return tag.annotated and 0 <= tag.timestamp < _MAX_TIME


def fold(tags: Iterable[Tag]) -> RegistryState:
    """Fold tags into state; tags that are no events are left out, never an error."""
    by_model: dict[str, list[_Read]] = defaultdict(list)
    ignored: list[IgnoredTag] = []
    for read in _read(tags, ignored):
        by_model[read.event.model].append(read)
    models = {
        slug: _fold_model(slug, sorted(reads, key=lambda read: read.order), ignored)
        for slug, reads in sorted(by_model.items())
    }
    return RegistryState(models=models, ignored=tuple(sorted(ignored, key=lambda i: i.tag)))


def _read(tags: Iterable[Tag], ignored: list[IgnoredTag]) -> Iterable[_Read]:
    for tag in tags:
        event = parse(tag.name)
        if event is None:
            continue
        if is_event(tag):
            yield _Read(tag=tag, event=event, order=_order(tag, event))
            continue
        reason = "its date cannot be" if tag.annotated else "not an annotated tag on a commit"
        ignored.append(IgnoredTag(tag=tag.name, reason=reason))


def _fold_model(slug: str, reads: list[_Read], ignored: list[IgnoredTag]) -> ModelState:
    versions = _versions(reads, ignored)
    owner = _owners(versions)
    for read in reads:
        if read.event.value and read.tag.target not in owner:
            reason = "its commit is not that of one version of this model"
            ignored.append(IgnoredTag(tag=read.tag.name, reason=reason))
    hidden = max((r.tag.timestamp for r in reads if r.event.kind is Kind.DEPRECATED), default=-1)
    seen = max((r.tag.timestamp for r in reads if r.event.kind is not Kind.DEPRECATED), default=-1)
    majors = (r.event.version[1:].split(".")[0] for r in reads if r.event.version)
    return ModelState(
        slug=slug,
        name=_claimed_name(slug, reads),
        versions=tuple(sorted(versions, key=lambda version: version.rank)),
        deprecated=hidden if hidden > seen else None,
        alias_names=_alias_names(reads),
        tags=frozenset(read.tag.name for read in reads),
        first=min(read.tag.timestamp for read in reads),
        newest=max(read.tag.timestamp for read in reads),
        last=Link(tag=reads[-1].tag.name, oid=reads[-1].tag.oid),
        counter=max(read.event.counter or 0 for read in reads),
        highest=max((int(major) for major in majors if len(major) <= 9), default=0),
    )


def _versions(reads: list[_Read], ignored: list[IgnoredTag]) -> list[VersionState]:
    """One state per version; a second registration elsewhere cannot take its number over."""
    registrations: dict[str, _Read] = {}
    for read in sorted(reads, key=lambda read: (read.event.counter or 0, read.tag.timestamp)):
        if read.event.kind is Kind.REGISTERED and read.event.version:
            first = registrations.setdefault(read.event.version, read)
            if first.tag.target != read.tag.target:
                reason = f"{first.tag.name} is this version"
                ignored.append(IgnoredTag(tag=read.tag.name, reason=reason))
    shared = Counter(read.tag.target for read in registrations.values())
    of_commit: dict[str, list[_Read]] = defaultdict(list)
    for read in reads:
        of_commit[read.tag.target].append(read)
    return [
        _version(read, of_commit[read.tag.target], alone=shared[read.tag.target] == 1)
        for read in registrations.values()
    ]


def _version(registration: _Read, reads: list[_Read], *, alone: bool) -> VersionState:
    """State of a version, from the events of its commit."""
    version, commit = registration.event.version, registration.tag.target
    own = [read for read in reads if read.event.version == version or (read.event.value and alone)]
    direct = [read for read in own if read.event.version]
    return VersionState(
        version=version or "",
        commit=commit,
        tag=registration.tag.name,
        active=max(direct, key=lambda r: r.order[:2]).event.kind is Kind.REGISTERED,
        registered=registration.tag.timestamp,
        updated=max(read.tag.timestamp for read in own),
        stages=_holding(own, Kind.STAGE, Kind.LEFT),
        aliases=_holding(own, Kind.ALIAS, Kind.UNALIAS),
    )


def _holding(reads: list[_Read], gained: Kind, lost: Kind) -> dict[str, int]:
    last: dict[str, _Read] = {}
    for read in reads:  # in order, so the last one stays; a removal sorts after an assignment
        if read.event.kind in (gained, lost):
            last[read.event.value] = read
    return {value: read.tag.timestamp for value, read in last.items() if read.event.kind is gained}


def _owners(versions: Iterable[VersionState]) -> dict[str, VersionState]:
    """Versions by commit, without commits that hold two: GTO refuses to read those."""
    versions = list(versions)
    shared = Counter(version.commit for version in versions)
    return {version.commit: version for version in versions if shared[version.commit] == 1}


def _claimed_name(slug: str, reads: list[_Read]) -> str:
    if not is_slugged(slug):
        return slug
    names = (true_name(slug, parse_message(r.tag.message)[1].get("model")) for r in reads)
    return next((name for name in names if name != slug), slug)


def _alias_names(reads: list[_Read]) -> dict[str, str]:
    names: dict[str, str] = {}
    for read in reads:
        value = read.event.value
        if read.event.kind is Kind.ALIAS and is_slugged(value) and value not in names:
            claimed = parse_message(read.tag.message)[1].get("alias")
            names[value] = true_name(value, claimed, "alias")
    return names


def history(tags: Iterable[Tag], slug: str, name: str) -> list[ModelEvent]:
    """List what happened to one model, oldest first.

    Args:
        tags: Tags, of which those of other models are left out.
        slug: The model's name in its tags.
        name: Its true name, for the events.
    """
    reads = sorted(
        (read for read in _read(tags, []) if read.event.model == slug), key=lambda r: r.order
    )
    owners = _owners(_versions(reads, []))
    aliases = _alias_names(reads)
    return [_event(read, name, owners, aliases) for read in reads]


def _event(
    read: _Read, name: str, owners: Mapping[str, VersionState], aliases: Mapping[str, str]
) -> ModelEvent:
    line, detail = parse_message(read.tag.message)
    owner = owners.get(read.tag.target)
    version = read.event.version or (owner.version if owner and read.event.value else "")
    number = number_of(version)
    value = read.event.value
    if read.event.kind in (Kind.ALIAS, Kind.UNALIAS):
        value = aliases.get(value, value)
    return ModelEvent(
        model=name,
        kind=read.event.kind,
        version=number,
        value=value or ("" if number else version),
        tag=read.tag.name,
        commit=read.tag.target,
        timestamp=read.tag.timestamp * 1000,
        user=read.tag.user,
        email=read.tag.email,
        message=line,
        detail=detail,
    )
