"""YAML that others wrote, in tags and models: commands answer at once, and name what is odd."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import gitml
from gitml.cli.program import gitml as program
from gitml.errors import InvalidInput
from gitml.models import Model
from gitml.registry import registration
from tests.conftest import git
from tests.hostile import branch
from tests.hostile.branch import Good

BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
SEXAGESIMAL = "reason: 1" + ":30" * 3000
DEEP = "[" * 100_000
HOSTILE = (BOMB, SEXAGESIMAL, DEEP, f"reason: {'9' * 5000}", "reason: [*x]", "reason: \x01")


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return branch.make_good(tmp_path / "project")


@pytest.fixture
def attacked(good: Good) -> Good:
    """The repository with hostile tags, models and declarations of somebody who may push."""
    commit = git(good.folder, "rev-parse", "Price@v1.0.0^{commit}")
    for number, text in enumerate(HOSTILE):
        message = good.folder.parent / "message"
        message.write_text(f"moved\n\n{text}\n")
        git(good.folder, "tag", "-a", "--cleanup=verbatim", "-F", str(message),
            f"Price#Production#{number + 7}", commit)  # fmt: skip
    client = gitml.MlflowClient(good.folder)
    run_id = client.create_run("house", run_name="hostile").info.run_id
    for number, text in enumerate(HOSTILE):
        client.log_text(run_id, text, f"model{number}/MLmodel")
    client.set_terminated(run_id)
    (good.folder / "registry").mkdir()
    (good.folder / "registry" / "Bomb.yaml").write_text(BOMB)
    (good.folder / "registry" / "Price.yaml").write_text("model: Price\nstages: {Production: 1}\n")
    git(good.folder, "add", "registry")
    git(good.folder, "commit", "-qm", "Declare")
    return good


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("registry", "list"), 0), (("registry", "show", "Price"), 0),
        (("registry", "history", "Price"), 0), (("registry", "verify"), 1),
        (("runs", "list"), 0), (("runs", "show", "hostile"), 0), (("status",), 0),
        (("doctor",), 1), (("fsck",), 0), (("gc",), 0), (("artifacts", "list", "hostile"), 0),
        (("artifacts", "download", "models:/Price/Staging"), 0), (("site", "build"), 0),
        (("registry", "apply"), 2),
    ],
)  # fmt: skip
def test_commands_answer_beside_hostile_yaml(
    attacked: Good, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(attacked.folder)
    result = CliRunner().invoke(program, ["--debug", *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert "unforeseen" not in result.output
    if words[-1] in ("apply", "doctor"):
        assert "registry/Bomb.yaml, line 2: it uses YAML references" in result.output
    if words[0] == "site":
        assert "registry/Bomb.yaml" in (attacked.folder / "_site" / "index.html").read_text()


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_model_that_nobody_could_read_is_neither_loaded_nor_registered(
    attacked: Good, number: int
) -> None:
    client = gitml.MlflowClient(attacked.folder)
    (run,) = client.search_runs(["house"], "attributes.run_name = 'hostile'")
    uri = f"runs:/{run.info.run_id}/model{number}"
    if HOSTILE[number] == SEXAGESIMAL:
        assert registration.register(client, uri, "Other").version == 1  # a text like any other
        return
    with pytest.raises(InvalidInput, match="MLmodel is not valid YAML: line"):
        registration.register(client, uri, "Other")
    with pytest.raises(InvalidInput, match="MLmodel is not valid YAML: line"):
        Model.load(Path(client.download_artifacts(run.info.run_id, f"model{number}")))
