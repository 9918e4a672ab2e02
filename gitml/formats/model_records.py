"""Hides the formats of the registry's files: two kinds of record on the branch, one in commits.

``models/<slug>/model.json`` and ``models/<slug>/versions/<n>.json`` hold what people may edit and
are joined like runs; ``version.json`` lies in the version commit and never changes. All pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from gitml.entities import LifecycleStage
from gitml.errors import StoreError
from gitml.formats.canonical import SCHEMA, dump, load, unknown
from gitml.formats.joins import join_extra, join_tags, join_written

ROOT = "models"
_PATH = re.compile(r"models/([A-Za-z0-9_-]{1,255})/(?:model|versions/([1-9][0-9]{0,8}))\.json")
_INT64 = 2**63
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
    """What can be edited about a version: ``versions/<n>.json``; fields as in ``ModelRecord``.

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
        code_commit: Id of the commit that trained it, empty where none is known.
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
    """Path of a model's file on the branch."""
    return f"{ROOT}/{slug}/model.json"


def version_path(slug: str, version: int) -> str:
    """Path of a version's file on the branch."""
    return f"{ROOT}/{slug}/versions/{version}.json"


def parse_model_path(path: str) -> tuple[str, int | None] | None:
    """Take a path below ``models/`` apart.

    Returns:
        The model's slug, and the version (None for ``model.json``); None if it is no such path.
    """
    found = _PATH.fullmatch(path)
    if not found:
        return None
    return found[1], int(found[2]) if found[2] else None


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
    stage = _get(value, "lifecycle_stage", str, what, LifecycleStage.ACTIVE)
    if stage not in list(LifecycleStage):
        raise StoreError(f"{what}: field 'lifecycle_stage' is not one of active, deleted.")
    return ModelRecord(
        **_edited_from_json(value, what),
        lifecycle_stage=stage,
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
    return VersionRecord(
        **_edited_from_json(value, what),
        version=_integer(value, "version", what),
        run_id=_get(value, "run_id", str, what, ""),
        source=_get(value, "source", str, what, ""),
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
    numbers: dict[str, Any] = {
        key: _integer(value, key, what) for key in ("version", "size", "nfiles", "created")
    }
    texts: dict[str, Any] = {
        key: _get(value, key, str, what, "")
        for key in ("run_id", "source", "path", "digest", "code_commit", "user", "run_link")
    }
    return VersionFile(
        name=_get(value, "name", str, what),
        flavors=tuple(str(flavor)[:200] for flavor in _get(value, "flavors", list, what, [])),
        dirty=value.get("dirty") is True,
        **numbers,
        **texts,
    )


def _fields(record: Any) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields(record)}


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


def _edited_from_json(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    tags = _get(value, "tags", dict, what, {})
    written = _get(value, "written", dict, what, {})
    if not all(isinstance(text, str) for text in tags.values()):
        raise StoreError(f"{what}: field 'tags' is not an object of texts.")
    return {
        "name": _get(value, "name", str, what),
        "description": _get(value, "description", str, what, ""),
        "creation_timestamp": _integer(value, "creation_timestamp", what),
        "last_updated_timestamp": _integer(value, "last_updated_timestamp", what),
        "tags": dict(tags),
        "written": {key: _integer(written, key, what) for key in written},
    }


def _extra(value: Mapping[str, Any], record: type, what: str) -> dict[str, Any]:
    return unknown(value, {"schema", *(item.name for item in fields(record))} - {"extra"}, what)


def _get(value: Mapping[str, Any], key: str, kind: type, what: str, default: Any = None) -> Any:
    found = value.get(key, default)
    if not isinstance(found, kind):
        raise StoreError(f"{what}: field {key!r:.60} is not a {kind.__name__}.")
    return found


def _integer(value: Mapping[str, Any], key: str, what: str) -> int:
    found = value.get(key)
    if type(found) is not int or not -_INT64 <= found < _INT64:
        raise StoreError(f"{what}: field {key!r:.60} is not a 64-bit integer.")
    return found


# Edits and joins --------------------------------------------------------------------------------


def described(record: _Edited, description: str, now: int) -> _Edited:
    """Return a record with another description."""
    return _edited(record, {"description": now}, now, description=description)


def tagged(record: _Edited, tags: Mapping[str, str | None], now: int) -> _Edited:
    """Return a record with more tags; a value of None removes one and leaves a tombstone."""
    merged = {**record.tags, **tags}
    kept = {key: value for key, value in merged.items() if value is not None}
    return _edited(record, {f"tags.{key}": now for key in tags}, now, tags=kept)


def moved_to(record: ModelRecord, stage: LifecycleStage, now: int) -> ModelRecord:
    """Return a model's record in another lifecycle stage."""
    return _edited(record, {"lifecycle_stage": now}, now, lifecycle_stage=stage)


def _edited(record: _Edited, written: Mapping[str, int], now: int, **changes: Any) -> _Edited:
    return replace(
        record, written={**record.written, **written}, last_updated_timestamp=now, **changes
    )


def edit_time(record: ModelRecord | VersionRecord, now: int) -> int:
    """Time of an edit made at ``now``, ms: later than every earlier one, whatever the clock."""
    return max(now, max(record.written.values(), default=-1) + 1)


def join_models(a: ModelRecord, b: ModelRecord) -> ModelRecord:
    """Join two versions of a model's record; commutative, associative, idempotent."""
    stage = _later("lifecycle_stage", a, b, a.lifecycle_stage, b.lifecycle_stage)
    return replace(_join(a, b), lifecycle_stage=stage)


def join_versions(a: VersionRecord, b: VersionRecord) -> VersionRecord:
    """Join two versions of a version's record; commutative, associative, idempotent."""
    return replace(_join(a, b), run_id=max(a.run_id, b.run_id), source=max(a.source, b.source))


def _join(a: _Edited, b: _Edited) -> _Edited:
    return replace(
        a,
        name=max(a.name, b.name),
        description=_later("description", a, b, a.description, b.description),
        tags=join_tags((a.tags, a.written), (b.tags, b.written)),
        creation_timestamp=min(a.creation_timestamp, b.creation_timestamp),
        last_updated_timestamp=max(a.last_updated_timestamp, b.last_updated_timestamp),
        written=join_written(a.written, b.written),
        extra=join_extra(a.extra, b.extra),
    )


def _later(name: str, a: _Edited, b: _Edited, of_a: str, of_b: str) -> str:
    return max(
        (a.written.get(name, -1), json.dumps(of_a), of_a),
        (b.written.get(name, -1), json.dumps(of_b), of_b),
    )[2]
