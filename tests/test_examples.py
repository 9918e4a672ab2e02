"""Every example, run as its reader runs it, logs what it promises."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import gitml
from gitml.entities import Run
from tests.conftest import git

EXAMPLES = Path(__file__).parents[1] / "examples"
MODEL_FILES = [
    "model/MLmodel", "model/conda.yaml", "model/input_example.json", "model/model.pkl",
    "model/python_env.yaml", "model/requirements.txt", "model/serving_input_example.json",
]  # fmt: skip


def run_example(repository: Path, script: str, *args: str) -> str:
    """Commit an example to a repository and run it there; returns what it prints."""
    shutil.copy(EXAMPLES / script, repository)
    git(repository, "add", script)
    git(repository, "commit", "-q", "-m", f"Add {script}")
    done = subprocess.run(
        [sys.executable, script, *args], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert git(repository, "status", "--porcelain") == ""
    return done.stdout


def runs_of(experiment: str) -> dict[str, Run]:
    runs = gitml.search_runs(experiment_names=[experiment], output_format="list")
    return {run.info.run_name: run for run in runs}


def history(run: Run, key: str) -> list[tuple[int, float]]:
    points = gitml.MlflowClient(gitml.get_tracking_uri()).get_metric_history(run.info.run_id, key)
    return [(point.step, point.value) for point in points]


def files(run: Run, folder: str | None = None) -> list[str]:
    client = gitml.MlflowClient(gitml.get_tracking_uri())
    paths = []
    for item in client.list_artifacts(run.info.run_id, folder):
        paths += files(run, item.path) if item.is_dir else [item.path]
    return paths


def own_tags(run: Run) -> dict[str, str]:
    return {key: v for key, v in run.data.tags.items() if not key.startswith("mlflow.")}


def test_minimal_logs_a_single_run_with_a_history(tracked: Path) -> None:
    run_example(tracked, "minimal.py")
    (run,) = runs_of("Default").values()
    assert (run.info.status, run.data.params, own_tags(run)) == (
        "FINISHED", {"rounds": "20"}, {"purpose": "first look"},
    )  # fmt: skip
    assert history(run, "error") == [(step, 0.8**step) for step in range(20)]


@pytest.mark.slow
def test_house_prices_registers_the_model_that_it_loads_again(tracked: Path) -> None:
    printed = run_example(tracked, "house_prices.py")
    (run,) = runs_of("house prices").values()
    assert run.info.status == "FINISHED"
    assert run.data.params.items() >= {"rows": "150", "fit_intercept": "True"}.items()
    assert {"rmse", "training_score", "training_r2_score"} <= run.data.metrics.keys()
    assert own_tags(run).items() >= {"estimator_name": "LinearRegression"}.items()

    (version,) = gitml.search_model_versions()
    assert (version.name, version.version, version.source) == (
        "HousePricePredictor", 1, f"runs:/{run.info.run_id}/house_price_model",
    )  # fmt: skip
    loaded = gitml.sklearn.load_model("models:/HousePricePredictor/1")
    price = loaded.predict(pd.DataFrame({"area": [100.0], "rooms": [4.0]}))[0]
    assert printed == f"HousePricePredictor 1: 100 m² with 4 rooms cost {price:,.0f}\n"
    assert price == pytest.approx(3_200 * 100 + 12_000 * 4, rel=0.05)


@pytest.mark.slow
def test_fuel_economy_logs_a_sweep_as_children_of_a_single_run(tracked: Path) -> None:
    printed = run_example(
        tracked, "fuel_economy.py", "--model", "forest", "boosting", "--rounds", "8",
        "--max-depth", "2", "--sweep", "trees", "--note", "Which *trees*?",
    )  # fmt: skip
    runs = runs_of("fuel economy")
    parent, child = runs["trees"], runs["boosting 0.1 2"]
    assert runs.keys() == {"trees", "forest 2", "boosting 0.1 2"}
    assert [line.split(":")[0] for line in printed.splitlines()] == ["forest 2", "boosting 0.1 2"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert [runs[name].parent_run_id for name in ("trees", "forest 2", "boosting 0.1 2")] == [
        None, parent.info.run_id, parent.info.run_id,
    ]  # fmt: skip
    errors = [runs[name].data.metrics["rmse"] for name in ("forest 2", "boosting 0.1 2")]
    assert parent.data.metrics == {"rmse": min(errors)}
    assert runs["forest 2"].data.params == {
        "model": "forest", "rounds": "8", "max_depth": "2", "seed": "7",
    }  # fmt: skip
    assert child.data.params == {
        "model": "boosting", "rounds": "8", "learning_rate": "0.1", "max_depth": "2", "seed": "7",
    }  # fmt: skip
    assert own_tags(child) == {"task": "regression", "columns": "7"}
    assert child.data.tags["mlflow.note.content"].startswith("Which *trees*?\n\nPredicts")
    (cars,) = child.inputs.dataset_inputs
    assert (cars.name, cars.context, cars.source_type, cars.profile) == (
        "cars", "training", "package", '{"num_rows": 392, "num_elements": 3528}',
    )  # fmt: skip
    assert parent.inputs.dataset_inputs == ()


@pytest.mark.slow
def test_fuel_economy_logs_errors_per_round_a_plot_and_a_signed_model(tracked: Path) -> None:
    run_example(tracked, "fuel_economy.py", "--model", "linear", "--rounds", "12")
    (run,) = runs_of("fuel economy").values()
    assert run.data.metrics.keys() == {"rmse", "train_rmse", "mae", "r2"}
    assert [step for step, _ in history(run, "rmse")] == list(range(1, 13))
    assert history(run, "train_rmse")[-1][1] < history(run, "train_rmse")[0][1]
    assert 2 < run.data.metrics["rmse"] < 5 and 0.6 < run.data.metrics["r2"] < 1
    skops = [name.replace("model.pkl", "model.skops") for name in MODEL_FILES]
    assert sorted(files(run)) in ([*MODEL_FILES, "predictions.png"], [*skops, "predictions.png"])

    model = gitml.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    signature = model.metadata.signature
    assert signature is not None and signature.inputs is not None
    assert signature.inputs.input_names() == [
        "Displacement", "Horsepower", "Weight_in_lbs", "Acceleration", "Cylinders", "Year",
        "Origin",
    ]  # fmt: skip


@pytest.mark.slow
def test_fuel_economy_leaves_a_failed_run_where_training_diverges(tracked: Path) -> None:
    shutil.copy(EXAMPLES / "fuel_economy.py", tracked)
    done = subprocess.run(
        [sys.executable, "fuel_economy.py", "--model", "linear", "--learning-rate", "0.8"],
        cwd=tracked, capture_output=True, text=True,
    )  # fmt: skip
    (run,) = runs_of("fuel economy").values()
    assert (done.returncode, run.info.status) == (1, "FAILED")
    assert "ArithmeticError: linear 0.8 diverged in round 1" in done.stderr


@pytest.mark.slow
def test_seattle_weather_logs_a_learning_curve_per_model(tracked: Path) -> None:
    printed = run_example(
        tracked, "seattle_weather.py", "--model", "logistic", "network", "--epochs", "10"
    )
    runs = runs_of("seattle weather")
    assert runs.keys() == {"logistic 0.01", "network 0.01"}
    assert [line.split(":")[0] for line in printed.splitlines()] == list(reversed(runs))
    for run in runs.values():
        assert run.info.status == "FINISHED"
        assert run.data.metrics.keys() == {"accuracy", "f1", "log_loss", "train_log_loss"}
        assert [step for step, _ in history(run, "log_loss")] == list(range(1, 11))
        assert all(math.isfinite(value) for _, value in history(run, "log_loss"))
        assert 0.4 < run.data.metrics["accuracy"] < 0.9
        assert own_tags(run) == {"data": "seattle-weather"}
        assert {"confusion_matrix.png", "model/MLmodel"} <= set(files(run))
    network = runs["network 0.01"]
    assert network.data.params == {
        "model": "network", "learning_rate": "0.01", "epochs": "10", "seed": "7",
    }  # fmt: skip
    day = pd.DataFrame(
        {"precipitation": [9.5], "temp_max": [9.0], "temp_min": [5.0], "wind": [4.0],
         "season": [0.9]}
    )  # fmt: skip
    loaded = gitml.pyfunc.load_model(f"runs:/{network.info.run_id}/model")
    assert list(loaded.predict(day)) == ["rain"]
