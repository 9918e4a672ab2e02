"""Hides what ``runs:/`` and ``models:/`` URIs mean: where their files are, on this machine."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gitml.entities import Artifact, FileInfo, ModelVersion
from gitml.errors import InvalidInput, NotFound
from gitml.formats import manifest
from gitml.formats.run_records import check_run_id
from gitml.registry.registry import Registry
from gitml.tracking import active, validation
from gitml.tracking.client import TrackingClient
from gitml.tracking.repository import Repository

_STAGES = ("none", "staging", "production", "archived")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUri:
    """``runs:/<run_id>/<path>``."""

    run_id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUri:
    """``models:/<name>/<version or stage or latest>`` or ``models:/<name>@<alias>``.

    Exactly one of the last three attributes is set; ``latest`` is a stage of its own here.
    """

    name: str
    version: int | None = None
    stage: str | None = None
    alias: str | None = None


def parse(uri: str) -> RunUri | ModelUri | None:
    """Take a URI apart; None for one that is a plain path.

    Raises:
        InvalidInput: It starts like one of ours and is malformed.
    """
    scheme, colon, rest = str(uri).partition(":")
    if not colon or scheme not in ("runs", "models"):
        return None
    parts = rest.lstrip("/").split("/", 1)
    if scheme == "runs":
        path = validation.artifact_path(parts[1] if len(parts) > 1 else "")
        return RunUri(run_id=check_run_id(parts[0]), path=path)
    return _model_uri(uri, unquote(rest.lstrip("/")))


def _model_uri(uri: str, rest: str) -> ModelUri:
    name, at, alias = rest.rpartition("@")
    if at and "/" not in alias and name and alias:
        return ModelUri(name=name, alias=alias)
    name, slash, which = rest.strip("/").rpartition("/")
    if not slash or not name or not which:
        raise InvalidInput(
            f"{uri!r:.120} does not say which version.",
            hint="Write models:/Name/2, models:/Name/Production, models:/Name/latest or "
            "models:/Name@alias.",
        )
    if re.fullmatch(r"[0-9]{1,9}", which):
        return ModelUri(name=name, version=int(which))
    if which.lower() not in (*_STAGES, "latest"):
        raise InvalidInput(
            f"{uri!r:.120}: {which!r:.40} is neither a version nor a stage.",
            hint="The stages are None, Staging, Production and Archived; an alias is written "
            f"models:/{name}@{which}.",
        )
    return ModelUri(name=name, stage=which)


def registry(repository: Repository) -> Registry:
    """The model registry of a repository."""
    return Registry(
        repository.git,
        repository.branch,
        state=repository.state,
        remote=repository.settings.git_remote,
        clock=validation.now_ms,
    )


def model_version(uri: ModelUri, models: Registry) -> ModelVersion:
    """Find the version that a URI names.

    Raises:
        NotFound: There is no such model, version or alias, or no version in that stage.
    """
    if uri.version is not None:
        return models.get_model_version(uri.name, uri.version)
    if uri.alias is not None:
        return models.get_model_version_by_alias(uri.name, uri.alias)
    if uri.stage == "latest":
        found = models.get_latest_versions(uri.name)
        if found:
            return max(found, key=lambda version: version.version)
        raise NotFound(f"Model {uri.name!r:.80} has no version.")
    assert uri.stage is not None
    found = models.get_latest_versions(uri.name, [uri.stage])
    if not found:
        raise NotFound(
            f"Model {uri.name!r:.80} has no version in stage {uri.stage}.",
            hint=f"See `gitml registry show {uri.name}`.",
        )
    return max(found, key=lambda version: version.version)


def resolve(uri: str, client: TrackingClient) -> RunUri | None:
    """Follow a URI to the run whose artifacts it names; None for a plain path.

    Raises:
        InvalidInput: It is malformed.
        NotFound: What it names does not exist.
    """
    parsed = parse(uri)
    if not isinstance(parsed, ModelUri):
        return parsed
    version = model_version(parsed, registry(client.repository))
    source = parse(version.source)
    if not isinstance(source, RunUri):
        raise NotFound(f"Version {version.version} of {version.name!r:.80} has no run as source.")
    return source


def local_path(uri: str, client: TrackingClient | None = None) -> Path:
    """Bring what a URI names to this machine, to be read only.

    Args:
        uri: ``runs:/…``, ``models:/…``, ``file:…`` or a plain path.
        client: Where to look; default the repository of the fluent API.

    Returns:
        The file or folder. It is kept beside the repository and shared by later calls.

    Raises:
        InvalidInput: The URI is malformed.
        NotFound: What it names does not exist.
        ArtifactError: Its bytes cannot be had.
    """
    text = str(uri)
    if parse(text) is None:
        path = (
            Path(unquote(re.sub(r"^file:(//)?", "", text))) if text[:5] == "file:" else Path(text)
        )
        if not path.exists():
            raise NotFound(f"There is no file or folder {text!r:.200}.")
        return path
    client = client or active.client()
    place = resolve(text, client)
    assert place is not None  # only plain paths resolve to None
    files = client.repository.files(place.run_id)
    wanted = [
        artifact
        for artifact in files.artifacts
        if place.path in ("", artifact.path) or artifact.path.startswith(f"{place.path}/")
    ]
    if not wanted:
        raise NotFound(
            f"Run {place.run_id} has no artifact {place.path!r:.80}.",
            hint=f"See `gitml artifacts list {place.run_id}`.",
        )
    if not all(artifact.md5 for artifact in wanted):  # a run in progress
        return Path(client.download_artifacts(place.run_id, place.path))
    return _kept(client.repository, wanted, files.remote_config) / place.path


def _kept(repository: Repository, wanted: list[Artifact], remote_config: bytes) -> Path:
    """A folder with the files under their paths, named by their hash; made once."""
    digest = manifest.directory_hash(wanted).removesuffix(".dir")
    target = repository.state / "checkouts" / digest
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        remote = repository.open_remote(remote_config)
        repository.artifacts.checkout(wanted, aside, remote=remote)
        aside.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


# MLflow's `mlflow.artifacts` --------------------------------------------------------------------


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
    client = active.client()
    place = _named(client, artifact_uri, run_id, artifact_path)
    return client.download_artifacts(place.run_id, place.path, dst_path)


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
) -> list[FileInfo]:
    """List a folder of artifacts; arguments as for ``download_artifacts``."""
    client = active.client()
    place = _named(client, artifact_uri, run_id, artifact_path)
    return client.list_artifacts(place.run_id, place.path)


def _named(client: TrackingClient, uri: str | None, run_id: str | None, path: str | None) -> RunUri:
    if (uri is None) == (run_id is None):
        raise InvalidInput("Artifacts need a URI or a run id.", hint="Give exactly one of the two.")
    if run_id is not None:
        return RunUri(run_id=check_run_id(run_id), path=validation.artifact_path(path))
    place = resolve(str(uri), client)
    if place is None:
        raise InvalidInput(
            f"{uri!r:.200} is not the URI of artifacts.", hint="Give runs:/… or models:/…."
        )
    return place


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
