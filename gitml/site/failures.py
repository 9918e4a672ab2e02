"""Keep what is wrong with one element from stopping the others: a page shows why it cannot be made.

Pages are made of what many people wrote: records, tags, views, reports, templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from gitml.errors import GitmlError
from gitml.text import plural, single_line

_T = TypeVar("_T")
_NAMED = 3  # pages that a sentence names
_LONGEST = 500  # characters of a message that is not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFailure:
    """Why something cannot be made.

    Attributes:
        message: One sentence.
        hint: What to do; empty if the message tells.
    """

    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: Exception) -> PageFailure:
        """Describe an error."""
        if isinstance(error, GitmlError):
            return cls(message=single_line(error.message), hint=single_line(error.hint or ""))
        text = single_line(f"{type(error).__name__}: {error}", _LONGEST)
        return cls(message=f"Something unforeseen: {text}")


def attempt(work: Callable[[], _T]) -> _T | PageFailure:
    """Return what a function returns, or why it failed."""
    try:
        return work()
    except Exception as error:  # whatever it is, the other pages are made
        return PageFailure.of(error)


def sentences(errors: Iterable[tuple[str, PageFailure]]) -> Iterator[str]:
    """Describe the failures of pages: one sentence for each reason.

    Args:
        errors: Name or address of a page, and why it cannot be made.
    """
    pages: dict[str, list[str]] = {}
    for name, failure in errors:
        pages.setdefault(failure.message, []).append(name)
    for message, names in pages.items():
        names = sorted(set(names))
        listed = ", ".join(names[:_NAMED])
        if names[_NAMED:]:
            listed += f" and {plural(len(names) - _NAMED, 'more page')}"
        verb = "show" if names[1:] else "shows"
        yield f"{listed} {verb} an error: {message}"
