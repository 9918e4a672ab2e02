"""Filter, sort and page models and versions, in the filter language of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TypeVar

from gitml.entities import ModelVersion, PagedList, RegisteredModel
from gitml.errors import InvalidInput
from gitml.query.filter_nodes import Entity, FilterField, Literal, Node, OrderKey, Target
from gitml.query.filters import decode_token, encode_token, holds, parse_filter, parse_order_by

_Entity = TypeVar("_Entity", RegisteredModel, ModelVersion)
_TIMES = ("creation_timestamp", "last_updated_timestamp")
_TAGS = MappingProxyType({"tags": Entity.TAG, "tag": Entity.TAG})

MODELS = Target(
    name="model",
    entities=_TAGS,
    attributes=MappingProxyType({name: name for name in ("name", *_TIMES)}),
    numeric=frozenset(_TIMES),
)
VERSIONS = Target(
    name="model version",
    entities=_TAGS,
    attributes=MappingProxyType({
        **{name: name for name in ("name", "run_id", "current_stage", *_TIMES)},
        "version_number": "version",
        "source_path": "source",
    }),
    numeric=frozenset({"version", *_TIMES}),
)  # fmt: skip


def search_models(
    models: Iterable[RegisteredModel], text: str | None, order_by: Sequence[str] | None
) -> list[RegisteredModel]:
    """Filter and sort models; ties and the lack of an order leave them by name.

    Raises:
        InvalidInput: The filter or the order cannot be understood.
    """
    return _search(sorted(models, key=lambda model: model.name), MODELS, text, order_by)


def search_versions(
    versions: Iterable[ModelVersion], text: str | None, order_by: Sequence[str] | None
) -> list[ModelVersion]:
    """Filter and sort versions; ties and the lack of an order leave the last updated first.

    Raises:
        InvalidInput: The filter or the order cannot be understood.
    """
    newest = sorted(versions, key=lambda v: (-v.last_updated_timestamp, v.name, -v.version))
    return _search(newest, VERSIONS, text, order_by)


def page(matches: list[_Entity], max_results: int | None, token: str | None) -> PagedList[_Entity]:
    """Return one page of all results.

    Args:
        matches: All results, in order.
        max_results: How many at most; all without any.
        token: The ``token`` of the page before.

    Raises:
        InvalidInput: ``max_results`` is no whole number from 1, or the token is none of ours.
    """
    start = decode_token(token)
    if max_results is None:
        return PagedList(matches[start:])
    if type(max_results) is not int or max_results < 1:
        raise InvalidInput(
            f"max_results is {max_results!r:.40}.", hint="Give a whole number from 1."
        )
    end = start + max_results
    return PagedList(matches[start:end], encode_token(end) if end < len(matches) else None)


def _search(
    items: list[_Entity], target: Target, text: str | None, order_by: Sequence[str] | None
) -> list[_Entity]:
    node = parse_filter(text, target)
    matches = [thing for thing in items if node is None or _holds(node, thing)]
    for key in reversed(parse_order_by(order_by, target)):  # stable, so the first key comes last
        matches = _sorted(matches, key)
    return matches


def _holds(node: Node, thing: RegisteredModel | ModelVersion) -> bool:
    return holds(node, lambda field: _values(thing, field))


def _sorted(items: list[_Entity], key: OrderKey) -> list[_Entity]:
    """Sort by one key; things without a value come last, both ways."""
    present = [(values[0], item) for item in items if (values := _values(item, key.field))]
    absent = [item for item in items if not _values(item, key.field)]
    present.sort(key=lambda pair: pair[0], reverse=key.descending)
    return [item for _, item in present] + absent


def _values(thing: RegisteredModel | ModelVersion, field: FilterField) -> Sequence[Literal]:
    if field.entity is Entity.ATTRIBUTE:
        return (getattr(thing, field.key),)
    value = thing.tags.get(field.key)
    return () if value is None else (value,)
