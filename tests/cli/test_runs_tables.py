"""Tables of runs: chosen columns, comparisons, searches for programs, histories of metrics."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

import gitml
from gitml.cli import columns
from gitml.entities import Run, RunData, RunInfo
from tests.cli.conftest import Cli, loaded, log_run


def test_columns_are_chosen_and_may_be_quoted(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    heading, line = cli(
        "runs", "list", "--columns", "run_name,metrics.rmse", "--columns", "params.`alpha`,tags.x"
    ).stdout.splitlines()
    assert heading.split() == ["RUN_NAME", "metrics.rmse", "params.alpha", "tags.x"]
    assert line.split() == ["first", "1.5", "0.5", "-"]
    rows = loaded(cli("runs", "list", "--columns", "attributes.run_id, metrics.rmse", "--json"))
    assert rows == [{"run_id": run_id, "metrics.rmse": 1.5}]


def test_unknown_column_lists_the_columns_that_may_be_meant(cli: Cli) -> None:
    result = cli("runs", "list", "--columns", "speed", code=2)
    assert "No column 'speed'" in result.stderr
    assert "Is it metrics.speed, params.speed or tags.speed?" in result.stderr


def test_search_prints_all_fields_as_csv_and_json(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository, "one", rmse=1 / 3)
    log_run(repository, "two", rmse=2)

    text = cli("runs", "search", "metrics.rmse < 1", "--csv").stdout
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["run_id"], row["run_name"], row["experiment_name"]) == (run_id, "one", "house")
    assert (float(row["metrics.rmse"]), row["params.alpha"]) == (1 / 3, "0.5")
    assert row["tags.mlflow.note.content"] == r"# A note\nwith two lines"
    (run,) = loaded(cli("runs", "search", "metrics.rmse < 1", "--json"))
    assert (run["run_id"], run["params"]) == (run_id, {"alpha": "0.5"})
    assert len(cli("runs", "search", "").stdout.splitlines()) == 3


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\t=1", "  =1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_becomes_a_formula(text: str) -> None:
    info = RunInfo(run_id="0" * 32, experiment_id="e", run_name=text, user_id="a",
                   status="FINISHED", start_time=0)  # fmt: skip
    run = Run(info=info, data=RunData(params={"x": "-0.5"}, metrics={text: -1.5}))
    chosen = columns.everything([run])
    lines = list(columns.to_csv(chosen, [[columns.cell(run, column, text) for column in chosen]]))
    titles, cells = csv.reader(lines)

    row = dict(zip(titles, cells, strict=True))
    assert row["run_name"][0] in "'\\"  # a quote, or the escape of a control character
    assert row["experiment_name"] == row["run_name"]
    assert row["params.x"] == "-0.5"
    assert "-1.5" in cells


def test_compare_prints_differences(cli: Cli, repository: Path) -> None:
    ids = [log_run(repository, "one", rmse=1), log_run(repository, "two", rmse=2)]
    client = gitml.MlflowClient(repository)
    client.log_param(ids[1], "depth", 3)
    client.set_tag(ids[0], "team", "a")
    client.log_inputs(ids[0], [gitml.Dataset(name="houses", digest="abc", context="train")])

    result = loaded(cli("runs", "compare", *ids, "--json"))
    assert result["runs"] == ids
    assert {(row["kind"], row["name"]): row["values"] for row in result["rows"]} == {
        ("attributes", "run_name"): ["one", "two"],
        ("params", "depth"): [None, "3"],
        ("metrics", "rmse"): [1, 2],
        ("tags", "team"): ["a", None],
        ("datasets", "houses (train)"): ["abc", None],
    }
    text = cli("runs", "compare", "one", "two").stdout
    assert "alpha" not in text
    assert "alpha" in cli("runs", "compare", "one", "two", "--all").stdout
    assert cli("runs", "compare", ids[0], ids[0]).stderr == "The runs are the same.\n"
    assert "at least two" in cli("runs", "compare", ids[0], code=2).stderr


def test_compare_includes_code_and_environment(tracked: Path, cli: Cli) -> None:
    ids = []
    for text in ("print(1)\n", "print(2)\n"):
        (tracked / "train.py").write_text(text)
        with gitml.start_run() as run:
            ids.append(run.info.run_id)

    rows = loaded(cli("runs", "compare", *ids, "--all", "--json"))["rows"]
    (changes,) = [row for row in rows if row["name"] == "uncommitted changes"]
    assert changes["differs"] and all(value.startswith("patch ") for value in changes["values"])
    (commit,) = [row for row in rows if (row["kind"], row["name"]) == ("source", "commit")]
    assert not commit["differs"]
    assert {"python", "click"} <= {row["name"] for row in rows if row["kind"] == "environment"}


def test_the_history_of_a_metric(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)
    client = gitml.MlflowClient(repository)
    client.log_metric(run_id, "rmse", 1 / 3, step=2, timestamp=4_000_000_000_000)

    points = loaded(cli("metrics", "history", "first", "rmse", "--json"))
    assert [(point["step"], point["value"]) for point in points] == [(1, 1.5), (2, 1 / 3)]
    lines = cli("metrics", "history", "first", "rmse", "--csv").stdout.splitlines()
    assert (lines[0], lines[2]) == ("step,timestamp,value", f"2,4000000000000,{1 / 3!r}")
    assert cli("metrics", "history", "first", "rmse").stdout.split()[:3] == [
        "STEP",
        "TIME",
        "VALUE",
    ]
    assert "It has: rmse" in cli("metrics", "history", "first", "mae", code=3).stderr
