"""The checks of ``gitml doctor`` on the remote for artifacts."""

from __future__ import annotations

from collections.abc import Iterator

from gitml.ci import workflows
from gitml.cli.findings import Finding, Level
from gitml.repository import Repository
from gitml.storage import settings
from gitml.storage.address import Address

_CHECK = "DVC remote"
_PROBE = "0" * 32


def findings(repository: Repository) -> Iterator[Finding]:
    """Check the remote that the branch names, whether it is accepted here, and its settings."""
    ignored = repository.remotes.ignored_settings()
    if ignored:
        yield _warning(
            f"gitml ignores {', '.join(ignored[:3])} of the branch's .dvc/config, which anybody "
            "may have pushed; stock DVC obeys them",
            "gitml fsck --repair",
        )
    if settings.is_tracked(repository.git):
        yield _warning(
            f"git tracks {settings.LOCAL}, so its settings are ignored",
            f"git rm --cached {settings.LOCAL}",
        )
    if repository.uses_default_remote():
        yield _warning("artifacts stay on this machine", "gitml remote add storage URL")
        return
    address = repository.remotes.address()
    stale = workflows.without_remote(repository, address)
    if stale:
        yield _warning(
            f"GITML_TRUSTED_REMOTES lacks {address} in {', '.join(stale)}",
            f"gitml init --ci {'gitlab' if stale[0].startswith('.gitlab') else 'github'} --force",
        )
    yield from _access(repository, address)


def _access(repository: Repository, address: Address) -> Iterator[Finding]:
    """Check that a remote answers; one that nobody accepted is not asked."""
    trust = repository.remotes.trust
    accepted = trust.accepts(address)
    if not accepted:
        refusal = trust.refusal(address)
        level = Level.PROBLEM if trust.has_changed(address) else Level.WARNING
        yield Finding(check=_CHECK, level=level, message=refusal.message, fix=str(refusal.hint))
    if accepted or address.is_folder:
        repository.open_remote().existing({_PROBE})
        yield Finding(check=_CHECK, level=Level.OK, message=f"{address} answers")


def _warning(message: str, fix: str) -> Finding:
    return Finding(check=_CHECK, level=Level.WARNING, message=message, fix=fix)
