"""Write tag objects, each with a link to the previous one, signed where that is asked for.

The tags of a model form a chain, and whoever moves or deletes one breaks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitml.errors import SignatureError
from gitml.git import GitRepo, Identity, Tag
from gitml.registry.audit import signing
from gitml.registry.audit.signature_check import signatures
from gitml.registry.audit.signers import Policy, of_clone
from gitml.registry.tags.detail import TagLink
from gitml.registry.tags.messages import linked, tag_signature, unsigned


class TagWriter:
    """Writes tag objects, without the refs that name them.

    Tags are signed if the policy of the default branch or git's ``tag.gpgSign`` asks for it.

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
            drafts: The tags, oldest first; ids are ignored, messages have no link yet.
            previous: The model's last event so far.
            replaced: Tags that these replace, by name. One with the same content is not written
                again; where one was signed, the new ones are signed too.

        Returns:
            Links to the tags, in the same order.

        Raises:
            SignatureError: A tag cannot be signed, or the signer is not allowed.
            StoreError: git refused.
        """
        replaced = replaced or {}
        policy = of_clone(self._repo, self._remote)
        signs = policy.required or signing.is_configured(self._repo)
        signs = signs or any(tag_signature(tag.message) for tag in replaced.values())
        written: list[TagLink] = []
        for draft in drafts:
            tag = replace(draft, message=linked(draft.message, previous))
            old = replaced.get(tag.name)
            if old and bool(tag_signature(old.message)) is signs and _is_same(old, tag):
                previous = TagLink.to(old)
            else:
                previous = TagLink(tag=tag.name, oid=self._object(tag, signs))
            written.append(previous)
        if policy.required:
            self._require_allowed(policy, written)
        return written

    def _object(self, tag: Tag, signs: bool) -> str:
        tagger = Identity(name=tag.user, email=tag.email)
        if signs:
            return signing.write_signed(self._repo, tag, tagger)
        return self._repo.write_tag(tag.name, tag.target, tag.message, tagger, tag.timestamp)

    def _require_allowed(self, policy: Policy, written: Sequence[TagLink]) -> None:
        with signatures(self._repo, policy) as checks:
            for fault in checks.faults({link.tag: link.oid for link in written}):
                raise SignatureError(
                    f"Tag {fault.tag} may not be written: {fault.reason}",
                    hint="Nothing was changed. The README's section Signatures says who may sign.",
                )


def _is_same(old: Tag, new: Tag) -> bool:
    """Return True if an existing tag has the content of a new one."""
    same = replace(new, oid=old.oid, message="") == replace(old, message="")
    return same and unsigned(old.message).strip() == new.message.strip()
