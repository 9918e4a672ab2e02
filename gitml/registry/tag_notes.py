"""Notes of this clone about tags, in files beside the repository; losing them does little harm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gitml import files
from gitml.formats import canonical
from gitml.registry.tags.detail import TagDetail, TagLink


class NewestTags:
    """The last tag of each model that this clone wrote.

    Args:
        state: The local state folder, ``<git common dir>/gitml``.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "registry"

    def note(self, slug: str, link: TagLink) -> None:
        """Note the last tag of a model."""
        document = {"previous": {"tag": link.tag, "id": link.oid}}
        files.replace(self._folder / f"{slug}.json", canonical.dump(document))

    def forget(self, slug: str) -> None:
        """Remove the note of a model, before its tags are written anew."""
        (self._folder / f"{slug}.json").unlink(missing_ok=True)

    def read(self) -> list[TagLink]:
        """Return the last tags of all models."""
        links = (
            TagDetail.from_yaml(_load(path)).previous
            for path in sorted(self._folder.glob("*.json"))
        )
        return [link for link in links if link]


class SentTags:
    """Ids of the tags that others have: these are never written again.

    Args:
        state: The local state folder, ``<git common dir>/gitml``.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / "sent" / "tags.json"
        self._lock = state / "locks" / "sent-tags"

    def add(self, oids: Iterable[str]) -> None:
        """Note more ids."""
        added = set(oids)
        if added <= self.read():
            return
        with files.exclusive(self._lock):  # others add at the same time
            files.replace(self._path, canonical.dump({"tags": sorted(self.read() | added)}))

    def read(self) -> set[str]:
        """Return all ids noted so far."""
        oids = _load(self._path).get("tags")
        return {str(oid) for oid in oids} if isinstance(oids, list) else set()


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
