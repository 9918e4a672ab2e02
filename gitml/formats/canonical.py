"""Write canonical JSON and read it back as checked values. Pure.

Records may have been written by anybody who can push, so nothing in them is trusted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from functools import cache
from json.encoder import encode_basestring as quoted
from typing import Any, TypeGuard

from gitml.errors import SchemaTooNew, StoreError
from gitml.formats import limits
from gitml.text import short_repr

SCHEMA = 1
_DEEPEST = 64  # levels of lists and objects in fields that we do not know but keep
INT64 = 2**63
_CONTAINERS = (dict, list, tuple)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def dump(value: Mapping[str, Any]) -> bytes:
    """Return canonical bytes: sorted keys, two spaces, UTF-8, LF, newline at the end."""
    return text(value).encode("utf-8", "backslashreplace") + b"\n"


def text(value: Any, depth: int = 0) -> str:
    """Return what ``json.dumps`` with ``indent=2`` does, in a third of the time.

    A commit of thousands of runs spends most of its time here.

    Raises:
        ValueError: A number is not finite.
    """
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is int or (kind is float and value - value == 0.0):
        return repr(value)
    if not value or not isinstance(value, _CONTAINERS):
        return _encode(value)
    inside, outside = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    if isinstance(value, dict):
        items = [f"{quoted(k)}: {text(value[k], depth + 1)}" for k in sorted(value)]
    else:
        items = [text(item, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}{inside}{f',{inside}'.join(items)}{outside}{closing}"


def load(data: bytes, what: str) -> dict[str, Any]:
    """Parse a record's JSON.

    Raises:
        StoreError: It is not a JSON object of UTF-8 text.
        SchemaTooNew: A newer gitml wrote it.
    """
    if len(data) > limits.READ_RECORD:
        raise StoreError(f"{what} is larger than {limits.READ_RECORD:,} bytes: {len(data):,}.")
    try:
        value = _decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{what} is not valid JSON ({error}).") from error
    if not isinstance(value, dict):
        raise StoreError(f"{what} is not a JSON object.")
    schema = value.get("schema")
    if type(schema) is not int or schema < 1:
        raise StoreError(f"{what} has no valid schema number.")
    if schema > SCHEMA:
        raise SchemaTooNew(f"{what} has schema {schema}; this gitml reads up to {SCHEMA}.")
    return value


def unknown(value: Mapping[str, Any], fields: Collection[str], what: str) -> dict[str, Any]:
    """Return the fields of a record that this version does not know, to keep them.

    Raises:
        StoreError: They could not be written again: too deep, or numbers out of range.
    """
    extra = {key: value[key] for key in value.keys() - fields}
    if extra:
        layer: list[Any] = [extra]
        for _ in range(_DEEPEST):
            layer = [child for item in layer for child in _children(item)]
        if layer:
            raise StoreError(f"{what} has fields nested deeper than {_DEEPEST} levels.")
        try:
            json.dumps(extra, allow_nan=False)
        except ValueError as error:
            raise StoreError(f"{what} has a number out of range.") from error
    return extra


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def number_out(value: float) -> float | str:
    """Return a metric's value as JSON holds it: NaN and infinities as strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def number_in(value: object) -> float:
    """Read what ``number_out`` returns.

    Raises:
        StoreError: The value is anything else.
    """
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise StoreError("A metric value is out of range.") from error
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    raise StoreError(f"{short_repr(value)} is not a metric value.")


def is_int64(value: object) -> TypeGuard[int]:
    """Return True if a JSON value is a 64-bit integer; booleans are not."""
    return type(value) is int and -INT64 <= value < INT64


@cache
def _choices(choices: type[StrEnum]) -> frozenset[str]:
    return frozenset(choices)


class Reader:
    """Typed access to the fields of a JSON object.

    Every method raises ``StoreError`` if the value has another type; the message names the field.

    Args:
        value: The object.
        what: Where it comes from, for messages.
    """

    def __init__(self, value: Mapping[str, Any], what: str) -> None:
        self._value, self._what = value, what

    def _wrong(self, key: str, expected: str) -> StoreError:
        return StoreError(f"{self._what}: field {short_repr(key)} must be {expected}.")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; ``default`` if the field is absent."""
        value = self._value.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def choice(self, key: str, choices: type[StrEnum], default: str | None = None) -> str:
        """Return a string that is a value of an enumeration."""
        value = self.text(key, default)
        if value not in _choices(choices):
            raise self._wrong(key, f"one of {', '.join(choices)}")
        return value

    def integer(self, key: str) -> int:
        """Return a 64-bit integer."""
        value = self._value.get(key)
        if not is_int64(value):
            raise self._wrong(key, "a 64-bit integer")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return an object; an empty one if the field is absent."""
        value = self._value.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return value

    def items(self, key: str) -> list[Any]:
        """Return a list; an empty one if the field is absent."""
        value = self._value.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; an empty one if the field is absent."""
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "a list of strings")
        return tuple(values)

    def texts(self, key: str) -> dict[str, str]:
        """Return an object of strings; an empty one if the field is absent."""
        value = self.mapping(key)
        if not all(isinstance(text, str) for text in value.values()):
            raise self._wrong(key, "an object of strings")
        return dict(value)

    def integers(self, key: str) -> dict[str, int]:
        """Return an object of 64-bit integers; an empty one if the field is absent."""
        value = self.mapping(key)
        if not all(map(is_int64, value.values())):
            raise self._wrong(key, "an object of 64-bit integers")
        return dict(value)
