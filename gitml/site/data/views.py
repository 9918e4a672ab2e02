"""Saved views: ``views/<name>.yaml`` on the code branch, reviewed like code.

A view names an experiment and what its page shows of it: filter, order, columns, charts.
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
from gitml.formats import schemas
from gitml.query import filters
from gitml.site.data import columns as data

FOLDER = "views"
SCHEMA_FILE = Path(__file__).with_name("view.schema.json")
_PLAIN = "!~*'()"  # what JavaScript's encodeURIComponent leaves besides
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
        x: What goes across.
        y: What goes up.
        colour: What the colour tells, if anything.
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
        title: What people call it.
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


def parse(name: str, text: str) -> View:
    """Read a view.

    Raises:
        InvalidInput: It is not as it should be; the message names the file and the key.
    """
    import yaml

    where = f"{FOLDER}/{name}.yaml"
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not valid YAML: {' '.join(str(error).split())}.") from error
    schemas.require(value, _schema(), where)
    view = View(
        name=name,
        experiment=value["experiment"],
        title=value.get("title") or name,
        description=value.get("description", ""),
        filter=value.get("filter", ""),
        sort=tuple(value.get("sort", ())),
        columns=tuple(map(key, value.get("columns", ()))),
        charts=tuple(_chart(one) for one in value.get("charts", ())),
    )
    try:
        filters.parse_filter(view.filter)
        filters.parse_order_by(view.sort)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}", hint=error.hint) from error
    return view


def select(view: View, runs: Sequence[Run]) -> list[Run]:
    """Take the runs that a view shows, in its order."""
    node = filters.parse_filter(view.filter)
    found = [run for run in runs if filters.matches(node, run)]
    return filters.sort_runs(found, filters.parse_order_by(view.sort))


def fragment(view: View) -> str:
    """Give the part of an experiment page's address, after ``#``, that shows a view."""
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


def value(run: Run, wanted: Key) -> data.Value:
    """Give what a run has in a column; None where it has nothing."""
    if wanted.kind == "attributes":
        read = data.ATTRIBUTES.get(wanted.name)
        return read(run) if read else None
    held: Mapping[str, Any] = getattr(run.data, wanted.kind)
    return held.get(wanted.name)


def numbers(values: Sequence[data.Value]) -> list[float | None] | None:
    """Take a column as numbers, params too, where every value that is there is one.

    Returns:
        Finite numbers, None for what is absent or not finite; None for a column of texts.
    """
    found: list[float | None] = []
    for one in values:
        try:
            number = math.nan if one is None else float(one)
        except ValueError:
            return None
        found.append(number if math.isfinite(number) else None)
    return found if any(one is not None for one in found) else None


def _chart(item: Mapping[str, Any]) -> Chart:
    found = {
        one.name: key(item[one.name])
        for one in fields(Chart)
        if one.name in ("x", "y", "colour") and one.name in item
    }
    return Chart(kind=item["kind"], axes=tuple(map(key, item.get("axes", ()))), **found)


def _word(wanted: Key) -> str:
    return f"{wanted.kind}.{quote(data.well_formed(wanted.name), safe=_PLAIN)}"


def _sort_word(text: str) -> str:
    name, _, direction = text.strip().rpartition(" ")
    if direction.upper() not in ("ASC", "DESC"):
        name, direction = text.strip(), "ASC"
    return ("-" if direction.upper() == "DESC" else "") + _word(key(name.strip()))


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema
