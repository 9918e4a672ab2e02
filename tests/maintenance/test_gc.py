"""gitml gc removes what nothing needs once it is old."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gitml
from gitml.errors import InvalidInput, StoreError
from gitml.maintenance import gc
from gitml.repository import Repository
from gitml.sharing import push_pull, remotes
from tests.conftest import git
from tests.hostile import branch
from tests.hostile.branch import Good

LATER = 30 * 86_400


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return branch.make_good(tmp_path / "project")


def objects(folder: Path) -> set[str]:
    return {p.parent.name + p.name for p in (folder / "files" / "md5").glob("*/*")}


def collect(good: Good, **options: object) -> gc.GcReport:
    options = {"apply": True, "now": time.time() + LATER, **options}
    return gc.collect(Repository.open(good.folder), **options)  # type: ignore[arg-type]


def stray(good: Good, text: str = "stray") -> tuple[Path, str]:
    repository = Repository.open(good.folder)
    folder = good.folder.parent / "stray"
    folder.mkdir(exist_ok=True)
    (folder / "x").write_text(text)
    (artifact,) = repository.artifacts.put(folder)
    return repository.artifacts.cache.path(artifact.md5), artifact.md5


def test_gc_removes_only_what_nothing_needs(good: Good) -> None:
    repository = Repository.open(good.folder)
    before = objects(repository.state / "cache")
    path, md5 = stray(good)
    (repository.state / "checkouts" / "abc").mkdir(parents=True)

    listed = collect(good, apply=False)
    assert path.exists()
    assert (listed.garbage[0].count, listed.garbage[0].bytes > 0) == (2, True)
    report = collect(good)
    assert report.removed
    assert report.garbage == listed.garbage
    assert objects(repository.state / "cache") == before
    assert not (repository.state / "checkouts" / "abc").exists()
    assert collect(good).garbage == ()
    assert md5 not in objects(repository.default_remote)


def test_gc_keeps_objects_within_the_grace_period(good: Good) -> None:
    path, _ = stray(good)
    report = collect(good, now=time.time())

    assert path.exists()
    assert (report.too_new, report.garbage) == (2, ())


def test_gc_keeps_artifacts_of_deleted_versions_and_runs(good: Good) -> None:
    client = gitml.MlflowClient(good.folder)
    client.delete_model_version("Price", 1)
    for run_id in good.runs:
        client.delete_run(run_id)
    repository = Repository.open(good.folder)
    before = objects(repository.state / "cache")
    files = client.repository.files(good.runs[0]).artifacts

    assert collect(good).garbage == ()
    collect(good, deleted_runs=True)
    left = objects(repository.state / "cache")
    paths = {file.path for file in files if file.md5 in left}
    assert paths == {"model/MLmodel"}
    assert left < before


def test_gc_keeps_artifacts_of_remote_runs_and_open_runs(good: Good, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(good.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    repository = Repository.open(good.folder)
    push_pull.push(repository)
    git(good.folder, "update-ref", "-d", "refs/heads/gitml/runs")
    client = gitml.MlflowClient(good.folder)
    run = client.create_run("house")
    client.log_text(run.info.run_id, "staged", "a.txt")
    before = objects(repository.state / "cache")

    collect(good)
    assert objects(repository.state / "cache") == before
    client.set_terminated(run.info.run_id)
    assert Path(client.download_artifacts(run.info.run_id, "a.txt")).read_text() == "staged"


@pytest.mark.parametrize("data", [b"{", b"[1]"])
def test_gc_removes_nothing_while_a_manifest_is_unreadable(good: Good, data: bytes) -> None:
    path, _ = stray(good)
    name = next(p for p in good.files if p.endswith("artifacts.json"))
    branch.commit(good.folder, [branch.Entry(name.encode(), data)], branch.BRANCH)

    with pytest.raises(StoreError, match="Nothing was removed"):
        collect(good)
    assert path.exists()


def test_gc_cleans_a_shared_remote_only_with_remote(good: Good, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(good.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    shared = tmp_path / "storage"
    shared.mkdir()
    remotes.set_remote(Repository.open(good.folder), str(shared))
    before = objects(shared)
    path = shared / "files" / "md5" / "ab" / ("c" * 30)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("nobody's")

    collect(good)
    assert path.exists()
    collect(good, remote=True)
    assert objects(shared) == before


# The user's own DVC project in the same repository ------------------------------------------------


def dvc(folder: Path, *args: str) -> None:
    program = Path(sys.executable).with_name("dvc")
    done = subprocess.run([program, *args], cwd=folder, capture_output=True, text=True,
                          env=os.environ)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_neither_gc_removes_what_the_other_keeps(good: Good, tmp_path: Path) -> None:
    dvc(good.folder, "init", "-q")
    data = tmp_path / "data-remote"
    data.mkdir()
    dvc(good.folder, "remote", "add", "-q", "-d", "data", str(data))
    (good.folder / "rows.csv").write_text("a,b\n1,2\n")
    dvc(good.folder, "add", "-q", "rows.csv")
    dvc(good.folder, "push", "-q")
    repository = Repository.open(good.folder)
    of_gitml = objects(repository.state / "cache"), objects(repository.default_remote)
    of_project = objects(good.folder / ".dvc" / "cache"), objects(data)
    assert of_project[0] and of_project[1]

    dvc(good.folder, "gc", "-w", "-c", "-f")
    assert (objects(repository.state / "cache"), objects(repository.default_remote)) == of_gitml
    stray(good)
    collect(good)
    assert (objects(good.folder / ".dvc" / "cache"), objects(data)) == of_project


@pytest.mark.slow
def test_gc_refuses_a_remote_that_the_users_project_shares(good: Good, tmp_path: Path) -> None:
    dvc(good.folder, "init", "-q")
    storage = tmp_path / "storage"
    storage.mkdir()
    dvc(good.folder, "remote", "add", "-q", "-d", "data", str(storage))
    remotes.set_remote(Repository.open(good.folder), str(storage))

    with pytest.raises(InvalidInput, match="own DVC project"):
        collect(good, remote=True)
