"""Read the settings of a repository: of the work tree, or of HEAD where there is none."""

from __future__ import annotations

from gitml import config
from gitml.config import Settings
from gitml.git.repo import GitRepo


def settings_of(repo: GitRepo) -> Settings:
    """Read ``gitml.yaml``; a bare repository, such as a mirror, has it in its newest commit.

    Raises:
        InvalidInput: It is not valid YAML, or a key or a value is not valid.
    """
    if repo.work_tree is not None:
        return config.load(repo.work_tree)
    return config.parse(repo.read(f"HEAD:{config.FILE_NAME}") or b"")
