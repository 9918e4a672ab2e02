"""Register a run's model as a version: what the version commit records of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gitml import uris
from gitml.entities import Artifact, ModelVersion
from gitml.errors import Conflict, InvalidInput, NotFound
from gitml.formats import artifact_paths, manifest, plain_yaml
from gitml.formats.run_records import RunFiles
from gitml.registry import resolve
from gitml.registry.registry import Registry
from gitml.registry.tags.version_commit import ModelSource
from gitml.repository import Repository, resolve_path
from gitml.store.object_lock import storing
from gitml.tracking.client import TrackingClient

_MLMODEL = "MLmodel"


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
    """Register a logged model as the next version of a registered model.

    Args:
        client: The client.
        model_uri: As there.
        name: As there.
        tags: As there.
        description: Of the version, Markdown.
        run_link: Address of the run in another system.
        existing_only: Refuse to create the registered model.
    """
    models = Registry.of(client.repository)
    values = {key: str(value) for key, value in (tags or {}).items()}
    with storing(client.repository.branch.locks):
        source = replace(_source(client, model_uri), run_link=run_link)
        return models.register(
            name, source, description=description, tags=values, existing_only=existing_only
        )


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
    version = resolve.model_version(parsed, Registry.of(client.repository))
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
    location = resolve.run_uri(model_uri, client.repository)
    if location is None:
        raise InvalidInput(
            f"{model_uri!r:.200} is not the URI of a logged model.",
            hint="Give runs:/<run id>/<path>; `gitml runs show <run id>` lists its models.",
        )
    files = _committed(client, location.run_id)
    listed = manifest.subdirectory(files.artifacts, location.path) if location.path else []
    described = next((artifact for artifact in listed if artifact.path == _MLMODEL), None)
    if described is None:
        paths = ", ".join(model.path for model in files.record.run.outputs.model_outputs) or "none"
        raise NotFound(
            f"Run {location.run_id} has no model at {location.path!r:.80}.",
            hint=f"Its models: {paths}.",
        )
    artifact_paths.check_all([artifact.path for artifact in listed])
    repository = client.repository
    remote = repository.remote_of(files)
    mlmodel = repository.artifacts.read_bytes(described, remote)
    _require_readable(mlmodel, f"{model_uri}/{_MLMODEL}")
    digest = repository.artifacts.add_directory_object(listed)
    repository.store_in_default_remote(listed)
    return ModelSource(
        run=files.record.run,
        source=f"runs:/{location.run_id}/{location.path}",
        path=location.path,
        digest=digest,
        size=_size(listed),
        nfiles=len(listed),
        dvc_file=manifest.dvc_file(listed, path="model", remote="gitml"),
        mlmodel=mlmodel,
        flavors=next(
            (m.flavors for m in files.record.run.outputs.model_outputs if m.path == location.path),
            (),
        ),
    )


def _require_readable(mlmodel: bytes, name: str) -> None:
    """Refuse a model that nobody could load.

    Raises:
        InvalidInput: Its description cannot be read.
    """
    try:
        value = plain_yaml.load(mlmodel, plain_yaml.MODEL)
    except plain_yaml.YamlFault as error:
        raise InvalidInput(f"{name} is not valid YAML: line {error.line}: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{name} does not describe a model.")


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
