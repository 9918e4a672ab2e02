"""Check input and parameters against a schema before a model sees them.

Rules, which are MLflow's: columns come in the schema's order and others are dropped; a number is
widened where the model's type holds it (integer → long, float, double; float → double) and
refused where it does not; text is never parsed; an integer column cannot hold missing values.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitml.errors import InvalidInput
from gitml.models.inference import UntypedData, series_type, tensor_type, value_type
from gitml.models.schema import (
    AnyType,
    Array,
    ColSpec,
    ColumnType,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Schema,
    TensorSpec,
)

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

_WIDENS: Mapping[DataType, frozenset[DataType]] = {
    DataType.long: frozenset({DataType.integer}),
    # JSON and CSV write 1 for 1.0, so whole numbers must fit floating-point columns.
    DataType.float: frozenset({DataType.integer, DataType.long}),
    DataType.double: frozenset({DataType.integer, DataType.long, DataType.float}),
}
_NUMPY_NAME: Mapping[DataType, Any] = {
    DataType.integer: "int32",
    DataType.long: "int64",
    DataType.float: "float32",
    DataType.double: "float64",
}


def enforce_schema(data: Any, schema: Schema) -> Any:
    """Return ``data`` in the form the schema promises: a DataFrame, an array or a dict of arrays.

    Raises:
        InvalidInput: The data does not fit; the message names the column or array.
    """
    if schema.is_tensor_spec():
        return _enforce_tensors(data, schema)
    if [spec.type for spec in schema.columns] == [AnyType()] and not schema.has_input_names():
        return data
    return _enforce_columns(_as_table(data, schema), schema)


def _as_table(data: Any, schema: Schema) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    match data:
        case pd.DataFrame():
            return data
        case pd.Series():
            return data.to_frame()
        case Mapping():
            return _table_of_mapping(data, schema)
        case list() | tuple() | np.ndarray():
            return pd.DataFrame(data)
        case str() | bytes() | int() | float():
            return pd.DataFrame([data])
    raise InvalidInput(
        f"The model takes a table, not {type(data).__name__}.",
        hint="Pass a DataFrame, a dictionary of columns or a list of records.",
    )


def _table_of_mapping(data: Mapping[Any, Any], schema: Schema) -> pd.DataFrame:
    import pandas as pd

    nested = {spec.name for spec in schema.columns if isinstance(spec.type, Array)}
    if all(_is_column(value, name in nested) for name, value in data.items()):
        try:
            return pd.DataFrame(dict(data))
        except ValueError as error:
            raise InvalidInput(f"The columns do not form a table: {error}.") from error
    return pd.DataFrame([dict(data)])


def _is_column(value: Any, nested: bool) -> bool:
    """Return True for a column of values, False for a single value; a list column holds lists."""
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__len__"):
        return False
    return not nested or (len(value) > 0 and hasattr(value[0], "__len__"))


def _enforce_columns(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    import pandas as pd

    chosen = _chosen_columns(table, schema)
    specs = zip(schema.columns, schema.input_names(), strict=True)
    specs_by_column = {(n if schema.has_input_names() else chosen[n]): spec for spec, n in specs}
    columns = {name: _enforce_column(table[name], specs_by_column[name], name) for name in chosen}
    return pd.DataFrame(columns, index=table.index)


def _chosen_columns(table: pd.DataFrame, schema: Schema) -> list[Any]:
    """Return the table's columns that the model gets, in the schema's order."""
    given = list(table.columns)
    if not schema.has_input_names():
        if len(given) < len(schema):
            raise InvalidInput(f"The model takes {len(schema)} columns, got {len(given)}.")
        return given[: len(schema)]
    missing = [name for name in schema.required_input_names() if name not in given]
    if missing:
        raise InvalidInput(
            f"The input lacks {_listed(missing)} of the model's signature.",
            hint=f"It has {_listed(given)}.",
        )
    chosen = [name for name in schema.input_names() if name in given]
    doubled = [name for name in chosen if given.count(name) > 1]
    if doubled:
        raise InvalidInput(f"The input has more than one column {doubled[0]!r}.")
    return chosen


def _listed(names: Sequence[Any]) -> str:
    quoted = ", ".join(repr(name) for name in names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{'column' if len(names) == 1 else 'columns'} {quoted}{more}"


def _enforce_column(column: pd.Series[Any], spec: ColSpec, name: Any) -> pd.Series[Any]:
    if isinstance(spec.type, AnyType):
        return column
    if isinstance(spec.type, Array | Map | Object):
        for value in column:
            _check_value(value, spec.type, f"column {name!r}", spec.required)
        return column
    return _enforce_scalars(column, spec.type, name)


def _enforce_scalars(column: pd.Series[Any], expected: DataType, name: Any) -> pd.Series[Any]:
    given, complete = _column_type(column, name)
    if expected in (DataType.integer, DataType.long) and not complete:
        raise InvalidInput(
            f"Column {name!r} has missing values, which the model's type {expected} cannot hold.",
            hint="Fill them, or train with a floating-point column.",
        )
    empty = isinstance(given, AnyType)
    if not empty and given != expected and given not in _WIDENS.get(expected, frozenset()):
        raise InvalidInput(
            f"Column {name!r} holds {_type_name(given)}, the model takes {expected}.",
            hint="Convert the column first.",
        )
    return _converted(column, expected, complete, name)


def _column_type(column: pd.Series[Any], name: Any) -> tuple[ColumnType, bool]:
    try:
        return series_type(column)
    except UntypedData as reason:
        raise InvalidInput(f"Column {name!r} cannot be checked, because {reason}.") from None


def _converted(
    column: pd.Series[Any], expected: DataType, complete: bool, name: Any
) -> pd.Series[Any]:
    """Return the column with the NumPy type that the wanted type stands for."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return column
    if expected is DataType.datetime:
        return _without_zone(column, name)
    if expected is DataType.boolean:
        return column.astype(bool) if complete else column
    return (
        _as_number(column, _NUMPY_NAME[expected], complete) if expected in _NUMPY_NAME else column
    )


def _without_zone(column: pd.Series[Any], name: Any) -> pd.Series[Any]:
    import pandas as pd

    times: pd.Series[Any] = pd.to_datetime(column)
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        raise InvalidInput(
            f"Column {name!r} has a time zone, the model takes times without.",
            hint="Use .dt.tz_localize(None).",
        )
    return times


def _as_number(column: pd.Series[Any], dtype: Any, complete: bool) -> pd.Series[Any]:
    import pandas as pd

    if complete or column.dtype.kind in "fO":
        converted: pd.Series[Any] = column.astype(dtype)
        return converted
    # pandas' own nullable numbers: their NA becomes NaN.
    values = column.to_numpy(dtype=dtype, na_value=float("nan"))
    return pd.Series(values, index=column.index, name=column.name)


def _type_name(kind: ColumnType) -> str:
    return str(kind.to_dict()["type"])


def _check_value(value: Any, expected: ColumnType, where: str, required: bool = True) -> None:
    """Refuse a nested value that is not of the wanted type."""
    if isinstance(expected, AnyType) or (value is None and not required):
        return
    match expected:
        case Array() if isinstance(value, list | tuple) or hasattr(value, "tolist"):
            for i, item in enumerate(value):
                _check_value(item, expected.items, f"{where}[{i}]")
        case Map() if isinstance(value, Mapping):
            for key, item in value.items():
                _check_value(item, expected.values, f"{where}[{key!r}]")
        case Object() if isinstance(value, Mapping):
            _check_object(value, expected, where)
        case DataType():
            _check_scalar(value, expected, where)
        case _:
            raise _mismatch(where, type(value).__name__, expected)


def _check_object(value: Mapping[str, Any], expected: Object, where: str) -> None:
    fields = {field.name: field for field in expected.properties}
    missing = [name for name, field in fields.items() if field.required and name not in value]
    unknown = [name for name in value if name not in fields]
    if missing or unknown:
        problem = f"lacks field {missing[0]!r}" if missing else f"has unknown field {unknown[0]!r}"
        raise InvalidInput(f"The value of {where} {problem}.")
    for name, item in value.items():
        _check_value(item, fields[name].dtype, f"{where}[{name!r}]", fields[name].required)


def _check_scalar(value: Any, expected: DataType, where: str) -> None:
    try:
        given = value_type(value)
    except UntypedData:
        raise _mismatch(where, type(value).__name__, expected) from None
    # A Python int has no width, so it may stand for either of the two.
    widths = {DataType.integer, DataType.long} if type(value) is int else {given}
    if expected not in widths and given not in _WIDENS.get(expected, frozenset()):
        if {given, expected} == {DataType.double, DataType.float} and type(value) is float:
            return
        raise _mismatch(where, _type_name(given), expected)


def _mismatch(where: str, given: str, expected: ColumnType) -> InvalidInput:
    return InvalidInput(f"The value of {where} is {given}, the model takes {_type_name(expected)}.")


def _enforce_tensors(data: Any, schema: Schema) -> Any:
    if not schema.has_input_names():
        return _enforce_tensor(_as_array(data), schema.tensors[0], "The input")
    return _enforce_named_tensors(data, schema)


def _as_array(data: Any) -> Any:
    import pandas as pd

    if isinstance(data, pd.DataFrame | pd.Series):
        return data.to_numpy()
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        return data
    raise InvalidInput(
        f"The model takes a NumPy array, not {type(data).__name__}.",
        hint="Convert it with numpy.asarray(data, dtype=…).",
    )


def _enforce_named_tensors(data: Any, schema: Schema) -> dict[str, Any]:
    import pandas as pd

    given = {name: data[name] for name in data} if isinstance(data, pd.DataFrame) else data
    if not isinstance(given, Mapping):
        raise InvalidInput(
            f"The model takes a dictionary of arrays, not {type(data).__name__}.",
            hint=f"It needs {_listed(schema.input_names())}.",
        )
    missing = [name for name in schema.input_names() if name not in given]
    if missing:
        raise InvalidInput(f"The input lacks array {missing[0]!r} of the model's signature.")
    return {
        str(spec.name): _enforce_tensor(_as_array(given[spec.name]), spec, f"Array {spec.name!r}")
        for spec in schema.tensors
    }


def _enforce_tensor(array: Any, spec: TensorSpec, what: str) -> Any:
    if tensor_type(array.dtype) != spec.type:
        raise InvalidInput(f"{what} has type {array.dtype}, the model takes {spec.type}.")
    shape = tuple(array.shape)
    fits = len(shape) == len(spec.shape) and all(
        want in (-1, have) for want, have in zip(spec.shape, shape, strict=True)
    )
    if not fits:
        raise InvalidInput(f"{what} has shape {shape}, the model takes {spec.shape}.")
    return array


def enforce_params(
    params: Mapping[str, Any] | None, schema: ParamSchema | None
) -> dict[str, Any] | None:
    """Return prediction parameters with defaults filled in; None where the model takes none.

    Parameters that the model does not know are ignored, with a warning.

    Raises:
        InvalidInput: A value has another type than the signature says.
    """
    given = dict(params or {})
    specs = {spec.name: spec for spec in schema.params} if schema else {}
    unknown = [name for name in given if name not in specs]
    if unknown:
        _log.warning(
            "Ignored parameters the model does not take: %s.", ", ".join(map(str, unknown))
        )
    if not specs:
        return None
    return {name: _enforce_param(spec, given) for name, spec in specs.items()}


def _enforce_param(spec: ParamSpec, given: Mapping[str, Any]) -> Any:
    if spec.name not in given:
        return spec.default
    kind: ColumnType = spec.dtype if spec.shape is None else Array(spec.dtype)
    value = given[spec.name]
    _check_value(value, kind, f"parameter {spec.name!r}", required=spec.default is not None)
    return float(value) if kind in (DataType.double, DataType.float) else value
