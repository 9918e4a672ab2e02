"""End open runs when the process ends, as FINISHED, FAILED or KILLED.

Python tells an ``atexit`` handler nothing about why the process ends, and MLflow calls every such
run FINISHED. This module records the reasons as they arise: an uncaught exception by
``sys.excepthook``, an exit code by ``sys.exit``, SIGTERM by a handler where the program has none of
its own; in a child that ``multiprocessing`` started, which runs no ``atexit`` handler, by what ends
its target. Whether an exit request really ended the program (it may be caught) is read off the
outermost frame of the main thread: a program that ran to its end stands on its return instruction.
"""

from __future__ import annotations

import atexit
import builtins
import dis
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn

from gitml import files
from gitml.entities import RunStatus

_STARTERS = ("multiprocessing.popen_fork", "multiprocessing.forkserver")
EndAll = Callable[[str, BaseException | None], None]
"""Ends every run of this process with a status and the exception that ended it, if one did."""


class ProcessEnd:
    """Watches for the end of this process and then calls ``end_all`` with the right status."""

    def __init__(self, end_all: EndAll) -> None:
        self._end_all = end_all
        self._pid: int | None = None
        self._outermost: FrameType | None = None
        self._exit_code: object = None
        self._uncaught: BaseException | None = None

    def watch(self) -> None:
        """Start watching; calling it again in the same process does nothing."""
        if self._pid == os.getpid():
            return
        first = self._pid is None
        self._pid = os.getpid()
        self._outermost = _outermost_frame()
        self._hook_child()
        if not first:  # a forked child inherited the hooks
            return
        atexit.register(self._end_runs)
        self._hook_exceptions()
        self._hook_exits()
        if threading.current_thread() is threading.main_thread():
            self._hook_sigterm()

    def _hook_exceptions(self) -> None:
        before = sys.excepthook

        def hook(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            self._uncaught = error
            before(kind, error, trace)

        sys.excepthook = hook

    def _hook_exits(self) -> None:
        for module, name in ((sys, "exit"), (builtins, "exit"), (builtins, "quit")):
            before = getattr(module, name, None)  # `exit` and `quit` are absent under `python -S`
            if before is not None:
                setattr(module, name, _Noting(before, self._note_exit))

    def _note_exit(self, code: object) -> None:
        self._exit_code = code

    def _hook_sigterm(self) -> None:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # It may have interrupted the end of a run, which holds locks.
            files.when_unlocked(self._end_killed)

        signal.signal(signal.SIGTERM, on_sigterm)

    def _hook_child(self) -> None:
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            from multiprocessing.util import Finalize

            Finalize(None, self._end_target, exitpriority=0)

    def _end_target(self) -> None:
        """End the runs of a child of ``multiprocessing``, with what its target raised."""
        if os.getpid() == self._pid:
            self._end_all(*(_end_of_child() or (RunStatus.FINISHED, None)))

    def _end_killed(self) -> None:
        if os.getpid() == self._pid:
            self._end_all(RunStatus.KILLED, None)
        os.kill(os.getpid(), signal.SIGTERM)

    def _end_runs(self) -> None:
        if os.getpid() == self._pid:
            self._end_all(*(_end_of_child() or (self._status(), self._uncaught)))

    def _status(self) -> str:
        """Return the status of runs that are still open when the interpreter shuts down."""
        if hasattr(sys, "ps1"):  # an interactive session outlives its exceptions
            return RunStatus.FINISHED
        if self._uncaught:
            return status_after(self._uncaught)
        if self._outermost is None or _returned(self._outermost):
            return RunStatus.FINISHED
        # Unwound by SystemExit: with a code that was noted, or a bare `raise SystemExit(…)`, whose
        # code nobody can know any more; a run is never called finished on a guess.
        noted = isinstance(self._exit_code, tuple)
        succeeded = noted and self._exit_code in ((None,), (0,), (False,))
        return RunStatus.FINISHED if succeeded else RunStatus.FAILED


def status_after(error: BaseException | None) -> RunStatus:
    """Return the status of a run that an exception ended, or that ended without one."""
    if error is None:
        return RunStatus.FINISHED
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.KILLED
    exited_well = isinstance(error, SystemExit) and error.code in (None, 0)
    return RunStatus.FINISHED if exited_well else RunStatus.FAILED


def _end_of_child() -> tuple[RunStatus, BaseException | None] | None:
    """Return how the target of a child of ``multiprocessing`` ended; None elsewhere.

    Before Python 3.12 such a child runs finalizers while the exception of its target is handled,
    in 3.12 ``atexit`` handlers as well; later ones run when the exception was printed and
    forgotten, and its exit code is a variable of the function that calls them.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module == "multiprocessing.process" and frame.f_code.co_name == "_bootstrap":
            error = sys.exc_info()[1]
            return status_after(error), error
        code = frame.f_locals.get("code") if module in _STARTERS else None
        if isinstance(code, int):
            return (RunStatus.FAILED if code else RunStatus.FINISHED), None
        frame = frame.f_back
    return None


class _Noting:
    """Stands in for ``sys.exit``, ``exit`` or ``quit`` and notes the code it is called with."""

    def __init__(self, before: Callable[..., NoReturn], note: Callable[[object], None]) -> None:
        self._before, self._note = before, note

    def __call__(self, *code: Any) -> NoReturn:
        self._note(code or (None,))
        self._before(*code)

    def __repr__(self) -> str:
        return repr(self._before)


def _outermost_frame() -> FrameType | None:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _returned(frame: FrameType) -> bool:
    """Return True if a finished frame left by a return rather than an exception."""
    last = frame.f_lasti
    return any(
        instruction.offset == last
        and instruction.opname.startswith("RETURN_")
        and instruction.opname != "RETURN_GENERATOR"
        for instruction in dis.get_instructions(frame.f_code)
    )
