"""``registry/<Model>.yaml``: what is read, what is refused, and edits that keep the rest."""

from __future__ import annotations

import json

import pytest

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.registry.gates import declarations
from gitml.registry.gates.declarations import parse, read, read_all, with_stage
from tests.registry.conftest import World

PATH = "registry/Price.yaml"
TEXT = """\
# What is live.
model: Price
description: Recommends a price.
stages:
  Production: 1  # approved by the board
  staging: 2
aliases: {champion: 1, old: null}
gates:
  Production:
    - metrics.rmse < 3.5
    - metrics.rmse <= 0.98 * production.metrics.rmse     # must beat it
"""


def test_a_file_is_read() -> None:
    declaration = parse(TEXT.encode(), PATH)

    assert (declaration.model, declaration.description) == ("Price", "Recommends a price.")
    assert declaration.stages == {Stage.PRODUCTION: 1, Stage.STAGING: 2}
    assert declaration.aliases == {"champion": 1, "old": None}
    assert [gate.text for gate in declaration.gates[Stage.PRODUCTION]] == [
        "metrics.rmse < 3.5", "metrics.rmse <= 0.98 * production.metrics.rmse",
    ]  # fmt: skip
    assert declaration.lines["stages.Production"] == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the file is empty"),
        ("- a", "line 1: the file is not a mapping"),
        ("stages: {}", "line 1: the key 'model' is missing"),
        ("model: Price\nstage: 1", "line 2: unknown key 'stage'. Known: model"),
        ("model: Other", "line 1: .* Rename the file to registry/Other.yaml"),
        ("model: a/b", "line 1: Model name 'a/b' cannot be used"),
        ("model: Price\nstages:\n  Live: 1", "line 3: 'Live' is not a stage"),
        ("model: Price\nstages:\n  None: 1", "line 3: stage None cannot be declared"),
        ("model: Price\nstages:\n  Production: 1\n  production: 2",
         "line 4: 'production' is declared twice"),
        ("model: Price\nstages:\n  Production: two", "line 3: 'two' is not a model version"),
        ("model: Price\nstages:\n  Production: [1]", "line 3: 'a sequence' is not a model"),
        ("model: Price\nstages: 3", "line 2: stages is not a mapping"),
        ("model: Price\naliases: {latest: 3}", "line 2: Alias 'latest' is reserved"),
        ("model: Price\n<<<<<<< HEAD\n=======\n>>>>>>> x\n", "line 2: a merge conflict"),
        ("model: Price\nstages:\n - [", "line 3"),
        ("model: Price\ngates:\n  Production: metrics.a < 1", "line 3: gates .* are a list"),
        ("model: Price\ngates:\n  Production:\n  - metrics.a < 1\n  - metrics.a <",
         "line 5: Invalid gate at character 12"),
        ("model: &a Price\ndescription: *a", "uses YAML references"),
        ("model: Price\ndescription: " + "x" * 300_000, "at most 262144 are taken"),
        ("model: " + "[" * 2_000, "is nested too deeply|line"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as error:
        parse(text.encode(), PATH)
    assert PATH in error.value.message
    assert error.value.hint


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TEXT, TEXT.replace("Production: 1  #", "Production: 7  #")),
        ("model: Price\n", "model: Price\nstages:\n  Production: 7\n"),
        ("model: Price", "model: Price\nstages:\n  Production: 7\n"),
        ("model: Price\nstages:\nx: 1\n".replace("x: 1\n", "aliases: {}\n"),
         "model: Price\nstages:\n  Production: 7\naliases: {}\n"),
        ("model: Price\nstages: {}  # none\n", "model: Price\nstages:  # none\n  Production: 7\n"),
        ("model: Price\nstages: {Staging: 1}\n",
         "model: Price\nstages: {Staging: 1, Production: 7}\n"),
        ("model: Price\nstages:\n    Staging: 1 # a\n# b\n",
         "model: Price\nstages:\n    Staging: 1 # a\n    Production: 7\n# b\n"),
        ("model: Price\nstages:\n  Production:\n", "model: Price\nstages:\n  Production: 7\n"),
        ("model: Price\r\nstages:\r\n  Staging: 1\r\n",
         "model: Price\r\nstages:\r\n  Staging: 1\r\n  Production: 7\r\n"),
    ],
)  # fmt: skip
def test_edit_changes_a_single_line_and_leaves_the_rest(before: str, after: str) -> None:
    new = with_stage(parse(before.encode(), PATH), "Price", Stage.PRODUCTION, 7)
    assert new == after
    assert parse(new.encode(), PATH).stages[Stage.PRODUCTION] == 7


def test_a_new_file_is_made() -> None:
    assert with_stage(None, "prix: élevé", Stage.STAGING, 1) == (
        "model: 'prix: élevé'\nstages:\n  Staging: 1\n"
    )


def test_it_is_read_from_the_work_tree_or_from_any_revision(world: World) -> None:
    assert read(world.repo, "Price") is None and read_all(world.repo) == {}
    folder = world.folder / "registry"
    folder.mkdir()
    (folder / "Price.yaml").write_text(TEXT)
    world.git("add", ".")
    world.git("commit", "-q", "-m", "Declare")
    (folder / "Price.yaml").write_text("model: Price\n")

    old, new = read(world.repo, "Price", "HEAD"), read(world.repo, "Price")
    assert old and new and (old.text, new.text) == (TEXT, "model: Price\n")
    assert list(read_all(world.repo, "HEAD")) == list(read_all(world.repo)) == ["Price"]
    assert read_all(world.repo, "HEAD~1") == {}
    with pytest.raises(InvalidInput, match="no revision 'nowhere'"):
        read(world.repo, "Price", "nowhere")


def test_the_json_schema_names_the_same_keys() -> None:
    schema = json.loads(declarations.SCHEMA_FILE.read_text())
    assert tuple(schema["properties"]) == declarations.KEYS
    assert schema["$defs"]["gates"]["maxItems"] == declarations.MAX_GATES
    for part in ("stages", "gates"):
        names = schema["properties"][part]["properties"]
        assert set(names) == {stage.value for stage in Stage} - {"None"}
