"""The home page: what changed lately, what is live, what needs attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gitml.entities import Experiment, ModelEvent, RegisteredModel, Run, RunStatus
from gitml.site import absent_files
from gitml.site.catalogue import Catalogue, PageLink, experiment_link, run_name
from gitml.site.data import columns
from gitml.site.failures import PageFailure
from gitml.site.page import HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.experiment_view import main_metrics
from gitml.site.pages.model import EventRow, LiveVersion, event_row, live
from gitml.site.pages.promotion import PromotionCard, open_promotions
from gitml.site.pages.timeline import Regression, Timelines
from gitml.site.source import Document, RepositoryWarning
from gitml.site.text import formats, markdown, urls
from gitml.tracking.failure import ERROR_TAG

NEWEST = 12
CHANGES = 8
FAILED = 5
WARNINGS = 10
REGRESSIONS = 3
RECENT = 7 * 24 * 3_600_000  # ms
_ENDED_BADLY = (RunStatus.FAILED, RunStatus.KILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a short list. Times are ms since the Unix epoch."""

    run: PageLink
    experiment: PageLink
    status: str
    start: int
    duration: str
    user: str
    highlights: tuple[tuple[str, str], ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRange:
    """A metric over an experiment's runs.

    Attributes:
        name: Its key.
        newest: Its value in the newest run that has it.
        best: Its best value; empty if the better direction is unknown.
        run: The run with that value.
        extreme: ``lowest`` or ``highest``: which of the values is the best.
        lowest: Its smallest finite value.
        highest: Its largest finite value.
    """

    name: str
    newest: str
    best: str
    run: PageLink
    extreme: str
    lowest: str
    highest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentCard:
    """An experiment on the home page."""

    link: PageLink
    runs: int
    failed: int
    newest: int | None
    metrics: tuple[MetricRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A registered model on the home page."""

    link: PageLink
    versions: int
    updated: int
    live: tuple[LiveVersion, ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChange:
    """An event of the registry."""

    model: PageLink
    event: EventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeView:
    """What the home page shows."""

    newest: tuple[RunRow, ...]
    experiments: tuple[ExperimentCard, ...]
    models: tuple[ModelCard, ...]
    failed: tuple[RunRow, ...]
    warnings: tuple[tuple[str, PageLink | None], ...]
    more_warnings: int
    promotions: tuple[PromotionCard, ...]
    changes: tuple[RegistryChange, ...]
    regressions: tuple[tuple[str, str], ...]
    reports: tuple[PageLink, ...]
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage(Page):
    """The first page of the site."""

    site: SiteContext
    timelines: Timelines

    name = "index.html"

    @property
    def needs(self) -> Sequence[str]:
        """The pages of runs: it tells how many files they lack."""
        catalogue = self.site.catalogue
        return [run.info.run_id for run in catalogue.runs if run.info.run_id in catalogue.paged]

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page."""
        catalogue = self.site.catalogue
        absent = absent_files.sentence(result.content for result in results.values())
        values = {
            "page": home_view(catalogue, self.timelines.regressions, self.site.faults, absent),
            "commit": catalogue.source.commit,
            "left_out": self.site.omissions,
        }
        return Outputs(files=[HtmlFile(address=self.name, template="home.html", values=values)])


def home_view(
    catalogue: Catalogue,
    regressions: Sequence[Regression] = (),
    faults: Mapping[str, PageFailure] = MappingProxyType({}),
    absent: str = "",
) -> HomeView:
    """Fill the home page.

    Args:
        catalogue: What the site shows.
        regressions: Metrics that got worse, newest first.
        faults: Saved views that cannot be read.
        absent: A sentence on files of runs that could not be had, if there are any.
    """
    failed = [run for run in _recent(catalogue.runs) if run.info.status in _ENDED_BADLY]
    warnings = [
        *([RepositoryWarning(text=absent)] if absent else []),
        *(RepositoryWarning(text=fault.message) for fault in faults.values()),
        *catalogue.source.warnings(),
    ]
    models = sorted(catalogue.source.models, key=lambda model: -model.last_updated_timestamp)
    return HomeView(
        newest=tuple(_row(catalogue, run) for run in catalogue.runs[:NEWEST]),
        experiments=_experiment_cards(catalogue),
        models=tuple(_model_card(catalogue, model) for model in models),
        failed=tuple(_row(catalogue, run) for run in failed[:FAILED]),
        warnings=tuple(
            (warning.text, _about(catalogue, warning)) for warning in warnings[:WARNINGS]
        ),
        more_warnings=max(0, len(warnings) - WARNINGS),
        promotions=open_promotions(catalogue),
        changes=_changes(catalogue),
        regressions=tuple((r.sentence, r.address) for r in regressions[:REGRESSIONS]),
        reports=tuple(_report(document) for document in reversed(catalogue.source.reports)),
        runs=len(catalogue.runs),
    )


def _about(catalogue: Catalogue, warning: RepositoryWarning) -> PageLink | None:
    if warning.run_id in catalogue.links:
        return catalogue.links[warning.run_id]
    if warning.model in catalogue.versions:
        return PageLink(text=formats.name(warning.model), address=urls.model_page(warning.model))
    return None


def _report(document: Document) -> PageLink:
    title, _ = markdown.titled(document.text, document.name)
    return PageLink(text=formats.name(title), address=urls.report_page(document.name))


def _changes(catalogue: Catalogue) -> tuple[RegistryChange, ...]:
    """List the newest events of all models."""
    changes = [
        (event, PageLink(text=formats.name(model.name), address=urls.model_page(model.name)))
        for model in catalogue.source.models
        for event in _moves(catalogue.source.events(model.name))
    ]
    changes.sort(key=lambda pair: (-pair[0].timestamp, pair[0].tag))
    return tuple(
        RegistryChange(model=link, event=event_row(event)) for event, link in changes[:CHANGES]
    )


def _moves(events: Sequence[ModelEvent]) -> list[ModelEvent]:
    """Leave out that a version left a stage if the stage that it entered instead is listed."""
    moves: list[ModelEvent] = []
    later: dict[int | None, ModelEvent] = {}  # the next stage of each version
    for event in sorted(events, key=lambda event: -event.timestamp):
        after = later.get(event.version)
        replaced = after and after.reason == event.reason
        if event.kind == "stage":
            later[event.version] = event
        if event.kind != "left" or not replaced:
            moves.append(event)
    return moves


def _recent(runs: Sequence[Run]) -> list[Run]:
    """Return the runs of the week before the newest one; pages must not depend on a clock."""
    since = runs[0].info.start_time - RECENT if runs else 0
    return [run for run in runs if run.info.start_time >= since]


def _row(catalogue: Catalogue, item: Run) -> RunRow:
    keys = main_metrics([item], 2)
    return RunRow(
        run=catalogue.links.get(item.info.run_id, PageLink(text=run_name(item))),
        experiment=experiment_link(catalogue.experiments[item.info.experiment_id]),
        status=item.info.status,
        start=item.info.start_time,
        duration=formats.duration(columns.elapsed(item)),
        user=formats.name(item.info.user_id),
        highlights=tuple(
            (formats.name(key), formats.number(item.data.metrics[key])) for key in keys
        ),
        error=formats.clip(item.data.tags.get(ERROR_TAG, ""), 160),
    )


def _experiment_cards(catalogue: Catalogue) -> tuple[ExperimentCard, ...]:
    """Describe the experiments, those with the newest runs first."""
    cards = [_experiment_card(catalogue, item) for item in catalogue.experiments.values()]
    return tuple(sorted(cards, key=lambda card: -(card.newest or 0)))


def _experiment_card(catalogue: Catalogue, item: Experiment) -> ExperimentCard:
    runs = catalogue.by_experiment.get(item.experiment_id, ())
    failed = sum(run.info.status in _ENDED_BADLY for run in runs)
    return ExperimentCard(
        link=experiment_link(item),
        runs=len(runs),
        failed=failed,
        newest=runs[0].info.start_time if runs else None,
        metrics=tuple(_range(catalogue, key, runs) for key in main_metrics(runs, 3)),
    )


def _range(catalogue: Catalogue, key: str, runs: Sequence[Run]) -> MetricRange:
    having = [run for run in runs if key in run.data.metrics]
    finite = [run for run in having if math.isfinite(run.data.metrics[key])] or having

    def value(run: Run) -> float:
        return run.data.metrics[key]

    low, high = min(finite, key=value), max(finite, key=value)
    extreme = {"lower": "lowest", "higher": "highest"}.get(catalogue.source.better(key), "")
    best = {"lowest": low, "highest": high}.get(extreme)
    newest, lowest, highest = formats.apart([value(run) for run in (having[0], low, high)])
    return MetricRange(
        name=formats.name(key),
        newest=newest,
        best={"lowest": lowest, "highest": highest}.get(extreme, ""),
        run=catalogue.links[best.info.run_id] if best else PageLink(text=""),
        extreme=extreme,
        lowest=lowest,
        highest=highest,
    )


def _model_card(catalogue: Catalogue, item: RegisteredModel) -> ModelCard:
    versions = catalogue.versions[item.name]
    return ModelCard(
        link=PageLink(text=formats.name(item.name), address=urls.model_page(item.name)),
        versions=len(versions),
        updated=item.last_updated_timestamp,
        live=live(versions),
        description=markdown.line(item.description, 160),
    )
