"""The demo makes what it promises, once."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import gitml
from gitml.demo import story
from gitml.demo.story import MODEL, DemoResult, run_demo
from gitml.errors import InvalidInput
from tests.conftest import git

TAGS = {
    "FuelEconomy@v1.0.0", "FuelEconomy#Staging#1", "FuelEconomy#Staging!#2",
    "FuelEconomy#Production#3", "FuelEconomy@v2.0.0", "FuelEconomy#Staging#4",
    "FuelEconomy#Staging!#5", "FuelEconomy#Production!#6", "FuelEconomy#Archived#7",
    "FuelEconomy#Production#8", "FuelEconomy#alias/champion#9",
}  # fmt: skip


def refs(folder: Path) -> str:
    return git(folder, "for-each-ref")


def check_code(folder: Path) -> None:
    """Two code commits with different scripts, and nothing left lying about."""
    assert git(folder, "log", "--format=%s", "main").splitlines() == [
        "Use the model year and the number of cylinders",
        "Predict fuel economy and the weather in Seattle",
    ]
    assert git(folder, "diff", "--stat", "main~1", "main").split(" ")[0] == "fuel_economy.py"
    assert git(folder, "status", "--porcelain") == ""
    published = Path(__file__).parents[1] / "examples" / "fuel_economy.py"
    assert (folder / "fuel_economy.py").read_bytes() == published.read_bytes()


def check_runs(folder: Path) -> None:
    client = gitml.MlflowClient(folder)
    experiments = {item.name: item for item in client.search_experiments()}
    assert experiments.keys() == {"fuel economy", "seattle weather"}
    fuel = client.search_runs([experiments["fuel economy"].experiment_id])
    weather = client.search_runs([experiments["seattle weather"].experiment_id])
    assert Counter(run.info.status for run in fuel) == {"FINISHED": 9, "FAILED": 1}
    assert Counter(run.info.status for run in weather) == {"FINISHED": 4}

    (sweep,) = [run for run in fuel if run.info.run_name == "boosting sweep"]
    assert [run.parent_run_id for run in fuel].count(sweep.info.run_id) == 4
    commits = git(folder, "rev-list", "main").splitlines()
    assert Counter(run.source.commit for run in fuel) == {commits[0]: 7, commits[1]: 3}
    (dirty,) = [run for run in fuel if run.source.dirty]
    patch = client.repository.files(dirty.info.run_id).patch.decode()
    assert '-NUMBERS = ["Displacement", "Horsepower", "Weight_in_lbs", ' in patch
    assert {run.source.dirty for run in weather} == {False}


def check_registry(folder: Path) -> None:
    client = gitml.MlflowClient(folder)
    versions = client.search_model_versions(f"name = '{MODEL}'", order_by=["version_number"])
    assert [(v.version, v.current_stage, v.aliases) for v in versions] == [
        (1, "Archived", ()), (2, "Production", ("champion",)),
    ]  # fmt: skip
    assert set(git(folder, "tag").split()) == TAGS
    reasons = {event.tag: event.detail.get("reason") for event in client.model_history(MODEL)}
    assert all(reasons[tag] for tag in TAGS if tag.endswith(("#1", "#3", "#4", "#8", "#9")))
    first, second = (client.get_run(v.run_id).data.metrics["rmse"] for v in versions)
    assert f"rmse {second:.2f} instead of {first:.2f}" in str(reasons["FuelEconomy#Production#8"])
    assert second < first


def check_commands(result: DemoResult) -> None:
    """The stock commands that the demo says to type next do work."""
    typed = [shlex.split(command) for command in result.commands]
    assert [words[0] for words in typed] == [
        "cd", "git", "gitml", "gitml", "gto", "dvc", "dvc", "python",
    ]  # fmt: skip
    assert typed[0] == ["cd", str(result.folder)]
    for words in typed:
        if words[0] in ("gto", "dvc", "git"):
            done = subprocess.run(words, cwd=result.folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    assert (result.folder / "predictions.png").read_bytes().startswith(b"\x89PNG")
    assert (result.folder / "model" / "MLmodel").is_file()


@pytest.mark.slow
def test_demo_reports_its_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):  # as on a machine where git was never set up
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    monkeypatch.setenv("GITML_TRACKING_URI", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GITML_RUN_ID", "0" * 32)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    folder = tmp_path / "gitml-demo"
    lines: list[str] = []
    result = run_demo(folder, report=lines.append)

    assert (result.folder, result.site, result.runs) == (
        folder, folder / "_site" / "index.html", 14,
    )  # fmt: skip
    assert result.site.is_file() and (folder / "README.md").is_file()
    check_code(folder)
    check_runs(folder)
    check_registry(folder)

    before, count = refs(folder), len(lines)
    result.site.unlink()
    assert run_demo(folder, report=lines.append) == result
    assert refs(folder) == before
    assert result.site.is_file()
    assert lines[count:] == [
        f"The demo in {folder} is already complete.", "Building the dashboard.",
    ]  # fmt: skip
    check_commands(result)


def test_demo_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="is not empty and contains no demo"):
        run_demo(tmp_path, report=print)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_demo_refuses_other_repositories(repository: Path) -> None:
    before = refs(repository)
    with pytest.raises(InvalidInput, match="is not empty and contains no demo"):
        run_demo(repository, report=print)
    assert refs(repository) == before


def test_file_instead_of_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(InvalidInput, match="cannot be used: File exists"):
        run_demo(tmp_path / "demo", report=print)


def test_interrupted_demo_is_finished_by_the_next_call(tmp_path: Path) -> None:
    def stop_before_training(line: str) -> None:
        if line.startswith("Training"):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_demo(tmp_path / "demo", report=stop_before_training)
    assert git(tmp_path / "demo", "log", "--format=%s") == (
        "Predict fuel economy and the weather in Seattle"
    )
    assert (tmp_path / "demo" / ".git" / "gitml" / "demo.steps").read_text() == "scripts\n"


def test_commands_activate_the_environment_in_a_new_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate = tmp_path / "my venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "my venv"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert story._activation() == [f". '{activate}'"]
