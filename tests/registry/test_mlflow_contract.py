"""The registry answers as MLflow's does; where it does not, here is why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gitml
from gitml.errors import AlreadyExists, InvalidInput
from tests.conftest import make_repository

from .conftest import World
from .mlflow_contract import facts

MLFLOW = json.loads(Path(__file__).with_name("mlflow_facts.json").read_text())
DEVIATIONS = {
    # Not there is RESOURCE_DOES_NOT_EXIST, wrong use INVALID_PARAMETER_VALUE, everywhere.
    "by no alias": "raises RESOURCE_DOES_NOT_EXIST",
    "tag in an empty stage": "raises RESOURCE_DOES_NOT_EXIST",
    "copy a run's model": "raises INVALID_PARAMETER_VALUE",
    "describe version with nothing": "raises INVALID_PARAMETER_VALUE",
    "a negative number of models": "raises INVALID_PARAMETER_VALUE",
    # Approvals bear the model's name.
    "rename": "raises INVALID_PARAMETER_VALUE",
    # Numbers are never used again: a tag means one version for ever.
    "its first version": "Price 4 | None | READY",
}


@pytest.mark.slow
def test_every_call_answers_as_mlflow_does_but_for_what_is_listed(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_text("flavors: {}\n", "model/MLmodel")

    answers = facts(gitml, gitml.MlflowClient(tracked), run.info.run_id)
    assert [label for label, answer in DEVIATIONS.items() if MLFLOW[label] == answer] == []
    assert answers == {**MLFLOW, **DEVIATIONS}


def test_pages_follow_each_other_to_the_end(world: World) -> None:
    world.versions(5, "m")
    pages, token = [], None
    while True:
        page = world.registry.search_model_versions(
            order_by=["version_number"], max_results=2, page_token=token
        )
        pages.append([version.version for version in page])
        token = page.token
        if token is None:
            break
    assert pages == [[1, 2], [3, 4], [5]]
    with pytest.raises(InvalidInput, match="max_results is 0"):
        world.registry.search_registered_models(max_results=0)


def test_edits_are_recorded_with_user_time_and_reason(world: World) -> None:
    world.versions(1, "m")
    registry = world.registry
    registry.update_registered_model("m", "# Prices", reason="for the\nauditors")
    registry.set_model_version_tag("m", 1, "team: x", "pricing")
    registry.delete_registered_model_tag("m", "nope", reason="tidy")

    assert [event.kind for event in registry.history("m")] == ["registered"]
    edits = [event for event in registry.history("m", edits=True) if event.kind == "edited"]
    assert [(e.message, e.version, e.value, e.detail) for e in edits] == [
        ("m description changed", None, "description", {"reason": "for the auditors"}),
        ("m version 1 tags.team: x set", 1, "tags.team: x", {}),
        ("m tags.nope removed", None, "tags.nope", {"reason": "tidy"}),
    ]
    assert {(e.user, e.email, e.tag) for e in edits} == {("Ada Example", "ada@example.org", "")}
    assert edits[-1].commit == world.git("rev-parse", "gitml/runs")


def test_rename_is_refused_with_an_alternative(world: World) -> None:
    world.versions(2, "m")
    world.registry.transition_model_version_stage("m", 1, "Production")
    before = world.git("for-each-ref")
    with pytest.raises(InvalidInput, match="record who approved") as refused:
        world.registry.rename_registered_model("m", "n")
    assert "gitml registry register models:/m/1 n" in str(refused.value)
    world.registry.create_registered_model("n")
    with pytest.raises(AlreadyExists, match="'n' already exists"):
        world.registry.rename_registered_model("m", "n")
    assert world.git("for-each-ref", "refs/tags") in before


def test_the_registry_is_in_the_repository_that_is_logged_to(tracked: Path, tmp_path: Path) -> None:
    gitml.set_registry_uri(tracked)
    assert gitml.get_registry_uri() == gitml.get_tracking_uri() == tracked.as_uri()
    gitml.MlflowClient(tracked, registry_uri=tracked.as_uri())
    other = make_repository(tmp_path / "other")
    for call in (gitml.set_registry_uri, lambda uri: gitml.MlflowClient(tracked, uri)):
        with pytest.raises(InvalidInput, match="not in the repository that is logged to"):
            call(other)
    with pytest.raises(InvalidInput, match="is not a path"):
        gitml.set_registry_uri("http://127.0.0.1:5000")
