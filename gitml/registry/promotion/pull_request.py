"""Hides what is particular about places that host git: web addresses, default branch, requests."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from urllib.parse import quote

from gitml.config import child_environment
from gitml.errors import InvalidInput
from gitml.git import GitRepo

_SCP = re.compile(r"(?:[^@/]+@)?([\w.-]+):(?!//)([^\s]+)")
_URL = re.compile(r"(?:https?|ssh|git)://(?:[^@/]+@)?([\w.-]+)(?::\d+)?/([^\s]+)")
_NUMBER = re.compile(r"Merge pull request (#\d+)|See merge request \S*(!\d+)|\((#\d+)\)\s*$", re.M)
_TIMEOUT = 60  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The remote's default branch.

    Attributes:
        remote: Name of the git remote; empty where there is none.
        branch: Name of the branch.
        commit: Id of its newest commit.
    """

    remote: str
    branch: str
    commit: str


def default_branch(repo: GitRepo, remote: str) -> Base:
    """Fetch the newest commit of a remote's default branch, without its tags.

    Raises:
        InvalidInput: There is no such remote, or it has no default branch.
        StoreError: It does not answer.
    """
    if remote not in repo.remotes():
        raise InvalidInput(
            f"There is no git remote named {remote!r}.",
            hint=f"Add it with `git remote add {remote} URL`.",
        )
    out = repo.run("ls-remote", "--symref", remote, "HEAD").decode("utf-8", "replace")
    found = re.match(r"ref: refs/heads/(\S+)\tHEAD\n([0-9a-f]{40})\tHEAD", out)
    if not found:
        raise InvalidInput(
            f"Remote {remote!r} has no default branch.", hint="Push your main branch to it first."
        )
    branch, commit = found.groups()
    repo.fetch(remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    return Base(remote=remote, branch=branch, commit=commit)


def web_address(url: str) -> str | None:
    """Turn a remote's URL into the address of its web pages; None for a folder or a file URL.

    >>> web_address("git@github.com:team/prices.git")
    'https://github.com/team/prices'
    """
    found = _URL.fullmatch(url) or _SCP.fullmatch(url)
    if not found:
        return None
    path = found[2].strip("/").removesuffix(".git")
    return f"https://{found[1]}/{quote(path)}"


def is_gitlab(address: str) -> bool:
    """Tell GitLab's pages from GitHub's, by the host."""
    return "gitlab" in address.split("/")[2]


def new_request_url(address: str, base: str, branch: str) -> str:
    """Address of the page on which a pull request is opened."""
    if is_gitlab(address):
        source = quote("merge_request[source_branch]")
        return f"{address}/-/merge_requests/new?{source}={quote(branch, safe='')}"
    return f"{address}/compare/{quote(base)}...{quote(branch)}?expand=1"


def requests_url(address: str, branch: str) -> str:
    """Address of the page that lists the pull requests of a branch."""
    named = quote(branch, safe="")
    if is_gitlab(address):
        return f"{address}/-/merge_requests?scope=all&state=all&source_branch={named}"
    return f"{address}/pulls?q=is%3Apr+head%3A{named}"


def compare_url(address: str, old: str, new: str) -> str:
    """Address of the page that shows what changed between two commits."""
    middle = "/-/compare/" if is_gitlab(address) else "/compare/"
    return f"{address}{middle}{old}...{new}"


def open_request(repo: GitRepo, address: str, base: str, branch: str, title: str, body: str) -> str:
    """Open a pull request with ``gh`` or ``glab``; its address, empty where neither can."""
    program, *args = (
        ("glab", "mr", "create", "--yes", "--source-branch", branch, "--target-branch", base,
         "--title", title, "--description", body)
        if is_gitlab(address)
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


def request_of(message: str) -> str:
    """The pull request that a commit message names, such as ``#12``; empty where it names none."""
    found = _NUMBER.search(message)
    return next((one for one in found.groups() if one), "") if found else ""
