"""Messages of tags: one line and YAML, whoever wrote them."""

from __future__ import annotations

import pytest

from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.messages import format_message, parse_detail, parse_message


def test_messages_are_a_single_line_and_yaml() -> None:
    text = format_message(
        "m version 2\nmoved\x00to Production",
        TagDetail.from_yaml({"model": "m", "reason": "a: b", "empty": ""}),
    )
    assert text == "m version 2 moved to Production\n\nmodel: m\nreason: 'a: b'\n"
    assert parse_message(text) == (
        "m version 2 moved to Production",
        TagDetail.of(model="m", reason="a: b"),
    )


@pytest.mark.parametrize(
    "yaml",
    [
        "- a list",
        "just text",
        "a: [unclosed",
        "!!python/object/apply:os.system ['true']",
        "[" * 3000,
        f"a: &a [{'1,' * 40}]\nb: &b [{'*a,' * 40}]\nc: [{'*b,' * 40}]",
        "a: " + "x" * 70_000,
        "? [1, 2]\n: 3",
        "",
    ],
)  # fmt: skip
def test_hostile_yaml_reads_as_empty(yaml: str) -> None:
    assert parse_message(f"hello\n\n{yaml}") == ("hello", TagDetail())


def test_values_outside_json_become_texts() -> None:
    detail = parse_detail(
        "hello\n\nday: 2020-01-02\nno day: 2020-99-99\n1: {two: [3.5, true, null]}"
    )
    assert detail.document == {
        "day": "2020-01-02",
        "no day": "2020-99-99",
        "1": {"two": [3.5, True, None]},
    }
