from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import yaml
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gitml.errors import AlreadyExists, InvalidInput, MissingDependency, NotFound
from gitml.models import Model, infer_signature, pyfunc
from gitml.models.flavors import sklearn as flavor

X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
Y = pd.Series([0, 0, 1, 1], name="y")


@pytest.fixture
def fitted() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def test_a_model_that_needs_no_trust_is_saved_as_skops(fitted: Any, tmp_path: Path) -> None:
    model = flavor.save(fitted, tmp_path / "m", signature=infer_signature(X, fitted.predict(X)))
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        "MLmodel", "conda.yaml", "model.skops", "python_env.yaml", "requirements.txt",
    ]  # fmt: skip
    assert model.flavors == {
        "python_function": {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": "model.skops",
            "predict_fn": "predict",
            "python_version": ".".join(map(str, sys.version_info[:3])),
        },
        "sklearn": {
            "code": None,
            "pickled_model": "model.skops",
            "serialization_format": "skops",
            "sklearn_version": sklearn.__version__,
            "skops_trusted_types": None,
        },
    }
    assert Model.load(tmp_path / "m") == model
    loaded = flavor.load(tmp_path / "m", allow_pickles=False)
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_a_model_that_needs_trust_is_saved_as_cloudpickle_and_says_why_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = make_pipeline(FunctionTransformer(lambda v: v + 1), LinearRegression()).fit(X, Y)
    with caplog.at_level(logging.WARNING):
        flavor.save(estimator, tmp_path / "1")
        flavor.save(estimator, tmp_path / "2")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Saved as cloudpickle, which runs code when loaded, not as skops"
    ]
    loaded = flavor.load(tmp_path / "2")
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))


@pytest.mark.parametrize("chosen", ["skops", "cloudpickle", "pickle"])
def test_the_chosen_format_is_used(fitted: Any, tmp_path: Path, chosen: Any) -> None:
    model = flavor.save(fitted, tmp_path / "m", serialization_format=chosen)
    assert model.flavor("sklearn")["serialization_format"] == chosen
    np.testing.assert_array_equal(flavor.load(tmp_path / "m").predict(X), fitted.predict(X))


def test_skops_is_refused_where_types_would_have_to_be_trusted(tmp_path: Path) -> None:
    estimator = make_pipeline(FunctionTransformer(_twice), LinearRegression()).fit(X, Y)
    with pytest.raises(InvalidInput, match=r"have to trust .*_twice.* skops_trusted_types"):
        flavor.save(estimator, tmp_path / "m", serialization_format="skops")
    assert list(tmp_path.iterdir()) == []


def _twice(values: Any) -> Any:
    return values * 2


@pytest.mark.parametrize("chosen", ["cloudpickle", "pickle"])
def test_pickles_are_refused_where_the_site_forbids_them(
    fitted: Any, tmp_path: Path, chosen: Any
) -> None:
    flavor.save(fitted, tmp_path / "m", serialization_format=chosen)
    with pytest.raises(InvalidInput, match=rf"model\.pkl \({chosen}\) would run code"):
        flavor.load(tmp_path / "m", allow_pickles=False)
    with pytest.raises(InvalidInput, match="would run code"):
        pyfunc.load(tmp_path / "m", allow_pickles=False)


def test_a_file_cannot_ask_for_trust_where_the_site_forbids_pickles(
    fitted: Any, tmp_path: Path
) -> None:
    flavor.save(fitted, tmp_path / "m", skops_trusted_types=["os.system"])
    with pytest.raises(InvalidInput, match=r"with the types os\.system would run code"):
        flavor.load(tmp_path / "m", allow_pickles=False)


def test_an_unknown_format_is_refused_and_nothing_is_left(fitted: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'joblib' is not a valid serialization format"):
        flavor.save(fitted, tmp_path / "m", serialization_format="joblib")  # type: ignore[typeddict-item]
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_gitml_lacks_is_refused(fitted: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Unknown option 'conda_env'"):
        flavor.save(fitted, tmp_path / "m", conda_env={})  # type: ignore[call-arg]


def test_existing_folder_is_not_overwritten(fitted: Any, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    flavor.save(fitted, tmp_path / "m")
    with pytest.raises(AlreadyExists, match="already exists"):
        flavor.save(fitted, tmp_path / "m")


def test_an_example_gives_the_signature_and_is_stored(fitted: Any, tmp_path: Path) -> None:
    model = flavor.save(fitted, tmp_path / "m", input_example=X.head(2), metadata={"k": 1})
    assert model.signature == infer_signature(X, fitted.predict(X))
    assert model.saved_input_example_info == {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "pandas_orient": "split",
        "type": "dataframe",
    }
    text = (tmp_path / "m" / "input_example.json").read_text()
    assert text == '{"columns": ["a", "b"], "data": [[0.0, 1.0], [1.0, 0.0]]}'
    loaded = pyfunc.load(tmp_path / "m")
    pd.testing.assert_frame_equal(loaded.input_example, X.head(2))
    assert loaded.metadata.metadata == {"k": 1}
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_pyfunc_checks_the_input(fitted: Any, tmp_path: Path) -> None:
    flavor.save(fitted, tmp_path / "m", signature=infer_signature(X))
    loaded = pyfunc.load(tmp_path / "m")
    with pytest.raises(InvalidInput, match="lacks column 'b'"):
        loaded.predict(X[["a"]])
    swapped = X[["b", "a"]].assign(more="x")
    np.testing.assert_array_equal(loaded.predict(swapped), fitted.predict(X))
    assert isinstance(loaded.get_raw_model(), type(fitted))
    with pytest.raises(InvalidInput, match="not a model written as a PythonModel"):
        loaded.unwrap_python_model()


def test_another_method_can_be_the_prediction(fitted: Any, tmp_path: Path) -> None:
    flavor.save(fitted, tmp_path / "m", pyfunc_predict_fn="predict_proba")
    result = pyfunc.load(tmp_path / "m").predict(X)
    np.testing.assert_array_equal(result, fitted.predict_proba(X))


def test_a_transformer_has_no_python_function(tmp_path: Path) -> None:
    model = flavor.save(StandardScaler().fit(X), tmp_path / "m")
    assert list(model.flavors) == ["sklearn"]
    with pytest.raises(InvalidInput, match="no flavor 'python_function'"):
        pyfunc.load(tmp_path / "m")


def test_requirements_name_what_the_model_needs(fitted: Any, tmp_path: Path) -> None:
    flavor.save(fitted, tmp_path / "m", input_example=X.head(1))
    lines = (tmp_path / "m" / "requirements.txt").read_text().split()
    names = [line.partition("==")[0] for line in lines]
    assert names == ["numpy", "pandas", "scikit-learn", "scipy", "skops"]


def test_modules_saved_with_a_model_are_importable_after_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "steps_of_this_test.py"
    source.write_text("def plus_one(values):\n    return values + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import steps_of_this_test  # type: ignore[import-not-found]

    estimator = make_pipeline(FunctionTransformer(steps_of_this_test.plus_one), LinearRegression())
    estimator.fit(X, Y)
    flavor.save(estimator, tmp_path / "m", serialization_format="pickle", code_paths=[source])
    monkeypatch.undo()
    del sys.modules["steps_of_this_test"]
    source.unlink()
    monkeypatch.setattr(sys, "path", list(sys.path))
    loaded = flavor.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    del sys.modules["steps_of_this_test"]


def _edit(folder: Path, **settings: Any) -> None:
    form = yaml.safe_load((folder / "MLmodel").read_text())
    form["flavors"]["sklearn"].update(settings)
    (folder / "MLmodel").write_text(yaml.safe_dump(form))


def test_damaged_and_hostile_folders_are_refused(fitted: Any, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    flavor.save(fitted, folder, serialization_format="pickle")
    (folder / "model.pkl").write_bytes(b"\x80\x04broken")
    with pytest.raises(InvalidInput, match=r"model\.pkl cannot be read as pickle"):
        flavor.load(folder)
    _edit(folder, serialization_format="skops")
    with pytest.raises(InvalidInput, match=r"model\.pkl cannot be read as skops"):
        flavor.load(folder)
    _edit(folder, serialization_format="zip")
    with pytest.raises(InvalidInput, match="'zip' is unknown"):
        flavor.load(folder)
    _edit(folder, pickled_model="../elsewhere.pkl")
    with pytest.raises(InvalidInput, match="outside its folder"):
        flavor.load(folder)
    _edit(folder, pickled_model="gone.pkl")
    with pytest.raises(NotFound, match=r"lacks its file 'gone\.pkl'"):
        flavor.load(folder)


def test_a_module_that_is_not_installed_is_named(tmp_path: Path, fitted: Any) -> None:
    flavor.save(fitted, tmp_path / "m", serialization_format="pickle")
    (tmp_path / "m" / "model.pkl").write_bytes(b"cno_such_module\nThing\n.")
    with pytest.raises(MissingDependency, match="needs the module 'no_such_module'"):
        flavor.load(tmp_path / "m")
