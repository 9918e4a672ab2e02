"""Push and pull: artifacts to the DVC remote first, then records and registry tags.

The order matters: whoever sees a record can fetch its artifacts.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from gitml.entities import Artifact
from gitml.errors import InvalidInput, StoreError
from gitml.git import default_branch
from gitml.registry.exchange import open_exchange
from gitml.repository import Repository
from gitml.sharing.artifacts import Progress, Sent, send_artifacts
from gitml.sharing.collection import Collections
from gitml.store.exchange.exchange import Exchange, ExchangeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push moved.

    Attributes:
        exchange: Records and tags.
        files: Artifact files that were sent.
        bytes: Their size.
        missing: Artifacts that are neither in the cache nor in the remote.
        stays_here: Whether the DVC remote is a folder of this clone, out of others' reach.
    """

    exchange: ExchangeReport
    files: int
    bytes: int
    missing: tuple[Artifact, ...]
    stays_here: bool


def push(
    repository: Repository, *, git_remote: str | None = None, progress: Progress | None = None
) -> PushReport:
    """Send artifacts, records and registry tags to where the team finds them.

    Args:
        repository: The clone.
        git_remote: Name of the git remote; default the one of ``gitml.yaml``.
        progress: Called with the artifacts' bytes.

    Raises:
        InvalidInput: There is no such git remote.
        RemoteUnavailable: The DVC remote does not answer; nothing was lost, repeat it.
        StoreError: The git remote does not answer; nothing was lost, repeat it.
    """
    exchange = _exchange(repository, git_remote)
    repository.runs.recover()
    pulled = exchange.pull()  # brings the address of the DVC remote that the team uses by now
    if repository.uses_default_remote():  # got everything when it was logged
        sent, pushed = Sent(), exchange.push()
    else:
        sent, pushed = _push_all(repository, exchange, git_remote, progress)
    return PushReport(
        exchange=replace(
            pushed,
            renumbered=pulled.renumbered + pushed.renumbered,
            lost=pulled.lost + pushed.lost,
        ),
        files=sent.files,
        bytes=sent.bytes,
        missing=sent.missing,
        stays_here=repository.uses_default_remote(),
    )


def _push_all(
    repository: Repository, exchange: Exchange, git_remote: str | None, progress: Progress | None
) -> tuple[Sent, ExchangeReport]:
    """Send artifacts and records, and what a `gitml gc --remote` removed between the two."""
    collections = Collections.of(repository, git_remote)
    before = collections.state()
    sent = send_artifacts(repository, before, progress=progress)
    pushed = exchange.push()
    while (after := collections.settled()) != before:
        before = after
        again = send_artifacts(repository, before, progress=progress)
        sent = replace(again, files=sent.files + again.files, bytes=sent.bytes + again.bytes)
    return sent, pushed


def pull(repository: Repository, *, git_remote: str | None = None) -> ExchangeReport:
    """Bring the team's records and registry tags; artifacts follow when they are used.

    Raises:
        InvalidInput: There is no such git remote.
        StoreError: It does not answer.
    """
    repository.runs.recover()
    report = _exchange(repository, git_remote).pull()
    if report.tags:
        _bring_policy(repository)
    return report


def _bring_policy(repository: Repository) -> None:
    """Fetch the default branch: tags may be signed by keys that it has only just got to know."""
    git = repository.git
    if git.work_tree is None:  # its branches are the remote's, and `git fetch` moves them
        return
    with contextlib.suppress(InvalidInput, StoreError):
        default_branch.ask(git, repository.settings.git_remote)


def _exchange(repository: Repository, git_remote: str | None) -> Exchange:
    remote = git_remote or repository.settings.git_remote
    return open_exchange(repository.git, repository.branch, state=repository.state, remote=remote)
