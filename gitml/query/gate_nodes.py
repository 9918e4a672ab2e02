"""Hides how a gate's expression is represented once it is read, and what its fields can be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Type(StrEnum):
    """What a part of an expression is, as far as its text tells."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOLEAN = "a boolean"
    LABEL = "a param or tag"  # a text that is read as whatever it is compared with


FIELDS = MappingProxyType({
    "metrics": Type.NUMBER, "params": Type.LABEL, "tags": Type.LABEL, "datasets": Type.TEXT,
    "evaluations": Type.TEXT, "source": Type.TEXT, "signature": Type.TEXT,
    "approvals": Type.NUMBER, "approved_by": Type.BOOLEAN,
})  # fmt: skip
"""Type of each kind of field; of ``source`` only ``dirty`` is a boolean."""
APPROVAL_KINDS = ("approvals", "approved_by")
"""Kinds that tell of the promotion, not of a version: no stage stands before them."""
APPROVAL_KEYS = ("count",)
SOURCE_KEYS = ("branch", "commit", "dirty", "name", "python", "remote", "type")
SIGNATURE_KEYS = ("inputs", "outputs", "params")
FUNCTIONS = ("min", "max", "abs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A value that stands in the expression."""

    value: float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateField:
    """Something measured.

    Attributes:
        stage: Lower-case stage whose present version is meant; empty for the candidate.
        kind: A key of ``FIELDS``.
        key: Name of the metric, param, and so on.
        start: Where it begins in the expression.
        end: Where it ends.
    """

    stage: str
    kind: str
    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operator or a function with what it is applied to; ``-`` of one item negates."""

    operator: str
    items: tuple[Node, ...]


Node = Literal | GateField | Operation


def type_of(node: Node) -> Type:
    """Tell what a part of an expression is."""
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
