"""Points of equal step and time stay in the order in which they were logged, wherever one looks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.entities import Metric
from gitml.publishing.repository_source import RepositorySource
from gitml.repository import Repository
from gitml.sharing import push_pull
from gitml.site.data import columns
from tests.cli.conftest import shell
from tests.clones import exchange, origin_and_clone
from tests.conftest import Clock, git

FALLING = [0.9, 0.7, 0.8, 0.7, 0.5]


def log_falling() -> None:
    for value in FALLING:
        gitml.log_metric("loss", value)


def client(folder: Path) -> gitml.MlflowClient:
    return gitml.MlflowClient(folder)


def values(folder: Path, run_id: str, key: str = "loss") -> list[float]:
    return [point.value for point in client(folder).get_metric_history(run_id, key)]


def last(folder: Path, run_id: str, key: str = "loss") -> float:
    return client(folder).get_run(run_id).data.metrics[key]


def test_the_last_value_logged_in_a_millisecond_is_the_last_value(
    clock: Clock, tracked: Path
) -> None:
    with gitml.start_run() as run:
        log_falling()
        assert (values(tracked, run.info.run_id), last(tracked, run.info.run_id)) == (FALLING, 0.5)
    assert (values(tracked, run.info.run_id), last(tracked, run.info.run_id)) == (FALLING, 0.5)
    summary = client(tracked).get_run(run.info.run_id).data.summaries["loss"]
    assert (summary.count, summary.min, summary.max) == (5, 0.5, 0.9)


def test_searches_tables_curves_and_gates_agree(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        log_falling()
    matches = gitml.search_runs(filter_string="metrics.loss < 0.6", output_format="list")
    assert [match.info.run_id for match in matches] == [run.info.run_id]

    printed = shell("metrics", "history", run.info.run_id, "loss", "--csv", cwd=tracked)
    assert [float(line.split(",")[2]) for line in printed.stdout.split()[1:]] == FALLING

    source = RepositorySource(Repository.open(tracked))
    (curve,) = columns.curves(source.history(run.info.run_id), run.info.start_time)
    assert curve[3] == FALLING

    record = git(tracked, "show", f"gitml/runs:{_folder(tracked, run.info.run_id)}/run.json")
    assert json.loads(record)["metrics"] == {"loss": 0.5}


def _folder(repository: Path, run_id: str) -> str:
    paths = git(repository, "ls-tree", "-r", "--name-only", "gitml/runs").split()
    return next(p for p in paths if p.endswith(f"{run_id}/run.json")).removesuffix("/run.json")


def test_a_batch_of_values_keeps_its_order(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        points = [Metric(key="loss", value=value, timestamp=5, step=3) for value in FALLING]
        client(tracked).log_batch(run.info.run_id, metrics=points)
        gitml.log_metrics({"loss": 0.4}, step=3, timestamp=5)
    assert values(tracked, run.info.run_id) == [*FALLING, 0.4]
    assert last(tracked, run.info.run_id) == 0.4


def test_runs_of_a_batch_keep_the_order(clock: Clock, tracked: Path) -> None:
    with gitml.batch(), gitml.start_run() as run:
        log_falling()
    assert values(tracked, run.info.run_id) == FALLING


def test_late_points_and_those_of_a_resumed_run_come_last(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        log_falling()
    run_id = run.info.run_id
    moment = clock.ms
    client(tracked).log_metric(run_id, "loss", 0.85, timestamp=moment)
    client(tracked).log_metric(run_id, "loss", 0.85, timestamp=moment)  # a repeated request
    with gitml.start_run(run_id):
        gitml.log_metric("loss", 0.95, timestamp=moment)
        gitml.log_metric("loss", 0.65, timestamp=moment)
    assert values(tracked, run_id) == [*FALLING, 0.85, 0.95, 0.65]
    assert last(tracked, run_id) == 0.65


def test_a_step_beats_a_time_and_a_time_beats_the_order(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_metric("step", 1.0, step=2)
        gitml.log_metric("step", 2.0, step=1)
        gitml.log_metric("time", 1.0, timestamp=20)
        gitml.log_metric("time", 2.0, timestamp=10)
    metrics = client(tracked).get_run(run.info.run_id).data.metrics
    assert metrics == {"step": 1.0, "time": 1.0}


def test_a_clock_that_goes_back_does_not_turn_the_order_round(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        for value in FALLING:
            gitml.log_metric("loss", value)
            clock.ms -= 3_600_000
    assert values(tracked, run.info.run_id) == FALLING
    assert last(tracked, run.info.run_id) == 0.5


OTHER_WRITER = """
import sys, gitml
from gitml import config
config.now_ms = lambda: int(sys.argv[2])
client = gitml.MlflowClient()
for value in (0.3, 0.2):
    client.log_metric(sys.argv[1], "loss", value)
"""


def test_a_second_process_comes_after_what_it_saw(clock: Clock, tracked: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with gitml.start_run() as run:
        log_falling()
        subprocess.run(
            [sys.executable, "-c", OTHER_WRITER, run.info.run_id, str(clock.ms)],
            cwd=tracked, env=environment, check=True,
        )  # fmt: skip
        assert values(tracked, run.info.run_id) == [*FALLING, 0.3, 0.2]
    assert last(tracked, run.info.run_id) == 0.2


@pytest.mark.slow
def test_clones_that_both_went_on_with_a_run_agree_and_keep_both_orders(
    clock: Clock, tmp_path: Path
) -> None:
    folders = [origin_and_clone(tmp_path, "ada"), tmp_path / "bob"]
    ada = client(folders[0])
    run_id = ada.create_run(ada.create_experiment("shared")).info.run_id
    for value in FALLING:
        ada.log_metric(run_id, "loss", value)
    ada.set_terminated(run_id)
    push_pull.push(ada.repository)
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "bob")
    bob = client(folders[1])
    more = {ada: [0.45, 0.4], bob: [0.35, 0.6]}
    for who, late in more.items():
        for value in late:
            who.log_metric(run_id, "loss", value, timestamp=clock.ms)
    exchange(*folders)
    first, second = (values(folder, run_id) for folder in folders)
    assert first == second
    assert (first[:5], len(first)) == (FALLING, 9)
    for late in more.values():
        assert [value for value in first if value in late] == late
