"""Serve a demo's dashboard that follows the source: ``make site``.

Usage: ``python -m tests.live_site [FOLDER] [PORT]``. The folder is a repository, gitml-demo unless
given. Each build runs in a process of its own, so that changed Python is imported anew, and a
mistake leaves the last good site in its place.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from gitml.publishing import dashboard
from gitml.repository import Repository
from gitml.site.serve import serve_live

ROOT = Path(__file__).parents[1]
SOURCES = (("gitml", "**/*.py"), ("site_templates", "**/*"))
INTERVAL = 0.3  # s between two looks at the source; pages ask as often
_BUILD = "--build"


def serve(folder: Path, port: int = 0) -> None:
    """Serve a repository's dashboard until Ctrl-C.

    Args:
        folder: The repository.
        port: 0 for any free one.
    """
    previous = fingerprint()
    if not _build_aside(folder):
        sys.exit(1)

    def refresh() -> bool:
        nonlocal previous
        current = fingerprint()
        if current == previous:
            return False
        previous = current
        return _build_aside(folder)

    serve_live(_site(folder), refresh, port, interval=INTERVAL, rest=0, announce=_say)


def fingerprint() -> frozenset[tuple[str, int, int]]:
    """Return a value that changes whenever a source file does."""
    paths = [path for folder, pattern in SOURCES for path in (ROOT / folder).glob(pattern)]
    entries = set()
    for path in paths:
        with suppress(OSError):  # an editor replaces files
            status = path.stat()
            entries.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(entries)


def build(folder: Path) -> None:
    """Build the dashboard in this process."""
    repository, live = Repository.open(folder), round(1000 * INTERVAL)
    report = dashboard.build_site(repository, _site(folder), live=live)
    _say(f"{report.written} of {report.written + report.unchanged} files are new.")


def _build_aside(folder: Path) -> bool:
    command = [sys.executable, "-m", "tests.live_site", _BUILD, str(folder.resolve())]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def _site(folder: Path) -> Path:
    return Repository.open(folder).state / "live-site"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        if sys.argv[1:2] == [_BUILD]:
            build(Path(sys.argv[2]))
        else:
            arguments = dict(enumerate(sys.argv[1:]))
            serve(Path(arguments.get(0, "gitml-demo")), int(arguments.get(1, "0")))
