"""Hides how a site gets its content: fills ``site.Content`` from what a repository holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from gitml import site
from gitml.entities import Artifact, Metric
from gitml.errors import ArtifactError, GitmlError, RemoteUnavailable, StoreError
from gitml.formats import run_folder
from gitml.formats.metric_history import from_jsonl
from gitml.formats.run_records import RunFiles
from gitml.git import default_branch
from gitml.publishing import documents
from gitml.publishing.warnings import concerns
from gitml.registry.gates import declarations
from gitml.registry.gates.metric_direction import by_name
from gitml.registry.promotion.decisions import (
    Proposal,
    StillRegistry,
    considered,
    decisions,
    proposals,
)
from gitml.registry.promotion.pull_request import forge_of
from gitml.repository import Repository
from gitml.site import BuildReport, Content, SiteOptions
from gitml.site.build import Progress
from gitml.site.output import bundle
from gitml.site.output.no_gc import without_collector
from gitml.site.source import CodeCommit
from gitml.store.in_progress import journal
from gitml.store.run_reader import CommittedRuns

_T = TypeVar("_T")
_COMMITS = 5_000
_REMEMBERED = 4  # runs; a page asks for several things of one run, then goes to the next


@without_collector()
def build_site(
    repository: Repository,
    output: Path,
    *,
    title: str | None = None,
    progress: Progress | None = None,
    live: int = 0,
) -> BuildReport:
    """Build the dashboard of a repository.

    Args:
        repository: The clone to show.
        output: Folder of the site; a site that is there is replaced.
        title: Heading; default that of ``gitml.yaml``, else the name of the folder.
        progress: Called with (pages done, pages in all).
        live: How often pages ask whether the site changed, in ms; 0 for never.

    Raises:
        InvalidInput: The folder holds something else, or cannot be written.
    """
    settings = repository.settings.site
    root = repository.git.work_tree or repository.git.git_dir
    options = SiteOptions(
        run_pages=settings.run_pages,
        max_bytes=settings.max_bytes,
        templates=root / settings.templates if settings.templates else None,
        base_url=f"{settings.url.rstrip('/')}/" if settings.url else "",
        accent=settings.accent,
        logo=documents.inside(root, settings.logo, "site.logo") if settings.logo else None,
        cache=repository.state / "site-cache",
        live=live,
    )
    with bundle.begun(options.cache):
        content = site_content(repository)
        if title:
            content = replace(content, title=title)
        return site.build(content, output, options=options, progress=progress)


def state_of(repository: Repository) -> tuple[object, ...]:
    """Give a value that changes whenever a site built now would: records, tags, runs in progress.

    A run whose process died counts as changed, for the next reader commits it.
    """
    live = repository.runs.in_progress()
    return (
        repository.branch.tip(),
        repository.git.run(
            "for-each-ref",
            "--format=%(objectname) %(refname)",
            "refs/tags",
            "refs/heads/promote",
            "refs/remotes",
        ),
        repository.git.head(),
        sorted((run_id, _signature(place)) for run_id, place in live.items()),
        documents.signature(repository),
    )


def _signature(place: Path) -> tuple[str, bool]:
    try:
        return journal.signature(place), journal.is_alive(place)
    except OSError:  # the run ended meanwhile
        return "", False


def site_content(repository: Repository) -> Content:
    """Describe a repository to the site generator; what it needs of runs is read when asked for."""
    return _Source(repository).content()


class _Source:
    """Answers the site's questions about one repository."""

    def __init__(self, repository: Repository) -> None:
        self._unread: list[str] = []
        self._repository = repository
        self._index = repository.index()
        self._registry = StillRegistry(
            repository.git,
            repository.branch,
            state=repository.state,
            remote=repository.settings.git_remote,
        )
        self._code = default_branch.tip(repository.git, repository.settings.git_remote)
        self._runs = tuple(self._index.every_run())
        self._live = repository.runs.in_progress()
        self._committed = CommittedRuns(
            repository.git,
            repository.branch.tip(),
            [(run.info.experiment_id, run.info.run_id) for run in self._runs],
        )
        self._in_progress = lru_cache(maxsize=_REMEMBERED)(self._read_live)
        self._artifacts = lru_cache(maxsize=_REMEMBERED)(self._list)
        self._bytes = _ArtifactBytes(repository)

    def content(self) -> Content:
        """Everything, with what is expensive behind functions."""
        versions = self._registry.search_model_versions(order_by=["name", "version_number"])
        by_model = {
            name: tuple(many) for name, many in groupby(versions, lambda version: version.name)
        }
        ways = self._ways()
        return Content(
            title=self._repository.settings.site.title or _folder_name(self._repository),
            experiments=self._index.search_experiments(),
            runs=self._runs,
            models=self._registry.search_registered_models(),
            forge=forge_of(self._repository.git, self._repository.settings.git_remote),
            commit=self._repository.branch.tip() or "",
            history=self._history,
            artifacts=self._artifacts,
            read_artifact=self._read_artifact,
            patch=self._patch,
            requirements=self._requirements,
            versions=lambda name: by_model.get(name, ()),
            events=self._registry.history,
            run_oid=self._run_oid,
            pages=documents.pages(self._repository),
            reports=documents.in_folder(self._repository, "reports", ".md"),
            views=documents.in_folder(self._repository, "views", ".yaml"),
            better=lru_cache(lambda metric: ways.get(metric) or by_name(metric) or ""),
            ways=repr(ways),
            commits=self._commits,
            proposals=lru_cache(maxsize=None)(self._proposals),
            decisions=lambda name: decisions(self._registry, name),
            considered=lambda version: considered(self._registry, version, self._code),
            signature=lambda version: self._registry.evidence(version).signature,
            declared=self._declared(),
            unread=lambda: tuple(self._unread),
            concerns=lambda: concerns(self._repository, self._registry, versions, self._runs),
        )

    def _commits(self) -> Sequence[CodeCommit]:
        tip = default_branch.tip(self._repository.git, self._repository.settings.git_remote)
        return [
            CodeCommit(commit=commit, timestamp=seconds * 1000, author=author, subject=subject)
            for commit, seconds, author, subject in (
                default_branch.first_parents(self._repository.git, tip, _COMMITS) if tip else ()
            )
        ]

    def _ways(self) -> dict[str, str]:
        """Which way metrics are better, as declared of any model."""
        said: dict[str, set[str]] = {}
        try:
            files = declarations.read_all(self._repository.git)
        except GitmlError:  # no commit yet, or the first page says what is wrong
            files = {}
        for one in files.values():
            for metric, way in one.better.items():
                said.setdefault(metric, set()).add(way)
        return {metric: min(ways) for metric, ways in sorted(said.items())}

    def _proposals(self) -> Sequence[Proposal]:
        return proposals(self._registry, self._code) if self._code else ()

    def _declared(self) -> str:
        """Id of what the code branch declares for models."""
        tree = self._repository.git.tree(self._code, declarations.FOLDER) if self._code else []
        return " ".join(f"{entry.oid} {entry.path}" for entry in tree)

    def _file(
        self, run_id: str, name: str, live: Callable[[RunFiles], _T], parse: Callable[[bytes], _T]
    ) -> _T:
        """Read a file of a run; an empty one, and a complaint, where somebody pushed nonsense."""
        try:
            if run_id in self._live:
                return live(self._in_progress(run_id))
            return parse(self._committed.read(run_id, name))
        except StoreError as error:
            self._unread.append(f"Run {run_id} is shown without its {name}: {error.message}")
            return parse(b"")

    def _read_live(self, run_id: str) -> RunFiles:
        return self._repository.runs.read(run_id, self._repository.experiment_of(run_id))

    def _history(self, run_id: str) -> Sequence[Metric]:
        points = self._file(run_id, run_folder.HISTORY, lambda run: run.history, from_jsonl)
        return sorted(points, key=lambda point: (point.key, point.step, point.timestamp))

    def _list(self, run_id: str) -> Sequence[Artifact]:
        return self._file(run_id, run_folder.MANIFEST, lambda run: run.artifacts, run_folder.listed)

    def _read_artifact(self, run_id: str, path: str, limit: int) -> bytes | None:
        found = next((one for one in self._artifacts(run_id) if one.path == path), None)
        if found is None:
            return None
        if not found.md5:  # a run in progress: the file waits in its folder
            return _staged(self._live.get(run_id), path, limit)
        config = self._file(run_id, run_folder.CONFIG, lambda run: run.remote_config, bytes)
        return self._bytes.read(found, config, limit)

    def _patch(self, run_id: str) -> str:
        data = self._file(run_id, run_folder.PATCH, lambda run: run.patch, bytes)
        return data.decode("utf-8", "replace")

    def _requirements(self, run_id: str) -> str:
        data = self._file(run_id, run_folder.REQUIREMENTS, lambda run: run.requirements, bytes)
        return data.decode("utf-8", "replace")

    def _run_oid(self, run_id: str) -> str:
        """Id of what is committed of a run; empty for one in progress, which changes on."""
        return "" if run_id in self._live else self._committed.tree(run_id)


class _ArtifactBytes:
    """Reads artifacts; a remote that failed once is not asked again, each time may be a timeout."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._silent: set[bytes] = set()
        self._open = lru_cache(maxsize=None)(repository.open_remote)

    def read(self, artifact: Artifact, remote_config: bytes, limit: int) -> bytes | None:
        """Read the first bytes of a file; None where they cannot be had."""
        store = self._repository.artifacts
        if remote_config in self._silent and not store.has(artifact):
            return None
        try:
            return store.read_bytes(artifact, self._open(remote_config), limit)
        except GitmlError as error:
            if isinstance(error, RemoteUnavailable) or not isinstance(error, ArtifactError):
                self._silent.add(remote_config)  # not this file, but the remote as a whole
            return None


def _staged(place: Path | None, path: str, limit: int) -> bytes | None:
    if place is None:
        return None
    try:
        with (place / "artifacts" / path).open("rb") as file:
            return file.read(limit)
    except OSError:  # the run ended meanwhile
        return None


def _folder_name(repository: Repository) -> str:
    git = repository.git
    return (git.work_tree or git.common_dir).resolve().name.removesuffix(".git") or "gitml"
