from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import gitml
from gitml.errors import InvalidInput, NotFound
from gitml.models import Model, infer_signature

X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
Y = pd.Series([0.0, 2.0, 4.0, 6.0], name="y")


@pytest.fixture
def fitted() -> LinearRegression:
    return LinearRegression().fit(X, Y)


@pytest.fixture(params=["positional", "artifact_path", "name"])
def where(request: pytest.FixtureRequest) -> tuple[tuple[Any, ...], dict[str, Any]]:
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "positional": (("linear",), {}),
        "artifact_path": ((), {"artifact_path": "linear"}),
        "name": ((), {"name": "linear"}),
    }
    return arguments[request.param]


def test_a_model_is_logged_under_every_spelling_of_its_name(
    tracked: Path, fitted: Any, where: tuple[tuple[Any, ...], dict[str, Any]]
) -> None:
    args, kwargs = where
    with gitml.start_run() as run:
        info = gitml.sklearn.log_model(fitted, *args, **kwargs, signature=infer_signature(X, Y))
    assert (info.model_uri, info.run_id, info.artifact_path, info.registered_model_version) == (
        f"runs:/{run.info.run_id}/linear", run.info.run_id, "linear", None,
    )  # fmt: skip
    loaded = gitml.sklearn.load_model(info.model_uri)
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_the_recorded_model_names_its_run(tracked: Path, fitted: Any) -> None:
    with gitml.start_run() as run:
        info = gitml.sklearn.log_model(fitted, "m", input_example=X.head(1))
    metadata = gitml.pyfunc.load_model(info.model_uri).metadata
    assert (metadata.run_id, metadata.artifact_path) == (run.info.run_id, "m")
    assert metadata.signature == info.signature == infer_signature(X, fitted.predict(X))


def test_log_model_starts_a_run(tracked: Path, fitted: Any) -> None:
    info = gitml.sklearn.log_model(fitted, "m")
    active = gitml.active_run()
    assert active is not None
    assert active.info.run_id == info.run_id


def test_a_model_can_be_registered_as_it_is_logged(tracked: Path, fitted: Any) -> None:
    with gitml.start_run():
        info = gitml.sklearn.log_model(
            sk_model=fitted, artifact_path="m", registered_model_name="Price"
        )
    assert info.registered_model_version == 1
    loaded = gitml.sklearn.load_model("models:/Price/1")
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_a_python_model_is_logged_and_loaded(tracked: Path) -> None:
    with gitml.start_run():
        info = gitml.pyfunc.log_model("double", python_model=lambda model_input: model_input * 2)
    assert gitml.pyfunc.load_model(info.model_uri).predict(3) == 6


def test_models_are_saved_and_loaded_outside_a_repository(
    fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gitml.sklearn.save_model(fitted, "m")
    assert Model.load("m").run_id is None
    np.testing.assert_array_equal(gitml.sklearn.load_model("m").predict(X), fitted.predict(X))
    np.testing.assert_array_equal(gitml.pyfunc.load_model("m").predict(X), fitted.predict(X))


def test_the_environment_forbids_pickles(
    fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitml.sklearn.save_model(fitted, tmp_path / "m", serialization_format="pickle")
    monkeypatch.setenv("GITML_ALLOW_PICKLES", "false")
    with pytest.raises(InvalidInput, match="which the settings forbid"):
        gitml.sklearn.load_model(tmp_path / "m")


def test_the_repository_forbids_pickles(tracked: Path, fitted: Any, tmp_path: Path) -> None:
    (tracked / "gitml.yaml").write_text("allow_pickles: false\n")
    gitml.sklearn.save_model(fitted, tmp_path / "m", serialization_format="pickle")
    with pytest.raises(InvalidInput, match="which the settings forbid"):
        gitml.pyfunc.load_model(tmp_path / "m")


def test_a_missing_model_is_named(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_param("a", 1)
    with pytest.raises(NotFound, match="no artifact 'm'"):
        gitml.sklearn.load_model(f"runs:/{run.info.run_id}/m")
