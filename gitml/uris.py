"""Parse ``runs:/`` and ``models:/`` URIs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from gitml.errors import InvalidInput
from gitml.formats.run_records import check_run_id
from gitml.tracking import validation

_STAGES = ("none", "staging", "production", "archived")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUri:
    """``runs:/<run_id>/<path>``."""

    run_id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUri:
    """``models:/<name>/<version or stage or latest>`` or ``models:/<name>@<alias>``.

    Exactly one of the last three attributes is set; ``latest`` is a stage of its own here.
    """

    name: str
    version: int | None = None
    stage: str | None = None
    alias: str | None = None


def parse(uri: str) -> RunUri | ModelUri | None:
    """Take a URI apart; None for one that is a plain path.

    Raises:
        InvalidInput: It starts like one of ours and is malformed.
    """
    scheme, colon, rest = str(uri).partition(":")
    if not colon or scheme not in ("runs", "models"):
        return None
    parts = rest.lstrip("/").split("/", 1)
    if scheme == "runs":
        path = validation.recorded_path(parts[1] if len(parts) > 1 else "")
        return RunUri(run_id=check_run_id(parts[0]), path=path)
    return _model_uri(uri, unquote(rest.lstrip("/")))


def _model_uri(uri: str, rest: str) -> ModelUri:
    name, sign, alias = rest.rpartition("@")
    if sign and "/" not in alias and name and alias:
        return ModelUri(name=name, alias=alias)
    name, slash, which = rest.strip("/").rpartition("/")
    if not slash or not name or not which:
        raise InvalidInput(
            f"{uri!r:.120} names no version.",
            hint="Write models:/Name/2, models:/Name/Production, models:/Name/latest or "
            "models:/Name@alias.",
        )
    if re.fullmatch(r"[0-9]{1,9}", which):
        return ModelUri(name=name, version=int(which))
    if which.lower() not in (*_STAGES, "latest"):
        raise InvalidInput(
            f"{uri!r:.120}: {which!r:.40} is neither a version nor a stage.",
            hint="The stages are None, Staging, Production and Archived; an alias is written "
            f"models:/{name}@{which}.",
        )
    return ModelUri(name=name, stage=which)
