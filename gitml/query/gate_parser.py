"""Hides the grammar of gates. A parser, never ``eval``; all pure.

::

    any        = all, {"or", all}
    all        = single, {"and", single}
    single     = "not", single | test
    test       = sum, [comparison, sum | "is", ["not"], "null"]
    comparison = "=" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    sum        = product, {("+" | "-"), product}
    product    = factor, {("*" | "/"), factor}
    factor     = "-", factor | "(", any, ")" | function, "(", sum, {",", sum}, ")"
               | number | text | "true" | "false" | field
    field      = [stage, "."], kind, ".", key
    key        = word | `anything` | "anything"
    text       = 'anything' | "anything"              a doubled quote stands for one quote

Words are taken in any case. Keys with other characters than letters, digits, ``_``, ``.`` and
``:`` are quoted, because ``-`` and ``/`` calculate.
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
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])", re.ASCII | re.IGNORECASE)
_COMPARISON = re.compile(r"<=|>=|<>|!=|=|<|>")
_KEYS = {"source": SOURCE_KEYS, "signature": SIGNATURE_KEYS, "approvals": APPROVAL_KEYS}
_HINTS = {"==": "Write = for equality.", "&&": "Write and.", "||": "Write or."}


def parse(text: str) -> Node:
    """Read a gate's expression, such as ``metrics.rmse <= 0.98 * production.metrics.rmse``.

    Raises:
        InvalidInput: It is none; the message gives the position and what was expected.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidInput(
            f"The gate has {len(text)} characters; at most {MAX_LENGTH} are taken.",
            hint="Split it into several gates: all of them must hold.",
        )
    return _GateParser(text).gate()


class _GateParser(Scanner):
    """Reads one gate."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "gate", word=_WORD, hints=_HINTS)
        self._depth = 0

    def _typed(self, node: Node, at: int, *types: Type) -> Node:
        found = type_of(node)
        if found not in types:
            raise self.wrong(f"{types[0].value}, not {found.value}", at)
        return node

    # Logic --------------------------------------------------------------------------------------

    def gate(self) -> Node:
        at = self.at
        node = self._any()
        if not self.ended:
            raise self.wrong("and, or or the end")
        if type_of(node) is not Type.BOOLEAN:
            raise self.wrong("a comparison such as metrics.rmse < 3.5", at)
        return node

    def _any(self) -> Node:
        return self._joined("or", lambda: self._joined("and", self._single))

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        at = self.at
        node: Node = part()
        while self.keyword(word):
            self._typed(node, at, Type.BOOLEAN)
            at_next = self.at
            after = self._typed(part(), at_next, Type.BOOLEAN)
            node = Operation(operator=word, items=(node, after))
        return node

    def _single(self) -> Node:
        if not self.keyword("not"):
            return self._test()
        self._deeper()
        at = self.at
        item = self._typed(self._single(), at, Type.BOOLEAN)
        self._depth -= 1
        return Operation(operator="not", items=(item,))

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.wrong(f"at most {MAX_DEPTH} levels of parentheses, not and -")

    def _test(self) -> Node:
        left_at = self.at
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
        right_at = self.at
        right = self._sum()
        self._comparable(operator, left, left_at, right, right_at)
        return Operation(operator=operator, items=(left, right))

    def _comparable(self, operator: str, left: Node, left_at: int, right: Node, at: int) -> None:
        if operator not in ("=", "!="):
            for node, where in ((left, left_at), (right, at)):
                self._typed(node, where, Type.NUMBER, Type.LABEL)
        elif type_of(left) is not Type.LABEL:
            self._typed(right, at, type_of(left), Type.LABEL)

    # Arithmetic ---------------------------------------------------------------------------------

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        at = self.at
        node: Node = part()
        while sign := self.sign(*signs):
            self._typed(node, at, Type.NUMBER, Type.LABEL)
            next_at = self.at
            after = self._typed(part(), next_at, Type.NUMBER, Type.LABEL)
            node = Operation(operator=sign, items=(node, after))
        return node

    def _factor(self) -> Node:
        self._deeper()
        node = self._inner()
        self._depth -= 1
        return node

    def _inner(self) -> Node:
        if self.sign("-"):
            at = self.at
            item = self._typed(self._factor(), at, Type.NUMBER, Type.LABEL)
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
        at = self.at
        word = _WORD.match(self.text, at)
        name = word[0].lower() if word else ""
        behind = self.text[word.end() :].lstrip()[:1] if word else ""
        if name in ("true", "false") and behind != ".":
            self.skip(_WORD)
            return Literal(value=name == "true")
        if behind == "(":
            return self._function(name)
        return self._field()

    def _function(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise self.wrong(f"one of {', '.join(FUNCTIONS)} before (")
        self.skip(_WORD)
        self.sign("(")
        items: list[Node] = []
        while not items or self.sign(","):
            at = self.at
            items.append(self._typed(self._sum(), at, Type.NUMBER, Type.LABEL))
        if name == "abs" and len(items) > 1:
            raise self.wrong("abs with one value")
        if not self.sign(")"):
            raise self.wrong(", or )")
        return Operation(operator=name, items=tuple(items))

    # Fields -------------------------------------------------------------------------------------

    def _field(self) -> GateField:
        start = self.at
        stage = ""
        kind = self._before_dot(start)
        if kind in STAGES:
            stage = kind
            kind = self._before_dot(self.at)
        if kind not in FIELDS:
            known = ", ".join(f"{name}." for name in FIELDS)
            raise self.wrong(
                f"a value such as metrics.rmse, 3.5, 'text' or true (fields begin with {known} "
                "or a stage)",
                start,
            )
        if stage and kind in APPROVAL_KINDS:
            raise self.wrong(f"{kind}. without a stage: only a promotion has approvals", start)
        key_at = self.at
        key = self.key(PLAIN_KEY)
        if key is None:
            raise self.wrong(f"a key behind {kind}., quoted with ` where it has signs")
        if kind in _KEYS and key not in _KEYS[kind]:
            raise self.wrong(f"one of {', '.join(_KEYS[kind])} behind {kind}.", key_at)
        end = self.at
        self.space()
        return GateField(stage=stage, kind=kind, key=key, start=start, end=end)

    def _before_dot(self, start: int) -> str:
        word = _WORD.match(self.text, start)
        if not word or not self.text.startswith(".", word.end()):
            return ""
        self.at = word.end() + 1
        return word[0].lower()
