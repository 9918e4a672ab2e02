"""The texts of filters and gates are taken apart in one way."""

from __future__ import annotations

import re

from hypothesis import given, strategies as st

from gitml.query.scanner import Scanner

WORD = re.compile(r"\w+")


def scanner(text: str) -> Scanner:
    return Scanner(text, "verse", word=WORD, hints={"&&": "Write AND."})


@given(st.text(), st.sampled_from("'\""))
def test_any_text_survives_its_quotes(text: str, quote: str) -> None:
    read = scanner(f"  {quote}{text.replace(quote, quote * 2)}{quote}  x")
    assert read.quoted() == text
    assert read.keyword("x") == "x" and read.ended


def test_keywords_are_whole_words_in_any_case() -> None:
    read = scanner(" ORDER or Else")
    assert (read.keyword("OR"), read.keyword("ORDER"), read.keyword("and", "or")) == (
        None, "ORDER", "or",
    )  # fmt: skip
    assert read.keyword("else") == "else" and read.ended


def test_a_key_keeps_the_space_behind_it_and_a_sign_does_not() -> None:
    read = scanner("`a b` .c <= 1")
    assert read.key(WORD) == "a b" and not read.follows(".")
    read.space()
    assert read.sign(".") and read.key(WORD) == "c"
    read.space()
    assert read.sign("<", "<=") == "<" and read.sign("=") == "="
    assert read.quoted() is None and read.key(WORD) == "1"


def test_a_fault_tells_where_and_what_was_expected() -> None:
    read = scanner("a && b\nnext")
    read.keyword("a")
    fault = read.wrong("AND")
    assert (fault.message, fault.hint) == (
        "Invalid verse at character 3: expected AND, found '&& b'.",
        "Write AND.",
    )
    assert read.wrong("more", len(read.text)).message.endswith("expected more, but it ends there.")
