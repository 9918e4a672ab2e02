"""One model as of one moment: the state of its tags joined with its records. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitml.entities import LifecycleStage, ModelVersion, RegisteredModel, Stage
from gitml.errors import InvalidInput, NotFound
from gitml.formats.model_records import ModelRecord, VersionFile, VersionRecord
from gitml.registry.tags import grammar
from gitml.registry.tags.model_state import ModelState, VersionState
from gitml.registry.tags.names import check_version, listed
from gitml.text import short_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSnapshot:
    """A model, which may be deleted or not exist yet.

    Attributes:
        name: Its true name.
        slug: Its name in tags and paths.
        state: The state that its tags add up to.
        record: Its ``model.json``.
        records: Its ``versions/<n>.json`` by version.
    """

    name: str
    slug: str
    state: ModelState
    record: ModelRecord | None = None
    records: Mapping[int, VersionRecord] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether the model was created, by tag or by record, and is not deleted."""
        if self.record is None:
            return bool(self.state.versions) and self.state.deprecated is None
        if self.record.lifecycle_stage == LifecycleStage.DELETED:
            return bool(self.versions)
        if self.state.deprecated is None:
            return True
        since = self.record.written.get("lifecycle_stage", self.record.creation_timestamp)
        return since > self.state.deprecated * 1000  # created again after the deletion

    @property
    def versions(self) -> list[VersionState]:
        """Numbered versions that are not deleted, oldest first."""
        return [version for version in self.state.active if version.number is not None]

    @property
    def next_number(self) -> int:
        """The number of the next version; numbers of deleted versions are not used again."""
        return max(self.state.highest, *self.records, 0) + 1

    @property
    def aliases(self) -> dict[str, int]:
        """True name of each alias to its version."""
        return {
            self.state.alias_names.get(alias, alias): version.number
            for alias, version in sorted(self.state.aliases.items())
            if version.number is not None
        }

    def version(self, version: int | str) -> VersionState:
        """Return a version.

        Raises:
            InvalidInput: That is not a version number.
            NotFound: It does not exist or was deleted; the message names those that exist.
        """
        number = check_version(version)
        match = self.state.find(number)
        if match is None or match not in self.versions:
            has = "no longer has a" if match else "has no"
            raise NotFound(
                f"Model {short_repr(self.name)} {has} version {number}.",
                hint=f"Its versions: {listed(v.label for v in self.versions)}.",
            )
        return match

    def rename_error(self, new_name: str) -> InvalidInput:
        """Return the error that refuses a new name and says what to do instead."""
        best = max(
            self.versions, key=lambda v: (v.stage == Stage.PRODUCTION, v.number or 0), default=None
        )
        return InvalidInput(
            f"Registered model {short_repr(self.name)} cannot be renamed: the git tags that record "
            "who approved its versions bear its name.",
            hint=f"Register what is live under the new name (`gitml registry register "
            f"models:/{self.name}/{best.label if best else '<version>'} {new_name}`), promote it "
            f"there, then delete_registered_model({self.name!r}).",
        )

    def registered_model(self, latest: Sequence[ModelVersion]) -> RegisteredModel:
        """Return the model as MLflow describes it.

        Args:
            latest: The highest version in each stage.
        """
        record, state = self.record, self.state
        edited = record.last_updated_timestamp if record else 0
        return RegisteredModel(
            name=self.name,
            creation_timestamp=record.creation_timestamp if record else state.first * 1000,
            last_updated_timestamp=max(edited, state.newest * 1000),
            description=record.description if record else "",
            tags=dict(record.tags) if record else {},
            aliases=self.aliases,
            latest_versions=tuple(latest),
        )

    def model_version(self, version: VersionState, file: VersionFile | None) -> ModelVersion:
        """Return a version as MLflow describes it.

        Args:
            version: The version.
            file: The ``version.json`` of its commit; ignored if it is another version's.
        """
        number = version.number or 0
        record = self.records.get(number)
        if file is None or not self.is_file_of(number, file):
            file = VersionFile(
                name=self.name, version=number, created=version.registered * 1000
            )  # another tool registered it
        edited = record.last_updated_timestamp if record else 0
        return ModelVersion(
            name=self.name,
            version=number,
            creation_timestamp=file.created,
            last_updated_timestamp=max(edited, version.updated * 1000),
            current_stage=version.stage,
            description=record.description if record else "",
            user_id=file.user,
            source=file.source,
            run_id=file.run_id,
            run_link=file.run_link,
            tags=dict(record.tags) if record else {},
            aliases=tuple(alias for alias, holder in self.aliases.items() if holder == number),
            digest=file.digest,
            commit=version.commit,
            code_commit=file.code_commit or None,
        )

    def is_file_of(self, number: int, file: VersionFile) -> bool:
        """Return True if a ``version.json`` describes a version of this model."""
        return file.version == number and grammar.slug(file.name) == self.slug
