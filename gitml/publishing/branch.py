"""Commit a built site to a branch, without a checkout, and push it."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from gitml.errors import InvalidInput, PushRejected
from gitml.git import Blob, CommitStream, GitRepo, RefUpdate, check_ref_name

MARKER = ".gitml.json"
_MARKER_DATA = (
    b'{"generator": "gitml"}\n'  # the marker in the folder lists every run: it stays there
)
_ADDED = {MARKER: _MARKER_DATA, ".nojekyll": b""}  # GitHub would drop names that begin with _


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing did.

    Attributes:
        branch: Name of the branch.
        commit: Id of its newest commit.
        changed: Whether that commit is new; a site that did not change makes none.
        remote: git remote that has the commit now; None where nothing was pushed.
    """

    branch: str
    commit: str
    changed: bool
    remote: str | None


def publish(
    git: GitRepo,
    folder: Path,
    branch: str,
    *,
    remote: str | None = None,
    keep_history: bool = True,
    message: str = "Publish the dashboard",
) -> Published:
    """Commit a folder as the whole content of a branch, and push the branch.

    The index, the work tree and HEAD are not touched. What others published meanwhile on the
    remote is built upon, or replaced where no history is kept; a push that comes in between is
    never overwritten.

    Args:
        git: The repository.
        folder: The built site.
        branch: Its branch.
        remote: git remote to push to; None for none.
        keep_history: Whether the commit follows the earlier ones, or replaces them.
        message: Of the commit.

    Raises:
        InvalidInput: The branch is checked out, or holds something that is not a site of ours;
            there is no such remote.
        Conflict: The branch moved meanwhile.
        StoreError: The remote does not answer or refuses.
    """
    ref = f"refs/heads/{check_ref_name(branch)}"
    _refuse_checked_out(git, ref, branch)
    local = git.ref(ref)
    remote_tip = _remote_tip(git, remote, ref, branch)
    ahead = bool(local and remote_tip and git.is_ancestor(remote_tip, local))
    base = local if ahead or not remote_tip else remote_tip
    for tip in {local, remote_tip} - {None}:
        _refuse_foreign(git, str(tip), branch)
    commit = _commit(git, folder, base, base if keep_history else None, message)
    if local != commit:
        git.update_refs([RefUpdate(name=ref, new=commit, old=local)])
    if remote and commit != remote_tip:
        lease = () if keep_history else (f"--force-with-lease={ref}:{remote_tip or ''}",)
        try:
            git.push(remote, *lease, f"{commit}:{ref}")
        except PushRejected as error:
            raise error.advised(
                f"Let the remote's rules allow {branch}, or give another branch with --branch."
            ) from error
    return Published(branch=branch, commit=commit, changed=commit != base, remote=remote)


def _remote_tip(git: GitRepo, remote: str | None, ref: str, branch: str) -> str | None:
    """Id of the branch's newest commit on the remote, which is fetched."""
    if remote is None:
        return None
    if remote not in git.remotes():
        raise InvalidInput(
            f"There is no git remote {remote!r}.",
            hint="Add it with `git remote add`, or give --no-push.",
        )
    tip = git.remote_refs(remote, ref).get(ref)
    if tip and not git.contains(tip):
        git.fetch(remote, f"+{ref}:refs/remotes/{remote}/{branch}")
    return tip


def _refuse_checked_out(git: GitRepo, ref: str, branch: str) -> None:
    lines = git.run("worktree", "list", "--porcelain").decode("utf-8", "replace").splitlines()
    if f"branch {ref}" in lines:
        raise InvalidInput(
            f"Branch {branch!r} is checked out, so the site is not put there.",
            hint="Give another branch with --branch.",
        )


def _refuse_foreign(git: GitRepo, tip: str, branch: str) -> None:
    if b'"generator": "gitml"' not in (git.read(f"{tip}:{MARKER}") or b""):
        raise InvalidInput(
            f"Branch {branch!r} holds something that was not made by `gitml site publish`.",
            hint="Give another branch with --branch, or delete that one.",
        )


def _commit(git: GitRepo, folder: Path, base: str | None, parent: str | None, message: str) -> str:
    """Write a commit without moving a branch; return the base if the files are the same."""
    draft = f"refs/gitml/site-draft-{os.getpid()}"
    existing = {entry.oid for entry in git.tree(base, recursive=True)} if base else set()
    stream = CommitStream(draft, git.identity, timestamp=int(time.time()))
    parents = [parent] if parent else []
    files = _files(folder, existing)
    git.fast_import(stream.commit(message, files, parents=parents, clear=True))
    new = git.ref(draft)
    assert new is not None
    git.update_refs([RefUpdate(name=draft, new=None, old=new)])
    if base and _tree(git, base) == _tree(git, new):
        return base
    return new


def _files(folder: Path, existing: set[str]) -> dict[str, bytes | Path | Blob]:
    """List every file of the site; the bytes of those that git has already are not sent."""
    files: dict[str, bytes | Path | Blob] = {**_ADDED}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in _ADDED:
            oid = _blob_id(path.read_bytes())
            files[name] = Blob(oid) if oid in existing else path
    return files


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _tree(git: GitRepo, commit: str) -> bytes:
    return git.run("rev-parse", f"{commit}^{{tree}}")
