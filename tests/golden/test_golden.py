"""A repository that version 1 of the format wrote is read as it was written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import gitml
from gitml.entities import ViewType
from tests.conftest import git
from tests.golden.make_golden import BUNDLE

FIRST = "cd613e30d8f16adf91b7584a2265b1f5"
SECOND = "78e510617311d8a3c2ce6f447ed4d57b"
THIRD = "e4b06ce60741c7a87ce42c8218072e8c"
MODEL = "bbbaef2368662dcae3eab6ae46e9c09a.dir"


@pytest.fixture
def client(tmp_path: Path) -> gitml.MlflowClient:
    git(tmp_path, "clone", "-q", "--branch", "main", str(BUNDLE), "golden")
    return gitml.MlflowClient(tmp_path / "golden")


def test_runs_and_experiments(client: gitml.MlflowClient) -> None:
    experiments = {item.experiment_id: item for item in client.search_experiments()}
    assert {
        key: (item.name, item.creation_time, dict(item.tags)) for key, item in experiments.items()
    } == {
        "gr%C3%B6%C3%9Fe%2F2": ("größe/2", 1_700_000_002_000, {}),
        "house%20prices": ("house prices", 1_700_000_000_000, {"team": "pricing"}),
    }  # fmt: skip
    runs = client.search_runs(list(experiments), run_view_type=ViewType.ALL)
    runs = {
        run.info.run_id: (run.info.run_name, run.info.status, run.info.lifecycle_stage,
                          run.info.start_time, run.info.end_time)
        for run in runs
    }  # fmt: skip
    assert runs == {
        FIRST: ("baseline", "FINISHED", "active", 1_700_000_004_000, 1_700_000_024_000),
        SECOND: ("second", "FAILED", "deleted", 1_700_000_027_000, 1_700_000_028_000),
        THIRD: ("other", "KILLED", "active", 1_700_000_033_000, 1_700_000_036_000),
    }
    assert client.repository.index().problems() == []


def test_everything_of_a_run(client: gitml.MlflowClient) -> None:
    files = client.repository.files(FIRST)
    run = files.record.run
    assert dict(run.data.params) == {"alpha": "0.5", "layers [1]": "3,4"}
    assert dict(run.data.metrics) == {"best": math.inf, "rmse": 2.5}
    assert dict(run.data.tags) == {
        "mlflow.note.content": "# Ünïcode\nsecond line",
        "mlflow.runName": "baseline",
        "mlflow.user": "Ada Example",
    }
    points = [(p.step, p.timestamp, str(p.value)) for p in client.get_metric_history(FIRST, "rmse")]
    assert points == [
        (0, 1_700_000_000_000, "3.5"), (1, 1_700_000_000_001, "2.25"),
        (2, 1_700_000_000_002, "nan"), (3, 1_700_000_000_003, "2.5"),
    ]  # fmt: skip
    (data,) = run.inputs.dataset_inputs
    assert (data.name, data.digest, data.context) == ("rows", "abc123", "train")
    listed = [artifact.path for artifact in files.artifacts]
    assert listed == ["model/MLmodel", "model/weights.txt", "notes/hello.txt"]
    parent = client.get_run(SECOND).parent_run_id
    assert parent == FIRST
    assert "gone" not in client.get_run(THIRD).data.tags
    assert client.repository.files(THIRD).record.written["tags.gone"] > 0


def test_models_versions_and_stages(client: gitml.MlflowClient) -> None:
    price, other = client.search_registered_models()
    assert (price.name, price.description, dict(price.aliases)) == (
        "Price", "Prices of houses", {"champion": 1},
    )  # fmt: skip
    assert other.name == "prix élevé"
    versions = {
        (v.name, v.version): (v.current_stage, v.description, dict(v.tags), v.run_id, v.source,
                              v.digest)
        for v in client.search_model_versions()
    }  # fmt: skip
    source = (FIRST, f"runs:/{FIRST}/model", MODEL)
    assert versions == {
        ("Price", 1): ("Production", "from golden", {}, *source),
        ("Price", 2): ("Staging", "from golden", {"checked": "yes"}, *source),
        ("prix élevé", 1): ("None", "", {}, *source),
    }
    events = [(event.kind, event.version, event.value) for event in client.model_history("Price")]
    assert events == [
        ("registered", 1, ""), ("registered", 2, ""), ("stage", 1, "Production"),
        ("stage", 2, "Staging"), ("alias", 1, "champion"),
    ]  # fmt: skip
