"""Read saved views: ``views/<name>.yaml`` on the code branch, reviewed like code.

A view names an experiment and how its page shows it: filter, order, columns, charts.
``view.schema.json`` beside this file is the format for editors. All pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from gitml.entities import Run
from gitml.errors import InvalidInput
from gitml.formats import plain_yaml, schemas
from gitml.query import filters
from gitml.site.data import columns as data

FOLDER = "views"
SCHEMA_FILE = Path(__file__).with_name("view.schema.json")
_PLAIN = "!~*'()"  # what JavaScript's encodeURIComponent leaves as it is besides
_KINDS = ("metrics", "params", "tags", "attributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A column of the table of runs: its kind and its name within that."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a view.

    Attributes:
        kind: ``scatter``, ``line``, ``bar``, ``box`` or ``parallel``.
        x: The column across.
        y: The column up.
        colour: The column that colours show, if any.
        axes: The axes of parallel coordinates.
    """

    kind: str
    x: Key | None = None
    y: Key | None = None
    colour: Key | None = None
    axes: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A saved view.

    Attributes:
        name: The file's name without its suffix.
        experiment: Name of the experiment.
        title: Its title.
        description: One line.
        filter: In the language of ``search_runs``.
        sort: Sort keys as of ``search_runs``, such as ``metrics.rmse DESC``.
        columns: Columns of the table; the page's own choice where empty.
        charts: Its charts.
    """

    name: str
    experiment: str
    title: str = ""
    description: str = ""
    filter: str = ""
    sort: tuple[str, ...] = ()
    columns: tuple[Key, ...] = ()
    charts: tuple[Chart, ...] = field(default=())


def parse(name: str, text: str, path: str, experiment_prefix: str = "") -> View:
    """Read a view.

    Args:
        name: Its name, which reports use.
        text: YAML.
        path: Where the file is, for messages.
        experiment_prefix: What goes before the experiment's name unless that begins with it.

    Raises:
        InvalidInput: It does not have the format; the message names the file and the key.
    """
    try:
        value = plain_yaml.load(text)
    except plain_yaml.YamlFault as error:
        raise InvalidInput(f"{path} is not valid YAML: line {error.line}: {error}.") from error
    schemas.require(value, _schema(), path)
    experiment = value["experiment"]
    if not experiment.startswith(experiment_prefix):
        experiment = f"{experiment_prefix}{experiment}"
    view = View(
        name=name,
        experiment=experiment,
        title=value.get("title") or name,
        description=value.get("description", ""),
        filter=value.get("filter", ""),
        sort=tuple(value.get("sort", ())),
        columns=tuple(map(key, value.get("columns", ()))),
        charts=tuple(_chart(item) for item in value.get("charts", ())),
    )
    try:
        filters.parse_filter(view.filter)
        filters.parse_order_by(view.sort)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", hint=error.hint) from error
    return view


def select(view: View, runs: Sequence[Run]) -> list[Run]:
    """Return the runs of a view in its order."""
    node = filters.parse_filter(view.filter)
    matches = [run for run in runs if filters.matches(node, run)]
    return filters.sort_runs(matches, filters.parse_order_by(view.sort))


def fragment(view: View) -> str:
    """Return the part after ``#`` of an experiment page's address that shows a view."""
    first = {chart.kind: chart for chart in reversed(view.charts)}
    parallel, plane = first.get("parallel"), first.get("scatter") or first.get("line")
    state = {
        "q": data.well_formed(view.filter),
        "sort": ",".join(map(_sort_word, view.sort)),
        "cols": ",".join(map(_word, view.columns)),
        "axes": ",".join(map(_word, parallel.axes)) if parallel else "",
        "colour": _word(parallel.colour) if parallel and parallel.colour else "",
        "x": _word(plane.x) if plane and plane.x else "",
        "y": _word(plane.y) if plane and plane.y else "",
    }
    return urlencode({word: text for word, text in state.items() if text}, safe=",")


def key(text: str) -> Key:
    """Read a column's name: ``metrics.rmse``, ``params.`my key` ``; without a kind an attribute."""
    kind, dot, name = text.partition(".")
    if not dot or kind not in _KINDS:
        return Key(kind="attributes", name=text)
    quoted = len(name) > 2 and name[0] == name[-1] and name[0] in '`"'
    return Key(kind=kind, name=name[1:-1] if quoted else name)


def value(run: Run, column: Key) -> data.Value:
    """Return the value of a run in a column; None if it has none."""
    if column.kind == "attributes":
        read = data.ATTRIBUTES.get(column.name)
        return read(run) if read else None
    values: Mapping[str, Any] = getattr(run.data, column.kind)
    return values.get(column.name)


def numbers(column: Key, values: Sequence[data.Value]) -> list[float | None] | None:
    """Return the values of a column as numbers, params too, if most of the different ones are.

    A ``None`` or ``auto`` among numbers does not make them texts: the page judges alike.

    Returns:
        Finite numbers, None for all else; None for a column of texts.
    """
    read = {item: _finite(item) for item in set(values) if item is not None}
    odd = sum(number is None for number in read.values())
    if odd == len(read) or (odd * 2 >= len(read) and column.kind != "metrics"):
        return None
    return [None if item is None else read[item] for item in values]


def odd(column: Key, values: Sequence[data.Value]) -> list[str]:
    """Return the values that are no number in a column of numbers, as a page names them."""
    parsed = numbers(column, values)
    if parsed is None:
        return []
    pairs = zip(values, parsed, strict=True)
    return sorted({str(item) for item, number in pairs if number is None and item is not None})


def _finite(item: data.Value) -> float | None:
    number = filters.as_number(item) if isinstance(item, str) else item
    return number if isinstance(number, float | int) and math.isfinite(number) else None


def _chart(item: Mapping[str, Any]) -> Chart:
    channels = {
        channel.name: key(item[channel.name])
        for channel in fields(Chart)
        if channel.name in ("x", "y", "colour") and channel.name in item
    }
    return Chart(kind=item["kind"], axes=tuple(map(key, item.get("axes", ()))), **channels)


def _word(column: Key) -> str:
    return f"{column.kind}.{quote(data.well_formed(column.name), safe=_PLAIN)}"


def _sort_word(text: str) -> str:
    name, _, direction = text.strip().rpartition(" ")
    if direction.upper() not in ("ASC", "DESC"):
        name, direction = text.strip(), "ASC"
    return ("-" if direction.upper() == "DESC" else "") + _word(key(name.strip()))


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema
