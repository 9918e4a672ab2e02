"""Check that git itself would use the repository of a folder, and tell why it would not.

gitml names the repository to git by environment variables, which keeps git from checking it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from gitml.config import child_environment
from gitml.errors import GitmlError, NoRepository, StoreError
from gitml.git.causes import refused

_UNUSUAL = re.compile(rb"objectformat|repositoryformatversion\s*=\s*[^01\s]", re.IGNORECASE)
_INSTALL = "Install git 2.34 or newer, and see that it is in PATH."


def cannot_start() -> StoreError:
    """Return the error for a machine without git."""
    return StoreError("git cannot be started.", hint=_INSTALL)


def no_repository(folder: Path) -> GitmlError:
    """Return the error for a folder in which no repository can be opened."""
    root = next(
        (path for path in (folder, *folder.parents) if os.path.lexists(path / ".git")), None
    )
    if not folder.is_dir():
        hint = f"The repository is {root}: give its path." if root else "Check its path."
        return NoRepository(f"There is no folder {folder}.", hint=hint)
    if root is None:
        return NoRepository(
            f"No git repository at or above {folder}.",
            hint="Run `gitml init` in your project's folder.",
        )
    return refused(
        f"git cannot use {root / '.git'}",
        _complaint(root),
        hint="It was moved, or its HEAD is damaged: look into it, or try `git worktree repair`.",
    )


def check(root: Path, git_dir: Path, common_dir: Path) -> None:
    """Check that a repository is this user's, and one that DVC and GitPython can read.

    Args:
        root: Its work tree, or itself if it is bare.
        git_dir: The ``.git`` folder of this work tree.
        common_dir: The ``.git`` folder shared by linked work trees.

    Raises:
        StoreError: It is somebody else's, and not trusted; or it has a format of its own.
    """
    own = os.geteuid()
    if any(path.stat().st_uid != own for path in {root, git_dir}):
        err = _complaint(root)
        if err:
            raise refused(f"git refuses {root}", err)
    try:
        settings = (common_dir / "config").read_bytes()
    except OSError:
        return
    if not _UNUSUAL.search(settings):
        return
    err = _complaint(root)
    if err:
        raise refused(f"git cannot use {root}", err)
    if re.search(rb"objectformat\s*=\s*sha256", settings, re.IGNORECASE):
        raise StoreError(
            f"{root} names its objects by SHA-256, which DVC and GitPython cannot read.",
            hint="Use a repository that was made without --object-format=sha256.",
        )


def _complaint(root: Path) -> bytes:
    """Return what git says against a repository; nothing if it would use it."""
    command = ["git", "rev-parse", "--git-dir"]
    try:
        done = subprocess.run(
            command, cwd=root, env=child_environment(GIT_DIR=None, LC_ALL="C"),
            capture_output=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise cannot_start() from error
    return done.stderr if done.returncode else b""
