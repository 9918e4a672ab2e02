"""Lineage where facts are missing: in clones, of other tools, of records gone or broken."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitml
from gitml.entities import ModelVersion
from gitml.errors import NotFound
from gitml.formats.run_records import run_folder
from gitml.registry import ancestry, descendants, lineage
from gitml.registry.ancestry import Lineage, LineageCommit
from tests.cli.conftest import log_model
from tests.clones import repo
from tests.conftest import git


def train(folder: Path) -> str:
    """Train a model with the code that is checked out, and register it; returns the run's id."""
    gitml.set_tracking_uri(folder)
    with gitml.start_run(run_name="baseline") as run:
        gitml.log_input(gitml.Dataset(name="prices", digest="4f7b01a9"))
    gitml.register_model(log_model(folder, run.info.run_id), "Price")
    return run.info.run_id


def of_price(folder: Path, version: int = 1) -> Lineage:
    return gitml.MlflowClient(folder).get_model_version_lineage("Price", version)


def test_a_fresh_clone_tells_the_same(tracked: Path, tmp_path: Path) -> None:
    run_id = train(tracked)
    gitml.MlflowClient(tracked).transition_model_version_stage(
        "Price", 1, "Staging", reason="try it"
    )
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(tracked), str(clone))

    price = of_price(clone)
    assert price == of_price(tracked)
    assert price.run is not None and price.run.info.run_id == run_id
    assert price.entered is not None and price.entered.reason == "try it"
    assert price.requirements is not None
    assert git(clone, "show", price.requirements.at).count("\n") + 1 == price.requirements.count
    (run,) = descendants.descendants(repo(clone), "4f7b").runs
    assert [(version.name, version.current_stage) for version in run.versions] == [
        ("Price", "Staging")
    ]


def test_a_shallow_clone_without_the_code_names_its_commit(tracked: Path, tmp_path: Path) -> None:
    train(tracked)
    commit = git(tracked, "rev-parse", "HEAD")
    clone = tmp_path / "clone"
    git(tmp_path, "init", "-q", str(clone))
    for ref in ("refs/heads/gitml/runs", "refs/tags/Price@v1.0.0"):
        git(clone, "fetch", "-q", "--depth=1", f"file://{tracked}", f"{ref}:{ref}")

    price = of_price(clone)
    assert price.code == LineageCommit(id=commit)
    assert price.run is not None and price.run.info.run_name == "baseline"
    assert descendants.descendants(repo(clone), commit[:8]).names == ()


def test_a_version_outlives_the_record_of_its_run(tracked: Path) -> None:
    run_id = train(tracked)
    branch = repo(tracked).branch
    path = f"{run_folder('Default', run_id)}/run.json"
    branch.update(lambda tip: ({path: b"{broken"}, "break\n"))
    assert of_price(tracked).run is None
    branch.update(lambda tip: ({path: None}, "remove\n"))
    price = of_price(tracked)
    assert price.run is not None and price.run.info.run_id == run_id
    assert price.requirements is not None and "^2:" in price.requirements.at
    assert git(tracked, "show", price.requirements.at)


def test_a_deleted_run_still_leads_to_what_is_live(tracked: Path) -> None:
    run_id = train(tracked)
    gitml.delete_run(run_id)
    result = descendants.descendants(repo(tracked), git(tracked, "rev-parse", "HEAD"))
    assert [(r.run.info.lifecycle_stage, len(r.versions)) for r in result.runs] == [("deleted", 1)]


def test_a_version_that_stock_gto_registered_leads_to_the_code_it_tags(tracked: Path) -> None:
    git(tracked, "tag", "-a", "Price@v1.0.0", "-m", "Registering artifact Price version v1.0.0")
    commit = git(tracked, "rev-parse", "HEAD")
    price = of_price(tracked)
    assert (price.run, price.code and price.code.id) == (None, commit)
    assert price.code is not None and price.code.subject == "Add training"
    with pytest.raises(NotFound, match="No run was made by commit"):
        lineage.blame(repo(tracked), "Price@v1.0.0")


def test_hostile_commits_and_names_are_only_text(tracked: Path) -> None:
    run_id = train(tracked)
    evil = "--output=/dev/full"
    gitml.MlflowClient(tracked).set_tag(run_id, "mlflow.source.git.commit", evil)
    for text in (evil, "-h", "\x1b[2J", "a\nb", "\0", "HEAD:train.py", "'; DROP TABLE runs"):
        with pytest.raises(NotFound, match="Nothing matches"):
            lineage.blame(repo(tracked), text)


def test_a_patch_is_counted_by_its_files() -> None:
    patch = b"diff --git a/x b/x\n+diff --git in the text\ndiff --git a/y b/y\n"
    assert ancestry.changed_files(patch) == 2
    version = ModelVersion(name="m", version=1, creation_timestamp=0, last_updated_timestamp=0,
                           commit="c" * 40)  # fmt: skip
    assert ancestry.code_of(version, None) == "c" * 40
