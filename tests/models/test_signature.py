from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gitml.errors import InvalidInput
from gitml.models import Model, ModelSignature, infer_signature
from gitml.models.examples import load_example
from gitml.models.signature import (
    Array,
    ColSpec,
    DataType,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)


def inputs_of(data: Any) -> Any:
    text = infer_signature(data).to_dict()["inputs"]
    assert text is not None
    return json.loads(text)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1], "int8"), "integer"),
        (np.array([1], "int32"), "integer"),
        (np.array([1], "uint16"), "integer"),
        (np.array([1], "uint32"), "long"),
        (np.array([1], "int64"), "long"),
        (np.array([1], "float32"), "float"),
        (np.array([1.0]), "double"),
        ([True], "boolean"),
        (["x"], "string"),
        ([b"x"], "binary"),
        (pd.to_datetime(["2020-01-01"]), "datetime"),
        (pd.Categorical(["x"]), "string"),
        (pd.Categorical([1]), "long"),
        (pd.array([1], dtype="Int64"), "long"),
        (pd.Series([1], dtype=object), "long"),
    ],
)
def test_column_types_are_mlflows(values: Any, expected: str) -> None:
    data = pd.DataFrame({"a": values})
    assert inputs_of(data) == [{"type": expected, "name": "a", "required": True}]


def test_a_column_with_missing_values_is_optional() -> None:
    data = pd.DataFrame({"s": ["x", None], "f": [1.0, None], "n": [None, None]})
    assert inputs_of(data) == [
        {"type": "string", "name": "s", "required": False},
        {"type": "double", "name": "f", "required": False},
        {"type": "any", "name": "n", "required": False},
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pd.Series([1], name="a"), [{"type": "long", "name": "a", "required": True}]),
        (pd.Series([1.0]), [{"type": "double", "required": True}]),
        (pd.DataFrame(np.zeros((2, 1))), [{"type": "double", "name": 0, "required": True}]),
        ([1, 2], [{"type": "long", "required": True}]),
        ("text", [{"type": "string", "required": True}]),
        (
            {"a": 1, "b": "x"},
            [
                {"type": "long", "name": "a", "required": True},
                {"type": "string", "name": "b", "required": True},
            ],
        ),
        (
            [{"a": 1, "b": "x"}, {"a": 2}],
            [
                {"type": "long", "name": "a", "required": True},
                {"type": "string", "name": "b", "required": False},
            ],
        ),
        ([[1], [2, 3]], [{"type": "array", "items": {"type": "long"}, "required": True}]),
        (
            {"a": {"x": 1}},
            [
                {
                    "type": "object",
                    "properties": {"x": {"type": "long", "required": True}},
                    "name": "a",
                    "required": True,
                }
            ],
        ),
        (
            np.zeros((2, 3)),
            [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}],
        ),
        (np.array(["a"]), [{"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}]),
        (
            sparse.csr_matrix(np.eye(3)),
            [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}],
        ),
        (
            {"a": np.zeros(2), "b": np.zeros((2, 2), "int64")},
            [
                {"name": "a", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}},
                {
                    "name": "b",
                    "type": "tensor",
                    "tensor-spec": {"dtype": "int64", "shape": [-1, 2]},
                },
            ],
        ),
    ],
    ids=repr,
)
def test_json_forms_are_mlflows(data: Any, expected: list[dict[str, Any]]) -> None:
    assert inputs_of(data) == expected


@pytest.mark.parametrize(
    "data", [[1, "a"], [1, 2.5], {}, {1: 2}, [], pd.DataFrame({"a": np.array([1], "uint64")})]
)
def test_data_without_a_type_is_accepted_as_any_with_a_warning(
    data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert inputs_of(data) == [{"type": "any", "required": True}]
    assert "accepts any value, because" in caplog.text


def test_params_carry_their_defaults() -> None:
    params = {"t": 0.5, "n": np.int32(1), "names": ["a"], "on": True, "o": {"a": 1}}
    text = infer_signature(params=params).to_dict()["params"]
    assert text is not None
    assert json.loads(text) == [
        {"name": "t", "default": 0.5, "shape": None, "type": "double"},
        {"name": "n", "default": 1, "shape": None, "type": "integer"},
        {"name": "names", "default": ["a"], "shape": [-1], "type": "string"},
        {"name": "on", "default": True, "shape": None, "type": "boolean"},
        {
            "name": "o",
            "default": {"a": 1},
            "shape": None,
            "type": "object",
            "properties": {"a": {"type": "long", "required": True}},
        },
    ]


@pytest.mark.parametrize("value", [None, [], [[1]], pd.Timestamp("2020-01-01"), object()])
def test_params_without_a_type_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="Parameter 'p'"):
        infer_signature(params={"p": value})


def test_a_signature_written_by_hand_is_read_back() -> None:
    record = Object((Property("x", DataType.long), Property("y", Array(DataType.string), False)))
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a"), ColSpec(record, "b", required=False)]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, 2))]),  # type: ignore[arg-type]
        params=ParamSchema([ParamSpec("t", "double", 0.5), ParamSpec("l", "long", [1], (-1,))]),  # type: ignore[arg-type]
    )
    assert ModelSignature.from_dict(signature.to_dict()) == signature


def test_a_signature_prints_as_a_table_of_contents() -> None:
    signature = infer_signature(pd.DataFrame({"a": [1]}), np.zeros((1, 2)), {"t": 0.5})
    assert repr(signature) == (
        "inputs:\n  ['a': long (required)]\n"
        "outputs:\n  [Tensor('float64', (-1, 2))]\n"
        "params:\n  ['t': double (default: 0.5)]"
    )


def test_a_signature_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="needs inputs, outputs or params"):
        infer_signature(None)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "at least one"),
        ([ColSpec("long"), TensorSpec("float64", (-1,))], "not both"),
        ([ColSpec("long", "a"), ColSpec("long")], "all columns"),
    ],
)
def test_an_inconsistent_schema_is_refused(specs: list[Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Schema(specs)


def test_params_with_the_same_name_are_refused() -> None:
    spec = ParamSpec("t", DataType.double, 0.5)
    with pytest.raises(InvalidInput, match="'t' is described twice"):
        ParamSchema([spec, spec])


NESTED = '[{"type": "array", "items": ' * 50 + '{"type": "long"}' + "}]" * 50


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 500 + "]" * 500, NESTED, "[1e999", "[9" + "9" * 5000 + "]", "{}"]
)
@pytest.mark.parametrize("part", ["inputs", "outputs", "params"])
def test_a_hostile_schema_is_refused_with_a_sentence(text: str, part: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not valid JSON|nested deeper|must be|type"):
        ModelSignature.from_dict({part: text})


@pytest.mark.parametrize("text", ["[" * 100_000, "{", '{"columns": 1}', "3"])
def test_a_hostile_example_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "example.json").write_text(text)
    info = {"artifact_path": "example.json", "type": "dataframe"}
    with pytest.raises(InvalidInput, match=r"The input example .* cannot be read"):
        load_example(tmp_path, Model(saved_input_example_info=info))
