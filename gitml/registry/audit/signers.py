"""Read who may sign which registry tag, as committed on the code branch.

Read from the default branch of the git remote, which reviews and branch protection guard, never
from a work tree: whoever writes a tag could write that, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gitml import config
from gitml.git import GitRepo, Tag, default_branch
from gitml.registry.tags.grammar import Kind, TagEvent

SSH_KEYS = "registry/allowed_signers"
"""Keys in the format of ``ssh-keygen(1)``, section ALLOWED SIGNERS; its principals are signers."""
GPG_KEYS = "registry/allowed_signers.asc"
"""Armoured public keys; the fingerprints of the primary keys are signers."""
_ALL = "*"
_ALIASING = (Kind.ALIAS, Kind.UNALIAS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may sign what.

    Attributes:
        required: Whether tags must be signed.
        since: Tagger time from which they must be, s since the Unix epoch.
        signers: Glob of models to stage to signers; see ``may_sign``.
        ssh: Bytes of ``SSH_KEYS``.
        gpg: Bytes of ``GPG_KEYS``.
    """

    required: bool = False
    since: int = 0
    signers: Mapping[str, Mapping[str, Iterable[str]]] = field(default_factory=dict)
    ssh: bytes = b""
    gpg: bytes = b""

    def asks(self, tag: Tag) -> bool:
        """Whether a tag must be signed."""
        return self.required and tag.timestamp >= self.since

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
    if data is None:
        return Policy()
    settings = config.parse(data).registry
    return Policy(
        required=settings.signatures == "required",
        since=settings.since,
        signers=settings.signers,
        ssh=repo.read(f"{rev}:{SSH_KEYS}") or b"",
        gpg=repo.read(f"{rev}:{GPG_KEYS}") or b"",
    )


def of_team(repo: GitRepo, remote: str) -> Policy:
    """Read the policy of the remote's default branch; that of HEAD where there is none.

    Raises:
        InvalidInput: Its ``gitml.yaml`` is not as it should be.
        StoreError: The remote does not answer.
    """
    branch = default_branch.ask(repo, remote) if remote in repo.remotes() else None
    return committed(repo, branch.commit if branch else "HEAD")


def of_clone(repo: GitRepo, remote: str) -> Policy:
    """Read the policy of the default branch as this clone has it: for those who sign.

    Raises:
        InvalidInput: Its ``gitml.yaml`` is not valid, or nobody tells which branch it is.
    """
    branch = default_branch.find(repo, remote)
    return committed(repo, branch.commit if branch else "HEAD")
