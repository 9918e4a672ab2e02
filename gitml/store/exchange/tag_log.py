"""Write and read which registry tags were sent, as lines of the branch's commit messages.

Tags can be moved and deleted on a remote; a commit that other clones build upon cannot be taken
back. So the commit that is pushed together with tags names each of them with its id.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from gitml.git import GitRepo

_LINE = re.compile(r"^Tag: ([0-9a-f]{40}) (\S+)$", re.MULTILINE)
_NAMED = 3  # tags that the first line names


def message(tags: Mapping[str, str]) -> str:
    """Format the message of the commit that goes with tags: name to id."""
    names = list(tags)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    lines = "".join(f"Tag: {oid} {name}\n" for name, oid in tags.items())
    return f"registry: {', '.join(names[:_NAMED])}{more}\n\n{lines}"


def read(repo: GitRepo, tips: Iterable[str]) -> dict[str, set[str]]:
    """Read which tags were sent, as the history behind some commits tells: name to ids."""
    tips = list(tips)
    sent: dict[str, set[str]] = defaultdict(set)
    if tips:
        out = repo.run("log", "--format=%B", "--grep=^Tag: ", *tips, "--")
        for match in _LINE.finditer(out.decode("utf-8", "replace")):
            sent[match[2]].add(match[1])
    return dict(sent)
