"""Plan what a site leaves out to stay within its size: curves first, then pages of single runs.

A build begins with everything. Where the site would become too large, it begins again with the next
plan; every plan drops what is older before what is newer. The same content gives the same plan.
Nobody knows how large a page becomes before it is rendered, so plans are tried. An attempt ends
where it exceeds the limit: with 10,000 runs and a limit of 20 MB instead of the 32 MB that they
need, seven attempts take 4 times the processor time of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitml.errors import GitmlError
from gitml.site.text import formats


class OverBudget(GitmlError):
    """The site is larger than its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of the runs a site shows.

    Attributes:
        pages: How many of the newest runs get a page; runs of registered versions always do.
        curves: How many of the newest runs keep their curves.
        full: Whether every run has the page it was to have.
        last: Whether nothing more can be left out: the site is written however large it is.
    """

    pages: int
    curves: int
    full: bool = True
    last: bool = False


def plans(runs: int, pages: int) -> Iterator[Plan]:
    """Yield the plans to try, the fullest first.

    Args:
        runs: How many runs there are.
        pages: How many of them are to have a page.
    """
    pages = min(pages, runs)
    yield Plan(pages=pages, curves=runs)
    for curves in (pages, pages // 4, pages // 16, 0):
        if curves < runs:
            yield Plan(pages=pages, curves=curves)
    for fewer in (pages // 4, pages // 16):
        yield Plan(pages=fewer, curves=0, full=False)
    yield Plan(pages=0, curves=0, full=False, last=True)


def sentences(plan: Plan, runs: int, without: int, limit: int) -> tuple[str, ...]:
    """Return a sentence for each kind of thing that was left out.

    Args:
        plan: How the site was built.
        runs: How many runs it shows.
        without: How many of them have no page of their own.
        limit: How many bytes it may have.
    """
    texts = []
    if without:
        why = "site.run_pages" if plan.full else f"site.max_bytes, {formats.size(limit)}"
        texts.append(f"{without} older runs are shown without previews of their files ({why}).")
    if runs > plan.curves:
        texts.append(
            f"{runs - plan.curves} older runs are shown without curves "
            f"(site.max_bytes, {formats.size(limit)})."
        )
    return tuple(texts)


def excess(size: int, limit: int) -> tuple[str, ...]:
    """Return a sentence if a site is too large although everything optional was left out."""
    if not limit or size <= limit:
        return ()
    return (
        f"The site has {formats.size(size)} although site.max_bytes is {formats.size(limit)}: "
        "nothing more can be left out.",
    )
