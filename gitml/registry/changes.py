"""Hides how a change of the registry reaches git: tags in one transaction, records on the branch.

What happened is written as tags; what people may edit (descriptions, tags on models) is written to
the branch. Every change runs under one advisory lock of the clone; what two clones
wrote at once is put in order when they exchange (``reconcile.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gitml.entities import LifecycleStage, ModelVersion
from gitml.errors import AlreadyExists, Conflict, GitmlError
from gitml.files import exclusive
from gitml.formats import model_records
from gitml.formats.model_records import ModelRecord, VersionFile, VersionRecord
from gitml.git import GitRepo, RefUpdate, Tag
from gitml.registry import edit_log
from gitml.registry.edit_log import Edit
from gitml.registry.queries import RegistryReader
from gitml.registry.snapshots import Snapshot
from gitml.registry.tag_writer import NewestTags, TagWriter
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.messages import format_message
from gitml.registry.tags.names import alike
from gitml.registry.tags.plan import Step
from gitml.registry.tags.version_commit import ModelSource, NewCommit, VersionCommits, about
from gitml.store.branch import Branch
from gitml.text import one_line, short_repr

_ATTEMPTS = 10
_Files = tuple[Mapping[str, bytes | None], str]


def _clock() -> int:
    return time.time_ns() // 1_000_000


class RegistryWriter(RegistryReader):
    """The registry with what its changes are made of.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: The git remote whose default branch has the team's workflows.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        repo: GitRepo,
        branch: Branch,
        *,
        state: Path,
        remote: str = "origin",
        clock: Callable[[], int] = _clock,
    ) -> None:
        super().__init__(repo, branch)
        self.state = state
        self._lock = state / "locks" / "registry"
        self.remote = remote
        self.commits = VersionCommits(repo, branch, remote=remote)
        self.newest = NewestTags(state)
        self._clock = clock

    def now(self) -> int:
        """Ms since the Unix epoch."""
        return self._clock()

    # Events -------------------------------------------------------------------------------------

    def _write(self, name: str, plan_of: Callable[[Snapshot], list[Step]], reason: str) -> Snapshot:
        """Plan and write tags, again from the start where another program wrote some.

        Returns:
            The model before the change.
        """
        for _ in range(_ATTEMPTS):
            snapshot = self._existing(name)
            steps = plan_of(snapshot)
            try:
                self._tag(snapshot, steps, reason)
            except Conflict:
                continue
            return snapshot
        raise _contended(name)

    def _tag(
        self, snapshot: Snapshot, steps: list[Step], reason: str, also: Iterable[RefUpdate] = ()
    ) -> None:
        """Write the tags of steps and other ref updates in one transaction."""
        if not steps:
            return
        who = self.repo.identity
        when = max(self._clock() // 1000, snapshot.state.newest + 1)  # GTO orders by seconds
        names = plan.tag_names(snapshot.state, steps)
        drafts = []
        for at, (name, step) in enumerate(zip(names, steps, strict=True)):
            author = TagDetail.of(user=who.name, reason=one_line(reason))
            detail = plan.message_detail(snapshot.name, step, author | self._origin(snapshot, step))
            message = format_message(plan.sentence(snapshot.name, step), detail)
            drafts.append(
                Tag(
                    name=name,
                    oid="",
                    target=step.commit,
                    annotated=True,
                    timestamp=when + at,
                    user=who.name,
                    email=who.email,
                    message=message,
                )
            )
        written = TagWriter(self.repo, self.remote).write(drafts, snapshot.state.last)
        updates = [
            RefUpdate(name=f"refs/tags/{link.tag}", new=link.oid, old=None) for link in written
        ]
        self.repo.update_refs([*updates, *also])
        self.newest.note(snapshot.slug, written[-1])

    def _origin(self, snapshot: Snapshot, step: Step) -> TagDetail:
        """Where a version that is registered already comes from."""
        version = snapshot.state.find(step.label) if isinstance(step.label, int) else None
        file = self._file(version, version.number or 0, snapshot.slug) if version else None
        return TagDetail.of(run_id=file.run_id, digest=file.digest) if file else TagDetail()

    def _create(self, name: str, description: str, labels: Mapping[str, str]) -> None:
        """Make a model without versions."""
        with exclusive(self._lock):
            snapshot = self._snapshot(name)
            if snapshot.exists:
                raise AlreadyExists(
                    f"Registered model {short_repr(snapshot.name)} already exists.",
                    hint="Choose another name, or register a version of it.",
                )
            self._check_alike(snapshot)

            def make(tip: str | None) -> _Files:
                record = self._opened(snapshot, tip, description, labels)
                path = model_records.model_path(snapshot.slug)
                message = f"model {snapshot.slug}: created\n"
                return {path: model_records.model_to_json(record)}, message

            self.branch.update(make)

    def _close(self, snapshot: Snapshot) -> None:
        """Record that a model was deleted, not before its last tag."""
        newest = self._snapshot(snapshot.name).state.newest * 1000

        def change(record: ModelRecord, now: int) -> ModelRecord:
            return model_records.moved_to(record, LifecycleStage.DELETED, max(now, newest))

        self._edit_model_record(snapshot, change, f"model {snapshot.slug}: deleted\n")

    def _register(
        self,
        name: str,
        source: ModelSource,
        description: str,
        labels: Mapping[str, str],
        *,
        create: bool,
    ) -> ModelVersion:
        """Write a version commit, tag it, then record what can be edited.

        The tag comes first: where that fails, nothing is left behind.
        """
        with exclusive(self._lock):
            for _ in range(_ATTEMPTS):
                snapshot = self._snapshot(name) if create else self._existing(name)
                if not snapshot.exists:
                    self._check_alike(snapshot)
                file = self._next_version(snapshot, source)
                new = self.commits.write(snapshot.slug, file, source, about(file, description))
                try:
                    self._tag_version(snapshot, file, new)
                except Conflict:
                    continue
                self._record_version(snapshot, file, description, labels)
                return self.get_model_version(name, file.version)
        raise _contended(name)

    def _tag_version(self, snapshot: Snapshot, file: VersionFile, new: NewCommit) -> None:
        origin = TagDetail.of(run_id=file.run_id, source=file.source, digest=file.digest)
        steps = plan.registration(file.version, new.commit, origin)
        try:
            self._tag(snapshot, steps, "", [new.release])
        except GitmlError:
            self.commits.abandon(new)
            raise

    def _next_version(self, snapshot: Snapshot, source: ModelSource) -> VersionFile:
        """Describe the version to come; numbers of deleted ones are not used again."""
        return VersionFile(
            name=snapshot.name,
            version=max(snapshot.state.highest, *snapshot.records, 0) + 1,
            run_id=source.run.info.run_id,
            source=source.source,
            path=source.path,
            digest=source.digest,
            size=source.size,
            nfiles=source.nfiles,
            flavors=source.flavors,
            code_commit=source.run.source.commit or "",
            dirty=source.run.source.dirty,
            created=self._clock(),
            user=self.repo.identity.name,
            run_link=source.run_link,
        )

    def _record_version(
        self,
        snapshot: Snapshot,
        file: VersionFile,
        description: str,
        labels: Mapping[str, str],
    ) -> None:
        now = file.created
        record = VersionRecord(
            name=file.name,
            version=file.version,
            creation_timestamp=now,
            last_updated_timestamp=now,
            run_id=file.run_id,
            source=file.source,
            description=description,
            tags=labels,
            written={"description": now, **{f"tags.{key}": now for key in labels}},
        )

        def make(tip: str | None) -> _Files:
            path = model_records.version_path(snapshot.slug, file.version)
            files: dict[str, bytes | None] = {path: model_records.version_to_json(record)}
            if snapshot.record is None or not snapshot.exists:
                opened = self._opened(snapshot, tip, "", {})
                path = model_records.model_path(snapshot.slug)
                files[path] = model_records.model_to_json(opened)
            return files, f"model {snapshot.slug}: version {file.version}\n\nRun: {file.run_id}\n"

        self.branch.update(make)

    def _opened(
        self, snapshot: Snapshot, tip: str | None, description: str, labels: Mapping[str, str]
    ) -> ModelRecord:
        """The record of a model that is created, or created again after it was deleted."""
        old = self._model_record(snapshot, tip)
        now = max(model_records.edit_time(old, self._clock()), snapshot.state.newest * 1000 + 1)
        changes = {**dict.fromkeys(old.tags), **labels}
        record = model_records.tagged(old, changes, now)
        record = model_records.described(record, description, now)
        return model_records.moved_to(record, LifecycleStage.ACTIVE, now)

    def _check_alike(self, snapshot: Snapshot) -> None:
        for other in self._snapshots():
            if other.slug == snapshot.slug:
                continue
            if {alike(other.name), alike(other.slug)} & {
                alike(snapshot.name),
                alike(snapshot.slug),
            }:
                raise AlreadyExists(
                    f"Model name {short_repr(snapshot.name)} is too close to "
                    f"{short_repr(other.name)}.",
                    hint="Some file systems cannot tell them apart; choose another name.",
                )

    # Edits of records ---------------------------------------------------------------------------

    def _edit_model(
        self, name: str, change: Callable[[ModelRecord, int], ModelRecord], edit: Edit
    ) -> None:
        with exclusive(self._lock):
            snapshot = self._existing(name)
            self._edit_model_record(snapshot, change, edit_log.message(snapshot.slug, None, edit))

    def _edit_model_record(
        self, snapshot: Snapshot, change: Callable[[ModelRecord, int], ModelRecord], message: str
    ) -> None:
        path = model_records.model_path(snapshot.slug)

        def make(tip: str | None) -> _Files:
            old = self._model_record(snapshot, tip)
            new = change(old, model_records.edit_time(old, self._clock()))
            return {path: model_records.model_to_json(new)}, message

        self.branch.update(make)

    def _model_record(self, snapshot: Snapshot, tip: str | None) -> ModelRecord:
        path = model_records.model_path(snapshot.slug)
        data = self.branch.read(path, tip) if tip else None
        if data is not None:
            return model_records.model_from_json(data, path)
        created = snapshot.state.first * 1000 or self._clock()
        return ModelRecord(
            name=snapshot.name, creation_timestamp=created, last_updated_timestamp=created
        )

    def _edit_version(
        self,
        name: str,
        version: int | str,
        change: Callable[[VersionRecord, int], VersionRecord],
        edit: Edit,
    ) -> None:
        with exclusive(self._lock):
            snapshot = self._existing(name)
            found = self._version(snapshot, snapshot.version(version))
            path = model_records.version_path(snapshot.slug, found.version)

            def make(tip: str | None) -> _Files:
                data = self.branch.read(path, tip) if tip else None
                old = _version_record(data, path, found)
                new = change(old, model_records.edit_time(old, self._clock()))
                message = edit_log.message(snapshot.slug, found.version, edit)
                return {path: model_records.version_to_json(new)}, message

            self.branch.update(make)


def _version_record(data: bytes | None, path: str, found: ModelVersion) -> VersionRecord:
    """A version's record; a new one where another tool registered the version."""
    if data is not None:
        return model_records.version_from_json(data, path)
    return VersionRecord(
        name=found.name,
        version=found.version,
        creation_timestamp=found.creation_timestamp,
        last_updated_timestamp=found.creation_timestamp,
        run_id=found.run_id,
        source=found.source,
    )


def _contended(name: str) -> Conflict:
    return Conflict(
        f"Model {short_repr(name)} keeps changing; another process is writing to it.",
        hint="Try again.",
    )
