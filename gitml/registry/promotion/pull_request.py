"""Open pull requests on the forge of a git remote."""

from __future__ import annotations

import re
import shutil
import subprocess

from gitml import forge
from gitml.config import child_environment
from gitml.forge import NO_FORGE, Forge, ForgeKind
from gitml.git import GitRepo
from gitml.git.settings import settings_of

_TIMEOUT = 60  # s


def forge_of(repo: GitRepo, remote: str) -> Forge:
    """Return the web pages of a git remote; links are empty where it has none."""
    kind = settings_of(repo).forge
    url = repo.remotes().get(remote, "")
    pages = forge.from_remote(url, kind) if url else None
    if not url or (pages and "." in pages.address.split("/")[2]):
        return pages or NO_FORGE
    # No host, or a short name for one that `url.<base>.insteadOf` spells out.
    return forge.from_remote(repo.address(remote), kind) or pages or NO_FORGE


def proposal_prefix(repo: GitRepo) -> str:
    """Return what the names of proposals' branches begin with."""
    return settings_of(repo).registry.proposal_prefix


def open_request(repo: GitRepo, pages: Forge, base: str, branch: str, title: str, body: str) -> str:
    """Open a pull request with ``gh`` or ``glab``; its address, empty where neither can."""
    if pages.kind not in (ForgeKind.GITHUB, ForgeKind.GITLAB):
        return ""
    program, *args = (
        ("glab", "mr", "create", "--yes", "--source-branch", branch, "--target-branch", base,
         "--title", title, "--description", body)
        if pages.kind is ForgeKind.GITLAB
        else ("gh", "pr", "create", "--head", branch, "--base", base, "--title", title,
              "--body", body)
    )  # fmt: skip
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, *args], cwd=repo.work_tree or repo.git_dir, capture_output=True, text=True,
            timeout=_TIMEOUT, stdin=subprocess.DEVNULL, env=child_environment(), check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    links = re.findall(r"https://\S+", done.stdout) if done.returncode == 0 else []
    return links[-1] if links else ""
