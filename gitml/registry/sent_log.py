"""Read which tags were ever sent, from the history of the branch; what was read once is cached.

The history only grows, so the cache is brought up to date with the commits that are new, and what
was behind one commit stays the same. The cache is derived: it can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from gitml import files
from gitml.errors import StoreError
from gitml.formats import canonical
from gitml.git import GitRepo
from gitml.registry.tags.grammar import parse
from gitml.store.branch import Branch
from gitml.store.exchange import tag_log
from gitml.store.exchange.tag_log import SentTag

_FIELDS = ("tag", "oid", "commit", "sender", "timestamp")


class SentLog:
    """The tags that the history of the branch names.

    Args:
        repo: The repository.
        branch: The branch of records, here and as it was fetched.
        state: The local state folder, ``<git common dir>/gitml``.
    """

    def __init__(self, repo: GitRepo, branch: Branch, state: Path) -> None:
        self._repo = repo
        self._branch = branch
        self._path = state / "tags" / "sent.json"

    def tags(self) -> list[SentTag]:
        """Return all registry tags that were sent, each as often as it was."""
        tips = sorted({tip for tip in self._tips() if tip})
        cached_tips, cached = _load(self._path)
        if tips == cached_tips:
            return cached
        try:
            new = tag_log.read(self._repo, tips, behind=cached_tips)
        except StoreError:  # the branch was made anew, and git has let go of the old one
            cached, new = [], tag_log.read(self._repo, tips)
        sent = [*(tag for tag in new if parse(tag.tag)), *cached]
        rows = [[getattr(tag, name) for name in _FIELDS] for tag in sent]
        with contextlib.suppress(OSError):  # a clone that may only be read reads it each time
            data = canonical.dump({"tips": tips, "tags": rows})
            files.replace(self._path, data, durable=False)
        return sent

    def behind(self, commits: Iterable[str]) -> frozenset[tuple[str, str]]:
        """Return names and ids of the tags that the history of some commits names.

        Raises:
            StoreError: A commit is not in this repository.
        """
        return frozenset((tag.tag, tag.oid) for tag in tag_log.read(self._repo, commits))

    def _tips(self) -> tuple[str | None, str | None]:
        return self._repo.ref(self._branch.ref), self._repo.ref(self._branch.tracking_ref)


def _load(path: Path) -> tuple[list[str], list[SentTag]]:
    """Read the cache; empty where it is not one of ours."""
    try:
        document = json.loads(path.read_bytes())
        rows = [SentTag(**dict(zip(_FIELDS, row, strict=True))) for row in document["tags"]]
        return [str(tip) for tip in document["tips"]], rows
    except (OSError, ValueError, KeyError, TypeError):
        return [], []
