"""Why a run failed: recorded as two tags when it ends, read by pages and ``gitml runs show``."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gitml
from gitml.text import clip, single_line

ERROR_TAG = "gitml.error"
TRACEBACK_TAG = "gitml.traceback"
_ERROR_CHARS = 300
_TRACE_CHARS = 6_000  # its end counts most
_LINE_CHARS = 200
_ELSEWHERE = "…/"  # what stands for the folder of an installed library
_LIBRARIES = {
    str(Path(gitml.__file__).parent): f"{_ELSEWHERE}gitml",
    sysconfig.get_paths()["stdlib"]: _ELSEWHERE.rstrip("/"),
}
_PACKAGES = re.compile(r'(?m)^(  File ")[^"\n]*?/(?:site|dist)-packages/')
_FRAME = re.compile(
    r'(?m)^  File "([^"\n]+)", line (\d+), in ([^\n]+)(?:\n    (?! *[~^]+$)([^\n]+))?'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """What ended a run.

    Attributes:
        error: Type and message of the exception, in one line.
        trace: Its traceback as Python prints it, ``…/`` for the folders of libraries; may be empty.
    """

    error: str
    trace: str = ""

    @property
    def own_line(self) -> str:
        """Return the last line of the user's own code: file, line, function and the code itself."""
        for path, line, function, code in reversed(_FRAME.findall(self.trace)):
            if not path.startswith((_ELSEWHERE, "<")):
                return f"{path}:{line} in {function}" + (f": {code.strip()}" if code else "")
        return ""


def describe(error: BaseException | None, *, code: bool = True) -> RunFailure | None:
    """Describe an exception; None for none.

    Args:
        error: The exception.
        code: Whether the traceback has the lines of code.
    """
    if error is None:
        return None
    reason = single_line(f"{type(error).__name__}: {error}", _ERROR_CHARS)
    if error.__traceback__ is None:
        return RunFailure(error=reason)
    lines = "".join(traceback.format_exception(error)).splitlines()
    trace = "\n".join(clip(line, _LINE_CHARS) for line in lines if code or line[:4] != "    ")
    trace = _PACKAGES.sub(rf"\1{_ELSEWHERE}", trace)
    for folder, instead in _LIBRARIES.items():
        trace = trace.replace(f'  File "{folder}/', f'  File "{instead}/')
    if len(trace) > _TRACE_CHARS:
        _, newline, end = trace[-_TRACE_CHARS:].partition("\n")
        trace = f"…{newline}{end}"
    return RunFailure(error=reason, trace=trace)


def of_tags(tags: Mapping[str, str]) -> RunFailure | None:
    """Return what the tags of a run say; None where they name no error."""
    error = tags.get(ERROR_TAG)
    return RunFailure(error=error, trace=tags.get(TRACEBACK_TAG, "")) if error else None
