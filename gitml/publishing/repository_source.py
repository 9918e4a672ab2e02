"""Read a repository for the dashboard: the implementation of :class:`gitml.site.source.SiteSource`.

Lists are read when it is created; files of runs, decisions and warnings when a page needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from gitml.entities import Artifact, Metric, ModelEvent, ModelVersion
from gitml.errors import GitmlError, InvalidInput, StoreError
from gitml.formats import run_folder
from gitml.formats.metric_history import from_jsonl
from gitml.formats.run_records import RunFiles
from gitml.git import default_branch
from gitml.publishing import documents
from gitml.publishing.artifact_bytes import ArtifactBytes
from gitml.publishing.warnings import repository_warnings
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.gates import declarations
from gitml.registry.gates.metric_direction import by_name
from gitml.registry.promotion.comparison import VersionComparison
from gitml.registry.promotion.decisions import (
    Decision,
    OpenProposal,
    considered,
    decisions,
    proposals,
)
from gitml.registry.promotion.pull_request import forge_of
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.site.source import CodeCommit, RepositoryWarning
from gitml.store.run_reader import CommittedRuns
from gitml.text import plural

_T = TypeVar("_T")
_COMMITS = 5_000  # of the code, newest first
_NAMED = 5  # records that cannot be read
_CACHED_RUNS = 4  # a page reads several files of one run, then comes the next run


class RepositorySource:
    """The content of one repository's site.

    Args:
        repository: The clone to show.
        title: Heading; None for that of ``gitml.yaml``, else the name of the folder.
        notes: Empty folder that the processes of a build share.

    Raises:
        InvalidInput: A document of the site cannot be read.
    """

    def __init__(
        self, repository: Repository, title: str | None = None, *, notes: Path | None = None
    ) -> None:
        settings, index = repository.settings, repository.index()
        self._repository = repository
        self._git = repository.git
        self._registry = Registry.of(repository).pinned()
        self._code = default_branch.tip(repository.git, settings.git_remote)
        self._unread: list[str] = []
        self._faults = _record_faults(repository)
        self._versions = self._registry.search_model_versions(order_by=["name", "version_number"])
        self._directions = _declared_directions(repository)

        self.title = title or settings.site.title or _folder_name(repository)
        self.experiments = index.search_experiments()
        self.runs = tuple(index.every_run())
        self.models = self._registry.search_registered_models()
        self.forge = forge_of(repository.git, settings.git_remote)
        self.commit = repository.branch.tip() or ""
        self.pages = documents.pages(repository)
        self.reports = documents.in_folder(repository, "reports", ".md")
        self.views = documents.in_folder(repository, "views", ".yaml")
        self.directions_fingerprint = repr(self._directions)
        self.declarations_fingerprint = self._declared_trees()

        self._in_progress = repository.runs.in_progress()
        self._committed = CommittedRuns(
            repository.git,
            repository.branch.tip(),
            [(run.info.experiment_id, run.info.run_id) for run in self.runs],
        )
        self._read_in_progress = lru_cache(maxsize=_CACHED_RUNS)(self._in_progress_files)
        self._bytes = ArtifactBytes(repository, notes)
        self._versions_of = {
            name: tuple(versions)
            for name, versions in groupby(self._versions, lambda version: version.name)
        }
        # Pages ask for these again and again.
        self.artifacts = lru_cache(maxsize=_CACHED_RUNS)(self._artifacts)
        self.better = cache(self._better)
        self.proposals = cache(self._proposals)

    # Runs ---------------------------------------------------------------------------------------

    def run_oid(self, run_id: str) -> str:
        """Return the id of a run's committed tree, or an empty text if it is in progress."""
        return "" if run_id in self._in_progress else self._committed.tree(run_id)

    def history(self, run_id: str) -> Sequence[Metric]:
        """Return every point of every metric of a run, ordered by key and step."""
        points = self._file(run_id, run_folder.HISTORY, lambda run: run.history, from_jsonl)
        return sorted(points, key=lambda point: (point.key, point.step, point.timestamp))

    def read_artifact(self, run_id: str, path: str, limit: int) -> bytes | None:
        """Return the first bytes of a file, or None if they are not on this machine."""
        artifact = next((file for file in self.artifacts(run_id) if file.path == path), None)
        if artifact is None:
            return None
        if not artifact.md5:  # of a run in progress: the file waits in the run's folder
            return _staged(self._in_progress.get(run_id), path, limit)
        return self._bytes.read(artifact, self._remote_config(run_id), limit)

    def absence(self, run_id: str) -> str:
        """Return why files of a run are not on this machine, as a sentence."""
        return self._bytes.reason(self._remote_config(run_id))

    def _remote_config(self, run_id: str) -> bytes:
        return self._file(run_id, run_folder.CONFIG, lambda run: run.remote_config, bytes)

    def code_file(self, path: str, limit: int, /) -> bytes | None:
        """Return a file of the work tree; None if there is none that may be read."""
        return documents.code_file(self._repository, path, limit)

    def code_link(self, path: str, /) -> str:
        """Return the address of a file on the forge; empty without one."""
        return self.forge.file(self._code or "", path)

    def patch(self, run_id: str) -> str:
        """Return what differed from a run's commit, in the format of ``git diff``."""
        data = self._file(run_id, run_folder.PATCH, lambda run: run.patch, bytes)
        return data.decode("utf-8", "replace")

    def requirements(self, run_id: str) -> str:
        """Return the recorded packages of a run, in the format of ``pip freeze``."""
        data = self._file(run_id, run_folder.REQUIREMENTS, lambda run: run.requirements, bytes)
        return data.decode("utf-8", "replace")

    def unread(self) -> Sequence[str]:
        """Return one sentence for each record and file of a run that cannot be read, until now."""
        return (*self._faults, *self._unread)

    def _artifacts(self, run_id: str) -> Sequence[Artifact]:
        return self._file(
            run_id, run_folder.MANIFEST, lambda run: run.artifacts, run_folder.artifacts
        )

    def _file(
        self,
        run_id: str,
        name: str,
        in_progress: Callable[[RunFiles], _T],
        parse: Callable[[bytes], _T],
    ) -> _T:
        """Read a file of a run; if its bytes are malformed, note that and read an empty file."""
        try:
            if run_id in self._in_progress:
                return in_progress(self._read_in_progress(run_id))
            return parse(self._committed.read(run_id, name))
        except StoreError as error:
            self._unread.append(f"Run {run_id} is shown without its {name}: {error.message}")
            return parse(b"")

    def _in_progress_files(self, run_id: str) -> RunFiles:
        return self._repository.runs.read(run_id, self._repository.experiment_of(run_id))

    # Registry -----------------------------------------------------------------------------------

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """Return the versions of a model."""
        return self._versions_of.get(model, ())

    def events(self, model: str) -> Sequence[ModelEvent]:
        """Return the history of a model."""
        return self._of_model(model, lambda: self._registry.history(model), ())

    def rejected(self, model: str) -> Sequence[RejectedTag]:
        """Return the tags of a model that do not count."""
        return self._registry.view(model).rejected_of(model)

    def decisions(self, model: str) -> Sequence[Decision]:
        """Return the versions of a model that entered a stage, newest first."""
        return self._of_model(model, lambda: decisions(self._registry, model), ())

    def considered(self, version: ModelVersion) -> VersionComparison | None:
        """Return the comparison of a version that nobody proposed with the one in Production."""
        return self._of_model(
            version.name, lambda: considered(self._registry, version, self._code), None
        )

    def signature(self, version: ModelVersion) -> Mapping[str, str]:
        """Return inputs, outputs and params of a version, as in its MLmodel file."""
        return self._of_model(version.name, lambda: self._registry.facts_of(version).signature, {})

    def warnings(self) -> Sequence[RepositoryWarning]:
        """Return what needs attention besides failed runs, the most urgent first."""
        return [
            *(RepositoryWarning(text=sentence) for sentence in self._faults),
            *repository_warnings(self._repository, self._registry, self._versions, self.runs),
        ]

    def _of_model(self, model: str, read: Callable[[], _T], default: _T) -> _T:
        """Read something of a model; if it is malformed, note that and return the default."""
        try:
            return read()
        except GitmlError as error:
            self._unread.append(f"Model {model} is shown in part: {error.message}")
            return default

    def _proposals(self) -> Sequence[OpenProposal]:
        return proposals(self._registry, self._code) if self._code else ()

    def _declared_trees(self) -> str:
        """Return the ids of the files of the code branch that declare models."""
        tree = self._git.tree(self._code, declarations.FOLDER) if self._code else []
        return " ".join(f"{entry.oid} {entry.path}" for entry in tree)

    # Code ---------------------------------------------------------------------------------------

    def _better(self, metric: str) -> str:
        return self._directions.get(metric) or by_name(metric) or ""

    def commits(self) -> Sequence[CodeCommit]:
        """Return the first-parent line of the default branch, newest first."""
        if not self._code:
            return []
        return [
            CodeCommit(commit=commit, timestamp=seconds * 1000, author=author, subject=subject)
            for commit, seconds, author, subject in default_branch.first_parents(
                self._git, self._code, _COMMITS
            )
        ]


def _record_faults(repository: Repository) -> list[str]:
    """Return a sentence for each of the first records of the branch that cannot be read."""
    problems = repository.index().problems()
    sentences = [f"{problem.path} is not shown: {problem.reason}" for problem in problems[:_NAMED]]
    if problems[_NAMED:]:
        more = plural(len(problems) - _NAMED, "more record")
        sentences.append(f"{more} cannot be read; `gitml doctor` lists them.")
    return sentences


def _declared_directions(repository: Repository) -> dict[str, str]:
    """Return the better direction of each metric that the declaration of any model names."""
    directions: dict[str, set[str]] = {}
    try:
        files = list(declarations.read_each(repository.git))
    except GitmlError:  # no commit yet
        files = []
    for declaration in files:
        if isinstance(declaration, InvalidInput):  # the home page says what is wrong
            continue
        for metric, direction in declaration.better.items():
            directions.setdefault(metric, set()).add(direction)
    return {metric: min(names) for metric, names in sorted(directions.items())}


def _staged(folder: Path | None, path: str, limit: int) -> bytes | None:
    """Read a file from the folder of a run in progress."""
    if folder is None:
        return None
    try:
        with (folder / "artifacts" / path).open("rb") as file:
            return file.read(limit)
    except OSError:  # the run ended meanwhile
        return None


def _folder_name(repository: Repository) -> str:
    git = repository.git
    return (git.work_tree or git.common_dir).resolve().name.removesuffix(".git") or "gitml"
