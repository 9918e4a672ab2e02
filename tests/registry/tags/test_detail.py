"""Details of tags: typed values of YAML that anybody may have written."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from gitml.registry.tags.detail import RecordedGate, TagDetail, TagLink
from gitml.registry.tags.messages import format_message, parse_detail

_YAML: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:#'é ", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["gate", "holds", "values", "tag", "id"]), inner)
    ),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ["model", "version", "from", "to", "gates", "approved_by", "previous", "forced", "unknown"]
)


def test_keys_are_written_in_the_order_in_which_they_were_given() -> None:
    gate = RecordedGate(gate="a < 1", measured="0 < 1", holds=True, values={"a": 0.0})
    detail = TagDetail.of(to_stage="Production", from_stage="Staging") | TagDetail.of(
        gates=[gate], approved_by=("Ada",), reason="", to_stage="Archived"
    )
    assert list(detail.to_yaml().items()) == [
        ("to", "Archived"),
        ("from", "Staging"),
        ("gates", [{"gate": "a < 1", "measured": "0 < 1", "holds": True, "values": {"a": 0.0}}]),
        ("approved_by", ["Ada"]),
    ]
    assert detail.gates == (gate,)


def test_values_of_another_type_read_as_missing_and_are_preserved() -> None:
    document = {"model": 5, "version": True, "forced": "yes", "gates": "none", "by": [1]}
    detail = TagDetail.from_yaml(document)
    assert (detail.model, detail.version, detail.forced, detail.gates) == (None, None, False, ())
    assert detail.to_yaml() == document
    assert detail.circumstances.to_yaml() == {"forced": "yes", "gates": "none", "by": [1]}


def test_a_link_needs_the_id_and_the_name_of_a_tag() -> None:
    link = {"tag": "m@v1.0.0", "id": "a" * 40}
    assert TagDetail.from_yaml({"previous": link}).previous == TagLink(tag="m@v1.0.0", oid="a" * 40)
    for broken in ({**link, "id": "a"}, {**link, "tag": "m"}, {"tag": "m@v1.0.0"}, "m@v1.0.0"):
        assert TagDetail.from_yaml({"previous": broken}).previous is None


@given(st.dictionaries(_KEYS, _YAML))
def test_any_document_is_read_and_written_back_unchanged(document: dict[str, Any]) -> None:
    detail = TagDetail.from_yaml(document)
    for name in ("model", "version", "from_stage", "gates", "approved_by", "previous", "forced"):
        getattr(detail, name)
    message = format_message("line", detail)
    assert format_message("line", parse_detail(message)) == message
