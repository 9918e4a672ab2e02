"""Hides the JSON that gitml writes: canonical bytes out, checked values in, all pure.

What is read here may have been written by anybody who can push.
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

SCHEMA = 1
LARGEST_RECORD = 16 * 2**20  # bytes of one JSON record; ours have some kilobytes
_DEEPEST = 64  # levels of lists and objects in fields that we do not know but keep
INT64 = 2**63
_CONTAINERS = (dict, list, tuple)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def dump(value: Mapping[str, Any]) -> bytes:
    """Canonical bytes: sorted keys, two spaces, UTF-8, LF, newline at the end."""
    return text(value).encode("utf-8", "backslashreplace") + b"\n"


def text(value: Any, depth: int = 0) -> str:
    """What ``json.dumps`` with ``indent=2`` gives, in a third of the time; finite numbers only.

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
        items = [text(one, depth + 1) for one in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}{inside}{f',{inside}'.join(items)}{outside}{closing}"


def load(data: bytes, what: str) -> dict[str, Any]:
    """Parse a record's JSON.

    Raises:
        StoreError: It is not a JSON object of UTF-8 text.
        SchemaTooNew: A newer gitml wrote it.
    """
    if len(data) > LARGEST_RECORD:
        raise StoreError(f"{what} has {len(data):,} bytes, more than {LARGEST_RECORD:,}.")
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
        raise SchemaTooNew(
            f"{what} has schema {schema}; this gitml reads up to {SCHEMA}.",
            hint="Upgrade with `pip install --upgrade gitml`.",
        )
    return value


def unknown(value: Mapping[str, Any], known: Collection[str], what: str) -> dict[str, Any]:
    """Return the fields of a record that this version does not know, to be kept.

    Raises:
        StoreError: They could not be written again: too deep, or numbers out of range.
    """
    extra = {key: value[key] for key in value.keys() - known}
    if extra:
        layer: list[Any] = [extra]
        for _ in range(_DEEPEST):
            layer = [item for one in layer for item in _children(one)]
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
    """A metric's value as JSON holds it: NaN and infinities as strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def number_in(value: object) -> float:
    """The inverse of ``number_out``.

    Raises:
        StoreError: Anything else.
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
    raise StoreError(f"{value!r:.60} is not a metric value.")


def is_int64(value: object) -> TypeGuard[int]:
    """Tell whether a value of JSON is a 64-bit integer; true and false are none."""
    return type(value) is int and -INT64 <= value < INT64


@cache
def _choices(choices: type[StrEnum]) -> frozenset[str]:
    return frozenset(choices)


class Reader:
    """Typed access to one JSON object of unknown origin.

    Each method raises ``StoreError`` where the value is of another type; the message names the key.

    Args:
        value: The object.
        what: Where it comes from, for messages.
    """

    def __init__(self, value: Mapping[str, Any], what: str) -> None:
        self._value, self._what = value, what

    def _wrong(self, key: str, wanted: str) -> StoreError:
        return StoreError(f"{self._what}: field {key!r:.60} is not {wanted}.")

    def text(self, key: str, default: str | None = None) -> str:
        """Get a text; ``default`` where the key is absent."""
        value = self._value.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def choice(self, key: str, choices: type[StrEnum]) -> str:
        """Get a text that is a value of an enumeration."""
        value = self.text(key)
        if value not in _choices(choices):
            raise self._wrong(key, f"one of {', '.join(choices)}")
        return value

    def integer(self, key: str) -> int:
        """Get a 64-bit integer."""
        value = self._value.get(key)
        if not is_int64(value):
            raise self._wrong(key, "a 64-bit integer")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Get an object; empty where the key is absent."""
        value = self._value.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return value

    def items(self, key: str) -> list[Any]:
        """Get a list; empty where the key is absent."""
        value = self._value.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """Get an object of texts; empty where the key is absent."""
        value = self.mapping(key)
        if not all(isinstance(text, str) for text in value.values()):
            raise self._wrong(key, "an object of texts")
        return dict(value)

    def integers(self, key: str) -> dict[str, int]:
        """Get an object of 64-bit integers; empty where the key is absent."""
        value = self.mapping(key)
        if not all(map(is_int64, value.values())):
            raise self._wrong(key, "an object of 64-bit integers")
        return dict(value)
