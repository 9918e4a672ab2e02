"""What ``gitml doctor`` finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of a check.

    Attributes:
        check: Its subject.
        level: How bad it is.
        message: One sentence, or less.
        fix: Command to run; empty if nothing is wrong.
    """

    check: str
    level: Level
    message: str
    fix: str = ""
