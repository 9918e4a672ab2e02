"""Progress bars on a terminal's stderr; none elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

_PAUSE = 0.1  # s between two pictures of a bar
Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


@contextlib.contextmanager
def progress(what: str, *, unit: str = "bytes") -> Iterator[Progress | None]:
    """Show a bar while a block runs, from the first report on.

    Args:
        what: What is being done.
        unit: ``bytes``, or a noun that is counted.

    Yields:
        What to call with the state of things; None where nobody looks.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    amount = bars.DownloadColumn() if unit == "bytes" else bars.MofNCompleteColumn()
    columns = (bars.TextColumn("{task.description}", markup=False), bars.BarColumn(), amount)
    console = Console(stderr=True, highlight=False, markup=False)
    # Without a thread of its own: a process that has one cannot be copied to share its work.
    with bars.Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        task, drawn = bar.add_task(what, total=None, visible=False), 0.0

        def report(done: int, total: int) -> None:
            nonlocal drawn
            bar.update(task, completed=done, total=total, visible=True)
            if time.monotonic() - drawn >= _PAUSE:
                bar.refresh()
                drawn = time.monotonic()

        yield report
