"""What of a repository needs a look, as far as it can be told without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from gitml.entities import ModelVersion, Run
from gitml.errors import GitmlError, InvalidInput
from gitml.git import default_branch
from gitml.registry.gates import declarations
from gitml.registry.promotion.unapplied import drift
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.site.source import Concern

_NEWEST = 100  # runs whose files are looked for, besides those of versions
_TAGS = 20


def concerns(
    repository: Repository,
    registry: Registry,
    versions: Sequence[ModelVersion],
    runs: Sequence[Run],
) -> list[Concern]:
    """List declarations that tags do not follow, odd tags, and files that are gone.

    Args:
        repository: The clone.
        registry: Its registry.
        versions: All versions of all models.
        runs: All runs, newest first.
    """
    return [
        *_drifted(repository, versions),
        *_gone(repository, versions, runs),
        *_odd_tags(registry),
    ]


def _drifted(repository: Repository, versions: Sequence[ModelVersion]) -> Iterator[Concern]:
    commit = default_branch.tip(repository.git, repository.settings.git_remote)
    if commit is None:
        return
    try:
        wanted = declarations.read_all(repository.git, commit)
    except InvalidInput as error:
        yield Concern(text=error.message)
        return
    for name, one in sorted(wanted.items()):
        mine = [version for version in versions if version.name == name]
        for sentence in drift(one, mine):
            yield Concern(text=f"{sentence} `gitml registry apply` settles it.", model=name)


def _gone(
    repository: Repository, versions: Sequence[ModelVersion], runs: Sequence[Run]
) -> Iterator[Concern]:
    """Look for the files of versions and of the newest runs; another's remote is not asked."""
    if not repository.uses_default_remote() or not repository.default_remote.is_dir():
        return  # they never were on this machine
    remote = repository.open_remote()
    registered = {version.run_id: version for version in versions if version.run_id}
    chosen = [*registered, *(run.info.run_id for run in runs[:_NEWEST])]
    for run_id in dict.fromkeys(chosen):
        try:
            files = repository.runs.read(run_id, repository.experiment_of(run_id))
        except GitmlError:
            continue  # deleted, not ours, or malformed: the build says so
        manifest = [artifact for artifact in files.artifacts if artifact.md5] if files else []
        absent = repository.artifacts.missing(manifest, remote)
        if absent:
            others = f" and {len(absent) - 1} more" if absent[1:] else ""
            yield Concern(
                text=f"{absent[0].path}{others} {'are' if others else 'is'} neither in the cache "
                "nor in the remote.",
                run_id=run_id,
                model=registered[run_id].name if run_id in registered else "",
            )


def _odd_tags(registry: Registry) -> Iterator[Concern]:
    for one in islice(registry.ignored_tags(), _TAGS):
        yield Concern(text=f"Tag {one.tag} is not taken as a registry event: {one.reason}.")
