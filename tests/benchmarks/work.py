"""The work that is measured, for the module named on the command line; prints JSON."""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable


def median_ms(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


def main() -> None:
    name = sys.argv[1]
    command = [sys.executable, "-c", f"import {name}"]
    nothing = [sys.executable, "-c", "pass"]
    found = {
        "import": median_ms(lambda: subprocess.run(command, check=True), 3)
        - median_ms(lambda: subprocess.run(nothing, check=True), 3)
    }
    mlflow = importlib.import_module(name)
    mlflow.set_experiment("bench")

    def one_run(number: int) -> None:
        with mlflow.start_run():
            for key in range(10):
                mlflow.log_param(f"p{key}", number % (key + 2))
            for key in range(5):
                mlflow.log_metric(f"m{key}", (number * 7919 + key) % 1000 / 1000)

    one_run(0)
    numbers = iter(range(1, 1000))
    found["run"] = median_ms(lambda: one_run(next(numbers)), 30)
    with mlflow.start_run():
        mlflow.log_metric("loss", 0.0)
        steps = iter(range(1, 10_000))
        calls = 2000 if name == "gitml" else 200
        found["log_metric"] = (
            median_ms(lambda: mlflow.log_metric("loss", 0.5, step=next(steps)), calls) * 1000
        )
    for number in numbers:
        one_run(number)
    query = {"filter_string": "metrics.m1 > 0.2 and params.p3 = '1'", "order_by": ["metrics.m2"]}
    client = mlflow.MlflowClient()
    experiment = mlflow.get_experiment_by_name("bench").experiment_id
    client.search_runs([experiment], max_results=100, **query)
    found["search"] = median_ms(
        lambda: client.search_runs([experiment], max_results=100, **query), 5
    )
    found["frame"] = median_ms(mlflow.search_runs, 3)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
