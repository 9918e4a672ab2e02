"""Resolve ``runs:/`` and ``models:/`` URIs to runs, versions and files on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote

from gitml import uris
from gitml.entities import Artifact, ModelVersion
from gitml.errors import ArtifactError, NotFound
from gitml.formats import manifest
from gitml.formats.run_records import RunFiles
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.models_view import ModelsView
from gitml.registry.registry import Registry
from gitml.registry.tags.names import check_stage
from gitml.repository import Repository
from gitml.tracking import run_artifacts
from gitml.tracking.client import TrackingClient

_LATEST = "latest"
_logger = logging.getLogger("gitml.registry")


def model_version(uri: uris.ModelUri, models: Registry) -> ModelVersion:
    """Find the version that a URI names.

    Raises:
        NotFound: There is no such model, version or alias, or no version in that stage.
    """
    view = models.view(uri.name)
    rejected = _rejected(uri, view)
    try:
        version = _version(uri, view)
    except NotFound as error:
        if rejected is None or rejected.title in error.message:
            raise
        sentence = rejected.instead(_pointer(uri), None)
        raise NotFound(
            sentence, hint=f"Look at it with `git show '{rejected.tag.name}'`."
        ) from error
    if rejected:
        _logger.warning("%s", rejected.instead(_pointer(uri), version.version))
    return version


def _version(uri: uris.ModelUri, view: ModelsView) -> ModelVersion:
    if uri.version is not None:
        return view.get_model_version(uri.name, uri.version)
    if uri.alias is not None:
        return view.get_model_version_by_alias(uri.name, uri.alias)
    if uri.stage == _LATEST:
        versions = view.get_latest_versions(uri.name)
        if versions:
            return max(versions, key=lambda version: version.version)
        raise NotFound(f"Model {uri.name!r:.80} has no version.")
    assert uri.stage is not None
    versions = view.get_latest_versions(uri.name, [uri.stage])
    if not versions:
        raise NotFound(
            f"Model {uri.name!r:.80} has no version in stage {uri.stage}.",
            hint=f"See `gitml registry show {uri.name}`.",
        )
    return max(versions, key=lambda version: version.version)


def _rejected(uri: uris.ModelUri, view: ModelsView) -> RejectedTag | None:
    """Return the tag that would decide what a URI names, if that tag does not count."""
    if uri.alias is not None:
        return view.newest_rejected_alias(uri.name, uri.alias)
    if uri.stage is not None and uri.stage != _LATEST:
        return view.newest_rejected(uri.name, check_stage(uri.stage))
    return view.rejected_registration(uri.name, uri.version)


def _pointer(uri: uris.ModelUri) -> str:
    """Return what a URI names, in words."""
    if uri.version is not None:
        return f"{uri.name} version {uri.version}"
    return f"{uri.name}@{uri.alias}" if uri.alias else f"{uri.name}/{uri.stage}"


def run_uri(uri: str, repository: Repository) -> uris.RunUri | None:
    """Follow a URI to the run whose artifacts it names; None for a plain path.

    Raises:
        InvalidInput: It is malformed.
        NotFound: What it names does not exist.
        ArtifactError: A version's files are not those that were registered.
    """
    parsed = uris.parse(uri)
    if not isinstance(parsed, uris.ModelUri):
        return parsed
    return source_of(model_version(parsed, Registry.of(repository)), repository)


def source_of(version: ModelVersion, repository: Repository) -> uris.RunUri:
    """Return the run, and the folder of its artifacts, that a version was registered from.

    Raises:
        NotFound: It has no run as its source.
        ArtifactError: The run names other files today than when the version was registered: whoever
            may write records could put another model there.
    """
    source = uris.parse(version.source) if version.source else None
    if not isinstance(source, uris.RunUri):
        raise NotFound(f"Version {version.version} of {version.name!r:.80} has no run as source.")
    if version.digest:
        listed = manifest.subdirectory(repository.files(source.run_id).artifacts, source.path)
        digest = manifest.directory_hash(listed)
        if digest != version.digest:
            raise ArtifactError(
                f"{version.source} is not what was registered as version {version.version} of "
                f"{version.name!r:.80}: its digest is {digest}, not {version.digest}.",
                hint="Register it as a new version.",
            )
    return source


def plain_path(uri: str) -> Path | None:
    """Return the local path that a URI names by itself; None for ``runs:/`` and ``models:/``.

    Raises:
        InvalidInput: The URI is malformed.
        NotFound: There is no such file or folder.
    """
    text = str(uri)
    if uris.parse(text) is not None:
        return None
    path = Path(unquote(re.sub(r"^file:(//)?", "", text))) if text[:5] == "file:" else Path(text)
    if not path.exists():
        raise NotFound(f"No file or folder {text!r:.200}.")
    return path


def local_path(uri: str, client: TrackingClient) -> Path:
    """Fetch what a URI names, for reading only.

    Args:
        uri: ``runs:/…``, ``models:/…``, ``file:…`` or a plain path.
        client: Where to look.

    Returns:
        The file or folder, which is stored beside the repository and shared by later calls.

    Raises:
        InvalidInput: The URI is malformed.
        NotFound: What it names does not exist.
        ArtifactError: Its content is not available.
    """
    path = plain_path(uri)
    if path is not None:
        return path
    target = run_uri(str(uri), client.repository)
    assert target is not None  # only plain paths resolve to None
    files = client.repository.files(target.run_id)
    artifacts = run_artifacts.writable(target.run_id, files.artifacts, target.path)
    if not all(artifact.md5 for artifact in artifacts):  # a run in progress
        return Path(client.download_artifacts(target.run_id, target.path))
    return _checkout(client.repository, artifacts, files) / target.path


def _checkout(repository: Repository, artifacts: list[Artifact], files: RunFiles) -> Path:
    """Return a folder with the files under their paths, named by their hash; written once."""
    digest = manifest.directory_hash(artifacts).removesuffix(".dir")
    target = repository.state / "checkouts" / digest
    with contextlib.suppress(FileNotFoundError):
        os.utime(target)  # `gitml gc` sees that it is in use
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        remote = repository.remote_of(files)
        repository.artifacts.checkout(artifacts, aside, remote=remote)
        aside.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target
