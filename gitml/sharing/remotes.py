"""Make a DVC remote the home of all artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitml.entities import Artifact
from gitml.errors import GitmlError, InvalidInput
from gitml.formats import dvc_config
from gitml.git import GitRepo
from gitml.repository import Repository
from gitml.sharing.artifacts import Progress, Sent, manifests, model_folders

if TYPE_CHECKING:
    from gitml.storage.address import Address


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
    from gitml.storage.address import typed
    from gitml.storage.dvc_remote import check

    address = typed(url, repository.git.work_tree or repository.git.git_dir)
    _refuse_work_tree(repository.git, address)
    check(address, repository.remotes.settings(address))
    repository.remotes.trust.accept(address)
    target = repository.remotes.open_address(address)
    target.initialise()
    tip = repository.branch.tip()
    config = dvc_config.dvc_config(address.url)
    runs = list(manifests(repository.git, None, tip)) if tip else []
    complete = {
        folder: artifacts for artifacts, folder in runs if _fetched(repository, artifacts, folder)
    }
    models = [artifacts for _, artifacts in model_folders(repository)]
    for artifacts in models:
        repository.artifacts.add_directory_object(artifacts)
    report = repository.artifacts.push([*complete.values(), *models], target, progress)
    files = {".dvc/config": config, **{f"{folder}/.dvc/config": config for folder in complete}}
    repository.branch.update(lambda _: (files, "artifacts: another remote\n"))
    return RemoteReport(
        url=address.url,
        sent=Sent(files=report.files, bytes=report.bytes, missing=report.missing),
        left=tuple(folder for _, folder in runs if folder not in complete),
    )


def _refuse_work_tree(git: GitRepo, address: Address) -> None:
    """Refuse a folder whose files git would offer to commit, or that are git's own."""
    if not address.is_folder:
        return
    folder = Path(address.url)
    if folder.is_relative_to(git.common_dir.resolve()) or folder.is_relative_to(git.git_dir):
        raise InvalidInput(
            f"'{address}' is in the .git folder of this clone.", hint="Choose another folder."
        )
    root = git.work_tree
    if root and folder.is_relative_to(root):
        inside = str(folder / "files")
        if not git.run("-C", str(root), "check-ignore", "--", inside, ok=(0, 1)):
            raise InvalidInput(
                f"'{address}' is in the work tree, where git would offer its files for commits.",
                hint="Choose a folder outside of it, or one that .gitignore names.",
            )


def _fetched(repository: Repository, artifacts: list[Artifact], folder: str) -> bool:
    """Bring a run's files into the cache from their present remote; False if they are lost."""
    config = repository.branch.read(f"{folder}/.dvc/config")
    try:
        repository.artifacts.fetch(artifacts, repository.open_remote(config))
    except GitmlError:  # lost, out of reach, or whoever pushed it named no remote
        return False
    return True
