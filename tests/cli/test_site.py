"""``gitml site`` and ``gitml ui``."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from gitml.repository import Repository
from tests.cli.conftest import PROGRAM, Cli, loaded, log_run
from tests.conftest import ended, git


@pytest.mark.slow
def test_second_build_writes_no_files(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)

    assert cli("site", "build").stdout == f"{repository / '_site' / 'index.html'}\n"
    page = (repository / "_site" / "runs" / f"{run_id}.html").read_text()
    assert "first" in page and "hello.txt" in page
    report = loaded(cli("site", "build", "--json"))
    keys = {"output", "written", "unchanged", "bytes", "dropped", "failures", "absent"}
    assert set(report) == keys
    assert (report["output"], report["written"]) == (str(repository / "_site"), 0)


@pytest.mark.slow
def test_strict_build_fails_after_all_pages_are_built(cli: Cli, repository: Path) -> None:
    run_id = log_run(repository)
    assert cli("site", "build", "--strict").stderr.count("\n") == 1
    (repository / "views").mkdir()
    (repository / "views" / "wrong.yaml").write_text("experiment: [")

    output = cli("site", "build").stderr
    assert "A view is not shown: views/wrong.yaml is not valid YAML: line 1: did not" in output
    result = cli("site", "build", "--strict", code=1)
    assert "error: 1 fault in the site, listed above." in result.stderr
    assert (repository / "_site" / "runs" / f"{run_id}.html").is_file()
    assert loaded(cli("site", "build", "--json"))["failures"] == [
        "A view is not shown: views/wrong.yaml is not valid YAML: line 1: did not find expected "
        "node content."
    ]


@pytest.mark.slow
def test_a_build_fails_without_artifacts_where_they_are_required(
    cli: Cli, repository: Path
) -> None:
    log_run(repository)
    cli("site", "build", "--require-artifacts")
    assert loaded(cli("site", "build", "--json", "--require-artifacts"))["absent"] == ""
    state = Repository.open(repository).state
    for name in ("cache", "remote"):
        (state / name).rename(state / f"lost-{name}")

    cli("site", "build", "-o", "fresh")
    result = cli("site", "build", "-o", "strict", "--require-artifacts", code=1)
    assert (
        "warning: 1 file of 1 run could not be shown: They are missing from the remote, or "
        "corrupt; `gitml fsck --remote` names them.\n"
    ) in result.stderr
    assert "error: Files of runs are missing, and --require-artifacts was given." in result.stderr
    assert cli("site", "publish", "--no-push", "--require-artifacts", code=1).stdout == ""


@pytest.mark.slow
def test_title_comes_from_option_settings_or_folder(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    log_run(repository)

    cli("site", "build", "-o", str(tmp_path / "a"))
    cli("site", "build", "-o", str(tmp_path / "b"), "--title", "Prices & more")
    assert "project" in (tmp_path / "a" / "index.html").read_text()
    assert "Prices &amp; more" in (tmp_path / "b" / "index.html").read_text()


@pytest.mark.slow
def test_build_refuses_a_folder_with_other_files(cli: Cli, repository: Path) -> None:
    (repository / "thesis").mkdir()
    (repository / "thesis" / "chapter.txt").write_text("years of work")

    assert "thesis" in cli("site", "build", "-o", "thesis", code=2).stderr
    assert (repository / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.slow
def test_ui_keeps_the_site_out_of_the_work_tree_and_serves_it(repository: Path) -> None:
    log_run(repository)
    command = [*PROGRAM, "ui", "--no-open", "--title", "Mine", "--json"]
    server = subprocess.Popen(
        command, cwd=repository, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with ended(server) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["url"]
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()

    assert "Mine" in text
    assert (repository / ".git" / "gitml" / "site" / "index.html").is_file()
    assert not (repository / "_site").exists()


@pytest.mark.slow
def test_a_site_is_published_to_a_branch(cli: Cli, repository: Path, tmp_path: Path) -> None:
    run_id = log_run(repository)
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    before = git(repository, "status", "--porcelain")

    commit = cli("site", "publish").stdout.strip()
    assert git(tmp_path / "remote.git", "rev-parse", "gh-pages") == commit
    assert "first" in git(repository, "show", f"gh-pages:runs/{run_id}.html")
    again = loaded(cli("site", "publish", "--no-push", "--json"))
    assert again == {"branch": "gh-pages", "commit": commit, "changed": False, "remote": None}
    assert git(repository, "status", "--porcelain") == before
    assert "checked out" in cli("site", "publish", "--branch", "main", code=2).stderr


@pytest.mark.slow
def test_ui_shows_runs_logged_while_it_serves(repository: Path) -> None:
    log_run(repository)
    server = subprocess.Popen(
        [*PROGRAM, "ui", "--no-open"], cwd=repository, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with ended(server) as process:
        assert process.stdout
        url = process.stdout.readline().strip()

        def ask(path: str) -> str:
            with urllib.request.urlopen(url + path, timeout=10) as answer:
                return str(answer.read().decode())

        first = ask("generation.js")
        assert "second" not in ask("index.html")
        log_run(repository, "second")
        end = time.monotonic() + 60
        while ask("generation.js") == first and time.monotonic() < end:
            time.sleep(0.05)
        assert "second" in ask("index.html")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
