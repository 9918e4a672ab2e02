"""A source of a site that is held in memory: what a test does not pass is empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import (
    Artifact,
    Experiment,
    Metric,
    ModelEvent,
    ModelVersion,
    RegisteredModel,
    Run,
)
from gitml.forge import NO_FORGE, Forge
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.promotion.comparison import VersionComparison
from gitml.registry.promotion.decisions import Decision, OpenProposal
from gitml.site.source import CodeCommit, Document, RepositoryWarning, SiteSource


def _no_items(*_: object) -> tuple[()]:
    return ()


def _no_text(*_: object) -> str:
    return ""


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySource:
    """A :class:`~gitml.site.source.SiteSource` whose methods are passed as functions."""

    title: str = "Project"
    experiments: Sequence[Experiment] = ()
    runs: Sequence[Run] = ()
    models: Sequence[RegisteredModel] = ()
    forge: Forge = NO_FORGE
    commit: str = ""
    pages: Sequence[Document] = ()
    reports: Sequence[Document] = ()
    views: Sequence[Document] = ()
    directions_fingerprint: str = ""
    declarations_fingerprint: str = ""
    run_oid: Callable[[str], str] = _no_text
    history: Callable[[str], Sequence[Metric]] = _no_items
    artifacts: Callable[[str], Sequence[Artifact]] = _no_items
    read_artifact: Callable[[str, str, int], bytes | None] = _nothing
    absence: Callable[[str], str] = _no_text
    code_file: Callable[[str, int], bytes | None] = _nothing
    code_link: Callable[[str], str] = _no_text
    patch: Callable[[str], str] = _no_text
    requirements: Callable[[str], str] = _no_text
    better: Callable[[str], str] = _no_text
    commits: Callable[[], Sequence[CodeCommit]] = _no_items
    versions: Callable[[str], Sequence[ModelVersion]] = _no_items
    events: Callable[[str], Sequence[ModelEvent]] = _no_items
    rejected: Callable[[str], Sequence[RejectedTag]] = _no_items
    proposals: Callable[[], Sequence[OpenProposal]] = _no_items
    decisions: Callable[[str], Sequence[Decision]] = _no_items
    considered: Callable[[ModelVersion], VersionComparison | None] = _nothing
    signature: Callable[[ModelVersion], Mapping[str, str]] = lambda version: {}
    warnings: Callable[[], Sequence[RepositoryWarning]] = _no_items
    unread: Callable[[], Sequence[str]] = _no_items


_: type[SiteSource] = MemorySource  # checked by mypy: every member of the protocol is there
