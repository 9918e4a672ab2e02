from __future__ import annotations

import string

import pytest
from gto.constants import Action
from gto.tag import parse_name
from hypothesis import given, strategies as st

from gitml.registry.tags import grammar
from gitml.registry.tags.grammar import Kind, TagEvent, parse

_GTO_KINDS = {
    Action.REGISTER: (Kind.REGISTERED,),
    Action.DEREGISTER: (Kind.DELETED,),
    Action.ASSIGN: (Kind.STAGE, Kind.ALIAS),
    Action.UNASSIGN: (Kind.LEFT, Kind.UNALIAS),
    Action.DEPRECATE: (Kind.DEPRECATED,),
}


@pytest.mark.parametrize(
    ("tag", "event"),
    [
        ("m@v2.0.0", TagEvent(kind=Kind.REGISTERED, model="m", version="v2.0.0")),
        ("m@v2.0.0!#4", TagEvent(kind=Kind.DELETED, model="m", version="v2.0.0", counter=4)),
        ("m#Production", TagEvent(kind=Kind.STAGE, model="m", value="Production")),
        ("m#a/b!#12", TagEvent(kind=Kind.LEFT, model="m", value="a/b", counter=12)),
        ("m#alias/best#3", TagEvent(kind=Kind.ALIAS, model="m", value="best", counter=3)),
        ("m#alias/best!#4", TagEvent(kind=Kind.UNALIAS, model="m", value="best", counter=4)),
        ("a/b=m@deprecated", TagEvent(kind=Kind.DEPRECATED, model="a/b=m")),
        ("m@v1.2.3-rc.1+b.7", TagEvent(kind=Kind.REGISTERED, model="m", version="v1.2.3-rc.1+b.7")),
    ],
)
def test_tag_names_are_read_and_spelled_the_same(tag: str, event: TagEvent) -> None:
    assert parse(tag) == event
    assert grammar.format_tag(event) == tag


@pytest.mark.parametrize(
    "tag", ["v1.0", "m@v1", "m@1.0.0", "m@v01.0.0", "m@V1.0.0", "_m@v1.0.0", "m@v1.0.0#", "m#", ""]
)
def test_tags_outside_the_grammar_are_no_events(tag: str) -> None:
    assert parse(tag) is None


@given(st.text(alphabet="aZ09-_/.=#@!v+ é", max_size=14))
def test_the_grammar_is_that_of_gto(text: str) -> None:
    parsed = parse(text)
    of_gto = parse_name(text, raise_on_fail=False)
    assert (parsed is None) == (not of_gto)
    if parsed and of_gto:
        assert parsed.kind in _GTO_KINDS[of_gto["action"]]
        assert parsed.model == of_gto["name"].replace(":", "=")
        assert (parsed.version, parsed.counter) == (of_gto.get("version"), of_gto.get("counter"))


@given(st.text(min_size=1, max_size=300))
def test_any_name_gets_a_slug_that_gto_and_git_take(name: str) -> None:
    slug = grammar.slug(name)
    assert parse(f"{slug}@v1.0.0") == TagEvent(kind=Kind.REGISTERED, model=slug, version="v1.0.0")
    assert len(slug) <= 200
    assert grammar.true_name(slug, name) == name


def test_names_inside_the_grammar_stay_and_others_are_distinguished() -> None:
    names = ["PriceOptimizer", "a-b_c", "a b", "a  b", "été", "🚀", "x_", ".git", "a.b"]
    slugs = [grammar.slug(name) for name in names]
    assert slugs[:2] == names[:2]
    assert len(set(slugs)) == len(names)
    assert slugs[5].startswith("model-x")
    assert set("".join(slugs)) <= set(string.ascii_letters + string.digits + "-_")


def test_claimed_name_counts_only_if_its_slug_is_the_same() -> None:
    assert grammar.true_name(grammar.slug("été"), "été") == "été"
    assert grammar.true_name(grammar.slug("été"), "hiver") == grammar.slug("été")
    assert grammar.true_name("m", ["m"]) == "m"
