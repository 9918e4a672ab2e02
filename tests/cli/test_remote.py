"""``gitml remote``: whose address is accepted, where settings go, who has files."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import gitml
from gitml.formats.dvc_config import dvc_config
from gitml.repository import Repository
from tests.cli.conftest import PROGRAM, Cli, loaded, log_run
from tests.conftest import LIMIT, ended, git
from tests.storage.servers import Server

WEB = "http://127.0.0.1:9/store"


def pushed_by_somebody(folder: Path, url: str) -> None:
    """Name another remote on the branch, as whoever may push can."""
    branch = gitml.MlflowClient(folder).repository.branch
    branch.update(lambda _: ({".dvc/config": dvc_config(url)}, "another remote\n"))


@pytest.fixture
def clones(repository: Path, tmp_path: Path) -> Callable[[], Path]:
    """A function that makes a second clone of what the repository pushed."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(repository, "remote", "add", "origin", "../origin.git")
    git(repository, "push", "-q", "origin", "main")

    def clone() -> Path:
        git(tmp_path, "clone", "-q", "origin.git", "second")
        return tmp_path / "second"

    return clone


# Trust --------------------------------------------------------------------------------------------


def test_an_address_is_accepted_per_clone_and_out_of_git_s_sight(
    cli: Cli, repository: Path, clones: Callable[[], Path]
) -> None:
    clones()
    log_run(repository)
    pushed_by_somebody(repository, WEB)
    assert loaded(cli("remote", "list", "--json"))[0]["accepted"] is False
    assert "not accepted here: `gitml remote trust`" in cli("remote", "list").stdout
    refused = cli("push", code=1).stderr
    assert f"names the remote '{WEB}' (set by Ada Example <ada@example.org> on 20" in refused

    assert cli("remote", "trust").stdout == f"This clone exchanges artifacts with {WEB}.\n"
    assert loaded(cli("remote", "list", "--json"))[0]["accepted"] is True
    assert git(repository, "status", "--porcelain") == ""

    pushed_by_somebody(repository, "http://evil.example/x")
    assert f"instead of '{WEB}'" in cli("pull").stderr
    findings = json.loads(cli("doctor", "--json", code=1).stdout)["checks"]
    (problem,) = [c for c in findings if c["check"] == "DVC remote"]
    assert problem["level"] == "problem" and f"`gitml remote add storage {WEB}`" in problem["fix"]
    refused = cli("push", code=1).stderr
    assert "'http://evil.example/x' (set by Ada Example <ada@example.org> on" in refused
    assert f"instead of '{WEB}', which this clone accepted" in refused
    assert loaded(cli("remote", "trust", WEB, "--withdraw", "--json")) == {
        "url": WEB, "accepted": False,
    }  # fmt: skip
    assert cli("remote", "trust", WEB, "--withdraw", code=2).stderr.startswith("error: This clone")


def test_the_folder_of_a_clone_needs_no_acceptance(cli: Cli, repository: Path) -> None:
    log_run(repository)
    result = cli("remote", "trust", code=2)
    assert "in this clone's own folder, which is always accepted" in result.stderr


def test_records_go_on_without_files_for_an_unaccepted_remote(
    cli: Cli, repository: Path, clones: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = log_run(repository)
    cli("push")
    pushed_by_somebody(repository, WEB)
    git(repository, "push", "-q", "origin", "gitml/runs")
    second = clones()
    monkeypatch.chdir(second)
    gitml.MlflowClient(second).set_tag(run_id, "reviewed", "yes")

    assert cli("push").stdout == "Sent changes to earlier runs to origin.\n"


@pytest.mark.slow
def test_a_site_is_built_without_the_files_of_an_unaccepted_remote(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    log_run(repository)
    cli("remote", "add", "storage", str(tmp_path / "store"))
    pushed_by_somebody(repository, WEB)
    shutil.rmtree(repository / ".git" / "gitml" / "cache")
    cli("site", "build", "--output", str(tmp_path / "site"))


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "accepted"), [("y", (WEB,)), ("n", ()), ("", ())])
def test_a_first_use_on_a_terminal_asks_once(
    repository: Path, clones: Callable[[], Path], answer: str, accepted: tuple[str, ...]
) -> None:
    clones()
    log_run(repository)
    pushed_by_somebody(repository, WEB)
    terminal, end = pty.openpty()
    command = subprocess.Popen([*PROGRAM, "push"], cwd=repository, stdin=end, stdout=end,
                               stderr=end, env={**os.environ, "TERM": "xterm"})  # fmt: skip
    os.close(end)
    text = b""
    with ended(command) as process:
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if b"[y/N]" in part:
                os.write(terminal, f"{answer}\n".encode())
            text += part
        assert process.wait(timeout=LIMIT) == 1
    os.close(terminal)
    output = text.decode()
    assert output.count("[y/N]") == 1
    assert f"    {WEB}  (set by Ada Example <ada@example.org> on 20" in output
    assert ("does not answer" if accepted else "nobody accepted in this clone") in output
    assert Repository.open(repository).remotes.trust.accepted() == accepted


def test_jobs_accept_the_remote_that_was_used_when_they_were_written(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store, ü"
    cli("remote", "add", "storage", str(store))
    cli("init", "--ci", "github")
    folder = repository / ".github" / "workflows"
    spelled = str(store).replace(" ", "%20").replace(",", "%2C")
    for name in ("review", "registry", "release", "dashboard"):
        workflow = yaml.safe_load((folder / f"gitml-{name}.yml").read_text())
        assert workflow["env"]["GITML_TRUSTED_REMOTES"] == spelled
    checks = {c["check"]: c for c in loaded(cli("doctor", "--json"))["checks"]}
    assert checks["DVC remote"]["level"] == "ok"

    cli("remote", "add", "storage", str(tmp_path / "other"))
    findings = [c for c in loaded(cli("doctor", "--json"))["checks"] if c["check"] == "DVC remote"]
    assert findings[0]["message"].startswith(
        f"GITML_TRUSTED_REMOTES lacks {tmp_path / 'other'} in "
    )
    assert findings[0]["fix"] == "gitml init --ci github --force"


def test_doctor_names_what_it_ignores(cli: Cli, repository: Path) -> None:
    log_run(repository)
    branch = gitml.MlflowClient(repository).repository.branch
    config = dvc_config(WEB) + b"    password = x\n[cache]\n    dir = /\n"
    branch.update(lambda _: ({".dvc/config": config}, "settings\n"))
    (repository / ".dvc").mkdir()
    (repository / ".dvc" / "config.local").write_text("")
    git(repository, "add", "-f", ".dvc/config.local")

    messages = [c["message"] for c in loaded(cli("doctor", "--json"))["checks"]
                if c["check"] == "DVC remote"]  # fmt: skip
    assert messages[:-1] == [
        "gitml ignores remote.gitml.password, cache.dir of the branch's .dvc/config, which anybody "
        "may have pushed; stock DVC obeys them",
        "git tracks .dvc/config.local, so its settings are ignored",
    ]
    assert messages[-1].startswith(f"The branch names the remote '{WEB}' (set by Ada Example")


# Settings -----------------------------------------------------------------------------------------


def test_settings_go_where_dvc_reads_them_and_secrets_stay_hidden(
    cli: Cli, repository: Path
) -> None:
    git(repository, "worktree", "list")
    done = cli("remote", "set", "endpointurl", "http://127.0.0.1:9", "--for", "s3://team/x")
    file = repository / ".dvc" / "config.local"
    assert done.stdout == f"Set endpointurl = http://127.0.0.1:9 for s3://team/x in {file}.\n"
    done = cli("remote", "set", "secret_access_key", "hunter2", "--for", "s3://team/x")
    assert "hunter2" not in done.output
    assert loaded(
        cli("remote", "set", "region", "eu", "--for", "s3://team/x", "--global", "--json")
    )["set"]
    assert git(repository, "status", "--porcelain") == ""
    assert file.read_text().splitlines() == [
        "['remote \"gitml\"']", "    url = s3://team/x", "    endpointurl = http://127.0.0.1:9",
        "    secret_access_key = hunter2",
    ]  # fmt: skip
    cli("remote", "set", "secret_access_key", "--for", "s3://team/x", "--unset")
    assert "hunter2" not in file.read_text()


def test_settings_of_the_present_remote_need_its_acceptance(cli: Cli, repository: Path) -> None:
    result = cli("remote", "set", "password", "hunter2", code=2)
    assert "Add --for URL" in result.stderr
    log_run(repository)
    pushed_by_somebody(repository, WEB)
    result = cli("remote", "set", "password", "hunter2", code=1)
    assert "nobody accepted in this clone" in result.stderr
    cli("remote", "trust")
    cli("remote", "set", "password", "hunter2")
    pushed_by_somebody(repository, "http://127.0.0.1:9/other")
    done = cli("remote", "trust")
    assert f"are those of {WEB}; they are not used for this one" in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["bearer_token_command", "id", "--for", "webdav://h/x"],
            "runs a command, so gitml does not",
        ),
        (["endpoint", "x", "--for", "s3://b"], "Did you mean endpointurl?"),
        (["profile", "x", "--for", "bucket/x"], "Did you mean s3://bucket/x?"),
        (["profile", "x", "--for", "s3://b", "--unset"], "--unset takes no VALUE"),
        (["profile", "--for", "s3://b", "--unset"], "profile of 's3://b' is not set in"),
    ],
)
def test_wrong_settings_change_nothing(
    cli: Cli, repository: Path, args: list[str], message: str
) -> None:
    result = cli("remote", "set", *args, code=None)
    assert result.exit_code in (2, 3) and message in result.stderr
    assert not (repository / ".dvc").exists()


# Addresses as people type them --------------------------------------------------------------------


def test_a_forgotten_scheme_makes_no_folder(cli: Cli, repository: Path, tmp_path: Path) -> None:
    result = cli("remote", "add", "storage", "bucket/path", code=2)
    assert result.stderr == (
        "error: 'bucket/path' is neither a URL nor a folder that exists.\n"
        "hint: Did you mean s3://bucket/path? A new folder is written ./bucket/path\n"
    )
    assert "is in the work tree" in cli("remote", "add", "storage", "./store", code=2).stderr
    assert "is in the .git folder" in cli("remote", "add", "storage", ".git/x", code=2).stderr
    assert git(repository, "status", "--porcelain") == ""
    assert not (repository / "store").exists() and not (repository / ".git" / "x").exists()
    (repository / ".git" / "info" / "exclude").write_text("/store/\n")
    cli("remote", "add", "storage", "./store")
    assert git(repository, "status", "--porcelain") == ""


# Who has the files --------------------------------------------------------------------------------


def test_files_that_only_a_colleague_has_name_the_colleague(
    cli: Cli,
    repository: Path,
    clones: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = log_run(repository)
    cli("push")
    second = clones()
    repository.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(second)

    result = cli("artifacts", "download", run_id, code=1)
    assert result.stderr == (
        f"error: The files are only in a clone of Ada Example <ada@example.org> ('{repository}', "
        "not on this machine): no remote for artifacts was set up there.\n"
        "hint: Ask Ada Example <ada@example.org> to type `gitml remote add storage URL`, then "
        "`gitml push`, in that clone; URL is a storage that both of you reach, such as "
        "s3://bucket/path.\n"
    )


def test_files_that_a_colleague_did_not_push_name_who_has_them(
    cli: Cli,
    repository: Path,
    clones: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cli("remote", "add", "storage", str(tmp_path / "store"))
    run_id = log_run(repository)
    git(repository, "push", "-q", "origin", "gitml/runs")  # stock git: records without files
    monkeypatch.chdir(clones())
    who = (
        "Ask Ada Example <ada@example.org> to type `gitml push` in the clone where the run was made"
    )

    assert who in cli("artifacts", "download", run_id, code=1).stderr
    assert who in cli("push").stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["s3", "ssh"])
@pytest.mark.filterwarnings("ignore:Exception ignored in.*ClientSession.__del__")
def test_a_server_is_reached_with_the_settings_that_were_set_for_it(
    cli: Cli,
    repository: Path,
    clones: Callable[[], Path],
    servers: Callable[[str], Server],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    server = servers(kind)
    url = f"{server.url}/team"
    run_id = log_run(repository)
    for key, value in server.settings.items():
        cli("remote", "set", key, value, "--for", url)
    cli("remote", "add", "storage", url)
    cli("push")

    monkeypatch.chdir(clones())
    assert "names the remote" in cli("artifacts", "download", run_id, code=1).stderr
    cli("remote", "trust")
    for key, value in server.settings.items():
        cli("remote", "set", key, value)
    assert cli("artifacts", "download", run_id, "-o", "../out").exit_code == 0
    assert "answers" in cli("doctor").stdout
    assert cli("remote", "list", "--json").exit_code == 0
