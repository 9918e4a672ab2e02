"""Ask on a terminal before artifacts are exchanged with a remote for the first time."""

from __future__ import annotations

import contextlib
import sys

import click

from gitml.cli.output import talk
from gitml.storage.trust import TrustQuestion, asking


def asking_on_terminal() -> contextlib.AbstractContextManager[None]:
    """Return a context in which a person is asked; elsewhere an unknown address is an error."""
    if sys.stdin.isatty() and sys.stderr.isatty():
        return asking(_confirm)
    return contextlib.nullcontext()


def _confirm(question: TrustQuestion) -> bool:
    talk("The runs branch names a remote for artifacts that this clone has not used so far:")
    talk(f"    {question.address}" + (f"  ({question.origin})" if question.origin else ""))
    return click.confirm("Exchange artifacts with it, with your credentials?", err=True)
