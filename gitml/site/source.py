"""What the dashboard is made of; the one door through which repository data comes in."""

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
from gitml.registry.promotion.comparison import Comparison
from gitml.registry.promotion.decisions import Decision, Proposal


def _nothing(_: str) -> tuple[()]:
    return ()


def _none(_: str) -> None:
    return None


def _no_bytes(_run_id: str, _path: str, _limit: int) -> None:
    return None


def _no_oid(_: str) -> str:
    return ""


def _unknown(_: str) -> str:
    return ""


def _no_commits() -> tuple[()]:
    return ()


def _none_yet() -> tuple[()]:
    return ()


def _not_considered(_: ModelVersion) -> None:
    return None


def _no_signature(_: ModelVersion) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that somebody should look at.

    Attributes:
        text: One sentence.
        model: Name of the model it is about, if any.
        run_id: Id of the run it is about, if any.
    """

    text: str
    model: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCommit:
    """A commit of the code.

    Attributes:
        commit: Its id.
        timestamp: When it was committed, ms since the Unix epoch.
        author: Its author's name.
        subject: The first line of its message.
    """

    commit: str
    timestamp: int
    author: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that people wrote for the site.

    Attributes:
        name: Its file name without the suffix.
        text: Markdown, or YAML of a view.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything a site shows; functions are called lazily, once per page that needs them.

    Attributes:
        title: Heading of the dashboard.
        experiments: All experiments; deleted ones are left out of the site.
        runs: All runs, newest first; deleted ones are left out of the site.
        models: All registered models.
        forge: Web pages of the code, for links to commits and pull requests.
        commit: Id of the commit of the records branch that this was read from.
        history: run id → every point of every metric, ordered by key and step.
        artifacts: run id → its files.
        read_artifact: (run id, path, limit in bytes) → the first ``limit`` bytes of a file,
            or None where its bytes are not on this machine.
        patch: run id → what differed from the commit, as ``git diff`` writes it.
        requirements: run id → the recorded packages, as ``pip freeze`` writes them.
        versions: model name → its versions.
        events: model name → its history.
        run_oid: run id → git object id of its record's tree, empty where unknown. A run whose
            id did not change is not rendered again.
        better: metric → ``lower``, ``higher``, or an empty text where that is not known.
        ways: Changes whenever an answer of ``better`` does.
        commits: The first-parent line of the default branch, newest first.
        pages: Extra pages, in the order in which the bar lists them.
        reports: Reports, newest name last.
        views: Saved views, as YAML.
        concerns: What needs a look besides failed runs, the most urgent first.
        proposals: Versions that branches want in a stage, newest first.
        decisions: model name → versions that entered a stage, newest first.
        considered: version → it beside what is in Production, though nobody proposed it.
        signature: version → what it takes and returns, as in its MLmodel file.
        declared: Changes whenever what is declared for models does.
        unread: One sentence for each file of a run that could not be read until now.
    """

    title: str
    experiments: Sequence[Experiment] = ()
    runs: Sequence[Run] = ()
    models: Sequence[RegisteredModel] = ()
    forge: Forge = NO_FORGE
    commit: str = ""
    history: Callable[[str], Sequence[Metric]] = _nothing
    artifacts: Callable[[str], Sequence[Artifact]] = _nothing
    read_artifact: Callable[[str, str, int], bytes | None] = _no_bytes
    patch: Callable[[str], str | None] = _none
    requirements: Callable[[str], str | None] = _none
    versions: Callable[[str], Sequence[ModelVersion]] = _nothing
    events: Callable[[str], Sequence[ModelEvent]] = _nothing
    run_oid: Callable[[str], str] = _no_oid
    better: Callable[[str], str] = _unknown
    ways: str = ""
    commits: Callable[[], Sequence[CodeCommit]] = _no_commits
    pages: Sequence[Document] = ()
    reports: Sequence[Document] = ()
    views: Sequence[Document] = ()
    concerns: Callable[[], Sequence[Concern]] = _none_yet
    proposals: Callable[[], Sequence[Proposal]] = _none_yet
    decisions: Callable[[str], Sequence[Decision]] = _nothing
    considered: Callable[[ModelVersion], Comparison | None] = _not_considered
    signature: Callable[[ModelVersion], Mapping[str, str]] = _no_signature
    declared: str = ""
    unread: Callable[[], Sequence[str]] = _none_yet
