"""Many runs of 10 params and 5 metrics, put into a store the shortest way that it has."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

EXPERIMENT = "bench"


def load(name: str, count: int) -> None:
    if name == "gitml":
        load_gitml(count)
    else:
        load_mlflow(count)


def load_gitml(count: int, params: int = 10, metrics: int = 5) -> None:
    from gitml.tracking.client import TrackingClient

    repository = TrackingClient().repository
    experiment = repository.experiments.create(EXPERIMENT, {}, exist_ok=True)
    repository.runs.add_all(made(experiment, count, params, metrics))


def made(experiment: str, count: int, params: int = 10, metrics: int = 5) -> Iterator[Any]:
    from gitml.store.in_progress.fold import fold

    for number in range(count):
        started = 1_700_000_000_000 + number * 1000
        header = {
            "run_id": f"{(number * 2654435761) % 2**32:08x}{number:024x}",
            "experiment_id": experiment,
            "run_name": f"run {number}",
            "user_id": "bench",
            "start_time": started,
        }
        chosen = [["param", f"p{key}", str(number % (key + 2)), started] for key in range(params)]
        measured = [
            ["metric", f"m{key}", (number * 7919 + key) % 1000 / 1000, 0, started]
            for key in range(metrics)
        ]
        end = ["status", "FINISHED", started + 500, started + 500]
        tag = ["tag", "mlflow.runName", f"run {number}", started]
        yield fold(None, [["start", header], tag, *chosen, *measured, end])


def load_mlflow(count: int) -> None:
    mlflow: Any = importlib.import_module("mlflow")
    entities: Any = importlib.import_module("mlflow.entities")
    store = mlflow.MlflowClient()._tracking_client.store
    experiment = mlflow.get_experiment_by_name(EXPERIMENT).experiment_id
    for number in range(count):
        started = 1_700_000_000_000 + number * 1000
        info = store.create_run(experiment, "bench", started, [], f"run {number}").info
        params = [entities.Param(f"p{key}", str(number % (key + 2))) for key in range(10)]
        metrics = [
            entities.Metric(f"m{key}", (number * 7919 + key) % 1000 / 1000, started, 0)
            for key in range(5)
        ]
        store.log_batch(info.run_id, metrics, params, [])
        store.update_run_info(info.run_id, entities.RunStatus.FINISHED, started + 500, None)
