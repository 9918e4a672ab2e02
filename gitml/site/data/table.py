"""An experiment's table as shards: which blocks it is cut into and what the first one lists.

The format is that of :mod:`gitml.site.data.columns`. The newest runs' shard is loaded by the page
at once; it names the others, counted from the oldest run, so that a block that is full never
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitml.entities import Experiment, Run
from gitml.site.catalogue import Catalogue
from gitml.site.data import columns as data
from gitml.site.text import urls

Shard = Callable[[str, object], str]
"""Writes a value as the shard of a key and gives its address."""
_ON_DEMAND: Mapping[str, Callable[[Sequence[Run]], Sequence[data.Column]]] = {
    "ends": data.extremes,
    "inputs": data.inputs,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Runs that share a shard.

    Attributes:
        table: Key of the experiment's table.
        row: Place of its first run in the table; the newest runs begin at 0.
        number: Counted from the oldest, 0 for the newest runs.
        runs: The runs, newest first.
    """

    table: str
    row: int
    number: int
    runs: Sequence[Run]

    def key(self, kind: str = "") -> str:
        """Name a shard of it: that of its table, or of what the page loads when it shows it."""
        if not kind:
            return f"{self.table}-{self.number}" if self.number else self.table
        return f"{self.table}-{kind}-{self.number or 'newest'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What was made of a part.

    Attributes:
        shards: Addresses of its shards: ``table`` unless it has the newest runs, ``ends`` and
            ``inputs`` where it has some.
        newest: The table itself where it has the newest runs.
    """

    shards: Mapping[str, str]
    newest: Mapping[str, Any] = field(default_factory=dict)


def key(item: Experiment) -> str:
    """Name an experiment's table."""
    return urls.slug(item.name, item.experiment_id)


def parts(shown: Catalogue, item: Experiment) -> Iterator[Part]:
    """Cut an experiment's table."""
    row = 0
    blocks = list(data.shards(shown.by_experiment.get(item.experiment_id, ())))
    for place, runs in enumerate(blocks):
        number = len(blocks) - place if place else 0
        yield Part(table=key(item), row=row, number=number, runs=runs)
        row += len(runs)


def block(part: Part, shard: Shard) -> Block:
    """Write the shards of a part; the newest runs' table is left for :func:`head`."""
    addresses, rows = {}, len(part.runs)
    table = data.encode(data.columns(part.runs), rows)
    if part.number:
        addresses["table"] = shard(part.key(), table)
    for kind, columns in _ON_DEMAND.items():
        found = columns(part.runs)
        if found:
            addresses[kind] = shard(part.key(kind), data.encode(found, rows))
    return Block(shards=addresses, newest={} if part.number else table)


def sparklines(
    item: Experiment, drawn: Sequence[Mapping[str, str]], shard: Shard
) -> list[object] | None:
    """Write the newest runs' sparklines: key, address, names of metrics; None for none.

    Args:
        item: The experiment.
        drawn: Of each run its sparklines by metric.
        shard: Writes a shard.
    """
    names = sorted({name for trends in drawn for name in trends}, key=data.rank)
    if not names:
        return None
    table = [
        data.Column(kind="trend", name=name, values=[trends.get(name) for trends in drawn])
        for name in names
    ]
    name = f"{key(item)}-trends"
    address = shard(name, data.encode(table, len(drawn)))
    return [name, address, [data.well_formed(name) for name in names]]


def head(
    shown: Catalogue,
    item: Experiment,
    blocks: Sequence[tuple[Part, Block]],
    trends: list[object] | None,
) -> dict[str, object]:
    """Put the newest runs' table and the list of all other shards together.

    Args:
        shown: What the site shows.
        item: The experiment.
        blocks: The parts of its table, in their order, and what was made of them.
        trends: Where the sparklines are.
    """
    newest = blocks[0][1].newest
    metrics = [name for kind, name in newest["columns"] if kind == "metrics"]
    on_demand = {
        kind: [
            [part.key(kind), one.shards[kind], part.row]
            for part, one in blocks
            if kind in one.shards
        ]
        for kind in _ON_DEMAND
    }
    return {
        **newest,
        **on_demand,
        "more": [[part.key(), one.shards["table"]] for part, one in blocks if part.number],
        "trends": trends,
        "rows": len(shown.by_experiment.get(item.experiment_id, ())),
        "paged": len(paged(shown, item)),
        "better": [[name, way] for name in metrics for way in data.end(shown.source.better(name))],
        "experiment": data.well_formed(item.experiment_id),
    }


def paged(shown: Catalogue, item: Experiment) -> Sequence[Run]:
    """The newest runs of an experiment, as far as each has a page of its own."""
    runs = shown.by_experiment.get(item.experiment_id, ())
    count = next((n for n, r in enumerate(runs) if r.info.run_id not in shown.paged), len(runs))
    return runs[:count]
