"""Hides which run is active in each thread, where it is logged to, and when it ends."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from gitml import config
from gitml.entities import Experiment, LifecycleStage, Run, RunStatus, RunTag
from gitml.errors import GitmlError, InvalidInput
from gitml.fluent.on_error import forgiving
from gitml.fluent.process_end import ProcessEnd
from gitml.repository import Repository, resolve_path
from gitml.store.in_progress.batch import Batch
from gitml.store.in_progress.writer import Writer
from gitml.text import one_line
from gitml.tracking import code_capture
from gitml.tracking.client import DEFAULT_EXPERIMENT, NOTE_TAG, PARENT_TAG, TrackingClient
from gitml.tracking.code_capture import Context

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
    return bool(_tracking_uri or config.tracking_uri())


def client() -> TrackingClient:
    """The client of the chosen repository; without a choice that of the active run, else of here.

    Raises:
        NoRepository: There is no git repository.
    """
    place = _tracking_uri or config.tracking_uri()
    if place is None and _runs():
        return _runs()[-1]._client  # the script may have changed its folder since
    place = place or os.getcwd()
    key = (place, os.getpid())
    if key not in _clients:
        _clients[key] = TrackingClient(place)
    return _clients[key]


# The experiment of new runs ---------------------------------------------------------------------


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


def active_experiment() -> str:
    """Id of the experiment for new runs: set, named by the environment, or the default one."""
    chosen = _experiment_ids.get(_home())
    return chosen or client().repository.experiments.create(_default_name(), {}, exist_ok=True)


def existing_experiment() -> str | None:
    """Id of the experiment for new runs, as ``active_experiment``; None if it is not there yet."""
    chosen = _experiment_ids.get(_home())
    found = None if chosen else client().get_experiment_by_name(_default_name())
    return chosen or (found.experiment_id if found else None)


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
    logged_to = client()
    repository = logged_to.repository
    code = _captured(repository)
    run = logged_to.create_run(
        str(experiment_id) if experiment_id is not None else active_experiment(),
        tags={**code.tags, **tags},
        run_name=run_name,
    )
    writer = repository.runs.writer(run.info.run_id)
    assert writer is not None  # create_run opened it
    files = {"source.patch": code.patch, "requirements.txt": code.requirements}
    writer.record_source(dict(code.source), files)
    return ActiveRun(run, logged_to, writer)


def _captured(repository: Repository) -> Context:
    """The code that is running; looked at once in a batch."""
    global _batch_context
    current = repository.runs.batch
    batched, code = _batch_context
    if code is None or current is None or current is not batched:
        code = code_capture.capture(repository.git, repository.settings.git_remote)
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


def current() -> ActiveRun:
    """The active run; one is started where there is none, as in MLflow."""
    stack = _runs()
    return stack[-1] if stack else start_run()
