"""Find registry tags that were sent once and are gone, and say how each can be put back.

The history of the branch remembers what was sent. What the git remote had the last time that this
clone asked is noted, so that commands without a network can tell a tag that was deleted there from
one that was only never fetched. The note is derived; without it the words are more careful.
"""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from gitml import files
from gitml.errors import InvalidInput
from gitml.formats import canonical
from gitml.git import GitRepo
from gitml.registry.audit import acknowledged
from gitml.registry.registry import Registry
from gitml.registry.sent_log import SentLog
from gitml.registry.tag_filter import TagFilter
from gitml.registry.tags.grammar import parse
from gitml.store.branch import Branch
from gitml.store.exchange.tag_log import SentTag
from gitml.text import format_time


class Absence(StrEnum):
    """Where a tag is missing."""

    REMOTE = "deleted on the remote"
    CLONE = "missing in this clone"
    UNKNOWN = "deleted, or never fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedTag:
    """A tag that was sent once and is gone.

    Attributes:
        tag: Its name.
        oid: Id of the tag object.
        model: Slug of the model.
        absence: Where it is missing.
        remote: Name of the git remote; empty where there is none.
        sender: Who sent it.
        timestamp: When, ms since the Unix epoch.
        fix: What to type to put it back; where another machine is needed, with whose.
    """

    tag: str
    oid: str
    model: str
    absence: Absence
    remote: str
    sender: str
    timestamp: int
    fix: str

    @property
    def sentence(self) -> str:
        """Say which tag it is, who had it, and how to put it back."""
        remote = f" on {self.remote}" if self.remote else ""
        what = {
            Absence.REMOTE: f"was deleted{remote}",
            Absence.CLONE: "was deleted in this clone",
            Absence.UNKNOWN: f"was deleted{remote}, or never fetched by this clone",
        }[self.absence]
        return f"Tag {self.tag} {what}. {self.remedy}"

    @property
    def remedy(self) -> str:
        """Say who sent it, and how to put it back."""
        return f"{self.sender:.80} sent it at {format_time(self.timestamp)}. {self.fix}"


def deleted_tags(registry: Registry) -> list[DeletedTag]:
    """Return the tags that are gone, as far as can be told without a network."""
    return DeletedTags.of(registry).read()


class DeletedTags:
    """Compares what was sent with what there is.

    Args:
        repo: The repository.
        branch: The branch whose history says which tags were sent.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: Name of the git remote.
        tags: Knows which problems of tags were acknowledged.
    """

    def __init__(
        self, repo: GitRepo, branch: Branch, *, state: Path, remote: str, tags: TagFilter
    ) -> None:
        self._repo = repo
        self._remote = remote
        self._tags = tags
        self._sent = SentLog(repo, branch, state)
        self._note = state / "tags" / "deleted.json"

    @classmethod
    def of(cls, registry: Registry) -> Self:
        """Compare what the branch of a registry says."""
        return cls(
            registry.repo,
            registry.branch,
            state=registry.state,
            remote=registry.remote,
            tags=registry.tag_filter,
        )

    def observe(self, remote_tags: Collection[str], tip: str | None) -> list[DeletedTag]:
        """Note which tags the remote has just now; return those that are gone there.

        Args:
            remote_tags: Names of the tags of the remote.
            tip: Its branch, as far as it is in this clone: a tag that it does not name was sent to
                another remote.
        """
        missing = {sent.tag for sent in self._sent.tags()} - set(remote_tags)
        if missing:
            missing &= {name for name, _ in self._sent.behind([tip] if tip else [])}
        if self._absent() != missing:
            document = {**self._noted(), self._remote: sorted(missing)}
            with contextlib.suppress(OSError):
                files.replace(self._note, canonical.dump(document), durable=False)
        deleted = self.read() if missing else []
        return [tag for tag in deleted if tag.absence is Absence.REMOTE]

    def read(self) -> list[DeletedTag]:
        """Return the tags that are gone, as far as can be told without a network."""
        sent: dict[str, SentTag] = {}
        for tag in self._sent.tags():
            sent.setdefault(tag.tag, tag)  # the newest
        if not sent:
            return []
        refs = self._repo.run("for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags").decode()
        local = set(refs.splitlines())
        has_remote = self._remote in self._repo.remotes()
        absent = self._absent() if has_remote else None
        names = [name for name in sent if name not in local or (absent and name in absent)]
        present = self._repo.present([sent[name].oid for name in names])
        described = [
            self._describe(sent[name], absent, has_remote, local=name in local, exists=exists)
            for name, exists in sorted(zip(names, present, strict=True))
        ]
        accepted = self._acknowledged() if described else ()
        return [tag for tag in described if (tag.tag, tag.oid) not in accepted]

    def _describe(
        self, sent: SentTag, absent: Iterable[str] | None, has_remote: bool, *, local: bool,
        exists: bool,
    ) -> DeletedTag:  # fmt: skip
        event = parse(sent.tag)
        if not has_remote:
            absence = Absence.CLONE
        elif absent is None:
            absence = Absence.UNKNOWN
        else:
            absence = Absence.REMOTE if sent.tag in absent else Absence.CLONE
        return DeletedTag(
            tag=sent.tag,
            oid=sent.oid,
            model=event.model if event else "",
            absence=absence,
            remote=self._remote if has_remote else "",
            sender=sent.sender,
            timestamp=sent.timestamp * 1000,
            fix=self._fix(sent, absence, has_remote, local=local, exists=exists),
        )

    def _fix(
        self, sent: SentTag, absence: Absence, has_remote: bool, *, local: bool, exists: bool
    ) -> str:
        ref = shlex.quote(f"refs/tags/{sent.tag}")
        refspec = shlex.quote(f"{sent.oid}:refs/tags/{sent.tag}")
        push = f"git push {shlex.quote(self._remote)} {refspec}"
        restore = "" if local else f"git update-ref {ref} {sent.oid}"
        if absence is Absence.UNKNOWN:
            return "`gitml pull` tells."
        if absence is Absence.CLONE and has_remote:
            refspec = shlex.quote(f"refs/tags/{sent.tag}:refs/tags/{sent.tag}")
            return f"Fetch it: `git fetch {shlex.quote(self._remote)} {refspec}`"
        if not exists:
            return f"Put it back from a clone that has it, {sent.sender:.80}'s: `{push}`"
        commands = [restore, push if has_remote else ""]
        return f"Put it back: `{' && '.join(filter(None, commands))}`"

    def _acknowledged(self) -> Container[tuple[str, str]]:
        try:
            return acknowledged.parse(self._tags.policy().acknowledged)
        except InvalidInput:  # `gitml registry verify` says what is wrong
            return ()

    def _absent(self) -> set[str] | None:
        """Return which tags the remote lacked when it was last asked; None if it never was."""
        names = self._noted().get(self._remote)
        return set(map(str, names)) if isinstance(names, list) else None

    def _noted(self) -> dict[str, object]:
        try:
            document = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}
