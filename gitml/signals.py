"""SIGINT and SIGTERM as KeyboardInterrupt.

A shell that is not interactive starts background processes with SIGINT ignored, and Python leaves
it so; a process that SIGTERM ends by default leaves its temporary files and children behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

_DEFAULTS = {
    signal.SIGINT: (signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler),
    signal.SIGTERM: (signal.SIG_DFL,),
}


@dataclass(slots=True)
class Interruption:
    """What interrupted a block.

    Attributes:
        signal: The last signal; None where there was none.
    """

    signal: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """Exit code as shells count: 128 and the number of the signal."""
        return 128 + (self.signal or signal.SIGINT)


@dataclass(slots=True)
class _Deferral:
    """How many blocks defer signals, and whether one came meanwhile."""

    depth: int = 0
    pending: bool = False


_deferral = _Deferral()  # of the main thread, the only one that Python interrupts


@contextlib.contextmanager
def interruptible(*numbers: signal.Signals) -> Iterator[Interruption]:
    """Raise KeyboardInterrupt inside a block at signals.

    Handlers that the program has installed stay, and outside the main thread nothing is done. After
    a SIGTERM another one ends the process at once.

    Args:
        *numbers: SIGINT or SIGTERM; default both.
    """
    interruption, pid = Interruption(), os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != pid:  # a copy of the process, which has not come to `leave_to_parent` yet
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            return
        interruption.signal = signal.Signals(number)
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
        if _deferral.depth:
            _deferral.pending = True
        else:
            raise KeyboardInterrupt

    with contextlib.ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in numbers or tuple(_DEFAULTS):
                handler = signal.getsignal(number)
                if handler in _DEFAULTS[number]:
                    signal.signal(number, interrupt)
                    stack.callback(signal.signal, number, handler)
        yield interruption


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let a signal interrupt the end of a block, not the block.

    For what must not be left half done, such as a process that is started and not yet known.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _deferral.depth += 1
    try:
        yield
    finally:
        _deferral.depth -= 1
        if _deferral.pending and not _deferral.depth:
            _deferral.pending = False
            raise KeyboardInterrupt


def leave_to_parent() -> None:
    """Leave SIGINT, which a terminal sends to both, to the parent of this copy; end at SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
