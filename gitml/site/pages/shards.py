"""Shards of tables: scripts whose addresses change with their content, and keys of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gitml.entities import Run
from gitml.site.data import columns
from gitml.site.page import DataFile
from gitml.site.source import SiteSource
from gitml.site.text import urls


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The shards that a page adds to the site; large ones are compressed."""

    plain_bytes: int
    files: list[DataFile] = field(default_factory=list)

    def add(self, key: str, value: object) -> str:
        """Add a shard and return its address."""
        data = columns.script(key, value, self.plain_bytes)
        address = urls.shard(key, data)
        self.files.append(DataFile(address=address, data=data))
        return address


def rows_key(source: SiteSource, runs: Sequence[Run], context: object = None) -> object:
    """Return the key of the rows of some runs; None if one of them is in progress.

    Args:
        source: What the site shows.
        runs: The runs.
        context: What else the rows show.
    """
    oids = [source.run_oid(run.info.run_id) for run in runs]
    return (context, oids) if all(oids) else None
