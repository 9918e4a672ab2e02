"""Short spellings of gates: each is an expression, anything else is refused with its line."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, strategies as st

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.query.gates import read
from gitml.registry.gates import declarations
from gitml.registry.gates.shorthand import expanded

PATH = "registry/Price.yaml"
HEAD = "model: Price\ngates:\n  Production:\n"
SCHEMA = json.loads(declarations.SCHEMA_FILE.read_text())


@pytest.mark.parametrize(
    ("entry", "expression"),
    [
        ("approvals: 2", "approvals.count >= 2"),
        ("approvals: [ada, bo@example.org]", "approved_by.ada and approved_by.`bo@example.org`"),
        ("approvals: ['123']", "approved_by.123"),
        ("source: clean", "source.dirty = false"),
        ("signature: required", "signature.inputs is not null and signature.outputs is not null"),
        ("dataset: holdout", "evaluations.holdout is not null"),
        ("dataset: {name: hold out, digest: 1e5}", "evaluations.`hold out` = '1e5'"),
        ('dataset: {digest: "it\'s", name: a/b}', "evaluations.`a/b` = 'it''s'"),
    ],
)
def test_an_entry_is_short_for_an_expression(entry: str, expression: str) -> None:
    declaration = declarations.parse(f"{HEAD}  - {entry}\n".encode(), PATH)
    assert declaration.gates[Stage.PRODUCTION] == (read(expression),)
    jsonschema.validate(yaml.safe_load(f"{HEAD}  - {entry}\n"), SCHEMA)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("approvals: 0", "approvals cannot be '0'. Write a number from 1 to 50"),
        ("approvals: two", "approvals cannot be 'two'"),
        ("approvals: []", r"approvals cannot be \[\]. Write a list of names"),
        ("approvals: [ada, [bo]]", "approvals cannot be"),
        ("approvals: ['a`b']", "has a backtick"),
        ("source: dirty", "Write `source: clean`"),
        ("signature: yes", "Write `signature: required`"),
        ("dataset: {digest: x}", "Write a name, or"),
        ("dataset: {name: x, digset: y}", "Write a name, or"),
        ("dataset: [x]", "Write a name, or"),
        ("approval: 2", "'approval' is no gate. Known: approvals, source"),
        ("{approvals: 2, source: clean}", "a gate has one key"),
        ("{}", "a gate has one key"),
        ("[a]", "a text is wanted, not a sequence"),
        ("production.approvals.count > 1", "only a promotion has approvals"),
        ("approvals.number > 1", "one of count after approvals."),
    ],
)
def test_anything_else_is_refused_with_its_line(entry: str, message: str) -> None:
    text = f"{HEAD}  - metrics.a < 1\n  - {entry}\n"
    with pytest.raises(InvalidInput, match="line 5") as error:
        declarations.parse(text.encode(), PATH)
    assert error.value.message.count("line 5") == 1
    assert re.search(message, f"{error.value.message} {error.value.hint}")


TEXTS = st.text(max_size=12)
VALUES: Any = st.one_of(
    TEXTS, st.lists(TEXTS), st.dictionaries(st.sampled_from(["name", "digest", "x"]), TEXTS)
)


@given(st.sampled_from(["approvals", "source", "signature", "dataset", "other"]), VALUES)
def test_any_value_is_an_expression_that_can_be_read_or_refused(key: str, value: Any) -> None:
    try:
        text = expanded(key, value)
    except InvalidInput as error:
        assert error.hint
    else:
        assert read(text).text
