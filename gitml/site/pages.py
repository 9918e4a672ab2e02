"""What the home page and an experiment's page say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import Experiment, RegisteredModel, Run, RunStatus
from gitml.site import data, formats, markdown, urls
from gitml.site.catalogue import Catalogue, Link, experiment_link, run_name
from gitml.site.model_pages import LiveVersion, live

NEWEST = 12
TABLE_ROWS = 100
FAILED = 5
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
    """A metric over an experiment's runs: the newest value and the two ends."""

    name: str
    newest: str
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
class Home:
    """The first page."""

    newest: tuple[RunRow, ...]
    experiments: tuple[ExperimentCard, ...]
    models: tuple[ModelCard, ...]
    failed: tuple[RunRow, ...]
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentTable:
    """An experiment's page: the newest rows for readers without scripts."""

    link: Link
    runs: int
    description: str
    header: tuple[str, ...]
    rows: tuple[tuple[Link, str, int, str, tuple[str, ...]], ...]
    head: str


def home(shown: Catalogue) -> Home:
    """Say what changed lately and what is live."""
    failed = [run for run in _lately(shown.runs) if run.info.status in _ENDED_BADLY]
    models = sorted(shown.content.models, key=lambda model: -model.last_updated_timestamp)
    return Home(
        newest=tuple(_row(shown, run) for run in shown.runs[:NEWEST]),
        experiments=tuple(_experiment_card(shown, e) for e in shown.experiments.values()),
        models=tuple(_model_card(shown, model) for model in models),
        failed=tuple(_row(shown, run) for run in failed[:FAILED]),
        runs=len(shown.runs),
    )


def experiment(shown: Catalogue, item: Experiment, head: str) -> ExperimentTable:
    """Fill an experiment's page.

    Args:
        shown: What the site shows.
        item: The experiment.
        head: Address of the script with the table's newest runs.
    """
    runs = shown.by_experiment.get(item.experiment_id, ())[:TABLE_ROWS]
    metrics = _main_metrics(runs, 5)
    params = _telling_params(runs, 5)
    rows = []
    for run in runs:
        numbers = [_optional(run.data.metrics.get(key)) for key in metrics]
        texts = [formats.clip(run.data.params.get(key, ""), 60) for key in params]
        link = shown.links.get(run.info.run_id, Link(text=run_name(run)))
        elapsed = formats.duration(data.elapsed(run))
        cells = (*numbers, *texts, (run.source.commit or "")[:8])
        rows.append((link, run.info.status, run.info.start_time, elapsed, cells))
    return ExperimentTable(
        link=experiment_link(item),
        runs=len(shown.by_experiment.get(item.experiment_id, ())),
        description=markdown.render(item.tags.get(data.NOTE_TAG, "")),
        header=(*map(formats.name, (*metrics, *params)), "commit"),
        rows=tuple(rows),
        head=head,
    )


def _lately(runs: Sequence[Run]) -> list[Run]:
    """Take the runs of the week before the newest one; pages must not depend on a clock."""
    since = runs[0].info.start_time - LATELY if runs else 0
    return [run for run in runs if run.info.start_time >= since]


def _row(shown: Catalogue, item: Run) -> RunRow:
    keys = _main_metrics([item], 2)
    return RunRow(
        run=shown.links.get(item.info.run_id, Link(text=run_name(item))),
        experiment=experiment_link(shown.experiments[item.info.experiment_id]),
        status=item.info.status,
        start=item.info.start_time,
        duration=formats.duration(data.elapsed(item)),
        user=formats.name(item.info.user_id),
        highlights=tuple(
            (formats.name(key), formats.number(item.data.metrics[key])) for key in keys
        ),
        error=formats.clip(item.data.tags.get(data.ERROR_TAG, ""), 160),
    )


def _experiment_card(shown: Catalogue, item: Experiment) -> ExperimentCard:
    runs = shown.by_experiment.get(item.experiment_id, ())
    failed = sum(run.info.status in _ENDED_BADLY for run in runs)
    return ExperimentCard(
        link=experiment_link(item),
        runs=len(runs),
        failed=failed,
        newest=runs[0].info.start_time if runs else None,
        metrics=tuple(_range(key, runs) for key in _main_metrics(runs, 3)),
    )


def _range(key: str, runs: Sequence[Run]) -> MetricRange:
    values = [run.data.metrics[key] for run in runs if key in run.data.metrics]
    finite = [value for value in values if math.isfinite(value)] or [math.nan]
    return MetricRange(
        name=formats.name(key),
        newest=formats.number(values[0]),
        lowest=formats.number(min(finite)),
        highest=formats.number(max(finite)),
    )


def _main_metrics(runs: Sequence[Run], limit: int) -> list[str]:
    counts = Counter(key for run in runs for key in run.data.metrics if "system/" not in key)
    most = sorted(counts, key=lambda key: (-counts[key], data.rank(key)))
    return sorted(most[:limit], key=data.rank)


def _telling_params(runs: Sequence[Run], limit: int) -> list[str]:
    values: dict[str, set[str]] = {}
    for item in runs:
        for key, value in item.data.params.items():
            values.setdefault(key, set()).add(value)
    return sorted(sorted(values, key=lambda key: (len(values[key]) < 2, key))[:limit])


def _model_card(shown: Catalogue, item: RegisteredModel) -> ModelCard:
    versions = shown.versions[item.name]
    return ModelCard(
        link=Link(text=formats.name(item.name), address=urls.model_page(item.name)),
        versions=len(versions),
        updated=item.last_updated_timestamp,
        live=live(versions),
        description=formats.clip(item.description.partition("\n")[0], 160),
    )


def _optional(value: float | None) -> str:
    return "" if value is None else formats.number(value)
