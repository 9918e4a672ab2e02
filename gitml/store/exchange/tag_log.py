"""Write and read which registry tags were sent, as lines of the branch's commit messages.

Tags can be moved and deleted on a remote; a commit that other clones build upon cannot be taken
back. So the commit that is pushed together with tags names each of them with its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitml.git import GitRepo

_LINE = re.compile(r"^Tag: ([0-9a-f]{40}(?:[0-9a-f]{24})?) (\S+)$", re.MULTILINE)
_NAMED = 3  # tags that the first line names


def message(tags: Mapping[str, str]) -> str:
    """Format the message of the commit that goes with tags: name to id."""
    names = list(tags)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    lines = "".join(f"Tag: {oid} {name}\n" for name, oid in tags.items())
    return f"registry: {', '.join(names[:_NAMED])}{more}\n\n{lines}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTag:
    """A tag that a commit on the branch names.

    Attributes:
        tag: Its name.
        oid: Id of the tag object.
        commit: The commit.
        sender: Who made the commit, and so sent the tag.
        timestamp: When, s since the Unix epoch, as the sender's clock said.
    """

    tag: str
    oid: str
    commit: str
    sender: str
    timestamp: int


def read(repo: GitRepo, tips: Iterable[str], *, behind: Iterable[str] = ()) -> list[SentTag]:
    """Read which tags were sent, as the history of some commits tells, newest first.

    Args:
        repo: The repository.
        tips: The commits.
        behind: Commits whose own history is left out.

    Raises:
        StoreError: A commit is not in this repository.
    """
    tips = list(tips)
    if not tips:
        return []
    out = repo.run("log", "-z", "--no-show-signature", "--format=%H%n%an%n%at%n%B",
                   "--grep=^Tag: ", *tips, "--not", *behind, "--")  # fmt: skip
    sent = []
    for entry in out.decode("utf-8", "replace").split("\0"):
        commit, sender, seconds, body = (entry.split("\n", 3) + [""] * 3)[:4]
        sent += [
            SentTag(tag=name, oid=oid, commit=commit, sender=sender, timestamp=int(seconds))
            for oid, name in _LINE.findall(body)
        ]
    return sent
