"""Write the branch's records of models and versions: descriptions, tags, life cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitml.entities import LifecycleStage, ModelVersion
from gitml.formats import joins, limits, model_records
from gitml.formats.model_records import ModelRecord, VersionFile, VersionRecord
from gitml.registry import edit_log
from gitml.registry.edit_log import Edit
from gitml.registry.model_snapshot import ModelSnapshot
from gitml.store.branch import Branch

# Given a record and the time of the edit (ms since the Unix epoch), returns the new record.
_ModelEdit = Callable[[ModelRecord, int], ModelRecord]
_VersionEdit = Callable[[VersionRecord, int], VersionRecord]


class RecordBook:
    """The records of models on the branch, to be changed under the registry's lock.

    Args:
        branch: The branch.
        clock: ms since the Unix epoch.
    """

    def __init__(self, branch: Branch, clock: Callable[[], int]) -> None:
        self._branch = branch
        self._clock = clock

    # Models -------------------------------------------------------------------------------------

    def create(self, model: ModelSnapshot, description: str, tags: Mapping[str, str]) -> None:
        """Record a new model without versions, or one that was deleted."""

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            record = self._created(model, tip, description, tags)
            path = model_records.model_path(model.slug)
            data = model_records.model_to_json(record)
            limits.check_record(f"Model {model.name!r}", len(data))
            return {path: data}, f"model {model.slug}: created\n"

        self._branch.update(make)

    def close(self, model: ModelSnapshot, newest: int) -> None:
        """Record that a model was deleted.

        Args:
            model: The model.
            newest: Time of its last tag, ms since the Unix epoch; the deletion is not before it.
        """

        def edit(record: ModelRecord, now: int) -> ModelRecord:
            return model_records.moved_to(record, LifecycleStage.DELETED, max(now, newest))

        self._edit_model(model, edit, f"model {model.slug}: deleted\n")

    def describe_model(self, model: ModelSnapshot, description: str, reason: str) -> None:
        """Set the description of a model."""

        def edit(record: ModelRecord, now: int) -> ModelRecord:
            return model_records.described(record, description, now)

        self._edit_model(model, edit, edit_log.message(model.slug, None, _describing(reason)))

    def tag_model(self, model: ModelSnapshot, key: str, value: str | None, reason: str) -> None:
        """Set a tag on a model; None removes it."""

        def edit(record: ModelRecord, now: int) -> ModelRecord:
            return model_records.tagged(record, {key: value}, now)

        message = edit_log.message(model.slug, None, _tagging(key, value, reason))
        self._edit_model(model, edit, message)

    def _edit_model(self, model: ModelSnapshot, edit: _ModelEdit, message: str) -> None:
        path = model_records.model_path(model.slug)

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            old = self._model_record(model, tip)
            new = edit(old, joins.write_time(old.written, self._clock()))
            edited = model_records.model_to_json(new)
            before = len(model_records.model_to_json(old))
            limits.check_record(f"Model {model.name!r}", len(edited), before=before)
            return {path: edited}, message

        self._branch.update(make)

    def _created(
        self, model: ModelSnapshot, tip: str | None, description: str, tags: Mapping[str, str]
    ) -> ModelRecord:
        old = self._model_record(model, tip)
        now = max(joins.write_time(old.written, self._clock()), model.state.newest * 1000 + 1)
        record = model_records.tagged(old, {**dict.fromkeys(old.tags), **tags}, now)
        record = model_records.described(record, description, now)
        return model_records.moved_to(record, LifecycleStage.ACTIVE, now)

    def _model_record(self, model: ModelSnapshot, tip: str | None) -> ModelRecord:
        path = model_records.model_path(model.slug)
        data = self._branch.read(path, tip) if tip else None
        if data is not None:
            return model_records.model_from_json(data, path)
        created = model.state.first * 1000 or self._clock()
        return ModelRecord(
            name=model.name, creation_timestamp=created, last_updated_timestamp=created
        )

    # Versions -----------------------------------------------------------------------------------

    def version(
        self, file: VersionFile, description: str, tags: Mapping[str, str]
    ) -> VersionRecord:
        """Return the record of a new version; nothing is written.

        Raises:
            TooLarge: Description and tags are.
        """
        now = file.created
        record = VersionRecord(
            name=file.name,
            version=file.version,
            creation_timestamp=now,
            last_updated_timestamp=now,
            run_id=file.run_id,
            source=file.source,
            description=description,
            tags=tags,
            written={"description": now, **{f"tags.{key}": now for key in tags}},
        )
        size = len(model_records.version_to_json(record))
        limits.check_record(f"Version {file.version} of model {file.name!r}", size)
        return record

    def add_version(self, model: ModelSnapshot, record: VersionRecord) -> None:
        """Record a new version, and its model if that is new."""

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            path = model_records.version_path(model.slug, record.version)
            files: dict[str, bytes | None] = {path: model_records.version_to_json(record)}
            if model.record is None or not model.exists:
                path = model_records.model_path(model.slug)
                files[path] = model_records.model_to_json(self._created(model, tip, "", {}))
            run_id = record.run_id
            return files, f"model {model.slug}: version {record.version}\n\nRun: {run_id}\n"

        self._branch.update(make)

    def describe_version(
        self, model: ModelSnapshot, version: ModelVersion, description: str, reason: str
    ) -> None:
        """Set the description of a version."""

        def edit(record: VersionRecord, now: int) -> VersionRecord:
            return model_records.described(record, description, now)

        self._edit_version(model, version, edit, _describing(reason))

    def tag_version(
        self, model: ModelSnapshot, version: ModelVersion, key: str, value: str | None, reason: str
    ) -> None:
        """Set a tag on a version; None removes it."""

        def edit(record: VersionRecord, now: int) -> VersionRecord:
            return model_records.tagged(record, {key: value}, now)

        self._edit_version(model, version, edit, _tagging(key, value, reason))

    def _edit_version(
        self, model: ModelSnapshot, version: ModelVersion, edit: _VersionEdit, what: Edit
    ) -> None:
        path = model_records.version_path(model.slug, version.version)

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            data = self._branch.read(path, tip) if tip else None
            old = _version_record(data, path, version)
            new = edit(old, joins.write_time(old.written, self._clock()))
            edited = model_records.version_to_json(new)
            name = f"Version {version.version} of model {model.name!r}"
            limits.check_record(name, len(edited), before=len(data or b""))
            return {path: edited}, edit_log.message(model.slug, version.version, what)

        self._branch.update(make)


def _version_record(data: bytes | None, path: str, version: ModelVersion) -> VersionRecord:
    """Parse a version's record; a new one if another tool registered the version."""
    if data is not None:
        return model_records.version_from_json(data, path)
    return VersionRecord(
        name=version.name,
        version=version.version,
        creation_timestamp=version.creation_timestamp,
        last_updated_timestamp=version.creation_timestamp,
        run_id=version.run_id,
        source=version.source,
    )


def _describing(reason: str) -> Edit:
    return Edit(field="description", done="changed", reason=reason)


def _tagging(key: str, value: str | None, reason: str) -> Edit:
    return Edit(field=f"tags.{key}", done="removed" if value is None else "set", reason=reason)
