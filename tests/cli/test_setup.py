"""``gitml init`` makes what is missing, once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from gitml.cli.program import gitml as program
from gitml.config import Settings, load
from tests.cli.conftest import Cli, refs
from tests.conftest import git


def test_init_creates_branch_and_settings_once(cli: Cli, repository: Path) -> None:
    result = cli("init")

    assert git(repository, "log", "--format=%s", "gitml/runs") == "runs: branch created"
    files = git(repository, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    assert files == [".dvc/config", ".dvcignore", "README.md"]
    assert git(repository, "status", "--short") == "?? gitml.yaml"
    assert "import gitml as mlflow" in result.stdout and "gitml ui" in result.stdout
    assert result.stderr.splitlines() == [
        "Created branch gitml/runs for the records of runs.",
        "Wrote gitml.yaml; commit it with your code.",
    ]
    before = refs(repository)
    again = cli("init")
    assert again.stderr == f"{repository} is already set up.\n"
    assert refs(repository) == before


def test_init_creates_a_missing_repository(tmp_path: Path) -> None:
    result = CliRunner().invoke(program, ["init", str(tmp_path / "new")])

    assert result.exit_code == 0, result.output
    assert f"Created a git repository in {tmp_path / 'new'}." in result.stderr
    assert git(tmp_path / "new", "symbolic-ref", "HEAD") == "refs/heads/main"
    assert (tmp_path / "new" / "gitml.yaml").is_file()


def test_init_never_overwrites_settings(cli: Cli, repository: Path) -> None:
    (repository / "gitml.yaml").write_text("branch: lab\n")

    cli("init")
    assert (repository / "gitml.yaml").read_text() == "branch: lab\n"
    assert git(repository, "rev-parse", "--verify", "lab")


def test_the_settings_that_init_writes_are_the_defaults(cli: Cli, repository: Path) -> None:
    cli("init")

    text = (repository / "gitml.yaml").read_text()
    assert load(repository) == Settings()
    uncommented = re.sub(r"^# (?=\s*\w+:)", "", text, flags=re.MULTILINE)
    (repository / "gitml.yaml").write_text(uncommented)
    assert set(yaml.safe_load(uncommented)) == {
        "branch",
        "git_remote",
        "forge",
        "allow_pickles",
        "record",
        "site",
    }
    assert load(repository) == Settings()


def test_init_refuses_a_file_and_bad_settings_before_it_makes_anything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "gitml.yaml").write_text("branches: x\n")
    for argument in ("file", "."):
        result = CliRunner().invoke(program, ["init", str(tmp_path / argument)])
        assert result.exit_code == 2, result.output
        assert result.stderr.startswith("error: ")
    assert not (tmp_path / ".git").exists()


def test_init_in_a_bare_repository_makes_the_branch_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    monkeypatch.chdir(tmp_path / "bare.git")

    result = CliRunner().invoke(program, ["init"])
    assert result.exit_code == 0, result.output
    assert git(tmp_path / "bare.git", "rev-parse", "--verify", "gitml/runs")
    assert not (tmp_path / "bare.git" / "gitml.yaml").exists()
