"""The search index: its head, and blocks of older runs that seldom change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Run
from gitml.site.data import columns, search
from gitml.site.page import DataFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.shards import ShardFiles, rows_key
from gitml.site.text import urls


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBlock(Page):
    """Runs of the search index that share a script."""

    site: SiteContext
    name: str
    runs: Sequence[Run]

    @classmethod
    def gather(cls, site: SiteContext) -> Iterator[SearchBlock]:
        """Iterate over the blocks."""
        for name, runs in search.blocks(site.catalogue, site.options.sizes).items():
            yield cls(site=site, name=name, runs=runs)

    def key(self) -> object:
        """Return its runs and the names of experiments."""
        experiments = self.site.catalogue.experiments.items()
        names = [(key, experiment.name) for key, experiment in experiments]
        return rows_key(self.site.catalogue.source, self.runs, names)

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the script."""
        shards = ShardFiles(self.site.options.sizes.plain_bytes)
        shards.add(self.name, search.table(self.site.catalogue, self.runs))
        return Outputs(files=shards.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchIndex(Page):
    """The head of the search index, which lists the blocks."""

    site: SiteContext
    blocks: Sequence[str]

    @classmethod
    def of(cls, site: SiteContext) -> SearchIndex:
        """Return the head of a site's index."""
        return cls(site=site, blocks=tuple(search.blocks(site.catalogue, site.options.sizes)))

    @property
    def name(self) -> str:
        """Its address."""
        return urls.search()

    @property
    def needs(self) -> Sequence[str]:
        """The blocks."""
        return self.blocks

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the script."""
        catalogue = self.site.catalogue
        entries = tuple(search.pages(catalogue))
        addresses = {name: results[name].addresses[0] for name in self.blocks}
        head = search.index(catalogue, self.site.options.sizes, entries, addresses)
        return Outputs(files=[DataFile(address=self.name, data=columns.script("search", head))])
