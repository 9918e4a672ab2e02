"""Hides how tag objects are written: each names the event before it, by the id of its tag.

So the tags of a model form a chain, and whoever moves or deletes one breaks it. The end of the
chain is remembered beside the repository, for events that no other clone has seen yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from gitml.git import GitRepo, Identity, Tag
from gitml.registry.tags import Link, link_of, linked
from gitml.store import records


class TagWriter:
    """Writes tag objects, without the refs that name them.

    Args:
        repo: The repository.
        local: Tags that are there, by name: what says the same is not written again.
    """

    def __init__(self, repo: GitRepo, local: Mapping[str, Tag] | None = None) -> None:
        self._repo = repo
        self._local = local or {}

    def write(self, drafts: Iterable[Tag], previous: Link | None) -> list[Link]:
        """Write the next events of a model.

        Args:
            drafts: What to write, oldest first; ids are ignored, messages name no event before.
            previous: The model's last event so far.

        Returns:
            Names and ids, in the same order.

        Raises:
            StoreError: git refused.
        """
        written = []
        for draft in drafts:
            previous = self._one(replace(draft, message=linked(draft.message, previous)))
            written.append(previous)
        return written

    def _one(self, tag: Tag) -> Link:
        old = self._local.get(tag.name)
        if old and replace(tag, oid=old.oid, message="") == replace(old, message="") \
                and tag.message.strip() == old.message.strip():  # fmt: skip
            return Link(tag=old.name, oid=old.oid)
        who = Identity(name=tag.user, email=tag.email)
        oid = self._repo.write_tag(tag.name, tag.target, tag.message, who, tag.timestamp)
        return Link(tag=tag.name, oid=oid)


class NewestTags:
    """Which tag of each model this clone wrote last, in files; lost without much harm.

    Args:
        state: The local state folder, ``<git common dir>/gitml``.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "registry"

    def note(self, slug: str, link: Link) -> None:
        """Remember the last tag of a model."""
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = self._folder / f"{slug}.tmp"
        aside.write_bytes(records.dump({"previous": {"tag": link.tag, "id": link.oid}}))
        aside.replace(self._folder / f"{slug}.json")

    def forget(self, slug: str) -> None:
        """Know nothing of a model, before its tags are written anew."""
        (self._folder / f"{slug}.json").unlink(missing_ok=True)

    def read(self) -> list[Link]:
        """The last tags of all models."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                value = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            link = link_of(value) if isinstance(value, dict) else None
            found += [link] if link else []
        return found
