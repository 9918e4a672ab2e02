"""``gitml experiments``."""

from __future__ import annotations

import shlex
from typing import Any

import click

from gitml.cli import lookup
from gitml.cli.cells import When
from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, table, talk
from gitml.client import MlflowClient
from gitml.entities import Experiment, ViewType


@click.group(cls=CommandGroup)
def experiments() -> None:
    """List, create, rename, delete and restore experiments."""


@experiments.command("list")
@click.option("--all", "everything", is_flag=True, help="Include deleted experiments.")
@as_json
def list_command(everything: bool, json_: bool) -> None:
    """List experiments with their number of runs, newest first."""
    client = MlflowClient()
    view = ViewType.ALL if everything else ViewType.ACTIVE_ONLY
    documents = [_document(client, e) for e in client.search_experiments(view, None)]
    if json_:
        print_json(documents)
        return
    table(
        ("EXPERIMENT", "ID", "RUNS", "LAST RUN", "STATE"),
        [
            (
                document["name"],
                document["experiment_id"],
                document["runs"],
                When(document["last_run_time"]),
                document["lifecycle_stage"],
            )
            for document in documents
        ],
        empty="No experiments.",
    )


def _document(client: MlflowClient, experiment: Experiment) -> dict[str, Any]:
    """Return an experiment with its number of active runs and the start of the newest (ms)."""
    index = client.repository.index()
    newest = client.search_runs([experiment.experiment_id], max_results=1)
    return {
        **dict(experiment),
        "runs": index.counts().runs_by_experiment.get(experiment.experiment_id, 0),
        "last_run_time": newest[0].info.start_time if newest else None,
        "last_run_id": newest[0].info.run_id if newest else None,
    }


@experiments.command()
@click.argument("name")
@as_json
def create(name: str, json_: bool) -> None:
    """Create an experiment and print its id."""
    client = MlflowClient()
    experiment_id = client.create_experiment(name)
    if json_:
        print_json(client.get_experiment(experiment_id))
    else:
        say(experiment_id)


@experiments.command()
@click.argument("experiment")
@click.argument("name")
@as_json
def rename(experiment: str, name: str, json_: bool) -> None:
    """Rename an experiment; its id stays."""
    client = MlflowClient()
    chosen = lookup.experiment(client, experiment).experiment_id
    client.rename_experiment(chosen, name)
    _tell(client, chosen, json_, f"Renamed {experiment!r} to {name!r}.")


@experiments.command()
@click.argument("experiment")
@as_json
def delete(experiment: str, json_: bool) -> None:
    """Hide an experiment until `gitml experiments restore`."""
    client = MlflowClient()
    chosen = lookup.experiment(client, experiment).experiment_id
    client.delete_experiment(chosen)
    undo = f"gitml experiments restore {shlex.quote(experiment)}"
    sentence = f"Deleted experiment {experiment!r}. To undo: {undo}"
    _tell(client, chosen, json_, sentence)


@experiments.command()
@click.argument("experiment")
@as_json
def restore(experiment: str, json_: bool) -> None:
    """Restore a deleted experiment."""
    client = MlflowClient()
    chosen = lookup.experiment(client, experiment).experiment_id
    client.restore_experiment(chosen)
    _tell(client, chosen, json_, f"Restored experiment {experiment!r}.")


def _tell(client: MlflowClient, experiment_id: str, json_: bool, sentence: str) -> None:
    if json_:
        print_json(client.get_experiment(experiment_id))
    else:
        talk(sentence)
