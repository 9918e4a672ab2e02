"""Read and write the messages of registry tags: one line for people, a blank line, YAML.

A message may end with a signature, which is no part of the YAML. Anybody may have written a
message, so what is unreasonably big or deep is not parsed. All pure.
"""

from __future__ import annotations

import re
from typing import Any

from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.text import single_line

MAX_DETAIL = 65_536  # characters of YAML to parse; 50 gates take some ten thousand
_MAX_NODES = 5_000
_MAX_DEPTH = 8
_SIGNED = re.compile(r"^-----BEGIN (?:PGP (?:SIGNATURE|MESSAGE)|SSH SIGNATURE)-----$", re.MULTILINE)


def format_message(line: str, detail: TagDetail) -> str:
    """Format a tag's message."""
    import yaml

    document = detail.to_yaml()
    text = (
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
        if document
        else ""
    )
    return f"{single_line(line)}\n\n{text}".rstrip() + "\n"


def parse_message(message: str) -> tuple[str, TagDetail]:
    """Parse a tag's message.

    Returns:
        Its first line and its YAML; the latter is empty if there is none, or none that can be
        parsed as a mapping.
    """
    import yaml

    line, _, rest = unsigned(message).lstrip("\n").partition("\n")
    line = line[:MAX_DETAIL].strip()
    if len(rest) > MAX_DETAIL:
        return line, TagDetail()
    try:
        document = _PlainCopy().of(_load(rest))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return line, TagDetail()
    return line, TagDetail.from_yaml(document if isinstance(document, dict) else {})


def parse_detail(message: str) -> TagDetail:
    """Parse the YAML of a tag's message."""
    return parse_message(message)[1]


def tag_signature(message: str) -> str:
    """Return the signature at the end of a tag's message, as git finds it; empty without one."""
    starts = [match.start() for match in _SIGNED.finditer(message)]
    return message[starts[-1] :] if starts else ""


def unsigned(message: str) -> str:
    """Return a tag's message without its signature."""
    return message.removesuffix(tag_signature(message))


def linked(message: str, previous: TagLink | None) -> str:
    """Append the link to the model's previous tag; nothing for the first one."""
    if previous is None:
        return message
    return f"{message.rstrip()}\nprevious:\n  tag: '{previous.tag}'\n  id: '{previous.oid}'\n"


def _load(text: str) -> Any:
    """Load YAML, with libyaml where it is installed, which is ten times as fast.

    libyaml's loader calls itself for every level and overruns the stack on deep input. Its parser
    does not, so it measures the depth first.
    """
    import yaml

    if not yaml.__with_libyaml__:
        return yaml.safe_load(text)
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError("too deep")
    return yaml.load(text, Loader=yaml.CSafeLoader)


class _PlainCopy:
    """Copies YAML values as plain JSON ones, up to a budget: YAML references can multiply."""

    def __init__(self) -> None:
        self._nodes = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise ValueError("too big")
        if isinstance(value, dict):
            return {str(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        if value is None or isinstance(value, str | bool | int | float):
            return value
        return str(value)
