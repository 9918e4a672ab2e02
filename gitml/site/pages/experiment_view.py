"""What an experiment's page shows: the newest rows, for readers without scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from gitml.entities import Experiment, Run
from gitml.site.catalogue import Catalogue, PageLink, experiment_link, run_name
from gitml.site.data import columns
from gitml.site.text import formats, markdown

TABLE_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentView:
    """An experiment's page; ``head`` is the address of the script with the newest rows."""

    link: PageLink
    runs: int
    description: str
    header: tuple[str, ...]
    rows: tuple[tuple[PageLink, str, int, str, tuple[str, ...]], ...]
    head: str


def experiment_view(catalogue: Catalogue, experiment: Experiment, head: str) -> ExperimentView:
    """Fill an experiment's page.

    Args:
        catalogue: What the site shows.
        experiment: The experiment.
        head: Address of the script with the table's newest runs.
    """
    runs = catalogue.by_experiment.get(experiment.experiment_id, ())
    listed = runs[:TABLE_ROWS]
    metrics, params = main_metrics(listed, 5), _varied_params(listed, 5)
    rows = []
    for run in listed:
        numbers = [_optional(run.data.metrics.get(key)) for key in metrics]
        texts = [formats.clip(run.data.params.get(key, ""), 60) for key in params]
        link = catalogue.links.get(run.info.run_id, PageLink(text=run_name(run)))
        elapsed = formats.duration(columns.elapsed(run))
        cells = (*numbers, *texts, (run.source.commit or "")[:8])
        rows.append((link, run.info.status, run.info.start_time, elapsed, cells))
    return ExperimentView(
        link=experiment_link(experiment),
        runs=len(runs),
        description=markdown.render(experiment.tags.get(columns.NOTE_TAG, "")),
        header=(*map(formats.name, (*metrics, *params)), "commit"),
        rows=tuple(rows),
        head=head,
    )


def main_metrics(runs: Sequence[Run], limit: int) -> list[str]:
    """Return the metrics that most runs have, timings last."""
    counts = Counter(chain.from_iterable(run.data.metrics for run in runs))
    keys = (key for key in counts if "system/" not in key)
    frequent = sorted(keys, key=lambda key: (-counts[key], columns.rank(key)))
    return sorted(frequent[:limit], key=columns.rank)


def _varied_params(runs: Sequence[Run], limit: int) -> list[str]:
    """Return the params with more than one value first."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for key, value in run.data.params.items():
            values.setdefault(key, set()).add(value)
    return sorted(sorted(values, key=lambda key: (len(values[key]) < 2, key))[:limit])


def _optional(value: float | None) -> str:
    return "" if value is None else formats.number(value)
