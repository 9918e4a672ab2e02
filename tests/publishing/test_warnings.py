"""What needs a look: tags that declarations do not name, files that are gone, odd tags."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitml
from gitml.publishing.repository_source import RepositorySource
from gitml.registry import registration
from gitml.repository import Repository
from tests.conftest import git


@pytest.fixture
def registered(repository: Path) -> gitml.MlflowClient:
    """Version 1 of a model, and a file that says it is in Production with an alias."""
    client = gitml.MlflowClient(repository)
    run = client.create_run(client.create_experiment("e"))
    client.write_artifact(run.info.run_id, "m/MLmodel", lambda p: p.write_text("flavors: {}\n"))
    client.set_terminated(run.info.run_id)
    registration.register(client, f"runs:/{run.info.run_id}/m", "Price")
    declare(repository, "model: Price\nstages: {Production: 1}\naliases: {champion: 1}\n")
    return client


def declare(repository: Path, text: str) -> None:
    (repository / "registry").mkdir(exist_ok=True)
    (repository / "registry" / "Price.yaml").write_text(text)
    git(repository, "add", "registry")
    git(repository, "commit", "-qm", "Declare")


def warnings_of(repository: Path) -> list[tuple[str, str]]:
    return [(c.text, c.model) for c in RepositorySource(Repository.open(repository)).warnings()]


def test_declaration_that_is_not_applied_is_a_warning(
    repository: Path, registered: gitml.MlflowClient
) -> None:
    settle = "`gitml registry apply` settles it."
    assert warnings_of(repository) == [
        (f"Production is declared to hold version 1 and holds nothing. {settle}", "Price"),
        (f"Alias champion is declared to name version 1 and names nothing. {settle}", "Price"),
    ]
    registered.registry.transition_model_version_stage("Price", 1, "Production")
    registered.registry.set_registered_model_alias("Price", "champion", 1)
    assert warnings_of(repository) == []
    declare(repository, "model: Price\nstages: {Production: null}\naliases: {champion: null}\n")
    assert warnings_of(repository) == [
        (f"Production is declared empty and holds version 1. {settle}", "Price"),
        (f"Alias champion is declared to name nothing and names version 1. {settle}", "Price"),
    ]


def test_a_declaration_that_cannot_be_read_hides_no_other(
    repository: Path, registered: gitml.MlflowClient
) -> None:
    (repository / "registry" / "Bad.yaml").write_text("model: Bad\nstages: [")
    declare(repository, "model: Price\nstages: {Production: 1}\nbetter: {rmse: higher}\n")
    source = RepositorySource(Repository.open(repository))
    assert [warning.text.partition(" ")[0] for warning in source.warnings()] == [
        "registry/Bad.yaml,", "Production",
    ]  # fmt: skip
    assert source.better("rmse") == "higher"


def test_a_branch_under_review_declares_nothing_yet(
    repository: Path, registered: gitml.MlflowClient, tmp_path: Path
) -> None:
    declare(repository, "model: Price\n")
    git(repository, "clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    git(repository, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(repository, "fetch", "-q")
    git(repository, "remote", "set-head", "origin", "main")
    git(repository, "switch", "-qc", "promote")
    declare(repository, "model: Price\nstages: {Production: 1}\n")
    assert warnings_of(repository) == []


def test_invalid_declaration_is_a_warning(repository: Path, registered: gitml.MlflowClient) -> None:
    declare(repository, "model: Price\nstages: {Produktion: 1}\n")
    ((text, model),) = warnings_of(repository)
    assert "registry/Price.yaml" in text and "Produktion" in text and model == ""


def test_missing_files_are_a_warning_unless_the_remote_is_elsewhere(
    repository: Path, registered: gitml.MlflowClient
) -> None:
    declare(repository, "model: Price\n")
    state = Repository.open(repository).state
    for name in ("cache", "remote"):
        for path in filter(Path.is_file, (state / name).rglob("*")):
            path.chmod(0o600)
            path.unlink()
    assert warnings_of(repository) == [
        ("m/MLmodel is neither in the cache nor in the remote.", "Price"),
    ]
    git(repository, "clone", "-q", ".", "../other")
    git(repository.parent / "other", "fetch", "-q", "origin", "gitml/runs:gitml/runs")
    assert warnings_of(repository.parent / "other") == []


def test_tag_that_is_not_a_registry_event_is_a_warning(
    repository: Path, registered: gitml.MlflowClient
) -> None:
    declare(repository, "model: Price\n")
    git(repository, "tag", "Price#Production#1")
    ((text, _),) = warnings_of(repository)
    assert text.startswith("Tag Price#Production#1 is not taken as a registry event: ")
