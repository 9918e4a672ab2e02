"""Typed values of the YAML in a tag's message: who, why, from which stage to which, on what gates.

Anybody may have written a tag. A value of another type than its key calls for reads as missing; it
is kept, like unknown keys, and written back as it was. All pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from gitml.git import Tag
from gitml.query.gates import Value
from gitml.registry.tags.grammar import parse

_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PYTHON_WORDS = {"from_stage": "from", "to_stage": "to"}
_AUTHOR = ("user", "reason")
_ORIGIN = ("run_id", "source", "digest")
_OF_STEP = ("model", "version", "alias", "from", "to", "archive", "replaced_by", "reasserted",
            "previous")  # fmt: skip
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLink:
    """Name and object id of a tag, as the next tag of the model records it."""

    tag: str
    oid: str

    @classmethod
    def to(cls, tag: Tag) -> TagLink:
        """Return the link to a tag."""
        return cls(tag=tag.name, oid=tag.oid)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedGate:
    """A gate with the values it was judged by.

    Attributes:
        gate: The expression.
        measured: The expression with values in place of fields.
        holds: Whether it held; None if not recorded.
        values: Field to value; None if not recorded.
        note: A remark, such as who approved.
    """

    gate: str | None
    measured: str | None
    holds: bool | None
    values: Mapping[str, Value | None] | None
    note: str = ""

    @classmethod
    def from_yaml(cls, document: Mapping[str, Any]) -> RecordedGate:
        """Read one item of ``gates``."""
        values = document.get("values")
        return cls(
            gate=_text_or_none(document.get("gate")),
            measured=_text_or_none(document.get("measured")),
            holds=_flag_or_none(document.get("holds")),
            values=_scalars(values) if isinstance(values, dict) else None,
            note=_text(document.get("note")),
        )

    def to_yaml(self) -> dict[str, Any]:
        """Return the item as it is written."""
        document: dict[str, Any] = {
            "gate": self.gate,
            "measured": self.measured,
            "holds": self.holds,
            "values": dict(self.values or {}),
        }
        return {**document, "note": self.note} if self.note else document


class Entries(TypedDict, total=False):
    """Keys of the YAML and their types; ``from`` and ``to`` are spelled out."""

    model: str
    version: int | str
    alias: str
    from_stage: str
    to_stage: str
    archive: bool
    replaced_by: int | str
    reasserted: bool
    proposed_by: str
    merged_by: str
    committer: str
    merge_commit: str
    pull_request: str | None
    approved_by: Sequence[str]
    approvals_from: str
    gates: Sequence[RecordedGate]
    forced: bool
    user: str
    reason: str
    run_id: str
    source: str
    digest: str


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _label(value: object) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _flag_or_none(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _flag(value: object) -> bool:
    return value is True


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) else ()


def _gates(value: object) -> tuple[RecordedGate, ...]:
    items = value if isinstance(value, list) else []
    return tuple(RecordedGate.from_yaml(item) for item in items if isinstance(item, dict))


def _link(value: object) -> TagLink | None:
    tag, oid = (value.get("tag"), value.get("id")) if isinstance(value, dict) else (None, None)
    if not isinstance(tag, str) or not isinstance(oid, str):
        return None
    return TagLink(tag=tag, oid=oid) if _OID.fullmatch(oid) and parse(tag) else None


def _scalars(values: Mapping[str, object]) -> dict[str, Value | None]:
    return {
        str(key): value
        for key, value in values.items()
        if value is None or isinstance(value, str | bool | int | float)
    }


class _Entry(Generic[_T]):
    """An attribute of ``TagDetail``, read from one key of the YAML."""

    def __init__(self, key: str, read: Callable[[object], _T]) -> None:
        self._key = key
        self._read = read

    def __get__(self, detail: TagDetail, owner: type) -> _T:
        return self._read(detail.document.get(self._key))


@dataclass(frozen=True, slots=True)
class TagDetail:
    """The YAML of a tag's message; keys keep their order.

    Texts are empty, flags False and sequences empty where the YAML has no such key.

    Attributes:
        document: The YAML as plain values.
    """

    document: Mapping[str, Any] = field(default_factory=dict)

    model = _Entry("model", _text_or_none)
    version = _Entry("version", _label)
    alias = _Entry("alias", _text)
    from_stage = _Entry("from", _text)
    to_stage = _Entry("to", _text)
    archive = _Entry("archive", _flag)
    replaced_by = _Entry("replaced_by", _label)
    reasserted = _Entry("reasserted", _flag)
    proposed_by = _Entry("proposed_by", _text)
    merged_by = _Entry("merged_by", _text)
    merge_commit = _Entry("merge_commit", _text)
    pull_request = _Entry("pull_request", _text)
    approved_by = _Entry("approved_by", _texts)
    approvals_from = _Entry("approvals_from", _text)
    gates = _Entry("gates", _gates)
    forced = _Entry("forced", _flag)
    reason = _Entry("reason", _text)
    run_id = _Entry("run_id", _text_or_none)
    digest = _Entry("digest", _text_or_none)
    previous = _Entry("previous", _link)

    @classmethod
    def of(cls, **entries: Unpack[Entries]) -> TagDetail:
        """Build a detail to be written; keys stand in the order of the arguments."""
        return cls({_PYTHON_WORDS.get(key, key): _plain(value) for key, value in entries.items()})

    @classmethod
    def from_yaml(cls, document: Mapping[str, Any]) -> TagDetail:
        """Read parsed YAML."""
        return cls(document)

    def to_yaml(self) -> dict[str, Any]:
        """Return the YAML to be written: everything but empty values."""
        return {key: value for key, value in self.document.items()
                if value not in (None, "", {}, [])}  # fmt: skip

    def __or__(self, other: TagDetail) -> TagDetail:
        """Add the entries of another detail, which win over those of the same key."""
        return TagDetail({**self.document, **other.document})

    @property
    def author(self) -> TagDetail:
        """Only who made the change, and why."""
        return self._only(_AUTHOR)

    @property
    def origin(self) -> TagDetail:
        """Only where the version comes from."""
        return self._only([key for key in self.document if key in _ORIGIN])

    @property
    def circumstances(self) -> TagDetail:
        """All but what the step itself and its place in the chain determine."""
        return self._only([key for key in self.document if key not in _OF_STEP])

    def with_texts(self, change: Callable[[str], str]) -> TagDetail:
        """Change every entry that is a text."""
        return TagDetail({
            key: change(value) if isinstance(value, str) else value
            for key, value in self.document.items()
        })  # fmt: skip

    def _only(self, keys: Sequence[str]) -> TagDetail:
        return TagDetail({key: self.document[key] for key in keys if key in self.document})


def _plain(value: object) -> object:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [item.to_yaml() if isinstance(item, RecordedGate) else item for item in value]
