"""Reports: Markdown on the code branch with the charts and tables of saved views.

A fenced block of the language ``gitml`` names a view and selects what of it the report shows::

    view: shallow-trees
    charts: [scatter]
    rows: 5

All charts and ten rows without these keys; ``charts: []`` or ``rows: 0`` for none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gitml.entities import Run
from gitml.errors import InvalidInput
from gitml.formats import plain_yaml, schemas
from gitml.site.catalogue import Catalogue, PageLink, run_name
from gitml.site.charts import static_charts
from gitml.site.data import columns, views
from gitml.site.data.views import Chart, Key, View
from gitml.site.failures import PageFailure
from gitml.site.page import DataFile, HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.relative_links import DocumentLinks
from gitml.site.previews import Picture
from gitml.site.source import Document
from gitml.site.text import formats, markdown, urls

ROWS = 10
MAX_ROWS = 500
_BLOCK = {
    "type": "object",
    "properties": {
        "view": {"type": "string"},
        "charts": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "integer", "minimum": 0, "maximum": MAX_ROWS},
    },
    "required": ["view"],
    "additionalProperties": False,
}
"""JSON Schema of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFigure:
    """A chart in a report.

    ``width`` and ``height`` are CSS pixels; ``left_out`` names what is no number among numbers.
    """

    picture: Picture
    title: str
    width: int
    height: int
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlock:
    """What a report shows of a view.

    Attributes:
        view: Its title, and the live page that it leads to.
        description: One line.
        runs: How many runs it has.
        figures: Its charts.
        header: Names of the table's columns.
        rows: The runs, each with its cells.
        drawn: How many runs the charts show.
        number: Its position on the page, from 1.
    """

    view: PageLink
    description: str
    runs: int
    figures: tuple[ReportFigure, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[PageLink, tuple[str, ...]], ...]
    drawn: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPages(Page):
    """All reports with their pictures."""

    site: SiteContext

    name = "reports"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the pages and the pictures."""
        return Outputs(files=list(self._files()))

    def _files(self) -> Iterator[HtmlFile | DataFile]:
        reporter = Reporter(
            catalogue=self.site.catalogue,
            views={view.name: view for view in self.site.views},
            faults=self.site.faults,
            render=self._render,
            cache=self.site.options.cache,
        )
        for document in self.site.catalogue.source.reports:
            address = urls.report_page(document.name)
            yield HtmlFile.made(address, "extra.html", partial(reporter.page, document))
        for picture in reporter.pictures:
            yield DataFile(address=picture.address, data=picture.data)

    def _render(self, block: ReportBlock) -> str:
        return self.site.templates.render("view.html", {"shown": block, "root": "../"})


@dataclass(slots=True, kw_only=True)
class Reporter:
    """Fills the blocks of reports.

    Attributes:
        catalogue: What the site shows.
        views: The saved views by name.
        faults: Why others cannot be read.
        render: What a report shows of a view → HTML.
        cache: Folder where drawings are cached between builds.
        pictures: The pictures of all charts, and those that the texts name.
        blocks: How many blocks of the current report were filled.
    """

    catalogue: Catalogue
    views: Mapping[str, View]
    faults: Mapping[str, PageFailure]
    render: Callable[[ReportBlock], str]
    cache: Path | None = None
    pictures: list[Picture] = field(default_factory=list)
    blocks: int = 0

    def page(self, document: Document) -> dict[str, object]:
        """Return a report's title and its HTML, as its template wants them.

        Raises:
            InvalidInput: A block is malformed, or names a view that does not exist.
        """
        self.blocks = 0
        title, text = markdown.titled(document.content(), document.name)
        block = partial(self._block, document)
        links = DocumentLinks(source=self.catalogue.source, document=document)
        html = markdown.render(text, shift=0, block=block, resolve=links)
        self.pictures += links.pictures
        return {"heading": formats.name(title), "text": html}

    def _block(self, document: Document, text: str) -> str:
        self.blocks += 1
        block = _read_block(f"{document.path}", text)
        own = f"{document.namespace}{block['view']}"
        name = own if own in self.views or own in self.faults else block["view"]
        view = self.views.get(name)
        if name in self.faults:
            fault = self.faults[name]
            raise InvalidInput(f"{document.path}: {fault.message}", hint=fault.hint)
        if view is None:
            names = ", ".join(sorted(self.views)) or "none yet"
            raise InvalidInput(
                f"{document.path}: there is no view {block['view']!r:.60}.",
                hint=f"Views in {views.FOLDER}/: {names}.",
            )
        return self.render(self._show(view, block))

    def _show(self, view: View, block: Mapping[str, Any]) -> ReportBlock:
        runs = runs_of(self.catalogue, view)
        kinds = block.get("charts")
        charts = [chart for chart in view.charts if kinds is None or chart.kind in kinds]
        keys = [key for key in view.columns or _columns(runs) if key.name != "run_name"]
        return ReportBlock(
            view=view_link(self.catalogue, view),
            description=view.description,
            runs=len(runs),
            figures=tuple(figure for chart in charts for figure in self._figures(chart, runs)),
            header=tuple(formats.name(key.name) for key in keys),
            rows=tuple(
                (
                    self.catalogue.links.get(run.info.run_id, PageLink(text=run_name(run))),
                    tuple(_cell(run, key) for key in keys),
                )
                for run in runs[: block.get("rows", ROWS)]
            ),
            drawn=min(len(runs), static_charts.RUNS),
            number=self.blocks,
        )

    def _figures(self, chart: Chart, runs: Sequence[Run]) -> list[ReportFigure]:
        specification = static_charts.spec(chart, runs)
        if specification is None:
            return []
        drawn = static_charts.svg(specification, self.cache)
        picture = Picture(address=urls.media(drawn, "svg"), data=drawn)
        self.pictures.append(picture)
        width, height = static_charts.size(drawn)
        title = static_charts.title(chart)
        return [
            ReportFigure(
                picture=picture,
                title=title,
                width=width,
                height=height,
                left_out=static_charts.left_out(chart, runs),
            )
        ]


def runs_of(catalogue: Catalogue, view: View) -> list[Run]:
    """Return the runs of a view; none if the site has no such experiment."""
    for item in catalogue.experiments.values():
        if item.name == view.experiment:
            return views.select(view, catalogue.by_experiment.get(item.experiment_id, ()))
    return []


def view_link(catalogue: Catalogue, view: View) -> PageLink:
    """Link a view to the page that shows it; plain text if the site has no such experiment."""
    for item in catalogue.experiments.values():
        if item.name == view.experiment:
            address = urls.experiment_page(item.name, item.experiment_id)
            return PageLink(
                text=formats.name(view.title), address=f"{address}#{views.fragment(view)}"
            )
    return PageLink(text=formats.name(view.title))


def _read_block(path: str, text: str) -> dict[str, Any]:
    """Read a block.

    Raises:
        InvalidInput: It is not valid.
    """
    try:
        block = plain_yaml.load(text)
    except plain_yaml.YamlFault as error:
        raise InvalidInput(
            f"{path}: a gitml block is not valid YAML: line {error.line}: {error}."
        ) from error
    schemas.require(block, _BLOCK, path, "the gitml block")
    return dict(block)


def _columns(runs: Sequence[Run]) -> list[Key]:
    """Return the columns of a view that names none."""
    metrics = sorted({key for run in runs[:100] for key in run.data.metrics}, key=columns.rank)
    params = sorted({key for run in runs[:100] for key in run.data.params})
    return [
        *(Key(kind="metrics", name=name) for name in metrics[:4]),
        *(Key(kind="params", name=name) for name in params[:4]),
    ]


def _cell(run: Run, column: Key) -> str:
    value = views.value(run, column)
    if value is None:
        return ""
    if column.name == "start_time" and column.kind == "attributes":
        return formats.moment(int(value))
    if column.name == "duration" and column.kind == "attributes":
        return formats.duration(int(value))
    return formats.clip(value, 200) if isinstance(value, str) else formats.number(value)
