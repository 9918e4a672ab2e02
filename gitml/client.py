"""``MlflowClient``: runs, experiments and the registry of one repository, under MLflow's names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from gitml import uris
from gitml.entities import ModelEvent, ModelVersion, PagedList, RegisteredModel, Stage
from gitml.errors import InvalidInput
from gitml.registry import registration, resolve
from gitml.registry.ancestry import Lineage, ancestry
from gitml.registry.descendants import Descendants, descendants
from gitml.registry.registry import Registry
from gitml.registry.tags.names import check_stage
from gitml.tracking.client import TrackingClient


class MlflowClient(TrackingClient):
    """Everything MLflow's client does here, on one git repository.

    Args:
        tracking_uri: Path of a folder in the repository; default: ``GITML_TRACKING_URI``, else
            the folder the process stands in.
        registry_uri: Accepted for MLflow's scripts: the registry lives in the same repository, so
            it must be None or a path in that.

    Raises:
        InvalidInput: The registry is another repository's.
        NoRepository: There is no git repository.
    """

    def __init__(
        self,
        tracking_uri: str | os.PathLike[str] | None = None,
        registry_uri: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(tracking_uri or registry_uri)
        if tracking_uri and registry_uri:
            registration.require_same(self.repository, registry_uri)

    @property
    def registry(self) -> Registry:
        """Return the model registry."""
        return Registry.of(self.repository)

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
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Search models.

        Args:
            filter_string: ``name = 'x'``, ``name LIKE 'x%'``, ``tags.key = 'x'``, joined by AND.
            max_results: Maximum number of models; None for all.
            order_by: Such as ``["last_updated_timestamp DESC"]``; by name by default.
            page_token: The ``token`` of the previous page; None on the last one.

        Raises:
            InvalidInput: The filter, the order or the token is not valid.
        """
        return self.registry.search_registered_models(
            filter_string, order_by, max_results, page_token
        )

    def rename_registered_model(self, name: str, new_name: str) -> NoReturn:
        """Raise an error that says what to do instead; see ``Registry.rename_registered_model``."""
        self.registry.rename_registered_model(name, new_name)

    def update_registered_model(
        self, name: str, description: str | None = None, reason: str = ""
    ) -> RegisteredModel:
        """Set a model's description (Markdown); None removes it."""
        return self.registry.update_registered_model(name, description or "", reason)

    def delete_registered_model(self, name: str, reason: str = "") -> None:
        """Delete a model with all its versions."""
        self.registry.delete_registered_model(name, reason)

    def set_registered_model_tag(self, name: str, key: str, value: Any, reason: str = "") -> None:
        """Set a tag on a model."""
        self.registry.set_registered_model_tag(name, key, value, reason)

    def delete_registered_model_tag(self, name: str, key: str, reason: str = "") -> None:
        """Remove a tag from a model."""
        self.registry.delete_registered_model_tag(name, key, reason)

    # Versions ------------------------------------------------------------------------------------

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: int | None = None,
    ) -> ModelVersion:
        """Register a logged model as the next version of an existing registered model.

        Args:
            name: The registered model.
            source: ``runs:/<run_id>/<path>``; or only the path, where ``run_id`` is given.
            run_id: The run that logged it.
            tags: Tags of the version.
            run_link: Address of the run in another system, to be shown with the version.
            description: Of the version, Markdown.
            await_creation_for: Accepted for MLflow's scripts: the version is ready on return.

        Raises:
            NotFound: There is no such registered model, run, or model in the run.
        """
        del await_creation_for
        below_run = run_id and not re.match(r"/|[A-Za-z][A-Za-z0-9+.-]*:", source)
        uri = f"runs:/{run_id}/{source}" if below_run else source
        return registration.register(
            self,
            uri,
            name,
            tags=tags,
            description=description or "",
            run_link=run_link or "",
            existing_only=True,
        )

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> ModelVersion:
        """Register a version of one model as the next version of another.

        Its tags and its description go along.

        Args:
            src_model_uri: ``models:/<name>/<version or stage>`` or ``models:/<name>@<alias>``.
            dst_name: The other model; created where it does not exist.

        Raises:
            InvalidInput: That is no such URI.
            NotFound: What it names does not exist.
        """
        return registration.copy_version(self, src_model_uri, dst_name)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Get a version by number."""
        return self.registry.get_model_version(name, version)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Get the version that an alias names."""
        return self.registry.get_model_version_by_alias(name, alias)

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """Return the URI of a version's files: ``runs:/<run_id>/<path>``."""
        return self.registry.get_model_version(name, version).source

    def get_model_version_stages(self, name: str, version: int | str) -> list[str]:
        """List the stages that a version can be in.

        Raises:
            NotFound: The model or the version does not exist.
        """
        self.registry.get_model_version(name, version)
        return [stage.value for stage in Stage]

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
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Search versions, the last updated first; otherwise as ``search_registered_models``.

        Args:
            filter_string: ``name = 'x'``, ``run_id = 'x'``, ``version_number > 2``,
                ``source_path``, ``tags.key = 'x'``, joined by AND.
            max_results: Maximum number of versions; None for all.
            order_by: Such as ``["version_number DESC"]``.
            page_token: The ``token`` of the previous page.
        """
        return self.registry.search_model_versions(filter_string, order_by, max_results, page_token)

    def update_model_version(
        self, name: str, version: int | str, description: str | None = None, reason: str = ""
    ) -> ModelVersion:
        """Set a version's description (Markdown).

        Raises:
            InvalidInput: None is given.
            NotFound: There is no such model or version.
        """
        if description is None:
            raise InvalidInput(
                f"No description for version {version!s:.40} of {name!r:.80}.",
                hint='Give a description; "" removes it.',
            )
        return self.registry.update_model_version(name, version, description, reason)

    def delete_model_version(self, name: str, version: int | str, reason: str = "") -> None:
        """Delete a version; its number is never used again."""
        self.registry.delete_model_version(name, version, reason)

    def set_model_version_tag(
        self,
        name: str,
        version: int | str | None = None,
        key: str | None = None,
        value: Any = None,
        stage: str | None = None,
        reason: str = "",
    ) -> None:
        """Set a tag on a version, or on the newest version in a stage.

        Raises:
            InvalidInput: Not exactly one of ``version`` and ``stage`` is given, or no key.
            NotFound: There is no such model or version, or nothing in that stage.
        """
        chosen = self._version_or_stage(name, version, stage)
        self.registry.set_model_version_tag(name, chosen, key or "", value, reason)

    def delete_model_version_tag(
        self,
        name: str,
        version: int | str | None = None,
        key: str | None = None,
        stage: str | None = None,
        reason: str = "",
    ) -> None:
        """Remove a tag from a version, or from the newest version in a stage.

        Raises:
            InvalidInput: Not exactly one of ``version`` and ``stage`` is given, or no key.
            NotFound: There is no such model or version, or nothing in that stage.
        """
        chosen = self._version_or_stage(name, version, stage)
        self.registry.delete_model_version_tag(name, chosen, key or "", reason)

    def _version_or_stage(
        self, name: str, version: int | str | None, stage: str | None
    ) -> int | str:
        if (version is None) == (stage is None):
            raise InvalidInput("Give either version or stage.")
        if version is not None:
            return version
        uri = uris.ModelUri(name=name, stage=check_stage(str(stage)))
        return resolve.model_version(uri, self.registry).version

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

    def set_registered_model_alias(
        self, name: str, alias: str, version: int | str, reason: str = ""
    ) -> None:
        """Let an alias name a version."""
        self.registry.set_registered_model_alias(name, alias, version, reason)

    def delete_registered_model_alias(self, name: str, alias: str, reason: str = "") -> None:
        """Remove an alias."""
        self.registry.delete_registered_model_alias(name, alias, reason)

    def model_history(self, name: str, *, edits: bool = False) -> list[ModelEvent]:
        """Read who changed what, when and why, oldest first.

        Args:
            name: The model.
            edits: Also who edited descriptions and tags.
        """
        return self.registry.history(name, edits=edits)

    # Lineage -------------------------------------------------------------------------------------

    def get_model_version_lineage(self, name: str, version: int | str) -> Lineage:
        """Trace a version back: stage, run, code, data, parent run, environment.

        Raises:
            NotFound: The model or the version does not exist.
        """
        return ancestry(self.repository, self.registry.get_model_version(name, version))

    def get_descendants(self, commit_or_digest: str) -> Descendants:
        """Find the runs and versions that come from a commit, a dataset's digest or a run.

        Raises:
            NotFound: Nothing matches, several things do, or no run was made by that commit.
        """
        return descendants(self.repository, commit_or_digest)
