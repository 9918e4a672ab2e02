"""What the site shows and how its parts find one another; the ground all pages stand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gitml.entities import Experiment, LifecycleStage, ModelVersion, Run
from gitml.registry.promotion.decisions import Proposal
from gitml.site.source import Content
from gitml.site.text import formats, urls

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A name that leads somewhere; an empty address makes it plain text."""

    text: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What is shown, and how its parts find one another.

    Attributes:
        content: The source.
        runs: Active runs of active experiments, newest first.
        experiments: Active experiments by id, in the order they are listed.
        by_experiment: Their runs.
        links: Run id → link to its page, its own or the one that shows older runs.
        paged: Ids of the runs that have a page of their own.
        children: Run id → the runs nested in it.
        versions: Model name → its versions, newest first.
        registered: Run id → versions registered from it.
        proposals: Model name → what waits for a decision on it, newest first.
    """

    content: Content
    runs: tuple[Run, ...]
    experiments: Mapping[str, Experiment]
    by_experiment: Mapping[str, tuple[Run, ...]]
    links: Mapping[str, Link]
    paged: frozenset[str]
    children: Mapping[str, tuple[Run, ...]]
    versions: Mapping[str, tuple[ModelVersion, ...]]
    registered: Mapping[str, tuple[ModelVersion, ...]]
    proposals: Mapping[str, tuple[Proposal, ...]]


def catalogue(content: Content, run_pages: int) -> Catalogue:
    """Sort out what is shown: deleted things go, and the oldest runs get no page of their own.

    Args:
        content: The source.
        run_pages: How many of the newest runs get a page; runs of registered versions always do.
    """
    active = [e for e in content.experiments if e.lifecycle_stage == LifecycleStage.ACTIVE]
    known = {e.experiment_id for e in active}
    runs = tuple(
        run
        for run in content.runs
        if run.info.lifecycle_stage == LifecycleStage.ACTIVE
        and run.info.experiment_id in known
        and urls.is_run_id(run.info.run_id)
    )
    versions = {
        model.name: tuple(sorted(content.versions(model.name), key=lambda v: -v.version))
        for model in content.models
    }
    registered = _grouped((v.run_id, v) for many in versions.values() for v in many)
    paged = frozenset(
        r.info.run_id for n, r in enumerate(runs) if n < run_pages or r.info.run_id in registered
    )
    by_experiment = _grouped((run.info.experiment_id, run) for run in runs)
    newest = {key: -many[0].info.start_time for key, many in by_experiment.items()}
    active.sort(key=lambda e: (newest.get(e.experiment_id, -e.creation_time), e.experiment_id))
    return Catalogue(
        content=content,
        runs=runs,
        experiments={e.experiment_id: e for e in active},
        by_experiment=by_experiment,
        links=_Links({run.info.run_id: run for run in runs}, paged),
        paged=paged,
        children=_grouped((run.parent_run_id, run) for run in runs if run.parent_run_id),
        versions=versions,
        registered=registered,
        proposals=_grouped(
            (one.comparison.model, one)
            for one in content.proposals()
            if one.comparison.model in versions
        ),
    )


class _Links(Mapping[str, Link]):
    """Links to the pages of runs, each made when it is asked for: most are not."""

    def __init__(self, runs: Mapping[str, Run], paged: frozenset[str]) -> None:
        self._runs, self._paged = runs, paged

    def __getitem__(self, run_id: str) -> Link:
        text = run_name(self._runs[run_id])
        paged = run_id in self._paged
        return Link(text=text, address=urls.run_page(run_id) if paged else urls.older_run(run_id))

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


def experiment_link(item: Experiment) -> Link:
    """Link an experiment's name to its page."""
    address = urls.experiment_page(item.name, item.experiment_id)
    return Link(text=formats.name(item.name), address=address)


def run_name(item: Run) -> str:
    """Give a run's name, or the beginning of its id where it has none."""
    return formats.name(item.info.run_name.strip()) or item.info.run_id[:8]


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}
