from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.entities import ModelVersion, RegisteredModel
from gitml.errors import AlreadyExists, InvalidInput, NotFound, StoreError
from gitml.registry.registry import Registry
from tests.conftest import temporary_refs

from .conftest import START, World


def test_a_version_tells_where_it_comes_from(world: World) -> None:
    source = world.model()
    world.clock.now += 5_000
    version = world.registry.register(
        "PriceOptimizer", source, description="First.", tags={"team": "pricing"}
    )
    assert version == ModelVersion(
        name="PriceOptimizer",
        version=1,
        creation_timestamp=START + 5_000,
        last_updated_timestamp=START + 5_000,
        description="First.",
        user_id="Ada Example",
        source=source.source,
        run_id=source.run.info.run_id,
        tags={"team": "pricing"},
        digest=source.digest,
        commit=world.git("rev-parse", "PriceOptimizer@v1.0.0^{commit}"),
        code_commit=world.git("rev-parse", "HEAD"),
    )
    assert world.registry.get_model_version("PriceOptimizer", "1") == version
    assert world.registry.get_registered_model("PriceOptimizer") == RegisteredModel(
        name="PriceOptimizer",
        creation_timestamp=START + 5_000,
        last_updated_timestamp=START + 5_000,
        latest_versions=(version,),
    )


def test_a_version_commit_is_minimal_and_keeps_code_and_run_reachable(world: World) -> None:
    (world.folder / ".github" / "workflows").mkdir(parents=True)
    (world.folder / ".github" / "workflows" / "release.yml").write_text("on: push\n")
    (world.folder / ".gitlab-ci.yml").write_text("stages: []\n")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "Add workflows")
    source = world.model(run=world.run(1))
    recorded = world.git("rev-parse", "gitml/runs")
    world.run(2)
    world.registry.register("m", source)
    commit = "m@v1.0.0^{commit}"
    assert world.git("rev-parse", f"{commit}^1") == world.git("rev-parse", "main")
    assert world.git("rev-parse", f"{commit}^2") == recorded
    assert world.git("ls-tree", "-r", "--name-only", commit).splitlines() == [
        ".dvc/config",
        ".github/workflows/release.yml",
        ".gitlab-ci.yml",
        "MLmodel",
        "dvc.yaml",
        "model.dvc",
        "version.json",
    ]
    for path in (".github", ".gitlab-ci.yml"):
        assert world.git("rev-parse", f"{commit}:{path}") == world.git("rev-parse", f"main:{path}")
    shared = world.git("rev-parse", "gitml/runs:.dvc/config")
    assert world.git("rev-parse", f"{commit}:.dvc/config") == shared
    assert json.loads(world.git("show", f"{commit}:version.json")) == {
        "schema": 1,
        "name": "m",
        "version": 1,
        "run_id": source.run.info.run_id,
        "source": source.source,
        "path": "model",
        "digest": source.digest,
        "size": source.size,
        "nfiles": 2,
        "flavors": ["python_function"],
        "code_commit": world.git("rev-parse", "main"),
        "dirty": False,
        "created": START,
        "user": "Ada Example",
        "run_link": "",
    }
    assert temporary_refs(world.folder) == []
    assert world.git("fsck", "--strict", "--no-dangling") == ""


def test_run_whose_code_is_absent_is_registered_without_it(world: World) -> None:
    run = world.run()
    world.git("checkout", "-q", "--orphan", "other")
    world.git("branch", "-D", "main")
    world.git("reflog", "expire", "--expire=now", "--all")
    world.git("gc", "-q", "--prune=now")
    version = world.registry.register("m", world.model(run=run))
    assert world.git("rev-list", "--parents", "-1", version.commit).split()[1:] == [
        world.git("rev-parse", "gitml/runs^")
    ]


def test_a_run_that_still_goes_on_can_be_registered_in_an_empty_repository(world: World) -> None:
    other = World(world.folder.parent / "other", world.remote)
    source = world.model()
    assert other.registry.register("m", source).version == 1
    assert other.registry.get_model_version("m", 1).code_commit == source.run.source.commit


def test_stages_move_and_archive_like_those_of_mlflow(world: World) -> None:
    world.versions(3, "m")
    registry = world.registry
    registry.transition_model_version_stage("m", 1, "production")
    registry.transition_model_version_stage("m", 2, "STAGING")
    moved = registry.transition_model_version_stage(
        "m", "2", "Production", archive_existing_versions=True, reason="beats 1\nby far"
    )
    assert moved.current_stage == "Production"
    assert [(v.version, v.current_stage) for v in registry.get_latest_versions("m")] == [
        (1, "Archived"),
        (2, "Production"),
        (3, "None"),
    ]
    assert [v.version for v in registry.get_latest_versions("m", ["production", "Staging"])] == [2]
    assert world.tags()[3:] == [
        "m#Production#1",
        "m#Staging#2",
        "m#Staging!#3",
        "m#Production!#4",
        "m#Archived#5",
        "m#Production#6",
    ]
    event = registry.history("m")[-1]
    assert (event.kind, event.version, event.value) == ("stage", 2, "Production")
    assert event.message == "m version 2 moved from Staging to Production"
    assert event.detail == {
        "model": "m",
        "version": 2,
        "from": "Staging",
        "to": "Production",
        "archive": True,
        "user": "Ada Example",
        "reason": "beats 1 by far",
        "run_id": moved.run_id,
        "digest": moved.digest,
        "previous": {"tag": "m#Archived#5", "id": world.git("rev-parse", "m#Archived#5")},
    }


def test_every_tag_of_a_model_has_its_own_second(world: World) -> None:
    world.versions(2, "m")
    world.registry.transition_model_version_stage("m", 1, "Staging")
    world.registry.transition_model_version_stage("m", 1, "None")
    world.registry.transition_model_version_stage("m", 1, "Staging")
    times = [event.timestamp for event in world.registry.history("m")]
    assert times == [START + 1000 * number for number in range(5)]
    assert world.registry.get_model_version("m", 1).current_stage == "Staging"
    world.clock.now += 60_000
    world.registry.transition_model_version_stage("m", 1, "None")
    assert world.registry.history("m")[-1].timestamp == START + 60_000


def test_a_transition_to_where_a_version_is_writes_nothing(world: World) -> None:
    world.versions(1, "m")
    world.registry.transition_model_version_stage("m", 1, "Staging")
    before = world.tags()
    world.registry.transition_model_version_stage("m", 1, "Staging", True)
    assert world.tags() == before


def test_aliases_name_a_single_version(world: World) -> None:
    world.versions(2, "m")
    registry = world.registry
    for alias, version in [("champion", 1), ("champion", 2), ("été_", 1), ("old", 1)]:
        registry.set_registered_model_alias("m", alias, version)
    registry.delete_registered_model_alias("m", "old")
    registry.delete_registered_model_alias("m", "never")
    assert registry.get_registered_model("m").aliases == {"champion": 2, "été_": 1}
    assert registry.get_model_version_by_alias("m", "été_").aliases == ("été_",)
    assert registry.get_model_version_by_alias("m", "champion").version == 2
    with pytest.raises(NotFound, match=r"has no alias 'old'\. Its aliases: champion, été_\."):
        registry.get_model_version_by_alias("m", "old")


def test_deleted_versions_lose_stage_and_alias_and_their_number_is_not_used_again(
    world: World,
) -> None:
    world.versions(2, "m")
    registry = world.registry
    registry.transition_model_version_stage("m", 2, "Production")
    registry.set_registered_model_alias("m", "champion", 2)
    registry.delete_model_version("m", 2)
    with pytest.raises(NotFound, match=r"no longer has a version 2\. Its versions: 1\."):
        registry.get_model_version("m", 2)
    assert registry.get_registered_model("m").aliases == {}
    assert registry.get_latest_versions("m", ["Production"]) == []
    assert registry.register("m", world.model()).version == 3


def test_deleted_model_is_absent_and_can_be_made_again(world: World) -> None:
    world.versions(2, "m")
    registry = world.registry
    registry.transition_model_version_stage("m", 1, "Production")
    registry.set_registered_model_tag("m", "team", "pricing")
    registry.delete_registered_model("m")
    assert registry.search_registered_models() == []
    with pytest.raises(NotFound):
        registry.get_registered_model("m")
    assert registry.history("m")[-1].kind == "deprecated"
    again = registry.create_registered_model("m")
    assert (again.tags, again.latest_versions) == ({}, ())
    assert registry.register("m", world.model()).version == 3
    registry.delete_registered_model("m")
    assert registry.search_registered_models() == []
    assert world.tags()[-1] == "m@deprecated#3"


def test_a_model_without_versions_is_made_and_deleted_without_tags(world: World) -> None:
    registry = world.registry
    registry.create_registered_model("m", tags={"a": "1"}, description="About m.")
    registry.register("m", world.model(), existing_only=True)
    with pytest.raises(AlreadyExists, match="'m' already exists"):
        registry.create_registered_model("m")
    registry.create_registered_model("empty")
    registry.delete_registered_model("empty")
    assert [model.name for model in registry.search_registered_models()] == ["m"]
    with pytest.raises(NotFound, match=r"No registered model 'empty'\. Registered models: m\."):
        registry.register("empty", world.model(), existing_only=True)


def test_descriptions_and_tags_are_edited_and_removals_leave_a_tombstone(world: World) -> None:
    world.versions(1, "m")
    registry = world.registry
    registry.update_registered_model("m", "Über m.")
    registry.set_registered_model_tag("m", "team", "a")
    registry.set_registered_model_tag("m", "gone", 1)
    registry.delete_registered_model_tag("m", "gone")
    world.clock.now += 10
    registry.update_model_version("m", 1, "Good.")
    registry.set_model_version_tag("m", 1, "k", "v")
    registry.set_model_version_tag("m", 1, "gone", "v")
    registry.delete_model_version_tag("m", 1, "gone")
    model = registry.get_registered_model("m")
    assert (model.description, model.tags) == ("Über m.", {"team": "a"})
    version = model.latest_versions[0]
    assert (version.description, version.tags) == ("Good.", {"k": "v"})
    assert version.last_updated_timestamp == START + 13
    record = json.loads(world.git("show", "gitml/runs:models/m/versions/1.json"))
    assert record["written"] == {
        "description": START + 10,
        "tags.k": START + 11,
        "tags.gone": START + 13,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Prix élevé", "🚀", "a.b", "x_", "  spaced  ", "é" * 256])
def test_names_outside_gtos_grammar_work_everywhere(world: World, name: str) -> None:
    world.registry.register(name, world.model())
    world.registry.transition_model_version_stage(name, 1, "Production")
    latest = world.registry.get_latest_versions(name, ["Production"])
    assert [(v.name, v.version) for v in latest] == [(name, 1)]
    assert [m.name for m in world.registry.search_registered_models()] == [name]
    assert {event.model for event in world.registry.history(name)} == {name}
    slug = world.tags()[0].split("@")[0]
    assert [v["version"] for v in world.gto("show", slug)] == ["v1.0.0"]


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b", "a\nb", "..:/x", "a" * 257, "\ud800"])
def test_names_that_mlflow_refuses_are_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidInput):
        world.registry.create_registered_model(name)
    with pytest.raises(InvalidInput):
        world.registry.get_registered_model(name)


def test_names_that_differ_only_in_case_are_refused(world: World) -> None:
    world.versions(1, "PriceOptimizer")
    world.registry.create_registered_model("Été")
    for name in ("priceoptimizer", "été", "E\u0301te\u0301"):
        with pytest.raises(AlreadyExists, match="is too close to"):
            world.registry.register(name, world.model())
    assert len(world.registry.search_registered_models()) == 2


def test_unknown_things_are_named_together_with_what_exists(world: World) -> None:
    world.versions(2, "m")
    registry = world.registry
    with pytest.raises(NotFound, match=r"^No registered model 'x'\. Registered models: m\.$"):
        registry.get_registered_model("x")
    with pytest.raises(NotFound, match=r"^Model 'm' has no version 9\. Its versions: 1, 2\.$"):
        registry.transition_model_version_stage("m", 9, "Staging")
    with pytest.raises(
        InvalidInput,
        match=r"^'Live' is not a stage\. Stages are None, Staging, Production, Archived\.$",
    ):
        registry.transition_model_version_stage("m", 1, "Live")
    with pytest.raises(InvalidInput, match="cannot be archived"):
        registry.transition_model_version_stage("m", 1, "None", archive_existing_versions=True)
    for version in ("x", 0, -1, 1.5, True, "01"):
        with pytest.raises(InvalidInput, match="is not a model version"):
            registry.get_model_version("m", version)  # type: ignore[arg-type]
    for alias in ("latest", "v3", "a b", "", "Latest"):
        with pytest.raises(InvalidInput, match="Alias"):
            registry.set_registered_model_alias("m", alias, 1)
    assert len(world.tags()) == 2


def test_search_filters_and_orders(world: World) -> None:
    registry = world.registry
    registry.register("PriceOptimizer", world.model(run=world.run(1)), tags={"team.x": "it's"})
    registry.register("Churn", world.model(run=world.run(2)))
    registry.register("PriceOptimizer", world.model(run=world.run(2)))
    run = f"{2:032x}"

    def models(text: str | None, order: list[str] | None = None) -> list[str]:
        return [m.name for m in registry.search_registered_models(text, order)]

    def versions(text: str | None, order: list[str] | None = None) -> list[tuple[str, int]]:
        return [(v.name, v.version) for v in registry.search_model_versions(text, order)]

    assert models(None) == ["Churn", "PriceOptimizer"]
    assert models("name LIKE 'Price%'") == ["PriceOptimizer"]
    assert models("name ILIKE 'pr_ce%'") == ["PriceOptimizer"]
    assert models("name = 'x' AND name LIKE '%'") == []
    assert models(None, ["name DESC"]) == ["PriceOptimizer", "Churn"]
    assert versions("name='PriceOptimizer'", ["version_number ASC"]) == [
        ("PriceOptimizer", 1),
        ("PriceOptimizer", 2),
    ]
    assert sorted(versions(f"run_id = '{run}'")) == [("Churn", 1), ("PriceOptimizer", 2)]
    assert versions("tags.`team.x` = 'it''s' and version_number < 2") == [("PriceOptimizer", 1)]
    assert versions("name IN ('Churn', 'x')") == [("Churn", 1)]
    assert len(registry.search_model_versions(max_results=1)) == 1
    assert versions("NOT (name = 'Churn' OR version_number >= 2)") == [("PriceOptimizer", 1)]
    for wrong in ("nme = 'x'", "name =", "name = x", "name > 'x'", "version_number = 'x'", "'"):
        with pytest.raises(InvalidInput, match=r"Invalid|Unknown field"):
            versions(wrong)
    with pytest.raises(InvalidInput, match=r"Invalid|Unknown field"):
        models(None, ["size"])
    with pytest.raises(InvalidInput, match=r"Did you mean tags\.size"):
        versions("size > 3")
    with pytest.raises(InvalidInput, match="max_results is -1"):
        registry.search_registered_models(max_results=-1)


def test_the_users_work_is_left_alone(world: World) -> None:
    (world.folder / "train.py").write_text("changed\n")
    world.git("stash", "-q")
    (world.folder / "train.py").write_text("staged\n")
    world.git("add", "train.py")
    (world.folder / "new.txt").write_text("untracked\n")
    source = world.model()

    def seen() -> tuple[object, ...]:
        git_dir = world.folder / ".git"
        files = [git_dir / name for name in ("index", "HEAD", "config", "refs/stash")]
        work = sorted(p for p in world.folder.rglob("*") if ".git" not in p.parts)
        return [p.read_bytes() for p in files], [(p, p.read_bytes()) for p in work]

    before = seen()
    world.registry.register("m", source)
    world.registry.transition_model_version_stage("m", 1, "Staging")
    world.registry.set_registered_model_alias("m", "champion", 1)
    world.registry.delete_registered_model("m")
    assert seen() == before


@pytest.mark.slow
def test_registrations_of_two_processes_get_different_numbers(world: World) -> None:
    world.versions(1, "m")
    script = Path(__file__).with_name("register_in_process.py")
    command = [sys.executable, script, world.folder, world.remote]
    env = {**os.environ, "PYTHONPATH": str(Path(gitml.__file__).parents[1])}
    processes = [
        subprocess.Popen([*command, str(run)], stdout=subprocess.PIPE, env=env) for run in (2, 3)
    ]
    printed = b" ".join(process.communicate(timeout=120)[0] for process in processes)
    assert sorted(int(number) for number in printed.split()) == [2, 3, 4, 5, 6, 7]
    assert len(world.registry.search_model_versions("name = 'm'")) == 7
    assert [len(v["registrations"]) for v in world.gto("show", "m")] == [1] * 7


def test_a_tag_that_another_program_wrote_meanwhile_is_not_overwritten(world: World) -> None:
    world.versions(1, "m")
    target = world.git("rev-parse", "main")
    taken = False

    def clock() -> int:
        nonlocal taken
        if not taken:
            taken = True
            world.git("tag", "-a", "-m", "theirs", "m#Staging#1", target)
        return START

    state = world.repo.common_dir / "gitml"
    registry = Registry(world.repo, world.branch, state=state, clock=clock)
    registry.transition_model_version_stage("m", 1, "Staging")
    assert world.git("rev-parse", "m#Staging#1^{commit}") == target
    assert world.registry.get_model_version("m", 1).current_stage == "Staging"
    assert [t.tag for t in world.registry.ignored_tags()] == ["m#Staging#1"]


def test_a_registration_that_cannot_be_tagged_leaves_nothing_behind(world: World) -> None:
    world.versions(1, "m")
    source = world.model()
    world.git("update-ref", "refs/tags/m@v2.0.0/x", "main")  # keeps git from making m@v2.0.0
    before = world.git("for-each-ref")
    with pytest.raises(StoreError, match=r"there is a 'm@v2\.0\.0/x', and git cannot") as error:
        world.registry.register("m", source)
    assert error.value.hint == "Remove it if nobody needs it: `git tag -d m@v2.0.0/x`."
    assert world.git("for-each-ref") == before
