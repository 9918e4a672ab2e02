"""Tags that do not count, and what people are to know of them. All pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gitml.git import Tag
from gitml.registry.audit.chain import TagFault, TagProblem
from gitml.registry.tags.grammar import Kind, TagEvent, parse
from gitml.registry.tags.model_state import event_order

STAGING = (Kind.STAGE, Kind.LEFT)
ALIASING = (Kind.ALIAS, Kind.UNALIAS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedTag:
    """A tag without any effect, for nobody allowed has signed it.

    Attributes:
        tag: The tag.
        problem: What is wrong.
        reason: The same in a sentence.
    """

    tag: Tag
    problem: TagProblem
    reason: str

    @property
    def event(self) -> TagEvent:
        """What its name says."""
        event = parse(self.tag.name)
        assert event is not None  # only events are judged
        return event

    @property
    def fault(self) -> TagFault:
        """The same as a fault of the audit trail."""
        tag = self.tag
        reason = f"{self.reason} Its tagger: {tag.user:.80} <{tag.email:.80}>."
        return TagFault(tag=tag.name, oid=tag.oid, problem=self.problem, reason=reason)

    @property
    def title(self) -> str:
        """Its name, and who claims to have written it."""
        return f"{self.tag.name} by {self.tag.user:.80} <{self.tag.email:.80}>"

    @property
    def sentence(self) -> str:
        """Say that it is rejected, and why."""
        return f"{self.title} is rejected ({self.problem}): {self.reason}"

    def instead(self, of: str, version: int | None) -> str:
        """Say in one sentence what is live in its place.

        Args:
            of: What it is the newest tag of, such as ``Production``.
            version: The version that is live; None if none is.
        """
        live = "no version" if version is None else f"version {version}"
        why = self.reason[:1].lower() + self.reason[1:].rstrip(".")
        return f"{self.title}, the newest tag of {of}, is rejected ({why}): {live} is live instead."


def newest_rejected(
    rejected: Iterable[RejectedTag], accepted: Iterable[Tag], kinds: Collection[Kind], value: str
) -> RejectedTag | None:
    """Return the newest tag of a stage or an alias if it is rejected; None if it counts.

    Args:
        rejected: The model's tags that do not count.
        accepted: The model's tags that count.
        kinds: Kinds of the events.
        value: The stage, or the slug of the alias.
    """
    concerned = [tag for tag in rejected if _concerns(tag.event, kinds, value)]
    if not concerned:
        return None
    newest = max(concerned, key=lambda item: event_order(item.tag))
    counting = [
        tag for tag in accepted if (event := parse(tag.name)) and _concerns(event, kinds, value)
    ]
    later = [event_order(tag) > event_order(newest.tag) for tag in counting]
    counters = [_counter(tag) > _counter(newest.tag) for tag in counting]
    return None if any(later) and any(counters) else newest


def _concerns(event: TagEvent, kinds: Collection[Kind], value: str) -> bool:
    return event.kind in kinds and event.value == value


def _counter(tag: Tag) -> int:
    event = parse(tag.name)
    return (event.counter if event else None) or 0
