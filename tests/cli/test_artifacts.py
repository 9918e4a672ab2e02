"""``gitml artifacts``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, loaded, log_run


def test_artifacts_list_prints_single_level(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    assert loaded(cli("artifacts", "list", "first", "--json")) == [
        {"path": "notes", "is_dir": True, "file_size": None}
    ]
    file = {"path": "notes/hello.txt", "is_dir": False, "file_size": 5}
    for args in (("first", "notes"), (f"runs:/{run_id}/notes",), (run_id[:8], "notes/hello.txt")):
        assert loaded(cli("artifacts", "list", *args, "--json")) == [file]
    assert cli("artifacts", "list", "--run-id", run_id).stdout.split() == [
        "PATH", "SIZE", "notes/", "-",
    ]  # fmt: skip


@pytest.mark.parametrize("args", [("first", "notes"), ("--run-id", "first", "-a", "notes")])
def test_a_run_is_downloaded(
    cli: Cli, repository: Path, tmp_path: Path, args: tuple[str, ...]
) -> None:
    log_run(repository)

    result = cli("artifacts", "download", *args, "-o", str(tmp_path / "out"))
    assert result.stdout == f"{tmp_path / 'out' / 'notes'}\n"
    assert (tmp_path / "out" / "notes" / "hello.txt").read_text() == "hello"


def test_download_makes_a_folder_named_after_the_run(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    document = loaded(cli("artifacts", "download", "first", "--json"))
    folder = f"artifacts-{run_id[:8]}"
    assert document == {"run_id": run_id, "artifact_path": "", "path": folder}
    assert (repository / folder / "notes" / "hello.txt").read_text() == "hello"


@pytest.mark.parametrize("uri", ["models:/Price/1", "models:/Price@best", "models:/Price/latest"])
def test_a_registered_model_is_downloaded(cli: Cli, model: str, tmp_path: Path, uri: str) -> None:
    cli("registry", "register", model, "Price")
    cli("registry", "alias", "set", "Price", "best", "1")

    cli("artifacts", "download", "--artifact-uri", uri, "--dst-path", str(tmp_path / "out"))
    assert (tmp_path / "out" / "model" / "data.txt").read_text() == "weights"
