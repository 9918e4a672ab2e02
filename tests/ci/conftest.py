"""The command line's fixture, for jobs."""

from tests.cli.conftest import cli

__all__ = ["cli"]
