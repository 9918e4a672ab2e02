"""The attack: whoever may push rewrites ``.dvc/config``; no command of a teammate obeys it."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import gitml
from gitml.formats.dvc_config import dvc_config
from gitml.sharing import push_pull
from tests.cli.conftest import Cli, log_model, log_run
from tests.conftest import git

Attack = Callable[[Path], str]


def _webdav(canary: Path) -> str:
    return f"""\
[core]
    remote = gitml
['remote "gitml"']
    url = webdav://127.0.0.1:9/store
    bearer_token_command = touch {canary}
"""


def _s3(canary: Path) -> str:
    aws = canary.with_name("aws")
    aws.write_text(f"[profile evil]\ncredential_process = /bin/sh -c 'touch {canary}'\n")
    return f"""\
[core]
    remote = gitml
['remote "gitml"']
    url = s3://bucket/store
    endpointurl = http://127.0.0.1:9
    profile = evil
    configpath = {aws}
    connect_timeout = 1
"""


def _ssh(canary: Path) -> str:
    return f"""\
[core]
    remote = gitml
['remote "gitml"']
    url = ssh://127.0.0.1:9/store
    keyfile = {canary.with_name("key")}
    gss_auth = true
    ask_password = true
    proxycommand = touch {canary}
"""


def _indirect(canary: Path) -> str:
    return f"""\
[core]
    remote = evil
    site_cache_dir = {canary}
    analytics = true
[cache]
    dir = {canary}
['remote "evil"']
    url = webdav://127.0.0.1:9/store
    bearer_token_command = touch {canary}
['remote "gitml"']
    url = remote://evil/store
"""


def _duplicated(canary: Path) -> str:
    return (
        _webdav(canary)
        + f"""\
['remote "GITML"']
    bearer_token_command = touch {canary}
['remote "gitml"']
    url = webdavs://127.0.0.1:9/store
"""
    )


ATTACKS = [_webdav, _s3, _ssh, _indirect, _duplicated]


class Victim:
    """A clone with a run, a version in Production, and a branch that an attacker rewrote."""

    def __init__(self, folder: Path, origin: Path) -> None:
        self.folder, self.origin = folder, origin
        self.canary = origin.parent / "canary"
        git(folder, "init", "-q", "--bare", str(origin))
        git(folder, "remote", "add", "origin", str(origin))
        git(folder, "push", "-q", "origin", "main")
        self.run_id = log_run(folder)
        log_model(folder, self.run_id)

    def attacked(self, config: str) -> None:
        """Rewrite every ``.dvc/config`` of the branch, as a colleague who pushes it."""
        branch = gitml.MlflowClient(self.folder).repository.branch
        names = git(self.folder, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
        files = {name: config.encode() for name in names if name.endswith(".dvc/config")}
        assert len(files) >= 2
        branch.update(lambda _: (files, "somebody's\n"))


@pytest.fixture
def victim(cli: Cli, repository: Path, tmp_path: Path) -> Victim:
    """A clone whose colleague is an attacker."""
    made = Victim(repository, tmp_path / "origin.git")
    cli("registry", "register", f"runs:/{made.run_id}/model", "Price")
    cli("registry", "transition", "Price", "1", "Production")
    push_pull.push(gitml.MlflowClient(repository).repository)
    return made


def empty_cache(victim: Victim) -> None:
    """Leave no artifact on this machine."""
    for folder in ("cache", "remote", "checkouts"):
        shutil.rmtree(victim.folder / ".git" / "gitml" / folder, ignore_errors=True)


def refused(cli: Cli, *args: str) -> str:
    """Run a command that has to fail in a sentence; returns it."""
    result = cli(*args, code=None)
    assert result.exit_code in (1, 2), result.output
    assert result.stderr.startswith("error: "), result.stderr
    return result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__.strip("_"))
def test_no_command_obeys_a_pushed_configuration(
    cli: Cli, victim: Victim, attack: Attack, tmp_path: Path
) -> None:
    victim.attacked(attack(victim.canary))
    log_run(victim.folder, "second")  # logging goes on
    tip = git(victim.origin, "rev-parse", "gitml/runs")

    refused(cli, "push")
    assert git(victim.origin, "rev-parse", "gitml/runs") == tip  # nor were the records sent
    empty_cache(victim)
    refused(cli, "artifacts", "download", victim.run_id, "-o", str(tmp_path / "out"))
    refused(cli, "registry", "release", "Price#Production#1", "--output", str(tmp_path / "r"))
    refused(cli, "registry", "register", f"runs:/{victim.run_id}/model", "Other")
    for uri in ("models:/Price/Production", f"runs:/{victim.run_id}/model"):
        with pytest.raises(gitml.exceptions.MlflowException):
            gitml.pyfunc.load_model(uri)
    for args in (["doctor"], ["fsck", "--remote"], ["fsck", "--remote", "--repair"],
                 ["gc", "--remote"]):  # fmt: skip
        assert "Unexpected error" not in cli(*args, code=None).output
    for args in (["pull"], ["status"], ["remote", "list"], ["runs", "list"],
                 ["registry", "propose", "Price", "1", "Staging", "-m", "why"],
                 ["site", "build", "--output", str(tmp_path / "site")]):  # fmt: skip
        cli(*args)
    assert not victim.canary.exists()


@pytest.mark.slow
def test_the_remote_is_put_right_again_and_nothing_hostile_remains(
    cli: Cli, victim: Victim, tmp_path: Path
) -> None:
    victim.attacked(_webdav(victim.canary))
    second = log_run(victim.folder, "second")
    store = tmp_path / "store"

    cli("remote", "add", "storage", str(store))
    assert "Sent 1 run" in cli("push").stdout
    empty_cache(victim)
    for run_id in (victim.run_id, second):
        cli("artifacts", "download", run_id, "-o", str(tmp_path / run_id))
    cli("registry", "register", f"runs:/{victim.run_id}/model", "Other")
    for rev in ("gitml/runs", "Other@v1.0.0"):
        names = git(victim.folder, "ls-tree", "-r", "--name-only", rev).splitlines()
        configs = {name for name in names if name.endswith(".dvc/config")}
        for name in configs:
            text = git(victim.folder, "show", f"{rev}:{name}") + "\n"
            assert text.encode() == dvc_config(str(store)), (rev, name)
    assert not victim.canary.exists()


def test_runs_and_versions_take_only_the_address_from_the_branch(cli: Cli, victim: Victim) -> None:
    """Stock DVC obeys the whole file: what gitml writes must not carry it on."""
    victim.attacked(_webdav(victim.canary))
    run_id = log_run(victim.folder, "second")

    folder = git(victim.folder, "ls-tree", "-r", "--name-only", "gitml/runs")
    (path,) = [p for p in folder.splitlines() if run_id in p and p.endswith(".dvc/config")]
    assert git(victim.folder, "show", f"gitml/runs:{path}").splitlines() == [
        "[core]", "    remote = gitml", "['remote \"gitml\"']",
        "    url = webdav://127.0.0.1:9/store",
    ]  # fmt: skip


@pytest.mark.slow
def test_fsck_names_and_removes_what_is_ignored(cli: Cli, victim: Victim) -> None:
    victim.attacked(_webdav(victim.canary))

    result = cli("fsck", code=1)
    assert result.stdout.count("has remote.gitml.bearer_token_command, which gitml ignores") == 2
    cli("fsck", "--repair", code=None)
    for name in (".dvc/config", f"runs/house/{victim.run_id[:2]}/{victim.run_id}/.dvc/config"):
        text = git(victim.folder, "show", f"gitml/runs:{name}") + "\n"
        assert text.encode() == dvc_config("webdav://127.0.0.1:9/store")


class Listener:
    """A web server that remembers what it is asked for, and by whom."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []  # path, X-Token
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.requests.append((self.path, self.headers.get("X-Token", "")))
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_PUT = do_POST = do_GET

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/store"


@pytest.fixture
def listeners() -> Iterator[tuple[Listener, Listener]]:
    """The team's server, and the attacker's."""
    both = Listener(), Listener()
    threads = [threading.Thread(target=each.server.serve_forever) for each in both]
    for thread in threads:
        thread.start()
    yield both
    gc.collect()  # closes the sessions here, not in the thread of aiohttp's loop
    for each, thread in zip(both, threads, strict=True):
        each.server.shutdown()
        each.server.server_close()
        thread.join(120)


@pytest.mark.filterwarnings("ignore:Exception ignored in.*ClientSession.__del__")
@pytest.mark.parametrize("tied", [True, False])
def test_a_password_does_not_follow_the_address(
    cli: Cli, victim: Victim, listeners: tuple[Listener, Listener], tied: bool
) -> None:
    team, evil = listeners
    settings = "auth = custom\n    custom_auth_header = X-Token\n    password = hunter2\n"
    url = f"url = {team.url}\n    " if tied else ""
    (victim.folder / ".dvc").mkdir()
    (victim.folder / ".dvc" / "config.local").write_text(
        f"['remote \"gitml\"']\n    {url}{settings}"
    )
    victim.attacked(dvc_config(team.url).decode())
    cli("remote", "trust")
    log_run(victim.folder, "second")
    cli("push", code=1)
    assert {token for _, token in team.requests} == {"hunter2"}

    victim.attacked(dvc_config(evil.url).decode())
    assert f"'{evil.url}' (set by" in refused(cli, "push")
    cli("fsck", "--remote", code=1)
    refused(cli, "gc", "--remote")
    assert evil.requests == []

    if tied:  # a person who accepts the other address does not hand it what was for the first
        assert "they are not used for this one" in cli("remote", "trust").stderr
        cli("push", code=1)
        assert {token for _, token in evil.requests} == {""}
