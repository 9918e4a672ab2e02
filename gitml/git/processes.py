"""Run git commands in the background, and find the error in what they print."""

from __future__ import annotations

import re
from typing import Any

from gitml.git.credentials import without_password

_EMPTY = "Could not read from remote repository"  # ssh said why in the line before


class Running:
    """A git command under way; it is ended when nothing refers to this object any more."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle  # GitPython ends the process when its wrapper is collected

    def feed(self, stdin: bytes) -> bool:
        """Write a part of its input; False if it has exited already."""
        try:
            self._handle.proc.stdin.write(stdin)
        except BrokenPipeError:
            return False
        return True

    def finish(self, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        """Write the rest of its input and wait.

        Returns:
            Exit code, standard output, standard error.
        """
        process = self._handle.proc
        try:
            try:
                out, err = process.communicate(stdin)
            except BrokenPipeError:  # it exited before it had read all
                out, err = process.communicate()
        except BaseException:  # such as Ctrl-C, which a terminal sends to git, too; others do not
            self.kill()
            raise
        return process.returncode, out, err

    def kill(self) -> None:
        """End the process now."""
        self._handle.proc.kill()
        self._handle.proc.wait()


def complaint(err: bytes) -> str:
    """Return the line of git's standard error that says what went wrong."""
    text = without_password(err.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and _EMPTY not in line]
    errors = [line for line in lines if re.match(r"fatal|error|remote|!", line, re.IGNORECASE)]
    return (errors or lines or ["no reason given"])[0]
