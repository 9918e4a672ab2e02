"""Read and write the names of registry tags: GTO's grammar, and slugs for names outside it.

The grammar is that of GTO (https://dvc.org/doc/gto). All pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

_MAX_SLUG = 200  # a file name has 255 bytes, and a tag adds stage, counter and `.lock`
_ALIAS = "alias/"

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9\-/_]*[a-zA-Z0-9])?"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_SEMVER = (
    rf"v{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    r"(?:-(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z\-][0-9a-zA-Z\-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z\-][0-9a-zA-Z\-]*))*)?"
    r"(?:\+[0-9a-zA-Z\-]+(?:\.[0-9a-zA-Z\-]+)*)?"
)
_TAG = re.compile(
    rf"(?P<model>(?:[a-zA-Z0-9\-_./]+=)?{_NAME})"
    rf"(?:#(?P<stage>{_NAME})(?P<left>!?)|@(?P<version>{_SEMVER})(?P<deleted>!?)|@deprecated)"
    r"(?:#(?P<counter>[0-9]{1,18}))?"
)
_GITML_VERSION = re.compile(r"v([1-9][0-9]{0,8})\.0\.0")
_PLAIN = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-_]*[a-zA-Z0-9])?")
_SLUGGED = re.compile(r".+-x[0-9a-f]{8}")


class Kind(StrEnum):
    """Kinds of events; the values of ``ModelEvent.kind``."""

    REGISTERED = "registered"
    DELETED = "deleted"
    STAGE = "stage"
    LEFT = "left"
    ALIAS = "alias"
    UNALIAS = "unalias"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagEvent:
    """The parts of a tag's name.

    Attributes:
        kind: Kind of event.
        model: The model as spelled in the tag: a slug of ours, or any name that GTO takes.
        version: Semantic version such as ``v2.0.0``, if the name has one.
        value: Stage or slug of the alias, if the name has one.
        counter: The number after the last ``#``.
    """

    kind: Kind
    model: str
    version: str | None = None
    value: str = ""
    counter: int | None = None


def parse(tag: str) -> TagEvent | None:
    """Parse a tag's name; None if GTO would not take it as an event."""
    match = _TAG.fullmatch(tag)
    if not match:
        return None
    model = match["model"]
    counter = int(match["counter"]) if match["counter"] else None
    if match["version"]:
        kind = Kind.DELETED if match["deleted"] else Kind.REGISTERED
        return TagEvent(kind=kind, model=model, version=match["version"], counter=counter)
    stage = match["stage"]
    if not stage:
        return TagEvent(kind=Kind.DEPRECATED, model=model, counter=counter)
    if stage.startswith(_ALIAS):
        kind = Kind.UNALIAS if match["left"] else Kind.ALIAS
    else:
        kind = Kind.LEFT if match["left"] else Kind.STAGE
    return TagEvent(kind=kind, model=model, value=stage.removeprefix(_ALIAS), counter=counter)


def format_tag(event: TagEvent) -> str:
    """Format the name of an event's tag; the inverse of ``parse``."""
    counter = "" if event.counter is None else f"#{event.counter}"
    body = {
        Kind.REGISTERED: f"@{event.version}",
        Kind.DELETED: f"@{event.version}!",
        Kind.STAGE: f"#{event.value}",
        Kind.LEFT: f"#{event.value}!",
        Kind.ALIAS: f"#{_ALIAS}{event.value}",
        Kind.UNALIAS: f"#{_ALIAS}{event.value}!",
        Kind.DEPRECATED: "@deprecated",
    }[event.kind]
    return f"{event.model}{body}{counter}"


def patterns(model: str) -> tuple[str, ...]:
    """Return globs below ``refs/tags`` that match every tag of a model and no other model's."""
    return f"{model}@*", f"{model}#*", f"{model}#*/**"


# Versions and names -----------------------------------------------------------------------------


def semver(number: int) -> str:
    """Format a version number for GTO: 2 is ``v2.0.0``."""
    return f"v{number}.0.0"


def number_of(version: str) -> int | None:
    """Parse a version number; None for versions that gitml does not write."""
    match = _GITML_VERSION.fullmatch(version)
    return int(match[1]) if match else None


def slug(name: str, fallback: str = "model") -> str:
    """Return the name of a model or alias in tags and paths.

    Names inside GTO's grammar stay as they are. Others keep their letters and digits, followed by
    ``-x`` and 8 hexadecimal digits of the name's SHA-1.

    >>> slug("PriceOptimizer")
    'PriceOptimizer'
    >>> slug("prix élevé")
    'prix-lev-x7c066c10'
    """
    if _PLAIN.fullmatch(name) and len(name) <= _MAX_SLUG:
        return name
    digest = hashlib.sha1(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem = re.sub(r"[^a-zA-Z0-9]+", "-", name)[:80].strip("-")
    return f"{stem or fallback}-x{digest}"


def is_slugged(text: str) -> bool:
    """Return True if a slug has the shape of one that stands for another name."""
    return _SLUGGED.fullmatch(text) is not None


def true_name(text: str, claimed: object, fallback: str = "model") -> str:
    """Return the name that a slug stands for: the claimed one, if this is its slug."""
    if isinstance(claimed, str) and slug(claimed, fallback) == text:
        return claimed
    return text
