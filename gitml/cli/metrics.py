"""``gitml metrics``."""

from __future__ import annotations

import click

from gitml.cli import columns, lookup
from gitml.cli.cells import When
from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_csv, as_json
from gitml.cli.output import print_csv, print_json, table
from gitml.client import MlflowClient
from gitml.errors import NotFound

_TITLES = ("STEP", "TIME", "VALUE")


@click.group(cls=CommandGroup)
def metrics() -> None:
    """Show the history of metrics."""


@metrics.command()
@click.argument("run")
@click.argument("key")
@as_csv
@as_json
def history(run: str, key: str, csv_: bool, json_: bool) -> None:
    """Show every point of a metric of a run, by time.

    RUN is an id, its first digits, or a name. KEY is the metric's name.
    """
    client = MlflowClient()
    run_id = lookup.run_id(client, run)
    points = client.get_metric_history(run_id, key)
    if not points:
        keys = ", ".join(sorted(client.get_run(run_id).data.metrics))
        raise NotFound(
            f"Run {run_id} has no metric {key!r:.80}.",
            hint=f"It has: {keys:.300}" if keys else "It has no metrics.",
        )
    if json_:
        print_json(points)
        return
    rows = [(point.step, When(point.timestamp), point.value) for point in points]
    if csv_:
        exact = [(point.step, point.timestamp, point.value) for point in points]
        print_csv(columns.to_csv(("step", "timestamp", "value"), exact))
    else:
        table(_TITLES, rows, empty="No points.")
