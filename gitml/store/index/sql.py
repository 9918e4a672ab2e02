"""Compile a search to SQL over the tables of ``tables.py``. Pure.

Values of the user are bound, never part of a statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import LifecycleStage, ViewType
from gitml.query.filter_nodes import (
    And,
    Condition,
    Entity,
    FilterField,
    Literal,
    Node,
    Not,
    Operator,
    OrderKey,
)
from gitml.query.filters import RunQuery, parse_filter, parse_order_by, plain

LIKE_FUNCTION = "matches_like"
"""SQL function of (pattern, ignore case, text) that the index provides."""
NUMBER_FUNCTION = "as_number"
"""SQL function of a text that the index provides: the number it is, or NULL."""

_ATTRIBUTES = {
    "run_id": "r.run_id",
    "experiment_id": "r.experiment_id",
    "run_name": "r.run_name",
    "user_id": "r.user_id",
    "status": "r.status",
    "start_time": "r.start_time",
    "end_time": "r.end_time",
    "artifact_uri": "('runs:/' || r.run_id)",
    "duration": "(r.end_time - r.start_time)",
    "source": "r.source",
    "commit": "r.code_commit",
    "dirty": "r.dirty",
}
_DATASET_COLUMNS = {"name": "name", "digest": "digest", "context": "context"}
_STAGES = {
    ViewType.ACTIVE_ONLY: LifecycleStage.ACTIVE,
    ViewType.DELETED_ONLY: LifecycleStage.DELETED,
}
_INLINE = 3  # levels of AND, OR and NOT within one query
_KEY = "(SELECT id FROM keys WHERE entity = ? AND name = ?)"


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values bound in it, in their order."""

    text: str
    values: tuple[Literal, ...] = ()


def select_runs(query: RunQuery, offset: int) -> Sql:
    """Select the row ids of a page of runs, and of one more to know if it is the last."""
    conditions = []
    if query.experiment_ids is not None:
        ids = json.dumps(query.experiment_ids)
        conditions.append(Sql("r.experiment_id IN (SELECT value FROM json_each(?))", (ids,)))
    if query.run_view_type in _STAGES:
        stage = str(_STAGES[ViewType(query.run_view_type)])
        conditions.append(Sql("r.lifecycle_stage = ?", (stage,)))
    node = parse_filter(query.filter_string)
    groups: list[Sql] = []
    if node is not None:
        conditions.append(_condition(node, groups))
    joins, order = _order(parse_order_by(query.order_by))
    where = _joined(conditions, " AND ")
    inner = _joined(groups, ", ")
    return Sql(
        f"{'WITH ' if groups else ''}{inner.text} SELECT r.id FROM runs r{joins.text}"
        f" WHERE {where.text or '1'} ORDER BY {order} LIMIT ? OFFSET ?",
        (*inner.values, *joins.values, *where.values, query.max_results + 1, offset),
    )


def _joined(parts: Sequence[Sql], between: str) -> Sql:
    return Sql(
        between.join(part.text for part in parts),
        tuple(value for part in parts for value in part.values),
    )


# Conditions -------------------------------------------------------------------------------------


def _condition(node: Node, groups: list[Sql], level: int = 0) -> Sql:
    """Compile to an expression that is true or false, never NULL, so that NOT is its opposite.

    SQLite's parser allows little nesting, so deep parts become queries of their own before the
    statement: they are added to ``groups``, after those that they use themselves.
    """
    if isinstance(node, Condition):
        return _comparison(node)
    if level == _INLINE:
        inner = _condition(node, groups)
        name = f"g{len(groups)}"
        groups.append(Sql(f"{name} AS (SELECT r.id FROM runs r WHERE {inner.text})", inner.values))
        return Sql(f"r.id IN {name}")
    if isinstance(node, Not):
        inner = _condition(node.item, groups, level + 1)
        return Sql(f"NOT {inner.text}", inner.values)
    parts = [_condition(item, groups, level + 1) for item in node.items]
    inner = _joined(parts, " AND " if isinstance(node, And) else " OR ")
    return Sql(f"({inner.text})", inner.values)


def _comparison(node: Condition) -> Sql:
    field = node.field
    if field.entity is Entity.ATTRIBUTE:
        return _attribute_condition(node)
    if field.entity is Entity.DATASET:
        column = _DATASET_COLUMNS[field.key]
        holders = Sql(f"SELECT run FROM datasets WHERE {column} IS NOT NULL")
    else:
        numeric_text = field.entity is Entity.PARAM and field.numeric
        column = f"{NUMBER_FUNCTION}(value)" if numeric_text else "value"
        holders = Sql(f"SELECT run FROM entries WHERE key = {_KEY}", _key_of(field))
    if node.operator is Operator.IS_NULL:
        return Sql(f"r.id NOT IN ({holders.text})", holders.values)
    if node.operator is Operator.IS_NOT_NULL:
        return Sql(f"r.id IN ({holders.text})", holders.values)
    test = _test(column, node)
    return Sql(f"r.id IN ({holders.text} AND {test.text})", (*holders.values, *test.values))


def _key_of(field: FilterField) -> tuple[str, str]:
    return str(field.entity), plain(field.key)


def _attribute_condition(node: Condition) -> Sql:
    column = _ATTRIBUTES[node.field.key]
    if node.operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        return Sql(f"({column} {node.operator.value})")
    test = _test(column, node)
    return Sql(f"({column} IS NOT NULL AND {test.text})", test.values)


def _test(column: str, node: Condition) -> Sql:
    name = node.operator.removeprefix("NOT ")
    negation = "NOT " if node.operator.startswith("NOT ") else ""
    values = tuple(plain(value) if isinstance(value, str) else value for value in node.values)
    if name in ("LIKE", "ILIKE"):
        ignore_case = int(name == "ILIKE")
        return Sql(f"{negation}{LIKE_FUNCTION}(?, ?, {column})", (values[0], ignore_case))
    if name == "IN":
        return Sql(f"{column} {negation}IN ({', '.join('?' * len(values))})", values)
    if name == "BETWEEN":
        return Sql(f"{column} {negation}BETWEEN ? AND ?", values)
    return Sql(f"{column} {name} ?", values)


# Order ------------------------------------------------------------------------------------------


def _order(keys: Sequence[OrderKey]) -> tuple[Sql, str]:
    """Return the joins that sort keys need, and the terms of ORDER BY.

    NaN is stored as NULL in a row that exists, an absent key has no row.
    """
    joins, terms = [], []
    for number, key in enumerate(keys):
        direction = "DESC" if key.descending else "ASC"
        if key.field.entity is Entity.ATTRIBUTE:
            column = _ATTRIBUTES[key.field.key]
            terms.append(f"{column} IS NULL, {column} {direction}")
            continue
        name = f"o{number}"
        joins.append(
            Sql(
                f" LEFT JOIN entries {name} ON {name}.key = {_KEY} AND {name}.run = r.id",
                _key_of(key.field),
            )
        )
        terms.append(f"{name}.run IS NULL, {name}.value IS NULL, {name}.value {direction}")
    return _joined(joins, ""), ", ".join([
        *terms, "r.start_time DESC", "r.run_id", "r.experiment_id"
    ])  # fmt: skip
