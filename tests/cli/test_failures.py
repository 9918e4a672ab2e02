"""Bad input: one sentence on stderr, the right exit code, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.formats import run_records
from gitml.repository import Repository
from tests.cli.conftest import Cli, log_run, refs, shell
from tests.conftest import git

NOBODY = "f" * 32


@pytest.fixture
def prepared(cli: Cli, repository: Path, model: str) -> Path:
    """A repository with a run and a registered model."""
    cli("registry", "register", model, "Price")
    return repository


@pytest.mark.parametrize(
    ("code", "args"),
    [
        (2, ["nonsense"]),
        (2, ["runs", "show"]),
        (2, ["runs", "list", "--bogus"]),
        (2, ["runs", "list", "--filter", "metrics.rmse <"]),
        (2, ["runs", "list", "--order-by", "nonsense.x"]),
        (2, ["runs", "list", "--max-results", "0"]),
        (2, ["runs", "list", "--max-results", "many"]),
        (3, ["runs", "list", "--experiment", "nobody"]),
        (3, ["runs", "show", NOBODY]),
        (3, ["runs", "show", "ffff"]),
        (3, ["runs", "show", "a name with 'quotes' and \"more\""]),
        (3, ["runs", "delete", "nobody"]),
        (3, ["runs", "restore", "nobody"]),
        (3, ["experiments", "rename", "nobody", "somebody"]),
        (3, ["experiments", "delete", "nobody"]),
        (3, ["experiments", "restore", "nobody"]),
        (1, ["experiments", "create", "house"]),
        (2, ["experiments", "create", ""]),
        (3, ["artifacts", "list", "nobody"]),
        (2, ["artifacts", "list"]),
        (2, ["artifacts", "list", "first", "../../x"]),
        (2, ["artifacts", "list", "first", "/etc"]),
        (3, ["artifacts", "list", "first", "nothing.txt"]),
        (2, ["artifacts", "download", "first", "../x"]),
        (3, ["artifacts", "download", "first", "nothing.txt"]),
        (2, ["artifacts", "download", "first", "--run-id", "first"]),
        (2, ["artifacts", "download", "runs:/nonsense/model"]),
        (3, ["artifacts", "download", "models:/Nobody/1"]),
        (2, ["artifacts", "download", "models:/Price/Live"]),
        (3, ["artifacts", "download", "models:/Price/Production"]),
        (3, ["artifacts", "download", "models:/Price@nobody"]),
        (3, ["registry", "show", "Nobody"]),
        (3, ["registry", "show", "Price", "9"]),
        (2, ["registry", "show", "Price", "one"]),
        (3, ["registry", "history", "Nobody"]),
        (3, ["registry", "transition", "Nobody", "1", "Staging"]),
        (3, ["registry", "transition", "Price", "9", "Staging"]),
        (2, ["registry", "transition", "Price", "1", "Live"]),
        (2, ["registry", "transition", "Price", "1", "Archived", "--archive-existing"]),
        (2, ["registry", "alias", "set", "Price", "latest", "1"]),
        (3, ["registry", "alias", "set", "Price", "best", "9"]),
        (3, ["registry", "register", "nonsense", "Price"]),
        (3, ["registry", "register", f"runs:/{NOBODY}/model", "Price"]),
        (2, ["registry", "register", "models:/Price/1", "a/b"]),
        (2, ["registry", "register", "models:/Price/1", "Price", "--tag", "nothing"]),
        (2, ["push"]),
        (2, ["push", "--remote", "nobody"]),
        (2, ["pull"]),
        (2, ["sync"]),
        (2, ["remote", "add", "a/b", "s3://bucket"]),
        (2, ["remote", "add", "storage", "nonsense://x"]),
        (2, ["remote", "add", "storage", "https://user:secret@host/x"]),
        (2, ["remote", "add", "storage", ""]),
        (1, ["remote", "add", "storage", "/nonexistent/folder/deep"]),
        (3, ["site", "serve", "nothing"]),
        (2, ["site", "serve", "--port", "99999"]),
    ],
)
def test_bad_input_is_a_sentence_and_writes_nothing(
    cli: Cli, prepared: Path, code: int, args: list[str]
) -> None:
    before = refs(prepared)

    result = cli(*args, code=code)
    first, *rest = result.stderr.splitlines()
    assert first.startswith("error: ") and len(rest) <= 1
    assert all(line.startswith("hint: ") for line in rest)
    assert result.stdout == ""
    assert "secret" not in result.stderr
    assert refs(prepared) == before
    assert git(prepared, "status", "--short") == ""


def test_an_ambiguous_beginning_of_an_id_lists_the_ids(cli: Cli, repository: Path) -> None:
    repository_ = Repository.open(repository)
    ids = [f"abcd{n}{'0' * 27}" for n in range(2)]
    run = log_run(repository)
    record = repository_.branch.read(f"runs/house/{run[:2]}/{run}/run.json")
    assert record
    files = {
        f"{run_records.run_folder('house', run_id)}/run.json": record.replace(
            run.encode(), run_id.encode()
        )
        for run_id in ids
    }
    repository_.branch.update(lambda _: (files, "two runs\n"))

    result = cli("runs", "show", "abcd", code=2)
    assert result.stderr.splitlines() == [
        "error: 'abcd' is ambiguous: the ids of 2 runs begin with it.",
        f"hint: Give more digits: {', '.join(ids)}",
    ]


def test_push_to_a_silent_remote_changes_nothing(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    git(prepared, "remote", "add", "origin", str(tmp_path / "nowhere.git"))
    before = refs(prepared)

    for command in ("push", "pull", "sync"):
        result = cli(command, code=1)
        assert "origin" in result.stderr.splitlines()[0]
        assert result.stderr.splitlines()[1].startswith("hint: ")
    assert refs(prepared) == before


def test_a_dvc_remote_that_does_not_answer_stops_a_push_before_records_go(
    cli: Cli, prepared: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(prepared, "remote", "add", "origin", str(tmp_path / "origin.git"))
    cli("remote", "add", "gitml", str(tmp_path / "store"))
    log_run(prepared, "second")
    (tmp_path / "store").rename(tmp_path / "gone")
    before = refs(prepared)

    result = cli("push", code=1)
    assert str(tmp_path / "store") in result.stderr
    assert (refs(prepared), refs(tmp_path / "origin.git")) == (before, "")


@pytest.mark.slow
def test_unwritable_path_is_in_the_message(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = refs(prepared)

    for args in (
        ("artifacts", "download", "first", "-o", str(tmp_path / "file" / "out")),
        ("site", "build", "-o", str(tmp_path / "file" / "site")),
    ):
        result = cli(*args, code=2)
        assert result.stderr.startswith("error: ") and str(tmp_path / "file") in result.stderr
    assert refs(prepared) == before


@pytest.mark.slow
def test_readonly_repository_is_reported_in_a_sentence(repository: Path) -> None:
    log_run(repository)
    state = repository / ".git" / "gitml"
    state.rename(repository.parent / "away")
    (repository / ".git" / "gitml").write_text("in the way")
    before = refs(repository)

    for args in (["runs", "delete", "first"], ["experiments", "create", "x"], ["ui"]):
        result = shell(*args, cwd=repository)
        assert result.returncode in (1, 2), result
        assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr
        assert str(state) in result.stderr
    assert refs(repository) == before
    assert '"first"' in shell("runs", "list", "--json", cwd=repository).stdout  # still read


def test_every_command_outside_a_repository_suggests_init(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    for command in ("status", "push", "pull", "sync", "ui"):
        result = cli(command, code=2)
        assert result.stderr.splitlines()[1] == "hint: Run `gitml init` in your project's folder."
    assert list((tmp_path / "elsewhere").iterdir()) == []
