"""Trace a commit, a dataset or a run forward: runs, versions, stages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gitml.entities import ModelVersion, Run, Value, ViewType
from gitml.errors import NotFound, StoreError
from gitml.git import GitRepo
from gitml.registry.ancestry import COMMIT_TAG, commit_of
from gitml.registry.registry import Registry
from gitml.repository import Repository

_HEX = re.compile(r"[0-9a-fA-F]{4,40}")
_MIN_PREFIX = 4  # characters of a digest
_MAX_LISTED = 5
_Matches = dict[tuple["Origin", str], tuple[Run, ...]]


class Origin(StrEnum):
    """Kinds of ancestors of a model version."""

    COMMIT = "commit"
    DATASET = "dataset"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent(Value):
    """A run and the versions that were registered from it, oldest first."""

    run: Run
    experiment: str
    versions: tuple[ModelVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Descendants(Value):
    """What was made from a commit, a dataset or by a run.

    Attributes:
        origin: Kind of ancestor.
        id: Full commit id, digest, or run id.
        names: Subject of the commit, names of the dataset, name of the run.
        runs: The runs; those with versions first, then newest first. Deleted ones are included.
    """

    origin: Origin
    id: str
    names: tuple[str, ...] = ()
    runs: tuple[Descent, ...] = ()


def descendants(repository: Repository, text: str) -> Descendants:
    """Find what was made from a commit, a dataset, or by a run.

    Args:
        repository: Where to look.
        text: A commit as git takes it (id, its first digits, branch, tag), the digest of a data
            set, or a run id; of digest and ids the first 4 characters or more are enough.

    Raises:
        NotFound: Nothing matches, several things do, or no run was made by that commit.
    """
    matches = _matches(repository, text)
    commit = commit_named(repository.git, text)
    if commit:
        matches.setdefault((Origin.COMMIT, commit), ())
    exact = {key: runs for key, runs in matches.items() if text.lower() == key[1].lower()}
    if len(exact or matches) > 1:
        raise _ambiguous(text, exact or matches)
    for (origin, name), runs in (exact or matches).items():
        return _described(repository, origin, name, runs or _runs_of_commit(repository, name))
    raise NotFound(
        f"Nothing matches {text!r:.80}.",
        hint="Give models:/<name>/<stage or version>, a commit, the digest of a dataset, or the "
        "id of a run.",
    )


def _matches(repository: Repository, text: str) -> _Matches:
    """Return the runs of each commit, digest and run id that begins with a text."""
    matches: dict[tuple[Origin, str], list[Run]] = defaultdict(list)
    if len(text) < _MIN_PREFIX or "'" in text:
        return {}
    index = repository.index()
    for run in index.every_run(f"datasets.digest LIKE '{text}%'", ViewType.ALL):
        for digest in {dataset.digest for dataset in run.inputs.dataset_inputs}:
            if digest.startswith(text):
                matches[Origin.DATASET, digest].append(run)
    if _HEX.fullmatch(text):
        like = f"tags.`{COMMIT_TAG}` LIKE '{text.lower()}%'"
        for run in index.every_run(like, ViewType.ALL):
            matches[Origin.COMMIT, run.data.tags[COMMIT_TAG]].append(run)
        for run_id in index.find_runs(text) if len(text) <= 32 else ():
            match = index.get_run(run_id)
            matches[Origin.RUN, run_id] += [match] if match else []
    return {key: tuple(runs) for key, runs in matches.items()}


def _runs_of_commit(repository: Repository, commit: str) -> tuple[Run, ...]:
    runs = tuple(repository.index().every_run(f"tags.`{COMMIT_TAG}` = '{commit}'", ViewType.ALL))
    if not runs:
        code = commit_of(repository.git, commit)
        subject = f" ({code.subject:.60})" if code and code.subject else ""
        raise NotFound(
            f"No run was made by commit {commit[:12]}{subject}.", hint="See `gitml runs list`."
        )
    return runs


def commit_named(repo: GitRepo, text: str) -> str | None:
    """Return the id of a commit by any name that git takes, such as ``HEAD``; None if unknown."""
    if not text or "\0" in text:
        return None
    try:
        out = repo.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    except StoreError:
        return None
    return out.decode().strip()


def _ambiguous(text: str, matches: Mapping[tuple[Origin, str], object]) -> NotFound:
    listed = sorted(f"{origin} {name:.64}" for origin, name in matches)
    more = " …" if len(listed) > _MAX_LISTED else ""
    return NotFound(
        f"{text!r:.80} is ambiguous: it matches {len(listed)} runs, commits or datasets.",
        hint=f"Give more of it: {', '.join(listed[:_MAX_LISTED])}{more}",
    )


def _described(
    repository: Repository, origin: Origin, name: str, runs: Sequence[Run]
) -> Descendants:
    versions = _versions_by_run(repository, {run.info.run_id for run in runs})
    listed = repository.index().search_experiments(ViewType.ALL)
    experiments = {experiment.experiment_id: experiment.name for experiment in listed}
    descents = [
        Descent(
            run=run,
            experiment=experiments.get(run.info.experiment_id, run.info.experiment_id),
            versions=tuple(versions.get(run.info.run_id, ())),
        )
        for run in runs
    ]
    descents.sort(key=lambda d: (not d.versions, -d.run.info.start_time))
    return Descendants(
        origin=origin, id=name, names=_names(repository, origin, name, runs), runs=tuple(descents)
    )


def _versions_by_run(repository: Repository, runs: set[str]) -> Mapping[str, list[ModelVersion]]:
    versions: dict[str, list[ModelVersion]] = defaultdict(list)
    registry = Registry.of(repository)
    for version in registry.search_model_versions(order_by=["name", "version_number"]):
        if version.run_id in runs:
            versions[version.run_id].append(version)
    return versions


def _names(
    repository: Repository, origin: Origin, name: str, runs: Sequence[Run]
) -> tuple[str, ...]:
    if origin is Origin.RUN:
        return tuple(run.info.run_name for run in runs)
    if origin is Origin.DATASET:
        datasets = (dataset for run in runs for dataset in run.inputs.dataset_inputs)
        return tuple(sorted({dataset.name for dataset in datasets if dataset.digest == name}))
    commit = commit_of(repository.git, name)
    return (commit.subject,) if commit and commit.subject else ()
