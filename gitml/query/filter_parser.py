"""Parse filters and sort keys: MLflow's grammar, and more of SQL's. Pure.

::

    filter     = any, {"OR", any}                     a trailing AND is allowed, as in MLflow
    any        = single, {"AND", single}
    single     = "NOT", single | "(", filter, ")" | field, test
    test       = ("=" | "!=" | "<>" | ">" | ">=" | "<" | "<="), value
               | ["NOT"], ("LIKE" | "ILIKE"), string
               | ["NOT"], "IN", "(", value, {",", value}, ")"
               | ["NOT"], "BETWEEN", number, "AND", number
               | "IS", ["NOT"], "NULL"
    field      = [entity, "."], key                   split at the first dot
    key        = word | `anything` | "anything"
    string     = 'anything' | "anything"              a doubled quote stands for one quote
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gitml.errors import InvalidInput
from gitml.query.filter_nodes import (
    ATTRIBUTE_WORDS,
    DATASET_FIELDS,
    RUNS,
    And,
    Condition,
    Entity,
    FilterField,
    Literal,
    Node,
    Not,
    Number,
    Operator,
    Or,
    OrderKey,
    Target,
)
from gitml.query.scanner import Scanner
from gitml.text import short_repr

MAX_DEPTH = 50
"""Levels of parentheses and NOT."""
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
MAX_ORDER_KEYS = 20

_WORD = re.compile(r"[^\s`'\"()=!<>,;]+")
_ENTITY = re.compile(r"[^\s`'\"()=!<>,;.]+")
NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|inf(inity)?)", re.ASCII | re.IGNORECASE)
_FIRST_VALUE = re.compile(rf"\(?\s*({_WORD.pattern})")
_SYMBOL = re.compile(r"<>|[=!<>]=?")
_COMPARISONS = {symbol.value: symbol for symbol in (
    Operator.EQUAL, Operator.UNEQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS,
    Operator.LESS_OR_EQUAL,
)} | {"<>": Operator.UNEQUAL}  # fmt: skip
_PATTERNS = ("LIKE", "ILIKE")
_ORDERED = (Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS, Operator.LESS_OR_EQUAL)
_CLOSE = 3  # first letters that a suggestion shares with a misspelled name
_NUMBER_HINT = "Compare it with a number without quotes."
_HINTS = {
    "==": "Write = for equality.",
    "&&": "Write AND.",
    "||": "Write OR.",
    ";": "A filter is one expression without a semicolon.",
}


def parse_filter(text: str | None, target: Target = RUNS) -> Node | None:
    """Parse a filter.

    Args:
        text: The filter, such as ``metrics.rmse < 3.5 AND params.alpha = '0.1'``.
        target: What is searched.

    Returns:
        Its conditions; None if it is empty.

    Raises:
        InvalidInput: It is not a filter; the message gives the position and what is expected.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidInput(f"A filter must be a string, not {short_repr(text)}.")
    if not text.strip():
        return None
    return _FilterParser(text, target, "filter").filter()


def parse_order_by(items: Iterable[str] | None, target: Target = RUNS) -> tuple[OrderKey, ...]:
    """Parse sort keys, one per item, such as ``metrics.rmse DESC``.

    Raises:
        InvalidInput: An item is not a sort key; the message gives the position.
    """
    if isinstance(items, str):
        raise InvalidInput(
            f"order_by must be a list of strings, not the string {short_repr(items)}.",
            hint=f"Write [{short_repr(items)}].",
        )
    keys = [_FilterParser(item, target, "order_by item").order_key() for item in items or ()]
    if len(keys) > MAX_ORDER_KEYS:
        raise InvalidInput(f"order_by has {len(keys)} keys; at most {MAX_ORDER_KEYS} are allowed.")
    return tuple(keys)


class _FilterParser(Scanner):
    """Parses one filter or sort key."""

    def __init__(self, text: str, target: Target, what: str) -> None:
        if not isinstance(text, str):
            raise InvalidInput(f"An {what} must be a string, not {short_repr(text)}.")
        super().__init__(text, what, word=_WORD, hints=_HINTS)
        self._target = target
        self._depth = 0
        self._conditions = 0
        self._values = 0

    def _limit(self, count: int, limit: int, what: str) -> None:
        if count > limit:
            raise InvalidInput(
                f"The filter has more than {limit} {what} (at character {self.position + 1}).",
                hint="Split it into several searches.",
            )

    # Expressions --------------------------------------------------------------------------------

    def filter(self) -> Node:
        node = self._any()
        if not self.ended:
            raise self.wrong("AND, OR or the end")
        return node

    def _any(self) -> Node:
        items = [self._all()]
        while self.keyword("OR"):
            items.append(self._all())
        return items[0] if len(items) == 1 else Or(items=tuple(items))

    def _all(self) -> Node:
        items = [self._single()]
        while self.keyword("AND") and not self.ended:
            items.append(self._single())
        return items[0] if len(items) == 1 else And(items=tuple(items))

    def _single(self) -> Node:
        negated = self.keyword("NOT") is not None
        if not negated and not self.sign("("):
            return self._condition()
        self._depth += 1
        self._limit(self._depth, MAX_DEPTH, "levels of parentheses and NOT")
        node: Node
        if negated:
            node = Not(item=self._single())
        else:
            node = self._any()
            if not self.sign(")"):
                raise self.wrong("AND, OR or )")
        self._depth -= 1
        return node

    def _condition(self) -> Condition:
        self._conditions += 1
        self._limit(self._conditions, MAX_CONDITIONS, "conditions")
        field = self._field()
        position = self.position
        operator = self._operator(field)
        by_pattern = operator.removeprefix("NOT ") in _PATTERNS
        if field.entity is Entity.PARAM and not by_pattern and self._number_follows():
            field = replace(field, numeric=True)  # a param is a string that may hold a number
        if operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
            return Condition(field=field, operator=operator)
        self._check_test(field, operator, position)
        if operator in (Operator.IN, Operator.NOT_IN):
            return Condition(field=field, operator=operator, values=self._list(field))
        values = [self._value(field)]
        if operator in (Operator.BETWEEN, Operator.NOT_BETWEEN):
            if not self.keyword("AND"):
                raise self.wrong("AND and the upper bound of BETWEEN")
            values.append(self._value(field))
        return Condition(field=field, operator=operator, values=tuple(values))

    # Fields -------------------------------------------------------------------------------------

    def _field(self) -> FilterField:
        position = self.position
        entity = self.key(_ENTITY)
        if entity is None:
            raise self.wrong("a field such as metrics.rmse, params.alpha or tags.team")
        if not self.follows("."):
            if entity in self._target.entities:
                raise self.wrong(f"a dot and a key after {entity}")
            self.space()
            return self._attribute(entity, position)
        self.position += 1
        key_position = self.position
        key = self.key(_WORD)
        if key is None:
            raise self.wrong(f"a key after {entity}. (in backticks if it has spaces)")
        self.space()
        if entity in ATTRIBUTE_WORDS:
            return self._attribute(key, key_position)
        if entity not in self._target.entities:
            raise self._unknown_entity(entity, key, position)
        kind = self._target.entities[entity]
        if kind is Entity.DATASET and key not in DATASET_FIELDS:
            raise self.wrong(f"one of {', '.join(DATASET_FIELDS)} after datasets.", key_position)
        return FilterField(entity=kind, key=key, numeric=kind is Entity.METRIC)

    def _attribute(self, name: str, position: int) -> FilterField:
        true_name = self._target.attributes.get(name)
        if true_name is None:
            raise self._unknown_attribute(name, position)
        numeric = true_name in self._target.numeric
        return FilterField(entity=Entity.ATTRIBUTE, key=true_name, numeric=numeric)

    def _unknown_attribute(self, name: str, position: int) -> InvalidInput:
        attributes = dict.fromkeys(self._target.attributes.values())
        entities = dict.fromkeys(self._target.entities.values())
        close = _close(name, attributes) or [
            _with_key(entity, name) for entity in entities if entity is not Entity.DATASET
        ]
        return self.unknown(name, position, f"Did you mean {_either(close)}?")

    def _unknown_entity(self, entity: str, key: str, position: int) -> InvalidInput:
        entities = [*dict.fromkeys(self._target.entities.values()), "attributes"]
        close = [_with_key(name, key) for name in _close(entity, entities)]
        hint = (
            f"Did you mean {_either(close)}?"
            if close
            else f"Fields start with {_either([f'{name}.' for name in entities])}"
        )
        return self.unknown(f"{entity}.{key}", position, hint)

    # Tests --------------------------------------------------------------------------------------

    def _operator(self, field: FilterField) -> Operator:
        position = self.position
        symbol = self.skip(_SYMBOL)
        if symbol and symbol[0] in _COMPARISONS:
            return _COMPARISONS[symbol[0]]
        if not symbol and self.keyword("IS"):
            negated = self.keyword("NOT") is not None
            if not self.keyword("NULL"):
                raise self.wrong("NULL" if negated else "NULL or NOT NULL")
            return Operator.IS_NOT_NULL if negated else Operator.IS_NULL
        if not symbol:
            negated = self.keyword("NOT") is not None
            word = self.keyword("LIKE", "ILIKE", "IN", "BETWEEN")
            if word:
                return Operator(f"NOT {word}" if negated else word)
        raise self.wrong(f"a comparison such as {_tests_of(field)}", position)

    def _number_follows(self) -> bool:
        word = _FIRST_VALUE.match(self.text, self.position)
        return word is not None and NUMBER.fullmatch(word[1]) is not None

    def _check_test(self, field: FilterField, operator: Operator, position: int) -> None:
        by_pattern = operator.removeprefix("NOT ") in _PATTERNS
        ordered = operator in _ORDERED or operator.endswith("BETWEEN")
        if by_pattern if field.numeric else ordered:
            kind = "a number" if field.numeric else "a string"
            hint = _NUMBER_HINT if ordered and field.entity is Entity.PARAM else None
            raise self.wrong(f"{_tests_of(field)}, because {field} is {kind}", position, hint)

    def _list(self, field: FilterField) -> tuple[Literal, ...]:
        if not self.sign("("):
            raise self.wrong("a list in parentheses after IN")
        values = [self._value(field)]
        while self.sign(","):
            values.append(self._value(field))
        if not self.sign(")"):
            raise self.wrong(", or )")
        return tuple(values)

    def _value(self, field: FilterField) -> Literal:
        self._values += 1
        self._limit(self._values, MAX_VALUES, "values")
        return self._number(field) if field.numeric else self._quoted_text(field)

    def _number(self, field: FilterField) -> Number:
        position = self.position
        word = self.skip(_WORD)
        if not word or not NUMBER.fullmatch(word[0]):
            raise self.wrong(f"a number without quotes, because {field} is a number", position)
        return number(word[0], whole=field.entity is Entity.ATTRIBUTE)

    def _quoted_text(self, field: FilterField) -> str:
        position = self.position
        text = self.quoted()
        if text is None:
            word = _WORD.match(self.text, position)
            hint = f"Write '{word[0][:40]}' with the quotes." if word else None
            raise self.wrong(f"a string in quotes, because {field} is a string", position, hint)
        return text

    # Sort keys ----------------------------------------------------------------------------------

    def order_key(self) -> OrderKey:
        position = self.position
        field = self._field()
        if field.entity is Entity.DATASET:
            raise self.wrong("a field with one value per run", position)
        direction = self.keyword("ASC", "DESC")
        if not self.ended:
            raise self.wrong("ASC, DESC or the end")
        return OrderKey(field=field, descending=direction == "DESC")


def number(word: str, *, whole: bool) -> Number:
    """Parse a number; an integer if the field holds integers and it fits in 64 bits."""
    value = float(word)
    if whole and math.isfinite(value) and re.fullmatch(r"[+-]?\d{1,19}", word):
        exact = int(word)
        return exact if -(2**63) <= exact < 2**63 else value
    return value


def _either(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _close(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin as a misspelled one does."""
    start = name[:_CLOSE].lower()
    return [item for item in names if len(start) == _CLOSE and item.startswith(start)]


def _with_key(entity: str, key: str) -> str:
    bare = _WORD.fullmatch(key) is not None
    return f"{entity}.{key[:40]}" if bare else f"{entity}.`{key[:40]}`"


def _tests_of(field: FilterField) -> str:
    if field.numeric:
        return "=, !=, >, >=, <, <=, BETWEEN, IN or IS NULL"
    return "=, !=, LIKE, ILIKE, IN or IS NULL"
