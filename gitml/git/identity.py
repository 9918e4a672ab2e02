"""Ask git whether it was told who commits."""

from __future__ import annotations

from gitml.git.repo import GitRepo


def is_configured(git: GitRepo) -> bool:
    """Return True if commits bear a name that was given to git, not one that it guessed."""
    out = git.run("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT", ok=(0, 1, 128))
    return bool(out)
