"""Older runs: rendered like the others, but 256 to a file, and catalogue by ``run.html#<run id>``.

Shards are counted from the oldest run, so that one that is full never changes for a new run.
``data/older/<n>.js`` holds ``{run id: {"html": what is inside <main>, "run": record}}``, where the
record is that of :func:`gitml.site.pages.run.record`. ``data/ids/<first digits>.js`` says for every
run of the site where it is: ``{other digits: number of its shard, or -1 for a page of its own}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitml.entities import Run
from gitml.site import previews
from gitml.site.catalogue import Catalogue
from gitml.site.data import columns
from gitml.site.pages import run as run_pages

RUNS = 256
IDS = 1_000
CURVE_POINTS = 100
PATCH_LINES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Runs that share a file; ``number`` counts from the oldest."""

    number: int
    runs: Sequence[Run]

    @property
    def name(self) -> str:
        """Names its script."""
        return f"older/{self.number}"


def shards(catalogue: Catalogue, run_pages: int) -> Iterator[Shard]:
    """Cut the runs beyond the newest ``run_pages`` into shards.

    Runs of registered versions are among them although they have pages, for a run that is
    registered later must not move its neighbours.
    """
    older = catalogue.runs[run_pages:][::-1]
    for number, start in enumerate(range(0, len(older), RUNS)):
        yield Shard(number=number, runs=older[start : start + RUNS])


def page(
    catalogue: Catalogue, item: Run, curved: bool
) -> tuple[run_pages.RunPage, dict[str, object]]:
    """Fill a run's page and record for a shard: files by name only, curves and patch shorter.

    Args:
        catalogue: What the site shows.
        item: The run.
        curved: Whether there is space for its curves.
    """
    source, run_id = catalogue.source, item.info.run_id
    history = source.history(run_id) if curved and run_pages.has_curves(item) else ()
    curves = columns.curves(history, item.info.start_time, CURVE_POINTS)
    files = previews.list_files(source.artifacts(run_id))
    view = run_pages.run(catalogue, item, files, bool(curves), patch_lines=PATCH_LINES)
    return view, run_pages.record(catalogue, item, files, curves)


def digits(runs: int) -> int:
    """Tell how many digits of an id name the file that knows it, so that files stay small."""
    return next(count for count in (0, 1, 2, 3) if runs <= IDS * 16**count or count == 3)


def places(catalogue: Catalogue, parts: Sequence[Shard]) -> dict[str, dict[str, int]]:
    """Give the files that say where each run is, by the digits they are named for."""
    count = digits(len(catalogue.runs))
    found: dict[str, dict[str, int]] = {_name(n, count): {} for n in range(16**count)}
    shard = {run.info.run_id: part.number for part in parts for run in part.runs}
    for run in catalogue.runs:
        run_id = run.info.run_id
        number = -1 if run_id in catalogue.paged else shard[run_id]
        found[run_id[:count] or "all"][run_id[count:]] = number
    return found


def _name(number: int, count: int) -> str:
    return f"{number:0{count}x}" if count else "all"
