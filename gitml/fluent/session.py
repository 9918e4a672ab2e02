"""The session of this process: its repository, its experiment and its open runs.

Open runs belong to the thread that started them. A forked child starts with none: they are its
parent's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from gitml import config
from gitml.entities import LifecycleStage, Run, RunStatus, RunTag
from gitml.errors import GitmlError, InvalidInput, TooLarge
from gitml.fluent import on_error
from gitml.fluent.on_error import forgiving
from gitml.fluent.process_end import ProcessEnd, status_after
from gitml.repository import resolve_path
from gitml.store.in_progress.batch import Batch
from gitml.store.in_progress.writer import Writer
from gitml.tracking import code_capture, ran_files
from gitml.tracking.client import DEFAULT_EXPERIMENT, PARENT_TAG, TrackingClient
from gitml.tracking.code_capture import Context

_logger = logging.getLogger("gitml")


class ActiveRun:
    """A run in progress; as a context manager it ends with its block.

    Attributes:
        info: As it was when the run began.
        data: As it was when the run began.
        client: Client of its repository.
        writer: Appends to its journal.
    """

    def __init__(
        self,
        run: Run,
        client: TrackingClient,
        writer: Writer,
        session: Session,
        code: Context | None = None,
    ) -> None:
        self.info = run.info
        self.data = run.data
        self.inputs = run.inputs
        self.outputs = run.outputs
        self.client = client
        self.writer = writer
        self._session = session
        self._code = code
        self._folder = Path.cwd() if code else None

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
        if self._session.is_open(self):  # not ended inside the block
            self._finish(error)

    @forgiving
    def _finish(self, error: BaseException | None) -> None:
        self._session.end(self, status_after(error), error)

    def record_late_imports(self) -> None:
        """Record the files that were imported since the run began and that git does not track."""
        if self._code is None or self._folder is None or self.writer.batch:
            return
        repo = self.client.repository.code_in(self._folder)
        code = code_capture.with_late_imports(repo, self._code)
        if code:
            self.writer.record_source(dict(code.source), {"source.patch": code.patch})
            tags = [RunTag(key=key, value=value) for key, value in code.tags.items()]
            self.client.log_batch(self.info.run_id, tags=tags)

    def __repr__(self) -> str:
        return f"<ActiveRun {self.info.run_name!r} {self.info.run_id}>"


class _OfThread(threading.local):
    """The open runs of one thread, innermost last, and the id of the run that ended last."""

    def __init__(self) -> None:
        self.runs: list[ActiveRun] = []
        self.last_run_id: str | None = None
        self.pid = os.getpid()


class Session:
    """The state behind the module functions; ``session`` is the one of this process.

    Attributes:
        tracking_uri: The repository that was chosen; None for the one of the environment or folder.
    """

    def __init__(self) -> None:
        self.tracking_uri: str | None = None
        self._experiment_ids: dict[Path, str] = {}  # the chosen experiment of each repository
        self._clients: dict[tuple[str, int], TrackingClient] = {}
        self._thread = _OfThread()
        self._open_runs: list[ActiveRun] = []  # of all threads, oldest first
        self._captured: tuple[Batch | None, Context | None] = (None, None)
        self._process_end = ProcessEnd(self._end_all)

    def reset(self) -> None:
        """End the runs of this thread and forget repository, experiments and clients."""
        while self.runs():
            self.end(self.runs()[-1], RunStatus.FINISHED)
        self.tracking_uri = None
        self._experiment_ids.clear()
        self._clients.clear()
        self._thread.last_run_id = None
        self._captured = (None, None)

    # Repository and experiment -------------------------------------------------------------------

    def choose_repository(self, uri: str | os.PathLike[str]) -> None:
        """Log to the repository of a folder from now on."""
        self.tracking_uri = str(resolve_path(uri).absolute()) if os.fspath(uri) else None

    def client(self) -> TrackingClient:
        """Return the client of the chosen repository, else of the active run's, else of the folder.

        Raises:
            NoRepository: There is no git repository.
        """
        chosen = self.tracking_uri or config.tracking_uri()
        if chosen is None and self.runs():
            return self.runs()[-1].client  # the script may have changed its folder since
        key = (chosen or os.getcwd(), os.getpid())
        client = self._clients.get(key)
        if client is not None and self.runs():
            return client  # what is logged to a run must not cost a look at the disk
        path = resolve_path(key[0]).absolute()
        if client is None or not client.repository.covers(path):
            client = self._clients[key] = TrackingClient(path)
        return client

    def choose_experiment(self, experiment_id: str) -> None:
        """Let new runs in this repository belong to an experiment."""
        self._experiment_ids[self._git_folder()] = experiment_id

    def experiment_id(self) -> str:
        """Return the experiment of new runs: the chosen, the environment's or the default one."""
        chosen = self._experiment_ids.get(self._git_folder())
        if chosen:
            return chosen
        name = self.experiment_name(config.environment().experiment_name or DEFAULT_EXPERIMENT)
        return self.client().repository.experiments.create(name, {}, exist_ok=True)

    def existing_experiment_id(self) -> str | None:
        """Return the experiment of new runs, as ``experiment_id``; None if it does not exist."""
        chosen = self._experiment_ids.get(self._git_folder())
        if chosen:
            return chosen
        name = self.experiment_name(config.environment().experiment_name or DEFAULT_EXPERIMENT)
        experiment = self.client().get_experiment_by_name(name)
        return experiment.experiment_id if experiment else None

    def experiment_name(self, name: str) -> str:
        """Return the whole name of an experiment as a script names it; see ``gitml.yaml``."""
        root = self.client().repository.code_in(Path.cwd()).work_tree
        script = ran_files.entry_point()
        started = script and root and script.is_relative_to(root.resolve())
        folder = script.parent if script and started else Path.cwd()
        prefix = config.experiment_prefix(root.resolve() if root else None, folder)
        return name if name.startswith(prefix) else f"{prefix}{name}"

    def _git_folder(self) -> Path:
        return self.client().repository.git.common_dir

    # Runs ----------------------------------------------------------------------------------------

    def runs(self) -> list[ActiveRun]:
        """Return the open runs of this thread, innermost last."""
        if self._thread.pid != os.getpid():
            self._thread.pid = os.getpid()
            self._thread.runs = []
            self._open_runs.clear()
        return self._thread.runs

    def is_open(self, run: ActiveRun) -> bool:
        """Return True if the run is open in this thread."""
        return run in self.runs()

    def current(self) -> ActiveRun:
        """Return the active run; one is started where there is none, as in MLflow."""
        runs = self.runs()
        if runs:
            return runs[-1]
        run_id = self.run_id_to_resume()
        return self.open(self.resume(run_id) if run_id else self.begin())

    def last_run_id(self) -> str | None:
        """Return the id of the active run, else of the run that ended last in this thread."""
        runs = self.runs()
        return runs[-1].info.run_id if runs else self._thread.last_run_id

    def run_id_to_resume(self) -> str | None:
        """Return the run that the environment names; it counts for the first run of a thread."""
        first = not self.runs() and not self._thread.last_run_id
        return config.environment().run_id if first else None

    def begin(
        self,
        experiment_id: str | None = None,
        run_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> ActiveRun:
        """Create a run and record the code that runs; ``open`` makes it the active one."""
        on_error.halt_daemon()
        client = self.client()
        code = self._code(client)
        run = client.create_run(
            str(experiment_id) if experiment_id is not None else self.experiment_id(),
            tags={**code.tags, **(tags or {})},
            run_name=run_name,
        )
        writer = client.repository.runs.writer(run.info.run_id)
        assert writer is not None  # create_run opened it
        files = {"source.patch": code.patch, "requirements.txt": code.requirements}
        writer.record_source(dict(code.source), files)
        return ActiveRun(run, client, writer, self, code)

    def _code(self, client: TrackingClient) -> Context:
        """Capture the code that runs; once in a batch."""
        repository = client.repository
        batch = repository.runs.batch
        captured_in, code = self._captured
        if code is None or batch is None or batch is not captured_in:
            running = repository.code_in(Path.cwd())
            code = code_capture.capture(running, repository.git, repository.settings)
            self._captured = (batch, code)
        return code

    def resume(
        self, run_id: str, tags: Mapping[str, Any] | None = None, run_name: str | None = None
    ) -> ActiveRun:
        """Continue an ended run; ``open`` makes it the active one.

        Raises:
            InvalidInput: It is deleted.
            NotFound: There is no such run.
        """
        client = self.client()
        info = client.get_run(run_id).info
        if info.lifecycle_stage == LifecycleStage.DELETED:
            raise InvalidInput(
                f"Run {run_id} is deleted.", hint="Restore it with `restore_run` first."
            )
        writer = client.repository.runs.resume(run_id, info.experiment_id)
        if run_name is not None:
            client.update_run(run_id, name=run_name)
        if tags:
            client.log_batch(run_id, tags=[RunTag(key=key, value=v) for key, v in tags.items()])
        return ActiveRun(client.get_run(run_id), client, writer, self)

    def open(self, run: ActiveRun) -> ActiveRun:
        """Make a run the active one of this thread and watch for the end of the process."""
        self.runs().append(run)
        self._open_runs.append(run)
        self._process_end.watch()
        return run

    def parent_tag(self, parent_run_id: str | None) -> dict[str, str]:
        """Return the tag that makes a new run the child of a run, by default of the active one."""
        runs = self.runs()
        parent = parent_run_id or (runs[-1].info.run_id if runs else None)
        return {PARENT_TAG: self.client().get_run(parent).info.run_id} if parent else {}

    def end(self, run: ActiveRun, status: str, error: BaseException | None = None) -> None:
        """End a run; on return it is committed.

        Args:
            run: The run.
            status: How it ended.
            error: What made it fail.
        """
        self._thread.last_run_id = run.info.run_id
        for runs in (self._thread.runs, self._open_runs):
            if run in runs:  # removed first: SIGTERM must not end it a second time
                runs.remove(run)
        with contextlib.suppress(GitmlError, OSError):  # the run ends all the same
            run.record_late_imports()
        if status == RunStatus.FAILED:
            repository = run.client.repository
            for tag in code_capture.failure_tags(repository.git, repository.settings, error):
                with contextlib.suppress(TooLarge):  # the status says most of it
                    run.client.set_tag(run.info.run_id, tag.key, tag.value)
        run.client.set_terminated(run.info.run_id, status)

    def _end_all(self, status: str, error: BaseException | None) -> None:
        """End what is open when the process ends; its daemon threads may still log."""
        on_error.process_ends()
        while self._open_runs:  # daemon threads may just be starting another
            run = self._open_runs[-1]
            with _reported(f"Run {run.info.run_id}"):
                self.end(run, status, error)
        for client in list(self._clients.values()):
            for run_id in client.repository.runs.writing():
                with _reported(f"Run {run_id}"):
                    client.repository.runs.detach(run_id)
            with _reported("A run of a batch"):
                client.repository.runs.flush()


@contextlib.contextmanager
def _reported(subject: str) -> Iterator[None]:
    """Log why a run cannot be committed at the end of its process, and go on with the others."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:  # nobody else can catch what is raised here
        why = error if isinstance(error, GitmlError) else f"{type(error).__name__}: {error}"
        _logger.warning(
            "%s is not committed yet: %s Nothing is lost: the next gitml command commits it.",
            subject,
            why,
        )


session = Session()
