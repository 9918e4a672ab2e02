"""What the site is told of a repository."""

from __future__ import annotations

import html
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import gitml
from gitml.entities import Artifact, Metric
from gitml.forge import Forge, ForgeKind
from gitml.publishing.dashboard import build_site
from gitml.publishing.repository_source import RepositorySource
from gitml.registry import registration
from gitml.registry.promotion.pull_request import forge_of
from gitml.repository import Repository
from tests.conftest import git


def test_dashboard_and_report_link_to_the_same_pages(tracked: Path) -> None:
    (tracked / "gitml.yaml").write_text("forge: gitea\n")
    git(tracked, "remote", "add", "origin", "https://user:secret@git.example.org:8443/team/prices")
    repository = Repository.open(tracked)
    forge = RepositorySource(repository).forge
    assert forge == Forge(address="https://git.example.org:8443/team/prices", kind=ForgeKind.GITEA)
    assert forge_of(repository.git, "origin") == forge  # what reviews link to


@pytest.fixture
def run_id(tracked: Path) -> str:
    """A run with a history, a file and a change that is not committed."""
    (tracked / "train.py").write_text("print('dirty')\n")
    gitml.set_experiment("house")
    with gitml.start_run(run_name="first") as run:
        for step in (2, 1):
            gitml.log_metric("rmse", step / 2, step=step, timestamp=step)
        gitml.log_text("hello world", "notes/hello.txt")
    return run.info.run_id


def test_source_lists_runs_and_reads_their_files_on_demand(tracked: Path, run_id: str) -> None:
    git(tracked, "remote", "add", "origin", "git@github.com:team/prices.git")
    repository = Repository.open(tracked)
    source = RepositorySource(repository)

    assert (source.title, source.forge.address) == (
        "project",
        "https://github.com/team/prices",
    )
    assert source.commit == git(tracked, "rev-parse", "gitml/runs")
    assert [experiment.name for experiment in source.experiments] == ["house"]
    assert [run.info.run_id for run in source.runs] == [run_id]
    assert source.history(run_id) == [
        Metric(key="rmse", value=0.5, timestamp=1, step=1),
        Metric(key="rmse", value=1.0, timestamp=2, step=2),
    ]
    (file,) = source.artifacts(run_id)
    assert file == Artifact(path="notes/hello.txt", size=11, md5=file.md5)
    assert source.read_artifact(run_id, "notes/hello.txt", 5) == b"hello"
    assert source.read_artifact(run_id, "../../../../HEAD", 5) is None
    assert "+print('dirty')" in (source.patch(run_id) or "")
    assert "==" in (source.requirements(run_id) or "")
    tree = f"gitml/runs:runs/house/{run_id[:2]}/{run_id}"
    assert source.run_oid(run_id) == git(tracked, "rev-parse", tree)
    patch = git(tracked, "show", f"{source.run_oid(run_id)}:source.patch")  # as the page says
    assert patch == (source.patch(run_id) or "").strip()


def test_deleted_runs_and_experiments_are_left_out(tracked: Path, run_id: str) -> None:
    gitml.delete_run(run_id)
    gitml.delete_experiment("house")

    source = RepositorySource(Repository.open(tracked))
    assert (list(source.runs), list(source.experiments)) == ([], [])


def test_run_in_progress_is_read_live_and_has_no_object_id(
    tracked: Path,
) -> None:
    run = gitml.start_run()
    gitml.log_text("so far", "log.txt")

    source = RepositorySource(Repository.open(tracked))
    assert [run.info.status for run in source.runs] == ["RUNNING"]
    assert source.run_oid(run.info.run_id) == ""
    assert source.read_artifact(run.info.run_id, "log.txt", 100) == b"so far"


def test_bytes_that_are_nowhere_are_left_out(tracked: Path, run_id: str) -> None:
    repository = Repository.open(tracked)
    for name in ("cache", "remote"):
        (repository.state / name).rename(repository.state / f"lost-{name}")

    assert RepositorySource(repository).read_artifact(run_id, "notes/hello.txt", 5) is None


@pytest.mark.slow
def test_a_run_with_malformed_files_does_not_stop_the_build(
    tracked: Path, run_id: str, tmp_path: Path
) -> None:
    repository = Repository.open(tracked)
    path = f"runs/house/{run_id[:2]}/{run_id}/metrics.jsonl"
    repository.branch.update(lambda _: ({path: b"no json\n"}, "broken\n"))

    report = build_site(repository, tmp_path / "site", title="Mine")
    assert (tmp_path / "site" / "runs" / f"{run_id}.html").is_file()
    assert [run_id in sentence for sentence in report.dropped] == [True]


def test_models_come_with_their_versions_and_history(tracked: Path) -> None:
    registry = gitml.MlflowClient(tracked).registry
    registry.create_registered_model("Empty")

    source = RepositorySource(Repository.open(tracked))
    assert [model.name for model in source.models] == ["Empty"]
    assert (source.versions("Empty"), source.events("Empty")) == ((), [])


def test_all_pages_of_runs_are_read(
    tracked: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gitml.start_run(run_name="second") as second:
        pass
    monkeypatch.setattr("gitml.store.index.index.MAX_RESULTS", 1)

    runs = RepositorySource(Repository.open(tracked)).runs
    assert [run.info.run_id for run in runs] == [second.info.run_id, run_id]


@pytest.mark.slow
def test_settings_give_the_title_and_the_number_of_run_pages(
    tracked: Path, run_id: str, tmp_path: Path
) -> None:
    repository = Repository.open(tracked)
    site = replace(repository.settings.site, title="Prices", run_pages=0)
    repository.settings = replace(repository.settings, site=site)

    report = build_site(repository, tmp_path / "site")
    assert "Prices" in (tmp_path / "site" / "index.html").read_text()
    assert not (tmp_path / "site" / "runs" / f"{run_id}.html").exists()
    assert len(report.dropped) == 1


@pytest.mark.slow
def test_the_dvc_command_of_a_models_page_fetches_its_files(
    repository: Path, tmp_path: Path
) -> None:
    client = gitml.MlflowClient(repository)
    run = client.create_run(client.create_experiment("e"))
    client.write_artifact(run.info.run_id, "m/MLmodel", lambda p: p.write_text("flavors: {}\n"))
    client.set_terminated(run.info.run_id)
    registration.register(client, f"runs:/{run.info.run_id}/m", "Price")
    build_site(client.repository, tmp_path / "site")

    (page,) = (tmp_path / "site" / "models").glob("*.html")
    command = re.search(r"dvc artifacts get [^<]+", html.unescape(page.read_text()))
    assert command
    words = shlex.split(command[0])
    subprocess.run(
        [sys.executable, "-m", *words, "-o", str(tmp_path / "got")],
        cwd=repository, check=True, capture_output=True,
    )  # fmt: skip
    assert (tmp_path / "got" / "MLmodel").read_text() == "flavors: {}\n"


@pytest.mark.slow
def test_declared_direction_reaches_existing_run_pages(
    tracked: Path, run_id: str, tmp_path: Path
) -> None:
    with gitml.start_run(run_name="second"):
        gitml.log_metric("tons", 1, step=1)
        gitml.log_metric("tons", 3, step=2)
        gitml.log_metric("tons", 2, step=3)
    repository, best = Repository.open(tracked), []
    (tracked / "registry").mkdir()
    for direction in ("lower", "higher"):
        declared = f"model: Truck\nbetter: {{tons: {direction}}}\n"
        (tracked / "registry" / "Truck.yaml").write_text(declared)
        build_site(repository, tmp_path / "site")
        pages = [path.read_text() for path in (tmp_path / "site" / "runs").iterdir()]
        page = next(page for page in pages if "tons" in page)
        row = re.search(r"<bdi>tons</bdi>.*?</tr>", page, re.DOTALL)
        best.append(re.findall(r"<td[^>]*>([^<]*)</td>", row[0]) if row else [])
    assert [cells[0] for cells in best] == ["1", "3"]
