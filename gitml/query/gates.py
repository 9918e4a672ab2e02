"""Hides how a gate is judged: values in, verdict out. All pure.

A value can be missing (the run lacks the metric, it is NaN, a param is no number, a division by
zero): what depends on it is unknown, and a gate that stays unknown fails and says why. Where
nothing is live in a stage that a gate names, the comparison with it is vacant: it neither helps
nor harms the rest of the gate, and the verdict says so. ``is null`` asks for missing values.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gitml.query.gate_nodes import GateField, Literal, Node, Type, fields_of, type_of
from gitml.query.gate_parser import parse
from gitml.text import format_number

Value = float | str | bool
Facts = Mapping[str, Mapping[str, Value]]
"""What is known of one version: kind of field (``metrics``, …), then key, to value."""

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
    """One criterion: its text, and what was read from it."""

    text: str
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one gate.

    Attributes:
        gate: The expression.
        measured: The expression with the measured values in it.
        holds: Whether it is met.
        note: Why it fails or holds where the numbers do not tell.
        values: Each field and its value; None where it is missing.
        pending: Whether it does not hold yet and only approvals are wanting.
    """

    gate: str
    measured: str
    holds: bool
    note: str = ""
    values: Mapping[str, Value | None] = field(default_factory=dict)
    pending: bool = False


@dataclass(frozen=True, slots=True)
class _Missing:
    """A value that is not there, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class _Vacant:
    """A value of the version in a stage where none is."""

    stage: str


_Result = Value | _Missing | _Vacant


def read(text: str) -> Gate:
    """Read a gate.

    Raises:
        InvalidInput: It cannot be read; the message gives the position.
    """
    return Gate(text=text.strip(), node=parse(text.strip()))


def judge(gate: Gate, candidate: Facts, incumbents: Mapping[str, Facts | None]) -> Verdict:
    """Judge a candidate by a gate.

    Args:
        gate: The criterion.
        candidate: What is known of the candidate.
        incumbents: By lower-case stage, what is known of the version that is in it now; None or
            absent where nothing is.
    """
    bench = _Bench(candidate, incumbents)
    result = bench.value(gate.node)
    fields = fields_of(gate.node)
    found = {one: bench.value(one) for one in fields}
    return Verdict(
        gate=gate.text,
        measured=_filled(gate.text, found),
        holds=result is True or isinstance(result, _Vacant),
        note=_note(result, found.values()),
        values={gate.text[one.start : one.end]: _recorded(value) for one, value in found.items()},
    )


def _note(result: _Result, found: Iterable[_Result]) -> str:
    if isinstance(result, _Missing):
        return result.why
    vacant = dict.fromkeys(one.stage for one in found if isinstance(one, _Vacant))
    return f"nothing is live in {', '.join(s.capitalize() for s in vacant)}" if vacant else ""


class _Bench:
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

    def _field(self, one: GateField) -> _Result:
        facts = self._incumbents.get(one.stage) if one.stage else self._candidate
        if facts is None:
            return _Vacant(one.stage)
        value = facts.get(one.kind, {}).get(one.key)
        name = f"{one.stage}.{one.kind}.{one.key}".lstrip(".")
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
            pair = [_as_boolean(self.value(one), one) for one in (left, right)]
        else:
            pair = [self.value(left), self.value(right)]
        unknown = _unknown(pair)
        if unknown is not None:
            return unknown
        compare: Callable[[_Result, _Result], bool] = _COMPARE[sign]  # type: ignore[assignment]
        return compare(pair[0], pair[1])


def _unknown(items: Iterable[_Result]) -> _Missing | _Vacant | None:
    """What makes a result unknown: something missing before something vacant."""
    items = list(items)
    missing = next((item for item in items if isinstance(item, _Missing)), None)
    return missing or next((item for item in items if isinstance(item, _Vacant)), None)


def _joined(word: str, left: _Result, right: _Result) -> _Result:
    """Three-valued logic; of what is vacant the other side decides, except in favour of OR."""
    decisive = word == "or"
    if left is decisive or right is decisive:
        return decisive
    unknown = [item for item in (left, right) if not isinstance(item, bool)]
    if not unknown:
        return not decisive
    if decisive:  # vacant or missing: the gate names an incumbent, and there is none
        return next((item for item in unknown if isinstance(item, _Vacant)), unknown[0])
    return _unknown(unknown) or not decisive


def _null(item: _Result, wanted: bool) -> _Result:
    if isinstance(item, _Vacant):
        return item
    return isinstance(item, _Missing) is wanted


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
    return _Missing("the calculation gives no number") if math.isnan(result) else result


def _as_number(item: _Result, node: Node) -> _Result:
    if not isinstance(item, str):
        return item
    try:
        number = float(item)
    except ValueError:
        number = math.nan
    return _Missing(f"{_name(node)} is {item!r:.60}, no number") if math.isnan(number) else number


def _as_boolean(item: _Result, node: Node) -> _Result:
    if not isinstance(item, str):
        return item
    if item.strip().lower() in ("true", "false"):
        return item.strip().lower() == "true"
    return _Missing(f"{_name(node)} is {item!r:.60}, neither true nor false")


def _name(node: Node) -> str:
    return (
        f"{node.stage}.{node.kind}.{node.key}".lstrip(".") if isinstance(node, GateField) else "it"
    )


# Words ------------------------------------------------------------------------------------------


def _filled(text: str, found: Mapping[GateField, _Result]) -> str:
    parts, at = [], 0
    for one, value in found.items():
        spelled = format_value(_recorded(value, _SHORT), vacant=isinstance(value, _Vacant))
        parts += [text[at : one.start], spelled]
        at = one.end
    return "".join([*parts, text[at:]])


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
