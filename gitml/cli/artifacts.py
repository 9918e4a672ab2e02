"""``gitml artifacts``."""

from __future__ import annotations

from pathlib import Path

import click

from gitml.cli import lookup
from gitml.cli.cells import Size
from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, table, talk
from gitml.cli.progress import progress
from gitml.client import MlflowClient
from gitml.entities import Artifact, FileInfo
from gitml.errors import InvalidInput, NotFound
from gitml.formats import artifact_paths, manifest
from gitml.registry import resolve
from gitml.text import short_repr
from gitml.tracking import validation
from gitml.uris import RunUri


@click.group(cls=CommandGroup)
def artifacts() -> None:
    """List and download the files of runs and models."""


@artifacts.command("list")
@click.argument("run", metavar="RUN_OR_URI", required=False)
@click.argument("path", default="")
@click.option("-r", "--run-id", metavar="RUN", help="Same as RUN_OR_URI.")
@as_json
def list_command(run: str | None, path: str, run_id: str | None, json_: bool) -> None:
    """List a folder of a run's files.

    RUN_OR_URI is a run id, its first digits, a run's name, or a runs:/ or models:/ URI.
    """
    client = MlflowClient()
    target = _target(client, _only("RUN_OR_URI or --run-id", run, run_id), path)
    files = client.repository.files(target.run_id).artifacts
    infos = _listing(files, target)
    if json_:
        print_json(infos)
    else:
        rows = [
            (f"{info.path}/" if info.is_dir else info.path, Size(info.file_size)) for info in infos
        ]
        table(("PATH", "SIZE"), rows, empty="No artifacts.")
    for path, reason in artifact_paths.faults(info.path for info in infos).items():
        talk(f"{short_repr(path, 200)} is never downloaded: it {reason}.")


def _listing(files: tuple[Artifact, ...], target: RunUri) -> list[FileInfo]:
    """Return a folder's children, or the file itself.

    Raises:
        NotFound: The run has neither.
    """
    children = manifest.listing(files, target.path)
    if children or not target.path:
        return children
    for artifact in files:
        if artifact.path == target.path:
            return [FileInfo(path=artifact.path, is_dir=False, file_size=artifact.size)]
    raise NotFound(
        f"Run {target.run_id} has no artifact {target.path!r:.80}.",
        hint=f"See `gitml artifacts list {target.run_id}`.",
    )


@artifacts.command()
@click.argument("run", metavar="RUN_OR_URI", required=False)
@click.argument("path", default="")
@click.option("-r", "--run-id", metavar="RUN", help="Same as RUN_OR_URI.")
@click.option("-u", "--artifact-uri", metavar="URI", help="Same as RUN_OR_URI.")
@click.option("-a", "--artifact-path", default="", metavar="PATH", help="Same as PATH.")
@click.option(
    "-o",
    "-d",
    "--dst-path",
    "output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the files; default: artifacts-<first digits of the run's id>.",
)
@as_json
def download(
    run: str | None,
    path: str,
    run_id: str | None,
    artifact_uri: str | None,
    artifact_path: str,
    output: Path | None,
    json_: bool,
) -> None:
    """Download a file or folder of a run or model, and print its path.

    RUN_OR_URI is a run id, its first digits, a run's name, or a URI such as
    runs:/<run id>/model, models:/Price/2, models:/Price/Production or models:/Price@champion.
    PATH is a file or folder below it; default: all files.
    """
    client = MlflowClient()
    target = _target(
        client,
        _only("RUN_OR_URI, --run-id or --artifact-uri", run, run_id, artifact_uri),
        path or artifact_path,
    )
    folder = output or Path(f"artifacts-{target.run_id[:8]}")
    _fetch(client, target)
    path_on_disk = client.download_artifacts(target.run_id, target.path, folder)
    if json_:
        print_json({"run_id": target.run_id, "artifact_path": target.path, "path": path_on_disk})
    else:
        say(path_on_disk)


def _only(names: str, *texts: str | None) -> str:
    given = [text for text in texts if text]
    if len(given) != 1:
        raise InvalidInput(f"Give exactly one of {names}.")
    return given[0]


def _target(client: MlflowClient, text: str, path: str) -> RunUri:
    """Resolve a run or URI and a path below it.

    Raises:
        InvalidInput: A path leaves the run.
        NotFound: There is no such run or model.
    """
    below = validation.recorded_path(path)
    target = resolve.run_uri(text, client.repository)
    if target is None:
        target = RunUri(run_id=lookup.run_id(client, text), path="")
    joined = "/".join(part for part in (target.path, below) if part)
    return RunUri(run_id=target.run_id, path=joined)


def _fetch(client: MlflowClient, target: RunUri) -> None:
    """Fetch the stored files of a folder into the cache, with a progress bar."""
    files = client.repository.files(target.run_id)
    writable = manifest.writable(files.artifacts)
    stored = [artifact for artifact in manifest.select(writable, target.path) if artifact.md5]
    if stored:
        remote = client.repository.remote_of(files)
        with progress("Downloading") as report:
            client.repository.artifacts.fetch(stored, remote, progress=report)
