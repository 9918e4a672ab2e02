"""Remember which tag objects were judged by which keys: a process of git for each costs most.

A tag object never changes, nor does what a set of keys says of its signature. The files lie beside
the repository, where nothing that is fetched is ever written, and can be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from gitml import files
from gitml.formats import canonical
from gitml.registry.audit.chain import TagFault, TagProblem

Verdicts = dict[tuple[str, str], TagFault | None]
"""Name and id of a tag to what is wrong with its signature; None where nothing is."""


class VerdictCache:
    """Verdicts on the tags of models, under one policy.

    Args:
        state: The local state folder, ``<git common dir>/gitml``.
        fingerprint: The policy's; verdicts under another one are forgotten.
    """

    def __init__(self, state: Path, fingerprint: str) -> None:
        self._folder = state / "verdicts"
        self._fingerprint = fingerprint

    def read(self, slug: str) -> Verdicts:
        """Return the verdicts on tags of a model; none where the file is not one of ours."""
        try:
            document = json.loads(self._path(slug).read_bytes())
            if document["policy"] != self._fingerprint:
                return {}
            return {
                (name, oid): _fault(name, oid, problem, reason)
                for name, oid, problem, reason in document["verdicts"]
            }
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def write(self, slug: str, verdicts: Mapping[tuple[str, str], TagFault | None]) -> None:
        """Replace the verdicts on tags of a model."""
        rows = [
            [name, oid, fault.problem.value if fault else "", fault.reason if fault else ""]
            for (name, oid), fault in sorted(verdicts.items(), key=lambda item: item[0])
        ]
        document = {"policy": self._fingerprint, "verdicts": rows}
        files.replace(self._path(slug), canonical.dump(document), durable=False)

    def _path(self, slug: str) -> Path:
        return self._folder / f"{quote(slug, safe='')}.json"


def _fault(name: str, oid: str, problem: str, reason: str) -> TagFault | None:
    if not problem:
        return None
    return TagFault(tag=name, oid=oid, problem=TagProblem(problem), reason=reason)
