"""Find what needs attention in a repository, as far as that is possible without a network."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import islice

from gitml.entities import ModelVersion, Run
from gitml.errors import GitmlError, InvalidInput
from gitml.git import default_branch
from gitml.registry.deleted_tags import deleted_tags
from gitml.registry.gates import declarations
from gitml.registry.promotion.unapplied import drift
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import slug
from gitml.repository import Repository
from gitml.site.source import RepositoryWarning

_NEWEST_RUNS = 100  # runs whose files are looked for, besides those of versions
_MAX_TAGS = 20


def repository_warnings(
    repository: Repository,
    registry: Registry,
    versions: Sequence[ModelVersion],
    runs: Sequence[Run],
) -> list[RepositoryWarning]:
    """List tags that do not count or are no events, unapplied declarations, and missing files.

    Args:
        repository: The clone.
        registry: Its registry.
        versions: All versions of all models.
        runs: All runs, newest first.
    """
    deleted = deleted_tags(registry)
    return [
        *_rejected_tags(registry),
        *(RepositoryWarning(text=tag.sentence, model=tag.model) for tag in deleted[:_MAX_TAGS]),
        *_unapplied_declarations(repository, versions, {tag.model for tag in deleted}),
        *_missing_files(repository, versions, runs),
        *_ignored_tags(registry),
    ]


def _unapplied_declarations(
    repository: Repository, versions: Sequence[ModelVersion], deleted: Container[str]
) -> Iterator[RepositoryWarning]:
    """List what tags do not say as declared; of models whose tags are gone, that is no news."""
    commit = default_branch.tip(repository.git, repository.settings.git_remote)
    if commit is None:
        return
    declared = {}
    for declaration in declarations.read_each(repository.git, commit):
        if isinstance(declaration, InvalidInput):
            yield RepositoryWarning(text=declaration.message)
        else:
            declared[declaration.model] = declaration
    for model, declaration in sorted(declared.items()):
        if slug(model) in deleted:
            continue
        existing = [version for version in versions if version.name == model]
        for sentence in drift(declaration, existing):
            yield RepositoryWarning(
                text=f"{sentence} `gitml registry apply` settles it.", model=model
            )


def _missing_files(
    repository: Repository, versions: Sequence[ModelVersion], runs: Sequence[Run]
) -> Iterator[RepositoryWarning]:
    """Look for the files of versions and of the newest runs, on this machine only."""
    if not repository.uses_default_remote() or not repository.default_remote.is_dir():
        return  # they never were on this machine
    remote = repository.open_remote()
    registered = {version.run_id: version for version in versions if version.run_id}
    run_ids = [*registered, *(run.info.run_id for run in runs[:_NEWEST_RUNS])]
    for run_id in dict.fromkeys(run_ids):
        try:
            files = repository.runs.read(run_id, repository.experiment_of(run_id))
        except GitmlError:
            continue  # deleted, not in this repository, or malformed: the build reports it
        manifest = [artifact for artifact in files.artifacts if artifact.md5] if files else []
        missing = repository.artifacts.missing(manifest, remote)
        if missing:
            others = f" and {len(missing) - 1} more" if missing[1:] else ""
            yield RepositoryWarning(
                text=f"{missing[0].path}{others} {'are' if others else 'is'} neither in the cache "
                "nor in the remote.",
                run_id=run_id,
                model=registered[run_id].name if run_id in registered else "",
            )


def _rejected_tags(registry: Registry) -> Iterator[RepositoryWarning]:
    for item in islice(registry.view().rejected, _MAX_TAGS):
        yield RepositoryWarning(text=f"Tag {item.sentence}", model=item.event.model)


def _ignored_tags(registry: Registry) -> Iterator[RepositoryWarning]:
    for tag in islice(registry.ignored_tags(), _MAX_TAGS):
        yield RepositoryWarning(
            text=f"Tag {tag.tag} is not taken as a registry event: {tag.reason}."
        )
