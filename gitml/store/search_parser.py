"""Hides the grammar of filters and sort keys: MLflow's, and more of SQL's.

::

    filter     = any, {"OR", any}                     a trailing AND is taken, as MLflow does
    any        = single, {"AND", single}
    single     = "NOT", single | "(", filter, ")" | field, test
    test       = ("=" | "!=" | "<>" | ">" | ">=" | "<" | "<="), value
               | ["NOT"], ("LIKE" | "ILIKE"), text
               | ["NOT"], "IN", "(", value, {",", value}, ")"
               | ["NOT"], "BETWEEN", number, "AND", number
               | "IS", ["NOT"], "NULL"
    field      = [entity, "."], key                   split at the first dot
    key        = word | `anything` | "anything"
    text       = 'anything' | "anything"              a doubled quote stands for one quote
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace

from gitml.errors import InvalidInput
from gitml.store.search_nodes import (
    ATTRIBUTE_WORDS,
    DATASET_FIELDS,
    RUNS,
    And,
    Comparison,
    Entity,
    Field,
    Literal,
    Node,
    Not,
    Number,
    Operator,
    Or,
    OrderKey,
    Target,
)

MAX_DEPTH = 50
"""Levels of parentheses and NOT."""
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
MAX_ORDER_KEYS = 20

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\s`'\"()=!<>,;]+")
_ENTITY = re.compile(r"[^\s`'\"()=!<>,;.]+")
QUOTED_KEY = re.compile(r'`([^`]+)`|"([^"]+)"')
TEXT = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
"""A quoted text; gates of the registry quote keys and texts the same way."""
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)", re.ASCII | re.IGNORECASE)
_SYMBOL = re.compile(r"<>|[=!<>]=?")
_COMPARISONS = {symbol.value: symbol for symbol in (
    Operator.EQUAL, Operator.UNEQUAL, Operator.GREATER, Operator.AT_LEAST, Operator.LESS,
    Operator.AT_MOST,
)} | {"<>": Operator.UNEQUAL}  # fmt: skip
_ORDERED = (Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST)
_HINTS = {
    "==": "Write = for equality.",
    "&&": "Write AND.",
    "||": "Write OR.",
    ";": "A filter is one expression without a semicolon.",
}


def parse_filter(text: str | None, target: Target = RUNS) -> Node | None:
    """Read a filter.

    Args:
        text: The filter, such as ``metrics.rmse < 3.5 AND params.alpha = '0.1'``.
        target: What is searched for.

    Returns:
        Its conditions; None where there are none.

    Raises:
        InvalidInput: It is no such filter; the message gives the position and what was expected.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidInput(f"A filter is a text, not {text!r:.60}.")
    if not text.strip():
        return None
    return _Parser(text, target, "filter").filter()


def parse_order_by(items: Iterable[str] | None, target: Target = RUNS) -> tuple[OrderKey, ...]:
    """Read sort keys, one per item, such as ``metrics.rmse DESC``.

    Raises:
        InvalidInput: One of them cannot be read; the message gives the position.
    """
    if isinstance(items, str):
        raise InvalidInput(
            f"order_by is a list of texts, not the text {items!r:.60}.",
            hint=f"Write [{items!r:.60}].",
        )
    keys = [_Parser(item, target, "order_by item").order_key() for item in items or ()]
    if len(keys) > MAX_ORDER_KEYS:
        raise InvalidInput(f"order_by has {len(keys)} keys; at most {MAX_ORDER_KEYS} are taken.")
    return tuple(keys)


class _Parser:
    """Reads one text from left to right; ``_at`` is the next character."""

    def __init__(self, text: str, target: Target, what: str) -> None:
        if not isinstance(text, str):
            raise InvalidInput(f"An {what} is a text, not {text!r:.60}.")
        self._text, self._target, self._what = text, target, what
        self._at = 0
        self._depth = 0
        self._conditions = 0
        self._values = 0
        self._skip(_SPACE)

    # Characters ---------------------------------------------------------------------------------

    def _skip(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Step over what the pattern matches here, and over the space behind it."""
        found = pattern.match(self._text, self._at)
        if found:
            behind = _SPACE.match(self._text, found.end())
            self._at = behind.end() if behind else found.end()
        return found

    def _keyword(self, *words: str) -> str | None:
        """Step over one of some words, in upper or lower case."""
        found = _WORD.match(self._text, self._at)
        word = found[0].upper() if found else ""
        if word not in words:
            return None
        self._skip(_WORD)
        return word

    def _sign(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        self._skip(_SPACE)
        return True

    def _wrong(self, expected: str, at: int | None = None, hint: str | None = None) -> InvalidInput:
        at = self._at if at is None else at
        rest = self._text[at : at + 25].split("\n")[0].rstrip()
        if hint is None:
            hint = next((text for sign, text in _HINTS.items() if rest.startswith(sign)), None)
        found = f"found {rest!r}" if rest else "but it ends there"
        return InvalidInput(
            f"The {self._what} cannot be read at character {at + 1}: expected {expected}, {found}.",
            hint=hint,
        )

    def _limit(self, count: int, limit: int, what: str) -> None:
        if count > limit:
            raise InvalidInput(
                f"The filter has more than {limit} {what} (at character {self._at + 1}).",
                hint="Split it into several searches.",
            )

    # Expressions --------------------------------------------------------------------------------

    def filter(self) -> Node:
        node = self._any()
        if self._at < len(self._text):
            raise self._wrong("AND, OR or the end")
        return node

    def _any(self) -> Node:
        items = [self._all()]
        while self._keyword("OR"):
            items.append(self._all())
        return items[0] if len(items) == 1 else Or(items=tuple(items))

    def _all(self) -> Node:
        items = [self._single()]
        while self._keyword("AND") and self._at < len(self._text):
            items.append(self._single())
        return items[0] if len(items) == 1 else And(items=tuple(items))

    def _single(self) -> Node:
        negated = self._keyword("NOT") is not None
        if not negated and not self._sign("("):
            return self._condition()
        self._depth += 1
        self._limit(self._depth, MAX_DEPTH, "levels of parentheses and NOT")
        node: Node
        if negated:
            node = Not(item=self._single())
        else:
            node = self._any()
            if not self._sign(")"):
                raise self._wrong("AND, OR or )")
        self._depth -= 1
        return node

    def _condition(self) -> Comparison:
        self._conditions += 1
        self._limit(self._conditions, MAX_CONDITIONS, "conditions")
        field = self._field()
        at = self._at
        operator = self._operator(field)
        if self._target.param_numbers and field.entity is Entity.PARAM and self._number_follows():
            field = replace(field, numeric=True)
        if operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
            return Comparison(field=field, operator=operator)
        self._check_test(field, operator, at)
        if operator in (Operator.IN, Operator.NOT_IN):
            return Comparison(field=field, operator=operator, values=self._list(field))
        values = [self._value(field)]
        if operator in (Operator.BETWEEN, Operator.NOT_BETWEEN):
            if not self._keyword("AND"):
                raise self._wrong("AND and the upper bound of BETWEEN")
            values.append(self._value(field))
        return Comparison(field=field, operator=operator, values=tuple(values))

    # Fields -------------------------------------------------------------------------------------

    def _field(self) -> Field:
        at = self._at
        entity = self._piece(_ENTITY)
        if entity is None:
            raise self._wrong("a field such as metrics.rmse, params.alpha or tags.team")
        if not self._text.startswith(".", self._at):
            self._skip(_SPACE)
            return self._attribute(entity, at)
        self._at += 1
        key_at = self._at
        key = self._piece(_WORD)
        if key is None:
            raise self._wrong(f"a key behind {entity}., quoted with ` where it has spaces")
        self._skip(_SPACE)
        if entity in ATTRIBUTE_WORDS:
            return self._attribute(key, key_at)
        if entity not in self._target.entities:
            known = ", ".join(dict.fromkeys(self._target.entities.values()))
            raise self._wrong(f"one of {known} or attributes before the dot", at)
        kind = self._target.entities[entity]
        if kind is Entity.DATASET and key not in DATASET_FIELDS:
            raise self._wrong(f"one of {', '.join(DATASET_FIELDS)} behind datasets.", key_at)
        return Field(entity=kind, key=key, numeric=kind is Entity.METRIC)

    def _piece(self, bare: re.Pattern[str]) -> str | None:
        """Read one side of the dot, quoted or bare; the space behind it stays."""
        quoted = QUOTED_KEY.match(self._text, self._at)
        found = quoted or bare.match(self._text, self._at)
        if not found:
            return None
        self._at = found.end()
        return (found[1] or found[2]) if quoted else found[0]

    def _attribute(self, name: str, at: int) -> Field:
        true_name = self._target.attributes.get(name)
        if true_name is None:
            known = ", ".join(dict.fromkeys(self._target.attributes.values()))
            raise self._wrong(
                f"an attribute of the {self._target.name} ({known})",
                at,
                hint="Write metrics., params. or tags. before other keys.",
            )
        numeric = true_name in self._target.numeric
        return Field(entity=Entity.ATTRIBUTE, key=true_name, numeric=numeric)

    # Tests --------------------------------------------------------------------------------------

    def _operator(self, field: Field) -> Operator:
        at = self._at
        symbol = self._skip(_SYMBOL)
        if symbol and symbol[0] in _COMPARISONS:
            return _COMPARISONS[symbol[0]]
        if not symbol and self._keyword("IS"):
            negated = self._keyword("NOT") is not None
            if not self._keyword("NULL"):
                raise self._wrong("NULL" if negated else "NULL or NOT NULL")
            return Operator.IS_NOT_NULL if negated else Operator.IS_NULL
        if not symbol:
            negated = self._keyword("NOT") is not None
            word = self._keyword("LIKE", "ILIKE", "IN", "BETWEEN")
            if word:
                return Operator(f"NOT {word}" if negated else word)
        raise self._wrong(f"a comparison such as {_some_tests(field)}", at)

    def _number_follows(self) -> bool:
        word = _WORD.match(self._text, self._at)
        return word is not None and _NUMBER.fullmatch(word[0]) is not None

    def _check_test(self, field: Field, operator: Operator, at: int) -> None:
        textual = operator.removeprefix("NOT ") in ("LIKE", "ILIKE")
        ordered = operator in _ORDERED or operator.endswith("BETWEEN")
        if textual if field.numeric else ordered:
            kind = "a number" if field.numeric else "a text"
            raise self._wrong(f"{_some_tests(field)}, because {field} is {kind}", at)

    def _list(self, field: Field) -> tuple[Literal, ...]:
        if not self._sign("("):
            raise self._wrong("a list in parentheses behind IN")
        values = [self._value(field)]
        while self._sign(","):
            values.append(self._value(field))
        if not self._sign(")"):
            raise self._wrong(", or )")
        return tuple(values)

    def _value(self, field: Field) -> Literal:
        self._values += 1
        self._limit(self._values, MAX_VALUES, "values")
        return self._number(field) if field.numeric else self._quoted_text(field)

    def _number(self, field: Field) -> Number:
        at = self._at
        word = self._skip(_WORD)
        if not word or not _NUMBER.fullmatch(word[0]):
            raise self._wrong(f"a number without quotes, because {field} is a number", at)
        return number(word[0], whole=field.entity is Entity.ATTRIBUTE)

    def _quoted_text(self, field: Field) -> str:
        at = self._at
        found = self._skip(TEXT)
        if found is None:
            word = _WORD.match(self._text, at)
            hint = f"Write '{word[0][:40]}' with the quotes." if word else None
            raise self._wrong(f"a text in quotes, because {field} is a text", at, hint)
        return unquoted(found)

    # Sort keys ----------------------------------------------------------------------------------

    def order_key(self) -> OrderKey:
        at = self._at
        field = self._field()
        if field.entity is Entity.DATASET:
            raise self._wrong("a field with one value per run", at)
        direction = self._keyword("ASC", "DESC")
        if self._at < len(self._text):
            raise self._wrong("ASC, DESC or the end")
        return OrderKey(field=field, descending=direction == "DESC")


def unquoted(found: re.Match[str]) -> str:
    """Return what a match of ``TEXT`` stands for."""
    if found[1] is not None:
        return found[1].replace("''", "'")
    return found[2].replace('""', '"')


def number(word: str, *, whole: bool) -> Number:
    """Read a number; as an integer only where the field's values are, and 64 bits hold it."""
    value = float(word)
    if whole and math.isfinite(value) and re.fullmatch(r"[+-]?\d{1,19}", word):
        exact = int(word)
        return exact if -(2**63) <= exact < 2**63 else value
    return value


def _some_tests(field: Field) -> str:
    if field.numeric:
        return "=, !=, >, >=, <, <=, BETWEEN, IN or IS NULL"
    return "=, !=, LIKE, ILIKE, IN or IS NULL"
