"""Capture the code behind a run: commit, branch, uncommitted changes, environment.

What looks like a secret is not captured, nor are paths of this machine's home.
"""

from __future__ import annotations

import functools
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitml import config, redaction
from gitml.config import DvcExperiment, Settings
from gitml.entities import NOT_COMMITTED_TAG, Dataset, RunTag, Source
from gitml.formats import limits
from gitml.git import GitRepo
from gitml.text import listed
from gitml.tracking import differences, failure, patches, ran_files

_LISTED = 20  # files that a tag names


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was captured.

    Attributes:
        source: The code's place in git and the command line.
        patch: ``git diff HEAD`` of tracked files, and the files that ran and are not tracked.
        requirements: Installed packages, one ``name==version`` per line.
        patch_omitted: Size in bytes of a patch that is not kept, else 0.
        patch_redacted: Lines of the patch in which a secret is hidden.
        files_omitted: Files that the patch leaves out: of secrets, too large, outside of the
            repository.
        not_committed: Files that ran and differ from what the commit holds.
        loaded: Scripts and modules of the work tree that were loaded.
        modules: How many modules of any place were.
        experiment: The experiment of DVC that runs it.
    """

    source: Source
    patch: bytes
    requirements: bytes
    patch_omitted: int = 0
    patch_redacted: int = 0
    files_omitted: tuple[str, ...] = ()
    not_committed: tuple[str, ...] = ()
    loaded: frozenset[str] = frozenset()
    modules: int = 0
    experiment: DvcExperiment

    @property
    def tags(self) -> dict[str, str]:
        """MLflow's tags for the same facts."""
        tags = {
            "mlflow.source.name": self.source.name,
            "mlflow.source.type": self.source.type,
            "mlflow.source.git.commit": self.source.commit,
            "mlflow.source.git.branch": self.source.branch,
            "mlflow.source.git.repoURL": self.source.remote,
            "gitml.patch_omitted_bytes": str(self.patch_omitted) if self.patch_omitted else None,
            "gitml.patch_redacted_lines": str(self.patch_redacted) if self.patch_redacted else None,
            "gitml.dvc_experiment": self.experiment.name,
            "gitml.dvc_baseline": self.experiment.baseline,
            NOT_COMMITTED_TAG: listed(self.not_committed, _LISTED),
            "gitml.patch_omitted_files": listed(self.files_omitted, _LISTED),
        }
        return {key: value for key, value in tags.items() if value}


def capture(repo: GitRepo, home: GitRepo, settings: Settings) -> Context:
    """Capture the code that is running now.

    Args:
        repo: The repository it runs in; its work tree is read, nothing is written.
        home: The one that the run is logged to, whose remotes count.
        settings: What is recorded, and the git remote that stands for the code's home.
    """
    record, root = settings.record, repo.work_tree
    commit, branch = repo.head()
    compared = differences.tracked(repo, by_content=repo is not home) if commit and root else None
    entry = ran_files.entry_point()
    name = _relative(entry, root)
    loaded = ran_files.ran(root) if root else frozenset()
    untracked, large = _untracked(repo, loaded)
    patch = compared() + _added(repo, untracked) if compared else b""
    script = ran_files.outside(root)
    foreign = (_portable(repo, str(script)),) if script else ()
    keep = record.patch and len(patch) <= limits.PATCH
    redacted = patches.redact(patch) if keep else patches.Redacted(data=b"")
    return Context(
        source=Source(
            type="NOTEBOOK" if "ipykernel" in sys.modules else "LOCAL",
            name=name or (entry.name if entry else "python"),
            command=_command(repo, record.command),
            commit=commit,
            branch=branch,
            remote=_remotes(home).get(settings.git_remote),
            dirty=commit is None or bool(patch or untracked or large or foreign),
            python=platform.python_version(),
        ),
        patch=redacted.data,
        requirements=_installed(tuple(sys.path)) if record.environment == "packages" else b"",
        patch_omitted=0 if keep else len(patch),
        patch_redacted=redacted.values,
        experiment=config.dvc_experiment(),
        files_omitted=(*redacted.files, *large, *foreign),
        not_committed=(*redacted.changed, *large, *foreign)
        if keep
        else (*untracked, *large, *foreign),
        loaded=loaded,
        modules=len(sys.modules),
    )


def with_late_imports(repo: GitRepo, code: Context) -> Context | None:
    """Return what was captured and the files that were imported since; None if git tracks them.

    Args:
        repo: The repository that the code runs in.
        code: What was captured when the run began.
    """
    if repo.work_tree is None or code.modules == len(sys.modules):
        return None
    late = ran_files.ran(repo.work_tree) - code.loaded
    names, large = _by_size(repo.work_tree, ran_files.untracked(repo, late, frozenset()))
    if not names and not large:
        return None
    added = patches.redact(_added(repo, names) if code.source.commit else b"")
    keep = not code.patch_omitted and len(code.patch) + len(added.data) <= limits.PATCH
    return replace(
        code,
        source=replace(code.source, dirty=True),
        patch=code.patch + (added.data if keep else b""),
        patch_redacted=code.patch_redacted + added.values,
        files_omitted=(*code.files_omitted, *added.files, *large),
        not_committed=(*code.not_committed, *names, *large),
    )


def _untracked(repo: GitRepo, loaded: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the files that run and that git does not track, and apart those too large to keep."""
    root = repo.work_tree
    if root is None:
        return [], []
    return _by_size(root, ran_files.untracked(repo, loaded, ran_files.named(root)))


def _by_size(root: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files that are small enough for a patch, and the others.

    A file that vanished meanwhile is with the others, for it cannot be kept.
    """
    small = [name for name in names if _size(root / name) <= limits.UNTRACKED]
    return small, [name for name in names if name not in small]


def _size(path: Path) -> float:
    try:
        return path.stat().st_size
    except OSError:
        return math.inf


def _added(repo: GitRepo, names: Sequence[str]) -> bytes:
    """Return untracked files as a patch; made again only when one of them changes."""
    assert repo.work_tree is not None
    states = [(repo.work_tree / name).stat() for name in names]
    key = tuple((name, s.st_mtime_ns, s.st_size) for name, s in zip(names, states, strict=True))
    return _added_as_of(repo, key)


@functools.lru_cache(maxsize=8)
def _added_as_of(repo: GitRepo, key: tuple[tuple[str, int, int], ...]) -> bytes:
    return differences.added(repo, [name for name, _, _ in key])


def _command(repo: GitRepo, mode: str) -> tuple[str, ...]:
    """Return the command line, with the interpreter by its name: its path differs elsewhere."""
    if mode == "none":
        return ()
    interpreter, *arguments = sys.orig_argv or ("python",)
    command = Path(interpreter).name, *arguments
    recorded = command if mode == "full" else redaction.command(command)
    return tuple(_portable(repo, argument) for argument in recorded)


def shareable(repo: GitRepo, text: str) -> str:
    """Return a text that a run records by itself, such as an error, fit to be published."""
    return _portable(repo, redaction.text(text, is_code=False))


def failure_tags(repo: GitRepo, settings: Settings, error: BaseException | None) -> list[RunTag]:
    """Return the tags that record what a run failed of, fit to be published."""
    described = failure.describe(error, code=settings.record.patch)
    if described is None:
        return []
    trace = shareable(repo, described.trace)
    tags = {failure.ERROR_TAG: shareable(repo, described.error), failure.TRACEBACK_TAG: trace}
    return [RunTag(key=key, value=value) for key, value in tags.items() if value]


def input_of(repo: GitRepo, dataset: Dataset) -> dict[str, Any]:
    """Return what is recorded of a dataset, its address fit to be published."""
    return {**dict(dataset), "source": shareable(repo, dataset.source)}


def _portable(repo: GitRepo, text: str) -> str:
    root = str(repo.work_tree.resolve()) if repo.work_tree else None
    return redaction.portable(text, root, str(Path.home()))


def _relative(path: Path | None, root: Path | None) -> str | None:
    if path is None or root is None or not path.is_relative_to(root.resolve()):
        return None
    return path.relative_to(root.resolve()).as_posix()


@functools.lru_cache(maxsize=8)
def _remotes(repo: GitRepo) -> dict[str, str]:
    return repo.remotes()


@functools.lru_cache(maxsize=8)
def _installed(search_path: tuple[str, ...]) -> bytes:
    """Return names and versions of installed packages, read from the names of folders."""
    versions: dict[str, str] = {}
    for entry in search_path:
        folder = Path(entry or ".")
        if not folder.is_dir():
            continue
        for info in folder.glob("*.dist-info"):
            name, _, version = info.name.removesuffix(".dist-info").partition("-")
            if version:
                versions.setdefault(name.lower().replace("_", "-"), version)
    return "".join(f"{name}=={versions[name]}\n" for name in sorted(versions)).encode()
