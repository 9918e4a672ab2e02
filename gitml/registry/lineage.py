"""Trace whatever somebody names: a version back, a commit, dataset or run forward."""

from __future__ import annotations

from gitml import uris
from gitml.entities import ModelVersion
from gitml.registry import resolve
from gitml.registry.ancestry import Lineage, ancestry
from gitml.registry.descendants import Descendants, commit_named, descendants
from gitml.registry.registry import Registry
from gitml.repository import Repository


def blame(repository: Repository, text: str) -> Lineage | Descendants:
    """Trace whatever somebody names: a version back, a commit, dataset or run forward.

    Args:
        repository: Where to look.
        text: ``models:/Name/Production``, the tag or commit of a version, ``runs:/<run_id>``, or
            what ``descendants`` takes.

    Raises:
        NotFound: Nothing matches, or several things do.
        InvalidInput: It is a malformed URI.
    """
    parsed = uris.parse(text)
    if isinstance(parsed, uris.ModelUri):
        return ancestry(repository, resolve.model_version(parsed, Registry.of(repository)))
    if isinstance(parsed, uris.RunUri):
        return descendants(repository, parsed.run_id)
    version = _version_of_commit(repository, text)
    return ancestry(repository, version) if version else descendants(repository, text)


def _version_of_commit(repository: Repository, text: str) -> ModelVersion | None:
    """Return the version of a commit; stock GTO tags the code, not the version."""
    commit = commit_named(repository.git, text)
    versions = Registry.of(repository).search_model_versions() if commit else ()
    return next((v for v in versions if v.commit == commit and v.source), None)
