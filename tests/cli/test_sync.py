"""``gitml push``, ``pull``, ``sync``, ``remote`` and ``status``."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitml
from tests.cli.conftest import Cli, loaded, log_model, log_run
from tests.conftest import git


@pytest.fixture
def origin(repository: Path, tmp_path: Path) -> Path:
    """A bare repository that the first one pushes to."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(repository, "remote", "add", "origin", "../origin.git")
    git(repository, "push", "-q", "origin", "main")
    return tmp_path / "origin.git"


def test_push_reports_sent_runs_and_local_artifacts(
    cli: Cli, repository: Path, origin: Path
) -> None:
    run_id = log_run(repository)

    result = cli("push")
    assert result.stdout == "Sent 1 run and 0 model tags to origin.\n"
    assert "Artifacts stay on this machine" in result.stderr
    assert git(origin, "rev-parse", "gitml/runs") == git(repository, "rev-parse", "gitml/runs")
    assert cli("push").stdout == "Nothing to send to origin.\n"
    cli("runs", "delete", run_id)
    assert cli("push").stdout == "Sent changes to earlier runs to origin.\n"


def test_pull_and_sync_bring_the_runs_of_another_clone(
    cli: Cli,
    repository: Path,
    origin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    git(tmp_path, "clone", "-q", "origin.git", "second")
    monkeypatch.chdir(tmp_path / "second")
    log_run(tmp_path / "second", "theirs")
    report = loaded(cli("push", "--json"))
    assert set(report) == {"exchange", "files", "bytes", "missing", "stays_here"}
    assert report["exchange"] == {
        "runs": 1, "joined": 0, "tags": 0, "changed": True, "renumbered": [], "lost": [],
        "deleted": [], "restored": [],
    }  # fmt: skip
    monkeypatch.chdir(repository)
    log_run(repository, "ours")

    assert cli("sync").stdout.splitlines() == [
        "Received 1 run and 0 model tags from origin.",
        "Sent 1 run and 0 model tags to origin.",
    ]
    assert cli("pull").stdout == "Nothing new on origin.\n"
    assert set(loaded(cli("sync", "--json"))) == {"pull", "push"}
    assert {run["run_name"] for run in loaded(cli("runs", "list", "--json"))} == {"ours", "theirs"}


@pytest.mark.slow
def test_a_version_that_got_another_number_is_named(
    cli: Cli, repository: Path, origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", "origin.git", "second")
    for folder in (repository, tmp_path / "second"):
        monkeypatch.chdir(folder)
        cli("registry", "register", log_model(folder, log_run(folder)), "Price")
        result = cli("push").stdout.splitlines()

    assert result == ["renumbered: Price 1 → 2", "Sent 1 run and 1 model tag to origin."]
    assert loaded(cli("push", "--json"))["exchange"]["renumbered"] == []
    assert {v["version"] for v in loaded(cli("registry", "list", "--json"))[0]["latest_versions"]} \
        == {2}  # fmt: skip


def test_a_remote_for_artifacts_is_tried_then_used(
    cli: Cli,
    repository: Path,
    origin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_run(repository)
    (repository / "sub").mkdir()
    monkeypatch.chdir(repository / "sub")

    result = cli("remote", "add", "storage", "../../store")  # as seen from where the user stands
    assert result.stdout.startswith(f"Artifacts live at {tmp_path / 'store'}; sent ")
    assert "DVC knows this remote as 'gitml'" in result.stderr
    assert loaded(cli("remote", "list", "--json")) == [
        {"name": "gitml", "kind": "dvc", "url": str(tmp_path / "store"), "shared": True,
         "used": True, "accepted": True},
        {"name": "origin", "kind": "git", "url": "../origin.git", "shared": True, "used": True},
    ]  # fmt: skip
    assert "Artifacts stay" not in cli("push").stderr
    lines = cli("remote", "list").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["gitml", "dvc", "artifacts"], ["origin", "git", "runs"],
    ]  # fmt: skip
    again = loaded(cli("remote", "add", "gitml", str(tmp_path / "other"), "--json"))
    assert (again["url"], again["shared"], again["left"]) == (str(tmp_path / "other"), True, [])


def test_status_lists_unpushed_runs_and_the_artifact_remote(
    cli: Cli, repository: Path, origin: Path, model: str
) -> None:
    cli("registry", "register", model, "Price")
    cli("registry", "transition", "Price", "1", "Production")

    status = loaded(cli("status", "--json"))
    assert set(status) == {
        "repository", "branch", "runs", "deleted_runs", "experiments", "problems", "in_progress",
        "in_batches", "not_pushed", "artifacts", "models", "deleted_tags",
    }  # fmt: skip
    assert status["branch"]["name"] == "gitml/runs"
    assert (status["runs"], status["not_pushed"]) == (1, {"new": 1, "changed": 0})
    assert status["artifacts"]["shared"] is False
    assert status["models"] == [{"name": "Price", "stages": {"Production": 1}, "aliases": {}}]
    text = cli("status").stdout
    assert "1 run: `gitml push`" in text and "on this machine only" in text
    cli("push")
    assert loaded(cli("status", "--json"))["not_pushed"] == {"new": 0, "changed": 0}
    cli("runs", "delete", "first")
    assert loaded(cli("status", "--json"))["not_pushed"] == {"new": 0, "changed": 1}


def test_status_works_before_the_first_run(cli: Cli, repository: Path) -> None:
    status = loaded(cli("status", "--json"))

    assert (status["branch"]["commit"], status["runs"], status["models"]) == (None, 0, [])
    assert "gitml/runs (no run yet)" in cli("status").stdout


def test_status_shows_runs_in_progress(cli: Cli, repository: Path) -> None:
    client = gitml.MlflowClient(repository)
    run = client.create_run(client.create_experiment("house"), run_name="training")

    (entry,) = loaded(cli("status", "--json"))["in_progress"]
    assert entry == {
        "run_id": run.info.run_id, "run_name": "training", "start_time": run.info.start_time,
    }  # fmt: skip
    lines = cli("status").stdout.splitlines()
    assert lines[lines.index("In progress") + 2].split()[:2] == [run.info.run_id, "training"]
    client.set_terminated(run.info.run_id)
    assert loaded(cli("status", "--json"))["in_progress"] == []


def test_status_counts_the_runs_that_a_batch_still_holds(cli: Cli, repository: Path) -> None:
    client = gitml.MlflowClient(repository)
    experiment = client.create_experiment("house")
    with client.repository.runs.batching():
        run = client.create_run(experiment)
        client.log_param(run.info.run_id, "depth", 3)

        assert loaded(cli("status", "--json"))["in_batches"] == 1
        assert "1 run, seen here once the batch commits them" in cli("status").stdout
        client.set_terminated(run.info.run_id)
    status = loaded(cli("status", "--json"))
    assert (status["in_batches"], status["runs"]) == (0, 1)
