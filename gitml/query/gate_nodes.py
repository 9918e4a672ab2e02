"""The parsed expression of a gate, and the fields it can use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Type(StrEnum):
    """The type of a part of an expression, as far as it is known before judging."""

    NUMBER = "a number"
    TEXT = "a string"
    BOOLEAN = "a boolean"
    LABEL = "a param or tag"  # a string that is converted to the type it is compared with


FIELDS = MappingProxyType({
    "metrics": Type.NUMBER, "params": Type.LABEL, "tags": Type.LABEL, "datasets": Type.TEXT,
    "evaluations": Type.TEXT, "source": Type.TEXT, "signature": Type.TEXT,
    "approvals": Type.NUMBER, "approved_by": Type.BOOLEAN,
})  # fmt: skip
"""Type of each kind of field; of ``source`` only ``dirty`` is a boolean."""
APPROVAL_KINDS = ("approvals", "approved_by")
"""Kinds that belong to the promotion, not to a version: they take no stage."""
APPROVAL_KEYS = ("count",)
SOURCE_KEYS = ("branch", "commit", "dirty", "name", "python", "remote", "type")
SIGNATURE_KEYS = ("inputs", "outputs", "params")
FUNCTIONS = ("min", "max", "abs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A value written in the expression."""

    value: float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateField:
    """A measured value.

    Attributes:
        stage: Lower-case stage whose current version is meant; empty for the candidate.
        kind: A key of ``FIELDS``.
        key: Name of the metric, param, and so on.
        start: Index of its first character in the expression.
        end: Index after its last character.
    """

    stage: str
    kind: str
    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operator or a function with its operands; ``-`` of one operand negates."""

    operator: str
    items: tuple[Node, ...]


Node = Literal | GateField | Operation


def type_of(node: Node) -> Type:
    """Return the type of a part of an expression."""
    if isinstance(node, GateField):
        if (node.kind, node.key) == ("source", "dirty"):
            return Type.BOOLEAN
        return FIELDS[node.kind]
    if isinstance(node, Operation):
        arithmetic = node.operator in ("+", "-", "*", "/", *FUNCTIONS)
        return Type.NUMBER if arithmetic else Type.BOOLEAN
    if isinstance(node.value, bool):
        return Type.BOOLEAN
    return Type.TEXT if isinstance(node.value, str) else Type.NUMBER


def fields_of(node: Node) -> tuple[GateField, ...]:
    """List the fields of an expression, from left to right."""
    if isinstance(node, Operation):
        return tuple(field for item in node.items for field in fields_of(item))
    return (node,) if isinstance(node, GateField) else ()
