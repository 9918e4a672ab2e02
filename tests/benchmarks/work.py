"""The work that is measured, for the module named on the command line; prints JSON."""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.loading import EXPERIMENT, load

QUERY = {"filter_string": "metrics.m1 > 0.2 and params.p3 = '1'", "order_by": ["metrics.m2"]}


def median_ms(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


def calls(name: str) -> dict[str, float]:
    """Import, one log call, one whole run."""
    command = [sys.executable, "-c", f"import {name}"]
    nothing = [sys.executable, "-c", "pass"]
    figures = {
        "import": median_ms(lambda: subprocess.run(command, check=True), 3)
        - median_ms(lambda: subprocess.run(nothing, check=True), 3)
    }
    mlflow = importlib.import_module(name)
    mlflow.set_experiment(EXPERIMENT)
    numbers = iter(range(1000))
    log_run(mlflow, next(numbers))
    figures["run"] = median_ms(lambda: log_run(mlflow, next(numbers)), 40)
    with mlflow.start_run():
        mlflow.log_metric("loss", 0.0)
        steps = iter(range(1, 10_000))
        times = 2000 if name == "gitml" else 200
        figures["log_metric"] = 1000 * median_ms(
            lambda: mlflow.log_metric("loss", 0.5, step=next(steps)), times
        )
    return figures


def log_run(mlflow: Any, number: int) -> None:
    with mlflow.start_run():
        for key in range(10):
            mlflow.log_param(f"p{key}", number % (key + 2))
        for key in range(5):
            mlflow.log_metric(f"m{key}", (number * 7919 + key) % 1000 / 1000)


def searches(name: str, count: int) -> dict[str, float]:
    """Search and a DataFrame over many runs, which are loaded the shortest way there is."""
    mlflow = importlib.import_module(name)
    mlflow.set_experiment(EXPERIMENT)
    start = time.perf_counter()
    load(name, count)
    loaded = time.perf_counter() - start
    client = mlflow.MlflowClient()
    ids = [mlflow.get_experiment_by_name(EXPERIMENT).experiment_id]
    client.search_runs(ids, max_results=100, **QUERY)
    return {
        "load": loaded / count * 1e6,
        "search": median_ms(lambda: client.search_runs(ids, max_results=100, **QUERY), 5),
        "frame": median_ms(lambda: mlflow.search_runs(max_results=count), 3),
    }


if __name__ == "__main__":
    part, module, *size = sys.argv[1:]
    print(json.dumps(calls(module) if part == "calls" else searches(module, int(size[0]))))
