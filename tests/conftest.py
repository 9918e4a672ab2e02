"""Real git repositories in an isolated home: no setting of this machine reaches a test."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import Phase, settings

import gitml
from gitml import config, repository as repositories
from gitml.fluent.session import session
from tests.storage.servers import KINDS, Server, start

LIMIT = 120  # seconds, for a process that a test waits for
Text = TypeVar("Text", str, bytes)

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.register_profile(  # for `make mutants`, which needs a failure, not the smallest one
    "mutants",
    deadline=None,
    derandomize=True,
    max_examples=50,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("untimed")
# What tests start shall end at SIGINT, also where a background shell ignores it for all of us.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def isolated_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An empty home and no git, DVC or gitml setting from outside."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("AWS_", "DVC_", "GIT_", "GITML_", "MLFLOW_", "SSH_")):
            monkeypatch.delenv(name)
    for name in ("HOME", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc-site-cache"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada Example")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ada@example.org")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Ada Example")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ada@example.org")
    return home


def git(
    folder: Path, *args: str, stdin: str | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run stock git in a folder, with variables besides ours, and return what it prints."""
    done = subprocess.run(
        ["git", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def temporary_refs(folder: Path) -> list[str]:
    """Refs of gitml in a repository, but for those that remember a branch's newest commit."""
    refs = git(folder, "for-each-ref", "--format=%(refname)", "refs/gitml").split()
    return [name for name in refs if not name.startswith("refs/gitml/last/")]


@contextmanager
def ended(process: subprocess.Popen[Text]) -> Iterator[subprocess.Popen[Text]]:
    """Kill a process at the end of a block, also where the test stopped waiting for it."""
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=LIMIT)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def make_repository(folder: Path) -> Path:
    """A repository with one commit on main."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print('training')\n")
    git(folder, "add", "train.py")
    git(folder, "commit", "-q", "-m", "Add training")
    return folder


@pytest.fixture(autouse=True)
def closed_repositories() -> Iterator[None]:
    """Each repository keeps a process of git: none outlives its test."""
    yield
    for opened in list(repositories._open.values()):
        opened.close()


class Clock:
    """The clock of this machine, in ms since the Unix epoch; it stands still until it is set."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that a test sets; to be asked for before a repository."""
    stopped = Clock()
    monkeypatch.setattr(config, "now_ms", stopped)
    return stopped


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on main."""
    return make_repository(tmp_path / "project")


@pytest.fixture
def tracked(repository: Path) -> Iterator[Path]:
    """The same repository, chosen as the one the fluent API logs to."""
    gitml.set_tracking_uri(repository)
    yield repository
    session.reset()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """The server of a kind of DVC remote, started when the first test needs it."""
    running: dict[str, Server] = {}
    with ExitStack() as stack:

        def running_server(kind: str) -> Server:
            if kind not in running:
                context = start(kind, tmp_path_factory.mktemp(kind))
                running[kind] = stack.enter_context(context)
            return running[kind]

        yield running_server


@pytest.fixture(params=KINDS)
def dvc_remote(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """An address for artifacts of one test; this machine's DVC settings say how to reach it."""
    server = servers(request.param)
    server.configure(Path(os.environ["DVC_GLOBAL_CONFIG_DIR"]) / "config")
    return replace(server, url=f"{server.url}/{uuid.uuid4().hex}")
