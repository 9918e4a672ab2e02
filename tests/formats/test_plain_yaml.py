"""Plain YAML: one meaning for readers of YAML 1.1 and 1.2, bounds, and no error but our own."""

from __future__ import annotations

import ast
import io
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, strategies as st
from ruamel.yaml import YAML

import gitml
from gitml.formats import plain_yaml
from gitml.formats.plain_yaml import Limits, YamlFault

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
ambiguous = st.sampled_from(
    "1e5 08 0o17 0x1f 1:30 yes No on ~ null .inf .NaN 2026-01-01 1_000 1.5e3 +.5 -1 1. << = - ? "
    "12e45678901234567890123456789012 017 0b1 True 1e999 :x x:".split()
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | ambiguous
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | ambiguous, inner),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def yaml_1_2(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


@given(documents)
@example({"run_id": "12e45678901234567890123456789012", "08": 1.0})
def test_what_we_write_reads_alike_in_yaml_1_1_and_1_2(value: Any) -> None:
    text = plain_yaml.dump({"value": value})

    assert same(plain_yaml.load(text), {"value": value})
    assert same(yaml.safe_load(text), {"value": value})
    assert same(yaml_1_2(text), {"value": value})


@given(documents)
def test_what_pyyaml_writes_is_read_as_it_was(value: Any) -> None:
    assert same(plain_yaml.load(yaml.safe_dump({"value": value})), {"value": value})


@given(ambiguous | st.from_regex(r"[-+]?[0-9._:eExo]{1,12}", fullmatch=True))
def test_a_number_is_what_both_versions_take_for_the_same(word: str) -> None:
    try:
        value = plain_yaml.load(word)
    except YamlFault:
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert same(value, yaml.safe_load(word))
        assert same(value, yaml_1_2(word))
    else:
        assert value in (None, True, word, "") or isinstance(value, dict | list)


def test_values_have_their_types() -> None:
    text = (
        "a: [1, -2, 0x1f, 1.5, .inf, true, null, ~, '', 'x', \"y\", yes, off, 1:30, 2026-01-01]\n"
        "b: !!binary aGVsbG8=\nc: !!str 1\nd: &x {e: 1}\nf: [*x, *x]\ng: |\n  two\n  lines\n"
    )
    assert plain_yaml.load(text) == {
        "a": [1, -2, 31, 1.5, math.inf, True, None, None, "", "x", "y", "yes", "off", "1:30",
              "2026-01-01"],
        "b": b"hello", "c": "1", "d": {"e": 1}, "f": [{"e": 1}, {"e": 1}], "g": "two\nlines\n",
    }  # fmt: skip
    assert plain_yaml.load(b"\xef\xbb\xbf# nothing\n") is None


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        (BOMB, "it has more than 20,000 values", 5),
        ("[" * 900, "it is nested deeper than 32 levels", 1),
        ("- " * 900, "it is nested deeper than 32 levels", 1),
        ("[" * 200_000, "exceeded maximum nesting depth|it is nested deeper than 32 levels", 1),
        ("a: &a [*a]", "reference *a names no value before it", 1),
        ("a: *b", "reference *b names no value before it", 1),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands twice", 3),
        ("x: " + "9" * 301, "a number has more than 300 digits", 1),
        ("x" * 300_000, "it has more than 262,144 characters", 1),
        ("a: 1\n---\nb: 2", "a second YAML document begins", 2),
        ("? [a]\n: b", "a key is a list or a mapping", 1),
        ("!!python/object/apply:os.system [id]", "the type 'tag:yaml.org,2002:python/object/", 1),
        ("!!python/name:os.system x", "'x' is not of the type 'tag:yaml.org,2002:python/name", 1),
        ("!!int yes", "'yes' is not of the type", 1),
        ("!!binary é", "a binary value is not base64", 1),
        (b"\xff\xfe", "it is not UTF-8 text", 1),
        ("\ud800", "it is not UTF-8 text", 1),
        (r'a: "\ud800"', "a character is half|found invalid Unicode character", 1),
        ("a: \x00", "it has a character that YAML does not allow", 1),
        ("a: [1,\nb: 2]\n- c", "did not find expected", 3),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(
    text: str | bytes, problem: str, line: int
) -> None:
    with pytest.raises(YamlFault) as error:
        plain_yaml.load(text)
    assert str(error.value).startswith(tuple(problem.split("|")))
    assert error.value.line == line


def test_a_sexagesimal_of_3000_groups_is_a_text() -> None:
    assert plain_yaml.load("1" + ":30" * 3000) == "1" + ":30" * 3000


def test_no_more_events_are_read_than_the_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(text: str, Loader: Any) -> Any:
        for event in parse(text, Loader=Loader):
            read.append(event)
            yield event

    parse = yaml.parse
    monkeypatch.setattr(yaml, "parse", counted)
    for text in ("a: &a [x]\n" + "b: [*a]\n" * 5_000, "- x\n" * 50_000, "[" * 500, BOMB):
        read.clear()
        with pytest.raises(YamlFault):
            plain_yaml.load(text, Limits(nodes=100))
        assert len(read) < 300


alphabet = st.sampled_from([*"[]{}:,-?&*!|>'\"%@#ab01 \n\t~<=\x00\ufeff\u2028\ud800é", "!!", "<<"])
hostile = st.lists(alphabet, max_size=60).map("".join)


@given(hostile | st.text(max_size=60) | st.binary(max_size=60))
@example("%TAG ! tag:%ff:\n--- !x a")
@example("!<%> a")
@example("!!float 1:30")
@example("!!float ''")
@example("? *a")
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    try:
        value = plain_yaml.load(text)
    except YamlFault as error:
        assert str(error) and error.line > 0
        return
    assert same(plain_yaml.load(plain_yaml.dump(value)), value)


@given(hostile)
def test_pyyaml_without_libyaml_is_bounded_as_well(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        try:
            plain_yaml.load(text)
        except YamlFault as error:
            assert str(error)


def test_nothing_else_in_gitml_reads_yaml() -> None:
    own = Path(plain_yaml.__file__)
    imports = []
    for path in sorted(Path(gitml.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if path != own and any(n.split(".")[0] in ("yaml", "ruamel") for n in names):
                imports.append(path)
    assert imports == []
