"""Decides what registry events mean that were written without knowing of others'. All pure.

Two clones may both register version 2, or move the same version to different stages. Whose events
reached the remote first keeps them. The other clone's are taken as requests and made again on top:
a registration gets the next free number, a transition leaves whatever stage the version is in by
now, an alias is taken from its holder of now. So every rule that holds for the events of one clone
(a version has at most one stage, times and counters grow) holds for those of all together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitml.entities import Stage
from gitml.git import Tag
from gitml.registry.tags import plan
from gitml.registry.tags.grammar import (
    Kind,
    Link,
    TagEvent,
    format_message,
    link_of,
    number_of,
    parse,
    parse_message,
    slug as slug_of,
)
from gitml.registry.tags.plan import Step
from gitml.registry.tags.state import ModelState, VersionState, event_order, fold

_STAGES = {stage.value: stage for stage in Stage}
_SAID_BY_STEP = ("model", "version", "alias", "from", "to", "archive", "replaced_by", "reasserted",
                 "previous")  # fmt: skip
Origin = Callable[[str], Mapping[str, str]]
"""Given a version commit, returns where the version comes from: ``run_id`` and ``digest``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Versions that get another number.

    Attributes:
        numbers: Old number to new one.
        commits: Old version commit to new one.
    """

    numbers: Mapping[int, int] = field(default_factory=dict)
    commits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Requests made again.

    Attributes:
        tags: The tags to be written, in their order; ``oid`` is empty, and their messages do not
            name the event before them yet.
        lost: Requests that mean nothing any more, in words.
    """

    tags: tuple[Tag, ...]
    lost: tuple[str, ...]


def is_request(tag: Tag) -> bool:
    """Tell whether a tag is one that gitml wrote and can write again."""
    event = parse(tag.name)
    if event is None or not tag.annotated:
        return False
    if event.kind in (Kind.STAGE, Kind.LEFT) and event.value not in _STAGES:
        return False
    model = parse_message(tag.message)[1].get("model")
    return isinstance(model, str) and slug_of(model) == event.model


def is_concurrent(unpushed: Iterable[Tag], theirs: Sequence[Tag]) -> bool:
    """Tell whether events of one model were written without knowing all of the remote's."""
    counters = [event.counter or 0 for tag in theirs if (event := parse(tag.name))]
    names = {tag.name for tag in theirs}
    newest = max((tag.timestamp for tag in theirs), default=-1)
    for tag in unpushed:
        event = parse(tag.name)
        counter = event.counter if event else None
        if tag.name in names or tag.timestamp <= newest:
            return True
        if counter is not None and counter <= max(counters, default=0):
            return True
    return False


def is_chained(requests: Iterable[Tag], others: Iterable[Tag]) -> bool:
    """Tell whether each request names the event before it, among all of the model's."""
    requests = list(requests)
    ordered = sorted([*requests, *others], key=event_order)
    before = dict(zip([tag.oid for tag in ordered], [None, *ordered], strict=False))
    for tag in requests:
        link, last = link_of(parse_message(tag.message)[1]), before[tag.oid]
        if link and link != (Link(tag=last.name, oid=last.oid) if last else None):
            return False
    return True


def new_numbers(
    unpushed: Iterable[Tag], theirs: Iterable[Tag], recorded: Iterable[int]
) -> dict[int, int]:
    """Number versions anew that cannot keep their number; they stay in their order.

    Args:
        unpushed: This clone's own tags of a model.
        theirs: The remote's.
        recorded: Numbers that the remote has records of.

    Returns:
        Old number to new one, only where they differ.
    """
    ours = sorted(_registered(unpushed))
    taken = {n for tag in theirs if (n := _number(tag.name)) is not None}
    taken |= set(recorded) - set(ours)
    free = max(taken, default=0) + 1
    moved = {}
    for number in ours:
        new = max(number, free)
        free = new + 1
        if new != number:
            moved[number] = new
    return moved


def _registered(tags: Iterable[Tag]) -> set[int]:
    found = ((parse(tag.name), _number(tag.name)) for tag in tags)
    return {n for event, n in found if n is not None and event and event.kind is Kind.REGISTERED}


def _number(name: str) -> int | None:
    event = parse(name)
    return number_of(event.version) if event and event.version else None


def replay(
    slug: str, theirs: Iterable[Tag], unpushed: Iterable[Tag], moves: Moves, origin: Origin
) -> Replayed:
    """Make this clone's requests again, after the remote's events.

    Args:
        slug: The model's name in tags.
        theirs: All tags of the model that stay as they are.
        unpushed: This clone's own, which are replaced.
        moves: Versions that get another number.
        origin: Tells where a version comes from.
    """
    known = list(theirs)
    made: list[Tag] = []
    lost: list[str] = []
    for tag in sorted(unpushed, key=event_order):
        request = _Request(tag, moves)
        state = fold(known).models.get(slug, ModelState(slug=slug, name=request.model))
        steps = request.steps(state)
        if steps is None:
            lost.append(f"{request.line}: the version was deleted meanwhile")
            continue
        drafts = request.drafts(state, steps, origin)
        known += drafts
        made += drafts
    return Replayed(tags=tuple(made), lost=tuple(lost))


class _Request:
    """One event, taken as what somebody asked for."""

    def __init__(self, tag: Tag, moves: Moves) -> None:
        event = parse(tag.name)
        assert event is not None  # is_request() said so
        self._tag, self._event, self._moves = tag, event, moves
        self.line, self._detail = parse_message(tag.message)
        self.model = str(self._detail["model"])
        self._commit = moves.commits.get(tag.target, tag.target)

    def steps(self, state: ModelState) -> list[Step] | None:
        """What it takes now; None where the version is gone."""
        event: TagEvent = self._event
        if event.kind is Kind.REGISTERED:
            return self._registration()
        if event.kind is Kind.DEPRECATED:
            return [] if state.active else plan.model_deleted(state)
        version = next((v for v in state.active if v.commit == self._commit), None)
        if event.kind is Kind.DELETED:
            return plan.version_deleted(state, version) if version else []
        if self._follows():
            return []
        if version is None:
            return None if event.kind in (Kind.STAGE, Kind.ALIAS) else []
        return self._change(state, version)

    def _registration(self) -> list[Step]:
        number = _number(self._tag.name)
        if number is None:
            return []
        detail = {k: v for k, v in self._detail.items() if k in ("run_id", "source", "digest")}
        return plan.registration(self._moves.numbers.get(number, number), self._commit, detail)

    def _follows(self) -> bool:
        """Whether the event is a consequence of another one, which brings it about again."""
        left_for = self._detail.get("to")
        if self._event.kind is Kind.LEFT:
            return isinstance(left_for, str) and left_for != Stage.NONE
        return self._detail.get("reasserted") is True

    def _change(self, state: ModelState, version: VersionState) -> list[Step]:
        """A change of stage or alias."""
        value = self._event.value
        if self._event.kind is Kind.ALIAS:
            return plan.alias_set(state, version, self._alias)
        if self._event.kind is Kind.UNALIAS:
            return plan.alias_removed(state, self._alias) if value in version.aliases else []
        if self._event.kind is Kind.LEFT:
            return plan.transition(state, version, Stage.NONE, archive=False) \
                if value in version.stages else []  # fmt: skip
        if "replaced_by" in self._detail and self._detail.get("from") not in version.stages:
            return []  # it was to be archived because of a stage that it has left since
        stage = _STAGES[value]
        return plan.transition(state, version, stage, archive=self._detail.get("archive") is True)

    @property
    def _alias(self) -> str:
        claimed = self._detail.get("alias")
        return claimed if isinstance(claimed, str) else self._event.value

    def drafts(self, state: ModelState, steps: Sequence[Step], origin: Origin) -> list[Tag]:
        """The tags of steps, later than everything that is known."""
        when = max(self._tag.timestamp, state.newest + 1)
        return [
            replace(
                self._tag,
                name=name,
                oid="",
                target=step.commit,
                timestamp=when + at,
                message=self._message(step, origin),
            )
            for at, (name, step) in enumerate(zip(plan.tag_names(state, steps), steps, strict=True))
        ]

    def _message(self, step: Step, origin: Origin) -> str:
        said = ("user", "reason")
        told: dict[str, Any] = {k: self._detail[k] for k in said if k in self._detail}
        if step.commit == self._commit and step.kind is self._event.kind:
            told = {k: v for k, v in self._detail.items() if k not in _SAID_BY_STEP}
            step = replace(step, detail={**self._kept(), **step.detail})
        elif step.version:
            told |= origin(step.commit)
        told = {key: self._renamed(value) for key, value in told.items()}
        return format_message(
            plan.sentence(self.model, step), plan.message_detail(self.model, step, told)
        )

    def _kept(self) -> dict[str, Any]:
        """What a step that was archived by another version's arrival tells of it."""
        found = self._detail.get("replaced_by")
        if not isinstance(found, int):
            return {}
        return {"replaced_by": self._moves.numbers.get(found, found)}

    def _renamed(self, value: Any) -> Any:
        """A text with the URIs of this model's versions as they are now."""
        if not isinstance(value, str):
            return value
        return re.sub(
            rf"(models:/{re.escape(self.model)}/)([1-9][0-9]{{0,8}})(?![0-9])",
            lambda found: f"{found[1]}{self._moves.numbers.get(int(found[2]), int(found[2]))}",
            value,
        )
