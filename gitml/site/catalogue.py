"""The catalogue of a site: what it shows, and how its parts refer to one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gitml.entities import Experiment, LifecycleStage, ModelVersion, Run
from gitml.registry.promotion.decisions import OpenProposal
from gitml.site.source import SiteSource
from gitml.site.text import formats, urls

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A text that links to a page; an empty address makes it plain text."""

    text: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What a site shows, indexed.

    Attributes:
        source: The source.
        runs: Active runs of active experiments, newest first.
        experiments: Active experiments by id, in the order they are listed.
        by_experiment: Their runs.
        links: Run id → link to its page, its own or the one that shows older runs.
        paged: Ids of the runs that have a page of their own.
        children: Run id → the runs nested in it.
        versions: Model name → its versions, newest first.
        registered: Run id → versions registered from it.
        proposals: Model name → proposals that wait for a decision, newest first.
    """

    source: SiteSource
    runs: tuple[Run, ...]
    experiments: Mapping[str, Experiment]
    by_experiment: Mapping[str, tuple[Run, ...]]
    links: Mapping[str, PageLink]
    paged: frozenset[str]
    children: Mapping[str, tuple[Run, ...]]
    versions: Mapping[str, tuple[ModelVersion, ...]]
    registered: Mapping[str, tuple[ModelVersion, ...]]
    proposals: Mapping[str, tuple[OpenProposal, ...]]

    @classmethod
    def of(cls, source: SiteSource, run_pages: int) -> Catalogue:
        """Index what a source contains, without deleted experiments and runs.

        Args:
            source: The source.
            run_pages: How many of the newest runs get a page; runs of registered versions always
                do.
        """
        experiments = _active_experiments(source)
        runs = tuple(
            run
            for run in source.runs
            if run.info.lifecycle_stage == LifecycleStage.ACTIVE
            and run.info.experiment_id in experiments
            and urls.is_run_id(run.info.run_id)
        )
        versions = {
            model.name: tuple(sorted(source.versions(model.name), key=lambda v: -v.version))
            for model in source.models
        }
        registered = _grouped(
            (version.run_id, version) for group in versions.values() for version in group
        )
        paged = frozenset(
            run.info.run_id
            for position, run in enumerate(runs)
            if position < run_pages or run.info.run_id in registered
        )
        by_experiment = _grouped((run.info.experiment_id, run) for run in runs)
        return cls(
            source=source,
            runs=runs,
            experiments=_newest_first(experiments, by_experiment),
            by_experiment=by_experiment,
            links=_RunLinks({run.info.run_id: run for run in runs}, paged),
            paged=paged,
            children=_grouped((run.parent_run_id, run) for run in runs if run.parent_run_id),
            versions=versions,
            registered=registered,
            proposals=_grouped(
                (proposal.comparison.model, proposal)
                for proposal in source.proposals()
                if proposal.comparison.model in versions
            ),
        )


def _active_experiments(source: SiteSource) -> dict[str, Experiment]:
    return {
        experiment.experiment_id: experiment
        for experiment in source.experiments
        if experiment.lifecycle_stage == LifecycleStage.ACTIVE
    }


def _newest_first(
    experiments: Mapping[str, Experiment], runs: Mapping[str, tuple[Run, ...]]
) -> dict[str, Experiment]:
    """Order experiments by their newest run, or by their creation if they have none."""
    newest = {key: -group[0].info.start_time for key, group in runs.items()}

    def order(experiment: Experiment) -> tuple[int, str]:
        key = experiment.experiment_id
        return newest.get(key, -experiment.creation_time), key

    return {e.experiment_id: e for e in sorted(experiments.values(), key=order)}


class _RunLinks(Mapping[str, PageLink]):
    """Links to the pages of runs, each made at its first use: most are not used."""

    def __init__(self, runs: Mapping[str, Run], paged: frozenset[str]) -> None:
        self._runs, self._paged = runs, paged

    def __getitem__(self, run_id: str) -> PageLink:
        text = run_name(self._runs[run_id])
        paged = run_id in self._paged
        address = urls.run_page(run_id) if paged else urls.older_run(run_id)
        return PageLink(text=text, address=address)

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


def experiment_link(experiment: Experiment) -> PageLink:
    """Link an experiment's name to its page."""
    address = urls.experiment_page(experiment.name, experiment.experiment_id)
    return PageLink(text=formats.name(experiment.name), address=address)


def run_name(run: Run) -> str:
    """Return a run's name, or the beginning of its id if it has none."""
    return formats.name(run.info.run_name.strip()) or run.info.run_id[:8]


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}
