"""Hides how registry events are spelled as git tags: GTO's grammar, slugs, messages. All pure.

The grammar is that of GTO (https://dvc.org/doc/gto); the table in DESIGN.md, section 3, says which
event of ours is which tag.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_DETAIL = 65_536  # characters of YAML that are looked at; 50 gates have some ten thousand
_MAX_NODES = 5_000
_MAX_DEPTH = 8
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
_OURS = re.compile(r"v([1-9][0-9]{0,8})\.0\.0")
_PLAIN = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-_]*[a-zA-Z0-9])?")
_SLUGGED = re.compile(r".+-x[0-9a-f]{8}")
_SIGNED = re.compile(r"^-----BEGIN (?:PGP (?:SIGNATURE|MESSAGE)|SSH SIGNATURE)-----$", re.MULTILINE)
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Kind(StrEnum):
    """What a tag records; the words of ``ModelEvent.kind``."""

    REGISTERED = "registered"
    DELETED = "deleted"
    STAGE = "stage"
    LEFT = "left"
    ALIAS = "alias"
    UNALIAS = "unalias"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagEvent:
    """What a tag's name says.

    Attributes:
        kind: Which event.
        model: The model as it stands in the tag: a slug of ours, or a name that GTO takes.
        version: Semantic version such as ``v2.0.0``, where the name holds one.
        value: Stage or slug of the alias, where the name holds one.
        counter: The number after the last ``#``.
    """

    kind: Kind
    model: str
    version: str | None = None
    value: str = ""
    counter: int | None = None


def parse(tag: str) -> TagEvent | None:
    """Read a tag's name; None where GTO would not take it as an event."""
    found = _TAG.fullmatch(tag)
    if not found:
        return None
    counter = int(found["counter"]) if found["counter"] else None
    if found["version"]:
        kind = Kind.DELETED if found["deleted"] else Kind.REGISTERED
        return TagEvent(kind=kind, model=found["model"], version=found["version"], counter=counter)
    stage = found["stage"]
    if not stage:
        return TagEvent(kind=Kind.DEPRECATED, model=found["model"], counter=counter)
    if stage.startswith(_ALIAS):
        kind = Kind.UNALIAS if found["left"] else Kind.ALIAS
    else:
        kind = Kind.LEFT if found["left"] else Kind.STAGE
    return TagEvent(
        kind=kind, model=found["model"], value=stage.removeprefix(_ALIAS), counter=counter
    )


def format_tag(event: TagEvent) -> str:
    """Spell an event as a tag's name; the inverse of ``parse``."""
    counter = "" if event.counter is None else f"#{event.counter}"
    what = {
        Kind.REGISTERED: f"@{event.version}",
        Kind.DELETED: f"@{event.version}!",
        Kind.STAGE: f"#{event.value}",
        Kind.LEFT: f"#{event.value}!",
        Kind.ALIAS: f"#{_ALIAS}{event.value}",
        Kind.UNALIAS: f"#{_ALIAS}{event.value}!",
        Kind.DEPRECATED: "@deprecated",
    }[event.kind]
    return f"{event.model}{what}{counter}"


def patterns(model: str) -> tuple[str, ...]:
    """Globs below ``refs/tags`` that cover every tag of a model (and hold no other model's)."""
    return f"{model}@*", f"{model}#*", f"{model}#*/**"


# Versions and names -----------------------------------------------------------------------------


def semver(number: int) -> str:
    """Spell a version number the way GTO wants it: 2 is ``v2.0.0``."""
    return f"v{number}.0.0"


def number_of(version: str) -> int | None:
    """Read a version number back; None for shapes that gitml does not write."""
    found = _OURS.fullmatch(version)
    return int(found[1]) if found else None


def slug(name: str, fallback: str = "model") -> str:
    """Turn a model's or alias's name into one that GTO takes.

    Names inside GTO's grammar stay as they are. Others keep what can be kept, followed by ``-x``
    and 8 hexadecimal digits of the name's SHA-1.

    >>> slug("PriceOptimizer")
    'PriceOptimizer'
    >>> slug("prix élevé")
    'prix-lev-x7c066c10'
    """
    if _PLAIN.fullmatch(name) and len(name) <= _MAX_SLUG:
        return name
    digest = hashlib.sha1(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = re.sub(r"[^a-zA-Z0-9]+", "-", name)[:80].strip("-")
    return f"{kept or fallback}-x{digest}"


def is_slugged(text: str) -> bool:
    """Tell whether a slug looks as if it stood for another name."""
    return _SLUGGED.fullmatch(text) is not None


def true_name(text: str, claimed: object, fallback: str = "model") -> str:
    """Return the name a slug stands for: what a record claims, if its slug is this one."""
    if isinstance(claimed, str) and slug(claimed, fallback) == text:
        return claimed
    return text


# Messages ---------------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """Fold a text into one line that any git object can hold."""
    printable = re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)
    return printable.encode("utf-8", "replace").decode().strip()


def format_message(line: str, detail: Mapping[str, Any]) -> str:
    """Format a tag's message: one line for people, a blank line, YAML."""
    import yaml

    told = {key: value for key, value in detail.items() if value not in (None, "", {}, [])}
    text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=1000) if told else ""
    return f"{one_line(line)}\n\n{text}".rstrip() + "\n"


def parse_message(message: str) -> tuple[str, dict[str, Any]]:
    """Read a tag's message, which anybody may have written.

    Returns:
        Its first line, and the YAML below it: empty where there is none, where it is not a
        mapping, or where it is unreasonably big or deep. A signature is no part of it.
    """
    import yaml

    line, _, rest = unsigned(message).lstrip("\n").partition("\n")
    line = line[:MAX_DETAIL].strip()
    if len(rest) > MAX_DETAIL:
        return line, {}
    try:
        detail = _Plain().copy(_loaded(rest))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return line, {}
    return line, detail if isinstance(detail, dict) else {}


def _loaded(text: str) -> Any:
    """Load YAML with libyaml where it is there, ten times as fast as without.

    libyaml's loader calls itself for every level and overruns the stack on deep input, so its
    parser, which does not, has a look first.
    """
    import yaml

    if not yaml.__with_libyaml__:
        return yaml.safe_load(text)
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError("too deep")
    return yaml.load(text, Loader=yaml.CSafeLoader)


# Signatures and the chain -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a tag says of the event before it: name and id of that tag object."""

    tag: str
    oid: str


def signature(message: str) -> str:
    """The signature at the end of a tag's message, where git finds it; empty without one."""
    starts = [found.start() for found in _SIGNED.finditer(message)]
    return message[starts[-1] :] if starts else ""


def unsigned(message: str) -> str:
    """A tag's message without its signature."""
    return message.removesuffix(signature(message))


def linked(message: str, previous: Link | None) -> str:
    """Let a message of ours name the event before it; nothing where it is a model's first."""
    if previous is None:
        return message
    return f"{message.rstrip()}\nprevious:\n  tag: '{previous.tag}'\n  id: '{previous.oid}'\n"


def link_of(detail: Mapping[str, Any]) -> Link | None:
    """Read which event a tag's YAML names as the one before it; None where it names none."""
    told = detail.get("previous")
    if not isinstance(told, dict) or not isinstance(told.get("tag"), str):
        return None
    oid = told.get("id")
    if not isinstance(oid, str) or not _OID.fullmatch(oid) or parse(told["tag"]) is None:
        return None
    return Link(tag=told["tag"], oid=oid)


class _Plain:
    """Copies YAML values as plain JSON ones, up to a budget (YAML references can multiply)."""

    def __init__(self) -> None:
        self._nodes = 0

    def copy(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise ValueError("too big")
        if isinstance(value, dict):
            return {str(key): self.copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value]
        if value is None or isinstance(value, str | bool | int | float):
            return value
        return str(value)
