"""Reads the registry: joins what tags, version commits and the branch's records tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gitml.entities import LifecycleStage, ModelEvent, ModelVersion, RegisteredModel
from gitml.errors import NotFound, StoreError
from gitml.git import GitRepo
from gitml.registry import events, search, tags
from gitml.registry.events import IgnoredTag, ModelState, VersionState
from gitml.registry.names import (
    check_alias,
    check_model_name,
    check_stage,
    check_version,
    listed,
    shown,
)
from gitml.registry.tags import Stage
from gitml.store import model_records
from gitml.store.branch import Branch
from gitml.store.model_records import ModelRecord, VersionFile, VersionRecord
from gitml.store.records import LARGEST_RECORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that is known of one model at a time.

    Attributes:
        name: Its true name.
        slug: Its name in tags and paths.
        state: What its tags say.
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
        """Whether the model is there and not deleted, by tag or by record."""
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
        """Versions that can be used and that gitml can number, oldest first."""
        return [version for version in self.state.active if version.number is not None]

    def version(self, version: int | str) -> VersionState:
        """Find a version.

        Raises:
            InvalidInput: That is no version number.
            NotFound: It does not exist or was deleted; the message names those that exist.
        """
        number = check_version(version)
        found = self.state.find(number)
        if found is None or found not in self.versions:
            gone = "no longer has a" if found else "has no"
            raise NotFound(
                f"Model {shown(self.name)} {gone} version {number}.",
                hint=f"Its versions: {listed(v.label for v in self.versions)}.",
            )
        return found

    def alias_name(self, slug: str) -> str:
        """The true name of an alias."""
        return self.state.alias_names.get(slug, slug)


class RegistryReader:
    """The questions one can ask the registry; names and answers are MLflow's.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
    """

    def __init__(self, repo: GitRepo, branch: Branch) -> None:
        self.repo = repo
        self.branch = branch
        self._files: dict[str, VersionFile | None] = {}  # by commit; these never change

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Read one model.

        Raises:
            NotFound: There is none of that name; the message names those that exist.
        """
        return self._model(self._existing(name))

    def search_registered_models(
        self,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int | None = None,
    ) -> list[RegisteredModel]:
        """List models.

        Args:
            filter_string: ``name = 'x'``, ``name LIKE 'x%'``, ``tags.key = 'x'``, joined by AND.
            order_by: Such as ``["last_updated_timestamp DESC"]``; by name without any.
            max_results: How many at most.

        Raises:
            InvalidInput: The filter or the order cannot be understood.
        """
        limit = search.check_limit(max_results)
        models = [self._model(snapshot) for snapshot in self._snapshots() if snapshot.exists]
        return search.search_models(models, filter_string, order_by)[:limit]

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Read one version.

        Raises:
            NotFound: The model or the version does not exist.
        """
        snapshot = self._existing(name)
        return self._version(snapshot, snapshot.version(version))

    def model_versions(self, name: str) -> list[ModelVersion]:
        """List the versions of one model, oldest first; none where there is no such model."""
        snapshot = self._snapshot(name)
        if not snapshot.exists:
            return []
        return [self._version(snapshot, version) for version in snapshot.versions]

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        """List the highest version in each stage.

        Args:
            name: The model.
            stages: Stages asked for, in any case; all without any.

        Raises:
            NotFound: There is no such model.
            InvalidInput: One of the stages does not exist.
        """
        wanted = [check_stage(stage) for stage in stages] if stages else list(Stage)
        snapshot = self._existing(name)
        highest = {version.stage: version for version in snapshot.versions}
        return [
            self._version(snapshot, highest[stage])
            for stage in dict.fromkeys(wanted)
            if stage in highest
        ]

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Read the version that holds an alias.

        Raises:
            NotFound: Nobody holds it; the message names the aliases that exist.
        """
        check_alias(alias)
        snapshot = self._existing(name)
        aliases = self._aliases(snapshot)
        if alias not in aliases:
            raise NotFound(
                f"Model {shown(snapshot.name)} has no alias {shown(alias)}.",
                hint=f"Its aliases: {listed(sorted(aliases))}.",
            )
        return self._version(snapshot, snapshot.version(aliases[alias]))

    def search_model_versions(
        self,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int | None = None,
    ) -> list[ModelVersion]:
        """List versions, the last updated first.

        Args:
            filter_string: ``name='x'``, ``run_id='x'``, ``version_number > 2``, ``source_path``,
                ``tags.key = 'x'``, joined by AND.
            order_by: Such as ``["version_number DESC"]``.
            max_results: How many at most.

        Raises:
            InvalidInput: The filter or the order cannot be understood.
        """
        limit = search.check_limit(max_results)
        versions = [
            self._version(snapshot, version)
            for snapshot in self._snapshots()
            if snapshot.exists
            for version in snapshot.versions
        ]
        return search.search_versions(versions, filter_string, order_by)[:limit]

    def history(self, name: str) -> list[ModelEvent]:
        """List everything that happened to a model, oldest first; also of a deleted one.

        Raises:
            NotFound: There never was such a model.
        """
        snapshot = self._snapshot(name, lenient=True)
        if not snapshot.exists and not snapshot.state.tags:
            raise self._missing(name)
        found = self.repo.tags(*tags.patterns(snapshot.slug))
        return events.history(found, snapshot.slug, snapshot.name)

    def ignored_tags(self) -> list[IgnoredTag]:
        """List tags that look like registry events but are not taken as such, and why."""
        state = events.fold(self.repo.tags())
        foreign = [
            IgnoredTag(tag=tag, reason="the model's name has a '/' or ':'")
            for slug, model in state.models.items()
            if not _addressable(slug)
            for tag in sorted(model.tags)
        ]
        return [*state.ignored, *foreign]

    # Snapshots ----------------------------------------------------------------------------------

    def _existing(self, name: str) -> Snapshot:
        snapshot = self._snapshot(name)
        if not snapshot.exists:
            raise self._missing(name)
        return snapshot

    def _missing(self, name: str) -> NotFound:
        names = (snapshot.name for snapshot in self._snapshots() if snapshot.exists)
        return NotFound(
            f"No registered model {shown(name)}.", hint=f"Registered models: {listed(names)}."
        )

    def _snapshot(self, name: str, *, lenient: bool = False) -> Snapshot:
        """Read one model, which may not exist; without its unreadable records where lenient."""
        slug = tags.slug(check_model_name(name))
        state = events.fold(self.repo.tags(*tags.patterns(slug))).models.get(slug)
        files = self._records(f"{model_records.ROOT}/{slug}")
        snapshot = _snapshot(slug, state, _readable(files) if lenient else files)
        known = snapshot.record is not None or state is not None
        return snapshot if known else Snapshot(name=name, slug=slug, state=snapshot.state)

    def _snapshots(self) -> list[Snapshot]:
        """Read all models, deleted ones too, by name."""
        states = events.fold(self.repo.tags()).models
        files: dict[str, dict[str, bytes | StoreError]] = defaultdict(dict)
        for path, data in self._records(model_records.ROOT).items():
            files[path.split("/")[1]][path] = data
        slugs = {slug for slug in states if _addressable(slug)} | set(files)
        snapshots = [
            _snapshot(slug, states.get(slug), _readable(files.get(slug, {}))) for slug in slugs
        ]
        return sorted(snapshots, key=lambda snapshot: snapshot.name)

    def _records(self, folder: str) -> dict[str, bytes | StoreError]:
        """Read the branch's records below a folder, by path; the error of one that cannot be."""
        tip = self.branch.tip()
        if tip is None:
            return {}
        entries = {
            f"{folder}/{entry.path}": entry.oid
            for entry in self.repo.tree(tip, folder, recursive=True)
            if entry.type == "blob"
            and entry.mode != "120000"
            and model_records.parse_model_path(f"{folder}/{entry.path}")
        }
        found = self.repo.read_checked(entries.values(), LARGEST_RECORD)
        return dict(zip(entries, found, strict=True))

    def unreadable(self) -> dict[str, str]:
        """Name the records of models that listings leave out: path on the branch to reason."""
        found = self._records(model_records.ROOT)
        return {path: str(error) for path, data in found.items() if (error := _error(path, data))}

    # Views --------------------------------------------------------------------------------------

    def _model(self, snapshot: Snapshot) -> RegisteredModel:
        record, state = snapshot.record, snapshot.state
        highest = {version.stage: version for version in snapshot.versions}
        return RegisteredModel(
            name=snapshot.name,
            creation_timestamp=record.creation_timestamp if record else state.first * 1000,
            last_updated_timestamp=max(
                record.last_updated_timestamp if record else 0, state.newest * 1000
            ),
            description=record.description if record else "",
            tags=dict(record.tags) if record else {},
            aliases=self._aliases(snapshot),
            latest_versions=tuple(self._version(snapshot, v) for v in highest.values()),
        )

    def _aliases(self, snapshot: Snapshot) -> dict[str, int]:
        return {
            snapshot.alias_name(alias): version.number
            for alias, version in sorted(snapshot.state.aliases.items())
            if version.number is not None
        }

    def _version(self, snapshot: Snapshot, version: VersionState) -> ModelVersion:
        number = version.number or 0
        record = snapshot.records.get(number)
        file = self._file(version, number, snapshot.slug) or VersionFile(
            name=snapshot.name, version=number, created=version.registered * 1000
        )
        aliases = (alias for alias, at in self._aliases(snapshot).items() if at == number)
        return ModelVersion(
            name=snapshot.name,
            version=number,
            creation_timestamp=file.created,
            last_updated_timestamp=max(
                record.last_updated_timestamp if record else 0, version.updated * 1000
            ),
            current_stage=version.stage,
            description=record.description if record else "",
            user_id=file.user,
            source=file.source,
            run_id=file.run_id,
            tags=dict(record.tags) if record else {},
            aliases=tuple(aliases),
            digest=file.digest,
            commit=version.commit,
            code_commit=file.code_commit or None,
        )

    def _file(self, version: VersionState, number: int, slug: str) -> VersionFile | None:
        """Read a version's ``version.json``; None where another tool registered it."""
        if version.commit not in self._files:
            data = self.repo.read(f"{version.commit}:version.json")
            self._files[version.commit] = _version_file(data) if data else None
        file = self._files[version.commit]
        if file and file.version == number and tags.slug(file.name) == slug:
            return file
        return None


def _version_file(data: bytes) -> VersionFile | None:
    try:
        return model_records.version_file_from_json(data)
    except StoreError:  # not ours: anybody can tag a commit that has such a file
        return None


def _addressable(slug: str) -> bool:
    """Tell whether ``models:/`` URIs can name a model; GTO also takes names with folders."""
    return not set("/=") & set(slug)


def _error(path: str, data: bytes | StoreError) -> StoreError | None:
    """Why a record cannot be read; None where it can."""
    try:
        _parsed(path, data)
    except StoreError as error:
        return error
    return None


def _parsed(path: str, data: bytes | StoreError) -> ModelRecord | VersionRecord:
    if isinstance(data, StoreError):
        raise data
    place = model_records.parse_model_path(path)
    if place and place[1] is not None:
        record = model_records.version_from_json(data, path)
        if record.version != place[1]:
            raise StoreError(f"{path} holds version {record.version}.")
        return record
    return model_records.model_from_json(data, path)


def _readable(files: Mapping[str, bytes | StoreError]) -> dict[str, bytes | StoreError]:
    return {path: data for path, data in files.items() if _error(path, data) is None}


def _snapshot(
    slug: str, state: ModelState | None, files: Mapping[str, bytes | StoreError]
) -> Snapshot:
    record: ModelRecord | None = None
    records: dict[int, VersionRecord] = {}
    for path, data in files.items():
        parsed = _parsed(path, data)
        if isinstance(parsed, VersionRecord):
            records[parsed.version] = parsed
        else:
            record = parsed
    claims: Iterable[object] = (record.name if record else None, state.name if state else None)
    names = (tags.true_name(slug, claim) for claim in claims)
    return Snapshot(
        name=next((name for name in names if name != slug), slug),
        slug=slug,
        state=state or ModelState(slug=slug, name=slug),
        record=record,
        records=records,
    )
