"""``gitml remote``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, table, talk
from gitml.cli.progress import progress
from gitml.errors import InvalidInput
from gitml.formats.dvc_config import REMOTE
from gitml.repository import Repository
from gitml.sharing.remotes import set_remote
from gitml.storage.address import mask
from gitml.text import format_size, plural
from gitml.tracking.client import TrackingClient

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


@click.group(cls=CommandGroup)
def remote() -> None:
    """Choose where artifacts are stored."""


@remote.command()
@click.argument("name")
@click.argument("url")
@as_json
def add(name: str, url: str, json_: bool) -> None:
    """Store all artifacts at URL from now on.

    URL is a folder, or an address that DVC knows: s3://, gs://, azure://, ssh://, webdavs:// and
    others. It is tested before it is saved, existing artifacts are sent to it, and one commit on
    the runs branch announces it to all clones.

    A repository has one remote for artifacts: adding another replaces it. DVC knows it as 'gitml',
    whatever NAME is, apart from the remotes of your own data.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r:.80} is not a valid name of a remote.",
            hint="Use letters, digits, '-', '_' and '.', such as `gitml remote add storage URL`.",
        )
    repository = TrackingClient().repository
    with progress("Sending artifacts") as report_progress:
        report = set_remote(repository, _absolute(url), progress=report_progress)
    if json_:
        print_json({**_artifact_remote(repository), "files": report.sent.files,
                    "bytes": report.sent.bytes, "left": report.left})  # fmt: skip
        return
    sent = f"; sent {plural(report.sent.files, 'file')} ({format_size(report.sent.bytes)})"
    say(f"Artifacts live at {mask(report.url)}{sent if report.sent.files else ''}.")
    if name != REMOTE:
        talk(f"DVC knows this remote as '{REMOTE}'; the name {name!r} is not stored.")
    if report.left:
        talk(
            f"warning: the artifacts of {plural(len(report.left), 'run')} are not available; these "
            "runs still name their old remote."
        )
    talk("Run `gitml push` to tell the other clones.")


def _absolute(url: str) -> str:
    """Make a relative folder absolute: as typed it is relative to where the user stands."""
    if ":" in url or not url.strip() or url.startswith("~"):
        return url
    return os.path.normpath(Path.cwd() / url)


@remote.command("list")
@as_json
def list_command(json_: bool) -> None:
    """List the remotes of artifacts and records."""
    repository = TrackingClient().repository
    remotes = [_artifact_remote(repository)]
    for name, url in sorted(repository.git.remotes().items()):
        used = name == repository.settings.git_remote
        remotes.append({
            "name": name, "kind": "git", "url": url, "shared": True, "used": used
        })  # fmt: skip
    if json_:
        print_json(remotes)
        return
    rows = [(remote["name"], remote["kind"], _purpose(remote), remote["url"]) for remote in remotes]
    table(("NAME", "KIND", "HOLDS", "URL"), rows, empty="No remotes.")


def _artifact_remote(repository: Repository) -> dict[str, Any]:
    return {
        "name": REMOTE,
        "kind": "dvc",
        "url": mask(repository.remote_url()),
        "shared": not repository.uses_default_remote(),
        "used": True,
    }


def _purpose(remote: dict[str, Any]) -> str:
    if remote["kind"] == "dvc":
        return "artifacts" if remote["shared"] else "artifacts, on this machine only"
    return "runs and model tags" if remote["used"] else "not used by gitml"
