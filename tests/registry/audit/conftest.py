"""Fixtures of a team that signs."""

from tests.registry.audit.signed_team import keys, team

__all__ = ["keys", "team"]
