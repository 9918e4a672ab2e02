"""Capture the code behind a run: commit, branch, uncommitted changes, environment.

What looks like a secret is not captured, nor are paths of this machine's home.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitml import config, redaction
from gitml.config import DvcExperiment, Settings
from gitml.entities import Dataset, RunTag, Source
from gitml.formats import limits
from gitml.git import GitRepo
from gitml.text import listed
from gitml.tracking import failure, patches

_LISTED = 20  # files that a tag names


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was captured.

    Attributes:
        source: The code's place in git and the command line.
        patch: ``git diff HEAD`` of tracked files, and the entry script if it is not tracked.
        requirements: Installed packages, one ``name==version`` per line.
        patch_omitted: Size in bytes of a patch that is not kept, else 0.
        patch_redacted: Lines of the patch in which a secret is hidden.
        files_omitted: Files of secrets that the patch leaves out.
        experiment: The experiment of DVC that runs it.
    """

    source: Source
    patch: bytes
    requirements: bytes
    patch_omitted: int = 0
    patch_redacted: int = 0
    files_omitted: tuple[str, ...] = ()
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
    record = settings.record
    commit, branch = repo.head()
    entry = entry_point()
    name = _relative(entry, repo.work_tree)
    patch = _difference(repo, by_content=repo is not home) if commit and repo.work_tree else b""
    if commit and repo.work_tree and name:
        patch += _untracked_patch(repo, name, commit)
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
            dirty=bool(patch),
            python=platform.python_version(),
        ),
        patch=redacted.data,
        requirements=_installed(tuple(sys.path)) if record.environment == "packages" else b"",
        patch_omitted=0 if keep else len(patch),
        patch_redacted=redacted.values,
        experiment=config.dvc_experiment(),
        files_omitted=redacted.files,
    )


def _difference(repo: GitRepo, *, by_content: bool) -> bytes:
    """Return the changes of tracked files as a patch.

    Args:
        repo: The repository.
        by_content: Read every file, whatever its time: DVC writes the changes of an experiment into
            the index of its copy in a way that hides some of them from git.
    """
    if not by_content:
        return repo.start("diff", "HEAD", *_DIFF).finish()[1]
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        shutil.copyfile(repo.git_dir / "index", index)
        os.utime(index, (1, 1))  # git trusts no file that is younger than the index
        return repo.start("diff", "HEAD", *_DIFF, env={"GIT_INDEX_FILE": str(index)}).finish()[1]


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
    trace = _portable(repo, redaction.text(described.trace))
    tags = {failure.ERROR_TAG: shareable(repo, described.error), failure.TRACEBACK_TAG: trace}
    return [RunTag(key=key, value=value) for key, value in tags.items() if value]


def input_of(repo: GitRepo, dataset: Dataset) -> dict[str, Any]:
    """Return what is recorded of a dataset, its address fit to be published."""
    return {**dict(dataset), "source": shareable(repo, dataset.source)}


def _portable(repo: GitRepo, text: str) -> str:
    root = str(repo.work_tree.resolve()) if repo.work_tree else None
    return redaction.portable(text, root, str(Path.home()))


# The format that `git apply` reads, whatever the user's settings of diff are.
_DIFF = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short",
         "--src-prefix=a/", "--dst-prefix=b/", "--no-renames", "--no-relative")  # fmt: skip


def entry_point() -> Path | None:
    """Return the script that was started; None in an interactive session."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None) or (sys.argv[0] if sys.argv else "")
    if not path or path == "-c":
        return None
    return Path(path).resolve()


def _relative(path: Path | None, root: Path | None) -> str | None:
    if path is None or root is None or not path.is_relative_to(root.resolve()):
        return None
    return path.relative_to(root.resolve()).as_posix()


@functools.lru_cache(maxsize=8)
def _untracked_patch(repo: GitRepo, name: str, commit: str) -> bytes:
    """Return the entry script as a patch if neither ``commit`` nor the index has it."""
    del commit  # part of the cache's key: a script becomes tracked by a commit
    assert repo.work_tree is not None
    if repo.run("ls-files", "-z", "--", f":(literal,top){name}"):
        return b""
    if not (repo.work_tree / name).is_file():
        return b""
    code, patch, _ = repo.start("diff", "--no-index", *_DIFF, "--", "/dev/null", name).finish()
    return patch if code == 1 else b""


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
