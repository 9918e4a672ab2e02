"""The model registry of a repository, with MLflow's names."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

from gitml import config
from gitml.entities import ModelEvent, ModelVersion, PagedList, RegisteredModel, Stage
from gitml.errors import InvalidInput
from gitml.files import exclusive
from gitml.git import GitRepo
from gitml.query.gates import Gate
from gitml.registry import admission, search
from gitml.registry.admission import Admission
from gitml.registry.facts import FactsReader, VersionFacts
from gitml.registry.gates.approvals import NOBODY, Approvals
from gitml.registry.gates.in_force import gates_in_force
from gitml.registry.model_snapshot import ModelSnapshot
from gitml.registry.models_reader import CommitFiles, ModelsReader, ModelViews, PinnedViews
from gitml.registry.models_view import ModelsView
from gitml.registry.new_version import NewVersions
from gitml.registry.record_book import RecordBook
from gitml.registry.sent_log import SentLog
from gitml.registry.tag_filter import TagFilter
from gitml.registry.tag_journal import TagChange, TagJournal
from gitml.registry.tag_notes import NewestTags
from gitml.registry.tag_writer import TagWriter
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.model_state import IgnoredTag, VersionState
from gitml.registry.tags.names import check_alias, check_key, check_stage, check_tags
from gitml.registry.tags.plan import Step
from gitml.registry.tags.version_commit import ModelSource, VersionCommits
from gitml.repository import Repository
from gitml.store.branch import Branch


class Registry:
    """The model registry of one repository; names and answers are MLflow's.

    Methods raise NotFound if a model, version or alias does not exist, naming those that do, and
    InvalidInput if a name, alias, key, stage, filter or page token is not valid.

    What happens to a model is written as tags (``TagJournal``); what people may edit, descriptions
    and tags on models, is written to the branch (``RecordBook``). Every change of a clone holds one
    advisory lock; ``rebase`` orders what two clones wrote at the same time.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: The git remote whose default branch has the team's workflows.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        repo: GitRepo,
        branch: Branch,
        *,
        state: Path,
        remote: str = "origin",
        clock: Callable[[], int] = config.now_ms,
    ) -> None:
        self.repo = repo
        self.branch = branch
        self.state = state
        self.remote = remote
        self.now = clock
        files = CommitFiles(repo)
        sent = SentLog(repo, branch, state)
        self.tag_filter = TagFilter(repo, sent, state=state, remote=remote)
        reader = ModelsReader(repo, branch, files, self.tag_filter)
        self._views: ModelViews = reader
        self._edits = reader.edits
        writer = TagWriter(repo, remote)
        self._journal = TagJournal(repo, writer, NewestTags(state), sent, files, clock)
        self._records = RecordBook(branch, clock)
        commits = VersionCommits(repo, branch, remote=remote)
        self._versions = NewVersions(repo, commits, self._journal, self._records, clock)
        self._facts = FactsReader(repo, branch)

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """Open the model registry of a repository."""
        remote = repository.settings.git_remote
        return cls(repository.git, repository.branch, state=repository.state, remote=remote)

    def pinned(self) -> Self:
        """Return this registry as of now: its answers stay the same, however tags change."""
        registry = copy.copy(self)
        registry._views = PinnedViews(self._views.all())
        return registry

    def _locked(self) -> AbstractContextManager[None]:
        return exclusive(self.state / "locks" / "registry")

    # Queries ------------------------------------------------------------------------------------

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return one model."""
        return self._views.of(name).get_registered_model(name)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Search models; see ``MlflowClient.search_registered_models``."""
        models = self._views.all(latest=True).registered_models()
        matches = search.search_models(models, filter_string, order_by)
        return search.page(matches, max_results, page_token)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Return one version."""
        return self._views.of(name).get_model_version(name, version)

    def model_versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a model, oldest first; none if it does not exist."""
        return self._views.of(name).model_versions(name)

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        """Return the highest version in each stage, by number; of all stages by default."""
        return self._views.of(name).get_latest_versions(name, stages)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version of an alias."""
        return self._views.of(name).get_model_version_by_alias(name, alias)

    def search_model_versions(
        self,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Search versions; see ``MlflowClient.search_model_versions``."""
        versions = self._views.all().all_versions()
        matches = search.search_versions(versions, filter_string, order_by)
        return search.page(matches, max_results, page_token)

    def history(self, name: str, *, edits: bool = False) -> list[ModelEvent]:
        """Return what happened to a model, even a deleted one, oldest first; maybe with edits."""
        view = self._views.of(name)
        events = view.history(name)
        if edits:
            model = view.model(name, lenient=True)
            events += self._edits(model.slug, model.name)
        return sorted(events, key=lambda event: event.timestamp)

    def ignored_tags(self) -> list[IgnoredTag]:
        """Return tags named like registry events that are ignored, and why."""
        return self._views.all().ignored_tags()

    def view(self, name: str | None = None) -> ModelsView:
        """Return all models, or one, as of now: for several questions about one moment."""
        return self._views.all() if name is None else self._views.of(name)

    def facts_of(self, version: ModelVersion) -> VersionFacts:
        """Return the facts about a version: its run, its signature, its files."""
        return self._facts.of(version)

    def examine(
        self,
        name: str,
        version: int | str,
        stage: Stage,
        gates: Sequence[Gate],
        *,
        returning: bool = False,
        approvals: Approvals = NOBODY,
    ) -> Admission:
        """Judge a version by gates, against what is live now; see ``admission.examine``."""
        view = self._views.of(name)
        candidate, live = view.get_model_version(name, version), view.live_versions(name)
        judge = partial(admission.examine, returning=returning, approvals=approvals)
        return judge(candidate, stage, gates, live, self._facts.of)

    # Models -------------------------------------------------------------------------------------

    def create_registered_model(
        self, name: str, tags: Mapping[str, str] | None = None, description: str = ""
    ) -> RegisteredModel:
        """Create a model without versions; raises AlreadyExists if the name is taken."""
        checked = check_tags(tags)
        with self._locked():
            view = self._views.all()
            model = view.require_unused(name)
            view.require_distinct(model)
            self._records.create(model, description, checked)
        return self.get_registered_model(name)

    def rename_registered_model(self, name: str, new_name: str) -> NoReturn:
        """Refuse: the tags that record who approved what bear the model's name for ever.

        Raises:
            AlreadyExists: The new name is taken.
            InvalidInput: Always otherwise; the message says what to do instead.
        """
        old = self._existing(name)
        self._views.of(new_name).require_unused(new_name)
        raise old.rename_error(new_name)

    def update_registered_model(
        self, name: str, description: str, reason: str = ""
    ) -> RegisteredModel:
        """Set a model's description (Markdown)."""
        with self._locked():
            self._records.describe_model(self._existing(name), description, reason)
        return self.get_registered_model(name)

    def set_registered_model_tag(self, name: str, key: str, value: Any, reason: str = "") -> None:
        """Set a tag on a model."""
        check_key(key)
        with self._locked():
            self._records.tag_model(self._existing(name), key, str(value), reason)

    def delete_registered_model_tag(self, name: str, key: str, reason: str = "") -> None:
        """Remove a tag from a model, if it has it."""
        check_key(key)
        with self._locked():
            self._records.tag_model(self._existing(name), key, None, reason)

    def delete_registered_model(self, name: str, reason: str = "") -> None:
        """Delete a model with all its versions; their numbers are never used again."""
        with self._locked():
            model = self._append(name, lambda model: plan.model_deleted(model.state), reason)
            newest = self._views.of(model.name).model(model.name).state.newest
            self._records.close(model, newest * 1000)

    # Versions -----------------------------------------------------------------------------------

    def register(
        self,
        name: str,
        source: ModelSource,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        existing_only: bool = False,
    ) -> ModelVersion:
        """Register a new version; the model is created, unless ``existing_only`` is given.

        Raises:
            AlreadyExists: The name differs from another model's only in case.
            StoreError: git refused; nothing is left behind.
        """
        checked = check_tags(tags)

        def read() -> ModelSnapshot:
            view = self._views.of(name)
            model = view.existing(name) if existing_only else view.model(name)
            if not model.exists:
                self._views.all().require_distinct(model)
            return model

        with self._locked():
            version = self._versions.register(read, source, description, checked)
            return self.get_model_version(name, version)

    def update_model_version(
        self, name: str, version: int | str, description: str, reason: str = ""
    ) -> ModelVersion:
        """Set a version's description (Markdown)."""
        with self._locked():
            model, current = self._version(name, version)
            self._records.describe_version(model, current, description, reason)
        return self.get_model_version(name, version)

    def set_model_version_tag(
        self, name: str, version: int | str, key: str, value: Any, reason: str = ""
    ) -> None:
        """Set a tag on a version."""
        check_key(key)
        with self._locked():
            model, current = self._version(name, version)
            self._records.tag_version(model, current, key, str(value), reason)

    def delete_model_version_tag(
        self, name: str, version: int | str, key: str, reason: str = ""
    ) -> None:
        """Remove a tag from a version, if it has it."""
        check_key(key)
        with self._locked():
            model, current = self._version(name, version)
            self._records.tag_version(model, current, key, None, reason)

    def delete_model_version(self, name: str, version: int | str, reason: str = "") -> None:
        """Delete a version: out of its stage, aliases removed; its number is never used again."""
        with self._locked():
            self._append(name, lambda m: plan.version_deleted(m.state, m.version(version)), reason)

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
        """Move a version to a stage, out of its present one; the gates of the stage must hold.

        Args:
            name: The model.
            version: The version; nothing happens if it is in that stage.
            stage: ``None``, ``Staging``, ``Production`` or ``Archived``, in any case.
            archive_existing_versions: Move the other versions in that stage to Archived.
            reason: Recorded in the tags.
            force: Move it although gates fail, which is recorded; needs a reason.

        Raises:
            InvalidInput: Versions in that stage cannot be archived, the declaration is not valid,
                or a reason is missing.
            GateFailed: A gate of ``registry/<Model>.yaml`` does not hold.
        """
        target = check_stage(stage)
        if archive_existing_versions and target not in (Stage.STAGING, Stage.PRODUCTION):
            raise InvalidInput(
                f"Versions in stage {target.value} cannot be archived by a transition to it.",
                hint="Use archive_existing_versions with Staging or Production.",
            )
        gates = gates_in_force(self.repo, self.remote, name, target)

        def admit(version: VersionState) -> TagDetail:
            if target in version.stages:
                return TagDetail()
            examined = self.examine(name, version.label, target, gates)
            admission.require(examined, force=force, reason=reason)
            return admission.recorded(examined, force=force)

        return self._move(name, version, target, admit, archive_existing_versions, reason)

    def enter(
        self, name: str, version: int | str, stage: Stage, detail: TagDetail, *, reason: str
    ) -> ModelVersion:
        """Move a version that was judged already to a stage; the present ones are archived.

        ``Stage.NONE`` only takes it out. ``detail`` is what the tag records of the decision.
        """
        archive = stage in (Stage.STAGING, Stage.PRODUCTION)
        return self._move(name, version, stage, lambda _: detail, archive, reason)

    def _move(
        self,
        name: str,
        version: int | str,
        target: Stage,
        admit: Callable[[VersionState], TagDetail],
        archive: bool,
        reason: str,
    ) -> ModelVersion:
        def steps(model: ModelSnapshot) -> list[Step]:
            moving = model.version(version)
            steps = plan.transition(model.state, moving, target, archive=archive)
            return plan.with_decision(steps, moving, target, admit(moving))

        with self._locked():
            self._append(name, steps, reason)
        return self.get_model_version(name, version)

    def set_registered_model_alias(
        self, name: str, alias: str, version: int | str, reason: str = ""
    ) -> None:
        """Let an alias name a version, whatever it named before."""
        check_alias(alias)
        with self._locked():
            self._append(name, lambda m: plan.alias_set(m.state, m.version(version), alias), reason)

    def delete_registered_model_alias(self, name: str, alias: str, reason: str = "") -> None:
        """Remove an alias, if a version has it."""
        check_alias(alias)
        with self._locked():
            self._append(name, lambda m: plan.alias_removed(m.state, alias), reason)

    def _existing(self, name: str) -> ModelSnapshot:
        return self._views.of(name).existing(name)

    def _version(self, name: str, version: int | str) -> tuple[ModelSnapshot, ModelVersion]:
        view = self._views.of(name)
        return view.existing(name), view.get_model_version(name, version)

    def _append(
        self, name: str, steps: Callable[[ModelSnapshot], Sequence[Step]], reason: str
    ) -> ModelSnapshot:
        return self._journal.append(
            lambda: self._existing(name), lambda model: TagChange(steps=steps(model)), reason
        )
