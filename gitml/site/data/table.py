"""Cut an experiment's table into shards.

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
from gitml.site.options import ShardSizes
from gitml.site.text import urls

Shard = Callable[[str, object], str]
"""(key, value) → address of the shard that was written."""
_ON_DEMAND: Mapping[str, Callable[[Sequence[Run]], Sequence[data.Column]]] = {
    "ends": data.extremes,
    "inputs": data.inputs,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Runs that share a shard.

    Attributes:
        table: Key of the experiment's table.
        row: Row of its first run in the table; the newest runs begin at 0.
        number: Counted from the oldest, 0 for the newest runs.
        runs: The runs, newest first.
    """

    table: str
    row: int
    number: int
    runs: Sequence[Run]

    def key(self, kind: str = "") -> str:
        """Return the key of its shard of the table, or of one that the page loads on demand."""
        if not kind:
            return f"{self.table}-{self.number}" if self.number else self.table
        return f"{self.table}-{kind}-{self.number or 'newest'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The shards of a part.

    Attributes:
        shards: Addresses of its shards: ``table`` unless it has the newest runs, ``ends`` and
            ``inputs`` where it has some.
        newest: The table itself where it has the newest runs.
    """

    shards: Mapping[str, str]
    newest: Mapping[str, Any] = field(default_factory=dict)


def key(item: Experiment) -> str:
    """Return the key of an experiment's table."""
    return urls.slug(item.name, item.experiment_id)


def parts(catalogue: Catalogue, item: Experiment, sizes: ShardSizes) -> Iterator[Part]:
    """Cut an experiment's table."""
    row = 0
    blocks = list(data.shards(catalogue.by_experiment.get(item.experiment_id, ()), sizes))
    for position, runs in enumerate(blocks):
        number = len(blocks) - position if position else 0
        yield Part(table=key(item), row=row, number=number, runs=runs)
        row += len(runs)


def block(part: Part, shard: Shard) -> Block:
    """Write the shards of a part; the newest runs' table is left for :func:`head`."""
    addresses, rows = {}, len(part.runs)
    table = data.encode(data.columns(part.runs), rows)
    if part.number:
        addresses["table"] = shard(part.key(), table)
    for kind, select in _ON_DEMAND.items():
        columns = select(part.runs)
        if columns:
            addresses[kind] = shard(part.key(kind), data.encode(columns, rows))
    return Block(shards=addresses, newest={} if part.number else table)


def sparklines(
    item: Experiment, drawn: Sequence[Mapping[str, str]], shard: Shard
) -> list[object] | None:
    """Write the newest runs' sparklines; return key, address and names of metrics, or None.

    Args:
        item: The experiment.
        drawn: The sparklines of each run by metric.
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
    catalogue: Catalogue,
    item: Experiment,
    blocks: Sequence[tuple[Part, Block]],
    trends: list[object] | None,
) -> dict[str, object]:
    """Return the first shard: the newest runs' table and the list of all other shards.

    Args:
        catalogue: What the site shows.
        item: The experiment.
        blocks: The parts of its table in their order, each with its shards.
        trends: The result of :func:`sparklines`.
    """
    newest = blocks[0][1].newest
    metrics = [name for kind, name in newest["columns"] if kind == "metrics"]
    better = catalogue.source.better
    on_demand = {
        kind: [
            [part.key(kind), block.shards[kind], part.row]
            for part, block in blocks
            if kind in block.shards
        ]
        for kind in _ON_DEMAND
    }
    return {
        **newest,
        **on_demand,
        "more": [[part.key(), block.shards["table"]] for part, block in blocks if part.number],
        "trends": trends,
        "rows": len(catalogue.by_experiment.get(item.experiment_id, ())),
        "paged": len(paged(catalogue, item)),
        "better": [[name, end] for name in metrics for end in data.end(better(name))],
        "experiment": data.well_formed(item.experiment_id),
    }


def paged(catalogue: Catalogue, item: Experiment) -> Sequence[Run]:
    """Return the newest runs of an experiment up to the first without a page of its own."""
    runs = catalogue.by_experiment.get(item.experiment_id, ())
    count = next((n for n, r in enumerate(runs) if r.info.run_id not in catalogue.paged), len(runs))
    return runs[:count]
