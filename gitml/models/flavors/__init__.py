"""One module per library: how its models are written and read.

A flavor module has ``save(model, path, **options) -> Model``, ``load(path) -> object`` and
``load_predictor(folder, model, *, allow_pickles) -> Predictor``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from gitml.errors import InvalidInput, MissingDependency
from gitml.models.mlmodel import Model

_MODULE_OF_LOADER = {
    "mlflow.sklearn": "gitml.models.flavors.sklearn",
    "mlflow.pyfunc.model": "gitml.models.flavors.python_model",
}
"""MLflow's loader names, to gitml's own modules. A name from a file is never imported itself."""


class Predictor(Protocol):
    """A loaded model behind one way to predict.

    Attributes:
        raw: The library's own object.
    """

    raw: Any

    def predict(self, data: Any, params: dict[str, Any] | None) -> Any:
        """Return the model's predictions."""
        ...


def load_predictor(folder: Path, model: Model, *, allow_pickles: bool) -> Predictor:
    """Load a model through its python_function flavor.

    Raises:
        InvalidInput: No flavor of gitml reads this model, or pickles are forbidden.
        MissingDependency: The model's library is not installed.
    """
    loader = model.flavor("python_function").get("loader_module")
    module = _MODULE_OF_LOADER.get(str(loader))
    if module is None:
        raise InvalidInput(
            f"gitml cannot load models of the loader {loader!r}.",
            hint=f"It reads {', '.join(_MODULE_OF_LOADER)}.",
        )
    predictor: Predictor = import_module(module).load_predictor(
        folder, model, allow_pickles=allow_pickles
    )
    return predictor


def missing_library(library: str, purpose: str) -> MissingDependency:
    """Return the error for a library that is not installed."""
    return MissingDependency(f"{purpose} needs {library}.", hint=f"pip install {library}")
