"""Fold registry tags into the state of every model, and into its history. All pure.

The rules are GTO's, so that ``gto show`` agrees: within a version and stage the event with the
latest second counts, of two in the same second the removal; a stage belongs to the version whose
commit it points at; a deleted version has no stages; a deprecated model comes back with any newer
event.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gitml.entities import ModelEvent, Stage
from gitml.git import Tag
from gitml.registry.tags.detail import TagLink
from gitml.registry.tags.grammar import (
    Kind,
    TagEvent,
    is_slugged,
    number_of,
    parse,
    true_name,
)
from gitml.registry.tags.messages import parse_detail, parse_message

_MAX_RESERVED = 10**8  # whoever writes a higher counter or version means harm
_DIGITS = 9  # of the version numbers that gitml writes
_MAX_TIME = 2**38  # seconds: some thousand years from now
_PRIORITY = {kind: rank for rank, kind in enumerate(
    (Kind.DEPRECATED, Kind.REGISTERED, Kind.DELETED, Kind.STAGE, Kind.ALIAS, Kind.LEFT,
     Kind.UNALIAS)
)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionState:
    """State of one version. Times are s since the Unix epoch.

    Attributes:
        version: Semantic version, such as ``v2.0.0``.
        commit: Id of the version commit.
        tag: Tag that registered it.
        active: True unless it was deleted.
        registered: Time of its registration.
        updated: Time of its last event.
        stages: Stages it is in, with the time of the last assignment to each.
        aliases: Slugs of its aliases, likewise.
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
        """The version number; None for a version that gitml does not write."""
        return number_of(self.version)

    @property
    def label(self) -> int | str:
        """The number if it has one, else the semantic version."""
        return self.number or self.version

    @property
    def stage(self) -> str:
        """The stage that it entered last."""
        return max(self.stages, key=lambda s: (self.stages[s], s), default=Stage.NONE.value)

    @property
    def rank(self) -> tuple[bool, tuple[int, ...], bool, str]:
        """Sort key from old to new; versions that gitml writes come last."""
        core = re.split(r"[-+]", self.version[1:], maxsplit=1)[0]
        numbers = tuple(int(part[:18]) for part in core.split("."))
        return self.number is not None, numbers, "-" not in self.version, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """State of one model. Times are s since the Unix epoch.

    Attributes:
        slug: The model's name in its tags.
        name: Its true name, as far as its tags record it.
        versions: All versions ever registered, oldest first.
        deprecated: Time of the deprecation that hides it; None if it is not hidden.
        alias_names: True names of aliases, by slug, where they differ.
        tags: Names of all its tags.
        reserved: Other names that must not be used again: of tags that were rejected or deleted.
        first: Time of its first event.
        newest: Time of its last event.
        last: The tag of its last event.
        counter: Highest counter of its tags and reserved names.
        highest: Highest major version of them.
    """

    slug: str
    name: str = ""
    versions: tuple[VersionState, ...] = ()
    deprecated: int | None = None
    alias_names: Mapping[str, str] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    reserved: frozenset[str] = frozenset()
    first: int = 0
    newest: int = 0
    last: TagLink | None = None
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
        """The highest numbered version in each stage."""
        return {version.stage: version for version in self.active if version.number is not None}

    def find(self, number: int) -> VersionState | None:
        """Return the version of a number, even if deleted."""
        return next((version for version in self.versions if version.number == number), None)

    @property
    def aliases(self) -> dict[str, VersionState]:
        """Version of each alias, by slug; where clones disagreed, the one assigned last."""
        owners: dict[str, VersionState] = {}
        for version in self.active:
            for alias, since in version.aliases.items():
                if alias not in owners or since >= owners[alias].aliases[alias]:
                    owners[alias] = version
        return owners


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredTag:
    """A tag named like a registry event that is not one, and why."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryState:
    """All models, by slug, and the tags that are ignored."""

    models: Mapping[str, ModelState]
    ignored: tuple[IgnoredTag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _EventTag:
    """A tag with its parsed name and its position in the order of events."""

    tag: Tag
    event: TagEvent
    order: tuple[int, int, int]


def event_order(tag: Tag) -> tuple[int, int, int]:
    """Sort key of the tags of one model: the order in which they take effect."""
    event = parse(tag.name)
    return _order(tag, event) if event else (tag.timestamp, -1, 0)


def _order(tag: Tag, event: TagEvent) -> tuple[int, int, int]:
    return tag.timestamp, _PRIORITY[event.kind], event.counter or 0


def is_event(tag: Tag) -> bool:
    """Return True if a tag named like an event is annotated, on a commit and of a valid date."""
    return tag.annotated and 0 <= tag.timestamp < _MAX_TIME


def fold(tags: Iterable[Tag]) -> RegistryState:
    """Fold tags into the state of the models; tags that are not events are ignored."""
    by_model: dict[str, list[_EventTag]] = defaultdict(list)
    ignored: list[IgnoredTag] = []
    for item in _event_tags(tags, ignored):
        by_model[item.event.model].append(item)
    models = {
        slug: _fold_model(slug, sorted(items, key=lambda item: item.order), ignored)
        for slug, items in sorted(by_model.items())
    }
    return RegistryState(models=models, ignored=tuple(sorted(ignored, key=lambda i: i.tag)))


def reserving(state: ModelState, names: Iterable[str]) -> ModelState:
    """Keep a model from using names again: those of its tags that do not count or are gone.

    Anybody may have written such a name, so one with a huge number does not use the others up.
    """
    events = {name: event for name in names if (event := parse(name)) and event.model == state.slug}
    counters, majors = (
        [number for event in events.values() if (number := read(event)) < _MAX_RESERVED]
        for read in (_counter, _major)
    )
    return replace(
        state,
        reserved=state.reserved | events.keys(),
        counter=max([state.counter, *counters]),
        highest=max([state.highest, *majors]),
    )


def _counter(event: TagEvent) -> int:
    return event.counter or 0


def _major(event: TagEvent) -> int:
    major = event.version[1:].split(".")[0] if event.version else ""
    return int(major) if 0 < len(major) <= _DIGITS else 0


def _event_tags(tags: Iterable[Tag], ignored: list[IgnoredTag]) -> Iterable[_EventTag]:
    for tag in tags:
        event = parse(tag.name)
        if event is None:
            continue
        if is_event(tag):
            yield _EventTag(tag=tag, event=event, order=_order(tag, event))
            continue
        reason = "its date is out of range" if tag.annotated else "not an annotated tag on a commit"
        ignored.append(IgnoredTag(tag=tag.name, reason=reason))


def _fold_model(slug: str, items: list[_EventTag], ignored: list[IgnoredTag]) -> ModelState:
    versions = _versions(items, ignored)
    owner = _owners(versions)
    for item in items:
        if item.event.value and item.tag.target not in owner:
            reason = "its commit is not the commit of exactly one version of this model"
            ignored.append(IgnoredTag(tag=item.tag.name, reason=reason))
    deprecations = [item for item in items if item.event.kind is Kind.DEPRECATED]
    others = [item for item in items if item.event.kind is not Kind.DEPRECATED]
    deprecated = max((item.tag.timestamp for item in deprecations), default=-1)
    active = max((item.tag.timestamp for item in others), default=-1)
    events = [item.event for item in items]
    return ModelState(
        slug=slug,
        name=_claimed_name(slug, items),
        versions=tuple(sorted(versions, key=lambda version: version.rank)),
        deprecated=deprecated if deprecated > active else None,
        alias_names=_alias_names(items),
        tags=frozenset(item.tag.name for item in items),
        first=min(item.tag.timestamp for item in items),
        newest=max(item.tag.timestamp for item in items),
        last=TagLink.to(items[-1].tag),
        counter=max(map(_counter, events)),
        highest=max(map(_major, events)),
    )


def _versions(items: list[_EventTag], ignored: list[IgnoredTag]) -> list[VersionState]:
    """Fold each version; a second registration on another commit does not take over its number."""
    registrations: dict[str, _EventTag] = {}
    for item in sorted(items, key=lambda item: (item.event.counter or 0, item.tag.timestamp)):
        if item.event.kind is Kind.REGISTERED and item.event.version:
            first = registrations.setdefault(item.event.version, item)
            if first.tag.target != item.tag.target:
                reason = f"{first.tag.name} registered this version already"
                ignored.append(IgnoredTag(tag=item.tag.name, reason=reason))
    shared = Counter(item.tag.target for item in registrations.values())
    of_commit: dict[str, list[_EventTag]] = defaultdict(list)
    for item in items:
        of_commit[item.tag.target].append(item)
    return [
        _version(item, of_commit[item.tag.target], alone=shared[item.tag.target] == 1)
        for item in registrations.values()
    ]


def _version(registration: _EventTag, items: list[_EventTag], *, alone: bool) -> VersionState:
    """Fold a version from the events of its commit."""
    version, commit = registration.event.version, registration.tag.target
    own = [item for item in items if item.event.version == version or (item.event.value and alone)]
    direct = [item for item in own if item.event.version]
    return VersionState(
        version=version or "",
        commit=commit,
        tag=registration.tag.name,
        active=max(direct, key=lambda r: r.order[:2]).event.kind is Kind.REGISTERED,
        registered=registration.tag.timestamp,
        updated=max(item.tag.timestamp for item in own),
        stages=_assigned(own, Kind.STAGE, Kind.LEFT),
        aliases=_assigned(own, Kind.ALIAS, Kind.UNALIAS),
    )


def _assigned(items: list[_EventTag], gained: Kind, lost: Kind) -> dict[str, int]:
    last: dict[str, _EventTag] = {}
    for item in items:  # in order, so the last one stays; a removal sorts after an assignment
        if item.event.kind in (gained, lost):
            last[item.event.value] = item
    return {value: item.tag.timestamp for value, item in last.items() if item.event.kind is gained}


def _owners(versions: Iterable[VersionState]) -> dict[str, VersionState]:
    """Return versions by commit, without commits of two versions: GTO rejects those."""
    versions = list(versions)
    shared = Counter(version.commit for version in versions)
    return {version.commit: version for version in versions if shared[version.commit] == 1}


def _claimed_name(slug: str, items: list[_EventTag]) -> str:
    if not is_slugged(slug):
        return slug
    names = (true_name(slug, parse_detail(item.tag.message).model) for item in items)
    return next((name for name in names if name != slug), slug)


def _alias_names(items: list[_EventTag]) -> dict[str, str]:
    names: dict[str, str] = {}
    for item in items:
        value = item.event.value
        if item.event.kind is Kind.ALIAS and is_slugged(value) and value not in names:
            claimed = parse_detail(item.tag.message).alias
            names[value] = true_name(value, claimed, "alias")
    return names


def history(tags: Iterable[Tag], slug: str, name: str) -> list[ModelEvent]:
    """Return the events of one model, oldest first.

    Args:
        tags: Tags; those of other models are ignored.
        slug: The model's name in its tags.
        name: Its true name.
    """
    items = sorted(
        (item for item in _event_tags(tags, []) if item.event.model == slug), key=lambda r: r.order
    )
    owners = _owners(_versions(items, []))
    aliases = _alias_names(items)
    return [_event(item, name, owners, aliases) for item in items]


def _event(
    item: _EventTag, name: str, owners: Mapping[str, VersionState], aliases: Mapping[str, str]
) -> ModelEvent:
    line, detail = parse_message(item.tag.message)
    owner = owners.get(item.tag.target)
    version = item.event.version or (owner.version if owner and item.event.value else "")
    number = number_of(version)
    value = item.event.value
    if item.event.kind in (Kind.ALIAS, Kind.UNALIAS):
        value = aliases.get(value, value)
    return ModelEvent(
        model=name,
        kind=item.event.kind,
        version=number,
        value=value or ("" if number else version),
        tag=item.tag.name,
        commit=item.tag.target,
        timestamp=item.tag.timestamp * 1000,
        user=item.tag.user,
        email=item.tag.email,
        message=line,
        detail=detail.document,
    )
