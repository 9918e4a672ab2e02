"""Make a DVC remote the home of all artifacts."""

from __future__ import annotations

from dataclasses import dataclass

from gitml.entities import Artifact
from gitml.errors import ArtifactError
from gitml.formats import dvc_config
from gitml.repository import Repository
from gitml.sharing.artifacts import Progress, Sent, manifests, model_folders


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReport:
    """What setting a remote did.

    Attributes:
        url: The URL as it was saved.
        sent: The artifacts that were sent there.
        left: Folders of runs whose artifacts could not be had; they keep naming their old remote.
    """

    url: str
    sent: Sent
    left: tuple[str, ...]


def set_remote(
    repository: Repository, url: str, *, progress: Progress | None = None
) -> RemoteReport:
    """Make a DVC remote the home of all artifacts, past and future.

    The URL is tried first; then everything that can be had is sent there; then one commit lets
    the runs name it. Where something fails, the old remote stays in use.

    Args:
        repository: The clone.
        url: A URL that DVC knows, or a folder.
        progress: Called with the artifacts' bytes.

    Raises:
        InvalidInput: It is not a valid URL of a DVC remote.
        MissingDependency: DVC's plugin for it is not installed.
        RemoteUnavailable: It does not answer.
    """
    from gitml.storage.dvc_remote import check
    from gitml.storage.remote import Remote

    root = repository.git.work_tree or repository.git.git_dir
    saved_url = check(url, root)
    tip = repository.branch.tip()
    config = dvc_config.dvc_config(saved_url, repository.branch.remote_config(tip))
    runs = list(manifests(repository.git, None, tip)) if tip else []
    complete = {
        folder: artifacts for artifacts, folder in runs if _fetched(repository, artifacts, folder)
    }
    models = [artifacts for _, artifacts in model_folders(repository)]
    for artifacts in models:
        repository.artifacts.add_directory_object(artifacts)
    target = Remote.from_url(saved_url, root)
    report = repository.artifacts.push([*complete.values(), *models], target, progress)
    files = {".dvc/config": config, **{f"{folder}/.dvc/config": config for folder in complete}}
    repository.branch.update(lambda _: (files, "artifacts: another remote\n"))
    return RemoteReport(
        url=saved_url,
        sent=Sent(files=report.files, bytes=report.bytes, missing=report.missing),
        left=tuple(folder for _, folder in runs if folder not in complete),
    )


def _fetched(repository: Repository, artifacts: list[Artifact], folder: str) -> bool:
    """Bring a run's files into the cache from their present remote; False if they are lost."""
    config = repository.branch.read(f"{folder}/.dvc/config")
    try:
        repository.artifacts.fetch(artifacts, repository.open_remote(config))
    except ArtifactError:
        return False
    return True
