"""``gitml runs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from gitml.cli import columns, comparison, lookup
from gitml.cli.cells import Cell, Identifier, When, figures, for_people, metric_pairs
from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_csv, as_json
from gitml.cli.output import print_csv, print_json, table, talk
from gitml.cli.run_details import document, print_run, summary
from gitml.client import MlflowClient
from gitml.entities import PagedList, Run, ViewType
from gitml.errors import InvalidInput
from gitml.text import escape_controls

Names = Mapping[str, str]  # of experiments, by id
_VIEWS = {None: ViewType.ACTIVE_ONLY, "all": ViewType.ALL, "deleted": ViewType.DELETED_ONLY}
_VALUE_WIDTH = 60  # characters of a value that `compare` shows


@click.group(cls=CommandGroup)
def runs() -> None:
    """List, show, compare, search, delete and restore runs."""


@runs.command("list")
@click.option("--experiment", multiple=True, metavar="NAME", help="Only runs of this experiment.")
@click.option("--filter", "filter_", metavar="EXPR", help='Such as "metrics.rmse < 3.5".')
@click.option("--order-by", multiple=True, metavar="KEY", help='Such as "metrics.rmse ASC".')
@click.option("--max-results", type=int, default=100, show_default=True, metavar="N")
@click.option(
    "--columns", "columns_", multiple=True, metavar="NAMES",
    help='Columns, such as "run_name,metrics.rmse,params.depth,tags.team".',
)  # fmt: skip
@click.option("--all", "view", flag_value="all", help="Include deleted runs.")
@click.option("--deleted", "view", flag_value="deleted", help="Only deleted runs.")
@as_csv
@as_json
def list_command(
    experiment: tuple[str, ...],
    filter_: str | None,
    order_by: tuple[str, ...],
    max_results: int,
    columns_: tuple[str, ...],
    view: str | None,
    csv_: bool,
    json_: bool,
) -> None:
    """List runs, newest first.

    --filter is in MLflow's language: metrics., params., tags., datasets. and attributes.,
    combined with AND, OR and NOT. A param compared with a number counts as a number; start_time
    and duration are in ms.
    --columns names attributes (run_id, run_name, experiment_name, status, start_time, duration,
    user_id, commit …), metrics.KEY, params.KEY and tags.KEY.
    """
    names_of_columns = columns.parse(columns_)
    page, names = _search(experiment, filter_, order_by, max_results, view)
    _print_page(page, names, names_of_columns, csv_, json_)
    _tell_of_more(page, max_results)


@runs.command()
@click.argument("expr", metavar="EXPR")
@click.option("--experiment", multiple=True, metavar="NAME", help="Only runs of this experiment.")
@click.option("--order-by", multiple=True, metavar="KEY", help='Such as "metrics.rmse ASC".')
@click.option("--max-results", type=int, default=50_000, show_default=True, metavar="N")
@click.option("--all", "view", flag_value="all", help="Include deleted runs.")
@as_csv
@as_json
def search(
    expr: str,
    experiment: tuple[str, ...],
    order_by: tuple[str, ...],
    max_results: int,
    view: str | None,
    csv_: bool,
    json_: bool,
) -> None:
    """Find runs and print all their fields, for programs and spreadsheets.

    EXPR is in the language of `gitml runs list --filter`; "" finds all runs.
    """
    page, names = _search(experiment, expr, order_by, max_results, view)
    _print_page(page, names, columns.everything(page) if csv_ else (), csv_, json_)
    _tell_of_more(page, max_results)


def _tell_of_more(page: PagedList[Run], count: int) -> None:
    if page.token:
        talk(f"Only the first {count} runs; --max-results gives more.")


def _search(
    experiment: tuple[str, ...],
    filter_: str | None,
    order_by: tuple[str, ...],
    max_results: int,
    view: str | None,
) -> tuple[PagedList[Run], Names]:
    """Search runs; also returns the names of all experiments by id."""
    client = MlflowClient()
    names = {e.experiment_id: e.name for e in client.search_experiments(ViewType.ALL, None)}
    ids = [lookup.experiment(client, name).experiment_id for name in experiment]
    page = client.search_runs(
        ids or _default_experiments(client, view), filter_ or "", _VIEWS[view], max_results,
        order_by,
    )  # fmt: skip
    return page, names


def _default_experiments(client: MlflowClient, view: str | None) -> list[str] | None:
    """Return the experiments to search where none is given; deleted ones only with their runs."""
    if view is not None:
        return None
    return [e.experiment_id for e in client.search_experiments(max_results=None)]


def _print_page(
    page: PagedList[Run], names: Names, columns_: Sequence[str], csv_: bool, json_: bool
) -> None:
    if json_ and not columns_:
        print_json([summary(run, _experiment_name(run, names)) for run in page])
        return
    if csv_ and not columns_:
        columns_ = columns.everything(page)
    rows = [
        [columns.cell(run, column, _experiment_name(run, names)) for column in columns_]
        for run in page
    ]
    if json_:
        values = ([columns.plain(cell) for cell in row] for row in rows)
        print_json([dict(zip(columns_, row, strict=True)) for row in values])
    elif csv_:
        print_csv(columns.to_csv(columns_, rows))
    elif columns_:
        table([_title(column) for column in columns_], rows, empty="No runs.")
    else:
        _print_list(page, names)


def _title(column: str) -> str:
    return escape_controls(column) if "." in column else column.upper()


def _print_list(runs: Sequence[Run], names: Names) -> None:
    table(
        ("RUN", "NAME", "EXPERIMENT", "STATUS", "STARTED", "TOOK", "METRICS"),
        [
            _row(run, names, metrics)
            for run, metrics in zip(
                runs, metric_pairs([run.data.metrics for run in runs]), strict=True
            )
        ],
        empty="No runs.",
        spare=("TOOK", "EXPERIMENT"),
    )


@runs.command()
@click.argument("runs_", metavar="RUN RUN…", nargs=-1, required=True)
@click.option("--all", "all_", is_flag=True, help="Also show what is the same.")
@as_json
def compare(runs_: tuple[str, ...], all_: bool, json_: bool) -> None:
    """Show the differences of runs: params, metrics, tags, data, code, environment.

    RUN is an id, its first digits, or a name. Long values are cut to where they begin to differ;
    --json prints them in full.
    """
    if len(runs_) < 2:
        raise InvalidInput("`gitml runs compare` needs at least two runs.")
    client = MlflowClient()
    compared = [client.repository.files(lookup.run_id(client, run)) for run in runs_]
    rows = [row for row in comparison.compare(compared) if all_ or row.differs]
    infos = [files.record.run.info for files in compared]
    if json_:
        print_json({"runs": [info.run_id for info in infos], "rows": rows})
        return
    table(
        ("", "", *(for_people(Identifier(info.run_id), 0) for info in infos)),
        [
            (row.kind, row.name, *figures(comparison.excerpts(row.values, _VALUE_WIDTH)))
            for row in rows
        ],
        empty="The runs are the same.",
    )


def _row(run: Run, names: Names, metrics: str) -> tuple[Cell, ...]:
    info = run.info
    return (
        Identifier(info.run_id),
        info.run_name,
        _experiment_name(run, names),
        info.status,
        When(info.start_time),
        columns.took(run),
        metrics,
    )


def _experiment_name(run: Run, names: Names) -> str:
    """Return the name of a run's experiment; its id where the experiment's record is unreadable."""
    return names.get(run.info.experiment_id, run.info.experiment_id)


@runs.command()
@click.argument("run")
@as_json
def show(run: str, json_: bool) -> None:
    """Show everything about a run.

    RUN is an id, its first digits, or the name of a run (the newest one of that name).
    """
    client = MlflowClient()
    files = client.repository.files(lookup.run_id(client, run))
    experiment = _name_of(client, files.record.run)
    if json_:
        print_json(document(files, experiment))
    else:
        print_run(files, experiment)


def _name_of(client: MlflowClient, run: Run) -> str:
    """Return the name of a run's experiment; its id where the experiment's record is unreadable."""
    experiment = client.repository.index().experiment(run.info.experiment_id)
    return experiment.name if experiment else run.info.experiment_id


@runs.command()
@click.argument("run")
@as_json
def delete(run: str, json_: bool) -> None:
    """Hide a run until `gitml runs restore`."""
    client = MlflowClient()
    run_id = lookup.run_id(client, run)
    client.delete_run(run_id)
    sentence = f"Deleted run {run_id}. To undo: gitml runs restore {run_id}"
    _tell(client, run_id, json_, sentence)


@runs.command()
@click.argument("run")
@as_json
def restore(run: str, json_: bool) -> None:
    """Restore a deleted run."""
    client = MlflowClient()
    run_id = lookup.run_id(client, run)
    client.restore_run(run_id)
    _tell(client, run_id, json_, f"Restored run {run_id}.")


def _tell(client: MlflowClient, run_id: str, json_: bool, sentence: str) -> None:
    if json_:
        run = client.get_run(run_id)
        print_json(summary(run, _name_of(client, run)))
    else:
        talk(sentence)
