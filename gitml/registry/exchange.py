"""Open the exchange of records and registry tags with a git remote."""

from __future__ import annotations

from pathlib import Path

from gitml.git import GitRepo
from gitml.registry.rebase import TagRebaser
from gitml.store.branch import Branch
from gitml.store.exchange.exchange import Exchange


def open_exchange(repo: GitRepo, branch: Branch, *, state: Path, remote: str) -> Exchange:
    """Open the traffic of a clone with a git remote, by the rules of the registry's tags.

    Args:
        repo: The clone.
        branch: Its branch of records.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: Name of the git remote.

    Raises:
        InvalidInput: There is no such git remote.
    """
    rules = TagRebaser(repo, branch, state=state, remote=remote)
    return Exchange(branch, remote, rules)
