"""Read YAML that anybody may have written, within bounds, and write YAML that all readers agree on.

The only YAML reader of gitml. It knows the core of YAML 1.2: texts, numbers, booleans, null, lists
and mappings; dates, ``yes`` and ``1:30`` are texts. PyYAML, and so MLflow, writes YAML 1.1 and
leaves texts such as ``1e5`` and ``08`` unquoted, so a number is what both versions take for one.
Pure.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

Node = Any
"""A node of PyYAML, whose stubs hide what kind it is."""

_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true"
             for word in ("true", "True", "TRUE", "false", "False", "FALSE")}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)"
)
_OF_YAML_1_2 = re.compile(
    r"(?:0o[0-7]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)\Z"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_NUMBER = 300  # characters, so that a float can hold it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much YAML is read.

    Attributes:
        characters: Length of the text.
        depth: Levels of lists and mappings.
        nodes: Values, those that references repeat included.
    """

    characters: int = 256 * 1024
    depth: int = 32
    nodes: int = 20_000


DEFAULT = Limits()
MODEL = Limits(characters=4 * 2**20, nodes=100_000)  # wide models have long signatures


class YamlFault(ValueError):
    """A text is not YAML, or not YAML that is read; says what is wrong, without a period.

    Attributes:
        line: Line of the fault, from 1.
    """

    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(problem)
        self.line = line


def load(data: bytes | str, limits: Limits = DEFAULT) -> Any:
    """Read a document as plain values: dicts, lists, texts, numbers, booleans, bytes and None.

    Raises:
        YamlFault: It is not UTF-8 or YAML, is over a limit, or holds something else.
    """
    node = compose(data, limits)
    return None if node is None else _Values().of(node)


def compose(data: bytes | str, limits: Limits = DEFAULT, *, references: bool = True) -> Node | None:
    """Read a document as nodes of PyYAML, which know their lines; None if it is empty.

    Args:
        data: The document.
        limits: Its bounds.
        references: Whether it may use anchors.

    Raises:
        YamlFault: As ``load``.
    """
    import yaml

    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        if len(text) > limits.characters:
            raise YamlFault(f"it has more than {limits.characters:,} characters")
        return _Composer(_events(text), limits, references).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        last = text.rstrip().count("\n") + 1  # what is missing there is noticed further on
        raise YamlFault(_problem(error, text), min(line, last)) from error
    except UnicodeError as error:
        raise YamlFault("it is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise YamlFault("it has a character that YAML does not allow") from error
    except YamlFault:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise YamlFault("it is not valid") from error


def _problem(error: Any, text: str) -> str:
    """Return what the parser says is wrong, with the character that it does not name."""
    problem = error.problem or "it is not valid"
    if problem.startswith("found character that") and error.problem_mark:
        char = text[error.problem_mark.index :][:1]
        return str(problem.replace("character that", f"character {char!r} that"))
    return str(problem)


def dump(value: Any, *, sort_keys: bool = False, width: int = 1000) -> str:
    """Write plain values so that readers of YAML 1.1 and of 1.2 read the same.

    Raises:
        YamlFault: The value holds something else.
    """
    import yaml

    try:
        text: str = yaml.dump(
            value, Dumper=_dumper(), sort_keys=sort_keys, allow_unicode=True, width=width
        )
    except yaml.YAMLError as error:
        raise YamlFault(" ".join(map(str, error.args)) or "a value cannot be written") from error
    return text


def resolved(node: Node) -> str:
    """Return what a scalar node is: ``null``, ``bool``, ``int``, ``float``, ``str``, ``binary``."""
    return str(node.tag.removeprefix(_TAG))


def _events(text: str) -> Iterator[Any]:
    """Parse one event after the other, with libyaml where it is installed: ten times as fast."""
    import yaml

    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    return iter(yaml.parse(text, Loader=loader))


def _kind(text: str) -> str:
    """Return the tag of a plain scalar, without its prefix."""
    if text in _NULLS:
        return "null"
    if text in _BOOLEANS:
        return "bool"
    if _INTEGER.fullmatch(text):
        return "int"
    return "float" if _FLOAT.fullmatch(text) else "str"


class _Composer:
    """Makes nodes of events and counts while they arrive, so that nothing unbounded is built."""

    def __init__(self, events: Iterator[Any], limits: Limits, references: bool) -> None:
        self._events, self._limits, self._references = events, limits, references
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0

    def document(self) -> Node | None:
        import yaml

        root, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _fault("a second YAML document begins", event)
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, 0)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        import yaml

        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event)
        before = self._nodes
        self._count(1, event)
        if isinstance(event, yaml.ScalarEvent):
            node = _scalar(event)
        elif depth >= self._limits.depth:
            raise _fault(f"it is nested deeper than {self._limits.depth} levels", event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth + 1)
        else:
            node = self._mapping(event, depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _repeated(self, event: Any) -> Node:
        if not self._references:
            raise _fault("it uses YAML references", event)
        if event.anchor not in self._anchors:
            raise _fault(f"reference *{event.anchor:.60} names no value before it", event)
        node, nodes = self._anchors[event.anchor]
        self._count(nodes, event)
        return node

    def _sequence(self, event: Any, depth: int) -> Node:
        import yaml

        _check_tag(event, "seq")
        items = []
        while not isinstance(child := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(child, depth))
        return yaml.SequenceNode(f"{_TAG}seq", items, *_marks(event, child), event.flow_style)

    def _mapping(self, event: Any, depth: int) -> Node:
        import yaml

        _check_tag(event, "map")
        pairs = []
        while not isinstance(child := self._next(), yaml.MappingEndEvent):
            key = self._node(child, depth)
            if key.id != "scalar":
                raise _fault("a key is a list or a mapping", child)
            pairs.append((key, self._node(self._next(), depth)))
        return yaml.MappingNode(f"{_TAG}map", pairs, *_marks(event, child), event.flow_style)

    def _next(self) -> Any:
        return next(self._events)

    def _count(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            raise _fault(f"it has more than {self._limits.nodes:,} values", event)


def _marks(start: Any, end: Any) -> tuple[Any, Any]:
    return start.start_mark, end.end_mark


def _scalar(event: Any) -> Node:
    import yaml

    plain = event.implicit[0] and event.style in (None, "")
    kind = _kind(event.value) if plain else "str"
    if event.tag not in (None, "!"):
        kind = _explicit(event)
    if _SURROGATE.search(event.value):
        raise _fault("a character is half of a surrogate pair", event)
    if kind in ("int", "float") and len(event.value) > _LONGEST_NUMBER:
        raise _fault(f"a number has more than {_LONGEST_NUMBER} digits", event)
    return yaml.ScalarNode(
        f"{_TAG}{kind}", event.value, event.start_mark, event.end_mark, event.style
    )


def _explicit(event: Any) -> str:
    """Return the type that the tag of a scalar names, if its text is of that type."""
    kind = str(event.tag).removeprefix(_TAG)
    if kind in ("str", "binary") or kind == _kind(event.value):
        return kind
    if kind == "float" and _kind(event.value) == "int":
        return kind
    if kind == "timestamp":
        return "str"
    raise _fault(f"{event.value!r:.60} is not of the type {event.tag!r:.60}", event)


def _check_tag(event: Any, kind: str) -> None:
    if event.tag not in (None, "!", f"{_TAG}{kind}"):
        raise _fault(f"the type {event.tag!r:.60} is not taken", event)


def _fault(problem: str, event: Any) -> YamlFault:
    return YamlFault(problem, event.start_mark.line + 1)


class _Values:
    """Makes plain values of nodes; a node that is repeated is one value."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def of(self, node: Node) -> Any:
        if node.id == "scalar":
            return _value(node)
        if id(node) not in self._made:
            self._made[id(node)] = (
                [self.of(item) for item in node.value]
                if node.id == "sequence"
                else self._mapping(node)
            )
        return self._made[id(node)]

    def _mapping(self, node: Node) -> dict[Hashable, Any]:
        values: dict[Hashable, Any] = {}
        for key, item in node.value:
            name = _value(key)
            if name in values:
                raise _fault(f"the key {key.value!r:.60} stands twice", key)
            values[name] = self.of(item)
        return values


def _value(node: Node) -> Any:
    kind, text = resolved(node), node.value
    if kind == "null":
        return None
    if kind == "bool":
        return _BOOLEANS[text]
    if kind == "int":
        return int(text, 16) if text.startswith("0x") else int(text)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if kind == "binary":
        try:
            return base64.b64decode(text, validate=False)
        except ValueError as error:
            raise _fault("a binary value is not base64", node) from error
    return text


@cache
def _dumper() -> Any:
    """Return PyYAML's writer, which quotes what YAML 1.2 takes for a number besides."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes plain values."""

    Dumper.add_implicit_resolver(f"{_TAG}float", _OF_YAML_1_2, list("-+.0123456789"))
    return Dumper
