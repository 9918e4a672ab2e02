"""The registry's part in an exchange: what it is asked about tags, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

INCOMING = "refs/gitml/incoming"
"""Where tags of the remote are until the registry has taken them in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumbered:
    """A model version whose number another clone's version had taken on the remote."""

    model: str
    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What the remote has, fetched but not taken in yet.

    Attributes:
        tip: Its branch; None where it has none.
        tags: Its registry tags: name to id. Those that this clone lacks, or has with another id,
            are under ``INCOMING``.
    """

    tip: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What happened to this clone's own tags: versions renumbered, and requests that were lost."""

    renumbered: tuple[Renumbered, ...] = ()
    lost: tuple[str, ...] = ()


class TagRules(Protocol):
    """The registry's rules for its tags."""

    def is_registry_tag(self, name: str) -> bool:
        """Return True if a tag is one of the registry's."""

    def settle(self, arrival: Arrival) -> Settled:
        """Take the remote's tags in, and put this clone's own behind them."""

    def shared(self, oids: Iterable[str]) -> None:
        """Remember tags that others have."""

    def deleted(self, remote_tags: Collection[str], tip: str | None) -> Mapping[str, str]:
        """Return what was sent once and is not on the remote any more: name to a sentence.

        Args:
            remote_tags: Names of the tags that the remote has just now.
            tip: Its branch; None where it has none.
        """
