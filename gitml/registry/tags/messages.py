"""Read and write the messages of registry tags: one line for people, a blank line, YAML.

A message may end with a signature, which is no part of the YAML. Anybody may have written a
message, so what is unreasonably big or deep is not parsed. All pure.
"""

from __future__ import annotations

import re
from typing import Any

from gitml.errors import TooLarge
from gitml.formats import plain_yaml
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.text import single_line

MAX_DETAIL = 65_536  # characters of YAML to parse; 50 gates take some ten thousand
_LIMITS = plain_yaml.Limits(characters=MAX_DETAIL, depth=8, nodes=5_000)
_SPARE = 1_000  # characters for the link to the tag before, and longer numbers of versions
_SIGNED = re.compile(r"^-----BEGIN (?:PGP (?:SIGNATURE|MESSAGE)|SSH SIGNATURE)-----$", re.MULTILINE)


def format_message(line: str, detail: TagDetail) -> str:
    """Format a tag's message."""
    document = detail.to_yaml()
    text = plain_yaml.dump(document) if document else ""
    return f"{single_line(line)}\n\n{text}".rstrip() + "\n"


def check_length(message: str) -> None:
    """Refuse to write a message that readers would not parse, also after a renumbering.

    Raises:
        TooLarge: It is too long.
    """
    if len(message) > MAX_DETAIL - _SPARE:
        raise TooLarge(
            f"The message of the registry tag would have {len(message):,} characters; the limit is "
            f"{MAX_DETAIL - _SPARE:,}.",
            hint="Give a shorter reason.",
        )


def parse_message(message: str) -> tuple[str, TagDetail]:
    """Parse a tag's message.

    Returns:
        Its first line and its YAML; the latter is empty if there is none, or none that can be
        parsed as a mapping.
    """
    line, _, rest = unsigned(message).lstrip("\n").partition("\n")
    line = line[:MAX_DETAIL].strip()
    try:
        document = plain_yaml.load(rest, _LIMITS)
    except plain_yaml.YamlFault:
        return line, TagDetail()
    return line, TagDetail.from_yaml(_plain(document) if isinstance(document, dict) else {})


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


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, bytes) else value
