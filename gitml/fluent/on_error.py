"""Raise the error of a failed log call, or log a warning so that the training goes on.

``GITML_ON_ERROR`` chooses. Wrong use is an error either way. What is logged on purpose is never
changed: a param that looks like a secret is only warned of.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import ParamSpec

from gitml import config, redaction
from gitml.errors import ArtifactError, Conflict, InvalidInput, StoreError, TooLarge

FAILURES = (StoreError, ArtifactError, Conflict, TooLarge, OSError)
"""Errors that can keep a correct call from being logged."""
_P = ParamSpec("_P")
_logger = logging.getLogger("gitml")
_process_ended = threading.Event()
_reported: set[tuple[str, type[Exception]]] = set()


def process_ends() -> None:
    """Let daemon threads that log to a run that the end of the process ended stop without a word.

    Their calls do not return, so nothing is acknowledged that is not recorded.
    """
    _process_ended.set()


def halt_daemon() -> None:
    """Halt this thread for ever if it is a daemon and the process has ended."""
    if _process_ended.is_set() and threading.current_thread().daemon:
        threading.Event().wait()  # as Python itself halts daemon threads a moment later


def forgiving(log: Callable[_P, None]) -> Callable[_P, None]:
    """Let a function that logs warn instead of raise where ``GITML_ON_ERROR=warn`` asks for it.

    Only the first failure of each kind in each function is reported.
    """

    @functools.wraps(log)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            log(*args, **kwargs)
        except FAILURES as error:
            forgive(log.__name__.strip("_"), error)

    return call


def warn_of_secret(name: str, value: str) -> None:
    """Log a warning, once, of a param that looks like a secret."""
    if (name, InvalidInput) not in _reported and redaction.is_secret(name, value):
        _reported.add((name, InvalidInput))
        _logger.warning(
            "Param %r looks like a secret; it is logged, and shared by the next `gitml push`.", name
        )


def forgive(name: str, error: Exception) -> None:
    """Raise the error that is being handled, or log it as a warning.

    Args:
        name: The function that failed.
        error: Its error.
    """
    halt_daemon()
    if config.environment().on_error != "warn":
        raise error
    if (name, type(error)) not in _reported:
        _reported.add((name, type(error)))
        _logger.warning("%s: not logged, training continues: %s", name, error)
