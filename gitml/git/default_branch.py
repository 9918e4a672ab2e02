"""The line of code that the dashboard speaks of: the default branch, as this clone knows it."""

from __future__ import annotations

from gitml.git import GitRepo


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
