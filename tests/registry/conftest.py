"""A repository with recorded runs, a DVC remote in a plain folder, and stock gto and dvc."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gitml.entities import Run, RunInfo, Source
from gitml.formats import run_records
from gitml.formats.run_records import Record
from gitml.git import GitRepo
from gitml.registry.registry import Registry
from gitml.registry.tags.version_commit import ModelSource
from gitml.store.branch import Branch

START = 1_700_000_000_000


class Clock:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def git(folder: Path, *args: str) -> str:
    """Run stock git and return what it prints."""
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class World:
    """One repository and everything a test does with it."""

    folder: Path
    remote: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        git(self.folder, "init", "-q", "-b", "main")
        (self.folder / "train.py").write_text("print('training')\n")
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-q", "-m", "Add training")
        self.open()

    def open(self) -> None:
        """Open the repository as a new process would."""
        self.repo = GitRepo.discover(self.folder)
        config = f"[core]\n    remote = gitml\n['remote \"gitml\"']\n    url = {self.remote}\n"
        state = self.repo.common_dir / "gitml"
        self.branch = Branch(
            self.repo, "gitml/runs", remote="origin", state=state, remote_config=config.encode()
        )
        self.registry = Registry(self.repo, self.branch, state=state, clock=self.clock)

    def git(self, *args: str) -> str:
        """Run stock git in the repository."""
        return git(self.folder, *args)

    def run(self, number: int = 1) -> Run:
        """Record a run on the branch, trained by the commit that is checked out."""
        run = Run(
            info=RunInfo(
                run_id=f"{number:032x}",
                experiment_id="0",
                run_name=f"run {number}",
                user_id="ada",
                status="FINISHED",
                start_time=START,
                end_time=START,
            ),
            source=Source(commit=self.git("rev-parse", "HEAD"), branch="main"),
        )
        path = f"{run_records.run_folder('0', run.info.run_id)}/run.json"
        data = run_records.run_to_json(Record(run=run))
        self.branch.update(lambda tip: ({path: data}, f"run {number}\n"))
        return run

    def model(self, content: bytes = b"weights", run: Run | None = None) -> ModelSource:
        """Put a model directory into the DVC remote, by DVC's own layout."""
        run = run or self.run()
        files = {"MLmodel": b"flavors: {}\n", "model.bin": content}
        listing = [{"md5": self._put(data), "relpath": path} for path, data in files.items()]
        digest = self._put(json.dumps(listing, sort_keys=True).encode(), ".dir")
        size = sum(len(data) for data in files.values())
        out = f"outs:\n- md5: {digest}\n  size: {size}\n  nfiles: 2\n  hash: md5\n  path: model\n"
        return ModelSource(
            run=run,
            source=f"runs:/{run.info.run_id}/model",
            path="model",
            digest=digest,
            size=size,
            nfiles=2,
            dvc_file=f"{out}  remote: gitml\n".encode(),
            mlmodel=files["MLmodel"],
            flavors=("python_function",),
        )

    def _put(self, data: bytes, suffix: str = "") -> str:
        digest = hashlib.md5(data).hexdigest() + suffix
        path = self.remote / "files" / "md5" / digest[:2] / digest[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest

    def versions(self, count: int, name: str = "PriceOptimizer") -> None:
        """Register some versions of a model."""
        source = self.model()
        for _ in range(count):
            self.registry.register(name, source)

    def gto(self, *args: str) -> Any:
        """Ask stock gto, in JSON."""
        return json.loads(self.tool("gto", *args, "--json"))

    def tool(self, *command: str) -> str:
        """Run a stock program in the repository."""
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tags(self) -> list[str]:
        """All tags, in the order of their dates."""
        return self.git("tag", "--sort=taggerdate").splitlines()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A repository with one code commit."""
    return World(tmp_path / "project", tmp_path / "remote")


@pytest.fixture
def new_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    """Makes as many repositories as one asks for."""

    def make() -> World:
        folder = tmp_path_factory.mktemp("world")
        return World(folder / "project", folder / "remote")

    return make
