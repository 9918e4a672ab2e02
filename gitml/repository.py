"""Open a repository: its branch, journals, index and artifacts."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitml import config, redaction
from gitml.config import Settings
from gitml.entities import Artifact, Metric
from gitml.errors import GitmlError, InvalidInput, NotFound
from gitml.formats import dvc_config, metric_history, run_folder, run_records
from gitml.formats.run_records import RunFiles
from gitml.git import GitRepo, check_ref_name
from gitml.git.settings import settings_of
from gitml.store.branch import Branch
from gitml.store.exchange import merging
from gitml.store.experiments import ExperimentStore
from gitml.store.in_progress import journal, leftovers
from gitml.store.in_progress.writer import Writer
from gitml.store.runs import RunStore

if TYPE_CHECKING:
    from gitml.storage.recorded_remotes import RecordedRemotes
    from gitml.storage.remote import Remote
    from gitml.storage.transfer import ArtifactStore
    from gitml.store.index.index import Index, LiveRun

_logger = logging.getLogger(__name__)
_open: dict[tuple[Path, int, int], Repository] = {}
_GIVE_A_REPOSITORY = (
    "gitml logs into a git repository: leave the URI out inside of it, or give its folder's path."
)
_open_lock = threading.Lock()


class Repository:
    """One git repository, opened for tracking.

    Attributes:
        git: The repository.
        settings: Its ``gitml.yaml``.
        state: Local state folder, never committed.
        branch: Where records are committed.
        runs: Runs in progress and their way to the branch.
        experiments: Experiments.
    """

    def __init__(self, git: GitRepo) -> None:
        self.git = git
        self.settings: Settings = settings_of(git)
        self.state = git.common_dir / "gitml"
        self.branch = Branch(
            git,
            check_ref_name(self.settings.branch),
            remote=self.settings.git_remote,
            state=self.state,
            remote_config=dvc_config.dvc_config(str(self.default_remote)),
        )
        self.runs = RunStore(
            self.branch, self.state, store_files=self._store_files, clock=config.now_ms
        )
        self.experiments = ExperimentStore(self.branch, clock=config.now_ms)
        self._has_warned = False
        self._copies: dict[Path, GitRepo] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None) -> Repository:
        """Open the repository that contains a folder (default: the current folder).

        The same object is returned for the same repository within one process.

        Raises:
            NoRepository: There is none.
            InvalidInput: ``gitml.yaml`` cannot be read.
        """
        git = GitRepo.discover(path or ".")
        owner = _owner_of_copy(git.work_tree)
        if owner:
            git = GitRepo.discover(owner)
        folder = git.git_dir.resolve()  # linked work trees have a HEAD of their own
        key = (folder, folder.stat().st_ino, os.getpid())  # one made anew is another repository
        with _open_lock:
            if key not in _open:
                _open[key] = cls(git)
                _open[key]._restore()
            return _open[key]

    def close(self) -> None:
        """Close the index and git's processes; ``open`` returns another object."""
        with _open_lock:
            for key in [key for key, opened in _open.items() if opened is self]:
                del _open[key]
        if "_index" in self.__dict__:
            self._index.close()
        self.git.close()
        for copy in self._copies.values():
            copy.close()

    def covers(self, folder: Path) -> bool:
        """Return True if this is still the repository that contains a folder, at a glance."""
        root = _root_above(folder)
        root = _root_above(_owner_of_copy(root) or root) if root else None
        try:
            return root is None or root.samefile(self.git.work_tree or self.git.git_dir)
        except FileNotFoundError:  # removed since
            return False

    def code_in(self, folder: Path) -> GitRepo:
        """Return the work tree of the code that runs in a folder.

        That is this repository's, or the copy of it that DVC made for an experiment.
        """
        root = _root_above(folder)
        if root is None or _owner_of_copy(root) is None:
            return self.git
        if root not in self._copies:
            self._copies[root] = GitRepo.discover(root)
        return self._copies[root]

    # Artifacts -----------------------------------------------------------------------------------

    @property
    def default_remote(self) -> Path:
        """The DVC remote that needs no set-up: a folder in the repository's state."""
        return self.state / "remote"

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The local cache of artifact files."""
        from gitml.storage.transfer import ArtifactStore

        return ArtifactStore(self.state / "cache")

    @cached_property
    def remotes(self) -> RecordedRemotes:
        """The DVC remotes that the branch and its runs name."""
        from gitml.storage.recorded_remotes import RecordedRemotes

        return RecordedRemotes(self.git, self.branch, self.state)

    def remote_url(self) -> str:
        """Return the URL of the DVC remote that the branch names, to be displayed or compared."""
        return self.remotes.url()

    def uses_default_remote(self) -> bool:
        """Return True if artifacts stay in this clone's own folder."""
        return self.remotes.is_default()

    def open_remote(self, remote_config: bytes | None = None) -> Remote:
        """Open the DVC remote of the branch, or the one that a run's own configuration names.

        Raises:
            StoreError: The configuration cannot be parsed.
            InvalidInput: What it names is not an address.
        """
        return self.remotes.open(remote_config)

    def remote_of(self, files: RunFiles) -> Remote:
        """Open the DVC remote that has a run's files; errors name who logged them."""
        return self.remotes.open(files.remote_config, run_folder=files.folder)

    def _store_files(self, staged: Path) -> Sequence[Artifact]:
        """Move staged files into the cache, and into the remote if that is our own folder."""
        manifest = self.artifacts.put(staged)
        self.store_in_default_remote(manifest)
        return manifest

    def store_in_default_remote(self, manifest: Sequence[Artifact]) -> None:
        """Send files to the remote at once if it is this clone's own folder."""
        if manifest and not dvc_config.is_shared(self.branch.remote_config(self.branch.tip())):
            from gitml.storage.remote import Remote

            self.artifacts.push([list(manifest)], Remote.local(self.default_remote))

    # Reading -------------------------------------------------------------------------------------

    @cached_property
    def _index(self) -> Index:
        from gitml.store.index.index import Index

        return Index(self.state / "index.sqlite3", self.git)

    def index(self) -> Index:
        """Return the index, updated to the branch and the runs in progress."""
        from gitml.store.index.index import LiveRun

        self._recover()
        live: dict[str, LiveRun] = {}
        for run_id, folder in self.runs.in_progress().items():
            experiment_id = _experiment_of(folder)
            if experiment_id is not None:
                live[run_id] = LiveRun(
                    fingerprint=journal.fingerprint(folder),
                    load=_RunReader(self.runs, run_id, experiment_id),
                )
        self._index.refresh(self.branch.tip(), live)
        return self._index

    def _restore(self) -> None:
        """Bring a branch back that was deleted; a read-only repository stays as it is."""
        with contextlib.suppress(GitmlError, OSError):
            merging.restore(self.branch)

    def _recover(self) -> None:
        """Commit what dead processes left; a read-only repository stays readable."""
        self._restore()
        try:
            self.runs.recover()
            leftovers.sweep_crash_reports(self.git, self.branch.ref)
        except (GitmlError, OSError) as error:
            if os.access(self.state, os.W_OK) and not self._has_warned:
                self._has_warned = True
                _logger.warning("A run of a process that ended cannot be committed yet: %s", error)

    def experiment_of(self, run_id: str) -> str:
        """Return the id of a run's experiment.

        Raises:
            NotFound: There is no such run.
        """
        run_records.check_run_id(run_id)
        writer = self.runs.writer(run_id)
        if writer:
            return writer.experiment_id
        run = self.index().get_run(run_id)
        if run is None:
            raise NotFound(f"No run {run_id}.", hint="See `gitml runs list`.")
        return run.info.experiment_id

    def writer(self, run_id: str) -> Writer | None:
        """Return this process's writer of a run; join a run that another process writes.

        Returns:
            None if the run has ended; a run of a dead process is ended by this call.
        """
        writer = self.runs.writer(run_id)
        if writer is None and run_id in self.runs.in_progress():
            if journal.is_alive(self.runs.folder / run_id):
                return self.runs.resume(run_id, self.experiment_of(run_id))
            self.runs.recover()
        return writer

    def files(self, run_id: str) -> RunFiles:
        """Read the files of a run, but of an ended run without the points of its metrics.

        Raises:
            NotFound: There is no such run.
        """
        return self.runs.read(run_id, self.experiment_of(run_id), history=False)

    def history(self, run_id: str, key: str) -> list[Metric]:
        """Read the points of a metric of a run.

        Raises:
            NotFound: There is no such run.
        """
        experiment_id = self.experiment_of(run_id)
        if run_id in self.runs.writing() or run_id in self.runs.in_progress():
            history = self.runs.read(run_id, experiment_id).history
            return [point for point in history if point.key == key]
        path = f"{run_records.run_folder(experiment_id, run_id)}/{run_folder.HISTORY}"
        data = self.branch.read(path)
        return list(metric_history.points(data, path, key)) if data else []


class _RunReader:
    """Reads a run in progress when the index needs it."""

    def __init__(self, runs: RunStore, run_id: str, experiment_id: str) -> None:
        self._runs, self._run_id, self._experiment_id = runs, run_id, experiment_id

    def __call__(self) -> RunFiles:
        return self._runs.read(self._run_id, self._experiment_id)


def _experiment_of(folder: Path) -> str | None:
    """Return the experiment of a run in progress, from the first line of its journals."""
    for op in journal.read(folder)[:1]:
        if op[0] in ("start", "resume") and isinstance(op[1], dict):
            return str(op[1]["experiment_id"])
    return None


def _root_above(folder: Path) -> Path | None:
    """Return the work tree that a folder is in; None where only git can tell."""
    parents = (folder, *folder.parents)
    return next((path for path in parents if os.path.lexists(path / ".git")), None)


def _owner_of_copy(root: Path | None) -> Path | None:
    """Return the folder from which DVC started an experiment in a temporary copy of it.

    DVC makes such a copy below ``.dvc/tmp/exps`` for ``dvc exp run --temp`` and for its queue, and
    removes it with everything in it. None for a work tree that is no such copy.
    """
    for path in root.parents if root else ():
        if path.parts[-3:] == (".dvc", "tmp", "exps"):
            return path.parents[2]
    return None


def resolve_path(uri: str | os.PathLike[str]) -> Path:
    """Return the folder of a tracking URI.

    Raises:
        InvalidInput: It has a scheme that is not ``file:`` or ``gitml:``, or is MLflow's folder.
    """
    text = os.fspath(uri)
    schemes = ("file://", "file:", "gitml://", "gitml:")
    path = next((text.removeprefix(name) for name in schemes if text.startswith(name)), None)
    if path is not None and text.startswith("file:"):
        path = unquote(path)
    if path is None and ("://" in text or text in ("databricks", "uc")):
        raise InvalidInput(
            f"Tracking URI {redaction.url(text)!r} is not a path.", hint=_GIVE_A_REPOSITORY
        )
    folder = Path(text if path is None else path or ".").expanduser()
    if folder.name == "mlruns" and _root_above(folder.absolute()) != folder.absolute():
        raise InvalidInput(
            f"Tracking URI {text!r} is a file store of MLflow, not a git repository.",
            hint=_GIVE_A_REPOSITORY,
        )
    return folder
