from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gitml.errors import InvalidInput, NotFound
from gitml.models import Model, ModelInfo, ModelSignature
from gitml.models.mlmodel import file_inside
from gitml.models.signature import ColSpec, Schema

# As MLflow 3.18 writes it, with a field that no version of gitml knows.
WRITTEN_BY_MLFLOW = """\
artifact_path: model
auth_policy: null
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.skops
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.skops
    serialization_format: skops
    sklearn_version: 1.9.1
    skops_trusted_types: null
is_signature_from_type_hint: false
mlflow_version: 3.18.0
model_id: m-b882112032a347999430addb97950409
model_size_bytes: 11544
model_uuid: m-b882112032a347999430addb97950409
prompts: null
run_id: e4d873777e7541df9c539459e3904cf5
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  serving_input_path: serving_input_example.json
  type: dataframe
signature:
  inputs: '[{"type": "double", "name": "sepal length (cm)", "required": true}, {"type":
    "double", "name": "sepal width (cm)", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
  params: null
type_hint_from_example: false
utc_time_created: '2026-11-21 06:51:24.048342'
"""


@pytest.fixture
def mlflow_file(tmp_path: Path) -> Path:
    file = tmp_path / "MLmodel"
    file.write_text(WRITTEN_BY_MLFLOW)
    return file


def test_reads_what_mlflow_writes(mlflow_file: Path) -> None:
    model = Model.load(mlflow_file.parent)
    assert model.run_id == "e4d873777e7541df9c539459e3904cf5"
    assert model.artifact_path == "model"
    assert model.model_id == "m-b882112032a347999430addb97950409"
    assert model.mlflow_version == "3.18.0"
    assert model.utc_time_created == "2026-11-21 06:51:24.048342"
    assert model.flavor("sklearn")["pickled_model"] == "model.skops"
    assert model.get_input_schema() == Schema(
        [ColSpec("double", "sepal length (cm)"), ColSpec("double", "sepal width (cm)")]
    )
    assert model.get_output_schema() == Schema([ColSpec("long")])
    assert model.get_params_schema() is None
    assert model.extra["auth_policy"] is None


def test_writing_what_was_read_changes_no_byte(mlflow_file: Path) -> None:
    Model.load(mlflow_file).save(mlflow_file)
    assert mlflow_file.read_text() == WRITTEN_BY_MLFLOW


def test_a_model_saved_outside_a_run_names_neither_run_nor_path() -> None:
    form = Model(flavors={"sklearn": {}}).to_dict()
    assert form.keys() == {
        "flavors", "gitml_version", "mlflow_version", "model_id", "model_size_bytes",
        "model_uuid", "prompts", "utc_time_created",
    }  # fmt: skip


def test_adding_the_run_keeps_everything_else(mlflow_file: Path) -> None:
    model = dataclasses.replace(Model.load(mlflow_file), run_id="ab" * 16, artifact_path="m")
    model.save(mlflow_file)
    expected = WRITTEN_BY_MLFLOW.replace("e4d873777e7541df9c539459e3904cf5", "ab" * 16)
    assert mlflow_file.read_text() == expected.replace(
        "artifact_path: model\n", "artifact_path: m\n"
    )


def test_loading_names_the_folder_that_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No model at"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a list", "does not describe a model"),
        ("flavors: [", "not valid YAML"),
        ("flavors: 3", "'flavors' must be a mapping"),
        ("signature: text", "'signature' must be a mapping"),
        ("signature: {inputs: '{'}", "not valid JSON"),
        ('signature: {inputs: \'[{"type": "complex"}]\'}', "'complex' is not a valid column type"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_malformed_mlmodel_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(InvalidInput, match=message):
        Model.load(tmp_path)


def test_metadata_that_yaml_cannot_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be written as YAML"):
        Model(metadata={"when": object()}).to_yaml()


def test_an_unknown_flavor_names_those_the_model_has() -> None:
    with pytest.raises(
        InvalidInput, match=r"no flavor 'xgboost'. It has: python_function, sklearn"
    ):
        Model(flavors={"sklearn": {}, "python_function": {}}).flavor("xgboost")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link", "", None, 3])
def test_a_model_cannot_name_files_outside_its_folder(tmp_path: Path, name: object) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidInput):
        file_inside(folder, name)


def test_a_missing_file_of_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"lacks its file 'model\.skops'"):
        file_inside(tmp_path, "model.skops")


def test_model_info_tells_where_the_model_is() -> None:
    signature = ModelSignature(inputs=Schema([ColSpec("double", "x")]))
    model = Model(flavors={"sklearn": {"a": 1}}, signature=signature, metadata={"k": "v"})
    info = ModelInfo.of(model, run_id="ab" * 16, artifact_path="m", registered_version=2)
    assert info == ModelInfo(
        model_uri=f"runs:/{'ab' * 16}/m",
        run_id="ab" * 16,
        artifact_path="m",
        registered_model_version=2,
        model_uuid=model.model_uuid,
        flavors={"sklearn": {"a": 1}},
        signature=signature,
        utc_time_created=model.utc_time_created,
        mlflow_version=model.mlflow_version,
        metadata={"k": "v"},
    )
