"""Several clones of one project, and what one does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gitml
from gitml.entities import ModelVersion
from gitml.registry.registry import Registry
from gitml.registry.tags.version_commit import ModelSource
from gitml.repository import Repository
from gitml.sharing import push_pull
from gitml.store.exchange.exchange import ExchangeReport
from tests.conftest import git, make_repository

ROUNDS = 4  # two bring everything everywhere, one finds nothing left, one is to spare


def origin_and_clone(root: Path, name: str) -> Path:
    """Make ``origin.git``, bare, and beside it a repository that pushed its one commit there."""
    git(root, "init", "-q", "--bare", "-b", "main", "origin.git")
    folder = make_repository(root / name)
    git(folder, "remote", "add", "origin", f"file://{root}/origin.git")
    git(folder, "push", "-q", "origin", "main")
    return folder


def repo(folder: Path) -> Repository:
    return Repository.open(folder)


def models(folder: Path) -> Registry:
    return Registry.of(repo(folder))


def register(folder: Path, name: str = "Price", **options: Any) -> ModelVersion:
    """Register a version of a model that an empty run has, without its files."""
    client = gitml.MlflowClient(folder)
    experiment = client.repository.experiments.create("shared", {}, exist_ok=True)
    run_id = client.create_run(experiment, run_name=folder.name).info.run_id
    client.set_terminated(run_id)
    source = ModelSource(
        run=client.get_run(run_id),
        source=f"runs:/{run_id}/model",
        path="model",
        digest=f"{run_id}.dir",
        size=0,
        nfiles=0,
        dvc_file=b"outs: []\n",
        mlmodel=b"flavors: {}\n",
    )
    return models(folder).register(name, source, **options)


def exchange(*folders: Path) -> list[ExchangeReport]:
    """Push and pull in turn until nobody has news; returns all reports."""
    all_reports: list[ExchangeReport] = []
    for _ in range(ROUNDS):
        reports = [push_pull.push(repo(folder)).exchange for folder in folders]
        reports += [push_pull.pull(repo(folder)) for folder in folders]
        all_reports += reports
        if not any(report.changed or report.renumbered for report in reports):
            return all_reports
    raise AssertionError("these clones do not come to rest")
