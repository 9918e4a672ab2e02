"""Check values against JSON Schema: the schema files of this folder, and those of other rooms.

Kept small and without a library, because it runs in ``gitml fsck`` on every machine and for every
file that people write; the tests hold it against a complete implementation. It knows the part of
the standard that our schemas use.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gitml.errors import InvalidInput
from gitml.text import short_repr

NAMES = (
    "run", "experiment", "model", "version", "version-commit", "artifacts", "metric-point",
    "gitml.yaml",
)  # fmt: skip
_LONGEST = 200  # characters of a path in a message
_NULL = "YAML takes what follows # for a comment: put the value in quotes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Where and how a value breaks a schema.

    Attributes:
        rule: The keyword of JSON Schema that it breaks, such as ``minimum``.
        message: A sentence without its period, such as ``rows must be 0 or greater, not -1``.
        hint: What to write instead, None if the message tells.
    """

    rule: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """Return the message."""
        return self.message


@cache
def schema(name: str) -> Mapping[str, Any]:
    """Read one of the schemas named in ``NAMES``."""
    from importlib.resources import files

    value: Mapping[str, Any] = json.loads((files(__package__) / f"{name}.json").read_bytes())
    return value


def faults(value: Any, name: str) -> Iterator[Mismatch]:
    """List where a value breaks one of the schemas named in ``NAMES``."""
    return _Checker(root="the file", exact=False).check(value, schema(name), "", None)


def faults_in_yaml(
    value: Any, rules: Mapping[str, Any], root: str = "the file"
) -> Iterator[Mismatch]:
    """List where a value that was read from YAML breaks a schema: 5.0 is not an integer there.

    Args:
        value: The value.
        rules: The schema.
        root: What the value as a whole is called.
    """
    return _Checker(root=root, exact=True).check(value, rules, "", None)


def require(value: Any, rules: Mapping[str, Any], file: str, root: str = "the file") -> None:
    """Refuse a value that was read from YAML and breaks a schema.

    Args:
        value: The value.
        rules: The schema.
        file: Name of the file, for the message.
        root: What the value as a whole is called.

    Raises:
        InvalidInput: It breaks the schema; the message names the file and the key.
    """
    for mismatch in faults_in_yaml(value, rules, root):
        raise InvalidInput(f"{file}: {mismatch.message}.", hint=mismatch.hint)


def _is_integer(value: Any) -> bool:
    whole = isinstance(value, float) and math.isfinite(value) and value.is_integer()
    return (isinstance(value, int) and not isinstance(value, bool)) or whole


_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "array": ("a list", lambda value: isinstance(value, list)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("an integer", _is_integer),
    "null": ("null", lambda value: value is None),
    "number": (
        "a number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    "object": ("a mapping of keys", lambda value: isinstance(value, dict)),
    "string": ("a string", lambda value: isinstance(value, str)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checker:
    """Checks one value, from the root down.

    Attributes:
        root: What the value as a whole is called.
        exact: Whether 5.0 is not an integer.
    """

    root: str
    exact: bool

    def check(
        self, value: Any, rules: Mapping[str, Any], path: str, example: str | None
    ) -> Iterator[Mismatch]:
        """List the mismatches of a value; ``example`` is the hint of what is above it."""
        if "examples" in rules:
            example = f"For example: {json.dumps(rules['examples'][0])}."
        name = path or self.root
        kind = rules.get("type")
        if kind and not self._fits(value, kind):
            message = f"{name} must be {_TYPES[kind][0]}, not {_formatted(value)}"
            hint = _NULL if value is None and kind == "string" else example
            yield Mismatch(rule="type", message=message, hint=hint)
            return
        if "enum" in rules and value not in rules["enum"]:
            allowed = ", ".join(str(item) for item in rules["enum"] if item != "")
            message = f"{name} must be one of {allowed}, not {_formatted(value)}"
            yield Mismatch(rule="enum", message=message, hint=example)
        if "anyOf" in rules and all(
            any(self.check(value, choice, path, example)) for choice in rules["anyOf"]
        ):
            message = f"{name} is {_formatted(value)}, which none of its forms allows"
            yield Mismatch(rule="anyOf", message=message, hint=example)
        if isinstance(value, str):
            yield from _string_mismatches(value, rules, name, example)
        elif isinstance(value, dict):
            yield from self._in_object(value, rules, path, example)
        elif isinstance(value, list):
            yield from self._in_list(value, rules, path, example)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield from _number_mismatches(value, rules, name, example)

    def _fits(self, value: Any, kind: str) -> bool:
        if self.exact and kind == "integer" and isinstance(value, float):
            return False
        return _TYPES[kind][1](value)

    def _in_object(
        self, value: Mapping[Any, Any], rules: Mapping[str, Any], path: str, example: str | None
    ) -> Iterator[Mismatch]:
        properties = rules.get("properties", {})
        others = rules.get("additionalProperties", True)
        name = path or self.root
        for key in rules.get("required", ()):
            if key not in value:
                hint = example or f"Known: {', '.join(properties)}."
                yield Mismatch(rule="required", message=f"{name} has no key {key!r}", hint=hint)
        for key, item in value.items():
            below = f"{path}.{key}"[:_LONGEST] if path else str(key)[:_LONGEST]
            if not isinstance(key, str):
                message = f"{name} has the key {_formatted(key)}, which must be a string"
                yield Mismatch(rule="type", message=message, hint="Put it in quotes.")
            elif key in properties:
                yield from self.check(item, properties[key], below, example)
            elif others is False:
                message = f"{name} has an unknown key {key!r:.60}"
                hint = _suggestion(key, properties)
                yield Mismatch(rule="additionalProperties", message=message, hint=hint)
            elif isinstance(others, dict):
                yield from self.check(item, others, below, example)

    def _in_list(
        self, value: list[Any], rules: Mapping[str, Any], path: str, example: str | None
    ) -> Iterator[Mismatch]:
        first, others = rules.get("prefixItems", []), rules.get("items", True)
        name = path or self.root
        if len(value) < rules.get("minItems", 0):
            message = f"{name} must have {rules['minItems']} items or more, not {len(value)}"
            yield Mismatch(rule="minItems", message=message, hint=example)
        for index, item in enumerate(value):
            below = f"{path}[{index}]"
            if index < len(first):
                yield from self.check(item, first[index], below, example)
            elif others is False:
                message = f"{name} must have {len(first)} items, not {len(value)}"
                yield Mismatch(rule="items", message=message, hint=example)
                return
            elif isinstance(others, dict):
                yield from self.check(item, others, below, example)


def _number_mismatches(
    value: float, rules: Mapping[str, Any], name: str, example: str | None
) -> Iterator[Mismatch]:
    low, high = rules.get("minimum", -math.inf), rules.get("maximum", math.inf)
    if value < low:
        message = f"{name} must be {low} or greater, not {_formatted(value)}"
        yield Mismatch(rule="minimum", message=message, hint=example)
    if value > high:
        message = f"{name} must be {high} or less, not {_formatted(value)}"
        yield Mismatch(rule="maximum", message=message, hint=example)


def _string_mismatches(
    value: str, rules: Mapping[str, Any], name: str, example: str | None
) -> Iterator[Mismatch]:
    low, high = rules.get("minLength", 0), rules.get("maxLength", math.inf)
    if len(value) < low:
        message = f"{name} must have {low} characters or more, not {len(value)}"
        yield Mismatch(rule="minLength", message=message, hint=example)
    if len(value) > high:
        message = f"{name} must have {high} characters or less, not {len(value)}"
        yield Mismatch(rule="maxLength", message=message, hint=example)
    if "pattern" in rules and not re.search(rules["pattern"], value):
        message = f"{name} is {_formatted(value)}, which does not match {rules['pattern']}"
        yield Mismatch(rule="pattern", message=message, hint=example)


def _formatted(value: Any) -> str:
    """Format a value for a message: short, and never with what it contains."""
    if isinstance(value, dict):
        return "a mapping of keys"
    if isinstance(value, list):
        return "a list"
    return "null" if value is None else short_repr(value)


def _suggestion(key: str, properties: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, properties, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(properties)}."
