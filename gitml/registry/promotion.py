"""Promotion as one sees it: check, propose, roll back and apply ``registry/*.yaml``; verify."""

from gitml.registry.applying import Applied, apply
from gitml.registry.proposing import Proposal, propose, rollback
from gitml.registry.reviewing import Review, StageChange, check, consider
from gitml.registry.verifying import Verification, verify

__all__ = [
    "Applied", "Proposal", "Review", "StageChange", "Verification",
    "apply", "check", "consider", "propose", "rollback", "verify",
]  # fmt: skip
