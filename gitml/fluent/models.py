"""Log a model to the active run and load it again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gitml import config
from gitml.entities import LoggedModelInfo
from gitml.errors import NoRepository
from gitml.fluent import artifacts, tracking
from gitml.fluent.registry import register_model
from gitml.fluent.session import session
from gitml.models import Model, ModelInfo
from gitml.tracking import validation

_MLMODEL = "MLmodel"


def log_model(
    save: Callable[[Path], Model],
    artifact_path: str,
    *,
    registered_model_name: str | None = None,
) -> ModelInfo:
    """Log a model to the active run; one is started where there is none.

    Args:
        save: Writes the model into a folder that does not exist yet, and describes it.
        artifact_path: Folder below the run's artifacts.
        registered_model_name: Register it at once under this name.

    Returns:
        What was logged.

    Raises:
        InvalidInput: The path leaves the run, or the name cannot be used.
    """
    path = validation.artifact_file(artifact_path)
    run = session.current()
    with tempfile.TemporaryDirectory(prefix="gitml-model-") as scratch:
        folder = Path(scratch) / "model"
        model = replace(save(folder), run_id=run.info.run_id, artifact_path=path)
        model.save(folder / _MLMODEL)
        tracking.log_artifacts(folder, path)
    session.client().record_model(
        run.info.run_id,
        LoggedModelInfo(
            path=path,
            flavors=tuple(sorted(model.flavors)),
            utc_time_created=model.utc_time_created,
            model_uuid=model.model_uuid or "",
        ),
    )
    version = None
    if registered_model_name is not None:
        uri = f"runs:/{run.info.run_id}/{path}"
        version = register_model(uri, registered_model_name).version
    return ModelInfo.of(
        model, run_id=run.info.run_id, artifact_path=path, registered_version=version
    )


def local_path(model_uri: str) -> Path:
    """Return the folder of a model, for loading; see ``artifacts.local_path``."""
    return artifacts.local_path(model_uri)


def allow_pickles() -> bool:
    """Return True if pickled models, which run code, may be loaded: environment, then settings."""
    from_environment = config.environment().allow_pickles
    if from_environment is not None:
        return from_environment
    try:
        return session.client().repository.settings.allow_pickles
    except NoRepository:  # a plain folder can be loaded anywhere
        return config.Settings().allow_pickles
