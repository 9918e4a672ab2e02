"""What people get wrong in ``registry/*.yaml`` and around it: one sentence, and nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, loaded, log_model, log_run, refs
from tests.conftest import git

GOOD = "model: Price  # ours\nstages:\n  Production: 1\n"
WRONG = {
    "model: Price\nstages:\n  Production: 9\n": (
        "line 3: Model 'Price' has no version 9.",
        "Its versions: 1, 2. Where another clone registered it, type `gitml push` there.",
    ),
    "model: Price\nstages:\n  Production: v2\n": ("line 3: 'v2' is not a model version", "integer"),
    "model: Price\nstages:\n  Prod: 2\n": ("line 3: 'Prod' is not a stage", "Staging, Production"),
    "model: Price\nstages:\n  Production: 1\n  Production: 2\n": (
        "line 4: 'Production' is declared twice", "Keep one",
    ),
    "model: Price\nstages:\n  Production: 1\n  production: 2\n": (
        "line 4: 'production' is declared twice", "Keep one",
    ),
    "model: Price\nstages:\n  Production: 1\n  Staging: 1\n": (
        "line 4: version 1 is declared for two stages", "in one",
    ),
    "- model: Price\n": ("line 1: the file is not a mapping of keys", "README"),
    "Price\n": ("line 1: the file is not a mapping of keys", "README"),
    "": ("line 1: the file is empty", "README"),
    "model: Price\n---\nmodel: Price\n": ("line 2: a second YAML document begins", "README"),
    "model: Price\nstages:\n\tProduction: 2\n": ("line 3: found character", "README"),
    "model: Price\nstage:\n  Production: 2\n": ("line 2: unknown key 'stage'", "stages"),
    "model: Prices\n": ("line 1: model 'Prices' has its file elsewhere", "registry/Prices.yaml"),
    "model: Price\naliases:\n  best: 7\n": ("line 3: Model 'Price' has no version 7", "1, 2"),
    "model: Price\ngates:\n  Production:\n    - metrics.rmse << 3\n": (
        "line 4: Invalid gate at character 15", "README",
    ),
    "model: Price\ngates:\n  Production: metrics.rmse < 3\n": (
        "line 3: gates of a stage are a list", "'- '",
    ),
    "model: Price\nstages:\n<<<<<<< HEAD\n  Production: 1\n=======\n  Production: 2\n>>>>>>> x\n": (
        "line 3: a merge conflict was left in the file", "Keep one of the two sides",
    ),
}  # fmt: skip


@pytest.fixture
def file(cli: Cli, repository: Path, tmp_path: Path) -> Path:
    """The declaration of a model with two versions, in a clone that has a remote."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    for rmse in (3.0, 2.0):
        cli("registry", "register", log_model(repository, log_run(repository, rmse=rmse)), "Price")
    (repository / "registry").mkdir()
    path = repository / "registry" / "Price.yaml"
    path.write_text(GOOD)
    publish(repository)
    cli("push")
    return path


def publish(repository: Path) -> None:
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Declare")
    git(repository, "push", "-q", "origin", "main")


@pytest.mark.slow
def test_check_and_apply_report_the_line_of_an_error(
    cli: Cli, repository: Path, file: Path
) -> None:
    before = refs(repository)
    for text, (problem, hint) in WRONG.items():
        file.write_text(text)
        result = cli("registry", "check", code=2)
        first, second = result.stderr.splitlines()
        assert first.startswith(f"error: registry/Price.yaml, {problem}"), first
        assert second.startswith("hint: ") and hint in second, second
        assert result.stdout == ""
    assert refs(repository) == before
    publish(repository)  # the last one: marks of a merge on the default branch
    before = refs(repository)
    assert "a merge conflict was left" in cli("registry", "apply", "--push", code=2).stderr
    assert "a merge conflict was left" in cli(
        "registry", "propose", "Price", "2", "Production", "-m", "x", code=2
    ).stderr  # fmt: skip
    assert refs(repository) == before

    file.write_text(GOOD)  # who repairs it gets a report
    repaired = cli("registry", "check").stdout
    assert "`Price` version 1 → Production" in repaired
    assert "`Until now registry/Price.yaml, line 3: a merge conflict was left" in repaired


def test_gate_on_a_missing_metric_fails(cli: Cli, repository: Path, file: Path) -> None:
    file.write_text(f"{GOOD}gates:\n  Production:\n    - metrics.mae < 3\n    - params.alpha = x\n")
    result = cli("registry", "check", code=2)
    assert "line 7: Invalid gate" in result.stderr

    file.write_text(f"{GOOD}gates:\n  Production:\n    - metrics.mae < 3\n")
    publish(repository)
    assert "`(missing) < 3` | ❌ fails | `metrics.mae is missing`" in cli(
        "registry", "report", "Price", "1", code=0
    ).stdout  # fmt: skip
    before = refs(repository)
    refused = cli("registry", "apply", "--push", code=4)
    assert "metrics.mae < 3 ((missing) < 3) – metrics.mae is missing" in refused.stderr
    assert refs(repository) == before


def test_propose_refuses_a_live_version(cli: Cli, repository: Path, file: Path) -> None:
    declared = cli("registry", "propose", "Price", "1", "Production", "-m", "x", code=2).stderr
    assert "declares version 1 for Production already" in declared and "apply" in declared
    cli("registry", "apply", "--push")
    live = cli("registry", "propose", "Price", "1", "Production", "-m", "x", code=2).stderr
    assert "declares version 1 for Production already" in live and "It is live." in live
    for wrong, problem in (
        (("Price", "2", "None"), "Stage None cannot be proposed."),
        (("Price", "2", "Prod"), "'Prod' is not a stage."),
        (("Price", "two", "Staging"), "'two' is not a model version."),
    ):
        assert problem in cli("registry", "propose", *wrong, "-m", "x", code=2).stderr
    assert "has no version 9" in cli(
        "registry", "propose", "Price", "9", "Staging", "-m", "x", code=3
    ).stderr  # fmt: skip
    assert "needs a reason" in cli(
        "registry", "propose", "Price", "2", "Staging", "-m", " ", code=2
    ).stderr  # fmt: skip


@pytest.mark.slow
def test_a_version_that_only_this_clone_knows_is_not_proposed(
    cli: Cli, repository: Path, file: Path
) -> None:
    cli("registry", "register", log_model(repository, log_run(repository)), "Price")

    result = cli("registry", "propose", "Price", "3", "Production", "-m", "new", code=2)
    assert "Version 3 of 'Price' is not on 'origin' yet." in result.stderr
    assert "gitml push" in result.stderr
    cli("push")
    cli("registry", "propose", "Price", "3", "Production", "-m", "new")


def test_apply_refuses_unmerged_declarations(cli: Cli, repository: Path, file: Path) -> None:
    cli("registry", "propose", "Price", "2", "Production", "-m", "better")
    git(repository, "checkout", "-q", "promote/Price-v2-production")
    before = refs(repository)

    result = cli("registry", "apply", "--push", code=1)
    assert "origin/main declares something else" in result.stderr
    assert "Merge it into main and push that" in result.stderr
    assert refs(repository) == before


def test_apply_skips_and_lists_uncommitted_edits(cli: Cli, repository: Path, file: Path) -> None:
    file.write_text(GOOD.replace("1", "2"))

    done = cli("registry", "apply")
    assert done.stdout == "Price version 1 is in Production.\n"
    assert "registry/Price.yaml has uncommitted changes" in done.stderr


@pytest.mark.parametrize("stale", [False, True])
def test_shallow_clone_applies_only_the_newest_declaration(
    cli: Cli,
    repository: Path,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stale: bool,
) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path / 'remote.git'}", "shallow")
    if stale:
        file.write_text(GOOD.replace("1", "2"))
        publish(repository)
    monkeypatch.chdir(tmp_path / "shallow")

    result = cli("registry", "apply", "--push", code=1 if stale else 0)
    if stale:
        assert "Check out the newest main (`git pull`)" in result.stderr
    pushed = git(tmp_path / "remote.git", "tag", "--list", "Price#*")
    assert pushed == ("" if stale else "Price#Production#1")


def test_comments_stay_where_a_proposal_edits(cli: Cli, repository: Path, file: Path) -> None:
    made = loaded(cli("registry", "propose", "Price", "2", "Production", "-m", "better", "--json"))
    text = git(repository, "show", f"{made['commit']}:registry/Price.yaml")
    assert f"{text}\n" == GOOD.replace("Production: 1", "Production: 2")
