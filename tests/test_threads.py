"""Work is done in threads, and all the same where none can be started."""

from __future__ import annotations

import subprocess
import sys
import threading

from gitml import threads
from tests.conftest import LIMIT

EXITING = """
import atexit, sys
{before}
from gitml import threads
def late():
    print(list(threads.in_threads(lambda n: n * n, range(5), workers=3)))
    print(list(threads.ahead(lambda n: n * n, range(3))), list(threads.ahead(abs, [])))
atexit.register(late)
"""


def while_exiting(before: str) -> tuple[str, str]:
    code = EXITING.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT
    )
    return done.stdout, done.stderr


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(threads.in_threads(lambda n: n * n, range(50), workers=4)) == [
        n * n for n in range(50)
    ]
    assert list(threads.ahead(str, range(3))) == ["0", "1", "2"]
    assert list(threads.ahead(str, [])) == []


def test_the_next_result_is_computed_while_the_last_is_used() -> None:
    computed = threading.Semaphore(0)

    def compute(number: int) -> int:
        computed.release()
        return number

    results = threads.ahead(compute, range(3))

    assert next(results) == 0
    assert computed.acquire(timeout=LIMIT)
    assert computed.acquire(timeout=LIMIT)  # the second, which nobody has asked for


def test_work_is_done_while_the_interpreter_shuts_down() -> None:
    lines = "[0, 1, 4, 9, 16]\n[0, 1, 4] []\n"

    assert while_exiting("") == (lines, "")
    assert while_exiting("import concurrent.futures.thread") == (lines, "")
