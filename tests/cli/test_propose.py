"""What `propose` says and pushes, and what `register` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, loaded, log_model, log_run
from tests.conftest import git

DECLARED = """\
model: Price
stages:
  Staging: 2  # being tried
  Production: 1
gates:
  Production:
    - metrics.rmse < 2.5  # dollars
    - approvals: 1
"""


@pytest.fixture
def remote(cli: Cli, repository: Path, tmp_path: Path) -> Path:
    """The bare remote of a clone with three versions, two of them declared."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(repository, "remote", "add", "origin", str(remote))
    for rmse in (1.0, 2.0, 3.0):
        cli("registry", "register", log_model(repository, log_run(repository, rmse=rmse)), "Price")
    cli("registry", "transition", "Price", "1", "Production")
    cli("registry", "transition", "Price", "2", "Staging")
    (repository / "registry").mkdir()
    (repository / "registry" / "Price.yaml").write_text(DECLARED)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Declare")
    git(repository, "push", "-q", "-u", "origin", "main")
    cli("push")
    return remote


def test_failing_gates_are_named_with_values_before_anything_is_pushed(
    cli: Cli, remote: Path
) -> None:
    made = cli("registry", "propose", "Price", "3", "Production", "-m", "hope")
    assert made.stderr.splitlines()[:2] == [
        "A gate of Production fails: metrics.rmse < 2.5 (3 < 2.5)",
        "A gate of Production waits: approvals.count >= 1 (0 >= 1) – nobody approved yet",
    ]
    assert made.stdout == (
        "Proposed version 3 for Production on branch promote/Price-v3-production.\n"
    )

    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    refused = cli("registry", "propose", "Price", "3", "Staging", "-m", "hope", code=1)
    assert "A gate" not in refused.stderr
    git(remote, "branch", "-D", "promote/Price-v3-production")
    refused = cli("registry", "propose", "Price", "3", "Production", "-m", "hope", code=1)
    assert refused.stderr.startswith("A gate of Production fails: metrics.rmse < 2.5 (3 < 2.5)\n")
    assert git(remote, "branch", "--list", "promote/*") == ""


def test_verdicts_are_part_of_the_json(cli: Cli, remote: Path) -> None:
    made = loaded(cli("registry", "propose", "Price", "3", "Production", "-m", "hope", "--json"))
    assert [(gate["measured"], gate["holds"], gate["pending"]) for gate in made["gates"]] == [
        ("3 < 2.5", False, False), ("0 >= 1", False, True),
    ]  # fmt: skip


@pytest.mark.parametrize("text", [
    DECLARED, "model: Price\nstages: {Staging: 2, Production: 1}\n",
    "model: Price\nstages: {Staging: 2}\n",
    "stages:\n  production: 1\n  staging: 2\nmodel: Price\n",
])  # fmt: skip
def test_a_version_leaves_staging_for_production_in_a_single_proposal(
    cli: Cli, repository: Path, remote: Path, text: str
) -> None:
    (repository / "registry" / "Price.yaml").write_text(text.replace("    - approvals: 1\n", ""))
    git(repository, "commit", "-q", "--allow-empty", "-am", "Declare it so")
    git(repository, "push", "-q", "origin", "main")

    made = loaded(cli("registry", "propose", "Price", "2", "Production", "-m", "good", "--json"))
    git(repository, "checkout", "-q", made["branch"])
    new = (repository / "registry" / "Price.yaml").read_text()
    assert ("# being tried" in new, "# dollars" in new) == ("#" in text, "#" in text)
    assert cli("registry", "check").exit_code == 0
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", made["branch"], "-m", "Merge")
    git(repository, "push", "-q", "origin", "main")
    assert cli("registry", "apply", "--push").stdout == "Price version 2 is in Production.\n"
    versions = loaded(cli("registry", "show", "Price", "--json"))["versions"]
    assert [version["current_stage"] for version in versions] == ["None", "Production", "Archived"]
    assert cli("registry", "apply").stderr == "Nothing to apply: the tags match registry/*.yaml.\n"


def test_a_run_is_registered_by_id_prefix_name_and_uri(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository, "happy-owl")
    uri = log_model(repository, run_id)
    for version, text in enumerate(
        (
            run_id,
            run_id[:8],
            "happy-owl",
            uri,
            f"runs:/{run_id[:8]}/model",
            "runs:/happy-owl/model",
        ),
        1,
    ):
        made = loaded(cli("registry", "register", text, "Price", "--json"))
        assert (made["version"], made["source"]) == (version, uri)


def test_a_run_with_several_models_or_none_is_not_registered(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository, "happy-owl")
    none = cli("registry", "register", "happy-owl", "Price", code=3)
    assert none.stderr == (
        f"error: Run {run_id} has no model.\n"
        f"hint: `gitml artifacts list {run_id}` lists what it has.\n"
    )
    uris = [log_model(repository, run_id, path) for path in ("first", "second")]
    several = cli("registry", "register", run_id[:6], "Price", code=2)
    assert several.stderr == (
        f"error: Run {run_id} has 2 models.\nhint: Give one: {', '.join(uris)}\n"
    )
    assert "No run 'sad-owl'" in cli("registry", "register", "sad-owl", "Price", code=3).stderr
