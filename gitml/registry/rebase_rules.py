"""Decide how registry events written without knowledge of others' are written again. All pure.

Two clones may both register version 2, or move the same version to different stages. Whose events
reached the remote first keeps them. The other clone's are taken as requests and made again on top:
a registration gets the next free number, a transition leaves whatever stage the version is in by
now, an alias is taken from its present holder. So every rule that holds for the events of one clone
(a version has at most one stage, times and counters grow) holds for those of all together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitml.entities import Stage
from gitml.git import Tag
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.registry.tags.grammar import Kind, TagEvent, number_of, parse, slug as slug_of
from gitml.registry.tags.messages import format_message, parse_detail, parse_message
from gitml.registry.tags.model_state import ModelState, VersionState, event_order, fold, reserving
from gitml.registry.tags.plan import Step

_STAGES = {stage.value: stage for stage in Stage}
Origin = Callable[[str], TagDetail]
"""Given a version commit, returns where the version comes from: run id and digest."""


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
        tags: The tags to be written, in order; ``oid`` is empty, and their messages have no link
            to the previous tag yet.
        lost: Requests that are void by now, in words.
    """

    tags: tuple[Tag, ...]
    lost: tuple[str, ...]


def is_request(tag: Tag) -> bool:
    """Return True if gitml wrote a tag and can write it again."""
    event = parse(tag.name)
    if event is None or not tag.annotated:
        return False
    if event.kind in (Kind.STAGE, Kind.LEFT) and event.value not in _STAGES:
        return False
    model = parse_detail(tag.message).model
    return model is not None and slug_of(model) == event.model


def is_concurrent(unpushed: Iterable[Tag], remote_tags: Sequence[Tag]) -> bool:
    """Return True if events of one model were written without knowing all of the remote's."""
    counters = [event.counter or 0 for tag in remote_tags if (event := parse(tag.name))]
    names = {tag.name for tag in remote_tags}
    newest = max((tag.timestamp for tag in remote_tags), default=-1)
    for tag in unpushed:
        event = parse(tag.name)
        counter = event.counter if event else None
        if tag.name in names or tag.timestamp <= newest:
            return True
        if counter is not None and counter <= max(counters, default=0):
            return True
    return False


def is_reusing(requests: Iterable[Tag], slug: str, reserved: Iterable[str]) -> bool:
    """Return True if a request has the name or the counter of a tag that does not count or is gone.

    Args:
        requests: This clone's own tags of a model.
        slug: The model's name in tags.
        reserved: Names of those tags.
    """
    taken = reserving(ModelState(slug=slug), reserved)
    for tag in requests:
        event = parse(tag.name)
        counter = event.counter if event else None
        if tag.name in taken.reserved or (counter is not None and counter <= taken.counter):
            return True
    return False


def is_chained(requests: Iterable[Tag], others: Iterable[Tag]) -> bool:
    """Return True if each request links to the event before it, among all of the model's."""
    requests = list(requests)
    ordered = sorted([*requests, *others], key=event_order)
    previous = dict(zip([tag.oid for tag in ordered], [None, *ordered], strict=False))
    for tag in requests:
        link, before = parse_detail(tag.message).previous, previous[tag.oid]
        if link and link != (TagLink.to(before) if before else None):
            return False
    return True


def new_numbers(
    unpushed: Iterable[Tag],
    remote_tags: Iterable[Tag],
    recorded: Iterable[int],
    reserved: Iterable[str] = (),
) -> dict[int, int]:
    """Assign new numbers to versions whose numbers are taken; their order stays.

    Args:
        unpushed: This clone's own tags of a model.
        remote_tags: The remote's tags of the model.
        recorded: Numbers of which the remote has records.
        reserved: Names of tags that do not count, or are gone.

    Returns:
        Old number to new one, if they differ.
    """
    numbers = sorted(_registered(unpushed))
    names = [*(tag.name for tag in remote_tags), *reserved]
    taken = {number for name in names if (number := _number(name)) is not None}
    taken |= set(recorded) - set(numbers)
    free = max(taken, default=0) + 1
    moved = {}
    for number in numbers:
        new = max(number, free)
        free = new + 1
        if new != number:
            moved[number] = new
    return moved


def _registered(tags: Iterable[Tag]) -> set[int]:
    pairs = ((parse(tag.name), _number(tag.name)) for tag in tags)
    return {n for event, n in pairs if n is not None and event and event.kind is Kind.REGISTERED}


def _number(name: str) -> int | None:
    event = parse(name)
    return number_of(event.version) if event and event.version else None


def replay(
    slug: str,
    fixed: Iterable[Tag],
    unpushed: Iterable[Tag],
    moves: Moves,
    origin: Origin,
    reserved: Sequence[str] = (),
) -> Replayed:
    """Make this clone's requests again, after the remote's events.

    Args:
        slug: The model's name in tags.
        fixed: All tags of the model that stay as they are.
        unpushed: This clone's own, which are replaced.
        moves: Versions that get another number.
        origin: Returns where a version comes from.
        reserved: Names of tags that do not count, or are gone.
    """
    tags = list(fixed)
    new: list[Tag] = []
    lost: list[str] = []
    for tag in sorted(unpushed, key=event_order):
        request = _Request(tag, moves)
        state = fold(tags).models.get(slug, ModelState(slug=slug, name=request.model))
        state = reserving(state, reserved)
        steps = request.steps(state)
        if steps is None:
            lost.append(f"{request.line}: the version was deleted meanwhile")
            continue
        drafts = request.drafts(state, steps, origin)
        tags += drafts
        new += drafts
    return Replayed(tags=tuple(new), lost=tuple(lost))


class _Request:
    """One event, taken as a request."""

    def __init__(self, tag: Tag, moves: Moves) -> None:
        event = parse(tag.name)
        assert event is not None  # is_request() checked it
        self._tag, self._event, self._moves = tag, event, moves
        self.line, self._detail = parse_message(tag.message)
        self.model = self._detail.model or event.model
        self._commit = moves.commits.get(tag.target, tag.target)

    def steps(self, state: ModelState) -> list[Step] | None:
        """Plan what the request takes now; None if its version is deleted."""
        event: TagEvent = self._event
        if event.kind is Kind.REGISTERED:
            return self._registration()
        if event.kind is Kind.DEPRECATED:
            return [] if state.active else plan.model_deleted(state)
        version = next((v for v in state.active if v.commit == self._commit), None)
        if event.kind is Kind.DELETED:
            return plan.version_deleted(state, version) if version else []
        if self._is_consequence():
            return []
        if version is None:
            return None if event.kind in (Kind.STAGE, Kind.ALIAS) else []
        return self._change(state, version)

    def _registration(self) -> list[Step]:
        number = _number(self._tag.name)
        if number is None:
            return []
        new = self._moves.numbers.get(number, number)
        return plan.registration(new, self._commit, self._detail.origin)

    def _is_consequence(self) -> bool:
        """Return True if the event follows from another one, which brings it about again."""
        if self._event.kind is Kind.LEFT:
            return self._detail.to_stage not in ("", Stage.NONE)
        return self._detail.reasserted

    def _change(self, state: ModelState, version: VersionState) -> list[Step]:
        """Plan a change of stage or alias."""
        detail, value = self._detail, self._event.value
        if self._event.kind is Kind.ALIAS:
            return plan.alias_set(state, version, detail.alias or value)
        if self._event.kind is Kind.UNALIAS:
            alias = detail.alias or value
            return plan.alias_removed(state, alias) if value in version.aliases else []
        if self._event.kind is Kind.LEFT:
            leaves = value in version.stages
            return plan.transition(state, version, Stage.NONE, archive=False) if leaves else []
        if detail.replaced_by is not None and detail.from_stage not in version.stages:
            return []  # it was to be archived because of a stage that it has left since
        return plan.transition(state, version, _STAGES[value], archive=detail.archive)

    def drafts(self, state: ModelState, steps: Sequence[Step], origin: Origin) -> list[Tag]:
        """Return the tags of steps, later than all tags of the model."""
        start = max(self._tag.timestamp, state.newest + 1)
        names = plan.tag_names(state, steps)
        return [
            replace(
                self._tag,
                name=name,
                oid="",
                target=step.commit,
                timestamp=start + offset,
                message=self._message(step, origin),
            )
            for offset, (name, step) in enumerate(zip(names, steps, strict=True))
        ]

    def _message(self, step: Step, origin: Origin) -> str:
        detail = self._detail.author
        if step.commit == self._commit and step.kind is self._event.kind:
            detail = self._detail.circumstances
            step = replace(step, detail=self._replacement() | step.detail)
        elif step.version:
            detail |= origin(step.commit)
        detail = plan.message_detail(self.model, step, detail.with_texts(self._renumber_uris))
        return format_message(plan.sentence(self.model, step), detail)

    def _replacement(self) -> TagDetail:
        """Return which version replaced this one, by its new number."""
        number = self._detail.replaced_by
        if not isinstance(number, int):
            return TagDetail()
        return TagDetail.of(replaced_by=self._moves.numbers.get(number, number))

    def _renumber_uris(self, text: str) -> str:
        """Replace the numbers in URIs of this model's versions by the new ones."""

        def renumber(match: re.Match[str]) -> str:
            number = int(match[2])
            return f"{match[1]}{self._moves.numbers.get(number, number)}"

        uri = rf"(models:/{re.escape(self.model)}/)([1-9][0-9]{{0,8}})(?![0-9])"
        return re.sub(uri, renumber, text)
