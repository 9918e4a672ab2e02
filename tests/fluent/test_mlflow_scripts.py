"""Scripts as MLflow's introductions show them run with another import line and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gitml
from gitml.entities import Run
from tests.conftest import git

TRACKING = """\
import gitml as mlflow
import gitml.sklearn
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

features = np.random.default_rng(0).normal(size=(80, 3))
target = features @ [2.0, -1.0, 0.5] + 4.0
x_train, x_test, y_train, y_test = train_test_split(features, target, random_state=0)

mlflow.sklearn.autolog()

with mlflow.start_run():
    regression = LinearRegression()
    regression.fit(x_train, y_train)
    rmse = np.sqrt(mean_squared_error(y_test, regression.predict(x_test)))
    mlflow.log_param("test_rows", len(x_test))
    mlflow.log_metric("rmse", rmse)
    mlflow.sklearn.log_model(regression, "linear_regression_model")

print(mlflow.get_tracking_uri())
"""

REGISTRY = """\
import gitml as mlflow
import gitml.sklearn
import numpy as np
from sklearn.ensemble import RandomForestRegressor

rooms = np.arange(1.0, 41.0).reshape(-1, 1)
prices = 50_000.0 * rooms.ravel()

with mlflow.start_run() as run:
    model = RandomForestRegressor(n_estimators=5, max_depth=4, random_state=0)
    model.fit(rooms, prices)
    mlflow.log_param("max_depth", 4)
    mlflow.log_metric("r2", model.score(rooms, prices))
    mlflow.sklearn.log_model(model, "house_price_model")
    run_id = run.info.run_id

model_uri = f"runs:/{run_id}/house_price_model"
version = mlflow.register_model(model_uri, "HousePricePredictor")
print(version.name, version.version, version.run_id)
"""


def run_script(repository: Path, name: str, code: str) -> str:
    (repository / name).write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", name], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def only_run() -> Run:
    runs = gitml.search_runs(experiment_names=["Default"], output_format="list")
    assert len(runs) == 1
    run: Run = runs[0]
    return run


@pytest.mark.slow
def test_the_tracking_introduction_runs(tracked: Path) -> None:
    printed = run_script(tracked, "train.py", TRACKING)

    run = only_run()
    assert printed == f"{tracked.resolve().as_uri()}\n"
    assert (run.info.status, run.source.name) == ("FINISHED", "train.py")
    assert run.data.params.items() >= {"test_rows": "20", "fit_intercept": "True"}.items()
    assert run.data.metrics.keys() == {
        "rmse", "training_mean_squared_error", "training_mean_absolute_error",
        "training_r2_score", "training_root_mean_squared_error", "training_score",
    }  # fmt: skip
    assert run.data.metrics["rmse"] < 1e-9
    assert run.data.tags["estimator_name"] == "LinearRegression"
    assert sorted(model.path for model in run.outputs.model_outputs) == [
        "linear_regression_model", "model",
    ]  # fmt: skip
    loaded = gitml.sklearn.load_model(f"runs:/{run.info.run_id}/linear_regression_model")
    np.testing.assert_allclose(loaded.predict([[1.0, 1.0, 1.0]]), [5.5])


@pytest.mark.slow
def test_the_registry_introduction_runs(tracked: Path) -> None:
    printed = run_script(tracked, "register.py", REGISTRY)

    run = only_run()
    assert printed == f"HousePricePredictor 1 {run.info.run_id}\n"
    assert (run.data.params, set(run.data.metrics)) == ({"max_depth": "4"}, {"r2"})
    version = gitml.MlflowClient(tracked).get_model_version("HousePricePredictor", 1)
    assert (version.source, version.current_stage, version.status) == (
        f"runs:/{run.info.run_id}/house_price_model", "None", "READY",
    )  # fmt: skip
    tagged = git(tracked, "rev-parse", "HousePricePredictor@v1.0.0^{commit}")
    assert tagged == version.commit
    assert version.code_commit == git(tracked, "rev-parse", "main")
    rooms = np.array([[10.0]])
    by_version = gitml.sklearn.load_model("models:/HousePricePredictor/1").predict(rooms)
    by_run = gitml.pyfunc.load_model(version.source).predict(rooms)
    np.testing.assert_array_equal(by_version, by_run)
    np.testing.assert_allclose(by_version, [500_000.0], rtol=0.1)
