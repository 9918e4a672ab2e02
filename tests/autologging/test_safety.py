from __future__ import annotations

import logging

import pytest

from gitml.autologging.safety import safely


def _fail() -> None:
    raise ZeroDivisionError("division by nothing")


def test_failure_is_logged_once_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert safely("the test of once", _fail) is None
        assert safely("the test of once", _fail) is None
    assert [record.getMessage() for record in caplog.records] == [
        "Autologging left out the test of once (ZeroDivisionError: division by nothing)"
    ]


def test_silent_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert safely("the test of silence", _fail, silent=True) is None
    assert caplog.records == []


def test_success_passes_through() -> None:
    assert safely("a number", lambda: 3) == 3


def test_keyboard_interrupt_is_raised() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        safely("nothing", interrupted)
