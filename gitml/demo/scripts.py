"""Run the example scripts in a repository, side by side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitml import config, signals
from gitml.errors import GitmlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One start of a script.

    Attributes:
        name: Its file.
        args: Its arguments.
        fails: Whether it is meant to fail.
    """

    name: str
    args: tuple[str, ...]
    fails: bool = False


def examples() -> Path:
    """Return the folder of the example scripts: of the installed package, or of the checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_examples"
    return installed if installed.is_dir() else package.parent / "examples"


def run(folder: Path, report: Callable[[str], None], *scripts: Script) -> None:
    """Run scripts side by side and report what they print.

    Args:
        folder: The repository that they are in and log to.
        report: Called with each line.
        scripts: What to run.

    Raises:
        GitmlError: One failed that should not, or did not fail that should.
    """
    with _started(folder, scripts) as running:
        for script, process in running:
            out, err = process.communicate()
            for line in out.splitlines():
                report(f"  {line}")
            last_line = (err.strip().splitlines() or ["no reason given"])[-1]
            if bool(process.returncode) != script.fails:
                raise GitmlError(
                    f"{script.name} ended with exit code {process.returncode}: {last_line}",
                    hint=f"Run the script in {folder}, then repeat `gitml demo`.",
                )
            if script.fails:
                report(f"  {last_line} (failed runs are recorded, too)")


@contextmanager
def _started(
    folder: Path, scripts: Sequence[Script]
) -> Iterator[list[tuple[Script, subprocess.Popen[str]]]]:
    """Start scripts side by side; they end with the block, at once where it is interrupted."""
    with ExitStack() as stack:
        running: list[tuple[Script, subprocess.Popen[str]]] = []
        try:
            with signals.deferred():
                running += [(each, stack.enter_context(_process(folder, each))) for each in scripts]
            yield running
        except KeyboardInterrupt:
            for _, process in running:
                process.terminate()
            for _, process in running:
                process.wait()
            raise


def _process(folder: Path, script: Script) -> subprocess.Popen[str]:
    # The demo is its own repository, wherever the user's variables say that runs are logged to.
    environment = config.child_environment(GITML_RUN_ID=None, GITML_TRACKING_URI=str(folder))
    return subprocess.Popen(
        [sys.executable, script.name, *script.args],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
