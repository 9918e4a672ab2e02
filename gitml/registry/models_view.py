"""All models, or one of them, as of one moment: answers the registry's queries. Pure.

A view is made of values: tags, records of the branch, and the ``version.json`` of version commits,
which never change. So it can be kept as long as its moment is meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from gitml.entities import ModelEvent, ModelVersion, RegisteredModel, Stage
from gitml.errors import AlreadyExists, NotFound, StoreError
from gitml.formats import model_records
from gitml.formats.model_records import ModelRecord, VersionFile, VersionRecord
from gitml.git import Tag
from gitml.registry.audit.rejected import ALIASING, STAGING, RejectedTag, newest_rejected
from gitml.registry.model_snapshot import ModelSnapshot
from gitml.registry.tags import grammar, model_state
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.model_state import IgnoredTag, ModelState, VersionState
from gitml.registry.tags.names import (
    alike,
    check_alias,
    check_model_name,
    check_stage,
    listed,
)
from gitml.text import short_repr

Records = Mapping[str, bytes | StoreError]
"""Records by path on the branch; the error of one that cannot be read."""


class VersionFiles(Protocol):
    """Access to the ``version.json`` of version commits."""

    def load(self, commits: Iterable[str]) -> Mapping[str, VersionFile | None]:
        """Return the file of each commit; None if another tool made the commit."""


class ModelsView:
    """Models as of one moment.

    Args:
        tags: Git tags; those that are not registry events are ignored.
        records: The branch's records of models.
        files: The ``version.json`` of version commits.
        rejected: Tags without any effect, whose names are not used again all the same.
    """

    def __init__(
        self,
        tags: Iterable[Tag],
        records: Records,
        files: VersionFiles,
        rejected: Sequence[RejectedTag] = (),
    ) -> None:
        self._tags = list(tags)
        self.rejected = tuple(rejected)
        self._records = records
        self._files = files
        self._snapshots: dict[str, tuple[ModelSnapshot, StoreError | None]] = {}
        self._histories: dict[str, list[ModelEvent]] = {}

    # Models -------------------------------------------------------------------------------------

    def model(self, name: str, *, lenient: bool = False) -> ModelSnapshot:
        """Return a model, which may not exist.

        Args:
            name: The model.
            lenient: Leave out records that cannot be read.

        Raises:
            InvalidInput: That cannot be the name of a model.
            StoreError: One of its records cannot be read.
        """
        slug = grammar.slug(check_model_name(name))
        snapshot, error = self._snapshot(slug)
        if error and not lenient:
            raise error
        if snapshot.record is None and slug not in self._state.models:
            return ModelSnapshot(name=name, slug=slug, state=snapshot.state)
        return snapshot

    def existing(self, name: str) -> ModelSnapshot:
        """Return a model.

        Raises:
            NotFound: It does not exist; the message names the models that do.
        """
        snapshot = self.model(name)
        if not snapshot.exists:
            raise self._missing(name)
        return snapshot

    @cached_property
    def models(self) -> list[ModelSnapshot]:
        """All models by name, even deleted ones; records that cannot be read are left out."""
        slugs = {slug for slug in self._state.models if _is_addressable(slug)}
        snapshots = [self._snapshot(slug)[0] for slug in slugs | set(self._records_by_slug)]
        return sorted(snapshots, key=lambda snapshot: snapshot.name)

    def require_unused(self, name: str) -> ModelSnapshot:
        """Return a model that does not exist, to be created.

        Raises:
            AlreadyExists: It does.
        """
        model = self.model(name)
        if model.exists:
            raise AlreadyExists(
                f"Registered model {short_repr(model.name)} already exists.",
                hint="Choose another name, or register a version of it.",
            )
        return model

    def require_distinct(self, model: ModelSnapshot) -> None:
        """Refuse a new model whose name people or file systems confuse with another one's.

        Raises:
            AlreadyExists: There is such a model.
        """
        folded = {alike(model.name), alike(model.slug)}
        for other in self.models:
            if other.slug != model.slug and {alike(other.name), alike(other.slug)} & folded:
                raise AlreadyExists(
                    f"Model name {short_repr(model.name)} is too close to "
                    f"{short_repr(other.name)}.",
                    hint="Some file systems cannot tell them apart; choose another name.",
                )

    def ignored_tags(self) -> list[IgnoredTag]:
        """Return tags named like registry events that are ignored, and why."""
        foreign = [
            IgnoredTag(tag=tag, reason="the model's name has a '/' or ':'")
            for slug, model in self._state.models.items()
            if not _is_addressable(slug)
            for tag in sorted(model.tags)
        ]
        return [*self._state.ignored, *foreign]

    # What does not count ------------------------------------------------------------------------

    def rejected_of(self, name: str) -> tuple[RejectedTag, ...]:
        """Return the tags of a model that do not count."""
        slug = grammar.slug(name)
        return tuple(item for item in self.rejected if item.event.model == slug)

    def newest_rejected(self, name: str, stage: str) -> RejectedTag | None:
        """Return the newest tag of a stage if it does not count; None if it does."""
        return self._newest_rejected(name, STAGING, stage)

    def newest_rejected_alias(self, name: str, alias: str) -> RejectedTag | None:
        """Return the newest tag of an alias if it does not count; None if it does."""
        return self._newest_rejected(name, ALIASING, grammar.slug(alias, "alias"))

    def rejected_registration(self, name: str, number: int | None = None) -> RejectedTag | None:
        """Return the tag that would have registered a version, if none that counts did.

        Args:
            name: The model.
            number: The version; None for the highest, if it is above all that were registered.
        """
        registered = {version.number for version in self.model(name, lenient=True).state.versions}
        rejected = {
            grammar.number_of(item.event.version or "") or 0: item
            for item in self.rejected_of(name)
            if item.event.kind is Kind.REGISTERED
        }
        wanting = rejected.keys() - registered
        if number is None:
            number = max(wanting, default=0)
            return rejected[number] if number > max([0, *filter(None, registered)]) else None
        return rejected[number] if number in wanting else None

    def _newest_rejected(self, name: str, kinds: Sequence[Kind], value: str) -> RejectedTag | None:
        accepted = self._tags_by_slug.get(grammar.slug(name), ())
        return newest_rejected(self.rejected_of(name), accepted, kinds, value)

    def _missing(self, name: str) -> NotFound:
        names = (snapshot.name for snapshot in self.models if snapshot.exists)
        rejected = self.rejected_of(name)
        if rejected:
            return NotFound(
                f"No registered model {short_repr(name)}: {rejected[0].sentence}",
                hint="`gitml registry verify` lists all tags that do not count.",
            )
        return NotFound(
            f"No registered model {short_repr(name)}.", hint=f"Registered models: {listed(names)}."
        )

    # MLflow's queries ---------------------------------------------------------------------------

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return a model as MLflow describes it; raises as ``existing``."""
        return self._registered_model(self.existing(name))

    def registered_models(self) -> list[RegisteredModel]:
        """Return all models as MLflow describes them, by name."""
        existing = [model for model in self.models if model.exists]
        self._files.load(v.commit for model in existing for v in model.state.latest.values())
        return [self._registered_model(model) for model in existing]

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Return a version; raises NotFound if the model or the version does not exist."""
        model = self.existing(name)
        return self._versions(model, [model.version(version)])[0]

    def model_versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a model, oldest first; none if it does not exist."""
        model = self.model(name)
        return self._versions(model, model.versions) if model.exists else []

    def all_versions(self) -> list[ModelVersion]:
        """Return the versions of all models."""
        existing = [model for model in self.models if model.exists]
        self._files.load(version.commit for model in existing for version in model.versions)
        return [v for model in existing for v in self._versions(model, model.versions)]

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        """Return the highest version in each stage, by number; of all stages by default."""
        selected = [check_stage(stage) for stage in stages] if stages else list(Stage)
        model = self.existing(name)
        latest = model.state.latest
        return self._versions(model, [
            version
            for version in model.versions
            if version.stage in selected and version is latest[version.stage]
        ])  # fmt: skip

    def live_versions(self, name: str) -> dict[str, ModelVersion]:
        """Return the version that each stage resolves to."""
        return {version.current_stage: version for version in self.get_latest_versions(name)}

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version of an alias; raises NotFound if no version has it."""
        check_alias(alias)
        model = self.existing(name)
        aliases = model.aliases
        if alias not in aliases:
            raise NotFound(
                f"Model {short_repr(model.name)} has no alias {short_repr(alias)}.",
                hint=f"Its aliases: {listed(sorted(aliases))}.",
            )
        return self._versions(model, [model.version(aliases[alias])])[0]

    def history(self, name: str) -> list[ModelEvent]:
        """Return the events of a model, oldest first, even of a deleted one.

        Raises:
            NotFound: The model never existed.
        """
        model = self.model(name, lenient=True)
        if not model.exists and model.slug not in self._tags_by_slug:
            raise self._missing(name)
        if model.slug not in self._histories:
            tags = self._tags_by_slug.get(model.slug, [])
            self._histories[model.slug] = model_state.history(tags, model.slug, model.name)
        return list(self._histories[model.slug])

    def _registered_model(self, model: ModelSnapshot) -> RegisteredModel:
        return model.registered_model(self._versions(model, model.state.latest.values()))

    def _versions(
        self, model: ModelSnapshot, versions: Iterable[VersionState]
    ) -> list[ModelVersion]:
        versions = list(versions)
        files = self._files.load(version.commit for version in versions)
        return [model.model_version(version, files[version.commit]) for version in versions]

    # Parsed once --------------------------------------------------------------------------------

    def _snapshot(self, slug: str) -> tuple[ModelSnapshot, StoreError | None]:
        """Return a model without the records that cannot be read, and the error of one of them."""
        if slug not in self._snapshots:
            state = self._state.models.get(slug) or ModelState(slug=slug, name=slug)
            names = (item.tag.name for item in self.rejected if item.event.model == slug)
            state = model_state.reserving(state, names)
            self._snapshots[slug] = _snapshot(slug, state, self._records_by_slug.get(slug, {}))
        return self._snapshots[slug]

    @cached_property
    def _state(self) -> model_state.RegistryState:
        return model_state.fold(self._tags)

    @cached_property
    def _tags_by_slug(self) -> Mapping[str, list[Tag]]:
        by_slug: dict[str, list[Tag]] = defaultdict(list)
        for tag in self._tags:
            event = grammar.parse(tag.name)
            if event:
                by_slug[event.model].append(tag)
        return by_slug

    @cached_property
    def _records_by_slug(self) -> Mapping[str, Records]:
        by_slug: dict[str, dict[str, bytes | StoreError]] = defaultdict(dict)
        for path, data in self._records.items():
            by_slug[path.split("/")[1]][path] = data
        return by_slug


def _is_addressable(slug: str) -> bool:
    """Return True if a ``models:/`` URI can name the model; GTO also takes names with folders."""
    return not set("/=") & set(slug)


def _snapshot(
    slug: str, state: ModelState, records: Records
) -> tuple[ModelSnapshot, StoreError | None]:
    model: ModelRecord | None = None
    versions: dict[int, VersionRecord] = {}
    unreadable: StoreError | None = None
    for path, data in records.items():
        try:
            record = _parse(path, data)
        except StoreError as error:
            unreadable = unreadable or error
            continue
        if isinstance(record, VersionRecord):
            versions[record.version] = record
        else:
            model = record
    claims: Iterable[object] = (model.name if model else None, state.name)
    names = (grammar.true_name(slug, claim) for claim in claims)
    snapshot = ModelSnapshot(
        name=next((name for name in names if name != slug), slug),
        slug=slug,
        state=state,
        record=model,
        records=versions,
    )
    return snapshot, unreadable


def _parse(path: str, data: bytes | StoreError) -> ModelRecord | VersionRecord:
    if isinstance(data, StoreError):
        raise data
    parsed = model_records.parse_model_path(path)
    if parsed and parsed[1] is not None:
        record = model_records.version_from_json(data, path)
        if record.version != parsed[1]:
            raise StoreError(f"{path} is the record of version {record.version}.")
        return record
    return model_records.model_from_json(data, path)
