"""Build a site: gather its pages, then write them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from gitml.site import absent_files, previews
from gitml.site.catalogue import Catalogue
from gitml.site.data import views
from gitml.site.data.views import View
from gitml.site.failures import PageFailure, attempt, sentences
from gitml.site.frame import Frame
from gitml.site.gather import gather
from gitml.site.options import BuildReport, SiteOptions
from gitml.site.output import budget, templates
from gitml.site.output.budget import OverBudget, Plan
from gitml.site.output.folder import Output
from gitml.site.output.no_gc import without_collector
from gitml.site.page import SiteContext
from gitml.site.source import Document, SiteSource
from gitml.site.writer import Progress, SiteWriter


@without_collector()
def build(
    source: SiteSource,
    output: Path,
    *,
    options: SiteOptions | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a site into a folder and replace an earlier site in it.

    The same source gives the same bytes. The old site stays as it is until everything is written;
    what did not change is neither rendered nor written again.

    Args:
        source: What to show.
        output: Folder of the site; created if it does not exist.
        options: How to build.
        progress: Called with (pages done, pages in total).

    Raises:
        InvalidInput: The folder contains something that is not a site of ours, or is not writable.
    """
    options = options or SiteOptions()
    full = Catalogue.of(source, options.run_pages)
    frame = Frame.of(
        source, templates.load(options.templates, options.cache, options.root), options
    )
    saved, faults = _views(source)
    for plan in budget.plans(len(full.runs), options.run_pages):
        catalogue = full if plan.full else Catalogue.of(source, plan.pages)
        omissions = _omissions(plan, catalogue, options)
        out = Output(folder=output, limit=0 if plan.last else options.max_bytes)
        writer = SiteWriter(
            source=source,
            frame=frame,
            out=out,
            progress=progress or (lambda done, total: None),
            worker_count=options.workers,
        )
        try:
            with out, previews.parquet_reader() as table_reader:
                site = SiteContext(
                    catalogue=catalogue,
                    options=options,
                    templates=frame.look,
                    table_reader=table_reader,
                    views=saved,
                    newest_runs=plan.pages,
                    curve_runs=plan.curves,
                    omissions=omissions,
                    faults=faults,
                )
                writer.write(gather(site))
        except OverBudget:
            continue
        break
    dropped = (*omissions, *budget.excess(out.total_bytes, options.max_bytes))
    absent = absent_files.sentence(writer.contents.values())
    return _report(out, dropped, _failures(source, writer, faults), absent)


def _views(source: SiteSource) -> tuple[list[View], dict[str, PageFailure]]:
    """Read the saved views, and why others cannot be read."""
    parsed = {document.name: attempt(partial(_view, document)) for document in source.views}
    faults = {name: view for name, view in parsed.items() if isinstance(view, PageFailure)}
    return [view for view in parsed.values() if not isinstance(view, PageFailure)], faults


def _view(document: Document) -> View:
    text, prefix = document.content(), document.experiment_prefix
    return views.parse(document.name, text, document.path, prefix)


def _failures(
    source: SiteSource, writer: SiteWriter, faults: Mapping[str, PageFailure]
) -> tuple[str, ...]:
    """Return one sentence for each thing that is wrong."""
    wrong = [
        *(f"A view is not shown: {fault.message}" for fault in faults.values()),
        *sentences(writer.errors),
        *source.unread(),
        *writer.failures,
    ]
    return tuple(dict.fromkeys(wrong))


def _report(
    out: Output, dropped: tuple[str, ...], failures: tuple[str, ...], absent: str
) -> BuildReport:
    new = sum(file.new for file in out.files.values())
    return BuildReport(
        output=out.folder,
        written=new,
        unchanged=len(out.files) - new,
        bytes=out.total_bytes,
        dropped=(*dropped, *failures),
        failures=failures,
        absent=absent,
    )


def _omissions(plan: Plan, catalogue: Catalogue, options: SiteOptions) -> tuple[str, ...]:
    runs = len(catalogue.runs)
    return budget.sentences(plan, runs, runs - len(catalogue.paged), options.max_bytes)
