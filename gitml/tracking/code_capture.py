"""Capture the code behind a run: commit, branch, uncommitted changes, environment."""

from __future__ import annotations

import functools
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from gitml.entities import Source
from gitml.git import GitRepo

_MAX_PATCH = 10_000_000  # bytes; a larger patch is data, not code


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was captured.

    Attributes:
        source: The code's place in git and the command line.
        patch: ``git diff HEAD`` of tracked files, and the entry script if it is not tracked.
        requirements: Installed packages, one ``name==version`` per line.
        patch_omitted: Size in bytes of a patch too large to keep, else 0.
    """

    source: Source
    patch: bytes
    requirements: bytes
    patch_omitted: int = 0

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
        }
        return {key: value for key, value in tags.items() if value}


def capture(repo: GitRepo, remote: str) -> Context:
    """Capture the code that is running now.

    Args:
        repo: The repository it runs in; its work tree is read, nothing is written.
        remote: Name of the git remote that stands for the code's home.
    """
    commit, branch = repo.head()
    diff = repo.start("diff", "HEAD", *_DIFF) if commit and repo.work_tree else None
    entry = _entry_point()
    name = _relative(entry, repo.work_tree)
    patch = diff.finish()[1] if diff else b""
    if commit and repo.work_tree and name:
        patch += _untracked_patch(repo, name, commit)
    recorded = patch if len(patch) <= _MAX_PATCH else b""
    return Context(
        source=Source(
            type="NOTEBOOK" if "ipykernel" in sys.modules else "LOCAL",
            name=name or (entry.name if entry else "python"),
            command=_command(),
            commit=commit,
            branch=branch,
            remote=_remotes(repo).get(remote),
            dirty=bool(patch),
            python=platform.python_version(),
        ),
        patch=recorded,
        requirements=_installed(tuple(sys.path)),
        patch_omitted=len(patch) - len(recorded),
    )


def _command() -> tuple[str, ...]:
    """Return the command line, with the interpreter by its name: its path differs elsewhere."""
    interpreter, *rest = sys.orig_argv or ("python",)
    return Path(interpreter).name, *rest


_DIFF = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short")


def _entry_point() -> Path | None:
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
