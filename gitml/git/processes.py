"""A git command under way, and what it complains about."""

from __future__ import annotations

import re
from typing import Any

from gitml.git.credentials import without_password


class Running:
    """A git command under way; it is ended when nothing refers to this object any more."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle  # GitPython ends the process when its wrapper is collected

    def feed(self, stdin: bytes) -> bool:
        """Give it a part of its input; False if it has ended already."""
        try:
            self._handle.proc.stdin.write(stdin)
        except BrokenPipeError:
            return False
        return True

    def finish(self, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        """Feed it and wait.

        Returns:
            Exit code, standard output, standard error.
        """
        process = self._handle.proc
        out, err = process.communicate(stdin)
        return process.returncode, out, err


def complaint(err: bytes) -> str:
    """The line of git's standard error that says what went wrong."""
    text = without_password(err.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"fatal|error|remote|!", line)]
    return (told or lines or ["no reason given"])[0]
