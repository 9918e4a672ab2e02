"""Models written in Python by the user: a class with ``predict``, or a function."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Unpack

from gitml.errors import InvalidInput
from gitml.models import saving
from gitml.models.flavors import missing_library
from gitml.models.mlmodel import Model, file_inside
from gitml.models.pickles import add_code_folder, load_pickle
from gitml.models.saving import (
    SavedFlavor,
    copy_into,
    python_function,
    refuse_unknown_options,
    write_model,
)

_FILE_NAME = "python_model.pkl"
_ARTIFACTS = "artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonModelContext:
    """What a model may use while it loads and predicts.

    Attributes:
        artifacts: Path of each file that was saved with the model, by its key.
        model_config: Settings; empty unless the model was saved with some.
    """

    artifacts: Mapping[str, str] = field(default_factory=dict)
    model_config: Mapping[str, Any] = field(default_factory=dict)


class PythonModel:
    """What a model of your own derives from: give it ``predict``.

    ``predict`` takes ``model_input``, before it ``context`` where you want one, and after it
    ``params`` where the model has parameters.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read the files the model needs; called once when it is loaded."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return predictions for ``model_input``."""
        raise NotImplementedError(f"{type(self).__name__} does not define predict().")

    @property
    def predict_type_hints(self) -> SimpleNamespace:
        """Asked for by MLflow's loader; gitml takes the signature instead."""
        return SimpleNamespace(input=None, output=None)


class FunctionModel(PythonModel):
    """A function in the place of a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return what the function returns."""
        return _call(self.function, context, model_input, params)


class PythonOptions(saving.SaveOptions, total=False):
    """What saving a Python model takes, beyond what every flavor takes.

    Attributes:
        artifacts: Local file or folder per key, copied into the model.
        model_config: Settings that the model finds in its context.
    """

    artifacts: Mapping[str, str | Path] | None
    model_config: Mapping[str, Any] | None


def save(
    python_model: PythonModel | Callable[..., Any],
    path: str | Path,
    **options: Unpack[PythonOptions],
) -> Model:
    """Save a model of your own as an MLflow model directory, with cloudpickle.

    Args:
        python_model: A :class:`PythonModel`, or a function of the input.
        path: The directory to make.
        **options: See :class:`PythonOptions` and
            :class:`~gitml.models.saving.SaveOptions`.

    Returns:
        The content of its MLmodel file.

    Raises:
        InvalidInput: The model or an option cannot be stored.
        NotFound: An artifact does not exist.
        AlreadyExists: There is something at ``path``.
        MissingDependency: cloudpickle is not installed.
    """
    refuse_unknown_options(options, PythonOptions)
    if not hasattr(python_model, "predict"):
        if not callable(python_model):
            raise InvalidInput(
                f"python_model is {type(python_model).__name__}, not a PythonModel or a function."
            )
        python_model = FunctionModel(python_model)
    return write_model(path, partial(_write, python_model, options), options)


def _write(
    python_model: Any, options: PythonOptions, folder: Path, code: str | None
) -> SavedFlavor:
    try:
        import cloudpickle
    except ImportError as error:
        raise missing_library("cloudpickle", "Saving a Python model") from error
    try:
        (folder / _FILE_NAME).write_bytes(cloudpickle.dumps(python_model))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InvalidInput(f"The model cannot be pickled: {error}.") from error
    artifacts = _copy_artifacts(folder, options.get("artifacts") or {})
    config = dict(options.get("model_config") or {})
    settings = python_function(
        "mlflow.pyfunc.model",
        python_model=_FILE_NAME,
        cloudpickle_version=cloudpickle.__version__,
        code=code,
        streamable=False,
        **({"artifacts": artifacts} if artifacts else {}),
        **({"config": config} if config else {}),
    )
    context = _context(folder, settings)

    def predict(example: Any) -> Any:
        python_model.load_context(context)
        return _call(python_model.predict, context, example, None)

    return SavedFlavor(
        flavors={"python_function": settings},
        requirements={"cloudpickle", "gitml"},
        predict=predict,
    )


def _copy_artifacts(folder: Path, artifacts: Mapping[str, str | Path]) -> dict[str, dict[str, str]]:
    if not artifacts:
        return {}
    target = folder / _ARTIFACTS
    target.mkdir()
    copies = {key: copy_into(target, Path(source).resolve()) for key, source in artifacts.items()}
    # MLflow writes where a file came from; the name says enough and gives no path away.
    return {
        key: {"path": copy.relative_to(folder).as_posix(), "uri": copy.name}
        for key, copy in copies.items()
    }


def _context(folder: Path, settings: Mapping[str, Any]) -> PythonModelContext:
    artifacts = settings.get("artifacts") or {}
    paths = {key: str(file_inside(folder, item.get("path"))) for key, item in artifacts.items()}
    return PythonModelContext(artifacts=paths, model_config=settings.get("config") or {})


def _call(
    function: Callable[..., Any], context: Any, model_input: Any, params: dict[str, Any] | None
) -> Any:
    """Call a predict function with those of context and params that it takes."""
    accepted = inspect.signature(function).parameters
    first = (context,) if "context" in accepted else ()
    named = {"params": params} if "params" in accepted else {}
    return function(*first, model_input, **named)


@dataclass(frozen=True, slots=True)
class PythonPredictor:
    """A loaded Python model with its context."""

    raw: Any
    context: PythonModelContext

    def predict(self, data: Any, params: dict[str, Any] | None) -> Any:
        """Return what the model's ``predict`` returns."""
        return _call(self.raw.predict, self.context, data, params)


def load_predictor(folder: Path, model: Model, *, allow_pickles: bool) -> PythonPredictor:
    """Load a Python model; **this runs the code stored in it**.

    Raises:
        InvalidInput: Pickles are forbidden, or the model uses a feature gitml lacks.
        MissingDependency: The model needs a module that is not installed.
    """
    settings = model.flavor("python_function")
    for feature in ("model_code_path", "python_model_compression"):
        if settings.get(feature):
            raise InvalidInput(f"gitml cannot load Python models with {feature!r}.")
    add_code_folder(folder, settings.get("code"), allow_pickles=allow_pickles)
    file = file_inside(folder, settings.get("python_model"))
    loaded = load_pickle(file, serializer="cloudpickle", allow_pickles=allow_pickles)
    context = _context(folder, settings)
    loaded.load_context(context)
    return PythonPredictor(loaded, context)
