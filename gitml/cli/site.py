"""``gitml site`` and ``gitml ui``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.cli.progress import progress
from gitml.errors import GitmlError
from gitml.publishing import dashboard
from gitml.publishing.branch import publish as publish_to_branch
from gitml.site import BuildReport
from gitml.site.output.no_gc import without_collector
from gitml.text import format_size, plural
from gitml.tracking.client import TrackingClient

_FOLDER = Path("_site")
_POLL_INTERVAL = 3_000  # ms
_port = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port; default: any free one."
)
_strict = click.option(
    "--strict", is_flag=True, help="Exit with 1 if a page, view, report or record is at fault."
)
_require_artifacts = click.option(
    "--require-artifacts", is_flag=True, help="Exit with 1 if files of runs cannot be had."
)
_title = click.option("--title", metavar="TEXT", help="Heading; default: that of gitml.yaml.")


@click.group(cls=CommandGroup)
def site() -> None:
    """Build and serve the dashboard."""


@site.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=_FOLDER,
    show_default=True,
    metavar="DIR",
)
@_title
@_strict
@_require_artifacts
@as_json
def build(
    output: Path, title: str | None, strict: bool, require_artifacts: bool, json_: bool
) -> None:
    """Build the dashboard as a folder of static pages.

    It opens from disk and works on any web server. An existing site in DIR is replaced. A page that
    cannot be made says why; the others are built.
    """
    with without_collector(last=True):
        report = _build(output, title)
    if json_:
        print_json(report)
    else:
        say(str(report.output / "index.html"))
    if strict and report.failures:
        raise GitmlError(f"{plural(len(report.failures), 'fault')} in the site, listed above.")
    _require(report, require_artifacts)


@site.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=_FOLDER)
@_port
@click.option("--open", "open_", is_flag=True, help="Open it in the browser.")
@as_json
def serve(folder: Path, port: int, open_: bool, json_: bool) -> None:
    """Serve a built dashboard on this machine until Ctrl-C."""
    from gitml.site.serve import serve as serve_folder

    serve_folder(folder, port, open_browser=open_, announce=_announcement(json_))


@site.command()
@click.option("--branch", default="gh-pages", show_default=True, metavar="NAME")
@click.option(
    "--remote", default="origin", show_default=True, metavar="NAME", help="git remote to push to."
)
@click.option("--no-push", is_flag=True, help="Commit without pushing.")
@click.option("--no-history", is_flag=True, help="Replace the branch by one commit.")
@_title
@_require_artifacts
@as_json
def publish(
    branch: str,
    remote: str,
    no_push: bool,
    no_history: bool,
    title: str | None,
    require_artifacts: bool,
    json_: bool,
) -> None:
    """Build the dashboard, commit it to a branch and push that.

    The work tree, the index and the current branch are not touched. A branch with other content is
    refused.
    """
    repository = TrackingClient().repository
    report = _build(repository.state / "published", title)
    _require(report, require_artifacts)
    done = publish_to_branch(
        repository.git,
        report.output,
        branch,
        remote=None if no_push else remote,
        keep_history=not no_history,
        message=f"Publish the dashboard\n\nRecords as of {repository.branch.tip()}\n",
    )
    if json_:
        print_json(done)
        return
    say(done.commit)
    where = f"{done.branch} on {done.remote}" if done.remote else done.branch
    talk(f"{'Published to' if done.changed else 'Nothing new on'} {where}.")


@click.command()
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@_port
@_title
@as_json
def ui(no_open: bool, port: int, title: str | None, json_: bool) -> None:
    """Build the dashboard, open it in the browser and keep it up to date.

    It is stored in the repository's .git folder and served on this machine until Ctrl-C. New runs
    and metrics of running ones appear by themselves.
    """
    from gitml.site.serve import serve_live

    repository = TrackingClient().repository
    built = dashboard.fingerprint(repository)
    folder = repository.state / "site"
    report = _build(folder, title, live=_POLL_INTERVAL)

    def refresh() -> bool:
        nonlocal built
        state = dashboard.fingerprint(repository)
        if state == built:
            return False
        built = state
        try:
            done = dashboard.build_site(repository, folder, title=title, live=_POLL_INTERVAL)
        except GitmlError as error:
            talk(f"Cannot update the site: {error.message}")
            return False
        return done.written > 0

    serve_live(
        report.output, refresh, port, open_browser=not no_open, announce=_announcement(json_)
    )


def _build(output: Path, title: str | None, live: int = 0) -> BuildReport:
    repository = TrackingClient().repository
    with progress("Building the site", unit="pages") as report_progress:
        report = dashboard.build_site(
            repository, output, title=title, progress=report_progress, live=live
        )
    files = plural(report.written + report.unchanged, "file")
    talk(f"Built {files}, {report.written} of them new, {format_size(report.bytes)}.")
    for sentence in report.dropped:
        talk(sentence)
    if report.absent:
        talk(f"warning: {report.absent}")
    return report


def _require(report: BuildReport, artifacts: bool) -> None:
    if artifacts and report.absent:
        raise GitmlError("Files of runs are missing, and --require-artifacts was given.")


def _announcement(json_: bool) -> Callable[[str], None]:
    """Return what prints the address once the site is served."""

    def announce(url: str) -> None:
        say(json.dumps({"url": url}) if json_ else url)
        sys.stdout.flush()  # a program that waits for the address reads a pipe
        talk("Press Ctrl-C to stop.")

    return announce
