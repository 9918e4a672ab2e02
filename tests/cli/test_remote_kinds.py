"""Every command that reads or writes artifacts, on every kind of remote: folder, S3, SSH, HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import gitml
from gitml.cli.program import gitml as program
from gitml.registry.resolve import local_path
from gitml.repository import Repository
from gitml.store import object_lock
from tests.cli.conftest import log_model, log_run
from tests.clones import origin_and_clone
from tests.conftest import git
from tests.storage.servers import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Exception ignored in.*ClientSession.__del__"),
]


class Team:
    """Two clones of a project whose artifacts are on a remote."""

    def __init__(self, root: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.first = origin_and_clone(root, "first")
        self.run_id = log_run(self.first)
        self.model = log_model(self.first, self.run_id)
        self.run("remote", "add", "storage", url, cwd=self.first)
        self.run("push", cwd=self.first)
        git(root, "clone", "-q", f"file://{root}/origin.git", "second")
        self.second = root / "second"
        self.run("pull", cwd=self.second)
        self.run("remote", "trust", url, cwd=self.second)

    def run(self, *args: str, cwd: Path, code: int = 0) -> str:
        """Run a command and return what it says."""
        self.monkeypatch.chdir(cwd)
        result = CliRunner().invoke(program, args)
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def team(dvc_remote: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(tmp_path, dvc_remote.url, monkeypatch)


def stray(folder: Path) -> str:
    """Send an object that nothing needs; returns its md5."""
    repository = Repository.open(folder)
    files = folder.parent / "stray"
    files.mkdir()
    (files / "x").write_text("nobody's")
    with object_lock.storing(repository.branch.locks):
        stored = repository.artifacts.put(files)
    repository.artifacts.push([stored], repository.open_remote())
    return stored[0].md5


def test_a_clone_finds_everything_that_another_pushed(team: Team) -> None:
    assert "hello.txt" in team.run("artifacts", "list", team.run_id, "notes", cwd=team.second)
    path = team.run("artifacts", "download", team.run_id, "notes", cwd=team.second)
    assert (Path(path.splitlines()[-1]) / "hello.txt").read_text() == "hello"
    folder = local_path(team.model, gitml.MlflowClient(team.second))  # as a model is loaded
    assert sorted(file.name for file in Path(folder).iterdir()) == ["MLmodel", "data.txt"]
    assert "0 problems." in team.run("fsck", "--remote", cwd=team.second)
    team.run("doctor", cwd=team.second)
    assert "warning" not in team.run("site", "build", "--require-artifacts", cwd=team.second)


def test_gc_cleans_the_remote_or_says_that_it_cannot(team: Team, dvc_remote: Server) -> None:
    md5 = stray(team.first)
    command = ["gc", "--remote", "--older-than", "0h"]
    if dvc_remote.kind == "http":
        for options in ([], ["--yes"]):
            assert team.run(*command, *options, cwd=team.second, code=2) == (
                f"error: The DVC remote '{dvc_remote.url}' cannot list what it stores: HTTP has no "
                "way to do it.\nhint: Do it on the server itself.\n"
            )
        return
    assert "Would remove 2 objects" in team.run(*command, cwd=team.second)
    assert Repository.open(team.first).open_remote().existing({md5}) == {md5}
    assert "Removed 2 objects" in team.run(*command, "--yes", cwd=team.second)
    assert Repository.open(team.first).open_remote().existing({md5}) == set()
    assert "Nothing to remove" in team.run(*command, "--yes", cwd=team.second)
    assert "0 problems." in team.run("fsck", "--remote", cwd=team.second)


def test_fsck_names_what_the_remote_lost_and_repairs_it(team: Team, dvc_remote: Server) -> None:
    repository = Repository.open(team.first)
    text = next(a for a in repository.files(team.run_id).artifacts if a.path.endswith("hello.txt"))
    if dvc_remote.kind == "http":
        for key in [key for key in dvc_remote.stored if key.endswith(text.md5[2:])]:
            del dvc_remote.stored[key]
    else:
        repository.open_remote().remove([text.md5])
    assert f"its content (md5 {text.md5}) is neither here nor in the remote" in team.run(
        "fsck", "--remote", cwd=team.second, code=1
    )
    assert "the remote lacks files that the cache has" in team.run(
        "fsck", "--remote", cwd=team.first, code=1
    )
    assert "Sent 1 file " in team.run("fsck", "--remote", "--repair", cwd=team.first)
    assert "0 problems." in team.run("fsck", "--remote", cwd=team.second)
