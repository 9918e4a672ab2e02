"""``gitml runs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from gitml.cli import columns, compare as comparing, lookup
from gitml.cli.cells import Cell, Identifier, Size, When, for_people, pairs
from gitml.cli.options import as_csv, as_json
from gitml.cli.output import facts, heading, print_csv, print_json, say, table, talk
from gitml.client import MlflowClient
from gitml.entities import LifecycleStage, Run, ViewType
from gitml.errors import InvalidInput
from gitml.formats.run_records import RunFiles
from gitml.query.filters import RunQuery
from gitml.store.index.index import Index, Page
from gitml.text import escape_controls, format_number
from gitml.tracking.client import NOTE_TAG

_VIEWS = {None: ViewType.ACTIVE_ONLY, "all": ViewType.ALL, "deleted": ViewType.DELETED_ONLY}
_INTERNAL = ("mlflow.", "gitml.")  # tags that facts above them repeat
_LONGEST = 60  # characters of a value that `compare` shows


@click.group()
def runs() -> None:
    """List, show, compare, search, delete and restore runs."""


@runs.command("list")
@click.option("--experiment", multiple=True, metavar="NAME", help="Only runs of this experiment.")
@click.option("--filter", "filter_", metavar="EXPR", help='Such as "metrics.rmse < 3.5".')
@click.option("--order-by", multiple=True, metavar="KEY", help='Such as "metrics.rmse ASC".')
@click.option("--max-results", type=int, default=100, show_default=True, metavar="N")
@click.option(
    "--columns", "columns_", multiple=True, metavar="NAMES",
    help='What to show, such as "run_name,metrics.rmse,params.depth,tags.team".',
)  # fmt: skip
@click.option("--all", "view", flag_value="all", help="Deleted runs too.")
@click.option("--deleted", "view", flag_value="deleted", help="Only deleted runs.")
@as_csv
@as_json
def list_(
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

    --filter takes MLflow's language: metrics., params., tags., datasets. and attributes.,
    joined with AND, OR, NOT; a param compared with a number counts as one; start_time and
    duration are in ms.
    --columns names attributes (run_id, run_name, experiment_name, status, start_time, duration,
    user_id, commit …), metrics.KEY, params.KEY and tags.KEY.
    """
    chosen = columns.parse(columns_)
    page, known = _search(experiment, filter_, order_by, max_results, view)
    _print_page(page, known, chosen, csv_, json_)
    if page.token:
        talk(f"There are more; these are the first {max_results}. See --max-results.")


@runs.command()
@click.argument("expr", metavar="EXPR")
@click.option("--experiment", multiple=True, metavar="NAME", help="Only runs of this experiment.")
@click.option("--order-by", multiple=True, metavar="KEY", help='Such as "metrics.rmse ASC".')
@click.option("--max-results", type=int, default=50_000, show_default=True, metavar="N")
@click.option("--all", "view", flag_value="all", help="Deleted runs too.")
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
    page, known = _search(experiment, expr, order_by, max_results, view)
    _print_page(page, known, columns.everything(page.runs) if csv_ else (), csv_, json_)
    if page.token:
        talk(f"There are more; these are the first {max_results}. See --max-results.")


def _search(
    experiment: tuple[str, ...],
    filter_: str | None,
    order_by: tuple[str, ...],
    max_results: int,
    view: str | None,
) -> tuple[Page, dict[str, str]]:
    """Find runs; also gives the names of experiments by id."""
    client = MlflowClient()
    index = client.repository.index()
    known = {e.experiment_id: e.name for e in index.search_experiments(ViewType.ALL)}
    wanted = tuple(lookup.experiment(client, name).experiment_id for name in experiment)
    page = index.search_runs(
        RunQuery(
            experiment_ids=wanted or _everywhere(index, view),
            filter_string=filter_,
            order_by=order_by,
            run_view_type=_VIEWS[view],
            max_results=max_results,
        )
    )
    return page, known


def _print_page(
    page: Page, known: Mapping[str, str], chosen: Sequence[str], csv_: bool, json_: bool
) -> None:
    if json_ and not chosen:
        print_json([summary(run, _named(run, known)) for run in page.runs])
        return
    if csv_ and not chosen:
        chosen = columns.everything(page.runs)
    rows = [[columns.cell(run, one, _named(run, known)) for one in chosen] for run in page.runs]
    if json_:
        values = ([columns.plain(cell) for cell in row] for row in rows)
        print_json([dict(zip(chosen, row, strict=True)) for row in values])
    elif csv_:
        print_csv(columns.to_csv(chosen, rows))
    elif chosen:
        table([_title(one) for one in chosen], rows, empty="No runs.")
    else:
        _print_list(page, known)


def _title(column: str) -> str:
    return escape_controls(column) if "." in column else column.upper()


def _print_list(page: Page, known: Mapping[str, str]) -> None:
    table(
        ("RUN", "NAME", "EXPERIMENT", "STATUS", "STARTED", "TOOK", "METRICS"),
        [_row(run, known) for run in page.runs],
        empty="No runs.",
    )


@runs.command()
@click.argument("runs_", metavar="RUN RUN…", nargs=-1, required=True)
@click.option("--all", "all_", is_flag=True, help="Also what is the same.")
@as_json
def compare(runs_: tuple[str, ...], all_: bool, json_: bool) -> None:
    """Show in what runs differ: params, metrics, tags, data, code, environment.

    RUN is an id, its first digits, or a name. Long values are cut to where they begin to differ;
    --json has them whole.
    """
    if len(runs_) < 2:
        raise InvalidInput("There is nothing to compare.", hint="Give at least two runs.")
    client = MlflowClient()
    chosen = [client.repository.files(lookup.run_id(client, run)) for run in runs_]
    rows = [row for row in comparing.compare(chosen) if all_ or row.differs]
    infos = [files.record.run.info for files in chosen]
    if json_:
        print_json({"runs": [info.run_id for info in infos], "rows": rows})
        return
    table(
        ("", "", *(for_people(Identifier(info.run_id), 0) for info in infos)),
        [(row.kind, row.name, *comparing.excerpts(row.values, _LONGEST)) for row in rows],
        empty="The runs are the same.",
    )


def _everywhere(index: Index, view: str | None) -> tuple[str, ...] | None:
    """The experiments that count where none is named; deleted ones only if they were asked for."""
    if view is not None:
        return None
    return tuple(one.experiment_id for one in index.search_experiments())


def _row(run: Run, experiments: Mapping[str, str]) -> tuple[Cell, ...]:
    info = run.info
    return (
        Identifier(info.run_id),
        info.run_name,
        _named(run, experiments),
        info.status,
        When(info.start_time),
        columns.took(run),
        pairs(run.data.metrics),
    )


def _named(run: Run, experiments: Mapping[str, str]) -> str:
    return experiments.get(run.info.experiment_id, run.info.experiment_id)


def summary(run: Run, experiment: str) -> dict[str, Any]:
    """What ``--json`` tells of a run; times are ms since the Unix epoch."""
    info = run.info
    return {
        **dict(info),
        "experiment_name": experiment,
        "artifact_uri": info.artifact_uri,
        "metrics": run.data.metrics,
        "params": run.data.params,
        "tags": run.data.tags,
    }


@runs.command()
@click.argument("run")
@as_json
def show(run: str, json_: bool) -> None:
    """Show everything about a run.

    RUN is an id, its first digits, or the name of a run (the newest one of that name).
    """
    client = MlflowClient()
    files = client.repository.files(lookup.run_id(client, run))
    experiment = _experiment_name(client, files.record.run)
    if json_:
        print_json(_document(files, experiment))
    else:
        _print(files, experiment)


def _experiment_name(client: MlflowClient, run: Run) -> str:
    """The name of a run's experiment; its id where somebody made the record unreadable."""
    found = client.repository.index().experiment(run.info.experiment_id)
    return found.name if found else run.info.experiment_id


def _document(files: RunFiles, experiment: str) -> dict[str, Any]:
    run = files.record.run
    return {
        **summary(run, experiment),
        "summaries": run.data.summaries,
        "source": run.source,
        "inputs": run.inputs.dataset_inputs,
        "models": run.outputs.model_outputs,
        "artifacts": files.artifacts,
        "conflicts": run.conflicts,
    }


def _print(files: RunFiles, experiment: str) -> None:
    run = files.record.run
    info, source = run.info, run.source
    facts([
        ("Run", Identifier(info.run_id)),
        ("Name", info.run_name),
        ("Experiment", experiment),
        ("Status", info.status),
        ("State", "deleted" if info.lifecycle_stage == LifecycleStage.DELETED else None),
        ("Started", When(info.start_time)),
        ("Took", columns.took(run)),
        ("User", info.user_id),
        ("Source", source.name),
        ("Command", " ".join(source.command)),
        ("Commit", _commit(run)),
        ("Parent", run.parent_run_id),
    ])  # fmt: skip
    _section("Params", sorted(run.data.params.items()))
    _section(
        "Metrics", [(key, format_number(value)) for key, value in sorted(run.data.metrics.items())]
    )
    own = (pair for pair in sorted(run.data.tags.items()) if not pair[0].startswith(_INTERNAL))
    _section("Tags", list(own))
    _section("Models", [(m.path, ", ".join(m.flavors)) for m in run.outputs.model_outputs])
    _section("Datasets", [(d.name, d.digest) for d in run.inputs.dataset_inputs])
    _section("Artifacts", [(a.path, Size(a.size)) for a in files.artifacts])
    _section("Conflicts", [(key, ", ".join(texts)) for key, texts in run.conflicts.items()])
    note = run.data.tags.get(NOTE_TAG)
    if note:
        heading("Note")
        for line in note.splitlines():
            say(f"  {line}")


def _commit(run: Run) -> str:
    source = run.source
    branch = f" on {source.branch}" if source.branch else ""
    changed = ", with changes that were not committed" if source.dirty else ""
    return f"{source.commit}{branch}{changed}" if source.commit else ""


def _section(title: str, rows: list[tuple[str, Any]]) -> None:
    if rows:
        heading(title)
        facts([(f"  {key}", value) for key, value in rows])


@runs.command()
@click.argument("run")
@as_json
def delete(run: str, json_: bool) -> None:
    """Hide a run; `gitml runs restore` brings it back."""
    client = MlflowClient()
    chosen = lookup.run_id(client, run)
    client.delete_run(chosen)
    sentence = f"Deleted run {chosen}; `gitml runs restore {chosen}` brings it back."
    _tell(client, chosen, json_, sentence)


@runs.command()
@click.argument("run")
@as_json
def restore(run: str, json_: bool) -> None:
    """Bring a deleted run back."""
    client = MlflowClient()
    chosen = lookup.run_id(client, run)
    client.restore_run(chosen)
    _tell(client, chosen, json_, f"Restored run {chosen}.")


def _tell(client: MlflowClient, run_id: str, json_: bool, sentence: str) -> None:
    if json_:
        run = client.get_run(run_id)
        print_json(summary(run, _experiment_name(client, run)))
    else:
        talk(sentence)
