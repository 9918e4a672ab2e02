"""The source of a site: the protocol through which repository data reaches the dashboard.

The site knows neither git nor DVC. :class:`gitml.publishing.repository_source.RepositorySource`
reads a repository; a test can pass any object with these members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitml.entities import (
    Artifact,
    Experiment,
    Metric,
    ModelEvent,
    ModelVersion,
    RegisteredModel,
    Run,
)
from gitml.errors import InvalidInput
from gitml.forge import Forge
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.promotion.comparison import VersionComparison
from gitml.registry.promotion.decisions import Decision, OpenProposal


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryWarning:
    """Something in the repository that needs attention.

    Attributes:
        text: One sentence.
        model: Name of the model that it concerns, if any.
        run_id: Id of the run that it concerns, if any.
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
        name: Its file name without the suffix; that of a project's folder goes before it.
        text: Markdown, or YAML of a view.
        path: Its path below the root.
        fault: Why it cannot be read, if it cannot.
        namespace: What the names of its project's documents begin with; empty at the root.
        experiment_prefix: What the experiments begin with that it names.
    """

    name: str
    text: str
    path: str
    fault: InvalidInput | None = None
    namespace: str = ""
    experiment_prefix: str = ""

    def content(self) -> str:
        """Return its text.

        Raises:
            InvalidInput: It cannot be read.
        """
        if self.fault:
            raise self.fault
        return self.text


class SiteSource(Protocol):
    """Everything that a site shows.

    Attributes are read once per build; methods are called by the pages that need them, perhaps in
    a forked process.
    """

    @property
    def title(self) -> str:
        """Heading of the dashboard."""

    @property
    def experiments(self) -> Sequence[Experiment]:
        """All experiments; the site leaves out deleted ones."""

    @property
    def runs(self) -> Sequence[Run]:
        """All runs, newest first; the site leaves out deleted ones."""

    @property
    def models(self) -> Sequence[RegisteredModel]:
        """All registered models."""

    @property
    def forge(self) -> Forge:
        """Web pages of the code, for links to commits and pull requests."""

    @property
    def commit(self) -> str:
        """Id of the commit of the records branch that this was read from, or an empty text."""

    @property
    def pages(self) -> Sequence[Document]:
        """Extra pages, in the order in which the bar lists them."""

    @property
    def reports(self) -> Sequence[Document]:
        """Reports, newest name last."""

    @property
    def views(self) -> Sequence[Document]:
        """Saved views, as YAML."""

    @property
    def directions_fingerprint(self) -> str:
        """Changes whenever a result of :meth:`better` does."""

    @property
    def declarations_fingerprint(self) -> str:
        """Changes whenever the declarations of models do."""

    def run_oid(self, run_id: str, /) -> str:
        """Return the git object id of a run's record, or an empty text if it is in progress.

        The page of a run whose id did not change is taken over from the previous site.
        """

    def history(self, run_id: str, /) -> Sequence[Metric]:
        """Return every point of every metric of a run, ordered by key and step."""

    def artifacts(self, run_id: str, /) -> Sequence[Artifact]:
        """Return the files of a run."""

    def read_artifact(self, run_id: str, path: str, limit: int, /) -> bytes | None:
        """Return the first ``limit`` bytes of a file, or None if they are not on this machine."""

    def absence(self, run_id: str, /) -> str:
        """Return why files of a run are not on this machine, as a sentence."""

    def code_file(self, path: str, limit: int, /) -> bytes | None:
        """Return a file of the code; None if there is none, or none with at most so many bytes."""

    def code_link(self, path: str, /) -> str:
        """Return the address of a file of the code on the forge; empty without one."""

    def patch(self, run_id: str, /) -> str:
        """Return what differed from a run's commit, in the format of ``git diff``."""

    def requirements(self, run_id: str, /) -> str:
        """Return the recorded packages of a run, in the format of ``pip freeze``."""

    def better(self, metric: str, /) -> str:
        """Return ``lower`` or ``higher``, or an empty text if the direction is unknown."""

    def commits(self) -> Sequence[CodeCommit]:
        """Return the first-parent line of the default branch, newest first."""

    def versions(self, model: str, /) -> Sequence[ModelVersion]:
        """Return the versions of a model."""

    def events(self, model: str, /) -> Sequence[ModelEvent]:
        """Return the history of a model."""

    def rejected(self, model: str, /) -> Sequence[RejectedTag]:
        """Return the tags of a model that do not count, for nobody allowed has signed them."""

    def proposals(self) -> Sequence[OpenProposal]:
        """Return the versions that branches propose for a stage, newest first."""

    def decisions(self, model: str, /) -> Sequence[Decision]:
        """Return the versions of a model that entered a stage, newest first."""

    def considered(self, version: ModelVersion, /) -> VersionComparison | None:
        """Return the comparison of a version that nobody proposed with the one in Production."""

    def signature(self, version: ModelVersion, /) -> Mapping[str, str]:
        """Return inputs, outputs and params of a version, as in its MLmodel file."""

    def warnings(self) -> Sequence[RepositoryWarning]:
        """Return what needs attention besides failed runs, the most urgent first."""

    def unread(self) -> Sequence[str]:
        """Return one sentence for each record or file that could not be read until now."""
