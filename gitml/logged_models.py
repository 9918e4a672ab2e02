"""Hides how a model gets from Python into a run, and from a run into the registry."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gitml import config, uris
from gitml.entities import Artifact, LoggedModelInfo, ModelVersion, RegisteredModel
from gitml.errors import Conflict, InvalidInput, NoRepository, NotFound
from gitml.formats import manifest
from gitml.formats.run_records import RunFiles
from gitml.models import Model, ModelInfo
from gitml.registry.version_commit import ModelSource
from gitml.tracking import active, fluent, validation
from gitml.tracking.client import TrackingClient
from gitml.tracking.repository import Repository, resolve_path

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
    run = active.active_run() or active.start_run()
    with tempfile.TemporaryDirectory(prefix="gitml-model-") as scratch:
        folder = Path(scratch) / "model"
        model = replace(save(folder), run_id=run.info.run_id, artifact_path=path)
        model.save(folder / _MLMODEL)
        fluent.log_artifacts(folder, path)
    active.client().record_model(
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
    """The folder of a model, for loading; see ``uris.local_path``."""
    return uris.local_path(model_uri)


def allow_pickles() -> bool:
    """Whether pickled models may be loaded here, which runs code: environment, then settings."""
    from_environment = config.environment().allow_pickles
    if from_environment is not None:
        return from_environment
    try:
        return active.client().repository.settings.allow_pickles
    except NoRepository:  # a plain folder can be loaded anywhere
        return config.Settings().allow_pickles


def register_model(
    model_uri: str,
    name: str,
    await_registration_for: int | None = None,
    *,
    tags: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """Register a logged model as the next version of a registered model.

    Args:
        model_uri: ``runs:/<run_id>/<path>``, or ``models:/…`` for a version of another model.
        name: The registered model; created where it does not exist.
        await_registration_for: Accepted for MLflow's scripts: the version is ready on return.
        tags: Tags of the version.

    Raises:
        InvalidInput: The URI is malformed, or the name cannot be used.
        NotFound: There is no such run, or no model at that path.
    """
    del await_registration_for
    return register(active.client(), model_uri, name, tags=tags)


def register(
    client: TrackingClient,
    model_uri: str,
    name: str,
    *,
    tags: Mapping[str, Any] | None = None,
    description: str = "",
    run_link: str = "",
    existing_only: bool = False,
) -> ModelVersion:
    """As ``register_model``, in the repository of a client.

    Args:
        client: The client.
        model_uri: As there.
        name: As there.
        tags: As there.
        description: Of the version, Markdown.
        run_link: Address of the run in another system.
        existing_only: Refuse to create the registered model.
    """
    source = replace(_source(client, model_uri), run_link=run_link)
    models = uris.registry(client.repository)
    make = models.create_model_version if existing_only else models.register
    labels = {key: str(value) for key, value in (tags or {}).items()}
    return make(name, source, description=description, tags=labels)


def copy_version(client: TrackingClient, model_uri: str, name: str) -> ModelVersion:
    """Register a version of one model as the next version of another, with tags and description.

    Raises:
        InvalidInput: That is no ``models:/`` URI.
        NotFound: What it names does not exist.
    """
    parsed = uris.parse(model_uri)
    if not isinstance(parsed, uris.ModelUri):
        raise InvalidInput(
            f"{model_uri!r:.200} is not the URI of a model version.",
            hint="Give models:/<name>/<version>; `register_model` takes runs:/<run id>/<path>.",
        )
    version = uris.model_version(parsed, uris.registry(client.repository))
    return register(
        client,
        model_uri,
        name,
        tags=version.tags,
        description=version.description,
        run_link=version.run_link,
    )


def _source(client: TrackingClient, model_uri: str) -> ModelSource:
    """Everything a version commit needs to know of a logged model."""
    place = uris.resolve(model_uri, client)
    if place is None:
        raise InvalidInput(
            f"{model_uri!r:.200} is not the URI of a logged model.",
            hint="Give runs:/<run id>/<path>; `gitml runs show <run id>` lists its models.",
        )
    files = _committed(client, place.run_id)
    listed = manifest.subdirectory(files.artifacts, place.path) if place.path else []
    described = next((artifact for artifact in listed if artifact.path == _MLMODEL), None)
    if described is None:
        known = ", ".join(model.path for model in files.record.run.outputs.model_outputs) or "none"
        raise NotFound(
            f"Run {place.run_id} has no model at {place.path!r:.80}.", hint=f"Its models: {known}."
        )
    repository = client.repository
    remote = repository.open_remote(files.remote_config)
    mlmodel = repository.artifacts.read_bytes(described, remote)
    digest = repository.artifacts.add_directory_object(listed)
    repository.keep_at_hand(listed)
    return ModelSource(
        run=files.record.run,
        source=f"runs:/{place.run_id}/{place.path}",
        path=place.path,
        digest=digest,
        size=_size(listed),
        nfiles=len(listed),
        dvc_file=manifest.dvc_file(listed, path="model", remote="gitml"),
        mlmodel=mlmodel,
        flavors=next(
            (m.flavors for m in files.record.run.outputs.model_outputs if m.path == place.path), ()
        ),
    )


def _committed(client: TrackingClient, run_id: str) -> RunFiles:
    """Read a run whose files are on the branch; one in progress here is committed so far."""
    runs = client.repository.runs
    if runs.writer(run_id):
        runs.checkpoint(run_id)
    files = client.repository.files(run_id)
    if not all(artifact.md5 for artifact in files.artifacts):
        raise Conflict(
            f"Run {run_id} is still being written by another process.",
            hint="Register its model when it has ended.",
        )
    return files


def _size(listed: Sequence[Artifact]) -> int:
    return sum(artifact.size for artifact in listed)


def set_registry_uri(uri: str | os.PathLike[str]) -> None:
    """Accepted for MLflow's scripts: the registry lives in the repository that is logged to.

    Raises:
        InvalidInput: It is another repository's path.
        NoRepository: There is no git repository.
    """
    require_same(active.client().repository, uri)


def get_registry_uri() -> str:
    """The root of the repository with the registry: the one that is logged to."""
    return active.get_tracking_uri()


def require_same(repository: Repository, registry_uri: str | os.PathLike[str]) -> None:
    """Check that a registry is that of a repository.

    Raises:
        InvalidInput: It is another one's.
        NoRepository: There is no git repository.
    """
    other = Repository.open(resolve_path(registry_uri))
    if other.git.common_dir.resolve() != repository.git.common_dir.resolve():
        raise InvalidInput(
            f"Registry {os.fspath(registry_uri)!r:.200} is not in the repository that is logged "
            "to.",
            hint="Runs and models live in one repository: choose it with set_tracking_uri.",
        )


def search_registered_models(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[RegisteredModel]:
    """Search registered models; see ``MlflowClient.search_registered_models``."""
    models = uris.registry(active.client().repository)
    return list(models.search_registered_models(filter_string, order_by, max_results))


def search_model_versions(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[ModelVersion]:
    """Search model versions; see ``MlflowClient.search_model_versions``."""
    models = uris.registry(active.client().repository)
    return list(models.search_model_versions(filter_string, order_by, max_results))


def set_model_version_tag(
    name: str, version: int | str | None = None, key: str | None = None, value: Any = None
) -> None:
    """Set a tag on a model version.

    Raises:
        InvalidInput: ``version`` or ``key`` is missing or cannot be used.
        NotFound: The model or the version does not exist.
    """
    registry = uris.registry(active.client().repository)
    registry.set_model_version_tag(name, version or "", key or "", value)
