"""MLflow's module functions of the model registry."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gitml.entities import ModelVersion, RegisteredModel
from gitml.fluent import active
from gitml.fluent.session import session
from gitml.registry.registration import register, require_same
from gitml.registry.registry import Registry


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
    return register(session.client(), model_uri, name, tags=tags)


def set_registry_uri(uri: str | os.PathLike[str]) -> None:
    """Accepted for MLflow's scripts: the registry lives in the repository that is logged to.

    Raises:
        InvalidInput: It is another repository's path.
        NoRepository: There is no git repository.
    """
    require_same(session.client().repository, uri)


def get_registry_uri() -> str:
    """Return the root of the repository with the registry: the one that is logged to."""
    return active.get_tracking_uri()


def search_registered_models(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[RegisteredModel]:
    """Search registered models; see ``MlflowClient.search_registered_models``."""
    models = Registry.of(session.client().repository)
    return list(models.search_registered_models(filter_string, order_by, max_results))


def search_model_versions(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[ModelVersion]:
    """Search model versions; see ``MlflowClient.search_model_versions``."""
    models = Registry.of(session.client().repository)
    return list(models.search_model_versions(filter_string, order_by, max_results))


def set_model_version_tag(
    name: str, version: int | str | None = None, key: str | None = None, value: Any = None
) -> None:
    """Set a tag on a model version.

    Raises:
        InvalidInput: ``version`` or ``key`` is missing or cannot be used.
        NotFound: The model or the version does not exist.
    """
    registry = Registry.of(session.client().repository)
    registry.set_model_version_tag(name, version or "", key or "", value)
