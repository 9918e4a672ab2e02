"""What a model takes and returns: columns, tensors, parameters, and their JSON forms.

The JSON forms are those of MLflow's ``MLmodel`` file. Constructors keep MLflow's positional
order (``ColSpec("double", "age")``), because signatures are written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gitml.errors import InvalidInput

_DEEPEST = 64  # levels of lists and objects in a schema


class DataType(StrEnum):
    """A scalar type of a column or parameter; the value is its name in JSON."""

    boolean = "boolean"
    integer = "integer"
    long = "long"
    float = "float"
    double = "double"
    string = "string"
    binary = "binary"
    datetime = "datetime"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, ``{"type": name}``."""
        return {"type": self.value}


@dataclass(frozen=True, slots=True)
class AnyType:
    """A value of any type; never checked."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "any"}


@dataclass(frozen=True, slots=True)
class Array:
    """A list whose items share one type."""

    items: ColumnType

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "array", "items": self.items.to_dict()}


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping from text to values of one type."""

    values: ColumnType

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "map", "values": self.values.to_dict()}


@dataclass(frozen=True, slots=True)
class Property:
    """One field of an object."""

    name: str
    dtype: ColumnType
    required: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the name."""
        return {**self.dtype.to_dict(), "required": self.required}


@dataclass(frozen=True, slots=True)
class Object:
    """A record with named, typed fields."""

    properties: tuple[Property, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "properties", tuple(self.properties))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "object", "properties": {p.name: p.to_dict() for p in self.properties}}


ColumnType = DataType | AnyType | Array | Map | Object


def column_type(value: Any) -> ColumnType:
    """Return the type that a name or a JSON form stands for.

    Raises:
        InvalidInput: The type is unknown.
    """
    if isinstance(value, DataType | AnyType | Array | Map | Object):
        return value
    form: Mapping[str, Any] = value if isinstance(value, Mapping) else {"type": value}
    match form.get("type"):
        case "any":
            return AnyType()
        case "array":
            return Array(column_type(form.get("items")))
        case "map":
            return Map(column_type(form.get("values")))
        case "object":
            fields = form.get("properties") or {}
            return Object(tuple(_property(name, field) for name, field in fields.items()))
        case name if name in DataType.__members__.values():
            return DataType(str(name))
        case name:
            types = ", ".join([*DataType, "any", "array", "map", "object"])
            raise InvalidInput(f"{name!r} is not a valid column type.", hint=f"Use one of {types}.")


def _property(name: str, form: Mapping[str, Any]) -> Property:
    return Property(name, column_type(form), bool(form.get("required", True)))


@dataclass(frozen=True, slots=True)
class ColSpec:
    """One column of a table.

    Attributes:
        type: The type of its values; a name such as ``"double"`` is accepted.
        name: The column's name; None where columns are known by position.
        required: Whether the column must be present and without missing values.
    """

    type: ColumnType
    name: str | int | None = None
    required: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", column_type(self.type))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        name = {} if self.name is None else {"name": self.name}
        return {**self.type.to_dict(), **name, "required": self.required}

    def __str__(self) -> str:
        kind = self.type.value if isinstance(self.type, DataType) else json.dumps(_bare(self.type))
        need = "required" if self.required else "optional"
        return f"{kind} ({need})" if self.name is None else f"{self.name!r}: {kind} ({need})"


def _bare(kind: ColumnType) -> Any:
    form = kind.to_dict()
    return form["type"] if len(form) == 1 else form


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One array of numbers or text.

    Attributes:
        type: Name of the NumPy type, ``float64`` or ``str`` for example; a dtype is accepted.
        shape: Length per axis; -1 where any length will do.
        name: The array's name; None where it is the only one.
    """

    type: str
    shape: tuple[int, ...]
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", str(getattr(self.type, "name", self.type)))
        object.__setattr__(self, "shape", tuple(int(length) for length in self.shape))

    @property
    def required(self) -> bool:
        """Return True if it must be present; arrays always must."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form = {"type": "tensor", "tensor-spec": {"dtype": self.type, "shape": list(self.shape)}}
        return form if self.name is None else {"name": self.name, **form}

    def __str__(self) -> str:
        text = f"Tensor({self.type!r}, {self.shape})"
        return text if self.name is None else f"{self.name!r}: {text}"


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A parameter of a prediction, with its default.

    Attributes:
        name: Its name.
        dtype: The type of the value, or of its items when ``shape`` is given.
        default: The value used where the caller gives none.
        shape: None for a scalar or an object, ``(-1,)`` for a list.
    """

    name: str
    dtype: ColumnType
    default: Any
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", column_type(self.dtype))
        if self.shape is not None:
            object.__setattr__(self, "shape", tuple(self.shape))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "default": self.default, "shape": shape, **self.dtype.to_dict()}

    def __str__(self) -> str:
        kind = _bare(self.dtype)
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {kind} (default: {self.default}){shape}"


class Schema:
    """Columns or arrays, in order: either all :class:`ColSpec` or all :class:`TensorSpec`.

    Args:
        inputs: The columns or arrays; either all have names or none has.

    Raises:
        InvalidInput: The list is empty, mixes the two kinds, or names only some.
    """

    __slots__ = ("inputs",)

    inputs: tuple[ColSpec | TensorSpec, ...]

    def __init__(self, inputs: Sequence[ColSpec | TensorSpec]) -> None:
        specs = tuple(inputs)
        if not specs:
            raise InvalidInput("A schema needs at least one column or tensor.")
        if len({isinstance(spec, TensorSpec) for spec in specs}) > 1:
            raise InvalidInput("A schema holds columns or tensors, not both.")
        if len({spec.name is None for spec in specs}) > 1:
            raise InvalidInput("Either all columns of a schema need names, or none.")
        self.inputs = specs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.inputs == other.inputs

    def __hash__(self) -> int:
        return hash(self.inputs)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return "[" + ", ".join(map(str, self.inputs)) + "]"

    @property
    def columns(self) -> tuple[ColSpec, ...]:
        """Return the columns; empty if the schema holds tensors."""
        return tuple(spec for spec in self.inputs if isinstance(spec, ColSpec))

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """Return the arrays; empty if the schema holds columns."""
        return tuple(spec for spec in self.inputs if isinstance(spec, TensorSpec))

    def is_tensor_spec(self) -> bool:
        """Return True if the schema holds tensors."""
        return bool(self.tensors)

    def has_input_names(self) -> bool:
        """Return True if the columns or tensors have names."""
        return self.inputs[0].name is not None

    def input_names(self) -> list[Any]:
        """Return the names, or positions where there are none."""
        return [i if spec.name is None else spec.name for i, spec in enumerate(self.inputs)]

    def required_input_names(self) -> list[Any]:
        """Return the names of what must be present."""
        pairs = zip(self.input_names(), self.inputs, strict=True)
        return [name for name, spec in pairs if spec.required]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the JSON form as Python values."""
        return [spec.to_dict() for spec in self.inputs]

    def to_json(self) -> str:
        """Return the JSON form as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read the JSON form.

        Raises:
            InvalidInput: It is not a schema.
        """
        return cls([_input_spec(form) for form in _json_list(text, "schema")])


class ParamSchema:
    """The parameters a prediction takes, in order.

    Args:
        params: The parameters; names must differ.

    Raises:
        InvalidInput: Two parameters have the same name.
    """

    __slots__ = ("params",)

    params: tuple[ParamSpec, ...]

    def __init__(self, params: Sequence[ParamSpec]) -> None:
        self.params = tuple(params)
        names = [param.name for param in self.params]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise InvalidInput(f"Parameter {doubled[0]!r} is described twice.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and self.params == other.params

    __hash__ = None  # type: ignore[assignment]  # defaults may be lists

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return "[" + ", ".join(map(str, self.params)) + "]"

    def to_json(self) -> str:
        """Return the JSON form as text."""
        return json.dumps([param.to_dict() for param in self.params])

    @classmethod
    def from_json(cls, text: str) -> ParamSchema:
        """Read the JSON form.

        Raises:
            InvalidInput: It is not a list of parameters.
        """
        return cls([_param_spec(form) for form in _json_list(text, "parameter schema")])


def _json_list(text: str, what: str) -> list[Mapping[str, Any]]:
    try:
        forms = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The {what} is not valid JSON: {error}.") from error
    if _depth_exceeds(forms, _DEEPEST):
        raise InvalidInput(f"The {what} is nested deeper than {_DEEPEST} levels.")
    if not isinstance(forms, list) or not all(isinstance(form, Mapping) for form in forms):
        raise InvalidInput(f"The {what} must be a list of objects.")
    return forms


def _depth_exceeds(value: Any, limit: int) -> bool:
    layer = [value]
    for _ in range(limit):
        containers = [item for item in layer if isinstance(item, dict | list)]
        layer = [
            c for item in containers for c in (item.values() if isinstance(item, dict) else item)
        ]
    return bool(layer)


def _input_spec(form: Mapping[str, Any]) -> ColSpec | TensorSpec:
    if form.get("type") != "tensor":
        return ColSpec(column_type(form), form.get("name"), bool(form.get("required", True)))
    spec = form.get("tensor-spec")
    if not isinstance(spec, Mapping) or not {"dtype", "shape"} <= spec.keys():
        raise InvalidInput("A tensor of the schema has no 'tensor-spec' with dtype and shape.")
    return TensorSpec(spec["dtype"], tuple(spec["shape"]), form.get("name"))


def _param_spec(form: Mapping[str, Any]) -> ParamSpec:
    if not {"name", "type"} <= form.keys():
        raise InvalidInput("A parameter of the schema lacks its name or type.")
    shape = form.get("shape")
    return ParamSpec(
        form["name"],
        column_type(form),
        form.get("default"),
        None if shape is None else tuple(shape),
    )
