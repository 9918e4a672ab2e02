"""Find the regular expressions of gitml, and count the steps of matching them by backtracking.

The steps are those of a plain backtracking matcher, which Python's is: no clock decides.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import _constants as kinds, _parser as parser  # type: ignore[attr-defined]
from typing import Any

import gitml

ROOT = Path(gitml.__file__).parent
_FUNCTIONS = ("compile", "match", "fullmatch", "search", "sub", "subn", "findall", "finditer",
              "split")  # fmt: skip
_ANCHORED = {"match", "fullmatch"}
LIMIT = 2_000_000  # steps, after which counting ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A regular expression in the source: where it is, and which methods use it."""

    position: str
    pattern: str | bytes
    flags: int
    uses: frozenset[str]


def expressions() -> Iterator[Expression]:
    """Yield every expression whose pattern is written out; skip those made of other values."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        uses = _uses(tree)
        for node in ast.walk(tree):
            call = _call(node)
            if call is None:
                continue
            name, first, flags = call
            values = vars(importlib.import_module(module.removesuffix(".__init__")))
            try:
                pattern = eval(ast.unparse(first), dict(values))
                flag = eval(ast.unparse(flags), dict(values))
            except NameError:  # made of a local variable
                continue
            yield Expression(
                position=f"{path.relative_to(ROOT.parent)}:{node.lineno}",  # type: ignore[attr-defined]
                pattern=pattern,
                flags=int(flag),
                uses=frozenset(uses.get(node.lineno, {"match"})  # type: ignore[attr-defined]
                               if name == "compile" else {name}),
            )  # fmt: skip


def _call(node: ast.AST) -> tuple[str, ast.expr, ast.expr] | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    function = node.func
    if not (isinstance(function.value, ast.Name) and function.value.id == "re"):
        return None
    if function.attr not in _FUNCTIONS or not node.args:
        return None
    position = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(function.attr, 2)
    flags = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
    flags += node.args[position : position + 1]
    return function.attr, node.args[0], flags[0] if flags else ast.Constant(0)


def _uses(tree: ast.Module) -> dict[int, set[str]]:
    """Return the methods by which compiled expressions are used, by the line of their call."""
    names = {
        target.id: node.value.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _call(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    uses: dict[int, set[str]] = {}
    for node in ast.walk(tree):
        owner = node.value if isinstance(node, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id in names:
            uses.setdefault(names[owner.id], set()).add(node.attr)  # type: ignore[attr-defined]
    return uses


class Backtracking:
    """A matcher that counts its steps."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self._tree = parser.parse(pattern, flags)
        self._flags = self._tree.state.flags
        self.steps = 0

    def run(self, text: str, uses: frozenset[str]) -> int:
        """Match a text in every way that the expression is used; return the steps."""
        self.steps = 0
        self._text = text
        try:
            if "fullmatch" in uses:
                any(end == len(text) for end in self._sequence(list(self._tree), 0, 0))
            if "match" in uses:
                next(self._sequence(list(self._tree), 0, 0), None)
            if uses - _ANCHORED:
                self._search(text)
        except OverflowError:
            pass
        return self.steps

    def _search(self, text: str) -> None:
        start = 0
        while start <= len(text):
            end = next(self._sequence(list(self._tree), 0, start), None)
            start = start + 1 if end is None else max(end, start + 1)

    def _sequence(self, nodes: Sequence[Any], index: int, start: int) -> Iterator[int]:
        if index == len(nodes):
            yield start
            return
        for end in self._node(nodes[index], start):
            yield from self._sequence(nodes, index + 1, end)

    def _node(self, node: Any, start: int) -> Iterator[int]:
        self.steps += 1
        if self.steps > LIMIT:
            raise OverflowError
        kind, value = node
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            yield from self._repeat(kind, value, start)
        elif kind is kinds.SUBPATTERN:
            yield from self._sequence(list(value[3]), 0, start)
        elif kind is kinds.BRANCH:
            for choice in value[1]:
                yield from self._sequence(list(choice), 0, start)
        elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
            holds = value[0] < 0 or next(self._sequence(list(value[1]), 0, start), None) is not None
            if holds == (kind is kinds.ASSERT) or value[0] < 0:
                yield start
        elif kind is kinds.AT:
            if self._boundary(value, start):
                yield start
        elif start < len(self._text) and self._takes(node, self._text[start]):
            yield start + 1

    def _repeat(self, kind: Any, value: Any, start: int) -> Iterator[int]:
        """Yield the ends of a repetition, the longest first unless it is lazy."""
        low, high, body = value
        lazy = kind is kinds.MIN_REPEAT
        levels = [(start, self._sequence(list(body), 0, start))]
        if low == 0 and lazy:
            yield start
        while levels:
            start, ends = levels[-1]
            count = len(levels)
            end = next(ends, None) if high is kinds.MAXREPEAT or count <= high else None
            if end is not None and end != start:
                if lazy and count >= low:
                    yield end
                levels.append((end, self._sequence(list(body), 0, end)))
                continue
            levels.pop()
            if not lazy and len(levels) >= low:
                yield start

    def _boundary(self, value: Any, start: int) -> bool:
        text = self._text
        if value in (kinds.AT_BEGINNING, kinds.AT_BEGINNING_STRING):
            line = self._flags & re.MULTILINE and value is kinds.AT_BEGINNING
            return start == 0 or bool(line and text[start - 1] == "\n")
        if value in (kinds.AT_END, kinds.AT_END_STRING):
            line = self._flags & re.MULTILINE and value is kinds.AT_END
            return start == len(text) or bool(line and text[start] == "\n")
        before = start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_")
        after = start < len(text) and (text[start].isalnum() or text[start] == "_")
        return (before != after) == (value is kinds.AT_BOUNDARY)

    def _takes(self, node: Any, char: str) -> bool:
        """Whether a node that takes one character takes this one."""
        choices = {char}
        if self._flags & re.IGNORECASE:
            choices |= {char.lower(), char.upper()}
        return any(_single(*node, choice, self._flags) for choice in choices)


_CLASSES = {
    kinds.CATEGORY_DIGIT: str.isdigit,
    kinds.CATEGORY_SPACE: str.isspace,
    kinds.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
}
_OPPOSITES = {
    kinds.CATEGORY_NOT_DIGIT: kinds.CATEGORY_DIGIT,
    kinds.CATEGORY_NOT_SPACE: kinds.CATEGORY_SPACE,
    kinds.CATEGORY_NOT_WORD: kinds.CATEGORY_WORD,
}


def _single(kind: Any, value: Any, char: str, flags: int) -> bool:
    if kind is kinds.LITERAL:
        return ord(char) == value
    if kind is kinds.NOT_LITERAL:
        return ord(char) != value
    if kind is kinds.ANY:
        return bool(flags & re.DOTALL) or char != "\n"
    if kind is kinds.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    if kind is kinds.CATEGORY:
        opposite = _OPPOSITES.get(value)
        return not _CLASSES[opposite](char) if opposite else bool(_CLASSES[value](char))
    if kind is kinds.IN:
        items = [item for item in value if item[0] is not kinds.NEGATE]
        return any(_single(*item, char, flags) for item in items) != (len(items) < len(value))
    raise AssertionError(f"unknown node {kind}")


_SAMPLES = {kinds.CATEGORY_DIGIT: "1", kinds.CATEGORY_SPACE: " ", kinds.CATEGORY_WORD: "a"}


def beginnings(pattern: str | bytes, flags: int) -> list[str]:
    """Return texts that lead into an expression: nothing, its literal start, a sample of more."""
    texts, text = [""], ""
    for kind, value in parser.parse(pattern, flags):
        nodes = [(kind, value)]
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            nodes = list(value[2]) * min(value[0], 4)
            texts.append(text)
        if kind is kinds.SUBPATTERN:
            nodes = list(value[3])
        for inner, detail in nodes:
            if inner is kinds.LITERAL:
                text += chr(detail)
            elif inner is kinds.IN:
                text += next(filter(lambda char: _single(inner, detail, char, 0), _PROBES), "")
            elif inner is not kinds.AT:
                return list(dict.fromkeys([*texts, text]))
    return list(dict.fromkeys([*texts, text]))


_PROBES = "x1 a#.\n"


def characters(pattern: str | bytes, flags: int) -> list[str]:
    """Return a few characters that tell the parts of an expression apart."""
    chars: dict[str, None] = {}

    def visit(nodes: Any) -> None:
        for kind, value in nodes:
            if kind in (kinds.LITERAL, kinds.NOT_LITERAL):
                chars[chr(value)] = None
            elif kind is kinds.IN:
                visit(value)
            elif kind is kinds.RANGE:
                chars[chr(value[0])] = None
            elif kind is kinds.CATEGORY:
                chars[_SAMPLES.get(value, "x")] = None
            elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
                visit(value[2])
            elif kind is kinds.SUBPATTERN:
                visit(value[3])
            elif kind is kinds.BRANCH:
                for choice in value[1]:
                    visit(choice)
            elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
                visit(value[1])

    visit(parser.parse(pattern, flags))
    return [*chars, *(char for char in "\x00\n x" if char not in chars)]
