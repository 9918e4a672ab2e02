"""``gitml blame``: the chain from a live model to code and data, and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gitml
from gitml.cli.blame import placement
from gitml.entities import ModelVersion
from gitml.registry.ancestry import Lineage
from gitml.registry.tags.stage_history import StageEntry
from tests.cli.conftest import Cli, loaded, log_model, refs
from tests.cli.test_gates import declare
from tests.conftest import git

DIGEST = "4f7b01a9"


def train(
    folder: Path, name: str = "baseline", digest: str = DIGEST, parent: str | None = None
) -> str:
    """Log a run as a script would, with a dataset and a model; returns its id."""
    gitml.set_tracking_uri(folder)
    gitml.set_experiment("houses")
    with gitml.start_run(run_name=name, parent_run_id=parent) as run:
        gitml.log_metric("rmse", 3.25)
        gitml.log_param("depth", 3)
        gitml.log_input(gitml.Dataset(name="prices", digest=digest), context="train")
    log_model(folder, run.info.run_id)
    return run.info.run_id


def register(cli: Cli, run_id: str) -> None:
    cli("registry", "register", f"runs:/{run_id}/model", "Price")


@pytest.fixture
def promoted(cli: Cli, tracked: Path) -> str:
    """Id of the run whose model is live, after another one was; its code was not committed."""
    register(cli, train(tracked, "first", "00aa11bb"))
    declare(tracked, "metrics.rmse < 3.5")
    cli("registry", "transition", "Price", "1", "Production")
    (tracked / "train.py").write_text("print('changed')\n")
    parent = train(tracked, "sweep", "77777777")
    run_id = train(tracked, parent=parent)
    register(cli, run_id)
    cli("registry", "transition", "Price", "2", "Production", "-m", "4 % better",
        "--archive-existing")  # fmt: skip
    cli("registry", "alias", "set", "Price", "champion", "2")
    return run_id


@pytest.mark.slow
def test_blame_prints_the_whole_chain_of_a_live_model(
    cli: Cli, tracked: Path, promoted: str
) -> None:
    commit = git(tracked, "rev-parse", "HEAD")
    before = refs(tracked)
    printed = cli("blame", "models:/Price/Production").stdout
    facts = dict(re.findall(r"^([^:]+): +(.*)$", printed, re.MULTILINE))

    tip = git(tracked, "rev-parse", "gitml/runs")
    folder = f"{tip[:12]}:runs/{gitml.get_run(promoted).info.experiment_id}/{promoted[:2]}"
    assert {
        key: facts[key]
        for key in ("Model", "Stage", "Moved by", "Reason", "Gate of Production", "Tag")
    } == {
        "Model": "Price version 2",
        "Stage": "Production",
        "Moved by": "Ada Example",
        "Reason": "4 % better",
        "Gate of Production": "holds: metrics.rmse < 3.5 (3.25 < 3.5)",
        "Tag": "Price#Production#4",
    }
    assert facts["Run"] == f"{promoted} baseline" and facts["Experiment"] == "houses"
    assert (facts["Metrics"], facts["Params"]) == ("rmse=3.25", "depth=3")
    assert facts["Data"] == f"{DIGEST} prices, train"
    assert facts["Code"] == f"{commit} Add training, on main"
    assert facts["Not committed"] == f"1 file: git show {folder}/{promoted}/source.patch"
    assert facts["Parent run"].endswith(" sweep")
    assert facts["Environment"].startswith("Python 3.")
    assert (facts["Before it"], facts["Aliases"]) == ("version 1", "champion")
    assert facts["Go back"] == "gitml registry rollback Price Production -m WHY"
    assert len(printed.splitlines()) <= 25  # one screen
    patch = git(tracked, *facts["Not committed"].removeprefix("1 file: git ").split())
    assert "+print('changed')" in patch
    assert cli("blame", "models:/Price@champion").stdout == printed
    assert refs(tracked) == before


@pytest.mark.slow
def test_show_and_json_tell_the_same_chain(cli: Cli, tracked: Path, promoted: str) -> None:
    version = loaded(cli("registry", "show", "Price", "2", "--json"))
    blamed = loaded(cli("blame", "models:/Price/2", "--json"))
    stages = version.pop("stages")
    assert version.pop("lineage") | {"version": version, "stages": stages} == blamed
    assert [entry["reason"] for entry in stages["Production"]] == ["4 % better"]
    assert blamed["run"]["run_id"] == promoted
    assert blamed["run"]["inputs"][0]["digest"] == DIGEST
    assert [m["path"] for m in blamed["run"]["models"]] == []  # written by hand, not logged
    assert blamed["code"]["subject"] == "Add training"
    assert (blamed["previous"], blamed["patch"]["count"]) == (1, 1)
    assert blamed["entered"]["reason"] == "4 % better"
    assert blamed["parent"]["run_name"] == "sweep"
    text = cli("registry", "show", "Price", "2").stdout
    assert DIGEST in text and "Add training" in text and "4 % better" in text


@pytest.mark.slow
def test_a_version_tag_and_its_commit_name_the_version(cli: Cli, promoted: str) -> None:
    by_uri = cli("blame", "models:/Price/2").stdout
    commit = loaded(cli("registry", "show", "Price", "2", "--json"))["commit"]
    assert cli("blame", "Price@v2.0.0").stdout == by_uri
    assert cli("blame", commit[:12]).stdout == by_uri


def test_blame_traces_a_commit_to_runs_and_live_versions(
    cli: Cli, tracked: Path, promoted: str
) -> None:
    commit = git(tracked, "rev-parse", "HEAD")
    for text in (commit, commit[:7], commit[:7].upper(), "HEAD", "main"):
        document = loaded(cli("blame", text, "--json"))
        assert (document["origin"], document["id"], document["names"]) == (
            "commit", commit, ["Add training"],
        )  # fmt: skip
        assert [run["run_name"] for run in document["runs"]] == ["baseline", "first", "sweep"]
    assert [v["version"] for run in document["runs"] for v in run["versions"]] == [2, 1]
    printed = cli("blame", commit[:7]).stdout.splitlines()
    assert printed[:2] == [
        f"Commit {commit} Add training",
        "Live: Price 2 (Production, @champion)",
    ]
    assert re.search(r"baseline .* Price 2$", printed[4])


def test_blame_traces_a_digest_or_run_to_live_versions(cli: Cli, promoted: str) -> None:
    for text in (DIGEST, DIGEST[:4]):
        lines = cli("blame", text).stdout.splitlines()
        assert lines[0] == f"Dataset {DIGEST} prices"
        assert lines[1] == "Live: Price 2 (Production, @champion)"
    for text in (promoted, promoted[:10], f"runs:/{promoted}"):
        assert cli("blame", text).stdout.startswith(f"Run {promoted} baseline\nLive: Price 2 (")
    assert "No version of it is live." in cli("blame", "77777777").stdout


def test_blame_reports_unknown_names(cli: Cli, tracked: Path, promoted: str) -> None:
    def refused(text: str, code: int = 3) -> str:
        result = cli("blame", text, code=code)
        assert result.stdout == ""
        return result.stderr

    assert refused("deadbeef").startswith("error: Nothing matches 'deadbeef'.\nhint: Give ")
    assert "Nothing matches ''" in refused("")
    assert 'Nothing matches "%\'; --"' in refused("%'; --")
    assert "No registered model 'Nope'" in refused("models:/Nope/Production")
    assert "has no version in stage Staging" in refused("models:/Price/Staging")
    assert "names no version" in refused("models:/Price", code=2)
    git(tracked, "commit", "-q", "--allow-empty", "-m", "Tidy")
    assert "(Tidy)" in refused("HEAD") and "No run was made by commit" in refused("HEAD")
    train(tracked, "twin", DIGEST[:6] + "00")
    error = refused(DIGEST[:5])
    assert f"'{DIGEST[:5]}' is ambiguous: it matches 2 runs, commits or datasets." in error
    assert f"dataset {DIGEST[:6]}00, dataset {DIGEST}" in error


def test_placement_names_the_approvers() -> None:
    entered = StageEntry(version=1, timestamp=0, approved_by=("Bo <bo@example.org>", "Cy"),
                         approvals_from="trailers")  # fmt: skip
    version = ModelVersion(name="m", version=1, creation_timestamp=0, last_updated_timestamp=0,
                           current_stage="Production")  # fmt: skip
    facts = dict(placement(Lineage(version=version, stages={"Production": (entered,)})))
    assert facts["Approved by"] == "Bo <bo@example.org>, Cy (from trailers)"


def test_blame_traces_a_commit_that_the_clone_lacks(cli: Cli, tracked: Path) -> None:
    with gitml.start_run() as run:
        pass
    client = gitml.MlflowClient(tracked)
    missing = "ab" * 20
    client.set_tag(run.info.run_id, "mlflow.source.git.commit", missing)

    assert loaded(cli("blame", "abababab", "--json"))["id"] == missing
