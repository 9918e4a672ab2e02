"""Parse the expressions of gates, without ``eval``. Pure.

::

    any        = all, {"or", all}
    all        = single, {"and", single}
    single     = "not", single | test
    test       = sum, [comparison, sum | "is", ["not"], "null"]
    comparison = "=" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    sum        = product, {("+" | "-"), product}
    product    = factor, {("*" | "/"), factor}
    factor     = "-", factor | "(", any, ")" | function, "(", sum, {",", sum}, ")"
               | number | string | "true" | "false" | field
    field      = [stage, "."], kind, ".", key
    key        = word | `anything` | "anything"
    string     = 'anything' | "anything"              a doubled quote stands for one quote

Words may have any case. Keys with other characters than letters, digits, ``_``, ``.`` and
``:`` are quoted, because ``-`` and ``/`` are operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.query.gate_nodes import (
    APPROVAL_KEYS,
    APPROVAL_KINDS,
    FIELDS,
    FUNCTIONS,
    SIGNATURE_KEYS,
    SOURCE_KEYS,
    GateField,
    Literal,
    Node,
    Operation,
    Type,
    type_of,
)
from gitml.query.scanner import Scanner

MAX_LENGTH = 2_000
MAX_DEPTH = 40
STAGES = tuple(stage.lower() for stage in Stage if stage is not Stage.NONE)

_WORD = re.compile(r"[A-Za-z_]\w*")
PLAIN_KEY = re.compile(r"[\w:]+(?:\.[\w:]+)*")
"""A key that needs no quotes."""
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?![\w.])", re.ASCII | re.IGNORECASE)
_COMPARISON = re.compile(r"<=|>=|<>|!=|=|<|>")
_KEYS = {"source": SOURCE_KEYS, "signature": SIGNATURE_KEYS, "approvals": APPROVAL_KEYS}
_HINTS = {"==": "Write = for equality.", "&&": "Write and.", "||": "Write or."}


def parse(text: str) -> Node:
    """Parse a gate's expression, such as ``metrics.rmse <= 0.98 * production.metrics.rmse``.

    Raises:
        InvalidInput: It is not valid; the message gives the position and what is expected.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidInput(
            f"The gate has {len(text)} characters; at most {MAX_LENGTH} are allowed.",
            hint="Split it into several gates: all of them must hold.",
        )
    return _GateParser(text).gate()


class _GateParser(Scanner):
    """Parses one gate."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "gate", word=_WORD, hints=_HINTS)
        self._depth = 0

    def _typed(self, node: Node, position: int, *types: Type) -> Node:
        actual = type_of(node)
        if actual not in types:
            raise self.wrong(f"{types[0].value}, not {actual.value}", position)
        return node

    # Logic --------------------------------------------------------------------------------------

    def gate(self) -> Node:
        position = self.position
        node = self._any()
        if not self.ended:
            raise self.wrong("and, or or the end")
        if type_of(node) is not Type.BOOLEAN:
            raise self.wrong("a comparison such as metrics.rmse < 3.5", position)
        return node

    def _any(self) -> Node:
        return self._joined("or", lambda: self._joined("and", self._single))

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        position = self.position
        node: Node = part()
        while self.keyword(word):
            self._typed(node, position, Type.BOOLEAN)
            next_position = self.position
            after = self._typed(part(), next_position, Type.BOOLEAN)
            node = Operation(operator=word, items=(node, after))
        return node

    def _single(self) -> Node:
        if not self.keyword("not"):
            return self._test()
        self._deeper()
        position = self.position
        item = self._typed(self._single(), position, Type.BOOLEAN)
        self._depth -= 1
        return Operation(operator="not", items=(item,))

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.wrong(f"at most {MAX_DEPTH} levels of parentheses, not and -")

    def _test(self) -> Node:
        left_position = self.position
        left = self._sum()
        if self.keyword("is"):
            operator = "is not null" if self.keyword("not") else "is null"
            if not self.keyword("null"):
                raise self.wrong("null or not null")
            return Operation(operator=operator, items=(left,))
        if self.follows("=="):
            raise self.wrong("a comparison")
        symbol = self.skip(_COMPARISON)
        if not symbol:
            return left
        operator = "!=" if symbol[0] == "<>" else symbol[0]
        right_position = self.position
        right = self._sum()
        self._comparable(operator, (left, left_position), (right, right_position))
        return Operation(operator=operator, items=(left, right))

    def _comparable(self, operator: str, *sides: tuple[Node, int]) -> None:
        (left, _), (right, position) = sides
        if operator not in ("=", "!="):
            for node, start in sides:
                self._typed(node, start, Type.NUMBER, Type.LABEL)
        elif type_of(left) is not Type.LABEL:
            self._typed(right, position, type_of(left), Type.LABEL)

    # Arithmetic ---------------------------------------------------------------------------------

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        position = self.position
        node: Node = part()
        while sign := self.sign(*signs):
            self._typed(node, position, Type.NUMBER, Type.LABEL)
            next_position = self.position
            after = self._typed(part(), next_position, Type.NUMBER, Type.LABEL)
            node = Operation(operator=sign, items=(node, after))
        return node

    def _factor(self) -> Node:
        self._deeper()
        node = self._inner()
        self._depth -= 1
        return node

    def _inner(self) -> Node:
        if self.sign("-"):
            position = self.position
            item = self._typed(self._factor(), position, Type.NUMBER, Type.LABEL)
            return Operation(operator="-", items=(item,))
        if self.sign("("):
            node = self._any()
            if not self.sign(")"):
                raise self.wrong("an operator or )")
            return node
        return self._operand()

    def _operand(self) -> Node:
        number = self.skip(_NUMBER)
        if number:
            return Literal(value=float(number[0]))
        text = self.quoted()
        if text is not None:
            return Literal(value=text)
        position = self.position
        word = _WORD.match(self.text, position)
        name = word[0].lower() if word else ""
        following = self.text[word.end() :].lstrip()[:1] if word else ""
        if name in ("true", "false") and following != ".":
            self.skip(_WORD)
            return Literal(value=name == "true")
        if following == "(":
            return self._function(name)
        return self._field()

    def _function(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise self.wrong(f"one of {', '.join(FUNCTIONS)} before (")
        self.skip(_WORD)
        self.sign("(")
        items: list[Node] = []
        while not items or self.sign(","):
            position = self.position
            items.append(self._typed(self._sum(), position, Type.NUMBER, Type.LABEL))
        if name == "abs" and len(items) > 1:
            raise self.wrong("abs with one value")
        if not self.sign(")"):
            raise self.wrong(", or )")
        return Operation(operator=name, items=tuple(items))

    # Fields -------------------------------------------------------------------------------------

    def _field(self) -> GateField:
        start = self.position
        stage = ""
        kind = self._before_dot(start)
        if kind in STAGES:
            stage = kind
            kind = self._before_dot(self.position)
        if kind not in FIELDS:
            kinds = ", ".join(f"{name}." for name in FIELDS)
            raise self.wrong(
                f"a value such as metrics.rmse, 3.5, 'text' or true (fields start with {kinds} "
                "or a stage)",
                start,
            )
        if stage and kind in APPROVAL_KINDS:
            raise self.wrong(f"{kind}. without a stage: only a promotion has approvals", start)
        key_position = self.position
        key = self.key(PLAIN_KEY)
        if key is None:
            raise self.wrong(f"a key after {kind}. (in backticks if it has signs)")
        if kind in _KEYS and key not in _KEYS[kind]:
            raise self.wrong(f"one of {', '.join(_KEYS[kind])} after {kind}.", key_position)
        end = self.position
        self.space()
        return GateField(stage=stage, kind=kind, key=key, start=start, end=end)

    def _before_dot(self, start: int) -> str:
        word = _WORD.match(self.text, start)
        if not word or not self.text.startswith(".", word.end()):
            return ""
        self.position = word.end() + 1
        return word[0].lower()
