"""Keep errors of autologging out of the user's training."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

_log = logging.getLogger(__name__)
_reported: set[str] = set()

Result = TypeVar("Result")


def safely(what: str, action: Callable[[], Result], *, silent: bool = False) -> Result | None:
    """Return what ``action`` returns; log why and return None where it fails.

    The reason is logged once per process, not raised and not sent through ``warnings``, which a
    program may have turned into errors.

    Args:
        what: What is attempted, such as ``the model``.
        action: The attempt.
        silent: Say nothing.
    """
    try:
        return action()
    except Exception as error:
        reason = f"{what} ({type(error).__name__}: {error})"
        if not silent and reason not in _reported:
            _reported.add(reason)
            _log.warning("Autologging left out %s", reason)
        return None
