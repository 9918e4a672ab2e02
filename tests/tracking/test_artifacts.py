"""Artifacts of every kind, while the run goes on and after it, read back by us and by DVC."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.errors import InvalidInput, NotFound
from gitml.fluent import artifacts
from tests.conftest import git


def test_every_kind_of_artifact_reads_back(tracked: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    (tracked / "data").mkdir()
    (tracked / "data" / "a.csv").write_text("x\n1\n")
    figure = Figure()
    figure.subplots().plot([1, 2])
    with gitml.start_run() as run:
        gitml.log_text("caf\u00e9\n", "notes/a.txt")
        gitml.log_dict({"a": [1, None]}, "settings.json")
        gitml.log_dict({"a": {"b": 1}}, "settings.yaml")
        gitml.log_figure(figure, "plots/line.png")
        gitml.log_image(np.zeros((4, 5, 3), dtype=np.uint8), "black.png")
        gitml.log_image(np.eye(3), key="eye", step=2, timestamp=5)
        gitml.log_table(pd.DataFrame({"q": ["a"], "score": [1.5]}), "table.json")
        gitml.log_table({"q": ["b", "c"], "score": [2, 3]}, "table.json")
        gitml.log_artifact(tracked / "train.py", "code")
        gitml.log_artifacts(tracked / "data", "data")
        during = {i.path for i in gitml.artifacts.list_artifacts(run_id=run.info.run_id)}
        assert gitml.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt") == "caf\u00e9\n"

    root = f"runs:/{run.info.run_id}"
    client = gitml.MlflowClient(tracked)
    top = {info.path: info.is_dir for info in client.list_artifacts(run.info.run_id)}
    assert top == {
        "notes": True, "settings.json": False, "settings.yaml": False, "plots": True,
        "black.png": False, "images": True, "table.json": False, "code": True, "data": True,
    }  # fmt: skip
    assert set(top) == during
    assert [i.path for i in client.list_artifacts(run.info.run_id, "code")] == ["code/train.py"]
    assert gitml.artifacts.load_text(f"{root}/notes/a.txt") == "caf\u00e9\n"
    assert gitml.artifacts.load_dict(f"{root}/settings.json") == {"a": [1, None]}
    assert gitml.artifacts.load_text(f"{root}/settings.yaml") == "a:\n  b: 1\n"
    assert gitml.artifacts.load_image(f"{root}/black.png").size == (5, 4)
    assert gitml.artifacts.load_dict(f"{root}/table.json") == {
        "columns": ["q", "score"],
        "data": [["a", 1.5], ["b", 2], ["c", 3]],
    }
    (image,) = client.list_artifacts(run.info.run_id, "images")
    assert image.path.startswith("images/eye+step+2+timestamp+5+")
    folder = Path(gitml.artifacts.download_artifacts(f"{root}/data", dst_path=str(tracked / "out")))
    assert (folder / "a.csv").read_text() == "x\n1\n"
    assert git(tracked, "status", "--porcelain") != ""  # only what we wrote there ourselves


def test_a_table_grows_in_a_later_session(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_table({"x": [1]}, "t.json")
    with gitml.start_run(run_id=run.info.run_id):
        gitml.log_table({"x": [2]}, "t.json")
        with pytest.raises(InvalidInput, match="has columns"):
            gitml.log_table({"y": [2]}, "t.json")

    table = gitml.artifacts.load_dict(f"runs:/{run.info.run_id}/t.json")
    assert table["data"] == [[1], [2]]


def test_a_table_keeps_the_type_of_each_column(tracked: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({
        "id": [2**60 + 1, 2], "score": [0.5, float("nan")], "ok": [True, False],
        "when": pd.to_datetime(["2026-01-01", None]),
    })  # fmt: skip
    with gitml.start_run() as run:
        gitml.log_table(frame, "t.json")
        gitml.log_table({"id": [3], "score": float("inf"), "ok": None, "when": None}, "t.json")
    text = gitml.artifacts.load_text(f"runs:/{run.info.run_id}/t.json")
    assert json.loads(text, parse_constant=pytest.fail)["data"] == [
        [2**60 + 1, 0.5, True, "2026-01-01 00:00:00"], [2, None, False, "NaT"],
        [3, None, None, None],
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["[]", "{}", '{"columns": 1, "data": []}', "[" * 3000, "x"])
def test_a_file_that_is_no_table_does_not_grow(tracked: Path, text: str) -> None:
    with gitml.start_run() as run:
        gitml.log_text(text, "t.json")
        with pytest.raises(InvalidInput, match="The file is not a table"):
            gitml.log_table({"x": [1]}, "t.json")
    assert gitml.artifacts.load_text(f"runs:/{run.info.run_id}/t.json") == text


def test_a_folder_with_a_file_that_cannot_be_read_is_refused(tracked: Path) -> None:
    (tracked / "data").mkdir()
    (tracked / "data" / "a.txt").write_text("a")
    (tracked / "data" / "gone.txt").symlink_to("nowhere")
    with gitml.start_run() as run:
        with pytest.raises(InvalidInput, match=r"data/gone\.txt cannot be logged: .*No such file"):
            gitml.log_artifacts(tracked / "data")
        assert gitml.artifacts.list_artifacts(run_id=run.info.run_id) == []


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (lambda: gitml.log_figure("x", "a.png"), "not a figure"),
        (lambda: gitml.log_image("x", "a.png"), "not an image"),
        (lambda: gitml.log_image([1], None), "artifact_file or key"),
        (lambda: gitml.log_table([1], "a.json"), "not a table"),
        (lambda: gitml.log_table({"a": [1], "b": [1, 2]}, "a.json"), "differ in length"),
        (lambda: gitml.log_text("x", ""), "is empty"),
    ],
)
def test_invalid_artifacts_raise_and_leave_no_file(
    tracked: Path, log: object, message: str
) -> None:
    with gitml.start_run() as run, pytest.raises(InvalidInput, match=message):
        log()  # type: ignore[operator]

    assert gitml.artifacts.list_artifacts(run_id=run.info.run_id) == []


def test_an_image_of_the_wrong_shape_or_range_is_refused(tracked: Path) -> None:
    import numpy as np

    with gitml.start_run():
        for wrong in (np.zeros(3), np.full((2, 2), 7.5), np.full((2, 2), 300)):
            with pytest.raises(InvalidInput, match=r"not an image|outside"):
                gitml.log_image(wrong, "a.png")


def test_a_late_artifact_of_a_finished_run_keeps_its_status(tracked: Path) -> None:
    with pytest.raises(ValueError, match="stop"), gitml.start_run() as run:
        raise ValueError("stop")
    ended = gitml.get_run(run.info.run_id).info.end_time
    gitml.log_text("post mortem", "why.txt", run_id=run.info.run_id)

    info = gitml.get_run(run.info.run_id).info
    assert (info.status, info.end_time) == ("FAILED", ended)
    assert gitml.artifacts.load_text(f"runs:/{run.info.run_id}/why.txt") == "post mortem"


@pytest.mark.slow
def test_stock_dvc_gets_a_runs_artifacts_without_any_set_up(tracked: Path, tmp_path: Path) -> None:
    gitml.set_experiment("prices / Q1")
    with gitml.start_run() as run:
        gitml.log_dict({"a": 1}, "deep/er/settings.json")
    names = git(tracked, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    out = next(name for name in names if name.endswith("/artifacts.dvc")).removesuffix(".dvc")
    command = [sys.executable, "-m", "dvc"]
    subprocess.run(
        [*command, "get", "-q", str(tracked), out, "--rev", "gitml/runs", "-o", "got"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    listed = subprocess.run(
        [*command, "list", "-R", str(tracked), out, "--rev", "gitml/runs"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    script = (
        "import dvc.api, sys\n"
        "with dvc.api.open(sys.argv[1] + '/deep/er/settings.json', repo=sys.argv[2],"
        " rev='gitml/runs') as file: print(file.read())"
    )
    read = subprocess.run(
        [sys.executable, "-c", script, out, str(tracked)],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert json.loads((tmp_path / "got" / "deep" / "er" / "settings.json").read_text()) == {"a": 1}
    assert listed == ["deep/er/settings.json"]
    assert json.loads(read) == {"a": 1}
    assert git(tracked, "status", "--porcelain") == ""
    assert run.info.run_id in out


def test_an_edited_download_does_not_change_the_artifact(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_text("whole", "a.txt")
    uri = f"runs:/{run.info.run_id}/a.txt"
    Path(gitml.artifacts.download_artifacts(uri)).write_text("broken")

    assert Path(gitml.artifacts.download_artifacts(uri)).read_text() == "whole"


@pytest.mark.parametrize(
    "uri",
    [
        "runs:/short/x",
        "models:/Price",
        "models:/Price/",
        "models:/Price/Nowhere",
        "models:/@champion",
        "runs:/" + "ab" * 16 + "/../../x",
    ],
)
def test_a_malformed_uri_is_refused(tracked: Path, uri: str) -> None:
    with pytest.raises(InvalidInput):
        artifacts.local_path(uri)


def test_uri_of_a_missing_artifact_is_refused(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_text("x", "a.txt")
    for uri in (
        f"runs:/{run.info.run_id}/b.txt",
        "runs:/" + "ab" * 16,
        "models:/Price/1",
        "models:/Price/Production",
        "models:/Price@champion",
        "models:/Price/latest",
        "/nonexistent/model",
    ):
        with pytest.raises(NotFound):
            artifacts.local_path(uri)
