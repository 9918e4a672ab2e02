"""``gitml doctor`` names every problem and what to type."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gitml
from tests.cli.conftest import Cli, log_run, refs, shell
from tests.conftest import git


def diagnosis(cli: Cli, code: int = 0) -> dict[str, dict[str, Any]]:
    """Findings by what was checked; of several the last."""
    value = json.loads(cli("doctor", "--json", code=code).stdout)
    assert value["ok"] is (code == 0)
    return {check["check"]: check for check in value["checks"]}


def test_a_new_repository_has_warnings_and_no_problem(cli: Cli, repository: Path) -> None:
    checks = diagnosis(cli)

    assert {name for name, check in checks.items() if check["level"] == "warning"} >= {
        "branch", "git remote origin", "DVC remote",
    }  # fmt: skip
    assert checks["branch"]["fix"] == "gitml init"
    assert checks["git"]["level"] == checks["identity"]["level"] == checks["DVC"]["level"] == "ok"
    assert all(bool(check["fix"]) == (check["level"] != "ok") for check in checks.values())


def test_an_identity_that_git_does_not_know_is_a_warning(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)

    assert diagnosis(cli)["identity"]["fix"].startswith("git config --global user.name")


def test_remotes_that_do_not_answer_are_problems(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    log_run(repository)
    cli("remote", "add", "gitml", str(tmp_path / "store"))
    git(repository, "remote", "add", "origin", str(tmp_path / "nowhere.git"))
    assert diagnosis(cli, code=1)["DVC remote"]["level"] == "ok"
    (tmp_path / "store").rename(tmp_path / "gone")

    checks = diagnosis(cli, code=1)
    assert checks["git remote origin"]["level"] == checks["DVC remote"]["level"] == "problem"
    assert checks["git remote origin"]["fix"] == "git ls-remote origin"


def test_a_shared_branch_tells_how_far_it_is_from_the_remote(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "origin.git"))
    log_run(repository)
    assert diagnosis(cli)["branch"]["fix"] == "gitml push"
    cli("push")
    assert diagnosis(cli)["branch"]["level"] == "ok"
    cli("runs", "delete", "first")

    check = diagnosis(cli)["branch"]
    assert check["message"] == "gitml/runs is 1 commit ahead, 0 behind"


def test_records_that_cannot_be_read_are_named(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)
    path = f"runs/house/{run_id[:2]}/{run_id}/run.json"
    gitml.MlflowClient().repository.branch.update(lambda _: ({path: b"{"}, "broken\n"))

    check = diagnosis(cli, code=1)["records"]
    assert (check["level"], check["message"].partition(":")[0]) == ("problem", path)


def test_doctor_lists_foreign_tags(cli: Cli, repository: Path) -> None:
    git(repository, "tag", "Price@v1.0.0")

    assert "Price@v1.0.0 is ignored" in diagnosis(cli)["registry"]["message"]


def test_doctor_reports_and_records_a_run_of_a_dead_process(cli: Cli, repository: Path) -> None:
    script = "import gitml, os; gitml.start_run(run_name='died'); os._exit(1)"
    subprocess.run([sys.executable, "-c", script], cwd=repository, check=False)

    assert diagnosis(cli)["left behind"]["message"].startswith("1 run of processes that died")
    (run,) = json.loads(cli("runs", "list", "--json").stdout)
    assert (run["run_name"], run["status"]) == ("died", "FAILED")
    assert diagnosis(cli)["left behind"]["level"] == "ok"


def test_settings_that_cannot_be_read_are_a_problem(repository: Path) -> None:
    (repository / "gitml.yaml").write_text("branches: x\n")
    before = refs(repository)

    result = shell("doctor", cwd=repository)
    assert (result.returncode, result.stderr) == (1, "")
    assert (
        "problem gitml.yaml: gitml.yaml: the file has an unknown key 'branches'." in result.stdout
    )
    assert refs(repository) == before


def test_outside_a_repository_the_fix_is_init(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    checks = diagnosis(cli, code=1)
    assert "gitml init" in checks["repository"]["fix"]
    assert checks["DVC"]["level"] == "ok"
