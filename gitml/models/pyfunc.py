"""Any saved model behind one ``predict``, whatever library made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput
from gitml.models.examples import load_example
from gitml.models.flavors import Predictor, load_predictor
from gitml.models.mlmodel import Model
from gitml.models.signature import enforce, enforce_params


class PyFuncModel:
    """A loaded model that checks its input against its signature.

    Args:
        metadata: The content of its MLmodel file.
        predictor: The loaded model.
        folder: Where it was loaded from.
    """

    def __init__(self, metadata: Model, predictor: Predictor, folder: Path) -> None:
        self._metadata = metadata
        self._predictor = predictor
        self._folder = folder

    @property
    def metadata(self) -> Model:
        """Return the content of the MLmodel file."""
        return self._metadata

    @property
    def input_example(self) -> Any:
        """Return the example saved with the model; None if there is none."""
        return load_example(self._folder, self._metadata)

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return predictions.

        Args:
            data: DataFrame, array, dictionary or list, as the signature says.
            params: Parameters of the prediction; defaults come from the signature.

        Raises:
            InvalidInput: The data or a parameter does not fit the signature.
        """
        checked = enforce_params(params, self._metadata.get_params_schema())
        return self._predictor.predict(enforce(data, self._metadata.signature), checked)

    def get_raw_model(self) -> Any:
        """Return the library's own object."""
        return self._predictor.raw

    def unwrap_python_model(self) -> Any:
        """Return the user's ``PythonModel``.

        Raises:
            InvalidInput: The model is of another kind.
        """
        if "python_model" not in self._metadata.flavor("python_function"):
            raise InvalidInput(
                "This is not a model written as a PythonModel.", hint="Use get_raw_model()."
            )
        return self._predictor.raw

    def __repr__(self) -> str:
        loader = self._metadata.flavor("python_function").get("loader_module")
        return f"PyFuncModel(loader={loader!r}, run_id={self._metadata.run_id!r})"


def load(path: str | Path, *, allow_pickles: bool = True) -> PyFuncModel:
    """Load a model directory saved by gitml or MLflow.

    **Loading a model in a pickled format runs the code stored in it**; Python models always are.
    Load such models only from people you trust.

    Args:
        path: The model directory.
        allow_pickles: False refuses whatever would run code.

    Raises:
        NotFound: There is no model at ``path``, or a file of it is missing.
        InvalidInput: It has no python_function flavor, is damaged, or is refused.
        MissingDependency: A library it needs is not installed.
    """
    folder = Path(path)
    metadata = Model.load(folder)
    predictor = load_predictor(folder, metadata, allow_pickles=allow_pickles)
    return PyFuncModel(metadata, predictor, folder)
