"""Hides JSON Schema: the schema files of this folder, and the part of the standard they use.

Kept small and without a library, because it runs in `gitml fsck` on every machine; the tests hold
it against a complete implementation.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

NAMES = (
    "run", "experiment", "model", "version", "version-commit", "artifacts", "metric-point",
    "gitml.yaml",
)  # fmt: skip


@cache
def schema(name: str) -> Mapping[str, Any]:
    """Read one of the schemas named in ``NAMES``."""
    value: Mapping[str, Any] = json.loads((files(__package__) / f"{name}.json").read_bytes())
    return value


def faults(value: Any, name: str) -> Iterator[str]:
    """List where a value breaks a schema, each as ``field: what is wrong``."""
    yield from _faults(value, schema(name), "")


def _is_integer(value: Any) -> bool:
    whole = isinstance(value, float) and math.isfinite(value) and value.is_integer()
    return (isinstance(value, int) and not isinstance(value, bool)) or whole


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _faults(value: Any, rules: Mapping[str, Any], where: str) -> Iterator[str]:
    place = where or "the whole"
    kind = rules.get("type")
    if kind and not _TYPES[kind](value):
        yield f"{place}: is not of type {kind}"
        return
    if "enum" in rules and value not in rules["enum"]:
        yield f"{place}: is not one of {', '.join(map(str, rules['enum']))}"
    if "anyOf" in rules and all(any(_faults(value, one, where)) for one in rules["anyOf"]):
        yield f"{place}: fits none of what it may be"
    if isinstance(value, str):
        yield from _text_faults(value, rules, place)
    elif isinstance(value, dict):
        yield from _object_faults(value, rules, where)
    elif isinstance(value, list):
        yield from _list_faults(value, rules, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_faults(value, rules, place)


def _number_faults(value: float, rules: Mapping[str, Any], place: str) -> Iterator[str]:
    if value < rules.get("minimum", -math.inf) or value > rules.get("maximum", math.inf):
        yield f"{place}: is out of range"


def _text_faults(value: str, rules: Mapping[str, Any], place: str) -> Iterator[str]:
    if not rules.get("minLength", 0) <= len(value) <= rules.get("maxLength", math.inf):
        yield f"{place}: is too short or too long"
    if "pattern" in rules and not re.search(rules["pattern"], value):
        yield f"{place}: does not match {rules['pattern']}"


def _object_faults(value: Mapping[str, Any], rules: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in rules.get("required", ()):
        if key not in value:
            yield f"{where or 'the whole'}: lacks {key!r}"
    known, others = rules.get("properties", {}), rules.get("additionalProperties", True)
    for key, item in value.items():
        name = f"{where}.{key}"[:200] if where else key[:200]
        if key in known:
            yield from _faults(item, known[key], name)
        elif others is False:
            yield f"{name}: is unknown"
        elif isinstance(others, dict):
            yield from _faults(item, others, name)


def _list_faults(value: list[Any], rules: Mapping[str, Any], where: str) -> Iterator[str]:
    first, others = rules.get("prefixItems", []), rules.get("items", True)
    if len(value) < rules.get("minItems", 0):
        yield f"{where or 'the whole'}: has too few items"
    for at, item in enumerate(value):
        name = f"{where}[{at}]"
        if at < len(first):
            yield from _faults(item, first[at], name)
        elif others is False:
            yield f"{name}: is one too many"
        elif isinstance(others, dict):
            yield from _faults(item, others, name)
