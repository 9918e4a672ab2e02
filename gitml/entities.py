"""What gitml's API returns: frozen values with MLflow's field names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, TypeVar

_Item = TypeVar("_Item")


class Stage(StrEnum):
    """The stages of MLflow; ``NONE`` is the absence of an assignment."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


class RunStatus(StrEnum):
    """The status of a run."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @classmethod
    def is_terminated(cls, status: str) -> bool:
        """Return True if a run of this status has ended."""
        return status in (cls.FINISHED, cls.FAILED, cls.KILLED)


class LifecycleStage(StrEnum):
    """Whether a run or experiment is shown (``active``) or hidden (``deleted``)."""

    ACTIVE = "active"
    DELETED = "deleted"


class ViewType(IntEnum):
    """Which lifecycle stages a search covers; MLflow's numbers."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3


class PagedList(list[_Item]):
    """A page of results; ``token`` is for the next page, None on the last."""

    def __init__(self, items: Iterable[_Item], token: str | None = None) -> None:
        super().__init__(items)
        self.token = token


class Value:
    """Iteration over ``(field, value)`` pairs, so that ``dict(entity)`` works as in MLflow."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        names: tuple[str, ...] = self.__slots__
        for name in names:
            yield name, getattr(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Value):
    """One point of a metric's history.

    Attributes:
        key: The metric's name.
        value: The number; may be NaN or infinite.
        timestamp: ms since the Unix epoch.
        step: Position in the training, 0 where none was given.
        order: Position among the points of equal key, step and timestamp, as they were logged,
            from 0; given by gitml.
    """

    key: str
    value: float
    timestamp: int
    step: int = 0
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary(Value):
    """The summary of a metric's history.

    Attributes:
        last: Value of the point with the highest (step, timestamp, order).
        step: Step of that point.
        timestamp: Time of that point, ms since the Unix epoch.
        min: Smallest finite value; NaN where there is none.
        max: Largest finite value; NaN where there is none.
        count: Number of points.
    """

    last: float
    step: int
    timestamp: int
    min: float
    max: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Param(Value):
    """A parameter; immutable once logged."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTag(Value):
    """A tag on a run."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Value):
    """A dataset that a run read.

    Attributes:
        name: Its name.
        digest: Short content hash.
        source_type: What kind of place it came from.
        source: JSON text that says where.
        schema: JSON text of its columns.
        profile: JSON text of its size.
        context: What it was used for, such as ``train``.
    """

    name: str
    digest: str
    source_type: str = "local"
    source: str = "{}"
    schema: str = ""
    profile: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelInfo(Value):
    """A model directory that a run logged.

    Attributes:
        path: Folder below the run's artifacts.
        flavors: Names of the flavors in its MLmodel file.
        utc_time_created: Text as MLflow writes it.
        model_uuid: Random identifier.
    """

    path: str
    flavors: tuple[str, ...] = ()
    utc_time_created: str = ""
    model_uuid: str = ""


NOT_COMMITTED_TAG = "gitml.not_committed"
"""The tag that names files that a run executed and that its commit does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Value):
    """The code that a run executed.

    Attributes:
        type: ``LOCAL``, ``NOTEBOOK`` or ``PROJECT``.
        name: The script or notebook, relative to the repository where it lies inside.
        command: The command line, one item per argument.
        commit: Full id of the code commit, or None in a repository without commits.
        branch: Branch name, or None on a detached HEAD.
        remote: URL of the code's git remote without credentials, or None.
        dirty: Whether what ran differed from the commit: changed or untracked files, a script
            outside the repository.
        python: Version of the interpreter.
    """

    type: str = "LOCAL"
    name: str = ""
    command: tuple[str, ...] = ()
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    dirty: bool = False
    python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact(Value):
    """One file of a run, as its manifest lists it.

    Attributes:
        path: POSIX path below the run's artifact root.
        size: Bytes.
        md5: Content hash, 32 hex digits; empty for a run in progress.
    """

    path: str
    size: int
    md5: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo(Value):
    """An entry of an artifact listing; ``file_size`` is None for a folder."""

    path: str
    is_dir: bool
    file_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo(Value):
    """The identity of a run. Times are ms since the Unix epoch."""

    run_id: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None = None
    lifecycle_stage: str = LifecycleStage.ACTIVE.value

    @property
    def run_uuid(self) -> str:
        """MLflow's older name of ``run_id``."""
        return self.run_id

    @property
    def artifact_uri(self) -> str:
        """Root of the run's artifacts."""
        return f"runs:/{self.run_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData(Value):
    """What a run logged; ``metrics`` holds the last value of each key."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    summaries: Mapping[str, MetricSummary] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs(Value):
    """The datasets that a run read."""

    dataset_inputs: tuple[Dataset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutputs(Value):
    """The models that a run logged."""

    model_outputs: tuple[LoggedModelInfo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Value):
    """A run: identity, data, inputs, outputs, and the code that made it."""

    info: RunInfo
    data: RunData = field(default_factory=RunData)
    inputs: RunInputs = field(default_factory=RunInputs)
    outputs: RunOutputs = field(default_factory=RunOutputs)
    source: Source = field(default_factory=Source)
    conflicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def parent_run_id(self) -> str | None:
        """Id of the parent run."""
        return self.data.tags.get("mlflow.parentRunId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Value):
    """A named group of runs. Times are ms since the Unix epoch."""

    experiment_id: str
    name: str
    creation_time: int = 0
    last_update_time: int = 0
    lifecycle_stage: str = LifecycleStage.ACTIVE.value
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def artifact_location(self) -> str:
        """Where artifacts of its runs are stored: the DVC remote of the repository."""
        return "gitml:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion(Value):
    """One registered version of a model. Times are ms since the Unix epoch.

    Attributes:
        name: The model's true name.
        version: Its number, from 1.
        source: ``runs:/<run_id>/<path>``.
        digest: DVC hash of the model directory, 32 hex digits and ``.dir``.
        commit: Id of the version commit, the one the tags point at.
        code_commit: Id of the commit that trained it.
        run_link: Address of the run in another system, as given when it was registered.
        status: ``READY``: a version is registered when its files are there, or not at all.
    """

    name: str
    version: int
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str = "None"
    description: str = ""
    user_id: str = ""
    source: str = ""
    run_id: str = ""
    run_link: str = ""
    status: str = "READY"
    status_message: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    digest: str = ""
    commit: str = ""
    code_commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel(Value):
    """A registered model. Times are ms since the Unix epoch."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    latest_versions: tuple[ModelVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent(Value):
    """One entry of a model's history, read from a git tag or, of an edit, from the branch.

    Attributes:
        model: The model's true name.
        kind: ``registered``, ``deleted``, ``stage``, ``left``, ``alias``, ``unalias``,
            ``deprecated`` or ``edited``.
        version: The version concerned; None where that is the model as a whole.
        value: The stage or alias; of an edit ``description`` or ``tags.<key>``; else empty.
        tag: The git tag that records it; empty for an edit.
        commit: Id of the version commit; of an edit, of the commit on the branch.
        timestamp: ms since the Unix epoch.
        user: Name of who did it.
        email: E-mail of who did it.
        message: One line for people.
        detail: The YAML of the tag's message: reason, from, to, run_id and so on.
    """

    model: str
    kind: str
    version: int | None
    value: str
    tag: str
    commit: str
    timestamp: int
    user: str
    email: str = ""
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why it was done; empty if no reason was given."""
        return str(self.detail.get("reason") or "")
