"""scikit-learn models: skops where that is safe and possible, else cloudpickle or pickle."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Unpack
from zipfile import BadZipFile

from gitml.errors import InvalidInput, MissingDependency
from gitml.models import saving
from gitml.models.flavors import missing_library
from gitml.models.mlmodel import Model, file_inside
from gitml.models.pickles import add_code_folder, load_pickle, require_pickles
from gitml.models.requirements import distributions_of
from gitml.models.saving import SavedFlavor, python_function, refuse_unknown_options, write_model

_log = logging.getLogger(__name__)

Format = Literal["skops", "cloudpickle", "pickle"]
_FILE_NAME = {"skops": "model.skops", "cloudpickle": "model.pkl", "pickle": "model.pkl"}


class SklearnOptions(saving.SaveOptions, total=False):
    """What saving a scikit-learn model takes, beyond what every flavor takes.

    Attributes:
        serialization_format: ``skops``, ``cloudpickle`` or ``pickle``. Without it skops is used
            where the model can be loaded without trusting any type, else cloudpickle.
        skops_trusted_types: Full names of types beyond skops' own that loading may trust.
        pyfunc_predict_fn: Method that ``pyfunc`` calls, such as ``predict_proba``.
    """

    serialization_format: Format | None
    skops_trusted_types: Sequence[str] | None
    pyfunc_predict_fn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Serialized:
    format: Format
    data: bytes
    trusted: tuple[str, ...] = ()


def save(sk_model: Any, path: str | Path, **options: Unpack[SklearnOptions]) -> Model:
    """Save a scikit-learn model as an MLflow model directory.

    Args:
        sk_model: The fitted estimator or pipeline.
        path: The directory to make.
        **options: See :class:`SklearnOptions` and :class:`~gitml.models.saving.SaveOptions`.

    Returns:
        The content of its MLmodel file.

    Raises:
        InvalidInput: The model or an option cannot be stored in the wanted format.
        AlreadyExists: There is something at ``path``.
        MissingDependency: scikit-learn, skops or cloudpickle is not installed.
    """
    refuse_unknown_options(options, SklearnOptions)
    return write_model(path, partial(_write, sk_model, options), options)


def _write(sk_model: Any, options: SklearnOptions, folder: Path, code: str | None) -> SavedFlavor:
    serialized = _serialized(sk_model, options)
    file_name = _FILE_NAME[serialized.format]
    (folder / file_name).write_bytes(serialized.data)
    predict_fn = options.get("pyfunc_predict_fn", "predict")
    predict = getattr(sk_model, predict_fn, None)
    flavors = {"sklearn": _settings(serialized, file_name, code)}
    if predict is not None:
        flavors["python_function"] = python_function(
            "mlflow.sklearn",
            model_path=file_name,
            predict_fn=predict_fn,
            **({"code": code} if code else {}),
        )
    return SavedFlavor(
        flavors=flavors, requirements=_requirements(sk_model, serialized.format), predict=predict
    )


def _settings(serialized: _Serialized, file_name: str, code: str | None) -> dict[str, Any]:
    return {
        "code": code,
        "pickled_model": file_name,
        "serialization_format": serialized.format,
        "sklearn_version": _library().__version__,
        "skops_trusted_types": list(serialized.trusted) or None,
    }


def _library() -> ModuleType:
    try:
        import sklearn
    except ImportError as error:
        raise missing_library("scikit-learn", "A scikit-learn model") from error
    module: ModuleType = sklearn
    return module


def _requirements(sk_model: Any, serializer: str) -> set[str]:
    parts = [sk_model]
    if hasattr(sk_model, "get_params"):
        parts += sk_model.get_params(deep=True).values()
    modules = {getattr(part, "__module__", None) or type(part).__module__ for part in parts}
    distributions = distributions_of(modules - {"builtins"})
    # scikit-learn's own needs, pinned because their versions decide whether arrays load.
    base = {"scikit-learn", "numpy", "scipy"}
    return distributions | base | ({serializer} & {"skops", "cloudpickle"})


def _serialized(sk_model: Any, options: SklearnOptions) -> _Serialized:
    trusted = tuple(options.get("skops_trusted_types") or ())
    match options.get("serialization_format"):
        case None:
            return _safest(sk_model, trusted)
        case "skops":
            return _skops(sk_model, trusted)
        case "cloudpickle" | "pickle" as chosen:
            return _pickled(sk_model, chosen)
        case other:
            raise InvalidInput(
                f"{other!r} is not a valid serialization format.",
                hint=f"Use one of {', '.join(_FILE_NAME)}.",
            )


def _safest(sk_model: Any, trusted: tuple[str, ...]) -> _Serialized:
    try:
        return _skops(sk_model, trusted)
    except (InvalidInput, MissingDependency) as reason:
        _tell_once(reason.message)
        return _pickled(sk_model, "cloudpickle")


@cache
def _tell_once(reason: str) -> None:
    _log.warning("Saved as cloudpickle, which runs code when loaded, not as skops: %s", reason)


def _skops(sk_model: Any, trusted: tuple[str, ...]) -> _Serialized:
    try:
        import skops.io
        from skops.io.exceptions import UnsupportedTypeException
    except ImportError as error:
        raise missing_library("skops", "The safe format for scikit-learn models") from error
    try:
        data = skops.io.dumps(sk_model)
    except (UnsupportedTypeException, pickle.PicklingError, TypeError, AttributeError) as error:
        raise InvalidInput(f"skops cannot store a part of this model ({error}).") from error
    untrusted = sorted(set(skops.io.get_untrusted_types(data=data)) - set(trusted))
    if untrusted:
        raise InvalidInput(
            f"Loading the model would have to trust {', '.join(untrusted)}.",
            hint="Name them in skops_trusted_types, or use serialization_format='cloudpickle'.",
        )
    return _Serialized(format="skops", data=data, trusted=trusted)


def _pickled(sk_model: Any, serializer: Literal["cloudpickle", "pickle"]) -> _Serialized:
    try:
        module = import_module(serializer)
    except ImportError as error:
        raise missing_library(serializer, "Saving this model") from error
    try:
        return _Serialized(format=serializer, data=module.dumps(sk_model))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InvalidInput(f"The model cannot be pickled: {error}.") from error


def load(path: str | Path, *, allow_pickles: bool = True) -> Any:
    """Load a scikit-learn model saved by gitml or MLflow.

    **Loading a model in the cloudpickle or pickle format runs the code stored in it**; so does a
    model with additional modules or with trusted types beyond those of skops. Load such models
    only from people you trust.

    Args:
        path: The model directory.
        allow_pickles: False refuses whatever would run code.

    Returns:
        The estimator.

    Raises:
        NotFound: There is no model at ``path``, or its file is missing.
        InvalidInput: It is not a scikit-learn model, is damaged, or is refused.
        MissingDependency: A library it needs is not installed.
    """
    folder = Path(path)
    return _load(folder, Model.load(folder), allow_pickles)


def _load(folder: Path, model: Model, allow_pickles: bool) -> Any:
    _library()
    settings = model.flavor("sklearn")
    add_code_folder(folder, settings.get("code"), allow_pickles=allow_pickles)
    file = file_inside(folder, settings.get("pickled_model"))
    match settings.get("serialization_format", "pickle"):
        case "skops":
            return _load_skops(file, settings, allow_pickles)
        case "cloudpickle" | "pickle" as serializer:
            return load_pickle(file, serializer=serializer, allow_pickles=allow_pickles)
        case other:
            raise InvalidInput(f"The model's serialization format {other!r} is unknown.")


def _load_skops(file: Path, settings: Mapping[str, Any], allow_pickles: bool) -> Any:
    try:
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException
    except ImportError as error:
        raise missing_library("skops", f"Loading {file.name}") from error
    trusted = list(settings.get("skops_trusted_types") or [])
    if trusted:
        # The file that asks for trust is the one in question.
        require_pickles(allow_pickles, f"{file.name} with the types {', '.join(map(str, trusted))}")
    try:
        return skops.io.load(file, trusted=trusted)
    except UntrustedTypesFoundException as error:
        raise InvalidInput(f"{file.name} contains untrusted types: {error}") from error
    except (AttributeError, BadZipFile, ImportError, KeyError, TypeError, ValueError) as error:
        # What a damaged file, or one of another version of its libraries, leads to.
        raise InvalidInput(f"{file.name} cannot be read as skops: {error}.") from error


@dataclass(frozen=True, slots=True)
class SklearnPredictor:
    """A scikit-learn model behind one of its methods."""

    raw: Any
    predict_fn: str = "predict"

    def predict(self, data: Any, params: dict[str, Any] | None) -> Any:
        """Return what the method returns; scikit-learn models take no parameters."""
        return getattr(self.raw, self.predict_fn)(data)


def load_predictor(folder: Path, model: Model, *, allow_pickles: bool) -> SklearnPredictor:
    """Load a model for ``pyfunc``; **pickled models run code**, see :func:`load`."""
    predict_fn = str(model.flavor("python_function").get("predict_fn", "predict"))
    estimator = _load(folder, model, allow_pickles)
    if predict_fn.startswith("_") or not hasattr(estimator, predict_fn):
        raise InvalidInput(f"The model's method {predict_fn!r} does not exist.")
    return SklearnPredictor(estimator, predict_fn)
