"""Find who approved a promotion: names that a workflow gives, or trailers of a merge commit.

Neither is proof by itself. A workflow takes the names from the pull request's reviews, so they are
as good as the forge and whoever may change the workflow. A trailer was written by whoever merged,
so it is as good as the protection of the default branch. Commits inside a proposal count for
nothing: their author wrote them alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitml.errors import InvalidInput
from gitml.query.gates import Facts
from gitml.text import single_line

_TRAILER = re.compile(r"(?:approved|reviewed)-by:[ \t]*(\S.*)", re.IGNORECASE)
_PERSON = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<email>[^<>\s]+)>")
_MOST = 50
_LONGEST = 120  # characters of a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Who approved a promotion.

    Attributes:
        names: Each person once, as ``Name <e-mail>`` or as the workflow calls them.
        source: Where that is known from: ``workflow``, ``trailers``, empty where nobody did.
    """

    names: tuple[str, ...] = ()
    source: str = ""

    def facts(self, people: Iterable[str] = ()) -> Facts:
        """Return the facts that gates can name.

        Args:
            people: People whom a gate names; False for those who did not approve.
        """
        aliases = {alias for name in self.names for alias in _aliases(name)}
        return {
            "approvals": {"count": float(len(self.names))},
            "approved_by": {name: name.strip().casefold() in aliases for name in people},
        }


NOBODY = Approvals()


def from_workflow(names: Sequence[str]) -> Approvals:
    """Return approvals by the names that a workflow gives.

    Raises:
        InvalidInput: One is empty, or there are too many.
    """
    if any(not name.strip() for name in names) or len(names) > _MOST:
        raise InvalidInput(
            f"--approved-by needs 1 to {_MOST} non-empty names.",
            hint="Give one name with each --approved-by.",
        )
    people = _distinct(names)
    return Approvals(names=people, source="workflow" if people else "")


def from_trailers(message: str, proposer: str) -> Approvals:
    """Parse the Approved-by and Reviewed-by trailers of a merge commit.

    Args:
        message: The commit's message; trailers are looked for in its last paragraph.
        proposer: ``Name <e-mail>`` of who proposed, whose own approval does not count.
    """
    last = re.split(r"\n[ \t]*\n", message.replace("\r", "").strip())[-1]
    matches = (_TRAILER.fullmatch(line.strip()) for line in last.split("\n"))
    own = _aliases(proposer)
    names = _distinct(match[1] for match in matches if match and not _aliases(match[1]) & own)
    return Approvals(names=names[:_MOST], source="trailers" if names else "")


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return each person once; whoever shares a name or an e-mail is the same person."""
    people: dict[str, set[str]] = {}
    for name in (single_line(name)[:_LONGEST] for name in names):
        if name and not any(_aliases(name) & aliases for aliases in people.values()):
            people[name] = _aliases(name)
    return tuple(people)


def _aliases(name: str) -> set[str]:
    """Return what a person can be called: the whole text, the name, the e-mail, in lower case."""
    whole = name.strip().casefold()
    match = _PERSON.fullmatch(whole)
    return {whole, *(match.groups() if match else ())} - {""}
