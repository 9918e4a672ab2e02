"""Find the default branch of a git remote: the branch that reviews and merges lead to.

What a branch under review says must not rule, so everything that depends on reviewed files
(signing policy, declarations, workflows, the dashboard) asks here. ``origin/HEAD`` names the branch
in most clones. ``git remote add`` with ``git fetch`` and CI's checkouts leave none; then the
branches that are there may tell, else the remote is asked. An answer that this clone would not have
known is kept as ``origin/HEAD``, as ``git fetch`` does since git 2.48.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitml.errors import InvalidInput, StoreError
from gitml.git.repo import GitRepo
from gitml.git.settings import settings_of

_NO_CODE = re.compile(r"gitml/.*|gh-pages")
"""Branches of records and of websites."""
_GENERATED = {".dvcignore": b"/runs\n", ".gitml.json": b'"generator": "gitml"'}
"""Files that mark a branch of records or a website under another name, and a part of each."""
_USUAL = ("main", "master")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultBranch:
    """The remote's default branch.

    Attributes:
        remote: Name of the git remote.
        branch: Name of the branch.
        commit: Id of its newest commit.
    """

    remote: str
    branch: str
    commit: str


def local(repo: GitRepo, remote: str) -> DefaultBranch | None:
    """Return the default branch as this clone has it, without a network; None if it cannot tell."""
    name = _remote_head(repo, remote)
    commit = repo.ref(f"refs/remotes/{remote}/{name}") if name else None
    if name and commit:
        return DefaultBranch(remote=remote, branch=name, commit=commit)
    branches = _tracked(repo, remote)
    if not branches:
        return None
    name = _obvious(repo, branches, complete=_has_all_branches(repo, remote))
    return DefaultBranch(remote=remote, branch=name, commit=branches[name]) if name else None


def find(repo: GitRepo, remote: str) -> DefaultBranch | None:
    """Return the default branch as this clone has it; the remote is asked if that is not clear.

    Returns:
        None if there is no such remote, or nothing of its code was ever fetched: then HEAD is all
        there is.

    Raises:
        InvalidInput: Neither this clone nor the remote tells which branch it is.
    """
    branch = local(repo, remote)
    if branch or remote not in repo.remotes():
        return branch
    branches = _code(repo, _tracked(repo, remote))
    if not branches and not _is_shallow(repo):
        return None
    try:
        return ask(repo, remote)
    except StoreError as error:
        raise _unclear(remote, branches) from error


def ask(repo: GitRepo, remote: str) -> DefaultBranch | None:
    """Ask a remote for its default branch, and fetch its newest commit without its tags.

    A remote whose HEAD names a branch that is not there, as ``git init --bare`` leaves it, does not
    tell: then this clone's ``origin/HEAD`` counts, else the branch that is obvious.

    Returns:
        None if the remote has no branch of code.

    Raises:
        InvalidInput: There is no such remote, or none of its branches is obvious.
        StoreError: It does not answer.
    """
    if remote not in repo.remotes():
        raise InvalidInput(
            f"There is no git remote named {remote!r}.",
            hint=f"Add it with `git remote add {remote} URL`.",
        )
    head, branches = _remote_branches(repo, remote)
    if head not in branches:
        head = _remote_head(repo, remote)
    if head not in branches:
        head = _obvious(repo, branches)
    if head is None:
        code = _code(repo, branches)
        if not code:
            return None
        raise _unclear(remote, code)
    tracking = f"refs/remotes/{remote}/{head}"
    repo.fetch(remote, f"+refs/heads/{head}:{tracking}")
    before = local(repo, remote)
    if before is None or before.branch != head:
        repo.run("symbolic-ref", f"refs/remotes/{remote}/HEAD", tracking, ok=(0, 1, 128))
    return DefaultBranch(remote=remote, branch=head, commit=branches[head])


def require(repo: GitRepo, remote: str) -> DefaultBranch:
    """Ask a remote for its default branch; see ``ask``.

    Raises:
        InvalidInput: There is no such remote, or it does not have one.
        StoreError: It does not answer.
    """
    branch = ask(repo, remote)
    if branch is None:
        raise InvalidInput(
            f"Remote {remote!r} has no branch of code yet.",
            hint="Push your main branch to it first.",
        )
    return branch


def tip(repo: GitRepo, remote: str) -> str | None:
    """Return the newest commit of the default branch; None before the first.

    It is HEAD where the default branch, or a commit of it, is checked out: what is merged here and
    not pushed yet is shown as well.

    Raises:
        InvalidInput: Nobody tells which branch it is.
    """
    head, branch = repo.head()
    default = find(repo, remote)
    if default is None or branch == default.branch:
        return head
    merged = branch is None and head and repo.is_ancestor(head, default.commit)
    return head if merged else default.commit


def first_parents(repo: GitRepo, commit: str, limit: int) -> list[tuple[str, int, str, str]]:
    """Follow first parents from a commit, newest first.

    Args:
        repo: The repository.
        commit: Where to begin.
        limit: How many commits at most.

    Returns:
        Id, time of the commit in s since the Unix epoch, author's name and subject of each. A
        shallow clone has only the newest.
    """
    form = "--format=%H%x00%ct%x00%an%x00%s"
    log = repo.run("log", "--first-parent", f"--max-count={limit}", form, commit, "--")
    lines = (line.split("\0", 3) for line in log.decode("utf-8", "replace").splitlines())
    return [(line[0], int(line[1]), line[2], line[3]) for line in lines if len(line) == 4]


def _remote_branches(repo: GitRepo, remote: str) -> tuple[str | None, dict[str, str]]:
    """Ask a remote for the branch that its HEAD names, and for all branches: name to commit."""
    out = repo.run("ls-remote", "--quiet", "--symref", remote, "HEAD", "refs/heads/*")
    text = out.decode("utf-8", "replace")
    head = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", text, re.MULTILINE)
    branches = re.findall(r"^([0-9a-f]+)\trefs/heads/(\S+)$", text, re.MULTILINE)
    return head and head[1], {name: commit for commit, name in branches}


def _tracked(repo: GitRepo, remote: str) -> dict[str, str]:
    """List the remote's branches that were fetched: name to commit."""
    prefix = f"refs/remotes/{remote}/"
    out = repo.run("for-each-ref", "--format=%(refname) %(objectname)", prefix)
    pairs = (line.rpartition(" ") for line in out.decode("utf-8", "replace").splitlines())
    branches = {ref.removeprefix(prefix): commit for ref, _, commit in pairs}
    branches.pop("HEAD", None)
    return branches


def _remote_head(repo: GitRepo, remote: str) -> str | None:
    """Return the branch that ``refs/remotes/<remote>/HEAD`` names."""
    prefix = f"refs/remotes/{remote}/"
    if (repo.common_dir / "reftable").exists():
        out = repo.run("symbolic-ref", "--quiet", f"{prefix}HEAD", ok=(0, 1, 128))
        target = out.decode("utf-8", "replace").strip()
    else:  # git never packs these: reading the file costs less than a process
        try:
            text = (repo.common_dir / f"{prefix}HEAD").read_text(errors="replace")
        except OSError:
            return None
        target = text.removeprefix("ref:").strip()
    return target.removeprefix(prefix) if target.startswith(prefix) else None


def _obvious(repo: GitRepo, branches: Mapping[str, str], *, complete: bool = True) -> str | None:
    """Return the only branch of code, else one with a usual name."""
    code = _code(repo, branches)
    if complete and len(code) == 1:
        return code[0]
    return next((name for name in _USUAL if name in code), None)


def _code(repo: GitRepo, branches: Mapping[str, str]) -> list[str]:
    """Return the names of the branches that hold code: no records, websites, proposals."""
    proposals = settings_of(repo).registry.proposal_prefix
    return [
        name
        for name, commit in branches.items()
        if not (_NO_CODE.fullmatch(name) or name.startswith(proposals)) and _is_code(repo, commit)
    ]


def _is_code(repo: GitRepo, commit: str) -> bool:
    if not repo.contains(commit):  # on the remote alone: it may be anything
        return True
    files = ((repo.read(f"{commit}:{path}") or b"", part) for path, part in _GENERATED.items())
    return not any(part in data for data, part in files)


def _has_all_branches(repo: GitRepo, remote: str) -> bool:
    """Return True if what was fetched is all: neither CI's checkout nor ``--single-branch``."""
    fetched = repo.run("config", "--get-all", f"remote.{remote}.fetch", ok=(0, 1)).decode()
    return f"refs/heads/*:refs/remotes/{remote}/*" in fetched and not _is_shallow(repo)


def _is_shallow(repo: GitRepo) -> bool:
    return (repo.common_dir / "shallow").exists()


def _unclear(remote: str, branches: list[str]) -> InvalidInput:
    names = ", ".join(sorted(branches)[:5])
    return InvalidInput(
        f"Cannot tell which branch of {remote!r} is its default branch"
        f"{f': {names}' if names else ''}.",
        hint=f"Name it: `git fetch {remote}`, then `git remote set-head {remote} BRANCH`.",
    )
