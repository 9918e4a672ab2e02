"""Read who may sign which registry tag, as committed on the code branch.

Read from the default branch of the git remote, which reviews and branch protection guard, never
from a work tree: whoever writes a tag could write that, too. Which remote is the team's must not be
up to a work tree either, see ``_team_remote``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gitml import config
from gitml.errors import InvalidInput
from gitml.git import GitRepo, default_branch
from gitml.git.default_branch import DefaultBranch
from gitml.registry.tags.grammar import Kind, TagEvent

SSH_KEYS = "registry/allowed_signers"
"""Keys in the format of ``ssh-keygen(1)``, section ALLOWED SIGNERS; its principals are signers."""
GPG_KEYS = "registry/allowed_signers.asc"
"""Armoured public keys; the fingerprints of the primary keys are signers."""
ACKNOWLEDGED = "registry/acknowledged"
"""Tags whose problems were looked at and are accepted; see ``audit/acknowledged.py``."""
_ALL = "*"
_ALIASING = (Kind.ALIAS, Kind.UNALIAS)
_RULES = 1  # of verdicts; a change of the code that judges signatures counts it up


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may sign what.

    Attributes:
        required: Whether tags must be signed.
        since: Tags and commits of which everything before needs no signature; see ``earlier``.
        signers: Glob of models to stage to signers; see ``may_sign``.
        ssh: Bytes of ``SSH_KEYS``.
        gpg: Bytes of ``GPG_KEYS``.
        acknowledged: Bytes of ``ACKNOWLEDGED``.
        remote: The git remote of the ``gitml.yaml``.
        source: Commit that it was read from; empty where there is none.
    """

    required: bool = False
    since: tuple[str, ...] = ()
    signers: Mapping[str, Mapping[str, Iterable[str]]] = field(default_factory=dict)
    ssh: bytes = b""
    gpg: bytes = b""
    acknowledged: bytes = b""
    remote: str = "origin"
    source: str = ""

    @property
    def fingerprint(self) -> str:
        """Changes whenever another tag may be signed by another key."""
        content = [_RULES, self.signers, self.ssh.hex(), self.gpg.hex()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def may_sign(self, model: str, event: TagEvent) -> tuple[str, ...] | None:
        """List who may sign an event; None stands for everybody whose key is in the files.

        The first glob that matches the model and tells something about the stage decides, else
        what it tells about ``*``. Aliases are stages named ``alias/<name>``, as in tags.

        Args:
            model: The model's true name.
            event: The event.
        """
        stage = f"alias/{event.value}" if event.kind in _ALIASING else event.value
        for glob, stages in self.signers.items():
            allowed = next((stages[key] for key in (stage, _ALL) if key and key in stages), None)
            if allowed is not None and fnmatchcase(model, glob):
                return tuple(allowed)
        return None


def committed(repo: GitRepo, rev: str) -> Policy:
    """Read the policy of a revision.

    Raises:
        InvalidInput: Its ``gitml.yaml`` is not as it should be.
    """
    data = repo.read(f"{rev}:{config.FILE_NAME}")
    acknowledged = repo.read(f"{rev}:{ACKNOWLEDGED}") or b""
    if data is None:
        return Policy(acknowledged=acknowledged, source=rev)
    settings = config.parse(data)
    required = settings.registry.signatures == "required"
    return Policy(
        required=required,
        since=settings.registry.since,
        signers=settings.registry.signers,
        ssh=(repo.read(f"{rev}:{SSH_KEYS}") or b"") if required else b"",
        gpg=(repo.read(f"{rev}:{GPG_KEYS}") or b"") if required else b"",
        acknowledged=acknowledged,
        remote=settings.git_remote,
        source=rev,
    )


def of_team(repo: GitRepo, remote: str) -> Policy:
    """Read the policy of the remote's default branch; that of HEAD where there is none.

    Raises:
        InvalidInput: Its ``gitml.yaml`` is not as it should be.
        StoreError: The remote does not answer.
    """
    return Policies(repo, remote).read(default_branch.ask)


def of_clone(repo: GitRepo, remote: str) -> Policy:
    """Read the policy of the default branch as this clone has it: for those who sign.

    Raises:
        InvalidInput: Its ``gitml.yaml`` is not valid, or nobody tells which branch it is.
    """
    return Policies(repo, remote).read(default_branch.find)


class Policies:
    """Reads the policy again and again: that of one commit is parsed once.

    Args:
        repo: The repository.
        remote: The git remote that the settings of this clone name, which counts only where git's
            own configuration leaves open whose the repository is.
    """

    def __init__(self, repo: GitRepo, remote: str) -> None:
        self._repo = repo
        self._remote = remote
        self._parsed: dict[str, Policy] = {}

    def of_clone(self) -> Policy:
        """Read the policy of the default branch as this clone has it, without any cost to speak of.

        Where nobody tells which branch that is, no policy counts, provided that no branch here has
        one.

        Raises:
            InvalidInput: Its ``gitml.yaml`` is not valid, or nobody tells which branch it is.
        """
        if self._remote == "origin":  # by far the most frequent: no process is needed
            local = default_branch.local(self._repo, "origin")
            policy = self._of(local.commit) if local else None
            if policy and policy.remote == "origin":
                return policy
        try:
            return self.read(default_branch.find)
        except InvalidInput:
            if self._may_ask():
                raise
            return Policy()

    def read(self, find: Callable[[GitRepo, str], DefaultBranch | None]) -> Policy:
        """Read the policy of the default branch; that of HEAD where there is no remote.

        Args:
            find: Finds the default branch of a remote.
        """
        remotes = self._repo.remotes()
        first = _team_remote(remotes, self._remote)
        if first is None:
            return self._of_head()
        branch = find(self._repo, first)
        policy = self._of(branch.commit) if branch else self._of_head()
        if policy.remote == first or policy.remote not in remotes:
            return policy
        branch = find(self._repo, policy.remote)  # the fork's own branch says whose fork it is
        return self._of(branch.commit) if branch else policy

    def _of_head(self) -> Policy:
        commit, _ = self._repo.head()
        return self._of(commit) if commit else Policy()

    def _of(self, commit: str) -> Policy:
        if commit not in self._parsed:
            self._parsed[commit] = committed(self._repo, commit)
        return self._parsed[commit]

    def _may_ask(self) -> bool:
        """Return True if some branch in this clone asks for signatures, or most are missing."""
        if (self._repo.common_dir / "shallow").exists():
            return True
        out = self._repo.run("for-each-ref", "--format=%(objectname)", "refs/remotes/").decode()
        head, _ = self._repo.head()
        return any(
            self._of(commit).required for commit in {*out.split(), *([head] if head else [])}
        )


def _team_remote(remotes: Iterable[str], named: str) -> str | None:
    """Choose the remote whose default branch rules, by git's configuration and not by a work tree.

    Else a pull request could name another repository in its own ``gitml.yaml``.
    """
    names = sorted(remotes)
    if "origin" in names:
        return "origin"
    return named if named in names else next(iter(names), None)
