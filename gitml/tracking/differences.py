"""Write the difference between a work tree and its commit as a patch that ``git apply`` reads."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from gitml.git import GitRepo

# The format that `git apply` reads, whatever the user's settings of diff are.
_DIFF = ("-c", "core.quotePath=false", "diff")
_OPTIONS = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short",
            "--src-prefix=a/", "--dst-prefix=b/", "--no-renames", "--no-relative")  # fmt: skip


def tracked(repo: GitRepo, *, by_content: bool) -> Callable[[], bytes]:
    """Start to compare tracked files; return what waits for their changes.

    Args:
        repo: The repository.
        by_content: Read every file, whatever its time: DVC writes the changes of an experiment into
            the index of its copy in a way that hides some of them from git.
    """
    if not by_content:
        running = repo.start(*_DIFF, "HEAD", *_OPTIONS)
        return lambda: running.finish()[1]
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        shutil.copyfile(repo.git_dir / "index", index)
        os.utime(index, (1, 1))  # git trusts no file that is younger than the index
        environment = {"GIT_INDEX_FILE": str(index)}
        changes = repo.start(*_DIFF, "HEAD", *_OPTIONS, env=environment).finish()[1]
    return lambda: changes


def added(repo: GitRepo, names: Sequence[str]) -> bytes:
    """Return files that git does not track, as new ones.

    Args:
        repo: The repository.
        names: Their paths, relative to the work tree.
    """
    if not names:
        return b""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"GIT_INDEX_FILE": f"{folder}/index"}  # the user's is not touched
        paths = (f":(literal,top){name}" for name in names)
        add = repo.start("add", "--force", "--intent-to-add", "--", *paths, env=environment)
        if add.finish()[0]:
            return b""
        return repo.start(*_DIFF, *_OPTIONS, env=environment).finish()[1]
