"""Promotion: check, propose, roll back and apply ``registry/*.yaml``; verify."""

from gitml.registry.promotion.apply import Applied, apply
from gitml.registry.promotion.propose import Proposal, propose, rollback
from gitml.registry.promotion.review import Review, check, consider
from gitml.registry.verify import Verification, verify

__all__ = [
    "Applied", "Proposal", "Review", "Verification",
    "apply", "check", "consider", "propose", "rollback", "verify",
]  # fmt: skip
