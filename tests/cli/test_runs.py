"""``gitml runs`` and ``gitml experiments``."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.conftest import Cli, loaded, log_run

KEYS = {
    "run_id", "experiment_id", "run_name", "user_id", "status", "start_time", "end_time",
    "lifecycle_stage", "experiment_name", "artifact_uri", "metrics", "params", "tags",
}  # fmt: skip


def test_list_filters_orders_and_cuts(cli: Cli, repository: Path) -> None:
    ids = [log_run(repository, f"run {n}", rmse=n) for n in range(3)]
    other = log_run(repository, "elsewhere", "garden", rmse=0.5)

    runs = loaded(cli("runs", "list", "--json"))
    assert {run["run_id"] for run in runs} == {*ids, other}
    assert set(runs[0]) == KEYS
    runs = loaded(
        cli("runs", "list", "--experiment", "house", "--filter", "metrics.rmse >= 1",
            "--order-by", "metrics.rmse DESC", "--json")
    )  # fmt: skip
    assert [(run["run_name"], run["metrics"]) for run in runs] == [
        ("run 2", {"rmse": 2}), ("run 1", {"rmse": 1}),
    ]  # fmt: skip
    cut = cli("runs", "list", "--max-results", "1")
    assert len(cut.stdout.splitlines()) == 2
    assert "Only the first" in cut.stderr


def test_list_into_a_pipe_is_aligned_plain_text(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    heading, line = cli("runs", "list").stdout.splitlines()
    assert heading.split() == [
        "RUN",
        "NAME",
        "EXPERIMENT",
        "STATUS",
        "STARTED",
        "TOOK_MS",
        "METRICS",
    ]
    cells = line.split()
    assert [*cells[:4], cells[6]] == [run_id, "first", "house", "FINISHED", "rmse=1.5"]
    assert heading.index("STATUS") == line.index("FINISHED")


def test_an_empty_repository_lists_nothing(cli: Cli) -> None:
    result = cli("runs", "list")
    assert (result.stdout, result.stderr) == ("", "No runs.\n")
    assert loaded(cli("runs", "list", "--json")) == []
    assert loaded(cli("experiments", "list", "--json")) == []


def test_show_accepts_an_id_its_first_digits_and_a_name(cli: Cli, repository: Path) -> None:
    log_run(repository, 'it\'s "mine"')
    newest = log_run(repository, 'it\'s "mine"')

    for text in (newest, newest[:6], newest[:6].upper(), 'it\'s "mine"'):
        assert loaded(cli("runs", "show", text, "--json"))["run_id"] == newest


def test_show_prints_all_parts_of_a_run(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    document = loaded(cli("runs", "show", "first", "--json"))
    assert set(document) == KEYS | {
        "summaries", "source", "inputs", "models", "artifacts", "conflicts",
    }  # fmt: skip
    assert (document["run_id"], document["experiment_name"]) == (run_id, "house")
    assert document["summaries"]["rmse"]["count"] == 1
    assert [artifact["path"] for artifact in document["artifacts"]] == ["notes/hello.txt"]
    text = cli("runs", "show", "first").stdout
    for part in (run_id, "alpha:  0.5", "rmse:  1.5", "notes/hello.txt:  5", "  # A note\n"):
        assert part in text


def test_a_deleted_run_is_hidden_until_it_is_restored(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    assert run_id in cli("runs", "delete", "first").stderr
    assert loaded(cli("runs", "list", "--json")) == []
    for flag in ("--deleted", "--all"):
        (run,) = loaded(cli("runs", "list", flag, "--json"))
        assert (run["run_id"], run["lifecycle_stage"]) == (run_id, "deleted")
    restored = loaded(cli("runs", "restore", "first", "--json"))
    assert (restored["lifecycle_stage"], restored["experiment_name"]) == ("active", "house")
    assert [run["run_id"] for run in loaded(cli("runs", "list", "--json"))] == [run_id]


def test_experiments_are_counted_renamed_deleted_and_restored(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)
    assert cli("experiments", "create", "garden / shed").stdout == "garden%20%2F%20shed\n"

    experiments = {
        experiment["name"]: experiment
        for experiment in loaded(cli("experiments", "list", "--json"))
    }
    counts = {name: (e["runs"], e["last_run_id"]) for name, e in experiments.items()}
    assert counts == {"house": (1, run_id), "garden / shed": (0, None)}
    renamed = loaded(cli("experiments", "rename", "house", "home", "--json"))
    assert (renamed["name"], renamed["experiment_id"]) == ("home", "house")
    cli("experiments", "delete", "home")
    names = [experiment["name"] for experiment in loaded(cli("experiments", "list", "--json"))]
    assert names == ["garden / shed"]
    assert loaded(cli("runs", "list", "--json")) == []
    cli("experiments", "restore", "house")  # its id is still that of its first name
    lines = cli("experiments", "list", "--all").stdout.splitlines()
    assert sorted(line.split()[0] for line in lines) == ["EXPERIMENT", "garden", "home"]


def test_facts_in_a_pipe_have_units(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    took = next(line for line in cli("runs", "show", run_id).stdout.splitlines() if "Took" in line)
    assert re.fullmatch(r"Took: +\d+ ms", took)
