"""The page of a run, with its numbers, its pictures and previews of its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitml.entities import Metric, Run
from gitml.site import previews
from gitml.site.absent_files import AbsentFiles
from gitml.site.data import columns
from gitml.site.page import DataFile, HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.run_view import has_curves, run_record, run_view
from gitml.site.text import urls


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage(Page):
    """The page of one of the newest runs.

    Its facts are its sparklines by metric, its content is the `AbsentFiles` of the run, if any.
    """

    site: SiteContext
    run: Run

    seconds = 6e-4

    @classmethod
    def gather(cls, site: SiteContext) -> Iterator[RunPage]:
        """Iterate over the runs that have a page of their own."""
        for run in site.catalogue.runs:
            if run.info.run_id in site.catalogue.paged:
                yield cls(site=site, run=run)

    @property
    def name(self) -> str:
        """The id of the run."""
        return self.run.info.run_id

    @property
    def address(self) -> str:
        """The address of its page."""
        return urls.run_page(self.name)

    def key(self) -> object:
        """Return what the page shows of the run and of its neighbours."""
        return run_key(self.site, self.run)

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page, the script with its numbers and copies of pictures and pages."""
        catalogue, run, run_id = self.site.catalogue, self.run, self.run.info.run_id
        source = catalogue.source
        curves = columns.curves(curve_points(self.site, run), run.info.start_time)
        read = partial(source.read_artifact, run_id)
        files = previews.preview(source.artifacts(run_id), read, self.site.table_reader)
        view = run_view(catalogue, run, files, bool(curves), read, root="../")
        record = run_record(catalogue, run, files, curves)
        absent = sum(file.missing for file in files)
        copies = [copy for file in files for copy in (file.picture, file.page) if copy]
        return Outputs(
            files=(
                HtmlFile(address=urls.run_page(run_id), template="run.html", values={"page": view}),
                DataFile(address=view.data, data=columns.script(run_id, record)),
                *(DataFile(address=copy.address, data=copy.data) for copy in copies),
            ),
            facts=columns.trends(curves),
            content=AbsentFiles(count=absent, reason=source.absence(run_id)) if absent else None,
            final=not absent,  # their bytes may arrive
            failures=tuple(previews.failures(run_id, files)),
        )


def run_key(site: SiteContext, run: Run) -> object:
    """Return what a page shows of a run and of its neighbours; None if it is in progress."""
    catalogue, run_id = site.catalogue, run.info.run_id
    oid, parent = catalogue.source.run_oid(run_id), run.parent_run_id
    if not oid:
        return None
    return (
        oid,
        run_id in site.curved,
        catalogue.experiments[run.info.experiment_id].name,
        str(catalogue.links.get(parent)) if parent else "",
        [
            str(catalogue.links.get(child.info.run_id))
            for child in catalogue.children.get(run_id, ())
        ],
        [(v.name, v.version, v.source) for v in catalogue.registered.get(run_id, ())],
    )


def curve_points(site: SiteContext, run: Run) -> Sequence[Metric]:
    """Return the points of a run's curves; none if it has no curves, or they are left out."""
    drawn = run.info.run_id in site.curved and has_curves(run)
    return site.catalogue.source.history(run.info.run_id) if drawn else ()
