"""``gitml remote``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click

from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, table, talk
from gitml.cli.progress import progress
from gitml.errors import GitmlError, InvalidInput
from gitml.formats.dvc_config import REMOTE
from gitml.repository import Repository
from gitml.sharing.remotes import set_remote
from gitml.storage.address import Address, mask, typed
from gitml.storage.setting_keys import check_key, check_setting, is_secret
from gitml.storage.settings import (
    foreign_settings,
    global_file,
    writable_local_file,
    write_setting,
)
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
    the runs branch announces it to all clones, where people accept it (see `gitml remote trust`).

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
    """Make a relative folder absolute: as typed it is relative to where the user stands.

    Raises:
        InvalidInput: It may be a URL without its scheme.
    """
    if ":" in url or not url.strip() or url.startswith(("~", "/")):
        return url
    path = Path(os.path.normpath(Path.cwd() / url))
    if not url.startswith(".") and not path.is_dir():
        raise InvalidInput(
            f"'{url:.200}' is neither a URL nor a folder that exists.",
            hint=f"Did you mean s3://{url:.200}? A new folder is written ./{url:.200}",
        )
    return str(path)


@remote.command()
@click.argument("address", required=False)
@click.option("--withdraw", is_flag=True, help="Accept it no longer.")
@as_json
def trust(address: str | None, withdraw: bool, json_: bool) -> None:
    """Accept the remote for artifacts in this clone.

    Whoever may push can name another remote on the runs branch. So a clone sends requests,
    credentials and artifacts only to an ADDRESS that was accepted in it; by default the one that
    the branch names now. CI accepts what the variable GITML_TRUSTED_REMOTES lists.
    """
    repository = TrackingClient().repository
    accepted = typed(_absolute(address), Path.cwd()) if address else repository.remotes.address()
    if withdraw:
        repository.remotes.trust.withdraw(accepted)
    elif accepted.url == str(repository.default_remote):
        raise InvalidInput(
            "Artifacts are in this clone's own folder, which is always accepted.",
            hint="Share them with `gitml remote add storage URL`.",
        )
    else:
        repository.remotes.trust.accept(accepted)
    if json_:
        print_json({"url": str(accepted), "accepted": not withdraw})
    elif withdraw:
        say(f"This clone no longer exchanges artifacts with {accepted}.")
    else:
        say(f"This clone exchanges artifacts with {accepted}.")
        _mention_settings_of_others(repository, accepted)


def _mention_settings_of_others(repository: Repository, address: Address) -> None:
    for url in foreign_settings(repository.git, address) if not address.is_folder else ():
        talk(
            f"DVC's settings for '{REMOTE}' on this machine are those of {mask(url)}; they are not "
            "used for this one. `gitml remote set KEY VALUE` writes others."
        )


@remote.command("set")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--local", "level", flag_value="local", default=True,
              help="Into .dvc/config.local of this clone (default).")  # fmt: skip
@click.option("--global", "level", flag_value="global", help="For all repositories of this user.")
@click.option("--for", "url", metavar="URL", help="Of a remote that is added next.")
@click.option("--unset", is_flag=True, help="Remove it.")
@as_json
def set_command(
    key: str, value: str | None, level: str, url: str | None, unset: bool, json_: bool
) -> None:
    """Set how this machine connects to the remote: profile, endpoint, password, key file.

    The setting goes into a file of DVC that git ignores, and is used for the present address alone.
    Leave VALUE out to be asked for it; a password then does not get into the shell's history.
    """
    repository = TrackingClient().repository
    address = _address_to_set(repository, url)
    if unset:
        text = None
        if value is not None:
            raise InvalidInput("--unset takes no VALUE.")
    else:
        check_key(address, key)
        text = check_setting(address, key, _read_value(key) if value is None else value)
    file = global_file() if level == "global" else writable_local_file(repository.git)
    write_setting(file, address, key, text)
    if json_:
        print_json({"url": str(address), "key": key, "file": file, "set": not unset})
        return
    assignment = "" if unset or is_secret(key) else f" = {text}"
    say(f"{'Removed' if unset else 'Set'} {key}{assignment} for {address} in {file}.")


def _address_to_set(repository: Repository, url: str | None) -> Address:
    if url:
        return typed(_absolute(url), Path.cwd())
    if repository.uses_default_remote():
        raise InvalidInput(
            "Artifacts are in this clone's own folder, which needs no settings.",
            hint="Add --for URL, with the URL of the remote that you want to add.",
        )
    address = repository.remotes.address()
    repository.remotes.trust.require(address)
    return address


def _read_value(key: str) -> str:
    if sys.stdin.isatty():
        value: str = click.prompt(key, hide_input=is_secret(key), err=True)
        return value
    return sys.stdin.readline().rstrip("\n")


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
        "accepted": _is_accepted(repository),
    }


def _is_accepted(repository: Repository) -> bool:
    if repository.uses_default_remote():
        return True
    try:
        return repository.remotes.trust.accepts(repository.remotes.address())
    except GitmlError:  # what the branch names is no address, or cannot be parsed
        return False


def _purpose(remote: dict[str, Any]) -> str:
    if remote["kind"] == "dvc":
        if not remote["accepted"]:
            return "artifacts, not accepted here: `gitml remote trust`"
        return "artifacts" if remote["shared"] else "artifacts, on this machine only"
    return "runs and model tags" if remote["used"] else "not used by gitml"
