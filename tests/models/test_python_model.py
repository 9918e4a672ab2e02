from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from gitml.errors import InvalidInput, NotFound
from gitml.models import infer_signature, pyfunc
from gitml.models.flavors import python_model as flavor


class Scaled(flavor.PythonModel):
    def load_context(self, context: flavor.PythonModelContext) -> None:
        self.factor = float(Path(context.artifacts["factor"]).read_text())

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        offset = (params or {}).get("offset", 0.0)
        return model_input["x"] * self.factor + offset + context.model_config.get("more", 0)


@pytest.fixture
def factor(tmp_path: Path) -> Path:
    file = tmp_path / "factor.txt"
    file.write_text("2")
    return file


def test_a_class_is_saved_with_its_files_params_and_settings(tmp_path: Path, factor: Path) -> None:
    data = pd.DataFrame({"x": [1.0, 2.0]})
    model = flavor.save(
        Scaled(),
        tmp_path / "m",
        artifacts={"factor": factor},
        model_config={"more": 100},
        signature=infer_signature(data, params={"offset": 0.5}),
    )
    settings = model.flavor("python_function")
    assert settings["loader_module"] == "mlflow.pyfunc.model"
    assert settings["python_model"] == "python_model.pkl"
    assert settings["artifacts"] == {
        "factor": {"path": "artifacts/factor.txt", "uri": "factor.txt"}
    }
    loaded = pyfunc.load(tmp_path / "m")
    assert loaded.predict(data).tolist() == [102.5, 104.5]
    assert loaded.predict(data, params={"offset": 1}).tolist() == [103.0, 105.0]
    assert loaded.unwrap_python_model().factor == 2.0


def test_a_function_is_a_model(tmp_path: Path) -> None:
    flavor.save(lambda model_input: [value * 2 for value in model_input], tmp_path / "m")
    assert pyfunc.load(tmp_path / "m").predict([1, 2]) == [2, 4]


def test_a_class_without_context_in_predict_works(tmp_path: Path) -> None:
    class Plain(flavor.PythonModel):
        def predict(self, model_input: Any) -> Any:  # type: ignore[override]
            return np.asarray(model_input) + 1

    flavor.save(Plain(), tmp_path / "m", input_example=np.array([1.0, 2.0]))
    loaded = pyfunc.load(tmp_path / "m")
    assert loaded.predict(np.array([3.0])).tolist() == [4.0]
    np.testing.assert_array_equal(loaded.input_example, [1.0, 2.0])


def test_python_models_are_refused_where_pickles_are_forbidden(tmp_path: Path) -> None:
    flavor.save(lambda model_input: model_input, tmp_path / "m")
    with pytest.raises(InvalidInput, match=r"python_model\.pkl \(cloudpickle\) would run code"):
        pyfunc.load(tmp_path / "m", allow_pickles=False)


def test_save_refuses_other_objects_than_models(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="python_model is int"):
        flavor.save(3, tmp_path / "m")  # type: ignore[arg-type]


def test_a_missing_file_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.txt"):
        flavor.save(Scaled(), tmp_path / "m", artifacts={"factor": tmp_path / "none.txt"})
    assert list(tmp_path.iterdir()) == []


def test_a_loader_that_gitml_lacks_is_refused_not_imported(tmp_path: Path) -> None:
    flavor.save(lambda model_input: model_input, tmp_path / "m")
    form = yaml.safe_load((tmp_path / "m" / "MLmodel").read_text())
    form["flavors"]["python_function"]["loader_module"] = "antigravity"
    (tmp_path / "m" / "MLmodel").write_text(yaml.safe_dump(form))
    with pytest.raises(InvalidInput, match="loader 'antigravity'"):
        pyfunc.load(tmp_path / "m")
