"""The page of an experiment: its table, its charts and links to its saved views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Experiment
from gitml.site.data import table
from gitml.site.page import HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.experiment_view import experiment_view
from gitml.site.pages.report import view_link
from gitml.site.pages.shards import ShardFiles
from gitml.site.pages.timeline import Timelines
from gitml.site.text import urls


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPage(Page):
    """The page of an experiment.

    Attributes:
        site: What it is made from.
        experiment: The experiment.
        timelines: Metrics over commits.
        parts: The parts of its table.
        run_ids: Runs whose sparklines are in the table.
    """

    site: SiteContext
    experiment: Experiment
    timelines: Timelines
    parts: Sequence[table.Part]
    run_ids: Sequence[str]

    @classmethod
    def gather(cls, site: SiteContext, timelines: Timelines) -> Iterator[ExperimentPage]:
        """Iterate over the experiments."""
        for experiment in site.catalogue.experiments.values():
            newest = table.paged(site.catalogue, experiment)[: site.options.sizes.newest]
            yield cls(
                site=site,
                experiment=experiment,
                timelines=timelines,
                parts=tuple(table.parts(site.catalogue, experiment, site.options.sizes)),
                run_ids=tuple(run.info.run_id for run in newest),
            )

    @property
    def name(self) -> str:
        """Its address."""
        return urls.experiment_page(self.experiment.name, self.experiment.experiment_id)

    @property
    def needs(self) -> Sequence[str]:
        """The parts of its table, and the pages of the runs with sparklines."""
        return (*(part.key() for part in self.parts), *self.run_ids)

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page and the scripts with the newest rows and their sparklines."""
        shards, key = ShardFiles(self.site.options.sizes.plain_bytes), table.key(self.experiment)
        head = shards.add(key, self._head(results, shards))
        views = [
            (view_link(self.site.catalogue, view), view.description)
            for view in self.site.views
            if view.experiment == self.experiment.name
        ]
        values = {
            "page": experiment_view(self.site.catalogue, self.experiment, head),
            "key": key,
            "views": views,
            "history": self.timelines.address(self.experiment),
        }
        page = HtmlFile(address=self.name, template="experiment.html", values=values)
        return Outputs(files=(*shards.files, page))

    def _head(self, results: Mapping[str, Result], shards: ShardFiles) -> dict[str, object]:
        trends = [results[run_id].facts for run_id in self.run_ids]
        sparklines = table.sparklines(self.experiment, trends, shards.add)
        blocks = [(part, _block(results[part.key()])) for part in self.parts]
        return table.head(self.site.catalogue, self.experiment, blocks, sparklines)


def _block(result: Result) -> table.Block:
    newest = result.content if isinstance(result.content, Mapping) else {}
    return table.Block(shards=result.facts, newest=newest)
