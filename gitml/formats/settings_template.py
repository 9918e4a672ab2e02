"""Write a ``gitml.yaml`` in which every key stands as a comment, from the file's JSON Schema."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

_WIDTH = 96
_HEADER = """\
# Settings of gitml for everyone who works on this repository. All keys are optional; each shows its
# default. To set one, take the # from its line, and from that of its section.
"""


def settings_template(schema: Mapping[str, Any]) -> str:
    """Return a YAML text that sets nothing; without the first # of its lines it sets every default.

    Args:
        schema: JSON Schema of an object; each property has a description and a default, unless it
            is a section of such properties.
    """
    return "\n".join([_HEADER, *_section(schema, ""), ""])


def _section(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    for position, (key, content) in enumerate(schema["properties"].items()):
        inner = "properties" in content
        if position and inner:
            yield ""
        notes = content["description"]
        if "examples" in content:
            notes += f" Example: {_inline(content['examples'][0])}"
        yield from (f"## {indent}{line}" for line in textwrap.wrap(notes, _WIDTH - len(indent)))
        if inner:
            yield f"# {indent}{key}:"
            yield from _section(content, f"{indent}  ")
        else:
            yield f"# {indent}{key}: {_inline(content['default'])}"


def _inline(value: object) -> str:
    """Write a value on one line; JSON is YAML."""
    if isinstance(value, str) and value.replace("/", "").replace("_", "").isalpha():
        return value
    return json.dumps(value, ensure_ascii=False)
