"""Print results to stdout and remarks to stderr, for people or for programs.

On a terminal a table fits its width, the widest columns are cut, ids and times are short.
Elsewhere columns are padded with spaces, nothing is cut, ids are whole, times are ISO 8601.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gitml.cli.cells import Cell, Identifier, figures, for_people, for_programs, unit_of
from gitml.text import escape_controls

_NOTHING = "-"  # keeps the columns of a line countable
_GAP = 2  # columns between columns
_LEAST = 4  # columns that a column of a table keeps
_READABLE = 20  # columns in which most texts can be told apart
_STYLES = {"FINISHED": "green", "FAILED": "red", "KILLED": "red", "RUNNING": "cyan"}


def say(text: str, *, colour: str | None = None) -> None:
    """Print one line of the result; its colour only shows on a terminal."""
    click.echo(click.style(escape_controls(text), fg=colour) if colour else escape_controls(text))


def talk(text: str) -> None:
    """Print a remark, which is not part of the result."""
    click.echo(escape_controls(text), err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, all ASCII: strict, and inert on a terminal."""
    click.echo(json.dumps(to_json(value), indent=2, allow_nan=False))


def print_csv(lines: Iterable[str]) -> None:
    """Print lines of CSV."""
    for line in lines:
        click.echo(line)


def to_json(value: Any) -> Any:
    """Turn values into what JSON has; NaN and infinities become texts, as in the records."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if isinstance(value, Iterable) and not isinstance(value, bytes | Path):
        return [to_json(item) for item in value]
    return str(value)


def table(
    titles: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    empty: str,
    spare: Sequence[str] = (),
) -> None:
    """Print a table.

    Args:
        titles: Column headings.
        rows: One cell per column.
        empty: What to tell the user where there are no rows.
        spare: Columns that a narrow terminal does without, the first to go first.
    """
    rows = list(rows)
    if not rows:
        talk(empty)
    elif sys.stdout.isatty():
        now = time.time_ns() // 1_000_000
        cells = map(figures, zip(*rows, strict=True))
        texts = ([for_people(cell, now) for cell in column] for column in cells)
        _on_terminal(list(zip(titles, texts, strict=True)), spare)
    else:
        texts = ([for_programs(cell) or _NOTHING for cell in row] for row in rows)
        units = (next(filter(None, map(unit_of, column)), "") for column in zip(*rows, strict=True))
        headings = [
            f"{title}_{unit.upper()}".rstrip("_") for title, unit in zip(titles, units, strict=True)
        ]
        _print_aligned([headings, *texts])


def facts(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Print labelled values, one per line; those without a value are left out."""
    now = time.time_ns() // 1_000_000
    people = sys.stdout.isatty()
    rows = [(label, _fact(cell, people, now)) for label, cell in pairs]
    _print_aligned([[f"{label}:", text] for label, text in rows if text])


def _fact(cell: Cell, people: bool, now: int) -> str:
    short = people and not isinstance(cell, Identifier)
    return for_people(cell, now) if short else f"{for_programs(cell)} {unit_of(cell)}".rstrip()


def heading(text: str) -> None:
    """Print the heading of a part of the result, after a blank line."""
    click.echo()
    click.secho(escape_controls(text), bold=True)


def _print_aligned(rows: Sequence[Sequence[str]]) -> None:
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (
            text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Narrow the widest columns until all of them fit, or nothing is left to take."""
    fitting = list(widths)
    while sum(fitting) > room and max(fitting) > _LEAST:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def _on_terminal(columns: Sequence[tuple[str, Sequence[str]]], spare: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    columns, left_out = _readable(columns, console.width, spare)
    widths = fitted([_width(column) for column in columns], console.width - _GAP * len(columns))
    table_ = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for (title, _), width in zip(columns, widths, strict=True):
        table_.add_column(title, no_wrap=True, overflow="ellipsis", max_width=width)
    for row in zip(*(texts for _, texts in columns), strict=True):
        # Text: markup in names stays text
        table_.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in row))
    console.print(table_)
    if left_out:
        talk(f"Left out of {console.width} columns: {', '.join(left_out)}.")


def _readable(
    columns: Sequence[tuple[str, Sequence[str]]], room: int, spare: Sequence[str]
) -> tuple[Sequence[tuple[str, Sequence[str]]], Sequence[str]]:
    """Leave out spare columns until what remains can be read; also return their names."""
    for count in range(len(spare) + 1):
        readable = [column for column in columns if column[0] not in spare[:count]]
        if sum(min(_width(column), _READABLE) + _GAP for column in readable) <= room:
            break
    return readable, spare[:count]


def _width(column: tuple[str, Sequence[str]]) -> int:
    from rich.cells import cell_len

    title, texts = column
    return max(map(cell_len, (title, *texts)))
