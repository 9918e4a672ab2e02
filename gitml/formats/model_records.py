"""Read, write, edit and join the registry's files: two kinds on the branch, one in commits.

``models/<slug>/model.json`` and ``models/<slug>/versions/<n>.json`` hold what people may edit and
are joined like runs; ``version.json`` lies in the version commit and never changes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields as fields_of, replace
from typing import Any, TypeVar

from gitml.entities import LifecycleStage
from gitml.formats.canonical import SCHEMA, Reader, dump, load, unknown
from gitml.formats.joins import join_extra, join_tags, join_written, later

ROOT = "models"
_PATH = re.compile(r"models/([A-Za-z0-9_-]{1,255})/(?:model|versions/([1-9][0-9]{0,8}))\.json")
_Edited = TypeVar("_Edited", "ModelRecord", "VersionRecord")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A model's ``model.json``. Times are ms since the Unix epoch.

    Attributes:
        name: The true name.
        creation_timestamp: When it was created; again after a deletion.
        last_updated_timestamp: When this file was last edited.
        description: Markdown.
        tags: Tags on the model.
        lifecycle_stage: ``deleted`` hides the model until it is created again.
        written: Time of the last write of ``description``, ``lifecycle_stage`` and ``tags.<key>``.
        extra: Fields of later versions, kept.
    """

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    lifecycle_stage: str = LifecycleStage.ACTIVE
    written: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """A version's ``versions/<n>.json``: what can be edited; fields as in ``ModelRecord``.

    Attributes:
        version: Its number, from 1.
        run_id: The run it comes from.
        source: ``runs:/<run_id>/<path>``.
    """

    name: str
    version: int
    creation_timestamp: int
    last_updated_timestamp: int
    run_id: str = ""
    source: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFile:
    """The ``version.json`` of a version commit.

    Attributes:
        name: The model's true name.
        version: Its number, from 1.
        run_id: The run it comes from.
        source: ``runs:/<run_id>/<path>``.
        path: Folder of the model below the run's artifacts.
        digest: DVC hash of the model directory, 32 hex digits and ``.dir``.
        size: Bytes of all its files.
        nfiles: Number of its files.
        flavors: Names of its flavors.
        code_commit: Id of the commit that trained it; empty if unknown.
        dirty: Whether tracked files differed from that commit.
        created: ms since the Unix epoch.
        user: Who registered it.
        run_link: Address of the run in another system; empty for none.
    """

    name: str
    version: int
    run_id: str = ""
    source: str = ""
    path: str = ""
    digest: str = ""
    size: int = 0
    nfiles: int = 0
    flavors: tuple[str, ...] = ()
    code_commit: str = ""
    dirty: bool = False
    created: int = 0
    user: str = ""
    run_link: str = ""


# Paths ------------------------------------------------------------------------------------------


def model_path(slug: str) -> str:
    """Return the path of a model's file on the branch."""
    return f"{ROOT}/{slug}/model.json"


def version_path(slug: str, version: int) -> str:
    """Return the path of a version's file on the branch."""
    return f"{ROOT}/{slug}/versions/{version}.json"


def parse_model_path(path: str) -> tuple[str, int | None] | None:
    """Split a path below ``models/``.

    Returns:
        The model's slug, and the version (None for ``model.json``); None for any other path.
    """
    match = _PATH.fullmatch(path)
    if not match:
        return None
    return match[1], int(match[2]) if match[2] else None


# Bytes and back ---------------------------------------------------------------------------------


def model_to_json(record: ModelRecord) -> bytes:
    """Format ``model.json``."""
    return _to_json(record)


def model_from_json(data: bytes, what: str = "model.json") -> ModelRecord:
    """Read ``model.json``.

    Raises:
        StoreError: A field is missing or of the wrong type; the message names it.
    """
    value = load(data, what)
    fields = Reader(value, what)
    return ModelRecord(
        **_edited_from_json(fields),
        lifecycle_stage=fields.choice("lifecycle_stage", LifecycleStage, LifecycleStage.ACTIVE),
        extra=_extra(value, ModelRecord, what),
    )


def version_to_json(record: VersionRecord) -> bytes:
    """Format ``versions/<n>.json``."""
    return _to_json(record)


def version_from_json(data: bytes, what: str = "version record") -> VersionRecord:
    """Read ``versions/<n>.json``.

    Raises:
        StoreError: A field is missing or of the wrong type; the message names it.
    """
    value = load(data, what)
    fields = Reader(value, what)
    return VersionRecord(
        **_edited_from_json(fields),
        version=fields.integer("version"),
        run_id=fields.text("run_id", ""),
        source=fields.text("source", ""),
        extra=_extra(value, VersionRecord, what),
    )


def version_file_to_json(file: VersionFile) -> bytes:
    """Format ``version.json``."""
    return dump({"schema": SCHEMA, **_fields(file), "flavors": list(file.flavors)})


def version_file_from_json(data: bytes, what: str = "version.json") -> VersionFile:
    """Read ``version.json``.

    Raises:
        StoreError: A field is missing or of the wrong type; the message names it.
    """
    value = load(data, what)
    fields = Reader(value, what)
    numbers: dict[str, Any] = {
        key: fields.integer(key) for key in ("version", "size", "nfiles", "created")
    }
    texts: dict[str, Any] = {
        key: fields.text(key, "")
        for key in ("run_id", "source", "path", "digest", "code_commit", "user", "run_link")
    }
    return VersionFile(
        name=fields.text("name"),
        flavors=tuple(str(flavor)[:200] for flavor in fields.items("flavors")),
        dirty=value.get("dirty") is True,
        **numbers,
        **texts,
    )


def _fields(record: Any) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields_of(record)}


def _to_json(record: ModelRecord | VersionRecord) -> bytes:
    values = _fields(record)
    extra = values.pop("extra")
    return dump({
        **extra,
        "schema": SCHEMA,
        **values,
        "tags": dict(record.tags),
        "written": dict(record.written),
    })  # fmt: skip


def _edited_from_json(fields: Reader) -> dict[str, Any]:
    return {
        "name": fields.text("name"),
        "description": fields.text("description", ""),
        "creation_timestamp": fields.integer("creation_timestamp"),
        "last_updated_timestamp": fields.integer("last_updated_timestamp"),
        "tags": fields.texts("tags"),
        "written": fields.integers("written"),
    }


def _extra(value: Mapping[str, Any], record: type, what: str) -> dict[str, Any]:
    return unknown(value, {"schema", *(item.name for item in fields_of(record))} - {"extra"}, what)


# Edits and joins --------------------------------------------------------------------------------


def described(record: _Edited, description: str, now: int) -> _Edited:
    """Return a record with another description."""
    return _edited(record, {"description": now}, now, description=description)


def tagged(record: _Edited, tags: Mapping[str, str | None], now: int) -> _Edited:
    """Return a record with more tags; a value of None removes one and leaves a tombstone."""
    merged = {**record.tags, **tags}
    remaining = {key: value for key, value in merged.items() if value is not None}
    return _edited(record, {f"tags.{key}": now for key in tags}, now, tags=remaining)


def moved_to(record: ModelRecord, stage: LifecycleStage, now: int) -> ModelRecord:
    """Return a model's record in another lifecycle stage."""
    return _edited(record, {"lifecycle_stage": now}, now, lifecycle_stage=stage)


def _edited(record: _Edited, written: Mapping[str, int], now: int, **changes: Any) -> _Edited:
    return replace(
        record, written={**record.written, **written}, last_updated_timestamp=now, **changes
    )


def join_models(a: ModelRecord, b: ModelRecord) -> ModelRecord:
    """Join two versions of a model's record; commutative, associative, idempotent."""
    stage = later("lifecycle_stage", (a.lifecycle_stage, a.written), (b.lifecycle_stage, b.written))
    return replace(_join(a, b), lifecycle_stage=stage)


def join_versions(a: VersionRecord, b: VersionRecord) -> VersionRecord:
    """Join two versions of a version's record; commutative, associative, idempotent."""
    return replace(_join(a, b), run_id=max(a.run_id, b.run_id), source=max(a.source, b.source))


def _join(a: _Edited, b: _Edited) -> _Edited:
    return replace(
        a,
        name=max(a.name, b.name),
        description=later("description", (a.description, a.written), (b.description, b.written)),
        tags=join_tags((a.tags, a.written), (b.tags, b.written)),
        creation_timestamp=min(a.creation_timestamp, b.creation_timestamp),
        last_updated_timestamp=max(a.last_updated_timestamp, b.last_updated_timestamp),
        written=join_written(a.written, b.written),
        extra=join_extra(a.extra, b.extra),
    )
