"""Read and edit ``registry/<Model>.yaml``: what people declare about a model.

Read from the work tree or from any revision; edited as text, so that comments and layout stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitml.entities import Stage
from gitml.errors import InvalidInput, StoreError
from gitml.formats import plain_yaml
from gitml.formats.plain_yaml import Node
from gitml.git import GitRepo
from gitml.query.gates import Gate, read as read_gate
from gitml.registry.gates.metric_direction import Direction
from gitml.registry.gates.shorthand import expanded
from gitml.registry.tags.grammar import slug
from gitml.registry.tags.names import check_alias, check_model_name, check_stage, check_version

FOLDER = "registry"
SCHEMA_FILE = Path(__file__).with_name("declarations.schema.json")
"""JSON Schema of the format, for editors."""
MAX_BYTES = 256 * 1024
MAX_GATES = 50  # per stage: their verdicts go into a tag's message
KEYS = ("model", "description", "stages", "aliases", "better", "gates")
_CONFLICT = re.compile(r"^(<{7}|\|{7}|={7}|>{7})( .*)?\r?$", re.MULTILINE)
_HINT = "See the section Promotion of the README for the format."


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What one file declares.

    Attributes:
        model: The model's name.
        path: The file, below the repository's root.
        text: The whole file.
        description: Markdown.
        stages: Version wanted in each stage that is named; None where nothing should be in it.
        aliases: Version wanted for each alias; None where nobody should hold it.
        better: Which direction of a metric is the better one.
        gates: Criteria for entering a stage; all of them must hold.
        lines: Line of ``stages.<Stage>`` and ``aliases.<alias>``, from 1.
    """

    model: str
    path: str
    text: str
    description: str = ""
    stages: Mapping[Stage, int | None] = field(default_factory=dict)
    aliases: Mapping[str, int | None] = field(default_factory=dict)
    better: Mapping[str, Direction] = field(default_factory=dict)
    gates: Mapping[Stage, tuple[Gate, ...]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


def path_of(model: str) -> str:
    """Path of a model's file below the repository's root."""
    return f"{FOLDER}/{slug(model)}.yaml"


# Reading ----------------------------------------------------------------------------------------


def read(repo: GitRepo, model: str, rev: str | None = None) -> Declaration | None:
    """Read what is declared about one model.

    Args:
        repo: The repository.
        model: The model's name.
        rev: Revision to read; None for the work tree (``HEAD`` in a bare repository).

    Returns:
        The declaration, None where there is no file.

    Raises:
        InvalidInput: The file is not as it should be; the message names file and line.
    """
    path = path_of(model)
    data = _bytes(repo, path, rev)
    return None if data is None else parse(data, path)


def read_all(repo: GitRepo, rev: str | None = None) -> dict[str, Declaration]:
    """Read all declarations, by model; arguments as of ``read``.

    Raises:
        InvalidInput: A file is not as it should be.
    """
    declarations = {}
    for declaration in read_each(repo, rev):
        if isinstance(declaration, InvalidInput):
            raise declaration
        declarations[declaration.model] = declaration
    return declarations


def read_each(repo: GitRepo, rev: str | None = None) -> Iterator[Declaration | InvalidInput]:
    """Read all declarations; the error of a file that is not as it should be."""
    for path, data in _files(repo, rev):
        try:
            yield parse(data, path)
        except InvalidInput as error:
            yield error


def _files(repo: GitRepo, rev: str | None) -> Iterable[tuple[str, bytes]]:
    if rev is None and repo.work_tree:
        folder = repo.work_tree / FOLDER
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    else:
        names = sorted(entry.path for entry in repo.tree(rev or "HEAD", FOLDER))
    for name in names:
        if name.endswith((".yaml", ".yml")):
            data = _bytes(repo, f"{FOLDER}/{name}", rev)
            if data is not None:
                yield f"{FOLDER}/{name}", data


def _bytes(repo: GitRepo, path: str, rev: str | None) -> bytes | None:
    if rev is not None or repo.work_tree is None:
        if not repo.contains(f"{rev or 'HEAD'}^{{commit}}"):
            raise InvalidInput(
                f"There is no revision {rev or 'HEAD'!r:.80} in this clone.",
                hint="Fetch it first; a shallow clone needs `git fetch --unshallow`.",
            )
        return repo.read(f"{rev or 'HEAD'}:{path}")
    file = repo.work_tree / path
    if file.is_symlink():
        raise InvalidInput(f"{path} is a symbolic link.", hint="Put a plain file there.")
    return file.read_bytes() if file.is_file() else None


def parse(data: bytes, path: str) -> Declaration:
    """Read the bytes of a file.

    Raises:
        InvalidInput: It is not as it should be; the message names file and line.
    """
    return _Reader(path, _text(data, path)).declaration()


def _text(data: bytes, path: str) -> str:
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            f"{path} has {len(data)} bytes; at most {MAX_BYTES} are taken.",
            hint="Keep long texts elsewhere.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from error
    mark = _CONFLICT.search(text)
    if mark:
        line = text.count("\n", 0, mark.start()) + 1
        raise InvalidInput(
            f"{path}, line {line}: a merge conflict was left in the file.",
            hint="Keep one of the two sides and remove the lines <<<<<<<, ======= and >>>>>>>.",
        )
    return text


class _Reader:
    """Reads one file; nodes know their lines."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._lines: dict[str, int] = {}

    def declaration(self) -> Declaration:
        items = self._mapping(_compose(self._text, self._path), "the file", KEYS)
        if "model" not in items:
            raise self._wrong(None, "the key 'model' is missing", "Add `model: <its name>`.")
        model = self._checked(
            items["model"], lambda: check_model_name(self._string(items["model"]))
        )
        if path_of(model) != self._path:
            raise self._wrong(
                items["model"],
                f"model {model!r:.80} has its file elsewhere",
                f"Rename the file to {path_of(model)}, or correct the name.",
            )
        return Declaration(
            model=model,
            path=self._path,
            text=self._text,
            description=self._string(items["description"]) if "description" in items else "",
            stages=self._stages(items),
            aliases={
                self._checked(node, lambda name=name: check_alias(name)): version
                for name, (version, node) in self._versions(items, "aliases").items()
            },
            better={
                name: self._better(node)
                for name, node in self._mapping(items.get("better"), "better").items()
            },
            gates={
                self._stage(name, node): self._gates(node)
                for name, node in self._mapping(items.get("gates"), "gates").items()
            },
            lines=self._lines,
        )

    def _wrong(self, node: Node | None, what: str, hint: str | None = None) -> InvalidInput:
        line = node.start_mark.line + 1 if node else 1
        return InvalidInput(f"{self._path}, line {line}: {what}.", hint=hint or _HINT)

    def _checked(self, node: Node, check: Any) -> Any:
        try:
            return check()
        except InvalidInput as error:
            raise self._wrong(node, error.message.rstrip("."), error.hint) from error

    def _mapping(
        self, node: Node | None, what: str, allowed: tuple[str, ...] = ()
    ) -> dict[str, Node]:
        if node is None or (node.id == "scalar" and node.tag.endswith(":null") and not allowed):
            return {}
        if node.id != "mapping":
            raise self._wrong(node, f"{what} is not a mapping of keys")
        nodes: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if key.id == "scalar" else ""
            if name in nodes or (
                what not in ("aliases", "better") and name.lower() in map(str.lower, nodes)
            ):
                raise self._wrong(key, f"{name!r:.60} is declared twice", "Keep one of them.")
            if allowed and name not in allowed:
                raise self._wrong(key, f"unknown key {name!r:.60}", f"Known: {', '.join(allowed)}.")
            nodes[name] = value
            self._lines[f"{what}.{name}"] = key.start_mark.line + 1
        return nodes

    def _versions(self, items: Mapping[str, Node], what: str) -> dict[str, tuple[int | None, Node]]:
        return {
            name: (self._version(node), node)
            for name, node in self._mapping(items.get(what), what).items()
        }

    def _stages(self, items: Mapping[str, Node]) -> dict[Stage, int | None]:
        stages: dict[Stage, int | None] = {}
        for name, (version, node) in self._versions(items, "stages").items():
            if version is not None and version in stages.values():
                raise self._wrong(
                    node, f"version {version} is declared for two stages", "It can be in one."
                )
            stages[self._stage(name, node)] = version
        return stages

    def _version(self, node: Node) -> int | None:
        if node.id == "scalar" and node.tag.endswith(":null"):
            return None
        text = node.value if node.id == "scalar" else f"a {node.id}"
        return int(self._checked(node, lambda: check_version(text)))

    def _stage(self, name: str, node: Node) -> Stage:
        stage: Stage = self._checked(node, lambda: check_stage(name))
        if stage is Stage.NONE:
            raise self._wrong(
                node, "stage None cannot be declared", "Write `Production: null` to empty a stage."
            )
        return stage

    def _better(self, node: Node) -> Direction:
        if node.id != "scalar" or node.value not in tuple(Direction):
            raise self._wrong(node, "better is lower or higher", "Such as `rmse: lower`.")
        return Direction(node.value)

    def _string(self, node: Node) -> str:
        if node.id != "scalar":
            raise self._wrong(node, f"a text is wanted, not a {node.id}")
        return str(node.value)

    def _gates(self, node: Node) -> tuple[Gate, ...]:
        if node.id != "sequence":
            raise self._wrong(node, "gates of a stage are a list", "Begin each gate with '- '.")
        if len(node.value) > MAX_GATES:
            raise self._wrong(node, f"a stage has {len(node.value)} gates, over {MAX_GATES}")
        return tuple(map(self._gate, node.value))

    def _gate(self, node: Node) -> Gate:
        text = self._expression(node)
        gate: Gate = self._checked(node, lambda: read_gate(text))
        return gate

    def _expression(self, node: Node) -> str:
        """The expression that an entry of a list of gates is, or is short for."""
        if node.id != "mapping":
            return self._string(node)
        if len(node.value) != 1 or node.value[0][0].id != "scalar":
            raise self._wrong(node, "a gate has one key", "Begin each gate with '- '.")
        key, value = node.value[0]
        plain = self._plain(value)
        return str(self._checked(node, lambda: expanded(key.value, plain)))

    def _plain(self, node: Node) -> Any:
        """Texts, lists and mappings of texts, as they stand in the file."""
        if node.id == "sequence":
            return [self._plain(item) for item in node.value]
        if node.id == "mapping":
            return {name: self._plain(item) for name, item in self._mapping(node, "gate").items()}
        return node.value


def _compose(text: str, path: str) -> Node:
    try:
        node = plain_yaml.compose(text, references=False)
    except plain_yaml.YamlFault as error:
        raise InvalidInput(f"{path}, line {error.line}: {error}.", hint=_HINT) from error
    if node is None:
        raise InvalidInput(f"{path}, line 1: the file is empty.", hint=_HINT)
    return node


# Editing ----------------------------------------------------------------------------------------


def with_stage(old: Declaration | None, model: str, stage: Stage, version: int) -> str:
    """Write a version into a stage, out of another; everything else stays as it is, comments too.

    Args:
        old: What is declared; None where there is no file yet.
        model: The model's name.
        stage: The stage.
        version: The version to declare; the stage that it leaves is declared empty.

    Returns:
        The file's new text.

    Raises:
        StoreError: The file is laid out so that the change cannot be made safely.
    """
    if old is None:
        head = plain_yaml.dump({"model": model})
        return f"{head}stages:\n  {stage.value}: {version}\n"
    text, left = old.text, [name for name, holder in old.stages.items() if holder == version]
    for name in left:
        text = _edited(text, old.path, name.value, "null")
    text = _edited(text, old.path, stage.value, str(version))
    new = parse(text.encode(), old.path)
    expected = {**old.stages, **dict.fromkeys(left), stage: version}
    if dict(new.stages) != expected or new.gates != old.gates:
        raise StoreError(
            f"{old.path} is laid out so that it cannot be edited.",
            hint=f"Declare {stage.value}: {version} by hand.",
        )
    return text


def _edited(text: str, path: str, stage: str, version: str) -> str:
    root = _compose(text, path)
    pairs = {key.value: (key, value) for key, value in root.value} if root else {}
    if "stages" not in pairs:
        key, model = pairs["model"]
        return _line_after(text, model.end_mark.index, f"stages:\n  {stage}: {version}")
    key, stages = pairs["stages"]
    if stages.id != "mapping" or not stages.value:  # `stages:` or `stages: {}`
        start, end = stages.start_mark.index, stages.end_mark.index
        if text[start:end].strip() in ("", "{}", "null", "~"):
            emptied = f"{text[: key.end_mark.index]}:{text[end:]}"
            return _line_after(emptied, key.end_mark.index + 1, f"  {stage}: {version}")
    for name, value in stages.value:
        if name.value.lower() == stage.lower():
            start, end = value.start_mark.index, value.end_mark.index
            space = "" if text[start - 1 : start].isspace() else " "
            return f"{text[:start]}{space}{version}{text[end:]}"
    last_key, last = stages.value[-1]
    if stages.flow_style:
        return f"{text[: last.end_mark.index]}, {stage}: {version}{text[last.end_mark.index :]}"
    indent = " " * last_key.start_mark.column
    return _line_after(text, last.end_mark.index, f"{indent}{stage}: {version}")


def _line_after(text: str, position: int, line: str) -> str:
    """Insert a line below the line that contains a position."""
    newline = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", position)
    if end < 0:
        return f"{text}{newline}{line.replace(chr(10), newline)}{newline}"
    return f"{text[: end + 1]}{line.replace(chr(10), newline)}{newline}{text[end + 1 :]}"
