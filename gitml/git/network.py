"""Talk to the git remotes of a repository, whatever its settings say of them.

Every command names its remote and its refspecs, and switches off what a clone's settings would add:
a mirror pushes all or nothing, configured refspecs and pruning would overwrite or delete refs that
were not sent yet, ``push.followTags`` sends other people's tags. Hooks that check code before a
push have nothing to say about records: they are not run.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gitml.errors import Conflict, PushRejected, StoreError
from gitml.git import causes, refusals
from gitml.git.credentials import without_credentials
from gitml.git.processes import complaint

_STALE = re.compile(rb"non-fast-forward|fetch first|already exists|stale info|would clobber"
                    rb"|cannot lock ref [^\n]*\.lock': File exists")  # fmt: skip
_DENIED = re.compile(rb"denied|not authorized|returned error: 40[13]|Authentication failed",
                     re.IGNORECASE)  # fmt: skip
_FETCH = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune",
          "--no-prune-tags", "--refmap=")  # fmt: skip
_PUSH = ("--quiet", "--porcelain", "--atomic", "--no-verify", "--no-recurse-submodules",
         "--no-follow-tags")  # fmt: skip

Run = Callable[[tuple[str, ...]], tuple[int, bytes, bytes]]


class Network:
    """The remotes of a repository.

    Args:
        run: Runs git; returns exit code, standard output, standard error.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def remotes(self) -> dict[str, str]:
        """Names and fetch URLs of the configured remotes, without credentials."""
        out = self._run(("config", "--get-regexp", r"^remote\..*\.url$"))[1].decode()
        urls: dict[str, str] = {}
        for line in out.splitlines():
            key, _, url = line.partition(" ")
            urls.setdefault(key[len("remote.") : -len(".url")], without_credentials(url))
        return urls

    def address(self, remote: str) -> str:
        """Return the URL that a remote's leads to by ``url.<base>.insteadOf``."""
        return without_credentials(
            self._run(("ls-remote", "--get-url", remote))[1].decode().strip()
        )

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Fetch refspecs; see ``GitRepo.fetch``."""
        code, _, err = self._run(("fetch", *_FETCH, remote, *refspecs))
        if code:
            raise _failed("fetch", remote, err)

    def refs(self, remote: str, *patterns: str) -> dict[str, str]:
        """List the refs of a remote: name to object id."""
        code, out, err = self._run(("ls-remote", "--quiet", remote, *patterns))
        if code:
            raise _failed("ls-remote", remote, err)
        pairs = (line.split("\t") for line in out.decode().splitlines())
        return {name: oid for oid, name in pairs if not name.endswith("^{}")}

    def push(self, remote: str, *refspecs: str) -> None:
        """Push refspecs, all or none; see ``GitRepo.push``."""
        options = ("-c", f"remote.{remote}.mirror=false", "push", *_PUSH)
        code, out, err = self._run((*options, remote, *refspecs))
        if code == 0:
            return
        if causes.names_conflict(err):
            raise causes.refused(f"`git push` failed for remote {remote!r}", err, elsewhere=True)
        refused = refusals.parse(out, err)
        if refused and (refused.by_rule or not _is_stale(out + err)):
            raise PushRejected(
                f"`git push` failed for remote {remote!r}: it refuses {refused}.", ref=refused.ref
            )
        if refused:
            raise _newer(remote, f" for {refused.ref}: {refused.reason}")
        raise _failed("push", remote, err, _named(refspecs))


def _named(refspecs: tuple[str, ...]) -> str:
    """Return what was to be pushed: the first ref, and how many more."""
    refs = [spec.rpartition(":")[2] for spec in refspecs if not spec.startswith("--")]
    return f"{refs[0]} and {len(refs) - 1} more" if refs[1:] else "".join(refs)


def _failed(command: str, remote: str, err: bytes, refs: str = "") -> Conflict | StoreError:
    if _is_stale(err):
        return _newer(remote, f"{f' for {refs}' if refs else ''}: {complaint(err)}")
    unsent = f" of {refs}" if refs else ""
    hint = "Your runs are safe in this clone; repeat the command when it answers."
    if _DENIED.search(err):
        hint = (
            "Nothing is lost: everything is safe in this clone. Get access to that remote, or name "
            "another with `git_remote:` in gitml.yaml; then repeat the command."
        )
    what = f"`git {command}`{unsent} failed for remote {remote!r}"
    return causes.refused(what, err, hint=hint, elsewhere=True)


def _newer(remote: str, what: str) -> Conflict:
    return Conflict(f"Remote {remote!r} has something newer{what}")


def _is_stale(err: bytes) -> bool:
    return causes.is_race(err) or _STALE.search(err) is not None
