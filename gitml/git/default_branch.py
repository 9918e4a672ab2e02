"""The line of code that the dashboard speaks of: the default branch, as this clone knows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitml.errors import InvalidInput
from gitml.git.repo import GitRepo


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The remote's default branch.

    Attributes:
        remote: Name of the git remote; empty where there is none.
        branch: Name of the branch.
        commit: Id of its newest commit.
    """

    remote: str
    branch: str
    commit: str


def ask(repo: GitRepo, remote: str) -> Base:
    """Fetch the newest commit of a remote's default branch, without its tags.

    Raises:
        InvalidInput: There is no such remote, or it has no default branch.
        StoreError: It does not answer.
    """
    if remote not in repo.remotes():
        raise InvalidInput(
            f"There is no git remote named {remote!r}.",
            hint=f"Add it with `git remote add {remote} URL`.",
        )
    out = repo.run("ls-remote", "--symref", remote, "HEAD").decode("utf-8", "replace")
    found = re.match(r"ref: refs/heads/(\S+)\tHEAD\n([0-9a-f]{40})\tHEAD", out)
    if not found:
        raise InvalidInput(
            f"Remote {remote!r} has no default branch.", hint="Push your main branch to it first."
        )
    branch, commit = found.groups()
    repo.fetch(remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    return Base(remote=remote, branch=branch, commit=commit)


def tip(git: GitRepo, remote: str) -> str | None:
    """Find the newest commit of the default branch without a network; None before the first.

    It is HEAD, unless that is another branch than the remote's default one: what a branch under
    review declares does not hold yet.

    Args:
        git: The repository.
        remote: Name of the git remote.
    """
    head, branch = git.head()
    prefix = f"refs/remotes/{remote}/"
    found = git.run("symbolic-ref", "--quiet", f"{prefix}HEAD", ok=(0, 1, 128)).decode().strip()
    default = found.removeprefix(prefix) if found.startswith(prefix) else None
    if default is None or branch is None or branch == default:
        return head
    return git.ref(found) or head


def line(git: GitRepo, commit: str, limit: int) -> list[tuple[str, int, str, str]]:
    """Follow first parents from a commit, newest first.

    Args:
        git: The repository.
        commit: Where to begin.
        limit: How many commits at most.

    Returns:
        Id, time of the commit in s since the Unix epoch, author's name and subject of each. A
        shallow clone has only the newest.
    """
    form = "--format=%H%x00%ct%x00%an%x00%s"
    log = git.run("log", "--first-parent", f"--max-count={limit}", form, commit, "--")
    found = (text.split("\0", 3) for text in log.decode("utf-8", "replace").splitlines())
    return [(one[0], int(one[1]), one[2], one[3]) for one in found if len(one) == 4]
