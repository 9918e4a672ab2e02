from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitml.errors import InvalidInput
from gitml.models import ModelSignature
from gitml.models.signature import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
    enforce,
    enforce_params,
)


def signed(*specs: ColSpec | TensorSpec) -> ModelSignature:
    return ModelSignature(inputs=Schema(specs))


TWO = signed(ColSpec("long", "a"), ColSpec("double", "b", required=False))


@pytest.mark.parametrize(
    ("expected", "given", "dtype"),
    [
        ("double", np.array([1], "int32"), "float64"),
        ("double", np.array([1], "int64"), "float64"),
        ("double", np.array([1], "float32"), "float64"),
        ("double", [1.0, None], "float64"),
        ("double", pd.array([1, None], dtype="Int64"), "float64"),
        ("float", np.array([1], "int64"), "float32"),
        ("long", np.array([1], "int32"), "int64"),
        ("long", np.array([1], "uint32"), "int64"),
        ("integer", np.array([1], "int8"), "int32"),
        ("boolean", pd.Series([True], dtype=object), "bool"),
    ],
)
def test_numbers_are_widened(expected: str, given: Any, dtype: str) -> None:
    data = pd.DataFrame({"a": given})
    result = enforce(data, signed(ColSpec(expected, "a")))  # type: ignore[arg-type]
    assert str(result["a"].dtype) == dtype
    assert result["a"].isna().tolist() == data["a"].isna().tolist()


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        ("string", ["x", None]),
        ("string", pd.Categorical(["x", "y"])),
        ("binary", [b"x", None]),
        ("boolean", [True, False]),
        ("datetime", pd.to_datetime(["2020-01-01", None])),
    ],
)
def test_columns_of_the_right_type_stay_as_they_are(expected: str, given: Any) -> None:
    data = pd.DataFrame({"a": given})
    pd.testing.assert_frame_equal(enforce(data, signed(ColSpec(expected, "a"))), data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "given", "message"),
    [
        ("integer", np.array([1], "int64"), "holds long, the model takes integer"),
        ("long", [1.0], "holds double, the model takes long"),
        ("long", [1.0, None], "missing values"),
        ("integer", pd.array([1, None], dtype="Int64"), "missing values"),
        ("float", [1.5], "holds double, the model takes float"),
        ("double", ["1.5"], "holds string, the model takes double"),
        ("boolean", [1], "holds long, the model takes boolean"),
        ("string", [1], "holds long, the model takes string"),
        ("datetime", ["2020-01-01"], "holds string, the model takes datetime"),
        ("datetime", pd.to_datetime(["2020-01-01"], utc=True), "has a time zone"),
        ("double", [1, "x"], "cannot be checked, because values of types long and string"),
    ],
)
def test_lossy_conversions_are_refused(expected: str, given: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"Column 'a' .*{message}"):
        enforce(pd.DataFrame({"a": given}), signed(ColSpec(expected, "a")))  # type: ignore[arg-type]


def test_columns_are_ordered_and_others_dropped() -> None:
    result = enforce(pd.DataFrame({"z": [0], "b": [1.0], "a": [2]}, index=[7]), TWO)
    pd.testing.assert_frame_equal(result, pd.DataFrame({"a": [2], "b": [1.0]}, index=[7]))


def test_an_optional_column_may_be_absent() -> None:
    pd.testing.assert_frame_equal(enforce(pd.DataFrame({"a": [2]}), TWO), pd.DataFrame({"a": [2]}))


def test_missing_columns_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"lacks column 'a' .* It has columns 'b', 'c'"):
        enforce(pd.DataFrame({"b": [1.0], "c": [1]}), TWO)


def test_a_doubled_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than one column 'a'"):
        enforce(pd.DataFrame([[1, 2]], columns=["a", "a"]), TWO)


@pytest.mark.parametrize(
    "data",
    [
        {"a": 1, "b": 2.0},
        {"a": [1], "b": [2.0]},
        {"a": np.array([1]), "b": np.array([2.0])},
        [{"a": 1, "b": 2.0}],
    ],
    ids=repr,
)
def test_dictionaries_and_records_become_a_table(data: Any) -> None:
    expected = pd.DataFrame({"a": [1], "b": [2.0]})
    pd.testing.assert_frame_equal(enforce(data, TWO), expected)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="do not form a table"):
        enforce({"a": [1, 2], "b": [1.0]}, TWO)


def test_enforcement_refuses_other_types_than_tables() -> None:
    with pytest.raises(InvalidInput, match="takes a table, not NoneType"):
        enforce(None, TWO)


@pytest.mark.parametrize("data", [[1, 2], (1, 2), np.array([1, 2]), pd.Series([1, 2])], ids=repr)
def test_columns_without_names_go_by_position(data: Any) -> None:
    result = enforce(data, signed(ColSpec("double")))  # type: ignore[arg-type]
    assert result.to_numpy().tolist() == [[1.0], [2.0]]


def test_too_few_columns_without_names_are_refused() -> None:
    with pytest.raises(InvalidInput, match="takes 2 columns, got 1"):
        enforce([1], signed(ColSpec(DataType.long), ColSpec(DataType.long)))


def test_nested_values_are_checked_to_the_bottom() -> None:
    record = Object((Property("x", DataType.long), Property("y", DataType.string, False)))
    signature = signed(ColSpec(Array(record), "a"))
    good = [{"a": [{"x": 1}, {"x": 2, "y": "s"}]}]
    assert enforce(good, signature)["a"][0] == good[0]["a"]
    for bad, message in [
        ([{"y": "s"}], r"a'\[0\] lacks field 'x'"),
        ([{"x": 1, "z": 1}], r"a'\[0\] has unknown field 'z'"),
        ([{"x": "1"}], r"a'\[0\]\['x'\] is string, the model takes long"),
        ("text", "is str, the model takes array"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            enforce([{"a": bad}], signature)


def test_signature_any_accepts_every_value() -> None:
    data = object()
    assert enforce(data, signed(ColSpec(AnyType()))) is data
    assert enforce(data, None) is data


MATRIX = signed(TensorSpec("float64", (-1, 2)))


def test_arrays_of_the_right_type_and_shape_pass_untouched() -> None:
    array = np.zeros((3, 2))
    assert enforce(array, MATRIX) is array
    np.testing.assert_array_equal(enforce(pd.DataFrame(array), MATRIX), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((3, 2), "float32"), "type float32, the model takes float64"),
        (np.zeros((3, 3)), r"shape \(3, 3\), the model takes \(-1, 2\)"),
        (np.zeros(2), r"shape \(2,\)"),
        ([[1.0, 2.0]], "takes a NumPy array, not list"),
    ],
)
def test_other_arrays_are_refused(data: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        enforce(data, MATRIX)


def test_named_arrays_are_required_and_others_dropped() -> None:
    signature = signed(TensorSpec("float64", (-1,), "p"), TensorSpec("int64", (-1,), "q"))
    arrays = {"p": np.zeros(2), "q": np.zeros(2, "int64"), "extra": 1}
    assert list(enforce(arrays, signature)) == ["p", "q"]
    with pytest.raises(InvalidInput, match="lacks array 'q'"):
        enforce({"p": np.zeros(2)}, signature)
    with pytest.raises(InvalidInput, match="takes a dictionary of arrays, not ndarray"):
        enforce(np.zeros(2), signature)


PARAMS = ParamSchema(
    [
        ParamSpec("t", DataType.double, 0.5),
        ParamSpec("n", DataType.integer, 3),
        ParamSpec("names", DataType.string, ["a"], (-1,)),
    ]
)


def test_params_get_defaults_and_whole_numbers_fit_doubles() -> None:
    assert enforce_params({"t": 2}, PARAMS) == {"t": 2.0, "n": 3, "names": ["a"]}


def test_unknown_params_are_ignored_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert enforce_params({"x": 1}, None) is None
    assert "Ignored parameters the model does not take: x." in caplog.text


@pytest.mark.parametrize("params", [{"t": "1"}, {"n": 1.5}, {"names": "a"}, {"names": [1]}])
def test_params_of_another_type_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"parameter '{next(iter(params))}'"):
        enforce_params(params, PARAMS)


NAMED = signed(TensorSpec("float64", (-1, 2), "x"), TensorSpec("int64", (-1,), "y"))
NESTED = signed(
    ColSpec(
        Array(
            Object((Property("a", DataType.long), Property("b", DataType.string, required=False)))
        ),
        "n",
    )
)


@pytest.mark.parametrize(
    ("data", "signature", "message", "hint"),
    [
        (
            None,
            TWO,
            "The model takes a table, not NoneType.",
            "Pass a DataFrame, a dictionary of columns or a list of records.",
        ),
        (
            {"b": [1.0], "c": [1]},
            TWO,
            "The input lacks column 'a' of the model's signature.",
            "It has columns 'b', 'c'.",
        ),
        (
            pd.DataFrame({"a": [1.0, None]}),
            TWO,
            "Column 'a' has missing values, which the model's type long cannot hold.",
            "Fill them, or train with a floating-point column.",
        ),
        (
            {"a": [1.5]},
            TWO,
            "Column 'a' holds double, the model takes long.",
            "Convert the column first.",
        ),
        (
            pd.DataFrame({"a": pd.to_datetime(["2020-01-01"], utc=True)}),
            signed(ColSpec(DataType.datetime, "a")),
            "Column 'a' has a time zone, the model takes times without.",
            "Use .dt.tz_localize(None).",
        ),
        (
            [[1.0]],
            signed(TensorSpec("float64", (-1, 1))),
            "The model takes a NumPy array, not list.",
            "Convert it with numpy.asarray(data, dtype=…).",
        ),
        (
            np.zeros((1, 2)),
            NAMED,
            "The model takes a dictionary of arrays, not ndarray.",
            "It needs columns 'x', 'y'.",
        ),
        (
            {"x": np.zeros((1, 2))},
            NAMED,
            "The input lacks array 'y' of the model's signature.",
            "",
        ),
        (
            {"x": np.zeros((1, 2), "float32"), "y": np.zeros(1, "int64")},
            NAMED,
            "Array 'x' has type float32, the model takes float64.",
            "",
        ),
        (
            {"x": np.zeros((1, 3)), "y": np.zeros(1, "int64")},
            NAMED,
            "Array 'x' has shape (1, 3), the model takes (-1, 2).",
            "",
        ),
        (
            np.zeros((2, 1, 1)),
            signed(TensorSpec("float64", (-1, 1))),
            "The input has shape (2, 1, 1), the model takes (-1, 1).",
            "",
        ),
        (
            pd.DataFrame({"n": [[{"a": 1}, {"b": "x"}]]}),
            NESTED,
            "The value of column 'n'[1] lacks field 'a'.",
            "",
        ),
        (
            pd.DataFrame({"n": [[{"a": 1, "c": 1}]]}),
            NESTED,
            "The value of column 'n'[0] has unknown field 'c'.",
            "",
        ),
        (
            pd.DataFrame({"n": [[{"a": "x"}]]}),
            NESTED,
            "The value of column 'n'[0]['a'] is string, the model takes long.",
            "",
        ),
        (
            pd.DataFrame({"n": [[{"a": object()}]]}),
            NESTED,
            "The value of column 'n'[0]['a'] is object, the model takes long.",
            "",
        ),
        (
            pd.DataFrame({"n": ["text"]}),
            NESTED,
            "The value of column 'n' is str, the model takes array.",
            "",
        ),
        (
            pd.DataFrame({"m": [{"k": "x"}]}),
            signed(ColSpec(Map(DataType.double), "m")),
            "The value of column 'm'['k'] is string, the model takes double.",
            "",
        ),
        (
            [[1]],
            signed(ColSpec(DataType.long), ColSpec(DataType.long)),
            "The model takes 2 columns, got 1.",
            "",
        ),
    ],
)
def test_an_error_says_what_which_value_and_what_to_do(
    data: Any, signature: ModelSignature, message: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        enforce(data, signature)
    assert (error.value.message, error.value.hint or "") == (message, hint)


def test_more_than_twenty_columns_are_counted() -> None:
    names = [f"c{number}" for number in range(22)]
    listed = ", ".join(f"'{name}'" for name in names[:20])
    for count, end in ((20, ""), (21, " and 1 more"), (22, " and 2 more")):
        with pytest.raises(InvalidInput) as error:
            enforce(pd.DataFrame([[1] * count], columns=names[:count]), TWO)
        assert error.value.hint == f"It has columns {listed}{end}."


def test_an_optional_nested_value_may_be_missing_and_fit_values_stay() -> None:
    table = pd.DataFrame({"n": [[{"a": 1, "b": None}, {"a": 2}]]})
    pd.testing.assert_frame_equal(enforce(table, NESTED), table)
    optional = signed(ColSpec(Array(DataType.long), "n", required=False))
    table = pd.DataFrame({"n": [None, [1]]})
    pd.testing.assert_frame_equal(enforce(table, optional), table)


def test_arrays_that_fit_are_passed_on_by_name_even_from_a_table() -> None:
    result = enforce({"x": np.zeros((3, 2)), "y": np.arange(3), "z": 1}, NAMED)
    assert list(result) == ["x", "y"]
    flat = signed(TensorSpec("int64", (-1,), "y"))
    assert enforce(pd.DataFrame({"y": [1, 2]}), flat)["y"].tolist() == [1, 2]
