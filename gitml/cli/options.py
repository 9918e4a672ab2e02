"""Options and arguments that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from gitml.errors import InvalidInput

_F = TypeVar("_F", bound=Callable[..., Any])


def as_json(command: _F) -> _F:
    """Add ``--json``, given to the command as ``json_``."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON instead of a table.")(
        command
    )


def as_csv(command: _F) -> _F:
    """Add ``--csv``, given to the command as ``csv_``."""
    return click.option("--csv", "csv_", is_flag=True, help="Print CSV instead of a table.")(
        command
    )


def git_remote(command: _F) -> _F:
    """Add ``--remote``."""
    return click.option(
        "--remote", metavar="NAME", help="git remote; default: that of gitml.yaml."
    )(command)


def key_values(texts: Sequence[str]) -> dict[str, str]:
    """Take ``KEY=VALUE`` texts apart.

    Raises:
        InvalidInput: One of them has no ``=``, or nothing before it.
    """
    values = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise InvalidInput(f"{text!r:.80} is not a valid KEY=VALUE pair.")
        values[key] = value
    return values
