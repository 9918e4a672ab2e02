"""Schemas read off example data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from gitml.errors import InvalidInput
from gitml.models.schema import (
    AnyType,
    Array,
    ColSpec,
    ColumnType,
    DataType,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_log = logging.getLogger(__name__)


class UntypedData(Exception):
    """The data has no type in MLflow's schema language; never leaves ``gitml.models``."""


def infer_schema(data: Any) -> Schema:
    """Return the schema of example data; ``any``, with a warning, where it fits none."""
    try:
        return Schema(_specs(data))
    except UntypedData as reason:
        _log.warning("The signature accepts any value, because %s.", reason)
        return Schema([ColSpec(AnyType())])


def _specs(data: Any) -> Sequence[ColSpec | TensorSpec]:
    import numpy as np
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return _table_specs(data)
    if isinstance(data, pd.Series):
        kind, complete = series_type(data)
        return [ColSpec(kind, None if data.name is None else _label(data.name), complete)]
    if isinstance(data, np.ndarray) or _is_sparse(data):
        return [_tensor_spec(data)]
    if isinstance(data, Mapping):
        return _mapping_specs(data)
    if isinstance(data, list):
        return _list_specs(data)
    return [ColSpec(value_type(data))]


def _is_sparse(data: Any) -> bool:
    # Asked by attribute, so that a caller without sparse data need not import SciPy.
    return hasattr(data, "tocsr") and hasattr(data, "dtype") and hasattr(data, "shape")


def _tensor_spec(data: Any, name: str | None = None) -> TensorSpec:
    return TensorSpec(tensor_type(data.dtype), (-1, *data.shape[1:]), name)


def tensor_type(dtype: np.dtype[Any]) -> str:
    """Return a dtype's name, with text and bytes of any width named alike."""
    return {"U": "str", "S": "bytes"}.get(dtype.kind, dtype.name)


def _label(name: Any) -> str | int:
    return name if isinstance(name, str) or type(name) is int else str(name)


def _table_specs(table: pd.DataFrame) -> list[ColSpec]:
    if not len(table.columns):
        raise UntypedData("the table has no columns")
    # By position: two columns may carry the same name.
    types = [(name, series_type(table.iloc[:, i])) for i, name in enumerate(table.columns)]
    return [ColSpec(kind, _label(name), complete) for name, (kind, complete) in types]


def _mapping_specs(data: Mapping[Any, Any]) -> Sequence[ColSpec | TensorSpec]:
    import numpy as np

    if not data or not all(isinstance(name, str) for name in data):
        raise UntypedData("a dictionary needs at least one key, and string keys")
    if all(isinstance(value, np.ndarray) for value in data.values()):
        return [_tensor_spec(value, name) for name, value in data.items()]
    return [ColSpec(value_type(value), name, value is not None) for name, value in data.items()]


def _list_specs(data: Sequence[Any]) -> list[ColSpec]:
    if not data:
        raise UntypedData("the list is empty")
    kind = _merged(map(value_type, data))
    if isinstance(kind, Object):
        return [ColSpec(field.dtype, field.name, field.required) for field in kind.properties]
    return [ColSpec(kind)]


def series_type(column: pd.Series[Any]) -> tuple[ColumnType, bool]:
    """Return a column's type, and whether it has no missing values."""
    import pandas as pd

    complete = not bool(column.isna().any())
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if isinstance(dtype, pd.StringDtype):
        return DataType.string, complete
    if isinstance(dtype, pd.DatetimeTZDtype):
        return DataType.datetime, complete
    dtype = getattr(dtype, "numpy_dtype", dtype)
    if dtype.kind != "O":
        return _numpy_type(dtype), complete
    present = column[column.notna()]
    return (_merged(map(value_type, present)) if len(present) else AnyType()), complete


def _numpy_type(dtype: Any) -> DataType:
    match dtype.kind:
        case "b":
            return DataType.boolean
        case "i":
            return DataType.integer if dtype.itemsize <= 4 else DataType.long
        case "u" if dtype.itemsize <= 4:
            return DataType.integer if dtype.itemsize <= 2 else DataType.long
        case "f":
            return DataType.float if dtype.itemsize <= 4 else DataType.double
        case "M":
            return DataType.datetime
        case "U":
            return DataType.string
        case "S":
            return DataType.binary
    raise UntypedData(f"the NumPy type {dtype} has no name in a signature")


def value_type(value: Any) -> ColumnType:
    """Return the type of one Python or NumPy value.

    >>> value_type([1, 2]).to_dict()
    {'type': 'array', 'items': {'type': 'long'}}
    """
    import numpy as np

    # bool before int, and np.generic before float: each is a subclass of the latter.
    match value:
        case None:
            return AnyType()
        case np.generic():
            return _numpy_type(value.dtype)
        case bool():
            return DataType.boolean
        case int():
            return DataType.long
        case float():
            return DataType.double
        case str():
            return DataType.string
        case bytes() | bytearray():
            return DataType.binary
        case date():
            return DataType.datetime
        case np.ndarray():
            return _array_type(value)
        case list() | tuple():
            return Array(_merged(map(value_type, value)))
        case Mapping():
            return _object_type(value)
    raise UntypedData(f"values of type {type(value).__name__} have no name in a signature")


def _array_type(value: np.ndarray[Any, Any]) -> ColumnType:
    if value.dtype.kind == "O":
        return Array(_merged(map(value_type, value.tolist())))
    kind: ColumnType = _numpy_type(value.dtype)
    for _ in range(value.ndim):
        kind = Array(kind)
    return kind


def _object_type(value: Mapping[Any, Any]) -> Object:
    if not value or not all(isinstance(name, str) for name in value):
        raise UntypedData("a dictionary needs at least one key, and string keys")
    fields = value.items()
    return Object(
        tuple(Property(name, value_type(item), item is not None) for name, item in fields)
    )


def _merged(kinds: Iterable[ColumnType]) -> ColumnType:
    result: ColumnType = AnyType()
    for kind in kinds:
        result = _joined(result, kind)
    return result


def _joined(a: ColumnType, b: ColumnType) -> ColumnType:
    if isinstance(a, AnyType) or a == b:
        return b
    if isinstance(b, AnyType):
        return a
    if isinstance(a, Array) and isinstance(b, Array):
        return Array(_joined(a.items, b.items))
    if isinstance(a, Object) and isinstance(b, Object):
        return _joined_objects(a, b)
    raise UntypedData(f"values of types {_name(a)} and {_name(b)} are mixed")


def _joined_objects(a: Object, b: Object) -> Object:
    left = {field.name: field for field in a.properties}
    right = {field.name: field for field in b.properties}
    absent = Property("", AnyType(), required=False)
    pairs = [(n, left.get(n, absent), right.get(n, absent)) for n in {**left, **right}]
    return Object(
        tuple(
            Property(name, _joined(x.dtype, y.dtype), x.required and y.required)
            for name, x, y in pairs
        )
    )


def _name(kind: ColumnType) -> str:
    return str(kind.to_dict()["type"])


def infer_param_schema(params: Mapping[str, Any]) -> ParamSchema:
    """Return the schema of prediction parameters from their defaults.

    Raises:
        InvalidInput: A value is None, empty, nested or of a type without a name.
    """
    return ParamSchema([_param_spec(name, value) for name, value in params.items()])


def _param_spec(name: str, value: Any) -> ParamSpec:
    import numpy as np

    try:
        kind = value_type(value)
    except UntypedData as reason:
        raise InvalidInput(f"Parameter {name!r} has no type, because {reason}.") from None
    if kind in (DataType.datetime, DataType.binary):
        raise InvalidInput(f"Parameter {name!r} is {kind}, which a signature cannot store.")
    plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    if isinstance(kind, DataType | Object):
        return ParamSpec(name, kind, plain)
    if isinstance(kind, Array) and isinstance(kind.items, DataType | Object):
        return ParamSpec(name, kind.items, list(plain), (-1,))
    raise InvalidInput(
        f"Parameter {name!r} = {value!r} is not a scalar, a flat list or a dictionary."
    )
