"""Answers what one can ask the registry, in MLflow's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitml.entities import ModelEvent, ModelVersion, PagedList, RegisteredModel, Stage
from gitml.errors import NotFound
from gitml.formats import model_records
from gitml.formats.model_records import VersionFile
from gitml.git import GitRepo
from gitml.registry import edit_log as edit_log, search
from gitml.registry.facts import Evidence, collect
from gitml.registry.snapshots import Snapshot, SnapshotReader
from gitml.registry.tags import grammar, model_state
from gitml.registry.tags.model_state import VersionState
from gitml.registry.tags.names import check_alias, check_stage, listed
from gitml.registry.tags.version_commit import version_file, version_files
from gitml.store.branch import Branch
from gitml.text import short_repr


class RegistryReader(SnapshotReader):
    """The questions one can ask the registry; names and answers are MLflow's.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
    """

    def __init__(self, repo: GitRepo, branch: Branch) -> None:
        super().__init__(repo, branch)
        self._files: dict[str, VersionFile | None] = {}  # by commit; these never change

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Read one model.

        Raises:
            NotFound: There is none of that name; the message names those that exist.
        """
        return self._model(self._existing(name))

    def search_registered_models(
        self,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """List models.

        Args:
            filter_string: ``name = 'x'``, ``name LIKE 'x%'``, ``tags.key = 'x'``, joined by AND.
            order_by: Such as ``["last_updated_timestamp DESC"]``; by name without any.
            max_results: How many at most; all without any.
            page_token: The ``token`` of the page before.

        Returns:
            A list with the attribute ``token``, None on the last page.

        Raises:
            InvalidInput: The filter, the order or the token cannot be understood.
        """
        snapshots = [snapshot for snapshot in self._snapshots(latest=True) if snapshot.exists]
        self._read_files(v.commit for one in snapshots for v in one.state.latest.values())
        models = [self._model(snapshot) for snapshot in snapshots]
        found = search.search_models(models, filter_string, order_by)
        return search.page(found, max_results, page_token)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Read one version.

        Raises:
            NotFound: The model or the version does not exist.
        """
        snapshot = self._existing(name)
        return self._version(snapshot, snapshot.version(version))

    def model_versions(self, name: str) -> list[ModelVersion]:
        """List the versions of one model, oldest first; none where there is no such model."""
        snapshot = self._snapshot(name)
        if not snapshot.exists:
            return []
        self._read_files(version.commit for version in snapshot.versions)
        return [self._version(snapshot, version) for version in snapshot.versions]

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        """List the highest version in each stage, by number.

        Args:
            name: The model.
            stages: Stages asked for, in any case; all without any.

        Raises:
            NotFound: There is no such model.
            InvalidInput: One of the stages does not exist.
        """
        wanted = [check_stage(stage) for stage in stages] if stages else list(Stage)
        snapshot = self._existing(name)
        latest = snapshot.state.latest
        return [
            self._version(snapshot, version)
            for version in snapshot.versions
            if version.stage in wanted and version is latest[version.stage]
        ]

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Read the version that holds an alias.

        Raises:
            NotFound: Nobody holds it; the message names the aliases that exist.
        """
        check_alias(alias)
        snapshot = self._existing(name)
        aliases = self._aliases(snapshot)
        if alias not in aliases:
            raise NotFound(
                f"Model {short_repr(snapshot.name)} has no alias {short_repr(alias)}.",
                hint=f"Its aliases: {listed(sorted(aliases))}.",
            )
        return self._version(snapshot, snapshot.version(aliases[alias]))

    def search_model_versions(
        self,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """List versions, the last updated first.

        Args:
            filter_string: ``name='x'``, ``run_id='x'``, ``version_number > 2``, ``source_path``,
                ``tags.key = 'x'``, joined by AND.
            order_by: Such as ``["version_number DESC"]``.
            max_results: How many at most; all without any.
            page_token: The ``token`` of the page before.

        Returns:
            A list with the attribute ``token``, None on the last page.

        Raises:
            InvalidInput: The filter, the order or the token cannot be understood.
        """
        snapshots = [snapshot for snapshot in self._snapshots() if snapshot.exists]
        self._read_files(version.commit for one in snapshots for version in one.versions)
        versions = [
            self._version(snapshot, version)
            for snapshot in snapshots
            for version in snapshot.versions
        ]
        found = search.search_versions(versions, filter_string, order_by)
        return search.page(found, max_results, page_token)

    def history(self, name: str, *, edits: bool = False) -> list[ModelEvent]:
        """List everything that happened to a model, oldest first; also of a deleted one.

        Args:
            name: The model.
            edits: Also when descriptions and tags were edited, which asks the whole branch.

        Raises:
            NotFound: There never was such a model.
        """
        snapshot = self._snapshot(name, lenient=True)
        if not snapshot.exists and not snapshot.state.tags:
            raise self._missing(name)
        told = self.repo.tags(*grammar.patterns(snapshot.slug))
        found = model_state.history(told, snapshot.slug, snapshot.name)
        if edits:
            found += self._edits(snapshot)
        return sorted(found, key=lambda event: event.timestamp)

    def _edits(self, snapshot: Snapshot) -> list[ModelEvent]:
        tip = self.branch.tip()
        if tip is None:
            return []
        folder = f"{model_records.ROOT}/{snapshot.slug}"
        log = ("log", "--no-show-signature", "--full-history", f"--format={edit_log.LOG_FORMAT}")
        out = self.repo.run(*log, tip, "--", folder).decode("utf-8", "replace")
        return list(edit_log.events(out, snapshot.name))[::-1]

    def evidence(self, version: ModelVersion) -> Evidence:
        """Collect what is known of a version: its run, its signature, its files."""
        return collect(self.repo, self.branch, version)

    # Views --------------------------------------------------------------------------------------

    def _model(self, snapshot: Snapshot) -> RegisteredModel:
        record, state = snapshot.record, snapshot.state
        return RegisteredModel(
            name=snapshot.name,
            creation_timestamp=record.creation_timestamp if record else state.first * 1000,
            last_updated_timestamp=max(
                record.last_updated_timestamp if record else 0, state.newest * 1000
            ),
            description=record.description if record else "",
            tags=dict(record.tags) if record else {},
            aliases=self._aliases(snapshot),
            latest_versions=tuple(self._version(snapshot, v) for v in state.latest.values()),
        )

    def _aliases(self, snapshot: Snapshot) -> dict[str, int]:
        return {
            snapshot.alias_name(alias): version.number
            for alias, version in sorted(snapshot.state.aliases.items())
            if version.number is not None
        }

    def _version(self, snapshot: Snapshot, version: VersionState) -> ModelVersion:
        number = version.number or 0
        record = snapshot.records.get(number)
        file = self._file(version, number, snapshot.slug) or VersionFile(
            name=snapshot.name, version=number, created=version.registered * 1000
        )
        aliases = (alias for alias, at in self._aliases(snapshot).items() if at == number)
        return ModelVersion(
            name=snapshot.name,
            version=number,
            creation_timestamp=file.created,
            last_updated_timestamp=max(
                record.last_updated_timestamp if record else 0, version.updated * 1000
            ),
            current_stage=version.stage,
            description=record.description if record else "",
            user_id=file.user,
            source=file.source,
            run_id=file.run_id,
            run_link=file.run_link,
            tags=dict(record.tags) if record else {},
            aliases=tuple(aliases),
            digest=file.digest,
            commit=version.commit,
            code_commit=file.code_commit or None,
        )

    def _read_files(self, commits: Iterable[str]) -> None:
        """Read the ``version.json`` of many versions with one process."""
        missing = [commit for commit in dict.fromkeys(commits) if commit not in self._files]
        self._files |= version_files(self.repo, missing)

    def _file(self, version: VersionState, number: int, slug: str) -> VersionFile | None:
        """Read a version's ``version.json``; None where another tool registered it."""
        if version.commit not in self._files:
            self._files[version.commit] = version_file(self.repo, version.commit)
        file = self._files[version.commit]
        if file and file.version == number and grammar.slug(file.name) == slug:
            return file
        return None
