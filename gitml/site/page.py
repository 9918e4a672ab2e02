"""What the build knows of a page: its name, its key and its outputs.

A page is a small class in :mod:`gitml.site.pages`; :mod:`gitml.site.gather` lists all of them. To
render one, the build calls :meth:`Page.outputs`, perhaps in a forked process, so a page changes
nothing but returns what it adds to the site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from gitml.site.catalogue import Catalogue
from gitml.site.data.views import View
from gitml.site.failures import PageFailure, attempt
from gitml.site.options import SiteOptions
from gitml.site.output.templates import Templates
from gitml.site.previews.parquet import TableReader


@dataclass(frozen=True, kw_only=True)
class SiteContext:
    """What pages are made from.

    Attributes:
        catalogue: What the site shows.
        options: How it is built.
        templates: Renders parts of pages; the build renders whole pages.
        table_reader: Reads Parquet files.
        views: Saved views.
        newest_runs: How many of the newest runs get a page of their own.
        curve_runs: How many of the newest runs keep their curves.
        omissions: One sentence for each kind of thing that is left out.
        faults: Why saved views cannot be read, by their names.
    """

    catalogue: Catalogue
    options: SiteOptions
    templates: Templates
    table_reader: TableReader
    views: Sequence[View]
    newest_runs: int
    curve_runs: int
    omissions: Sequence[str]
    faults: Mapping[str, PageFailure] = field(default_factory=dict)

    @cached_property
    def curved(self) -> frozenset[str]:
        """Ids of the runs that keep their curves."""
        return frozenset(run.info.run_id for run in self.catalogue.runs[: self.curve_runs])


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file of the site; the address is its path from the root."""

    address: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlFile:
    """A file of the site that is rendered from a template with values, or shows a failure."""

    address: str
    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    failure: PageFailure | None = None

    @classmethod
    def made(
        cls, address: str, template: str, values: Callable[[], Mapping[str, object]]
    ) -> HtmlFile:
        """Return a file with the values that a function returns, or with why it returns none."""
        result = attempt(values)
        if isinstance(result, PageFailure):
            return cls(address=address, template=template, failure=result)
        return cls(address=address, template=template, values=result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a page adds to the site.

    Attributes:
        files: Its files.
        facts: What other pages show of it, saved for the next build.
        content: What other pages are made from, in this build only.
        final: False if the next build has to render the page again, whatever its key is.
        failures: One sentence for each file of a run that cannot be shown.
    """

    files: Sequence[DataFile | HtmlFile]
    facts: Mapping[str, str] = field(default_factory=dict)
    content: object = None
    final: bool = True
    failures: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What other pages get of a page: addresses of its files, and facts and content of it."""

    addresses: Sequence[str]
    facts: Mapping[str, str]
    content: object = None


class Page(Protocol):
    """A page of the site, or files that belong together."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """What names it among all pages, such as its address."""

    @property
    def address(self) -> str:
        """Where the reason is shown if it cannot be made; empty if nobody opens its files."""
        return self.name if self.name.endswith(".html") else ""

    @property
    def seconds(self) -> float:
        """How long rendering takes, roughly, if any process may do it.

        0 keeps it in the main process: it is quick, or shares what that process has read.
        """
        return 0

    @property
    def needs(self) -> Sequence[str]:
        """Names of the pages whose results it is made from; pages without needs come first."""
        return ()

    def key(self) -> object:
        """Return everything that it shows, by content or by git object id.

        If it is the key of the previous build, the files of that build are taken over unseen.

        Returns:
            Texts, numbers, and lists and tuples of them; None to render it in every build.
        """
        return None

    def accepts(self, previous: Result) -> bool:
        """Return True if what the previous build made can be taken over."""
        return True

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make its files.

        Args:
            results: Results of the pages that it needs, by name.
        """
