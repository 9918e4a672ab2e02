"""``gitml init`` makes what is missing, once."""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from gitml.cli.program import gitml as program
from gitml.config import Settings, load
from tests.cli.conftest import Cli, loaded, refs
from tests.conftest import git


def test_init_creates_branch_and_settings_once(cli: Cli, repository: Path) -> None:
    result = cli("init")

    assert git(repository, "log", "--format=%s", "gitml/runs") == "runs: branch created"
    files = git(repository, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    assert files == [".dvc/config", ".dvcignore", "README.md"]
    assert git(repository, "status", "--short") == "?? .gitignore\n?? gitml.yaml"
    assert "import gitml as mlflow" in result.stdout and "gitml ui" in result.stdout
    assert result.stderr.splitlines() == [
        "Created branch gitml/runs for the records of runs.",
        "Wrote gitml.yaml; commit it with your code.",
        "Added _site/, artifacts-*/, .dvc/config.local to .gitignore.",
    ]
    before = refs(repository)
    again = cli("init")
    assert again.stderr == f"{repository} is already set up.\n"
    assert refs(repository) == before


def test_init_prints_what_is_set_up_as_json(cli: Cli, repository: Path) -> None:
    made = {"repository": str(repository), "branch": "gitml/runs", "workflows": None}

    assert loaded(cli("init", "--json")) == made
    workflows = loaded(cli("init", "--json", "--ci", "gitlab"))["workflows"]
    assert workflows["files"] == [".gitlab/gitml.yml", ".gitlab-ci.yml"]


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
    uncommented = re.sub("^# ", "", text, flags=re.MULTILINE).partition("\n\n")[2]
    (repository / "gitml.yaml").write_text(uncommented)
    assert yaml.safe_load(uncommented) == asdict(Settings())
    assert load(repository) == Settings()


@pytest.mark.parametrize("ending", ["", "\n"])
def test_init_ignores_what_commands_leave_below_what_is_ignored_already(
    cli: Cli, repository: Path, ending: str
) -> None:
    ignored = repository / ".gitignore"
    ignored.write_text(f"data/\nartifacts-*{ending}")

    result = cli("init")
    assert ignored.read_text() == "data/\nartifacts-*\n_site/\n.dvc/config.local\n"
    assert "Added _site/, .dvc/config.local to .gitignore." in result.stderr
    assert ".gitignore" not in cli("init").stderr
    for folder in ("_site", "artifacts-0a1b"):
        (repository / folder).mkdir()
        (repository / folder / "file").write_text("")
    assert git(repository, "status", "--short") == "?? .gitignore\n?? gitml.yaml"


def test_init_names_the_identity_that_git_guesses(
    cli: Cli, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "user.name" not in cli("init").stderr

    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
    ):
        monkeypatch.delenv(name, raising=False)
    stderr = cli("init").stderr
    assert f"runs are recorded as by {getpass.getuser()} <" in stderr
    assert 'git config --global user.name "…"' in stderr


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
