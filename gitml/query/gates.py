"""Judge gates: values in, verdict out. Pure.

A value can be missing (the run lacks the metric, it is NaN, a param is not a number, a division by
zero): what depends on it is unknown, and a gate that stays unknown fails and says why. If no
version is live in a stage that a gate names, the comparison with it is vacant: it does not change
the result of the rest of the gate, and the verdict says so. ``is null`` is true for missing values.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gitml.entities import NOT_COMMITTED_TAG
from gitml.query.gate_nodes import GateField, Literal, Node, Type, fields_of, type_of
from gitml.query.gate_parser import parse
from gitml.text import format_number

Value = float | str | bool
Facts = Mapping[str, Mapping[str, Value]]
"""The values of a version: kind of field (``metrics``, …), then key, to value."""

_LONGEST = 120  # characters of a text in a verdict
_SHORT = 40  # within the expression
_DIGITS = 7  # significant; verdicts compare numbers that may be close
_CALCULATE: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip
_COMPARE: Mapping[str, Callable[[Value, Value], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One criterion: its text and its parsed expression."""

    text: str
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of one gate.

    Attributes:
        gate: The expression.
        measured: The expression with the measured values in it.
        holds: True if it is met.
        note: Why it fails or holds, if the numbers alone do not explain it.
        values: Each field and its value; None if it is missing.
        pending: True if it does not hold yet and lacks only approvals.
    """

    gate: str
    measured: str
    holds: bool
    note: str = ""
    values: Mapping[str, Value | None] = field(default_factory=dict)
    pending: bool = False


@dataclass(frozen=True, slots=True)
class _Missing:
    """A missing value, and why it is missing."""

    why: str


@dataclass(frozen=True, slots=True)
class _Vacant:
    """A value of the version in a stage that has no version."""

    stage: str


_Result = Value | _Missing | _Vacant


def read(text: str) -> Gate:
    """Parse a gate.

    Raises:
        InvalidInput: It is not valid; the message gives the position.
    """
    return Gate(text=text.strip(), node=parse(text.strip()))


def judge(gate: Gate, candidate: Facts, incumbents: Mapping[str, Facts | None]) -> Verdict:
    """Judge a candidate by a gate.

    Args:
        gate: The criterion.
        candidate: The values of the candidate.
        incumbents: The values of the version that is live in a stage, by lower-case stage; None or
            absent if there is none.
    """
    evaluator = _Evaluator(candidate, incumbents)
    result = evaluator.value(gate.node)
    values = {field: evaluator.value(field) for field in fields_of(gate.node)}
    return Verdict(
        gate=gate.text,
        measured=_filled(gate.text, values),
        holds=result is True or isinstance(result, _Vacant),
        note=_note(result, values.values()) or _not_committed(result, values, candidate),
        values={gate.text[field.start : field.end]: _recorded(v) for field, v in values.items()},
    )


def _note(result: _Result, values: Iterable[_Result]) -> str:
    if isinstance(result, _Missing):
        return result.why
    vacant = dict.fromkeys(value.stage for value in values if isinstance(value, _Vacant))
    return f"nothing is live in {', '.join(s.capitalize() for s in vacant)}" if vacant else ""


def _not_committed(result: _Result, values: Mapping[GateField, _Result], candidate: Facts) -> str:
    """Name the files that a failed gate of ``source.dirty`` is about."""
    dirty = any((f.stage, f.kind, f.key) == ("", "source", "dirty") and values[f] for f in values)
    files = candidate.get("tags", {}).get(NOT_COMMITTED_TAG) if dirty and not result else None
    return f"not committed: {files}" if files else ""


class _Evaluator:
    """Evaluates the nodes of one gate."""

    def __init__(self, candidate: Facts, incumbents: Mapping[str, Facts | None]) -> None:
        self._candidate = candidate
        self._incumbents = incumbents

    def value(self, node: Node) -> _Result:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, GateField):
            return self._field(node)
        if node.operator in ("and", "or"):
            return _joined(node.operator, *map(self.value, node.items))
        if node.operator in _COMPARE:
            return self._compared(node.operator, *node.items)
        if node.operator.startswith("is"):
            return _null(self.value(node.items[0]), node.operator == "is null")
        if node.operator == "not":
            item = self.value(node.items[0])
            return not item if isinstance(item, bool) else item
        return _calculated(node.operator, [self._number(item) for item in node.items])

    def _field(self, field: GateField) -> _Result:
        facts = self._incumbents.get(field.stage) if field.stage else self._candidate
        if facts is None:
            return _Vacant(field.stage)
        value = facts.get(field.kind, {}).get(field.key)
        name = f"{field.stage}.{field.kind}.{field.key}".lstrip(".")
        if value is None:
            return _Missing(f"{name} is missing")
        if isinstance(value, float) and math.isnan(value):
            return _Missing(f"{name} is NaN")
        return value

    def _number(self, node: Node) -> _Result:
        return _as_number(self.value(node), node)

    def _compared(self, sign: str, left: Node, right: Node) -> _Result:
        types = {type_of(left), type_of(right)}
        if Type.NUMBER in types or sign not in ("=", "!="):
            pair = [self._number(left), self._number(right)]
        elif Type.BOOLEAN in types:
            pair = [_as_boolean(self.value(node), node) for node in (left, right)]
        else:
            pair = [self.value(left), self.value(right)]
        unknown = _unknown(pair)
        if unknown is not None:
            return unknown
        compare: Callable[[_Result, _Result], bool] = _COMPARE[sign]  # type: ignore[assignment]
        return compare(pair[0], pair[1])


def _unknown(items: Iterable[_Result]) -> _Missing | _Vacant | None:
    """Return what makes a result unknown: a missing value, or else a vacant one."""
    items = list(items)
    missing = next((item for item in items if isinstance(item, _Missing)), None)
    return missing or next((item for item in items if isinstance(item, _Vacant)), None)


def _joined(word: str, left: _Result, right: _Result) -> _Result:
    """Join by three-valued logic; a vacant side leaves the result to the other, except for OR."""
    decisive = word == "or"
    if left is decisive or right is decisive:
        return decisive
    unknown = [item for item in (left, right) if not isinstance(item, bool)]
    if not unknown:
        return not decisive
    if decisive:  # vacant or missing: the gate names an incumbent, and there is none
        return next((item for item in unknown if isinstance(item, _Vacant)), unknown[0])
    return _unknown(unknown) or not decisive


def _null(item: _Result, expected: bool) -> _Result:
    if isinstance(item, _Vacant):
        return item
    return isinstance(item, _Missing) is expected


def _calculated(sign: str, items: list[_Result]) -> _Result:
    unknown = _unknown(items)
    if unknown is not None:
        return unknown
    numbers = [float(item) for item in items if not isinstance(item, _Missing | _Vacant)]
    result: float
    if sign in ("min", "max", "abs"):
        result = {"min": min, "max": max, "abs": lambda n: abs(n[0])}[sign](numbers)  # type: ignore[operator]
    elif len(numbers) == 1:
        result = -numbers[0]
    elif sign == "/" and numbers[1] == 0:
        return _Missing("it divides by zero")
    else:
        result = _CALCULATE[sign](*numbers)
    return _Missing("the result is not a number") if math.isnan(result) else result


def _as_number(item: _Result, node: Node) -> _Result:
    if not isinstance(item, str):
        return item
    try:
        number = float(item)
    except ValueError:
        number = math.nan
    return (
        _Missing(f"{_name(node)} is {item!r:.60}, not a number") if math.isnan(number) else number
    )


def _as_boolean(item: _Result, node: Node) -> _Result:
    if not isinstance(item, str):
        return item
    if item.strip().lower() in ("true", "false"):
        return item.strip().lower() == "true"
    return _Missing(f"{_name(node)} is {item!r:.60}, not true or false")


def _name(node: Node) -> str:
    return (
        f"{node.stage}.{node.kind}.{node.key}".lstrip(".") if isinstance(node, GateField) else "it"
    )


# Texts ------------------------------------------------------------------------------------------


def _filled(text: str, values: Mapping[GateField, _Result]) -> str:
    parts, end = [], 0
    for item, value in values.items():
        formatted = format_value(_recorded(value, _SHORT), vacant=isinstance(value, _Vacant))
        parts += [text[end : item.start], formatted]
        end = item.end
    return "".join([*parts, text[end:]])


def format_value(value: Value | None, *, vacant: bool = False) -> str:
    """Format a value as it stands in an expression; verdicts in tags hold such texts."""
    if value is None:
        return "(nothing live)" if vacant else "(missing)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    return format_number(value, _DIGITS) if math.isfinite(value) else str(value)


def _recorded(value: _Result, longest: int = _LONGEST) -> Value | None:
    if isinstance(value, _Missing | _Vacant):
        return None
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}…"
    return value
