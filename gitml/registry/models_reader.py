"""Read tags, records and version files from git into views of models."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Protocol

from gitml.entities import ModelEvent
from gitml.errors import StoreError
from gitml.formats import limits, model_records
from gitml.formats.model_records import VersionFile
from gitml.git import GitRepo
from gitml.registry import edit_log
from gitml.registry.models_view import ModelsView, Records
from gitml.registry.tag_filter import TagFilter
from gitml.registry.tags import grammar, model_state
from gitml.registry.tags.names import check_model_name
from gitml.registry.tags.version_commit import version_file, version_files
from gitml.store.branch import Branch


class ModelViews(Protocol):
    """Source of views of models."""

    def of(self, name: str) -> ModelsView:
        """Return a view that has one model; all models if that one does not exist."""

    def all(self, *, latest: bool = False) -> ModelsView:
        """Return a view of all models.

        Args:
            latest: Only records of the highest version in each stage are needed.
        """


class CommitFiles:
    """Reads the ``version.json`` of version commits; each once, for they never change."""

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self._files: dict[str, VersionFile | None] = {}

    def load(self, commits: Iterable[str]) -> Mapping[str, VersionFile | None]:
        """Return the file of each commit, read with one process; None if it has none of ours."""
        missing = [commit for commit in dict.fromkeys(commits) if commit not in self._files]
        if len(missing) == 1:  # from the process that is running already
            self._files[missing[0]] = version_file(self._repo, missing[0])
        elif missing:
            self._files |= version_files(self._repo, missing)
        return self._files


class ModelsReader:
    """Reads views of the models as of now.

    Args:
        repo: The repository.
        branch: Where descriptions and tags are recorded.
        files: The ``version.json`` of version commits.
        tags: Parts the tags that count from the others.
    """

    def __init__(self, repo: GitRepo, branch: Branch, files: CommitFiles, tags: TagFilter) -> None:
        self._repo = repo
        self._branch = branch
        self._files = files
        self._tags = tags

    def of(self, name: str) -> ModelsView:
        """Read one model; all of them if it does not exist, so that errors can name those."""
        slug = grammar.slug(check_model_name(name))
        judged = self._tags.judge(self._repo.tags(*grammar.patterns(slug)))
        records = self._read(f"{model_records.ROOT}/{slug}")
        view = ModelsView(judged.accepted, records, self._files, judged.rejected)
        return view if view.model(name, lenient=True).exists else self.all()

    def all(self, *, latest: bool = False) -> ModelsView:
        """Read all models; with ``latest`` fewer records."""
        judged = self._tags.judge(self._repo.tags())
        versions = _latest_versions(model_state.fold(judged.accepted)) if latest else None
        records = self._read(model_records.ROOT, versions)
        return ModelsView(judged.accepted, records, self._files, judged.rejected)

    def _read(
        self, folder: str, versions: Mapping[str, Container[int | None]] | None = None
    ) -> Records:
        """Read the records below a folder of the branch.

        Args:
            folder: Path on the branch.
            versions: By slug, the versions to read, None for the model itself; all by default.
        """
        tip = self._branch.tip()
        if tip is None:
            return {}
        oids = {}
        for entry in self._repo.tree(tip, folder, recursive=True):
            path = f"{folder}/{entry.path}"
            parsed = model_records.parse_model_path(path)
            if entry.type != "blob" or entry.mode == "120000" or parsed is None:
                continue
            slug, version = parsed
            if versions is None or version in versions.get(slug, (None,)):
                oids[path] = entry.oid
        contents = self._repo.read_checked(oids.values(), limits.READ_RECORD)
        records: dict[str, bytes | StoreError] = dict(zip(oids, contents, strict=True))
        return records

    def edits(self, slug: str, name: str) -> list[ModelEvent]:
        """Read from the branch's log when a model's records were edited, oldest first."""
        tip = self._branch.tip()
        if tip is None:
            return []
        log = ("log", "--no-show-signature", "--full-history", f"--format={edit_log.LOG_FORMAT}")
        out = self._repo.run(*log, tip, "--", f"{model_records.ROOT}/{slug}")
        return list(edit_log.events(out.decode("utf-8", "replace"), name))[::-1]


class PinnedViews:
    """Answers with one view of all models, however they change."""

    def __init__(self, view: ModelsView) -> None:
        self._view = view

    def of(self, name: str) -> ModelsView:
        """Return the view of all models."""
        return self._view

    def all(self, *, latest: bool = False) -> ModelsView:
        """Return the view of all models."""
        return self._view


def _latest_versions(state: model_state.RegistryState) -> dict[str, set[int | None]]:
    return {
        slug: {None, *(version.number for version in model.latest.values())}
        for slug, model in state.models.items()
    }
