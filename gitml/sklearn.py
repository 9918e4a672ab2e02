"""scikit-learn models: ``save_model``, ``log_model``, ``load_model`` and ``autolog``."""

from functools import partial
from pathlib import Path
from typing import Any, Unpack

from gitml.autologging.sklearn import autolog
from gitml.fluent import models
from gitml.fluent.artifacts import local_path
from gitml.models import ModelInfo
from gitml.models.flavors.sklearn import SklearnOptions, load, save as save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]


def log_model(
    sk_model: Any,
    artifact_path: str | None = None,
    *,
    name: str | None = None,
    registered_model_name: str | None = None,
    **options: Unpack[SklearnOptions],
) -> ModelInfo:
    """Log a model to the active run under ``name``; options as for ``save_model``."""
    write = partial(save_model, sk_model, **options)
    path = name or artifact_path or "model"
    return models.log_model(write, path, registered_model_name=registered_model_name)


def load_model(model_uri: str | Path) -> Any:
    """Load a model from ``runs:/…``, ``models:/…`` or a folder; **a pickled one runs code**."""
    allowed = models.allow_pickles()
    return load(local_path(str(model_uri)), allow_pickles=allowed)
