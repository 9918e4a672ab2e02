"""Find who approved a promotion: names that a workflow gives, or trailers of a merge commit.

Neither is proof by itself. A workflow takes the names from the pull request's reviews, so they are
as good as the forge and whoever may change the workflow. A trailer was written by whoever merged,
so it is as good as the protection of the default branch. Commits inside a proposal count for
nothing: their author wrote them alone. Nobody approves what is their own; see
``Approvals.without``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitml.errors import InvalidInput
from gitml.query.gates import Facts
from gitml.text import single_line

_TRAILER = re.compile(r"(?:approved|reviewed)-by:[ \t]*(\S.*)", re.IGNORECASE)
_COAUTHOR = re.compile(r"co-authored-by:[ \t]*(\S.*)", re.IGNORECASE)
_ANY_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*:[ \t]*\S.*")
_SURE_TRAILER = re.compile(r"[A-Za-z-]+-by:|(?:change-id|cc):", re.IGNORECASE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_EMAIL = re.compile(r"[^\s<>()\[\],;:\"]{1,254}@[^\s<>()\[\],;:\"]{1,254}")
_FORGE_EMAIL = re.compile(r"(?:\d+[+-])?([^@+]+)@users\.noreply\..+")
_MOST = 50
_LONGEST = 120  # characters of a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Who approved a promotion.

    Attributes:
        names: Each person once, as ``Name <e-mail>`` or as the workflow calls them.
        source: Where that is known from: ``workflow``, ``trailers``, empty where nobody did.
        disregarded: Why other names do not count, one sentence; empty if there are none.
        canonical: Names as a mailmap spells them, by their own spelling.
    """

    names: tuple[str, ...] = ()
    source: str = ""
    disregarded: str = field(default="", compare=False)
    canonical: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def facts(self, people: Iterable[str] = ()) -> Facts:
        """Return the facts that gates can name.

        Args:
            people: People whom a gate names; False for those who did not approve.
        """
        aliases = {alias for name in self.names for alias in _aliases(name, self.canonical)}
        return {
            "approvals": {"count": float(len(self.names))},
            "approved_by": {name: _folded(name) in aliases for name in people},
        }

    def without(self, authors: Iterable[str], why: str = "wrote the proposal") -> Approvals:
        """Leave out whoever shares a name or an e-mail with an author of what is approved."""
        own = {alias for name in authors for alias in _aliases(name, self.canonical)}
        names = tuple(n for n in self.names if not _aliases(n, self.canonical) & own)
        if names == self.names:
            return self
        ignored = ", ".join(name for name in self.names if name not in names)
        sentence = f"{ignored} {why}: that approval does not count"
        source = self.source if names else ""
        return replace(self, names=names, source=source, disregarded=sentence)


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
    people = _distinct(names, {})
    return Approvals(names=people, source="workflow" if people else "")


def from_trailers(
    message: str, *authors: str, canonical: Mapping[str, str] | None = None
) -> Approvals:
    """Parse the Approved-by and Reviewed-by trailers of a merge commit.

    Args:
        message: The commit's message; trailers are looked for in its last paragraph.
        authors: ``Name <e-mail>`` of who wrote the proposal, whose own approval does not count.
        canonical: Names as a mailmap spells them, by their own spelling.
    """
    canonical = canonical or {}
    own = {alias for name in authors for alias in _aliases(name, canonical)}
    everybody = approvers_named(message)
    others = (name for name in everybody if not _aliases(name, canonical) & own)
    names = _distinct(others, canonical)[:_MOST]
    approvals = Approvals(names=names, source="trailers" if names else "", canonical=canonical)
    left = Approvals(names=_distinct(everybody, canonical), canonical=canonical).without(authors)
    return replace(approvals, disregarded=left.disregarded)


def approvers_named(message: str) -> list[str]:
    """Return whom the Approved-by and Reviewed-by trailers of a message name, in order."""
    return [match[1] for line in _last_lines(message) if (match := _TRAILER.fullmatch(line))]


def coauthors(message: str) -> list[str]:
    """Return whom the Co-authored-by trailers of a message name, in order."""
    lines = (line.strip() for line in message.splitlines())  # a squash has them anywhere
    return [match[1] for line in lines if (match := _COAUTHOR.fullmatch(line))]


def same_person(name: str, other: str) -> bool:
    """Return True if two names share a name, an e-mail or a forge's login."""
    return bool(_spellings(name) & _spellings(other))


def without_trailers(message: str) -> str:
    r"""Return a message without the paragraphs of trailers at its end.

    >>> without_trailers("Promote\n\nit is good\n\nApproved-by: Bo\nCo-authored-by: Cy")
    'Promote\n\nit is good'
    """
    paragraphs = _PARAGRAPHS.split(message.replace("\r", "").strip())
    while paragraphs[1:] and _is_trailers(paragraphs[-1]):
        paragraphs.pop()
    return "\n\n".join(paragraphs)


def _is_trailers(paragraph: str) -> bool:
    lines = [line.strip() for line in paragraph.splitlines() if line.strip(" \t-")]
    sure = any(_SURE_TRAILER.match(line) for line in lines)
    return not lines or (sure and all(map(_ANY_TRAILER.fullmatch, lines)))


def _last_lines(message: str) -> list[str]:
    last = _PARAGRAPHS.split(message.replace("\r", "").strip())[-1]
    return [line.strip() for line in last.split("\n")]


def _distinct(names: Iterable[str], canonical: Mapping[str, str]) -> tuple[str, ...]:
    """Return each person once; whoever shares a name or an e-mail is the same person."""
    people: dict[str, set[str]] = {}
    for name in names:
        cut = single_line(name)[:_LONGEST]
        own = _aliases(cut, canonical) | _aliases(name, canonical)
        if cut and not any(own & aliases for aliases in people.values()):
            people[cut] = own
    return tuple(people)


def _aliases(name: str, canonical: Mapping[str, str]) -> set[str]:
    """Return what a person can be called: the whole text, the name, e-mails, a forge's login."""
    return _spellings(name) | _spellings(canonical.get(name, ""))


def _spellings(name: str) -> set[str]:
    whole = _folded(name)
    emails = _EMAIL.findall(whole)
    logins = [match[1] for email in emails if (match := _FORGE_EMAIL.fullmatch(email))]
    alone = re.split(r"[<(\[]", _EMAIL.sub("<", whole))[0].strip(" ,;:\"'")
    return {whole, alone, *emails, *logins} - {""}


def _folded(name: str) -> str:
    """Return a name for comparison: in lower case, in one Unicode form, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
