"""Hides how one model's tags and records become one picture of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from gitml.entities import LifecycleStage
from gitml.errors import NotFound, StoreError
from gitml.formats import model_records
from gitml.formats.canonical import LARGEST_RECORD
from gitml.formats.model_records import ModelRecord, VersionRecord
from gitml.git import GitRepo
from gitml.registry.tags import grammar, model_state
from gitml.registry.tags.model_state import IgnoredTag, ModelState, VersionState
from gitml.registry.tags.names import check_model_name, check_version, listed
from gitml.store.branch import Branch
from gitml.text import short_repr


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
                f"Model {short_repr(self.name)} {gone} version {number}.",
                hint=f"Its versions: {listed(v.label for v in self.versions)}.",
            )
        return found

    def alias_name(self, slug: str) -> str:
        """The true name of an alias."""
        return self.state.alias_names.get(slug, slug)


class SnapshotReader:
    """Reads all that is known of models, and what of it cannot be read.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
    """

    def __init__(self, repo: GitRepo, branch: Branch) -> None:
        self.repo = repo
        self.branch = branch

    def ignored_tags(self) -> list[IgnoredTag]:
        """List tags that look like registry events but are not taken as such, and why."""
        state = model_state.fold(self.repo.tags())
        foreign = [
            IgnoredTag(tag=tag, reason="the model's name has a '/' or ':'")
            for slug, model in state.models.items()
            if not _addressable(slug)
            for tag in sorted(model.tags)
        ]
        return [*state.ignored, *foreign]

    def _existing(self, name: str) -> Snapshot:
        snapshot = self._snapshot(name)
        if not snapshot.exists:
            raise self._missing(name)
        return snapshot

    def _missing(self, name: str) -> NotFound:
        names = (snapshot.name for snapshot in self._snapshots() if snapshot.exists)
        return NotFound(
            f"No registered model {short_repr(name)}.", hint=f"Registered models: {listed(names)}."
        )

    def _snapshot(self, name: str, *, lenient: bool = False) -> Snapshot:
        """Read one model, which may not exist; without its unreadable records where lenient."""
        slug = grammar.slug(check_model_name(name))
        state = model_state.fold(self.repo.tags(*grammar.patterns(slug))).models.get(slug)
        files = self._records(f"{model_records.ROOT}/{slug}")
        snapshot = _snapshot(slug, state, files, lenient=lenient)
        known = snapshot.record is not None or state is not None
        return snapshot if known else Snapshot(name=name, slug=slug, state=snapshot.state)

    def _snapshots(self, *, latest: bool = False) -> list[Snapshot]:
        """Read all models, deleted ones too, by name.

        Args:
            latest: Read, of the versions' records, only those of the highest one in each stage.
        """
        states = model_state.fold(self.repo.tags()).models
        wanted = {
            slug: {None, *(version.number for version in state.latest.values())}
            for slug, state in states.items()
        } if latest else None  # fmt: skip
        files: dict[str, dict[str, bytes | StoreError]] = defaultdict(dict)
        for path, data in self._records(model_records.ROOT, wanted).items():
            files[path.split("/")[1]][path] = data
        slugs = {slug for slug in states if _addressable(slug)} | set(files)
        snapshots = [
            _snapshot(slug, states.get(slug), files.get(slug, {}), lenient=True) for slug in slugs
        ]
        return sorted(snapshots, key=lambda snapshot: snapshot.name)

    def _records(
        self, folder: str, wanted: Mapping[str, Container[int | None]] | None = None
    ) -> dict[str, bytes | StoreError]:
        """Read the branch's records below a folder, by path; the error of one that cannot be.

        Args:
            folder: Path on the branch.
            wanted: By slug, the versions to read, None for the model itself; all without it.
        """
        tip = self.branch.tip()
        if tip is None:
            return {}
        entries = {}
        for entry in self.repo.tree(tip, folder, recursive=True):
            path = f"{folder}/{entry.path}"
            place = model_records.parse_model_path(path)
            if entry.type != "blob" or entry.mode == "120000" or place is None:
                continue
            if wanted is None or place[1] in wanted.get(place[0], (None,)):
                entries[path] = entry.oid
        found = self.repo.read_checked(entries.values(), LARGEST_RECORD)
        return dict(zip(entries, found, strict=True))

    def unreadable(self) -> dict[str, str]:
        """Name the records of models that listings leave out: path on the branch to reason."""
        found = self._records(model_records.ROOT)
        return {path: str(error) for path, data in found.items() if (error := _error(path, data))}


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


def _snapshot(
    slug: str, state: ModelState | None, files: Mapping[str, bytes | StoreError], *, lenient: bool
) -> Snapshot:
    record: ModelRecord | None = None
    records: dict[int, VersionRecord] = {}
    for path, data in files.items():
        try:
            parsed = _parsed(path, data)
        except StoreError:
            if not lenient:
                raise
            continue
        if isinstance(parsed, VersionRecord):
            records[parsed.version] = parsed
        else:
            record = parsed
    claims: Iterable[object] = (record.name if record else None, state.name if state else None)
    names = (grammar.true_name(slug, claim) for claim in claims)
    return Snapshot(
        name=next((name for name in names if name != slug), slug),
        slug=slug,
        state=state or ModelState(slug=slug, name=slug),
        record=record,
        records=records,
    )
