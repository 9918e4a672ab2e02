"""Parts of the tables of experiments, each a few scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitml.site.data import table
from gitml.site.page import Outputs, Page, Result, SiteContext
from gitml.site.pages.shards import ShardFiles, rows_key

_ROW_SECONDS = 4e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePart(Page):
    """Rows of an experiment's table.

    Its facts are the addresses of its scripts by kind. The newest rows are content: the page of
    the experiment writes them, together with the list of all other parts.
    """

    site: SiteContext
    part: table.Part

    @classmethod
    def gather(cls, site: SiteContext) -> Iterator[TablePart]:
        """Iterate over the parts of all tables."""
        for experiment in site.catalogue.experiments.values():
            for part in table.parts(site.catalogue, experiment, site.options.sizes):
                yield cls(site=site, part=part)

    @property
    def name(self) -> str:
        """The key of its script."""
        return self.part.key()

    @property
    def seconds(self) -> float:
        """Seconds for its rows."""
        return _ROW_SECONDS * len(self.part.runs)

    def key(self) -> object:
        """Return the ids of its runs; None for the newest rows, whose content is not saved."""
        source = self.site.catalogue.source
        return rows_key(source, self.part.runs) if self.part.number else None

    def accepts(self, previous: Result) -> bool:
        """Return True if the facts name its files."""
        return set(previous.facts.values()) == set(previous.addresses)

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make its scripts."""
        shards = ShardFiles(self.site.options.sizes.plain_bytes)
        block = table.block(self.part, shards.add)
        return Outputs(files=shards.files, facts=block.shards, content=block.newest or None)
