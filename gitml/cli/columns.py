"""The columns that a table of runs can have, and their values. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gitml.cli.cells import Cell, Identifier, Took, When, for_programs
from gitml.entities import Run
from gitml.errors import InvalidInput
from gitml.text import escape_controls

_ATTRIBUTES: Mapping[str, Callable[[Run], Cell]] = {
    "run_id": lambda run: Identifier(run.info.run_id),
    "run_name": lambda run: run.info.run_name,
    "experiment_id": lambda run: run.info.experiment_id,
    "status": lambda run: run.info.status,
    "lifecycle_stage": lambda run: run.info.lifecycle_stage,
    "start_time": lambda run: When(run.info.start_time),
    "end_time": lambda run: When(run.info.end_time),
    "duration": lambda run: took(run),
    "user_id": lambda run: run.info.user_id,
    "artifact_uri": lambda run: run.info.artifact_uri,
    "commit": lambda run: run.source.commit,
    "branch": lambda run: run.source.branch,
    "dirty": lambda run: run.source.dirty,
    "source_name": lambda run: run.source.name,
}
EXPERIMENT_NAME = "experiment_name"
_KINDS = ("metrics", "params", "tags")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula


def took(run: Run) -> Took:
    """Return the duration of a run."""
    return Took(None if run.info.end_time is None else run.info.end_time - run.info.start_time)


def parse(texts: Iterable[str]) -> tuple[str, ...]:
    """Read names of columns: separated by commas, in double quotes where they hold one.

    Raises:
        InvalidInput: There is no such column.
    """
    names = [name.strip() for row in csv.reader(texts, skipinitialspace=True) for name in row]
    return tuple(_checked(name) for name in names if name)


def _checked(text: str) -> str:
    kind, dot, key = text.partition(".")
    if not dot:
        kind, key = "attributes", text
    if len(key) > 1 and key[0] == key[-1] and key[0] in '`"':
        key = key[1:-1]
    if kind in ("attributes", "attribute") and (key in _ATTRIBUTES or key == EXPERIMENT_NAME):
        return key
    if kind in _KINDS and key:
        return f"{kind}.{key}"
    attributes = ", ".join((*_ATTRIBUTES, EXPERIMENT_NAME))
    raise InvalidInput(
        f"No column {text!r:.80}.",
        hint=f"Use metrics.KEY, params.KEY, tags.KEY or one of {attributes}."
        if dot
        else f"Is it metrics.{text:.80}, params.{text:.80} or tags.{text:.80}? "
        f"Attributes are {attributes}.",
    )


def everything(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return all columns in which at least one run has a value."""
    keys = (
        f"{kind}.{key}"
        for kind in _KINDS
        for key in sorted({key for run in runs for key in getattr(run.data, kind)})
    )
    first, second, *rest = _ATTRIBUTES
    return (first, second, EXPERIMENT_NAME, *rest, *keys)


def cell(run: Run, column: str, experiment: str) -> Cell:
    """Return the value of a run in a column; None if it has none."""
    kind, dot, key = column.partition(".")
    if dot:
        value: Cell = getattr(run.data, kind).get(key)
        return value
    return experiment if column == EXPERIMENT_NAME else _ATTRIBUTES[column](run)


def plain(value: Cell) -> Any:
    """Return a cell's value for JSON: times and durations in ms."""
    match value:
        case When(ms) | Took(ms):
            return ms
        case Identifier(text):
            return text
    return value


def to_csv(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Format lines of CSV that a spreadsheet only shows: no cell becomes a formula.

    Numbers are whole, times ISO 8601. A text that a spreadsheet would run gets a ``'`` before it;
    line breaks and other control characters are written as escapes.
    """
    yield _line([_safe(title) for title in titles])
    for row in rows:
        yield _line([_field(value) for value in row])


def _field(value: Cell) -> str:
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    text = for_programs(value)
    return _safe(text) if isinstance(value, str) else text


def _safe(text: str) -> str:
    escaped = escape_controls(text)
    if not text.lstrip(" ").startswith(_DANGEROUS) or _is_number(text):
        return escaped
    return f"'{escaped}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text.isascii() and "_" not in text
    except ValueError:
        return False


def _line(fields: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(fields)
    return buffer.getvalue()
