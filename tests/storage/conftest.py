"""An isolated DVC, and git repositories with a runs branch laid out by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitml.entities import Artifact
from gitml.formats import manifest as manifests
from gitml.formats.dvc_config import dvc_config
from gitml.git import GitRepo
from gitml.storage.address import recorded
from gitml.storage.remote import Remote
from gitml.storage.settings import machine_settings
from gitml.storage.trust import Trust

RUN = "runs/price/0a/0a11112222333344445555666677778888"
BRANCH = "gitml/runs"
FILES = {
    "a/x.txt": b"in a\n",
    "a-b/y.txt": b"in a-b\n",
    "empty": b"",
    "model/MLmodel": b"flavors: {}\n",
    "model/data/weights.bin": bytes(range(256)) * 40,
    "with space/\u00fcn\u00efc\u00f6d\u00e9 \u6f22.txt": b"caf\xc3\xa9\r\n",
}


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep DVC and git of this test away from the machine's own settings."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def write(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write files into a folder, the usual ones where none are given."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def files() -> dict[str, bytes]:
    """Awkward names and contents: a space, Unicode, an empty file, ``a-b/`` beside ``a/``."""
    return dict(FILES)


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A folder of artifacts as a run leaves it."""
    return write(tmp_path / "staged")


@dataclass(frozen=True)
class Repository:
    """A git repository at ``path``."""

    path: Path
    run: str = RUN
    branch: str = BRANCH

    def git(self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Run git and return its output."""
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        command = ["git", *identity, *args]
        environment = os.environ | dict(env or {})
        done = subprocess.run(
            command, cwd=self.path, input=stdin, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, bytes], branch: str = BRANCH) -> None:
        """Make a branch of one commit without touching index or work tree."""
        index = {"GIT_INDEX_FILE": str(self.path.parent / "scratch-index")}
        self.git("read-tree", "--empty", env=index)
        for name, content in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=content)
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", env=index)
        commit = self.git("commit-tree", "-m", "runs", self.git("write-tree", env=index))
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def record(self, manifest: list[Artifact], url: str, branch: str = BRANCH) -> None:
        """Lay out a run's record as DESIGN.md section 3 says."""
        config = dvc_config(url)
        self.commit(
            {
                ".dvc/config": config,
                ".dvcignore": b"/runs\n",
                f"{RUN}/artifacts.dvc": manifests.dvc_file(manifest),
                f"{RUN}/artifacts.json": manifests.to_json(manifest),
                f"{RUN}/.dvc/config": config,
            },
            branch,
        )

    def remote(self, root: Path | None = None, *, rev: str = BRANCH) -> Remote:
        """Open the remote that a revision names, accepted, in a clone or in this one."""
        git = GitRepo.discover(root or self.path)
        config = git.read(f"{rev}:.dvc/config") or b""
        address = recorded(config, default=git.common_dir / "gitml" / "remote")
        trust = Trust(self.path.parent / "trusted.json", origin=str)
        trust.accept(address)
        remote = Remote.open(
            address, trust=trust, settings=lambda: machine_settings(git, address, current=True)
        )
        if address.is_folder and Path(address.url).is_dir():
            remote.initialise()
        return remote


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A git repository with one commit on ``main`` and a clean work tree."""
    path = tmp_path / "repository"
    path.mkdir()
    made = Repository(path)
    made.git("init", "-q", "-b", "main")
    (path / "train.py").write_text("print('hello')\n")
    made.git("add", "train.py")
    made.git("commit", "-q", "-m", "Start")
    return made


@pytest.fixture
def dvc() -> Callable[..., str]:
    """Run stock DVC's command line in a folder and return its output."""

    def run(*args: str, cwd: Path) -> str:
        command = [sys.executable, "-m", "dvc", *args]
        done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
