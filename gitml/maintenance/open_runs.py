"""Find runs that nobody will ever end, and end them.

Older versions left such a run where the clock was set back while it ran; a machine that
was lost leaves one, too.
"""

from __future__ import annotations

from gitml import config
from gitml.formats.checks import Fault
from gitml.repository import Repository

_DAY = 24 * 3_600_000  # ms
_IDLE = 7 * _DAY  # ms after which a run that no process here writes counts as left behind


def fault(repository: Repository, run_id: str, folder: str, since: int | None) -> Fault | None:
    """Return what is wrong with a run that has not ended; None if it may still go on.

    Args:
        repository: The clone.
        run_id: The run.
        folder: Its folder on the branch.
        since: When anything was written to it last, ms since the Unix epoch; None if it has ended.
    """
    if since is None or run_id in repository.runs.in_progress():
        return None
    idle = config.now_ms() - since
    if idle <= _IDLE:
        return None
    return Fault(
        place=folder,
        reason="has not ended, no process of this clone writes it, and nothing was logged for "
        f"{idle // _DAY:,} days",
        fix="gitml fsck --repair",
        repairable=True,
    )


def end(repository: Repository, run_id: str, since: int) -> str:
    """End such a run as FAILED; returns what was done.

    If it goes on in another clone after all, its own end is later and replaces this one.
    """
    repository.runs.end_abandoned(run_id, repository.experiment_of(run_id), since)
    return f"Ended run {run_id} as FAILED."
