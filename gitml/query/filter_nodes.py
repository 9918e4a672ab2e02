"""The parsed form of a filter, and the fields it can use. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

Number = int | float
Literal = str | Number


class Entity(StrEnum):
    """The kinds of fields."""

    METRIC = "metrics"
    PARAM = "params"
    TAG = "tags"
    DATASET = "datasets"
    ATTRIBUTE = "attributes"


class Operator(StrEnum):
    """How a value is tested; spelled as in a filter."""

    EQUAL = "="
    UNEQUAL = "!="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    LIKE = "LIKE"
    NOT_LIKE = "NOT LIKE"
    ILIKE = "ILIKE"
    NOT_ILIKE = "NOT ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    BETWEEN = "BETWEEN"
    NOT_BETWEEN = "NOT BETWEEN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterField:
    """The field of a condition or of a sort key.

    Attributes:
        entity: Its kind.
        key: Name of the metric, param, tag, attribute or field of a dataset.
        numeric: True if its values are numbers; they are strings otherwise.
    """

    entity: Entity
    key: str
    numeric: bool = False

    def __str__(self) -> str:
        """Format as in a filter."""
        return f"{self.entity}.{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition.

    It is true if any value of the field passes, so it is never true if the field is missing, except
    for ``IS NULL``. NaN passes no test.

    Attributes:
        field: What is tested.
        operator: The test.
        values: What to compare with: two for BETWEEN, any number for IN, none for IS NULL.
    """

    field: FilterField
    operator: Operator
    values: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """True if every item is."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """True if at least one item is."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """True if its item is not, also if a field is missing."""

    item: Node


Node = And | Or | Not | Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """One sort key: NaN comes after all numbers, missing values come last, in both directions."""

    field: FilterField
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What can be searched, and by which fields.

    Attributes:
        name: What messages call it.
        entities: Kinds other than attributes, by every name that a filter can use.
        attributes: Every name and alias of an attribute, with its true name.
        numeric: Attributes that are numbers.
    """

    name: str
    entities: Mapping[str, Entity]
    attributes: Mapping[str, str]
    numeric: frozenset[str]


DATASET_FIELDS = ("name", "digest", "context")
ATTRIBUTE_WORDS = ("attributes", "attribute", "attr", "run")
_TAG_WORDS = {"tags": Entity.TAG, "tag": Entity.TAG}

RUNS = Target(
    name="run",
    entities=MappingProxyType({
        "metrics": Entity.METRIC,
        "metric": Entity.METRIC,
        "params": Entity.PARAM,
        "param": Entity.PARAM,
        "parameters": Entity.PARAM,
        "parameter": Entity.PARAM,
        **_TAG_WORDS,
        "datasets": Entity.DATASET,
        "dataset": Entity.DATASET,
    }),
    attributes=MappingProxyType({
        **{name: name for name in (
            "run_id", "run_name", "status", "start_time", "end_time", "artifact_uri", "user_id",
            "experiment_id", "duration", "source", "commit", "dirty",
        )},
        **dict.fromkeys(("created", "Created"), "start_time"),
        **dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
    }),
    numeric=frozenset({"start_time", "end_time", "duration"}),
)  # fmt: skip
"""The dashboard's script ``filter.js`` parses the same language with the same messages."""

EXPERIMENTS = Target(
    name="experiment",
    entities=MappingProxyType(_TAG_WORDS),
    attributes=MappingProxyType({
        name: name for name in ("name", "experiment_id", "creation_time", "last_update_time")
    }),
    numeric=frozenset({"creation_time", "last_update_time"}),
)  # fmt: skip
