"""Signals as KeyboardInterrupt, without touching what a program has chosen itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from gitml.signals import deferred, interruptible


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of a new process; those of this one are restored after a test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a run of an earlier test may have set its own
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "before", "code"),
    [
        (signal.SIGINT, signal.SIG_IGN, 130),
        (signal.SIGINT, signal.SIG_DFL, 130),
        (signal.SIGINT, signal.default_int_handler, 130),
        (signal.SIGTERM, signal.SIG_DFL, 143),
    ],
)
def test_a_signal_interrupts_a_block(number: int, before: signal.Handlers, code: int) -> None:
    signal.signal(number, before)
    with pytest.raises(KeyboardInterrupt), interruptible() as interruption:
        signal.raise_signal(number)

    assert interruption.exit_code == code
    assert signal.getsignal(number) is before


def test_the_outer_block_learns_which_signal_came() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible() as outer, interruptible() as inner:
        signal.raise_signal(signal.SIGTERM)

    assert (outer.signal, inner.signal) == (signal.SIGTERM, None)


def test_a_handler_of_the_program_stays() -> None:
    signal.signal(signal.SIGTERM, handler := lambda *_: None)
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is handler


def test_a_thread_changes_no_handler() -> None:
    handler, seen = signal.getsignal(signal.SIGINT), []

    def look() -> None:
        with interruptible():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(timeout=60)
    assert seen == [handler]


def test_deferred_signal_interrupts_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interruptible():
        with deferred(), deferred():
            signal.raise_signal(signal.SIGINT)
            steps.append("finished")
        steps.append("after")

    assert steps == ["finished"]


def test_only_the_given_signals_interrupt() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with interruptible(signal.SIGINT):
        assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 15)])
def test_copies_of_the_process_are_not_interrupted(number: int, status: int) -> None:
    with interruptible():
        pid = os.fork()
        if not pid:
            try:
                signal.raise_signal(number)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == status
