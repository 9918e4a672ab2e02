"""Append events to a model's tags: plan, write, move the refs in one transaction, retry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gitml.errors import Conflict, GitmlError
from gitml.git import GitRepo, RefUpdate, Tag
from gitml.registry.model_snapshot import ModelSnapshot
from gitml.registry.models_view import VersionFiles
from gitml.registry.sent_log import SentLog
from gitml.registry.tag_notes import NewestTags
from gitml.registry.tag_writer import TagWriter
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.messages import check_length, format_message
from gitml.registry.tags.model_state import reserving
from gitml.registry.tags.plan import Step
from gitml.text import short_repr, single_line

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """What is to be appended.

    Attributes:
        steps: The events.
        releases: Updates that delete temporary refs, whether the change succeeds or not.
    """

    steps: Sequence[Step]
    releases: tuple[RefUpdate, ...] = ()


class TagJournal:
    """The tags of models, to be appended to under the registry's lock.

    Args:
        repo: The repository.
        writer: Writes tag objects.
        newest: Notes the last tag of each model.
        sent: Which tags were sent: no name is used again, whatever became of the tag.
        files: The ``version.json`` of version commits.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        repo: GitRepo,
        writer: TagWriter,
        newest: NewestTags,
        sent: SentLog,
        files: VersionFiles,
        clock: Callable[[], int],
    ) -> None:
        self._repo = repo
        self._writer = writer
        self._newest = newest
        self._sent = sent
        self._files = files
        self._clock = clock

    def append(
        self,
        read: Callable[[], ModelSnapshot],
        change: Callable[[ModelSnapshot], TagChange],
        reason: str = "",
    ) -> ModelSnapshot:
        """Plan and write tags, again from the start if another program wrote some meanwhile.

        Args:
            read: Reads the model as of now.
            change: Plans the change of that model.
            reason: Recorded in every tag.

        Returns:
            The model before the change.

        Raises:
            Conflict: Other programs wrote tags again and again.
            SignatureError: A tag cannot be signed, or the signer is not allowed.
        """
        for _ in range(_ATTEMPTS):
            model = self._reserving(read())
            planned = change(model)
            try:
                self._write(model, planned, reason)
            except Conflict:
                self._release(planned)
                continue
            except GitmlError:
                self._release(planned)
                raise
            return model
        raise Conflict(
            f"Model {short_repr(model.name)} keeps changing; another process is writing to it.",
            hint="Try again.",
        )

    def _reserving(self, model: ModelSnapshot) -> ModelSnapshot:
        names = (sent.tag for sent in self._sent.tags())
        return replace(model, state=reserving(model.state, names))

    def _write(self, model: ModelSnapshot, change: TagChange, reason: str) -> None:
        if not change.steps:
            return
        links = self._writer.write(self._drafts(model, change.steps, reason), model.state.last)
        updates = [
            RefUpdate(name=f"refs/tags/{link.tag}", new=link.oid, old=None) for link in links
        ]
        self._repo.update_refs([*updates, *change.releases])
        self._newest.note(model.slug, links[-1])

    def _drafts(self, model: ModelSnapshot, steps: Sequence[Step], reason: str) -> list[Tag]:
        tagger = self._repo.identity
        author = TagDetail.of(user=tagger.name, reason=single_line(reason))
        start = max(self._clock() // 1000, model.state.newest + 1)  # GTO orders by seconds
        drafts = []
        for offset, (name, step) in enumerate(
            zip(plan.tag_names(model.state, steps), steps, strict=True)
        ):
            detail = plan.message_detail(model.name, step, author | self._origin(model, step))
            message = format_message(plan.sentence(model.name, step), detail)
            check_length(message)
            drafts.append(
                Tag(
                    name=name,
                    oid="",
                    target=step.commit,
                    annotated=True,
                    timestamp=start + offset,
                    user=tagger.name,
                    email=tagger.email,
                    message=message,
                )
            )
        return drafts

    def _origin(self, model: ModelSnapshot, step: Step) -> TagDetail:
        """Return where a registered version comes from."""
        version = model.state.find(step.label) if isinstance(step.label, int) else None
        if version is None:
            return TagDetail()
        file = self._files.load([version.commit])[version.commit]
        if file is None or not model.is_file_of(version.number or 0, file):
            return TagDetail()
        return TagDetail.of(run_id=file.run_id, digest=file.digest)

    def _release(self, change: TagChange) -> None:
        """Delete the temporary refs of a change that failed."""
        if change.releases:
            with contextlib.suppress(Conflict):
                self._repo.update_refs(change.releases)
