"""The model registry as its users see it: every method checks, then makes one change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, Self

from gitml import config
from gitml.entities import ModelVersion, RegisteredModel, Stage
from gitml.errors import AlreadyExists, InvalidInput
from gitml.files import exclusive
from gitml.formats import model_records
from gitml.query.gates import Gate
from gitml.registry import admission
from gitml.registry.changes import RegistryWriter
from gitml.registry.edit_log import Edit
from gitml.registry.gates import declarations as declaration
from gitml.registry.snapshots import Snapshot
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.model_state import VersionState
from gitml.registry.tags.names import check_alias, check_key, check_stage
from gitml.registry.tags.plan import Step
from gitml.registry.tags.version_commit import ModelSource
from gitml.repository import Repository
from gitml.text import short_repr


class Registry(RegistryWriter):
    """The model registry of one repository; names and answers are MLflow's.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: The git remote whose default branch has the team's workflows.
        clock: ms since the Unix epoch.
    """

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """Open the model registry of a repository."""
        return cls(
            repository.git,
            repository.branch,
            state=repository.state,
            remote=repository.settings.git_remote,
            clock=config.now_ms,
        )

    # Models -------------------------------------------------------------------------------------

    def create_registered_model(
        self, name: str, tags: Mapping[str, str] | None = None, description: str = ""
    ) -> RegisteredModel:
        """Make a model without versions.

        Raises:
            InvalidInput: The name cannot be used.
            AlreadyExists: It is taken, or differs from another one only in case.
        """
        self._create(name, description, _checked(tags))
        return self.get_registered_model(name)

    def rename_registered_model(self, name: str, new_name: str) -> NoReturn:
        """Refuse: the tags that tell who approved what bear the model's name, for ever.

        Raises:
            NotFound: There is no such model.
            AlreadyExists: The new name is taken.
            InvalidInput: Always otherwise; the message says what to do instead.
        """
        old, new = self._existing(name), self._snapshot(new_name)
        if new.exists:
            raise AlreadyExists(f"Registered model {short_repr(new.name)} already exists.")
        best = sorted(old.versions, key=lambda v: (v.stage == Stage.PRODUCTION, v.number or 0))
        version = best[-1].label if best else "<version>"
        raise InvalidInput(
            f"Registered model {short_repr(old.name)} cannot be renamed: the git tags that record "
            "who approved its versions bear its name.",
            hint=f"Register what is live under the new name (`gitml registry register "
            f"models:/{old.name}/{version} {new_name}`), promote it there, then "
            f"delete_registered_model({old.name!r}).",
        )

    def update_registered_model(
        self, name: str, description: str, reason: str = ""
    ) -> RegisteredModel:
        """Set a model's description (Markdown).

        Raises:
            NotFound: There is no such model.
        """
        self._edit_model(
            name,
            lambda record, now: model_records.described(record, description, now),
            Edit(field="description", done="changed", reason=reason),
        )
        return self.get_registered_model(name)

    def set_registered_model_tag(self, name: str, key: str, value: Any, reason: str = "") -> None:
        """Set a tag on a model.

        Raises:
            NotFound: There is no such model.
            InvalidInput: The key cannot be used.
        """
        self._tag_model(name, key, str(value), reason)

    def delete_registered_model_tag(self, name: str, key: str, reason: str = "") -> None:
        """Remove a tag from a model; nothing happens where it has none.

        Raises:
            NotFound: There is no such model.
        """
        self._tag_model(name, key, None, reason)

    def _tag_model(self, name: str, key: str, value: str | None, reason: str) -> None:
        changes = {check_key(key): value}
        self._edit_model(
            name, lambda record, now: model_records.tagged(record, changes, now),
            _tagging(key, value, reason),
        )  # fmt: skip

    def delete_registered_model(self, name: str, reason: str = "") -> None:
        """Delete a model with all its versions; their numbers are never used again.

        Raises:
            NotFound: There is no such model.
        """
        with exclusive(self._lock):
            snapshot = self._write(name, lambda s: plan.model_deleted(s.state), reason)
            self._close(snapshot)

    # Versions -----------------------------------------------------------------------------------

    def register(
        self,
        name: str,
        source: ModelSource,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Register a new version, of a new model where there is none of that name.

        Args:
            name: The model.
            source: What to register.
            description: Of the version, Markdown.
            tags: Tags on the version.

        Raises:
            InvalidInput: The name cannot be used.
            AlreadyExists: The name differs from another model's only in case.
            StoreError: git refused.
        """
        return self._register(name, source, description, _checked(tags), create=True)

    def create_model_version(
        self,
        name: str,
        source: ModelSource,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Register a new version of an existing model; otherwise as ``register``.

        Raises:
            NotFound: There is no such model.
        """
        return self._register(name, source, description, _checked(tags), create=False)

    def update_model_version(
        self, name: str, version: int | str, description: str, reason: str = ""
    ) -> ModelVersion:
        """Set a version's description (Markdown).

        Raises:
            NotFound: The model or the version does not exist.
        """
        self._edit_version(
            name,
            version,
            lambda record, now: model_records.described(record, description, now),
            Edit(field="description", done="changed", reason=reason),
        )
        return self.get_model_version(name, version)

    def set_model_version_tag(
        self, name: str, version: int | str, key: str, value: Any, reason: str = ""
    ) -> None:
        """Set a tag on a version.

        Raises:
            NotFound: The model or the version does not exist.
            InvalidInput: The key cannot be used.
        """
        self._tag_version_record(name, version, key, str(value), reason)

    def delete_model_version_tag(
        self, name: str, version: int | str, key: str, reason: str = ""
    ) -> None:
        """Remove a tag from a version; nothing happens where it has none.

        Raises:
            NotFound: The model or the version does not exist.
        """
        self._tag_version_record(name, version, key, None, reason)

    def _tag_version_record(
        self, name: str, version: int | str, key: str, value: str | None, reason: str
    ) -> None:
        changes = {check_key(key): value}
        self._edit_version(
            name, version, lambda record, now: model_records.tagged(record, changes, now),
            _tagging(key, value, reason),
        )  # fmt: skip

    def delete_model_version(self, name: str, version: int | str, reason: str = "") -> None:
        """Delete a version: out of its stage, aliases removed; its number is never used again.

        Raises:
            NotFound: The model or the version does not exist.
        """
        with exclusive(self._lock):
            self._write(name, lambda s: plan.version_deleted(s.state, s.version(version)), reason)

    # Stages and aliases -------------------------------------------------------------------------

    def transition_model_version_stage(
        self,
        name: str,
        version: int | str,
        stage: str,
        archive_existing_versions: bool = False,
        reason: str = "",
        force: bool = False,
    ) -> ModelVersion:
        """Move a version to a stage, out of the one it is in; gates declared for it must hold.

        Args:
            name: The model.
            version: The version.
            stage: ``None``, ``Staging``, ``Production`` or ``Archived``, in any case.
            archive_existing_versions: Move the other versions in that stage to Archived.
            reason: Recorded in the tags.
            force: Move it although gates fail, which is recorded; needs a reason.

        Returns:
            The version; unchanged where it was in that stage already.

        Raises:
            NotFound: The model or the version does not exist.
            InvalidInput: There is no such stage, its versions cannot be archived, the declaration
                cannot be read, or a reason is missing.
            GateFailed: A gate of ``registry/<Model>.yaml`` does not hold.
        """
        target = check_stage(stage)
        if archive_existing_versions and target not in (Stage.STAGING, Stage.PRODUCTION):
            raise InvalidInput(
                f"Versions in stage {target.value} cannot be archived by a transition to it.",
                hint="Use archive_existing_versions with Staging or Production.",
            )

        declared = declaration.read(self.repo, name)
        gates = declared.gates.get(target, ()) if declared else ()
        return self._move(
            name,
            version,
            target,
            lambda snapshot, found: self._admitted(snapshot, found, target, gates, force, reason),
            archive=archive_existing_versions,
            reason=reason,
        )

    def enter(
        self,
        name: str,
        version: int | str,
        stage: Stage,
        detail: TagDetail,
        *,
        reason: str,
    ) -> ModelVersion:
        """Let a version that was judged elsewhere enter a stage; what was there is archived.

        Args:
            name: The model.
            version: The version.
            stage: The stage, ``Stage.NONE`` to leave all.
            detail: What the tag records of the decision.
            reason: Recorded in the tags.

        Raises:
            NotFound: The model or the version does not exist.
        """
        archive = stage in (Stage.STAGING, Stage.PRODUCTION)
        return self._move(name, version, stage, lambda *_: detail, archive=archive, reason=reason)

    def _move(
        self,
        name: str,
        version: int | str,
        target: Stage,
        decide: Callable[[Snapshot, VersionState], TagDetail],
        *,
        archive: bool,
        reason: str,
    ) -> ModelVersion:
        def moves(snapshot: Snapshot) -> list[Step]:
            found = snapshot.version(version)
            detail = decide(snapshot, found)
            steps = plan.transition(snapshot.state, found, target, archive=archive)
            return [
                replace(step, detail=step.detail | detail)
                if (step.kind, step.value, step.commit) == (Kind.STAGE, target, found.commit)
                else step
                for step in steps
            ]

        with exclusive(self._lock):
            self._write(name, moves, reason)
        return self.get_model_version(name, version)

    def _admitted(
        self,
        snapshot: Snapshot,
        version: VersionState,
        stage: Stage,
        gates: Sequence[Gate],
        force: bool,
        reason: str,
    ) -> TagDetail:
        """Judge a version that is not in a stage yet; returns what its tag says of that."""
        if stage in version.stages:
            return TagDetail()
        examined = admission.examine(self, snapshot.name, version.label, stage, gates)
        admission.require(examined, force=force, reason=reason)
        return admission.recorded(examined, force=force)

    def set_registered_model_alias(
        self, name: str, alias: str, version: int | str, reason: str = ""
    ) -> None:
        """Let an alias name a version, whatever it named before.

        Raises:
            NotFound: The model or the version does not exist.
            InvalidInput: The alias cannot be used.
        """
        check_alias(alias)
        with exclusive(self._lock):
            self._write(name, lambda s: plan.alias_set(s.state, s.version(version), alias), reason)

    def delete_registered_model_alias(self, name: str, alias: str, reason: str = "") -> None:
        """Remove an alias; nothing happens where nobody holds it.

        Raises:
            NotFound: There is no such model.
        """
        check_alias(alias)
        with exclusive(self._lock):
            self._write(name, lambda s: plan.alias_removed(s.state, alias), reason)


def _tagging(key: str, value: str | None, reason: str) -> Edit:
    return Edit(field=f"tags.{key}", done="removed" if value is None else "set", reason=reason)


def _checked(labels: Mapping[str, Any] | None) -> dict[str, str]:
    return {check_key(key): str(value) for key, value in (labels or {}).items()}
