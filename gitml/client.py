"""``MlflowClient``: runs, experiments and the registry of one repository, under MLflow's names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gitml import lineage, logged_models, uris
from gitml.entities import ModelEvent, ModelVersion, RegisteredModel
from gitml.lineage import Descendants, Lineage
from gitml.registry.registry import Registry
from gitml.tracking.client import TrackingClient


class MlflowClient(TrackingClient):
    """Everything MLflow's client does here, on one git repository.

    Args:
        tracking_uri: Path of a folder in the repository; default: ``GITML_TRACKING_URI``, else
            the folder the process stands in.
        registry_uri: Accepted for MLflow's scripts: the registry lives in the same repository, so
            it must be None or the same path.

    Raises:
        NoRepository: There is no git repository.
    """

    def __init__(
        self,
        tracking_uri: str | os.PathLike[str] | None = None,
        registry_uri: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(tracking_uri or registry_uri)

    @property
    def registry(self) -> Registry:
        """The model registry."""
        return uris.registry(self.repository)

    # Models --------------------------------------------------------------------------------------

    def create_registered_model(
        self, name: str, tags: Mapping[str, str] | None = None, description: str | None = None
    ) -> RegisteredModel:
        """Make a model without versions; see ``Registry.create_registered_model``."""
        return self.registry.create_registered_model(name, tags, description or "")

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Get a model by name."""
        return self.registry.get_registered_model(name)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int | None = 100,
        order_by: Sequence[str] | None = None,
    ) -> list[RegisteredModel]:
        """Search models by name and tags."""
        return self.registry.search_registered_models(
            filter_string=filter_string, order_by=order_by, max_results=max_results
        )

    def update_registered_model(self, name: str, description: str) -> RegisteredModel:
        """Set a model's description (Markdown)."""
        return self.registry.update_registered_model(name, description)

    def delete_registered_model(self, name: str) -> None:
        """Delete a model with all its versions."""
        self.registry.delete_registered_model(name)

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set a tag on a model."""
        self.registry.set_registered_model_tag(name, key, value)

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a tag from a model."""
        self.registry.delete_registered_model_tag(name, key)

    # Versions ------------------------------------------------------------------------------------

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> ModelVersion:
        """Register a logged model as the next version of an existing registered model.

        Args:
            name: The registered model.
            source: ``runs:/<run_id>/<path>``; or only the path, where ``run_id`` is given.
            run_id: The run that logged it.
            tags: Tags of the version.
            description: Of the version, Markdown.

        Raises:
            NotFound: There is no such registered model, run, or model in the run.
        """
        uri = source if uris.parse(source) or not run_id else f"runs:/{run_id}/{source}"
        return logged_models.register(
            self, uri, name, tags=tags, description=description or "", existing_only=True
        )

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Get a version by number."""
        return self.registry.get_model_version(name, version)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Get the version that an alias names."""
        return self.registry.get_model_version_by_alias(name, alias)

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """Where a version's files are: ``runs:/<run_id>/<path>``."""
        return self.registry.get_model_version(name, version).source

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        """Get the newest version of each stage."""
        return self.registry.get_latest_versions(name, stages)

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int | None = 10_000,
        order_by: Sequence[str] | None = None,
    ) -> list[ModelVersion]:
        """Search versions, such as with ``name = 'Price' and run_id = '…'``."""
        return self.registry.search_model_versions(
            filter_string=filter_string, order_by=order_by, max_results=max_results
        )

    def update_model_version(self, name: str, version: int | str, description: str) -> ModelVersion:
        """Set a version's description (Markdown)."""
        return self.registry.update_model_version(name, version, description)

    def delete_model_version(self, name: str, version: int | str) -> None:
        """Delete a version; its number is never used again."""
        self.registry.delete_model_version(name, version)

    def set_model_version_tag(self, name: str, version: int | str, key: str, value: Any) -> None:
        """Set a tag on a version."""
        self.registry.set_model_version_tag(name, version, key, value)

    def delete_model_version_tag(self, name: str, version: int | str, key: str) -> None:
        """Remove a tag from a version."""
        self.registry.delete_model_version_tag(name, version, key)

    # Stages and aliases --------------------------------------------------------------------------

    def transition_model_version_stage(
        self,
        name: str,
        version: int | str,
        stage: str,
        archive_existing_versions: bool = False,
        reason: str = "",
        force: bool = False,
    ) -> ModelVersion:
        """Move a version to a stage; see ``Registry.transition_model_version_stage``."""
        return self.registry.transition_model_version_stage(
            name, version, stage, archive_existing_versions, reason, force
        )

    def set_registered_model_alias(self, name: str, alias: str, version: int | str) -> None:
        """Let an alias name a version."""
        self.registry.set_registered_model_alias(name, alias, version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""
        self.registry.delete_registered_model_alias(name, alias)

    def model_history(self, name: str) -> list[ModelEvent]:
        """Read who changed what, when and why, oldest first."""
        return self.registry.history(name)

    # Lineage -------------------------------------------------------------------------------------

    def get_model_version_lineage(self, name: str, version: int | str) -> Lineage:
        """Trace a version back: stage, run, code, data, parent run, environment.

        Raises:
            NotFound: The model or the version does not exist.
        """
        return lineage.ancestry(self.repository, self.registry.get_model_version(name, version))

    def get_descendants(self, commit_or_digest: str) -> Descendants:
        """Find the runs and versions that come from a commit, a data set's digest or a run.

        Raises:
            NotFound: Nothing is called that, several things are, or no run was made by that commit.
        """
        return lineage.descendants(self.repository, commit_or_digest)
