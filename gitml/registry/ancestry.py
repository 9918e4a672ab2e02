"""Trace a model version back to what it was made from: stage, run, code, data, parent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gitml.entities import ModelEvent, ModelVersion, Run, Stage, Value
from gitml.errors import NotFound, StoreError
from gitml.git import GitRepo
from gitml.registry.facts import collect, folder_of
from gitml.registry.promotion.propose import previous_version
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.stage_history import StageEntry, by_stage
from gitml.repository import Repository

COMMIT_TAG = "mlflow.source.git.commit"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LIVE = (Stage.STAGING, Stage.PRODUCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageCommit(Value):
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
class RecordedFile(Value):
    """A file beside the record of a run.

    Attributes:
        at: Its address, as ``git show`` takes it.
        count: Files that a patch changes; packages that an environment has.
    """

    at: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage(Value):
    """The lineage of a model version: what it was made from, and how it came to its stage.

    Attributes:
        version: The version.
        registered: Its registration.
        stages: The times it spent in each stage, oldest first.
        aliased: The assignment of each of its aliases.
        previous: The version to roll back to; None if there is none.
        run: The run that trained it; None if it is not recorded.
        experiment: Name of the run's experiment, or its id.
        parent: The run that this run is nested in.
        code: The commit it was trained with; None if it is not recorded.
        patch: What differed from that commit; None if nothing did or it is not recorded.
        requirements: The installed packages; None if they are not recorded.
    """

    version: ModelVersion
    registered: ModelEvent | None = None
    stages: Mapping[str, tuple[StageEntry, ...]] = field(default_factory=dict)
    aliased: tuple[ModelEvent, ...] = ()
    previous: int | None = None
    run: Run | None = None
    experiment: str = ""
    parent: Run | None = None
    code: LineageCommit | None = None
    patch: RecordedFile | None = None
    requirements: RecordedFile | None = None

    @property
    def entered(self) -> StageEntry | None:
        """Its entry into its present stage; None in stage None."""
        times = self.stages.get(self.version.current_stage)
        return times[-1] if times else None

    @property
    def judged(self) -> tuple[str, StageEntry] | None:
        """The stage that it entered last by passing gates, and the entry; None without one."""
        judged = [
            (stage, entry) for stage, times in self.stages.items() for entry in times if entry.gates
        ]
        return max(judged, key=lambda pair: pair[1].timestamp, default=None)


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
        patch=_recorded_file(repository.git, folder, "source.patch", changed_files),
        requirements=_recorded_file(repository.git, folder, "requirements.txt", _count_lines),
    )


def _stages(history: Sequence[ModelEvent], version: int) -> Mapping[str, tuple[StageEntry, ...]]:
    own = {
        stage: tuple(entry for entry in times if entry.version == version)
        for stage, times in by_stage(history).items()
    }
    return {stage: times for stage, times in own.items() if times}


def _last(events: Sequence[ModelEvent], kind: Kind, value: str = "") -> ModelEvent | None:
    matches = (e for e in reversed(events) if e.kind == kind and (not value or e.value == value))
    return next(matches, None)


def code_of(version: ModelVersion, run: Run | None) -> str:
    """Return the commit that trained a version; empty if it is not recorded.

    A version that stock GTO registered has no run: its tag is on the code itself.
    """
    recorded = (run.source.commit or run.data.tags.get(COMMIT_TAG)) if run else None
    return recorded or version.code_commit or ("" if version.source else version.commit)


def changed_files(patch: bytes) -> int:
    """Return the number of files that a patch of ``git diff`` changes."""
    return len(re.findall(rb"^diff --git ", patch, re.MULTILINE))


def commit_of(repo: GitRepo, commit: str) -> LineageCommit | None:
    """Describe the commit of a full id; without its message if the clone lacks it."""
    if not _COMMIT.fullmatch(commit):
        return None
    if not repo.contains(f"{commit}^{{commit}}"):
        return LineageCommit(id=commit)
    log = ("log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%at%x00%an%x00%s")
    out = repo.run(*log, commit).decode("utf-8", "replace").rstrip("\n")
    time, author, subject = out.split("\0", 2)
    seconds = int(time) if time.isdecimal() else None  # None if somebody wrote no time
    return LineageCommit(id=commit, subject=subject, author=author, time=seconds and seconds * 1000)


def _run(repository: Repository, version: ModelVersion) -> Run | None:
    try:
        return collect(repository.git, repository.branch, version).run
    except StoreError:  # somebody pushed a record that cannot be read; the rest is valid
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
    experiment = repository.index().experiment(run.info.experiment_id)
    return experiment.name if experiment else run.info.experiment_id


def _recorded_file(
    repo: GitRepo, folder: str | None, name: str, count: Callable[[bytes], int]
) -> RecordedFile | None:
    try:
        data = repo.read(f"{folder}/{name}") if folder else None
    except StoreError:  # somebody pushed a file larger than any of ours
        return None
    if not data or not folder:
        return None
    short = re.sub(r"^([0-9a-f]{12})[0-9a-f]{28}", r"\1", folder)
    return RecordedFile(at=f"{short}/{name}", count=count(data))


def _count_lines(data: bytes) -> int:
    return len(data.splitlines())
