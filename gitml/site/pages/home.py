"""What the first page says: what changed lately, what is live, what needs a look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import Experiment, ModelEvent, RegisteredModel, Run, RunStatus
from gitml.site.catalogue import Catalogue, Link, experiment_link, run_name
from gitml.site.data import columns
from gitml.site.pages.experiment import main_metrics
from gitml.site.pages.feed import Regression
from gitml.site.pages.model import EventRow, LiveVersion, event_row, live
from gitml.site.pages.promotion import PromotionCard, open_promotions
from gitml.site.source import Concern, Document
from gitml.site.text import formats, markdown, urls

NEWEST = 12
CHANGES = 8
FAILED = 5
CONCERNS = 10
REGRESSIONS = 3
LATELY = 7 * 24 * 3_600_000  # ms
_ENDED_BADLY = (RunStatus.FAILED, RunStatus.KILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a short list. Times are ms since the Unix epoch."""

    run: Link
    experiment: Link
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
        best: Its best value; empty where its name does not tell which way is better.
        run: The run with that value.
        way: ``lowest`` or ``highest``.
        lowest: Its smallest finite value.
        highest: Its largest finite value.
    """

    name: str
    newest: str
    best: str
    run: Link
    way: str
    lowest: str
    highest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentCard:
    """An experiment on the home page."""

    link: Link
    runs: int
    failed: int
    newest: int | None
    metrics: tuple[MetricRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A registered model on the home page."""

    link: Link
    versions: int
    updated: int
    live: tuple[LiveVersion, ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened in the registry."""

    model: Link
    event: EventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The first page."""

    newest: tuple[RunRow, ...]
    experiments: tuple[ExperimentCard, ...]
    models: tuple[ModelCard, ...]
    failed: tuple[RunRow, ...]
    concerns: tuple[tuple[str, Link | None], ...]
    more_concerns: int
    promotions: tuple[PromotionCard, ...]
    changes: tuple[Change, ...]
    regressions: tuple[tuple[str, str], ...]
    reports: tuple[Link, ...]
    runs: int


def home(shown: Catalogue, regressions: Sequence[Regression] = ()) -> Home:
    """Say what changed lately and what is live.

    Args:
        shown: What the site shows.
        regressions: Steps of metrics for the worse, newest first.
    """
    failed = [run for run in _lately(shown.runs) if run.info.status in _ENDED_BADLY]
    concerns = shown.content.concerns()
    models = sorted(shown.content.models, key=lambda model: -model.last_updated_timestamp)
    return Home(
        newest=tuple(_row(shown, run) for run in shown.runs[:NEWEST]),
        experiments=_experiment_cards(shown),
        models=tuple(_model_card(shown, model) for model in models),
        failed=tuple(_row(shown, run) for run in failed[:FAILED]),
        concerns=tuple((concern.text, _about(shown, concern)) for concern in concerns[:CONCERNS]),
        more_concerns=max(0, len(concerns) - CONCERNS),
        promotions=open_promotions(shown),
        changes=_changes(shown),
        regressions=tuple((one.sentence, one.address) for one in regressions[:REGRESSIONS]),
        reports=tuple(_report(document) for document in reversed(shown.content.reports)),
        runs=len(shown.runs),
    )


def _about(shown: Catalogue, concern: Concern) -> Link | None:
    if concern.run_id in shown.links:
        return shown.links[concern.run_id]
    if concern.model in shown.versions:
        return Link(text=formats.name(concern.model), address=urls.model_page(concern.model))
    return None


def _report(document: Document) -> Link:
    title, _ = markdown.titled(document.text, document.name)
    return Link(text=formats.name(title), address=urls.report_page(document.name))


def _changes(shown: Catalogue) -> tuple[Change, ...]:
    """List the newest events of all models."""
    found = [
        (event, Link(text=formats.name(model.name), address=urls.model_page(model.name)))
        for model in shown.content.models
        for event in _moves(shown.content.events(model.name))
    ]
    found.sort(key=lambda pair: (-pair[0].timestamp, pair[0].tag))
    return tuple(Change(model=link, event=event_row(event)) for event, link in found[:CHANGES])


def _moves(events: Sequence[ModelEvent]) -> list[ModelEvent]:
    """Leave out that a version left a stage where it is told which one it entered instead."""
    kept: list[ModelEvent] = []
    later: dict[int | None, ModelEvent] = {}  # of each version, where it went next
    for event in sorted(events, key=lambda event: -event.timestamp):
        after = later.get(event.version)
        told = after and after.reason == event.reason
        if event.kind == "stage":
            later[event.version] = event
        if event.kind != "left" or not told:
            kept.append(event)
    return kept


def _lately(runs: Sequence[Run]) -> list[Run]:
    """Take the runs of the week before the newest one; pages must not depend on a clock."""
    since = runs[0].info.start_time - LATELY if runs else 0
    return [run for run in runs if run.info.start_time >= since]


def _row(shown: Catalogue, item: Run) -> RunRow:
    keys = main_metrics([item], 2)
    return RunRow(
        run=shown.links.get(item.info.run_id, Link(text=run_name(item))),
        experiment=experiment_link(shown.experiments[item.info.experiment_id]),
        status=item.info.status,
        start=item.info.start_time,
        duration=formats.duration(columns.elapsed(item)),
        user=formats.name(item.info.user_id),
        highlights=tuple(
            (formats.name(key), formats.number(item.data.metrics[key])) for key in keys
        ),
        error=formats.clip(item.data.tags.get(columns.ERROR_TAG, ""), 160),
    )


def _experiment_cards(shown: Catalogue) -> tuple[ExperimentCard, ...]:
    """Describe the experiments, the ones that people work on first."""
    cards = [_experiment_card(shown, one) for one in shown.experiments.values()]
    return tuple(sorted(cards, key=lambda card: -(card.newest or 0)))


def _experiment_card(shown: Catalogue, item: Experiment) -> ExperimentCard:
    runs = shown.by_experiment.get(item.experiment_id, ())
    failed = sum(run.info.status in _ENDED_BADLY for run in runs)
    return ExperimentCard(
        link=experiment_link(item),
        runs=len(runs),
        failed=failed,
        newest=runs[0].info.start_time if runs else None,
        metrics=tuple(_range(shown, key, runs) for key in main_metrics(runs, 3)),
    )


def _range(shown: Catalogue, key: str, runs: Sequence[Run]) -> MetricRange:
    having = [run for run in runs if key in run.data.metrics]
    finite = [run for run in having if math.isfinite(run.data.metrics[key])] or having

    def value(run: Run) -> float:
        return run.data.metrics[key]

    low, high = min(finite, key=value), max(finite, key=value)
    way = {"lower": "lowest", "higher": "highest"}.get(shown.content.better(key), "")
    best = {"lowest": low, "highest": high}.get(way)
    return MetricRange(
        name=formats.name(key),
        newest=formats.number(value(having[0])),
        best=formats.number(value(best)) if best else "",
        run=shown.links[best.info.run_id] if best else Link(text=""),
        way=way,
        lowest=formats.number(value(low)),
        highest=formats.number(value(high)),
    )


def _model_card(shown: Catalogue, item: RegisteredModel) -> ModelCard:
    versions = shown.versions[item.name]
    return ModelCard(
        link=Link(text=formats.name(item.name), address=urls.model_page(item.name)),
        versions=len(versions),
        updated=item.last_updated_timestamp,
        live=live(versions),
        description=formats.clip(item.description.partition("\n")[0], 160),
    )
