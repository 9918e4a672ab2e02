"""Validate names of models, aliases and stages, version numbers, tag keys; quote them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.text import short_repr

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MAX_NAME = 256
_MAX_KEY = 250
_MAX_LISTED = 10


def check_model_name(name: str) -> str:
    """Return the name of a model if it is valid; the rules are MLflow's.

    Raises:
        InvalidInput: It is blank, too long, or has ``/``, ``:`` or control characters.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(
            f"{name!r:.40} is not a valid model name.", hint="Give a non-blank text."
        )
    if len(name) > _MAX_NAME or re.search(r"[/:]", name) or _CONTROL.search(name):
        raise InvalidInput(
            f"Model name {short_repr(name)} cannot be used.",
            hint=f"Give up to {_MAX_NAME} characters without '/', ':' or control characters.",
        )
    return name


def check_alias(alias: str) -> str:
    """Return an alias if it is valid; the rules are MLflow's.

    Raises:
        InvalidInput: It has other characters than letters, digits, ``_`` and ``-``, or is reserved.
    """
    if not isinstance(alias, str) or not re.fullmatch(r"[\w\-]{1,255}", alias):
        raise InvalidInput(
            f"Alias {alias!r:.60} cannot be used.",
            hint="Give 1 to 255 letters, digits, underscores and hyphens.",
        )
    if alias.lower() == "latest" or re.fullmatch(r"[vV]\d+", alias):
        raise InvalidInput(
            f"Alias {alias!r} is reserved.", hint="'latest' and 'v<number>' name versions already."
        )
    return alias


def check_stage(stage: str) -> Stage:
    """Return the stage of a name in any case.

    Raises:
        InvalidInput: There is no such stage.
    """
    for candidate in Stage:
        if isinstance(stage, str) and candidate.lower() == stage.strip().lower():
            return candidate
    raise InvalidInput(f"{stage!r:.60} is not a stage.", hint=f"Stages are {', '.join(Stage)}.")


def check_version(version: int | str) -> int:
    """Return a version number.

    Raises:
        InvalidInput: It is not a positive integer.
    """
    text = str(version)
    if isinstance(version, bool) or not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise InvalidInput(
            f"{version!r:.60} is not a model version.", hint="Versions are positive integers."
        )
    return int(text)


def check_key(key: str) -> str:
    """Return the key of a tag if it is valid.

    Raises:
        InvalidInput: It is empty, too long, or has control characters.
    """
    if not isinstance(key, str) or not key.strip() or len(key) > _MAX_KEY or _CONTROL.search(key):
        raise InvalidInput(
            f"Tag key {key!r:.60} cannot be used.",
            hint=f"Give 1 to {_MAX_KEY} characters without line breaks.",
        )
    return key


def check_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Return tags on a model with texts as values, if their keys are valid; see ``check_key``."""
    return {check_key(key): str(value) for key, value in (tags or {}).items()}


def alike(name: str) -> str:
    """Return a name so that names which people or file systems confuse become equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def listed(items: Iterable[object]) -> str:
    """Join items for a message, the first of them if there are too many."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
    return f"{', '.join(texts[:_MAX_LISTED])}{more}" if texts else "none"
