"""A model's signature as tables, and an example request."""

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

_MAX_COLUMNS = 200
_MAX_VALUES = 1_000  # of an example tensor
_ZEROS: Mapping[DataType, Any] = {
    DataType.boolean: False, DataType.integer: 0, DataType.long: 0, DataType.float: 0.0,
    DataType.double: 0.0, DataType.string: "", DataType.datetime: "2026-01-01T00:00:00",
    DataType.binary: "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureField:
    """A column, tensor or parameter."""

    name: str
    type: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureView:
    """A signature as a page shows it; ``request`` is as of :func:`request`."""

    inputs: tuple[SignatureField, ...]
    outputs: tuple[SignatureField, ...]
    params: tuple[SignatureField, ...]
    request: str


def signature_view(form: Mapping[str, str]) -> SignatureView | None:
    """Read a signature; None if there is none, or if it is malformed.

    Args:
        form: ``inputs``, ``outputs`` and ``params`` as JSON, as in an MLmodel file.
    """
    try:
        signature = ModelSignature.from_dict(form)
    except (InvalidInput, RecursionError):
        return None
    params = signature.params.params if signature.params else ()
    return SignatureView(
        inputs=_fields(signature.inputs),
        outputs=_fields(signature.outputs),
        params=tuple(
            SignatureField(
                name=formats.name(param.name),
                type=_kind(param.dtype),
                note=formats.name(f"default {json.dumps(param.default)}"),
            )
            for param in params[:_MAX_COLUMNS]
        ),
        request=request(signature),
    )


def _fields(schema: Schema | None) -> tuple[SignatureField, ...]:
    if schema is None:
        return ()
    return tuple(_field(number, spec) for number, spec in enumerate(schema.inputs[:_MAX_COLUMNS]))


def _field(number: int, spec: ColSpec | TensorSpec) -> SignatureField:
    name = str(number) if spec.name is None else formats.name(str(spec.name))
    if isinstance(spec, TensorSpec):
        shape = ", ".join("any" if size < 0 else str(size) for size in spec.shape)
        return SignatureField(name=name, type=f"{spec.type} [{shape}]")
    return SignatureField(
        name=name, type=_kind(spec.type), note="" if spec.required else "optional"
    )


def _kind(kind: ColumnType) -> str:
    return formats.name(kind.value if isinstance(kind, DataType) else json.dumps(kind.to_dict()))


def request(signature: ModelSignature | None) -> str:
    """Return a request of zeros for a served model, as JSON.

    Returns:
        One row, or one tensor; empty if the input is unknown, or too big.
    """
    schema = signature.inputs if signature else None
    try:
        body = _example(schema) if schema and 0 < len(schema) <= _MAX_COLUMNS else None
        return "" if body is None else json.dumps(body, ensure_ascii=False)
    except RecursionError:
        return ""


def _example(schema: Schema) -> dict[str, Any] | None:
    if schema.is_tensor_spec():
        tensors = {spec.name: _tensor(spec) for spec in schema.tensors}
        if any(values is None for values in tensors.values()):
            return None
        return {"inputs": tensors if schema.has_input_names() else next(iter(tensors.values()))}
    row = [_zero(spec.type) for spec in schema.columns]
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
            return {entry.name: _zero(entry.dtype) for entry in properties}
    return _ZEROS[kind]


def _tensor(spec: TensorSpec) -> Any:
    sizes = [max(size, 1) if size >= 0 else 1 for size in spec.shape]
    total = 1
    for size in sizes:
        total *= size
    if total > _MAX_VALUES:
        return None
    kind = spec.type.rstrip("0123456789")
    value: Any = {"bool": False, "str": "", "int": 0, "uint": 0}.get(kind, 0.0)
    for size in reversed(sizes):
        value = [value] * size
    return value
