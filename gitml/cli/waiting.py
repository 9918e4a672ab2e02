"""Hides progress bars: on a terminal's stderr while something long is done, nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

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
    with bars.Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(what, total=None, visible=False)

        def report(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total, visible=True)

        yield report
