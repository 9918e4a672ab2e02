from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.ensemble import BaggingRegressor, VotingRegressor
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gitml
from gitml.entities import Run
from gitml.errors import InvalidInput
from gitml.fluent.session import session
from gitml.models import infer_signature

X = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8.0)[::-1] ** 2})
Y = pd.Series([0.1, 0.9, 2.2, 2.8, 4.1, 5.0, 6.2, 6.9], name="y")
CLASSES = pd.Series([0, 0, 0, 0, 1, 1, 1, 1], name="y")


@pytest.fixture(autouse=True)
def autologging(tracked: Path) -> Iterator[None]:
    gitml.sklearn.autolog()
    yield
    gitml.sklearn.autolog(disable=True)


def all_runs() -> list[Run]:
    """Every run of the repository, oldest first."""
    runs = gitml.search_runs(search_all_experiments=True, output_format="list")
    return sorted(runs, key=lambda run: (run.info.start_time, run.parent_run_id is not None))


def the_run() -> Run:
    (run,) = all_runs()
    return run


def files(run: Run) -> list[str]:
    return sorted(info.path for info in session.client().list_artifacts(run.info.run_id))


@pytest.mark.slow
def test_a_fit_becomes_a_finished_run_with_mlflows_names() -> None:
    model = LogisticRegression().fit(X, CLASSES)
    run = the_run()
    assert run.info.status == "FINISHED"
    assert run.data.params == {name: str(value) for name, value in model.get_params().items()}
    assert run.data.metrics.keys() == {
        "training_precision_score", "training_recall_score", "training_f1_score",
        "training_accuracy_score", "training_log_loss", "training_roc_auc", "training_score",
    }  # fmt: skip
    keys = ("estimator_name", "estimator_class", "mlflow.autologging")
    assert {key: run.data.tags[key] for key in keys} == {
        "estimator_name": "LogisticRegression",
        "estimator_class": "sklearn.linear_model._logistic.LogisticRegression",
        "mlflow.autologging": "sklearn",
    }
    assert files(run) == [
        "estimator.html", "model", "training_confusion_matrix.png",
        "training_precision_recall_curve.png", "training_roc_curve.png",
    ]  # fmt: skip
    loaded = gitml.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert loaded.metadata.signature == infer_signature(X, model.predict(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_the_users_run_is_used_and_left_open() -> None:
    with gitml.start_run() as run:
        Ridge().fit(X, Y)
        active = gitml.active_run()
        assert active is not None
        assert active.info.run_id == run.info.run_id
    recorded = the_run()
    assert recorded.data.params["alpha"] == "1.0"
    assert "mlflow.autologging" not in recorded.data.tags


def test_exclusive_leaves_the_users_run_alone() -> None:
    gitml.sklearn.autolog(exclusive=True)
    with gitml.start_run():
        Ridge().fit(X, Y)
    assert the_run().data.params == {}


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), Ridge()),
        VotingRegressor([("a", Ridge()), ("b", LinearRegression())]),
        BaggingRegressor(Ridge(), n_estimators=3, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_nested_fits_are_not_logged(estimator: Any) -> None:
    estimator.fit(X, Y)
    assert the_run().data.tags["estimator_name"] == type(estimator).__name__


def test_nested_fits_in_threads_are_not_logged() -> None:
    with joblib.parallel_backend("threading", n_jobs=2):
        VotingRegressor([("a", Ridge()), ("b", LinearRegression())], n_jobs=2).fit(X, Y)
    assert the_run().data.tags["estimator_name"] == "VotingRegressor"


@pytest.mark.parametrize("transformer", [StandardScaler(), SelectFromModel(Ridge())], ids=repr)
def test_steps_of_a_model_are_not_logged(transformer: Any) -> None:
    transformer.fit_transform(X, Y)
    assert all_runs() == []


def test_fit_predict_is_a_fit() -> None:
    KMeans(2, n_init=1, random_state=0).fit_predict(X)
    run = the_run()
    assert (run.data.tags["estimator_name"], run.data.metrics) == ("KMeans", {})


def test_the_users_own_estimators_are_logged_and_load() -> None:
    class Mean(RegressorMixin, BaseEstimator):
        def __init__(self, plus: float = 0.0) -> None:
            self.plus = plus

        def fit(self, X: Any, y: Any) -> Mean:
            self.mean_ = float(np.mean(y)) + self.plus
            return self

        def predict(self, X: Any) -> Any:
            return np.full(len(X), self.mean_)

    model = Mean(plus=1.0).fit(X, Y)
    run = the_run()
    assert run.data.params == {"plus": "1.0"}
    loaded = gitml.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_an_exception_of_the_fit_reaches_the_user_and_fails_the_run() -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        Ridge().fit(X, Y[:3])
    run = the_run()
    assert (run.info.status, run.data.params["alpha"]) == ("FAILED", "1.0")
    assert gitml.active_run() is None


def test_ctrl_c_in_a_fit_kills_the_run() -> None:
    class Interrupted(BaseEstimator):
        def fit(self, X: Any, y: Any) -> Interrupted:
            raise KeyboardInterrupt

        def predict(self, X: Any) -> Any: ...

    with pytest.raises(KeyboardInterrupt):
        Interrupted().fit(X, Y)
    assert the_run().info.status == "KILLED"


def test_an_option_that_gitml_lacks_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Unknown option 'log_everything'"):
        gitml.autolog(log_everything=True)  # type: ignore[call-arg]


@pytest.mark.slow
def test_a_failure_of_logging_does_not_touch_the_training(caplog: pytest.LogCaptureFixture) -> None:
    class Opaque(ClassifierMixin, BaseEstimator):
        def fit(self, X: Any, y: Any) -> Opaque:
            self.lock_ = open(__file__)  # noqa: SIM115  cannot be pickled
            return self

        def predict(self, X: Any) -> Any:
            raise RuntimeError("not today")

        def __repr__(self) -> str:
            raise RuntimeError("nameless")

    model = Opaque().fit(X, CLASSES)
    model.lock_.close()
    assert the_run().info.status == "FINISHED"
    left_out = {record.getMessage().split(" (")[0] for record in caplog.records}
    assert {
        "Autologging left out training metrics",
        "Autologging left out the model",
        "Autologging left out training plots",
    } <= left_out


def test_without_a_repository_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    session.reset()
    assert Ridge().fit(X, Y).predict(X).shape == (8,)
    assert "Autologging left out a run (NoRepository" in caplog.text


def test_a_search_has_child_runs_best_first() -> None:
    gitml.sklearn.autolog(max_tuning_runs=2)
    search = GridSearchCV(Ridge(), {"alpha": [1000.0, 0.001, 1.0]}, cv=2).fit(X, Y)
    parent, *children = all_runs()
    assert parent.data.params["best_alpha"] == str(search.best_params_["alpha"])
    assert parent.data.metrics["best_cv_score"] == search.best_score_
    assert parent.data.metrics["training_score"] == search.score(X, Y)
    assert {"cv_results.csv", "best_estimator", "model"} <= set(files(parent))
    assert {child.parent_run_id for child in children} == {parent.info.run_id}
    ranks = sorted(child.data.metrics["rank_test_score"] for child in children)
    assert ranks == [1.0, 2.0]
    assert {child.data.tags["estimator_name"] for child in children} == {"Ridge"}
    best = gitml.sklearn.load_model(f"runs:/{parent.info.run_id}/best_estimator")
    np.testing.assert_array_equal(best.predict(X), search.predict(X))


def test_every_fit_of_a_cross_validation_by_the_user_is_a_run() -> None:
    gitml.sklearn.autolog(log_models=False)
    cross_val_score(Ridge(), X, Y, cv=2)
    assert [run.info.status for run in all_runs()] == ["FINISHED", "FINISHED"]


def test_options_choose_what_is_logged() -> None:
    gitml.sklearn.autolog(
        log_input_examples=True, log_model_signatures=False, extra_tags={"team": "a"}
    )
    Ridge().fit(X, Y)
    run = the_run()
    assert run.data.tags["team"] == "a"
    loaded = gitml.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert loaded.metadata.signature is None
    pd.testing.assert_frame_equal(loaded.input_example, X.head(5))


def test_models_can_be_left_out() -> None:
    gitml.sklearn.autolog(log_models=False)
    Ridge().fit(X, Y)
    assert files(the_run()) == ["estimator.html"]


def test_lists_are_logged_as_arrays() -> None:
    model = LinearRegression().fit(X.to_numpy().tolist(), Y.tolist())
    loaded = gitml.pyfunc.load_model(f"runs:/{the_run().info.run_id}/model")
    np.testing.assert_array_equal(loaded.predict(X.to_numpy()), model.predict(X.to_numpy()))


def test_disabling_restores_every_class() -> None:
    gitml.sklearn.autolog(disable=True)
    for cls in (BaseEstimator, LinearRegression, KMeans, make_pipeline(Ridge()).__class__):
        patched = [name for name, value in vars(cls).items() if "Patched" in type(value).__name__]
        assert patched == []
    assert "__init_subclass__" not in vars(BaseEstimator)
    Ridge().fit(X, Y)
    assert all_runs() == []


SCRIPT = """
import sys
import gitml
{before}
assert "sklearn" not in sys.modules
from sklearn.linear_model import LinearRegression
{after}
LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
run = gitml.last_active_run()
print(run and run.data.tags["estimator_name"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "printed"),
    [
        ("gitml.autolog()", "", "LinearRegression"),
        ("", "gitml.autolog()", "LinearRegression"),
        ("gitml.autolog(exclude_flavors=['sklearn'])", "", "None"),
        ("gitml.autolog(); gitml.autolog(disable=True)", "", "None"),
    ],
)
def test_autolog_switches_scikit_learn_imported_before_or_after(
    tracked: Path, before: str, after: str, printed: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(before=before, after=after)],
        cwd=tracked,
        env={**os.environ, "PYTHONPATH": str(Path(gitml.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (f"{printed}\n", "")
