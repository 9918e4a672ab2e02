"""Search values: queries, filters, order and page tokens. Pure.

This is the reference for what the index does with SQL.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from gitml.entities import Experiment, Run, ViewType
from gitml.errors import InvalidInput
from gitml.query.filter_nodes import (
    And,
    Condition,
    Entity,
    FilterField,
    Literal,
    Node,
    Not,
    Operator,
    Or,
    OrderKey,
)
from gitml.query.filter_parser import NUMBER, parse_filter, parse_order_by
from gitml.text import short_repr

__all__ = [
    "RunQuery",
    "as_number",
    "check_max_results",
    "decode_token",
    "encode_token",
    "experiment_matches",
    "holds",
    "like",
    "matches",
    "parse_filter",
    "parse_order_by",
    "plain",
    "sort_experiments",
    "sort_runs",
]

MAX_RESULTS = 50_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_T = TypeVar("_T", Run, Experiment)
Getter = Callable[[FilterField], Sequence[Literal]]
"""Returns the values of a field: none if it is missing, several for datasets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """A search for runs.

    Attributes:
        experiment_ids: The experiments; None for all.
        filter_string: Conditions in MLflow's filter language.
        order_by: Sort keys; ties are ordered newest first.
        run_view_type: Which lifecycle stages.
        max_results: Runs of a page, 1 to 50,000.
        page_token: The token of the previous page.

    Raises:
        InvalidInput: A value is not valid.
    """

    experiment_ids: tuple[str, ...] | None = None
    filter_string: str | None = None
    order_by: tuple[str, ...] = ()
    run_view_type: ViewType = ViewType.ACTIVE_ONLY
    max_results: int = 1000
    page_token: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        ids = () if self.experiment_ids is None else self.experiment_ids
        if isinstance(ids, str) or not all(isinstance(item, str) for item in ids):
            raise InvalidInput(
                f"experiment_ids must be a list of strings, not {short_repr(ids)}.",
                hint='For example ["1", "2"].',
            )
        check_max_results(self.max_results)
        if self.run_view_type not in list(ViewType):
            raise InvalidInput(
                f"run_view_type must be a ViewType, not {short_repr(self.run_view_type)}.",
                hint="Use gitml.entities.ViewType.",
            )
        decode_token(self.page_token)


def check_max_results(max_results: int) -> None:
    """Check the length of a page.

    Raises:
        InvalidInput: It is not a whole number from 1 to 50,000.
    """
    if type(max_results) is not int or not 1 <= max_results <= MAX_RESULTS:
        raise InvalidInput(
            f"max_results must be a whole number from 1 to {MAX_RESULTS:,}, not "
            f"{short_repr(max_results)}."
        )


# Page tokens ------------------------------------------------------------------------------------


def encode_token(offset: int) -> str:
    """Return the token of the page that starts after ``offset`` results."""
    return base64.urlsafe_b64encode(json.dumps({"offset": offset}).encode()).decode()


def decode_token(token: str | None) -> int:
    """Return where a page starts; 0 without a token.

    Raises:
        InvalidInput: It is not a page token.
    """
    if not token:
        return 0
    try:
        value = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
    except (AttributeError, binascii.Error, ValueError, RecursionError):
        value = None
    offset = value.get("offset") if isinstance(value, dict) else None
    if type(offset) is not int or not 1 <= offset < 2**63:
        raise InvalidInput(
            f"{short_repr(token)} is not a page token.", hint="Pass the token of the previous page."
        )
    return offset


# What a filter means ----------------------------------------------------------------------------


def matches(node: Node | None, run: Run) -> bool:
    """Return True if a filter matches a run."""
    return node is None or holds(node, _getter(run))


def holds(node: Node, values: Getter) -> bool:
    """Return True if a filter matches something, given the values of its fields."""
    if isinstance(node, And):
        return all(holds(item, values) for item in node.items)
    if isinstance(node, Or):
        return any(holds(item, values) for item in node.items)
    if isinstance(node, Not):
        return not holds(node.item, values)
    field_values = values(node.field)
    if node.operator is Operator.IS_NULL:
        return not field_values
    return any(_passes(node, value) for value in field_values)


def _passes(node: Condition, value: Any) -> bool:
    operator, operands = node.operator, node.values
    if operator is Operator.IS_NOT_NULL:
        return True
    if isinstance(value, float) and math.isnan(value):
        return False
    name = operator.removeprefix("NOT ")
    if isinstance(value, str):
        value, operands = plain(value), tuple(plain(str(text)) for text in operands)
    return _TESTS[name](value, operands) is not operator.startswith("NOT ")


@lru_cache(256)
def like(pattern: str, ignore_case: bool) -> Callable[[str], re.Match[str] | None]:
    """Compile a LIKE pattern: ``%`` matches any text, ``_`` one character.

    Each part between two ``%`` is matched at its first occurrence only (an atomic group), so that
    no pattern takes more than length of pattern * length of text steps.

    Args:
        pattern: The pattern.
        ignore_case: True if upper and lower case are equal.

    Returns:
        A function of a text that returns None if the pattern does not match.
    """
    first, *others = (
        "".join("." if sign == "_" else re.escape(sign) for sign in part)
        for part in pattern.split("%")
    )
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    last = f".*{others[-1]}" if others else ""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.compile(first + middle + last, flags).fullmatch


_TESTS: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "=": lambda value, operands: bool(value == operands[0]),
    "!=": lambda value, operands: bool(value != operands[0]),
    ">": lambda value, operands: bool(value > operands[0]),
    ">=": lambda value, operands: bool(value >= operands[0]),
    "<": lambda value, operands: bool(value < operands[0]),
    "<=": lambda value, operands: bool(value <= operands[0]),
    "LIKE": lambda value, operands: like(operands[0], False)(value) is not None,
    "ILIKE": lambda value, operands: like(operands[0], True)(value) is not None,
    "IN": lambda value, operands: value in operands,
    "BETWEEN": lambda value, operands: bool(operands[0] <= value <= operands[1]),
}


def plain(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and a database cannot."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _getter(run: Run) -> Getter:
    by_key = {
        Entity.METRIC: run.data.metrics,
        Entity.PARAM: run.data.params,
        Entity.TAG: run.data.tags,
    }

    def values(field: FilterField) -> Sequence[Literal]:
        if field.entity is Entity.DATASET:
            texts = (getattr(dataset, field.key) for dataset in run.inputs.dataset_inputs)
            return [text for text in texts if text or field.key != "context"]
        if field.entity is Entity.ATTRIBUTE:
            value = _attribute(run, field.key)
        else:
            value = by_key[field.entity].get(field.key)
            if field.numeric and isinstance(value, str):
                value = as_number(value)
        return () if value is None else (value,)

    return values


def _attribute(run: Run, name: str) -> Any:
    """Return an attribute; a duration beyond 64 bits is a float, as in SQLite."""
    if name == "duration":
        end = run.info.end_time
        duration = None if end is None else end - run.info.start_time
        return duration if duration is None or -(2**63) <= duration < 2**63 else float(duration)
    if name == "source":
        return run.source.name or None
    if name == "dirty":
        return "yes" if run.source.dirty else "no"
    return run.source.commit if name == "commit" else getattr(run.info, name)


def as_number(text: str) -> float | None:
    """Return a param as a number; None if it is not one."""
    return float(text) if NUMBER.fullmatch(text.strip()) else None


def _experiment_getter(experiment: Experiment) -> Getter:
    def values(field: FilterField) -> Sequence[Literal]:
        if field.entity is Entity.ATTRIBUTE:
            return (getattr(experiment, field.key),)
        value = experiment.tags.get(field.key)
        return () if value is None else (value,)

    return values


def experiment_matches(node: Node | None, experiment: Experiment) -> bool:
    """Return True if a filter matches an experiment."""
    return node is None or holds(node, _experiment_getter(experiment))


# Order ------------------------------------------------------------------------------------------


def sort_runs(runs: Iterable[Run], keys: Sequence[OrderKey]) -> list[Run]:
    """Sort runs; ties are ordered newest first, then by id."""
    ordered = sorted(runs, key=lambda run: (run.info.run_id, run.info.experiment_id))
    ordered.sort(key=lambda run: run.info.start_time, reverse=True)
    for key in reversed(keys):
        ordered = _sorted(ordered, key, _getter)
    return ordered


def sort_experiments(
    experiments: Iterable[Experiment], keys: Sequence[OrderKey]
) -> list[Experiment]:
    """Sort experiments; ties are ordered newest first, then by id."""
    ordered = sorted(experiments, key=lambda item: (-item.creation_time, item.experiment_id))
    for key in reversed(keys):
        ordered = _sorted(ordered, key, _experiment_getter)
    return ordered


def _sorted(items: list[_T], key: OrderKey, getter: Callable[[_T], Getter]) -> list[_T]:
    """Sort stably by one key; NaN after the numbers, missing values last, in both directions."""
    groups: tuple[list[tuple[Any, _T]], list[_T], list[_T]] = ([], [], [])
    for item in items:
        values = getter(item)(key.field)
        if not values:
            groups[2].append(item)
        elif isinstance(values[0], float) and math.isnan(values[0]):
            groups[1].append(item)
        else:
            value = values[0]
            groups[0].append((plain(value) if isinstance(value, str) else value, item))
    groups[0].sort(key=lambda pair: pair[0], reverse=key.descending)
    return [item for _, item in groups[0]] + groups[1] + groups[2]
