"""Reports: Markdown on the code branch with the charts and tables of saved views.

A fenced block of the language ``gitml`` names a view and says what of it stands there::

    view: shallow-trees
    charts: [scatter]
    rows: 5

All charts and ten rows without these keys; ``charts: []`` or ``rows: 0`` for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitml.entities import Run
from gitml.errors import InvalidInput
from gitml.formats import schemas
from gitml.site.catalogue import Catalogue, PageLink, run_name
from gitml.site.charts import static_charts
from gitml.site.data import columns as data, views
from gitml.site.data.views import Chart, Key, View
from gitml.site.previews import Picture
from gitml.site.source import Document
from gitml.site.text import formats, markdown, urls

ROWS = 10
MOST_ROWS = 500
_BLOCK = {
    "type": "object",
    "properties": {
        "view": {"type": "string"},
        "charts": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "integer", "minimum": 0, "maximum": MOST_ROWS},
    },
    "required": ["view"],
    "additionalProperties": False,
}
"""JSON Schema of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart in a report; ``width`` and ``height`` are CSS pixels."""

    picture: Picture
    title: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a report shows of a view.

    Attributes:
        view: Its title, and the live page that it leads to.
        description: One line.
        runs: How many runs it holds.
        figures: Its charts.
        header: Names of the table's columns.
        rows: The runs, each with its cells.
        drawn: How many runs the charts show.
        number: Which one it is on its page, from 1.
    """

    view: PageLink
    description: str
    runs: int
    figures: tuple[Figure, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[PageLink, tuple[str, ...]], ...]
    drawn: int
    number: int


@dataclass(slots=True, kw_only=True)
class Reporter:
    """Fills the blocks of reports.

    Attributes:
        catalogue: What the site shows.
        views: The saved views by name.
        render: What a report shows of a view → HTML.
        cache: Folder where drawings are kept between builds.
        pictures: The pictures that were made.
        blocks: How many blocks of the present report were filled.
    """

    catalogue: Catalogue
    views: Mapping[str, View]
    render: Callable[[Shown], str]
    cache: Path | None = None
    pictures: list[Picture] = field(default_factory=list)
    blocks: int = 0

    def page(self, document: Document) -> tuple[str, str]:
        """Give a report's title and its HTML.

        Raises:
            InvalidInput: A block cannot be read, or names a view that is not there.
        """
        self.blocks = 0
        title, text = markdown.titled(document.text, document.name)
        return title, markdown.render(
            text, shift=0, block=lambda block: self._block(document, block)
        )

    def _block(self, document: Document, text: str) -> str:
        self.blocks += 1
        asked = _read_block(f"reports/{document.name}.md", text)
        view = self.views.get(asked["view"])
        if view is None:
            known = ", ".join(sorted(self.views)) or "none yet"
            raise InvalidInput(
                f"reports/{document.name}.md: there is no view {asked['view']!r:.60}.",
                hint=f"Views in {views.FOLDER}/: {known}.",
            )
        return self.render(self._shown(view, asked))

    def _shown(self, view: View, asked: Mapping[str, Any]) -> Shown:
        runs = runs_of(self.catalogue, view)
        kinds = asked.get("charts")
        wanted = [one for one in view.charts if kinds is None or one.kind in kinds]
        columns = [c for c in view.columns or _columns(runs) if c.name != "run_name"]
        return Shown(
            view=link(self.catalogue, view),
            description=view.description,
            runs=len(runs),
            figures=tuple(figure for one in wanted for figure in self._figures(one, runs)),
            header=tuple(formats.name(column.name) for column in columns),
            rows=tuple(
                (
                    self.catalogue.links.get(run.info.run_id, PageLink(text=run_name(run))),
                    tuple(_cell(run, column) for column in columns),
                )
                for run in runs[: asked.get("rows", ROWS)]
            ),
            drawn=min(len(runs), static_charts.RUNS),
            number=self.blocks,
        )

    def _figures(self, chart: Chart, runs: Sequence[Run]) -> list[Figure]:
        specification = static_charts.spec(chart, runs)
        if specification is None:
            return []
        drawn = static_charts.svg(specification, self.cache)
        picture = Picture(address=urls.media(drawn, "svg"), data=drawn)
        self.pictures.append(picture)
        width, height = static_charts.size(drawn)
        title = static_charts.title(chart)
        return [Figure(picture=picture, title=title, width=width, height=height)]


def runs_of(catalogue: Catalogue, view: View) -> list[Run]:
    """Take the runs of a view; none where its experiment is not here."""
    for item in catalogue.experiments.values():
        if item.name == view.experiment:
            return views.select(view, catalogue.by_experiment.get(item.experiment_id, ()))
    return []


def link(catalogue: Catalogue, view: View) -> PageLink:
    """PageLink a view to the page that shows it; plain text where its experiment is not here."""
    for item in catalogue.experiments.values():
        if item.name == view.experiment:
            address = urls.experiment_page(item.name, item.experiment_id)
            return PageLink(
                text=formats.name(view.title), address=f"{address}#{views.fragment(view)}"
            )
    return PageLink(text=formats.name(view.title))


def _read_block(where: str, text: str) -> dict[str, Any]:
    """Read a block.

    Raises:
        InvalidInput: It is not valid.
    """
    import yaml

    try:
        block = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{where}: a gitml block is not valid YAML: {reason}.") from error
    schemas.require(block, _BLOCK, where, "the gitml block")
    return dict(block)


def _columns(runs: Sequence[Run]) -> list[Key]:
    """Choose columns for a view that names none."""
    metrics = sorted({key for run in runs[:100] for key in run.data.metrics}, key=data.rank)
    params = sorted({key for run in runs[:100] for key in run.data.params})
    return [
        *(Key(kind="metrics", name=name) for name in metrics[:4]),
        *(Key(kind="params", name=name) for name in params[:4]),
    ]


def _cell(run: Run, column: Key) -> str:
    found = views.value(run, column)
    if found is None:
        return ""
    if column.name == "start_time" and column.kind == "attributes":
        return formats.moment(int(found))
    if column.name == "duration" and column.kind == "attributes":
        return formats.duration(int(found))
    return formats.clip(found, 200) if isinstance(found, str) else formats.number(found)
