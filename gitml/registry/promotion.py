"""Promotion as one sees it: check, propose, roll back and apply ``registry/*.yaml``."""

from gitml.registry.applying import Applied, apply
from gitml.registry.proposing import Proposal, propose, rollback
from gitml.registry.reviewing import Review, StageChange, check, consider

__all__ = [
    "Applied", "Proposal", "Review", "StageChange",
    "apply", "check", "consider", "propose", "rollback",
]  # fmt: skip
