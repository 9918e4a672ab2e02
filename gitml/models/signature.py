"""A model's signature: the schemas of its input, output and parameters.

>>> infer_signature({"age": 41, "name": "Ada"}, [0.5])
inputs:
  ['age': long (required), 'name': string (required)]
outputs:
  [double (required)]
params:
  None
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitml.errors import InvalidInput
from gitml.models.enforcement import enforce_params, enforce_schema
from gitml.models.inference import infer_param_schema, infer_schema
from gitml.models.schema import (
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
)

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "DataType",
    "Map",
    "ModelSignature",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Property",
    "Schema",
    "TensorSpec",
    "enforce",
    "enforce_params",
    "infer_signature",
]


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """What a model takes and returns.

    Attributes:
        inputs: Schema of the input.
        outputs: Schema of the predictions.
        params: Parameters of a prediction.

    Raises:
        InvalidInput: All three are None.
    """

    inputs: Schema | None = None
    outputs: Schema | None = None
    params: ParamSchema | None = None

    def __post_init__(self) -> None:
        if self.inputs is None and self.outputs is None and self.params is None:
            raise InvalidInput("A signature needs inputs, outputs or params.")

    def to_dict(self) -> dict[str, str | None]:
        """Return the form of the MLmodel file: a JSON text, or None, per part."""
        return {
            "inputs": self.inputs.to_json() if self.inputs else None,
            "outputs": self.outputs.to_json() if self.outputs else None,
            "params": self.params.to_json() if self.params else None,
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> ModelSignature:
        """Read the form of the MLmodel file.

        Raises:
            InvalidInput: A part is not a schema, or all parts are missing.
        """
        inputs, outputs, params = (form.get(part) for part in ("inputs", "outputs", "params"))
        return cls(
            inputs=Schema.from_json(inputs) if inputs else None,
            outputs=Schema.from_json(outputs) if outputs else None,
            params=ParamSchema.from_json(params) if params else None,
        )

    def __repr__(self) -> str:
        parts = {"inputs": self.inputs, "outputs": self.outputs, "params": self.params}
        return "\n".join(f"{name}:\n  {part}" for name, part in parts.items())


def infer_signature(
    model_input: Any = None,
    model_output: Any = None,
    params: Mapping[str, Any] | None = None,
) -> ModelSignature:
    """Describe a model by an example of its input, output and parameters.

    Args:
        model_input: DataFrame, Series, NumPy array, sparse matrix, dict of arrays or scalars,
            list of dicts or scalars, or a scalar.
        model_output: The same kinds.
        params: Default value per parameter: scalars, flat lists or dicts.

    Returns:
        The signature. An input that fits no schema gets the type ``any``, with a warning.

    Raises:
        InvalidInput: Nothing was given, or a parameter has no type.
    """
    return ModelSignature(
        inputs=None if model_input is None else infer_schema(model_input),
        outputs=None if model_output is None else infer_schema(model_output),
        params=infer_param_schema(params) if params else None,
    )


def enforce(data: Any, signature: ModelSignature | None) -> Any:
    """Return ``data`` in the form the signature promises to the model.

    Columns are ordered as in the signature, columns it does not name are dropped, and numbers
    are widened where nothing is lost.

    Args:
        data: What the caller gave.
        signature: The model's signature; without one ``data`` is returned as it is.

    Raises:
        InvalidInput: The data does not fit.
    """
    if signature is None or signature.inputs is None:
        return data
    return enforce_schema(data, signature.inputs)
