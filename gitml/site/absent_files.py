"""Count the files of runs whose bytes could not be had, and say why, in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gitml.text import plural

_REASONS = 2  # that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentFiles:
    """The files of a run that its page should show, and cannot.

    Attributes:
        count: How many.
        reason: Why, as a whole sentence.
    """

    count: int
    reason: str


def sentence(runs: Iterable[object]) -> str:
    """Say how many files of how many runs are missing, and why; an empty text if none is.

    Args:
        runs: An `AbsentFiles` for each run that lacks files; anything else is passed over.
    """
    absent = [run for run in runs if isinstance(run, AbsentFiles)]
    if not absent:
        return ""
    reasons = Counter(run.reason for run in absent)
    why = " ".join(reason for reason, _ in reasons.most_common(_REASONS))
    more = len(reasons) - _REASONS
    others = f" And {plural(more, 'more reason')}." if more > 0 else ""
    files = plural(sum(run.count for run in absent), "file")
    return f"{files} of {plural(len(absent), 'run')} could not be shown: {why}{others}"
