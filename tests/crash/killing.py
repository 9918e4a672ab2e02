"""Kills this process, or its whole group, at a chosen step of the package: nothing in it helps.

A step is a line of the package that is about to run. A rehearsal counts how often each line runs;
a trial then dies before the k-th time of one of them. Where the line waits for git, the death may
come a little later instead, from a thread, while git is at work.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import gitml

PACKAGE = str(Path(gitml.__file__).parent)
Site = tuple[str, int]
_PHASES = {  # innermost first: file and function, either may be empty
    "fast-import": [("git/repo.py", "fast_import"), ("git/fast_import.py", "")],
    "ref update": [("git/repo.py", "update_refs"), ("git/repo.py", "write_tag")],
    "index update": [("store/index/", "")],
    "cache writing": [("storage/", "")],
    "artifact staging": [("client.py", "log_artifact"), ("client.py", "log_artifacts"),
                         ("client.py", "log_text"), ("client.py", "write_artifact"),
                         ("run_artifacts.py", "")],
    "push": [("exchange.py", ""), ("sharing/", "")],
    "registry": [("registry/", "")],
    "end of run": [("store/runs.py", "end"), ("store/runs.py", "edit"),
                   ("store/runs.py", "checkpoint"), ("run_commits.py", "")],
    "start of run": [("fluent/active.py", "start_run"), ("fluent/active.py", "set_experiment")],
    "logging": [("fluent/", ""), ("journal.py", "")],
}  # fmt: skip


@dataclass(frozen=True)
class Death:
    """Where and how a writer dies.

    Attributes:
        site: File and line.
        count: The how-manieth time the line runs, from 1.
        group: Whether its children die with it.
        delay: s from there to the death, in which it goes on; 0 for at once.
        refs: Instead of all that: the how-manieth change of refs by git to die in, with all locks
            held; 0 for none.
        clock: Instead of all that: s after its start at which it is killed from outside; 0 for not.
    """

    site: Site
    count: int
    group: bool
    delay: float
    refs: int = 0
    clock: float = 0.0

    def strike(self) -> None:
        if self.delay:
            time.sleep(self.delay)
        if self.group:
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts the lines of the package that run, and strikes at one of them."""

    def __init__(self, death: Death | None, phase_file: Path) -> None:
        self.counts: Counter[Site] = Counter()
        self.phases: dict[str, dict[Site, list[int]]] = {}
        self.rehearsing = False
        self._death = death
        self._phase_file = phase_file

    def watch(self) -> None:
        threading.settrace(self._call)
        sys.settrace(self._call)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            site = (frame.f_code.co_filename[len(PACKAGE) + 1 :], frame.f_lineno)
            self.counts[site] += 1
            if self.rehearsing:
                times = self.phases.setdefault(phase_of(frame), {})
                times.setdefault(site, []).append(self.counts[site])
            death = self._death
            if death and death.site == site and death.count == self.counts[site]:
                self._phase_file.write_text(phase_of(frame))
                if not death.delay:
                    death.strike()
                sys.settrace(None)
                threading.settrace(None)  # type: ignore[arg-type]
                threading.Thread(target=death.strike, daemon=True).start()
        return self._line


def phase_of(frame: FrameType) -> str:
    """What the package is doing, from its stack."""
    stack = []
    current: FrameType | None = frame
    while current is not None:
        if current.f_code.co_filename.startswith(PACKAGE):
            stack.append((current.f_code.co_filename[len(PACKAGE) + 1 :], current.f_code.co_name))
        current = current.f_back
    for phase, places in _PHASES.items():
        for file, function in places:
            if any(file in name and function in ("", code) for name, code in stack):
                return phase
    return "other"
