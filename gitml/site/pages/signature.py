"""What a model takes and returns, as tables, and a request that it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitml.errors import InvalidInput
from gitml.models.schema import (
    AnyType,
    Array,
    ColSpec,
    ColumnType,
    DataType,
    Map,
    Object,
    Schema,
    TensorSpec,
)
from gitml.models.signature import ModelSignature
from gitml.site.text import formats

_MOST_COLUMNS = 200
_MOST_VALUES = 1_000  # of an example tensor
_ZEROS: Mapping[DataType, Any] = {
    DataType.boolean: False, DataType.integer: 0, DataType.long: 0, DataType.float: 0.0,
    DataType.double: 0.0, DataType.string: "", DataType.datetime: "2026-01-01T00:00:00",
    DataType.binary: "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column, tensor or parameter."""

    name: str
    type: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureView:
    """A signature as a page shows it; ``request`` is as of :func:`request`."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    params: tuple[Field, ...]
    request: str


def view(form: Mapping[str, str]) -> SignatureView | None:
    """Read a signature; None where there is none, or where it is malformed.

    Args:
        form: ``inputs``, ``outputs`` and ``params`` as JSON, as in an MLmodel file.
    """
    try:
        found = ModelSignature.from_dict(form)
    except (InvalidInput, RecursionError):
        return None
    params = found.params.params if found.params else ()
    return SignatureView(
        inputs=_fields(found.inputs),
        outputs=_fields(found.outputs),
        params=tuple(
            Field(
                name=formats.name(one.name),
                type=_kind(one.dtype),
                note=formats.name(f"default {json.dumps(one.default)}"),
            )
            for one in params[:_MOST_COLUMNS]
        ),
        request=request(found),
    )


def _fields(schema: Schema | None) -> tuple[Field, ...]:
    if schema is None:
        return ()
    return tuple(_field(number, one) for number, one in enumerate(schema.inputs[:_MOST_COLUMNS]))


def _field(number: int, one: ColSpec | TensorSpec) -> Field:
    name = str(number) if one.name is None else formats.name(str(one.name))
    if isinstance(one, TensorSpec):
        shape = ", ".join("any" if size < 0 else str(size) for size in one.shape)
        return Field(name=name, type=f"{one.type} [{shape}]")
    return Field(name=name, type=_kind(one.type), note="" if one.required else "optional")


def _kind(kind: ColumnType) -> str:
    return formats.name(kind.value if isinstance(kind, DataType) else json.dumps(kind.to_dict()))


def request(signature: ModelSignature | None) -> str:
    """Make a request of zeros for a served model, as JSON.

    Returns:
        One row, or one tensor; empty where nothing is known of the input, or it is too big.
    """
    schema = signature.inputs if signature else None
    try:
        body = _example(schema) if schema and 0 < len(schema) <= _MOST_COLUMNS else None
        return "" if body is None else json.dumps(body, ensure_ascii=False)
    except RecursionError:
        return ""


def _example(schema: Schema) -> dict[str, Any] | None:
    if schema.is_tensor_spec():
        tensors = {one.name: _tensor(one) for one in schema.tensors}
        if any(values is None for values in tensors.values()):
            return None
        return {"inputs": tensors if schema.has_input_names() else next(iter(tensors.values()))}
    row = [_zero(one.type) for one in schema.columns]
    if schema.has_input_names():
        return {"dataframe_split": {"columns": schema.input_names(), "data": [row]}}
    return {"inputs": [row]}


def _zero(kind: ColumnType) -> Any:
    match kind:
        case AnyType():
            return None
        case Array(items):
            return [_zero(items)]
        case Map(values):
            return {"key": _zero(values)}
        case Object(properties):
            return {one.name: _zero(one.dtype) for one in properties}
    return _ZEROS[kind]


def _tensor(spec: TensorSpec) -> Any:
    sizes = [max(size, 1) if size >= 0 else 1 for size in spec.shape]
    total = 1
    for size in sizes:
        total *= size
    if total > _MOST_VALUES:
        return None
    kind = spec.type.rstrip("0123456789")
    value: Any = {"bool": False, "str": "", "int": 0, "uint": 0}.get(kind, 0.0)
    for size in reversed(sizes):
        value = [value] * size
    return value
