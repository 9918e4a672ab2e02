"""Hides how a model version is traced to what it was made from, and code or data to what is live.

``ancestry`` goes back from a version: stage, run, code, data, parent. ``descendants`` goes forward
from a commit, the digest of a data set or a run: runs, versions, stages. Nothing is written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gitml import uris
from gitml.entities import ModelEvent, ModelVersion, Run, Stage, Value, ViewType
from gitml.errors import NotFound, StoreError
from gitml.git import GitRepo
from gitml.registry import resolve
from gitml.registry.facts import collect, folder_of
from gitml.registry.promotion.propose import previous_version
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.stage_history import StageEntry, by_stage
from gitml.repository import Repository

_COMMIT_TAG = "mlflow.source.git.commit"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HEX = re.compile(r"[0-9a-fA-F]{4,40}")
_LEAST = 4  # characters that the beginning of a digest has
_NAMED = 5  # candidates that a message lists
_LIVE = (Stage.STAGING, Stage.PRODUCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Value):
    """A commit of the code.

    Attributes:
        id: Its full id.
        subject: First line of its message; empty where the commit is not in this clone.
        author: Who wrote it; empty likewise.
        time: When, ms since the Unix epoch; None likewise.
    """

    id: str
    subject: str = ""
    author: str = ""
    time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Value):
    """A file that lies beside a run's record.

    Attributes:
        at: Where, as ``git show`` takes it.
        count: Files that a patch changes; packages that an environment has.
    """

    at: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage(Value):
    """What a model version was made from, and how it came where it is.

    Attributes:
        version: The version.
        registered: Its registration.
        stages: The times it spent in each stage it ever was in, oldest first.
        aliased: How it came to each alias it holds.
        previous: The version that was in its stage before; None where none was or can be used.
        run: The run that trained it; None where that is not recorded.
        experiment: Name of the run's experiment, its id where the name is not known.
        parent: The run that this run is nested in.
        code: The commit it was trained with; None where that is not known.
        patch: What differed from that commit; None where nothing did, or it was not kept.
        requirements: The installed packages; None where they are not recorded.
    """

    version: ModelVersion
    registered: ModelEvent | None = None
    stages: Mapping[str, tuple[StageEntry, ...]] = field(default_factory=dict)
    aliased: tuple[ModelEvent, ...] = ()
    previous: int | None = None
    run: Run | None = None
    experiment: str = ""
    parent: Run | None = None
    code: Commit | None = None
    patch: Kept | None = None
    requirements: Kept | None = None

    @property
    def entered(self) -> StageEntry | None:
        """How it came to the stage it is in; None in stage None."""
        times = self.stages.get(self.version.current_stage)
        return times[-1] if times else None

    @property
    def judged(self) -> tuple[str, StageEntry] | None:
        """The stage that it entered last by meeting gates, and how; None where it met none."""
        met = [(stage, one) for stage, times in self.stages.items() for one in times if one.gates]
        return max(met, key=lambda pair: pair[1].timestamp, default=None)


class Origin(StrEnum):
    """What versions can descend from."""

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
    """What was made from a commit, a data set or by a run.

    Attributes:
        origin: What it is.
        id: Full commit id, digest, or run id.
        names: Subject of the commit, names of the data set, name of the run.
        runs: The runs; those with versions first, then newest first. Deleted ones are included.
    """

    origin: Origin
    id: str
    names: tuple[str, ...] = ()
    runs: tuple[Descent, ...] = ()


# Back from a version ----------------------------------------------------------------------------


def ancestry(repository: Repository, version: ModelVersion) -> Lineage:
    """Trace a version to what it was made from."""
    registry = Registry.of(repository)
    history = registry.history(version.name)
    events = [event for event in history if event.version == version.version]
    run = _run(repository, version)
    folder = folder_of(repository.git, repository.branch, version)
    return Lineage(
        version=version,
        registered=_last(events, Kind.REGISTERED),
        stages=_stages(history, version.version),
        aliased=tuple(e for a in version.aliases if (e := _last(events, Kind.ALIAS, a))),
        previous=_previous(registry, version),
        run=run,
        experiment=_experiment(repository, run) if run else "",
        parent=_parent(repository, run) if run else None,
        code=commit_of(repository.git, code_of(version, run)),
        patch=_kept(repository.git, folder, "source.patch", changed_files),
        requirements=_kept(repository.git, folder, "requirements.txt", _count_lines),
    )


def _stages(history: Sequence[ModelEvent], version: int) -> Mapping[str, tuple[StageEntry, ...]]:
    told = {
        stage: tuple(one for one in times if one.version == version)
        for stage, times in by_stage(history).items()
    }
    return {stage: times for stage, times in told.items() if times}


def _last(events: Sequence[ModelEvent], kind: Kind, value: str = "") -> ModelEvent | None:
    found = (e for e in reversed(events) if e.kind == kind and (not value or e.value == value))
    return next(found, None)


def code_of(version: ModelVersion, run: Run | None) -> str:
    """Name the commit that trained a version; empty where that is not known.

    A version that stock GTO registered has no run: its tag is on the code itself.
    """
    recorded = (run.source.commit or run.data.tags.get(_COMMIT_TAG)) if run else None
    return recorded or version.code_commit or ("" if version.source else version.commit)


def changed_files(patch: bytes) -> int:
    """Count the files that a patch of ``git diff`` changes."""
    return len(re.findall(rb"^diff --git ", patch, re.MULTILINE))


def commit_of(repo: GitRepo, commit: str) -> Commit | None:
    """Describe a commit by its full id; without its message where the clone lacks it."""
    if not _COMMIT.fullmatch(commit):
        return None
    if not repo.contains(f"{commit}^{{commit}}"):
        return Commit(id=commit)
    log = ("log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%at%x00%an%x00%s")
    told = repo.run(*log, commit).decode("utf-8", "replace").rstrip("\n")
    time, author, subject = told.split("\0", 2)
    seconds = int(time) if time.isdecimal() else None  # none where somebody wrote no time
    return Commit(id=commit, subject=subject, author=author, time=seconds and seconds * 1000)


def _run(repository: Repository, version: ModelVersion) -> Run | None:
    try:
        return collect(repository.git, repository.branch, version).run
    except StoreError:  # somebody pushed a record that cannot be read; the rest can be told
        return None


def _previous(registry: Registry, version: ModelVersion) -> int | None:
    if version.current_stage not in _LIVE:
        return None
    try:
        return previous_version(registry, version.name, Stage(version.current_stage)).version
    except NotFound:
        return None


def _parent(repository: Repository, run: Run) -> Run | None:
    return repository.index().get_run(run.parent_run_id) if run.parent_run_id else None


def _experiment(repository: Repository, run: Run) -> str:
    found = repository.index().experiment(run.info.experiment_id)
    return found.name if found else run.info.experiment_id


def _kept(
    repo: GitRepo, folder: str | None, name: str, count: Callable[[bytes], int]
) -> Kept | None:
    try:
        data = repo.read(f"{folder}/{name}") if folder else None
    except StoreError:  # somebody pushed a file larger than any of ours
        return None
    if not data or not folder:
        return None
    short = re.sub(r"^([0-9a-f]{12})[0-9a-f]{28}", r"\1", folder)
    return Kept(at=f"{short}/{name}", count=count(data))


def _count_lines(data: bytes) -> int:
    return len(data.splitlines())


# Forward from code, data or a run ---------------------------------------------------------------


def descendants(repository: Repository, text: str) -> Descendants:
    """Find what was made from a commit, a data set, or by a run.

    Args:
        repository: Where to look.
        text: A commit as git takes it (id, its first digits, branch, tag), the digest of a data
            set, or a run id; of digest and ids the first 4 characters or more are enough.

    Raises:
        NotFound: Nothing is called that, several things are, or no run was made by that commit.
    """
    found = _named(repository, text)
    known = _commit_named(repository.git, text)
    if known:
        found.setdefault((Origin.COMMIT, known), ())
    exact = {key: runs for key, runs in found.items() if text.lower() == key[1].lower()}
    if len(exact or found) > 1:
        raise _ambiguous(text, exact or found)
    for (origin, name), runs in (exact or found).items():
        return _described(repository, origin, name, runs or _runs_of_commit(repository, name))
    raise NotFound(
        f"Nothing is called {text!r:.80}.",
        hint="Give models:/<name>/<stage or version>, a commit, the digest of a dataset, or the "
        "id of a run.",
    )


def blame(repository: Repository, text: str) -> Lineage | Descendants:
    """Trace whatever somebody names: a version back, a commit, data set or run forward.

    Args:
        repository: Where to look.
        text: ``models:/Name/Production``, the tag or commit of a version, ``runs:/<run_id>``, or
            what ``descendants`` takes.

    Raises:
        NotFound: Nothing is called that, or several things are.
        InvalidInput: It is a malformed URI.
    """
    parsed = uris.parse(text)
    if isinstance(parsed, uris.ModelUri):
        return ancestry(repository, resolve.model_version(parsed, Registry.of(repository)))
    if isinstance(parsed, uris.RunUri):
        return descendants(repository, parsed.run_id)
    version = _version_at(repository, text)
    return ancestry(repository, version) if version else descendants(repository, text)


def _version_at(repository: Repository, text: str) -> ModelVersion | None:
    """Find the version whose commit git calls that; stock GTO tags the code, not the version."""
    commit = _commit_named(repository.git, text)
    versions = Registry.of(repository).search_model_versions() if commit else ()
    return next((one for one in versions if one.commit == commit and one.source), None)


_Found = dict[tuple[Origin, str], tuple[Run, ...]]


def _named(repository: Repository, text: str) -> _Found:
    """Runs by each commit, digest and run id that begins with a text."""
    found: dict[tuple[Origin, str], list[Run]] = defaultdict(list)
    if len(text) < _LEAST or "'" in text:
        return {}
    index = repository.index()
    for run in index.every_run(f"datasets.digest LIKE '{text}%'", ViewType.ALL):
        for digest in {one.digest for one in run.inputs.dataset_inputs}:
            if digest.startswith(text):
                found[Origin.DATASET, digest].append(run)
    if _HEX.fullmatch(text):
        like = f"tags.`{_COMMIT_TAG}` LIKE '{text.lower()}%'"
        for run in index.every_run(like, ViewType.ALL):
            found[Origin.COMMIT, run.data.tags[_COMMIT_TAG]].append(run)
        for run_id in index.find_runs(text) if len(text) <= 32 else ():
            one = index.get_run(run_id)
            found[Origin.RUN, run_id] += [one] if one else []
    return {key: tuple(runs) for key, runs in found.items()}


def _runs_of_commit(repository: Repository, commit: str) -> tuple[Run, ...]:
    found = tuple(repository.index().every_run(f"tags.`{_COMMIT_TAG}` = '{commit}'", ViewType.ALL))
    if not found:
        told = commit_of(repository.git, commit)
        subject = f" ({told.subject:.60})" if told and told.subject else ""
        raise NotFound(
            f"No run was made by commit {commit[:12]}{subject}.", hint="See `gitml runs list`."
        )
    return found


def _commit_named(repo: GitRepo, text: str) -> str | None:
    """Resolve what git takes for a commit, such as ``HEAD``; None where it is none."""
    if not text or "\0" in text:
        return None
    try:
        out = repo.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    except StoreError:
        return None
    return out.decode().strip()


def _ambiguous(text: str, found: Mapping[tuple[Origin, str], object]) -> NotFound:
    listed = sorted(f"{origin} {name:.64}" for origin, name in found)
    more = " …" if len(listed) > _NAMED else ""
    return NotFound(
        f"{len(listed)} things are called {text!r:.80}.",
        hint=f"Give more of it: {', '.join(listed[:_NAMED])}{more}",
    )


def _described(
    repository: Repository, origin: Origin, name: str, runs: Sequence[Run]
) -> Descendants:
    versions = _versions_by_run(repository, {run.info.run_id for run in runs})
    known = repository.index().search_experiments(ViewType.ALL)
    experiments = {one.experiment_id: one.name for one in known}
    descents = [
        Descent(
            run=run,
            experiment=experiments.get(run.info.experiment_id, run.info.experiment_id),
            versions=tuple(versions.get(run.info.run_id, ())),
        )
        for run in runs
    ]
    descents.sort(key=lambda one: (not one.versions, -one.run.info.start_time))
    return Descendants(
        origin=origin, id=name, names=_names(repository, origin, name, runs), runs=tuple(descents)
    )


def _versions_by_run(repository: Repository, runs: set[str]) -> Mapping[str, list[ModelVersion]]:
    found: dict[str, list[ModelVersion]] = defaultdict(list)
    registry = Registry.of(repository)
    for version in registry.search_model_versions(order_by=["name", "version_number"]):
        if version.run_id in runs:
            found[version.run_id].append(version)
    return found


def _names(
    repository: Repository, origin: Origin, name: str, runs: Sequence[Run]
) -> tuple[str, ...]:
    if origin is Origin.RUN:
        return tuple(run.info.run_name for run in runs)
    if origin is Origin.DATASET:
        used = (one for run in runs for one in run.inputs.dataset_inputs if one.digest == name)
        return tuple(sorted({one.name for one in used}))
    commit = commit_of(repository.git, name)
    return (commit.subject,) if commit and commit.subject else ()
