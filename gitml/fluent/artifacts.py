"""MLflow's functions for artifacts: download, list and load what a run logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gitml.entities import FileInfo
from gitml.errors import InvalidInput
from gitml.fluent.session import session
from gitml.formats.run_records import check_run_id
from gitml.registry import resolve
from gitml.tracking import validation
from gitml.tracking.client import TrackingClient
from gitml.uris import RunUri


def local_path(uri: str) -> Path:
    """Return the local path of what a URI names; see ``registry.resolve.local_path``."""
    path = resolve.plain_path(uri)
    return resolve.local_path(uri, session.client()) if path is None else path


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | None = None,
) -> str:
    """Fetch artifacts, to be kept and edited.

    Args:
        artifact_uri: ``runs:/…`` or ``models:/…``; or else:
        run_id: The run.
        artifact_path: Path below its artifacts; default all of them.
        dst_path: Folder to put them into; default a new temporary folder.

    Returns:
        Where the file or folder now is.

    Raises:
        InvalidInput: Not exactly one of ``artifact_uri`` and ``run_id`` is given.
        NotFound: There is no such artifact.
    """
    client = session.client()
    target = _named(client, artifact_uri, run_id, artifact_path)
    return client.download_artifacts(target.run_id, target.path, dst_path)


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
) -> list[FileInfo]:
    """List a folder of artifacts; arguments as for ``download_artifacts``."""
    client = session.client()
    target = _named(client, artifact_uri, run_id, artifact_path)
    return client.list_artifacts(target.run_id, target.path)


def _named(client: TrackingClient, uri: str | None, run_id: str | None, path: str | None) -> RunUri:
    if (uri is None) == (run_id is None):
        raise InvalidInput("Give either artifact_uri or run_id.")
    if run_id is not None:
        return RunUri(run_id=check_run_id(run_id), path=validation.artifact_path(path))
    target = resolve.run_uri(str(uri), client.repository)
    if target is None:
        raise InvalidInput(
            f"{uri!r:.200} is not a valid artifact URI.", hint="Give runs:/… or models:/…."
        )
    return target


def load_text(artifact_uri: str) -> str:
    """Read a logged text file."""
    return local_path(artifact_uri).read_text(encoding="utf-8")


def load_dict(artifact_uri: str) -> Any:
    """Read a logged JSON file."""
    return json.loads(load_text(artifact_uri))


def load_image(artifact_uri: str) -> Any:
    """Read a logged image as a PIL image."""
    from PIL import Image

    with Image.open(local_path(artifact_uri)) as image:
        image.load()
        return image
