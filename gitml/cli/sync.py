"""``gitml push``, ``pull`` and ``sync``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import click

from gitml.cli.options import as_json, git_remote
from gitml.cli.output import print_json, say, talk
from gitml.cli.progress import progress
from gitml.entities import Artifact
from gitml.errors import GitmlError
from gitml.repository import Repository
from gitml.sharing import push_pull
from gitml.sharing.artifacts import who_logged
from gitml.sharing.push_pull import PushReport
from gitml.store.exchange.exchange import ExchangeReport
from gitml.text import format_size, plural
from gitml.tracking.client import TrackingClient


@click.command()
@git_remote
@as_json
def push(remote: str | None, json_: bool) -> None:
    """Send artifacts, runs and model tags to the remotes.

    Artifacts go to the DVC remote (see `gitml remote`), then runs and tags to the git remote.
    """
    repository = TrackingClient().repository
    report = _push(repository, remote)
    if json_:
        print_json(report)
    else:
        _tell_push(repository, report, remote or repository.settings.git_remote)


@click.command()
@git_remote
@as_json
def pull(remote: str | None, json_: bool) -> None:
    """Fetch and merge the team's runs and model tags.

    Artifacts are downloaded when they are used.
    """
    repository = TrackingClient().repository
    report = push_pull.pull(repository, git_remote=remote)
    if json_:
        print_json(report)
    else:
        _tell_pull(report, remote or repository.settings.git_remote)
        _warn_of_another_remote(repository)


@click.command()
@git_remote
@as_json
def sync(remote: str | None, json_: bool) -> None:
    """Pull, then push."""
    repository = TrackingClient().repository
    name = remote or repository.settings.git_remote
    pulled = push_pull.pull(repository, git_remote=remote)
    if not json_:
        _tell_pull(pulled, name)
    pushed = _push(repository, remote)
    if json_:
        print_json({"pull": pulled, "push": pushed})
    else:
        _tell_push(repository, pushed, name)


def _push(repository: Repository, remote: str | None) -> PushReport:
    with progress("Sending artifacts") as report:
        return push_pull.push(repository, git_remote=remote, progress=report)


def _tell_registry(report: ExchangeReport) -> None:
    """Report renumbered and lost changes that this clone made to the registry."""
    for renumbered in report.renumbered:
        say(f"renumbered: {renumbered.model} {renumbered.old} → {renumbered.new}")
    for line in report.lost:
        talk(f"warning: not applied: {line}.")
    for tag in report.restored:
        say(f"put back, it was deleted: {tag}")
    for sentence in report.deleted:
        talk(f"warning: {sentence}")


def _tell_pull(report: ExchangeReport, remote: str) -> None:
    _tell_registry(report)
    if not report.changed:
        say(f"Nothing new on {remote}.")
        return
    joined = f" Joined {plural(report.joined, 'run')} that both sides changed."
    say(
        f"Received {plural(report.runs, 'run')} and {plural(report.tags, 'model tag')} "
        f"from {remote}." + (joined if report.joined else "")
    )


def _tell_push(repository: Repository, report: PushReport, remote: str) -> None:
    sent = report.exchange
    _tell_registry(sent)
    if sent.changed and not sent.runs and not sent.tags:
        say(f"Sent changes to earlier runs to {remote}.")
    elif sent.changed:
        say(f"Sent {plural(sent.runs, 'run')} and {plural(sent.tags, 'model tag')} to {remote}.")
    else:
        say(f"Nothing to send to {remote}.")
    if report.files:
        say(f"Sent {plural(report.files, 'artifact file')} ({format_size(report.bytes)}).")
    if report.missing:
        _warn_of_missing(repository, report.missing)
    if report.stays_here:
        talk(
            "Artifacts stay on this machine. To share them, run "
            "`gitml remote add storage URL` (a folder, s3://, gs://, azure://, ssh:// …)."
        )


def _warn_of_another_remote(repository: Repository) -> None:
    """Name a remote for artifacts that somebody put in place of the accepted one."""
    with suppress(GitmlError):  # what the branch names is no address: the next use says so
        address = repository.remotes.address()
        if not repository.uses_default_remote() and repository.remotes.trust.has_changed(address):
            refusal = repository.remotes.trust.refusal(address)
            talk(f"warning: {refusal.message} {refusal.hint}")


def _warn_of_missing(repository: Repository, missing: Sequence[Artifact]) -> None:
    """Name a file that could not be sent, and who has it."""
    verb, relation = ("are", ", such as") if len(missing) > 1 else ("is", ":")
    who = who_logged(repository, missing[0])
    talk(
        f"warning: {plural(len(missing), 'artifact file')} {verb} neither here nor in the "
        f"remote{relation} {missing[0].path!r}. {f'Ask {who} to type' if who else 'Run'} "
        "`gitml push` in the clone where the run was made."
    )
