"""Hides how tag objects are written: each names the event before it, by the id of its tag.

So the tags of a model form a chain, and whoever moves or deletes one breaks it. The end of the
chain is remembered beside the repository, for events that no other clone has seen yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gitml import files
from gitml.errors import SignatureError
from gitml.formats import canonical
from gitml.git import GitRepo, Identity, Tag
from gitml.registry.audit import signing
from gitml.registry.audit.signature_check import signatures
from gitml.registry.audit.signers import Policy, at_hand
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.registry.tags.messages import linked, tag_signature, unsigned


class TagWriter:
    """Writes tag objects, without the refs that name them.

    Tags are signed where the committed policy asks for it or git's own ``tag.gpgSign`` is set.

    Args:
        repo: The repository.
        remote: The git remote whose default branch has the policy.
    """

    def __init__(self, repo: GitRepo, remote: str) -> None:
        self._repo = repo
        self._remote = remote

    def write(
        self,
        drafts: Sequence[Tag],
        previous: TagLink | None,
        replaced: Mapping[str, Tag] | None = None,
    ) -> list[TagLink]:
        """Write the next events of a model.

        Args:
            drafts: What to write, oldest first; ids are ignored, messages name no event before.
            previous: The model's last event so far.
            replaced: Tags that make place for these, by name: what says the same is not written
                again, and what was signed is signed again.

        Returns:
            Names and ids, in the same order.

        Raises:
            SignatureError: A tag cannot be signed, or not by who does it.
            StoreError: git refused.
        """
        replaced = replaced or {}
        policy = at_hand(self._repo, self._remote)
        signs = policy.required or signing.is_configured(self._repo)
        signs = signs or any(tag_signature(tag.message) for tag in replaced.values())
        written: list[TagLink] = []
        for draft in drafts:
            tag = replace(draft, message=linked(draft.message, previous))
            old = replaced.get(tag.name)
            if old and bool(tag_signature(old.message)) is signs and _says(old, tag):
                previous = TagLink.to(old)
            else:
                previous = TagLink(tag=tag.name, oid=self._object(tag, signs))
            written.append(previous)
        if policy.required:
            self._require_allowed(policy, written)
        return written

    def _object(self, tag: Tag, signs: bool) -> str:
        who = Identity(name=tag.user, email=tag.email)
        if signs:
            return signing.write_signed(self._repo, tag, who)
        return self._repo.write_tag(tag.name, tag.target, tag.message, who, tag.timestamp)

    def _require_allowed(self, policy: Policy, written: Sequence[TagLink]) -> None:
        with signatures(self._repo, policy) as checks:
            for fault in checks.faults({link.tag: link.oid for link in written}):
                raise SignatureError(
                    f"Tag {fault.tag} may not be written: {fault.reason}",
                    hint="Nothing was changed. The README's section Signatures says who may sign.",
                )


def _says(old: Tag, new: Tag) -> bool:
    """Tell whether a tag that is there says just what is to be written."""
    same = replace(new, oid=old.oid, message="") == replace(old, message="")
    return same and unsigned(old.message).strip() == new.message.strip()


class NewestTags:
    """Which tag of each model this clone wrote last, in files; lost without much harm.

    Args:
        state: The local state folder, ``<git common dir>/gitml``.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "registry"

    def note(self, slug: str, link: TagLink) -> None:
        """Remember the last tag of a model."""
        data = canonical.dump({"previous": {"tag": link.tag, "id": link.oid}})
        files.replace(self._folder / f"{slug}.json", data)

    def forget(self, slug: str) -> None:
        """Know nothing of a model, before its tags are written anew."""
        (self._folder / f"{slug}.json").unlink(missing_ok=True)

    def read(self) -> list[TagLink]:
        """The last tags of all models."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                value = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            link = TagDetail.from_yaml(value).previous if isinstance(value, dict) else None
            found += [link] if link else []
        return found
