"""The JSON Schemas: what gitml writes fits them, and FORMAT.md names all that they name."""

from __future__ import annotations

import json
import random
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import gitml
from gitml.config import RecordSettings, RegistrySettings, Settings, SiteSettings
from gitml.errors import InvalidInput
from gitml.forge import ForgeKind
from gitml.formats import schemas
from gitml.registry.tags import grammar
from tests.conftest import git
from tests.hostile import branch
from tests.hostile.mutations import mutated

jsonschema = pytest.importorskip("jsonschema")
FORMAT = (Path(schemas.__file__).parents[1] / "FORMAT.md").read_text()


def schema_of(path: str) -> str | None:
    """The schema that a file of the branch has to fit."""
    if path.startswith("experiments/"):
        return "experiment"
    if path.startswith("models/"):
        return "model" if path.endswith("model.json") else "version"
    return {"run.json": "run", "artifacts.json": "artifacts", "metrics.jsonl": "metric-point"}.get(
        path.rpartition("/")[2]
    )


def values_of(path: str, data: bytes) -> list[Any]:
    lines = data.splitlines() if path.endswith(".jsonl") else [data]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_schema_is_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas.schema(name))


def test_every_file_of_a_repository_fits_its_schema(tracked: Path, tmp_path: Path) -> None:
    with gitml.start_run():
        gitml.log_metric("m", float("nan"))
        gitml.log_text("x", "x.txt")
    good = branch.make_good(tmp_path / "other")
    files = {**branch.files_of(tracked), **good.files}
    seen = set()
    for path, data in files.items():
        name = schema_of(path)
        if name:
            seen.add(name)
            for value in values_of(path, data):
                jsonschema.validate(value, dict(schemas.schema(name)))
                assert list(schemas.faults(value, name)) == []
    for tag in git(good.folder, "tag").splitlines():
        event = grammar.parse(tag)
        if event and event.version:
            value = json.loads(git(good.folder, "show", f"{tag}^{{commit}}:version.json"))
            jsonschema.validate(value, dict(schemas.schema("version-commit")))
            seen.add("version-commit")
    assert seen == {*schemas.NAMES} - {"gitml.yaml"}


def test_our_checker_agrees_with_a_complete_implementation(tmp_path: Path) -> None:
    good = branch.make_good(tmp_path / "project")
    chance = random.Random(5)
    compared = 0
    for path, data in good.files.items():
        name = schema_of(path)
        if not name:
            continue
        complete = jsonschema.Draft202012Validator(schemas.schema(name))
        for _ in range(60):
            broken = mutated(data.splitlines()[0] if name == "metric-point" else data, chance)
            try:
                value = json.loads(broken)
                sound = complete.is_valid(value)
            except (ValueError, RecursionError):
                continue
            assert (not list(schemas.faults(value, name))) == sound, value
            compared += 1
    assert compared > 200


def names(rules: Any) -> set[str]:
    """Every property of a schema."""
    if isinstance(rules, list):
        return {name for item in rules for name in names(item)}
    if not isinstance(rules, dict):
        return set()
    return {*rules.get("properties", {})}.union(*(names(item) for item in rules.values()))


@pytest.mark.parametrize("name", [name for name in schemas.NAMES if name != "gitml.yaml"])
def test_format_md_names_every_property(name: str) -> None:
    assert [key for key in names(schemas.schema(name)) if f"`{key}`" not in FORMAT] == []
    assert f"schemas/{name}.json" in FORMAT


def test_the_schema_of_the_settings_is_that_of_the_program() -> None:
    properties = schemas.schema("gitml.yaml")["properties"]
    for settings, rules in (
        (Settings(), properties),
        (SiteSettings(), properties["site"]["properties"]),
        (RegistrySettings(), properties["registry"]["properties"]),
        (RecordSettings(), properties["record"]["properties"]),
    ):
        assert {*rules} == {item.name for item in fields(settings)}
        for item in fields(settings):
            value = getattr(settings, item.name)
            if not isinstance(value, SiteSettings | RegistrySettings | RecordSettings):
                assert rules[item.name]["default"] == value
    assert properties["forge"]["enum"] == ["", *ForgeKind]
    assert re.search(r"schemas/gitml\.yaml\.json", FORMAT)


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ([], "the file must be a mapping of keys, not a list", None),
        ({"branch": None}, "branch must be a string, not null", schemas._NULL),
        ({"branch": 5}, "branch must be a string, not 5", None),
        ({"allow_pickles": "no"}, "allow_pickles must be true or false, not 'no'", None),
        ({"site": {"run_pages": -1}}, "site.run_pages must be 0 or greater, not -1", None),
        ({"site": {"run_pages": 5.0}}, "site.run_pages must be an integer, not 5.0", None),
        (
            {"site": {"titel": "x"}},
            "site has an unknown key 'titel'",
            "Did you mean 'title'?",
        ),
        (
            {"owner": {}},
            "the file has an unknown key 'owner'",
            "Known: branch, git_remote, experiment_prefix, forge, allow_pickles, record, site, "
            "registry.",
        ),
        (
            {"registry": {"signers": {"Price": {"Production": [5]}}}},
            "registry.signers.Price.Production[0] must be a string, not 5",
            'For example: {"Price*": {"Production": ["ada@example.org"]}}.',
        ),
        ({"site": {3: "x"}}, "site has the key 3, which must be a string", "Put it in quotes."),
    ],
)
def test_a_mismatch_names_the_key_the_rule_and_the_value(
    value: Any, message: str, hint: str | None
) -> None:
    (mismatch,) = schemas.faults_in_yaml(value, schemas.schema("gitml.yaml"))
    assert (mismatch.message, mismatch.hint) == (message, hint)


def test_require_names_the_file() -> None:
    with pytest.raises(InvalidInput) as error:
        schemas.require({}, {"required": ["view"], "properties": {"view": {}}}, "a.md", "the block")
    assert error.value.message == "a.md: the block has no key 'view'."
    assert error.value.hint == "Known: view."
