"""Models of any library, or your own, behind one ``predict``."""

from functools import partial
from pathlib import Path
from typing import Any, Unpack

from gitml.fluent import models
from gitml.fluent.artifacts import local_path
from gitml.models import ModelInfo, pyfunc
from gitml.models.flavors.python_model import PythonModel, PythonModelContext, PythonOptions, save
from gitml.models.pyfunc import PyFuncModel

__all__ = [
    "PyFuncModel", "PythonModel", "PythonModelContext", "load_model", "log_model", "save_model"
]  # fmt: skip


def save_model(path: str | Path, python_model: Any, **options: Unpack[PythonOptions]) -> None:
    """Save a ``PythonModel`` or a function of the input as a model directory at ``path``."""
    save(python_model, path, **options)


def log_model(
    artifact_path: str | None = None,
    *,
    python_model: Any,
    name: str | None = None,
    registered_model_name: str | None = None,
    **options: Unpack[PythonOptions],
) -> ModelInfo:
    """Log a model to the active run under ``name``; options as for ``save_model``."""
    write = partial(save, python_model, **options)
    path = name or artifact_path or "model"
    return models.log_model(write, path, registered_model_name=registered_model_name)


def load_model(model_uri: str | Path) -> PyFuncModel:
    """Load a model from ``runs:/…``, ``models:/…`` or a folder; **a pickled one runs code**."""
    allowed = models.allow_pickles()
    return pyfunc.load(local_path(str(model_uri)), allow_pickles=allowed)
