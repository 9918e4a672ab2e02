"""The fluent API: MLflow's functions that work on the active run of the current thread."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from gitml import config
from gitml.entities import (
    Dataset,
    Experiment,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunStatus,
    RunTag,
    ViewType,
)
from gitml.errors import GitmlError, InvalidInput
from gitml.store.batch import Batch
from gitml.store.message import one_line
from gitml.store.runs import Writer
from gitml.tracking import context, validation
from gitml.tracking.client import DEFAULT_EXPERIMENT, NOTE_TAG, PARENT_TAG, TrackingClient
from gitml.tracking.context import Context
from gitml.tracking.endings import ProcessEnd
from gitml.tracking.forgiving import FAILURES, forgive, forgiving
from gitml.tracking.repository import Repository, resolve_path

_tracking_uri: str | None = None
_experiment_ids: dict[Path, str] = {}  # the chosen experiment of each repository
_clients: dict[tuple[str, int], TrackingClient] = {}


class _Active(threading.local):
    """The runs of one thread: innermost last, and the one that ended last."""

    def __init__(self) -> None:
        self.runs: list[ActiveRun] = []
        self.last: str | None = None
        self.pid = os.getpid()


ERROR_TAG = "gitml.error"
_REASON = 300  # characters of an exception that are kept
_active = _Active()
_batch_context: tuple[Batch | None, Context | None] = (None, None)  # the code that it captured
_open_runs: list[ActiveRun] = []  # of all threads, oldest first


class ActiveRun:
    """A run in progress; as a context manager it ends with its block.

    Attributes:
        info: As it was when the run began.
        data: As it was when the run began.
    """

    def __init__(self, run: Run, client: TrackingClient, writer: Writer) -> None:
        self.info = run.info
        self.data = run.data
        self.inputs = run.inputs
        self.outputs = run.outputs
        self._client = client
        self._writer = writer

    def __enter__(self) -> ActiveRun:
        """Return the run itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run: FINISHED, or FAILED after an exception, or KILLED after Ctrl-C."""
        if self not in _runs():  # ended inside the block
            return
        self._finish(kind, error)

    @forgiving
    def _finish(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        status = RunStatus.FINISHED
        if kind is not None:
            failed = not (issubclass(kind, SystemExit) and getattr(error, "code", 1) in (None, 0))
            status = RunStatus.FAILED if failed else RunStatus.FINISHED
            if issubclass(kind, KeyboardInterrupt):
                status = RunStatus.KILLED
            elif failed:
                reason = one_line(f"{kind.__name__}: {error}", _REASON)
                self._client.set_tag(self.info.run_id, ERROR_TAG, reason)
        _end(self, status)

    def __repr__(self) -> str:
        return f"<ActiveRun {self.info.run_name!r} {self.info.run_id}>"


def _runs() -> list[ActiveRun]:
    """This thread's open runs; a forked child starts with none, its parent owns them."""
    if _active.pid != os.getpid():
        _active.pid = os.getpid()
        _active.runs = []
        _open_runs.clear()
    return _active.runs


def _end_all(status: str) -> None:
    """End what is open when the process ends."""
    for run in reversed(_open_runs[:]):
        with contextlib.suppress(GitmlError):  # the journal keeps it; the next command recovers
            _end(run, status)
    for client in list(_clients.values()):
        for run_id in client.repository.runs.writing():
            with contextlib.suppress(GitmlError):
                client.repository.runs.leave(run_id)
        with contextlib.suppress(GitmlError):
            client.repository.runs.flush()


_process_end = ProcessEnd(_end_all)

# Where to log -----------------------------------------------------------------------------------


def set_tracking_uri(uri: str | os.PathLike[str]) -> None:
    """Choose the repository to log to.

    Args:
        uri: Path of a folder inside it.
    """
    global _tracking_uri
    resolve_path(uri)
    _tracking_uri = os.fspath(uri)


def get_tracking_uri() -> str:
    """The root of the repository that is logged to, as a ``file://`` URI."""
    git = client().repository.git
    return (git.work_tree or git.git_dir).resolve().as_uri()


def is_tracking_uri_set() -> bool:
    """Tell whether a repository was chosen, by call or by environment."""
    return bool(_tracking_uri or config.environment().tracking_uri)


def client() -> TrackingClient:
    """The client of the chosen repository; without a choice that of the active run, else of here.

    Raises:
        NoRepository: There is no git repository.
    """
    place = _tracking_uri or config.environment().tracking_uri
    if place is None and _runs():
        return _runs()[-1]._client  # the script may have changed its folder since
    place = place or os.getcwd()
    key = (place, os.getpid())
    if key not in _clients:
        _clients[key] = TrackingClient(place)
    return _clients[key]


# Experiments ------------------------------------------------------------------------------------


def set_experiment(
    experiment_name: str | None = None, experiment_id: str | None = None
) -> Experiment:
    """Choose the experiment that new runs belong to; it is created where it does not exist.

    Raises:
        InvalidInput: Both or none of the arguments are given, or the experiment is deleted.
        NotFound: There is no experiment of this id.
    """
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidInput(
            "set_experiment needs a name or an id.", hint="Give exactly one of the two."
        )
    if experiment_id is not None:
        experiment = client().get_experiment(experiment_id)
    else:
        experiment = _experiment_named(experiment_name)
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidInput(
            f"Experiment {experiment.name!r:.80} is deleted.",
            hint="Restore it with `restore_experiment`, or choose another name.",
        )
    _experiment_ids[_home()] = experiment.experiment_id
    return experiment


def _experiment_named(name: object) -> Experiment:
    """Get an experiment, or create it."""
    if not isinstance(name, str):
        raise InvalidInput(f"Experiment name {name!r:.80} is not a text.")
    found = client().get_experiment_by_name(name)
    if found is None:
        client().repository.experiments.create(name, {}, exist_ok=True)
        found = client().get_experiment_by_name(name)
    assert found is not None  # it was just created
    return found


def create_experiment(name: str, tags: Mapping[str, Any] | None = None) -> str:
    """Create an experiment and return its id; see ``MlflowClient.create_experiment``."""
    return client().create_experiment(name, tags)


def get_experiment(experiment_id: str) -> Experiment:
    """Get an experiment by id; see ``MlflowClient.get_experiment``."""
    return client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Get an experiment by name; None if there is none."""
    return client().get_experiment_by_name(name)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[Experiment]:
    """List experiments; see ``MlflowClient.search_experiments``."""
    return client().search_experiments(view_type, max_results, filter_string, order_by)


def delete_experiment(experiment_id: str) -> None:
    """Hide an experiment."""
    client().delete_experiment(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Bring a deleted experiment back."""
    client().restore_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag on the active experiment."""
    client().set_experiment_tag(_active_experiment(), key, value)


def set_experiment_tags(tags: Mapping[str, Any]) -> None:
    """Set tags on the active experiment."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def delete_experiment_tag(key: str) -> None:
    """Remove a tag from the active experiment."""
    client().delete_experiment_tag(_active_experiment(), key)


def _active_experiment() -> str:
    """Id of the experiment for new runs: set, named by the environment, or the default one."""
    chosen = _experiment_ids.get(_home())
    return chosen or client().repository.experiments.create(_default_name(), {}, exist_ok=True)


def _default_name() -> str:
    return config.environment().experiment_name or DEFAULT_EXPERIMENT


def _home() -> Path:
    return client().repository.git.common_dir


# Runs -------------------------------------------------------------------------------------------


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
) -> ActiveRun:
    """Begin a run, or resume one, and make it the active run of this thread.

    Args:
        run_id: A run to resume.
        experiment_id: Where a new run belongs; default the active experiment.
        run_name: Name of a new run; default a random one.
        nested: Allow it inside an active run, whose child it becomes.
        parent_run_id: The parent, where it is not the active run.
        tags: Tags to set.
        description: Note of a new run, in Markdown.

    Raises:
        InvalidInput: A run is active already and ``nested`` is False, or a value cannot be used.
        NotFound: There is no run or experiment of this id.
    """
    stack = _runs()
    if stack and not nested:
        raise InvalidInput(
            f"Run {stack[-1].info.run_id} is already active.",
            hint="End it with `end_run()`, or start a nested run with `nested=True`.",
        )
    run_id = run_id or (config.environment().run_id if not stack and not _active.last else None)
    if run_id:
        active = _resume(run_id, tags, run_name)
    else:
        labels = dict(tags or {})
        if description is not None:
            labels[NOTE_TAG] = description
        parent = parent_run_id or (stack[-1].info.run_id if stack else None)
        if parent:
            labels[PARENT_TAG] = client().get_run(parent).info.run_id
        active = _begin(experiment_id, run_name, labels)
    stack.append(active)
    _open_runs.append(active)
    _process_end.watch()
    return active


def _begin(experiment_id: str | None, run_name: str | None, tags: Mapping[str, Any]) -> ActiveRun:
    repository = client().repository
    code = _captured(repository)
    run = client().create_run(
        str(experiment_id) if experiment_id is not None else _active_experiment(),
        tags={**code.tags, **tags},
        run_name=run_name,
    )
    writer = repository.runs.writer(run.info.run_id)
    assert writer is not None  # create_run opened it
    files = {"source.patch": code.patch, "requirements.txt": code.requirements}
    writer.record_source(dict(code.source), files)
    return ActiveRun(run, client(), writer)


def _captured(repository: Repository) -> Context:
    """The code that is running; looked at once in a batch."""
    global _batch_context
    current = repository.runs.batch
    batched, code = _batch_context
    if code is None or current is None or current is not batched:
        code = context.capture(repository.git, repository.settings.git_remote)
        _batch_context = (current, code)
    return code


@contextlib.contextmanager
def batch() -> Iterator[None]:
    """Commit the runs of a block together: for sweeps and imports of thousands of short runs.

    A run that ends inside the block is not committed by itself: it is when the block ends (also by
    an exception), when 5,000 runs wait, when one has waited for ten seconds, or when this process
    searches. What was logged survives the death of the process as ever. Other processes see the
    runs once they are committed. The code is captured once, when the first run begins.
    """
    with client().repository.runs.batching():
        yield


def _resume(run_id: str, tags: Mapping[str, Any] | None, run_name: str | None) -> ActiveRun:
    known = client().get_run(run_id)
    if known.info.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidInput(
            f"Run {run_id} is deleted.", hint="Bring it back with `restore_run` first."
        )
    writer = client().repository.runs.resume(run_id, known.info.experiment_id)
    if run_name is not None:
        client().update_run(run_id, name=run_name)
    if tags:
        client().log_batch(run_id, tags=[RunTag(key=key, value=v) for key, v in tags.items()])
    return ActiveRun(client().get_run(run_id), client(), writer)


@forgiving
def end_run(status: str = RunStatus.FINISHED) -> None:
    """End the active run; on return it is committed. Without an active run, nothing happens."""
    stack = _runs()
    if stack:
        _end(stack[-1], str(status))


def _end(run: ActiveRun, status: str) -> None:
    try:
        run._client.set_terminated(run.info.run_id, status)
    finally:
        _active.last = run.info.run_id
        for runs in (_active.runs, _open_runs):
            if run in runs:
                runs.remove(run)


def active_run() -> ActiveRun | None:
    """The active run of this thread; None if there is none."""
    stack = _runs()
    return stack[-1] if stack else None


def last_active_run() -> Run | None:
    """The active run, else the one that was active last in this thread, as it is now."""
    run = active_run()
    run_id = run.info.run_id if run else _active.last
    return client().get_run(run_id) if run_id else None


def get_run(run_id: str) -> Run:
    """Get a run; see ``MlflowClient.get_run``."""
    return client().get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Get the run that a nested run belongs to."""
    return client().get_parent_run(run_id)


def delete_run(run_id: str) -> None:
    """Hide a run."""
    client().delete_run(run_id)


def restore_run(run_id: str) -> None:
    """Bring a deleted run back."""
    client().restore_run(run_id)


def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: str = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> Any:
    """Search runs.

    Args:
        experiment_ids: Where to search; default the active experiment.
        filter_string: See ``MlflowClient.search_runs``.
        run_view_type: Active runs, deleted ones, or both.
        max_results: The most that are returned.
        order_by: See ``MlflowClient.search_runs``.
        output_format: ``pandas`` or ``list``.
        search_all_experiments: Search everywhere.
        experiment_names: Where to search, by name; unknown names find nothing.

    Returns:
        A DataFrame with MLflow's columns (``run_id``, …, ``metrics.<key>``, ``params.<key>``,
        ``tags.<key>``), or a list of runs.

    Raises:
        InvalidInput: The filter cannot be understood, or arguments contradict each other.
    """
    if output_format not in ("pandas", "list"):
        raise InvalidInput(
            f"output_format {output_format!r:.40} is unknown.", hint="Use 'pandas' or 'list'."
        )
    where = _where(experiment_ids, experiment_names, search_all_experiments)
    runs: list[Run] = []
    token: str | None = None
    while len(runs) < max_results:
        page = client().search_runs(
            where, filter_string, run_view_type, min(50_000, max_results - len(runs)), order_by,
            token,
        )  # fmt: skip
        runs.extend(page)
        token = page.token
        if token is None:
            break
    if output_format == "list":
        return runs
    from gitml.tracking.frames import runs_frame

    return runs_frame(runs)


def _where(
    ids: Sequence[str] | None, names: Sequence[str] | None, everywhere: bool
) -> Sequence[str]:
    if ids and names:
        raise InvalidInput("Give experiment_ids or experiment_names, not both.")
    if everywhere and not (ids or names):
        found = client().search_experiments(ViewType.ALL, None)
        return [experiment.experiment_id for experiment in found]
    if names:
        named = [client().get_experiment_by_name(name) for name in names]
        return [experiment.experiment_id for experiment in named if experiment]
    if ids is not None:
        return [str(one) for one in ids]
    chosen = _experiment_ids.get(_home())
    default = None if chosen else client().get_experiment_by_name(_default_name())
    return [chosen] if chosen else [default.experiment_id] if default else []


# Logging ----------------------------------------------------------------------------------------


def _current() -> ActiveRun:
    """The active run; one is started where there is none, as in MLflow."""
    stack = _runs()
    return stack[-1] if stack else start_run()


def log_param(key: str, value: Any) -> Any:
    """Log a param to the active run; see ``MlflowClient.log_param``."""
    _log_param(key, value)
    return value


@forgiving
def _log_param(key: str, value: Any) -> None:
    name = validation.key(key, "Param")
    _current()._writer.log_params({name: validation.param_value(name, value)})


@forgiving
def log_params(params: Mapping[str, Any], run_id: str | None = None) -> None:
    """Log params: all of them, or none if one cannot be used."""
    batch = [Param(key=key, value=value) for key, value in params.items()]
    client().log_batch(run_id or _current().info.run_id, params=batch)


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Log a point of a metric.

    Args:
        key: The metric's name.
        value: A number; NaN and infinities are kept.
        step: Position in the training; default 0.
        timestamp: ms since the Unix epoch; default now.
        run_id: A run other than the active one.
    """
    try:  # not the decorator: this is called a million times
        if run_id is not None:
            client().log_metric(run_id, key, value, timestamp, step)
            return
        name = validation.key(key, "Metric")
        _current()._writer.journal.metric(
            name,
            validation.metric_value(name, value),
            validation.step(name, step),
            validation.timestamp(name, timestamp),
        )
    except FAILURES as error:
        forgive("log_metric", error)


@forgiving
def log_metrics(
    metrics: Mapping[str, float],
    step: int | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
) -> None:
    """Log several metrics at one step: all of them, or none if one cannot be used."""
    batch = [
        Metric(
            key=key,
            value=value,
            step=validation.step(key, step),
            timestamp=validation.timestamp(key, timestamp),
        )
        for key, value in metrics.items()
    ]
    client().log_batch(run_id or _current().info.run_id, metrics=batch)


@forgiving
def set_tag(key: str, value: Any) -> None:
    """Set a tag on the active run."""
    client().set_tag(_current().info.run_id, key, value)


@forgiving
def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags on the active run: all of them, or none if one cannot be used."""
    batch = [RunTag(key=key, value=value) for key, value in tags.items()]
    client().log_batch(_current().info.run_id, tags=batch)


@forgiving
def delete_tag(key: str) -> None:
    """Remove a tag from the active run."""
    client().delete_tag(_current().info.run_id, key)


@forgiving
def log_input(dataset: Dataset, context: str | None = None) -> None:
    """Record a data set that the active run read.

    Args:
        dataset: What was read.
        context: What for, such as ``train``; default the data set's own.
    """
    from dataclasses import replace

    chosen = dataset if context is None else replace(dataset, context=context)
    client().log_inputs(_current().info.run_id, [chosen])


# Artifacts --------------------------------------------------------------------------------------


@forgiving
def log_artifact(
    local_path: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
) -> None:
    """Copy a file or folder into a run's artifacts; see ``MlflowClient.log_artifact``."""
    client().log_artifact(run_id or _current().info.run_id, local_path, artifact_path)


@forgiving
def log_artifacts(
    local_dir: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
) -> None:
    """Copy a folder's contents into a run's artifacts."""
    client().log_artifacts(run_id or _current().info.run_id, local_dir, artifact_path)


@forgiving
def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Log a text as a file."""
    client().log_text(run_id or _current().info.run_id, text, artifact_file)


@forgiving
def log_dict(dictionary: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log a dictionary as JSON or YAML, as the file's name says."""
    client().log_dict(run_id or _current().info.run_id, dictionary, artifact_file)


@forgiving
def log_figure(figure: Any, artifact_file: str, *, save_kwargs: Any = None) -> None:
    """Log a matplotlib or plotly figure."""
    run_id = _current().info.run_id
    client().log_figure(run_id, figure, artifact_file, save_kwargs=save_kwargs)


@forgiving
def log_image(
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
) -> None:
    """Log an image, as a file or as a point of a series.

    Args:
        image: A PIL image, or an array; see ``gitml.tracking.contents.image``.
        artifact_file: Path below the run's artifacts; or else:
        key: Name of a series; the file goes to ``images/``, named as MLflow names it.
        step: Position in the series; default 0.
        timestamp: ms since the Unix epoch; default now.
    """
    if (artifact_file is None) == (key is None):
        raise InvalidInput("log_image needs artifact_file or key.", hint="Give one of the two.")
    if artifact_file is None:
        import uuid

        name = validation.key(key, "Image").replace("/", "#")
        number = validation.step(name, step)
        stamp = validation.timestamp(name, timestamp)
        artifact_file = f"images/{name}+step+{number}+timestamp+{stamp}+{uuid.uuid4().hex}.png"
        set_tag("mlflow.loggedImages", True)
    client().log_image(_current().info.run_id, image, artifact_file)


@forgiving
def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log a table, a DataFrame or a dict of columns; rows are added to an existing one."""
    client().log_table(run_id or _current().info.run_id, data, artifact_file)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """URI of the active run's artifacts, or of one of them."""
    path = validation.artifact_path(artifact_path)
    root = _current().info.artifact_uri
    return f"{root}/{path}" if path else root
