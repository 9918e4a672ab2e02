"""gitml fsck: what is broken is named, what can be derived is rebuilt, nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gitml
from gitml.formats import canonical, manifest
from gitml.maintenance import fsck
from gitml.repository import Repository
from gitml.sharing import push_pull, remotes
from tests.conftest import git
from tests.hostile import branch
from tests.hostile.branch import Good


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return branch.make_good(tmp_path / "project")


def put(good: Good, name: str, data: bytes | None) -> str:
    """Overwrite a file of the first run; returns its path."""
    repository = Repository.open(good.folder)
    path = next(p for p in good.files if good.runs[0] in p and p.endswith(name))
    repository.branch.update(lambda _: ({path: data}, "broken\n"))
    return path


def test_a_sound_repository_has_no_faults(good: Good) -> None:
    before = git(good.folder, "for-each-ref")
    report = fsck.check(Repository.open(good.folder), remote=True)

    assert report.faults == ()
    assert (report.runs, report.tags, report.foreign) == (2, 3, ())
    assert report.objects >= 4
    assert git(good.folder, "for-each-ref") == before


def test_repair_rebuilds_derived_files_in_a_commit(good: Good) -> None:
    repository = Repository.open(good.folder)
    record = next(p for p in good.files if good.runs[0] in p and p.endswith("run.json"))
    value = json.loads(good.files[record])
    value["metrics"]["rmse"] = 99
    del value["metric_stats"]
    put(good, "run.json", json.dumps(value).encode())
    put(good, "artifacts.dvc", b"outs: []\n")
    listed = manifest.parse(good.files[record.replace("run.json", "artifacts.json")])
    digest = manifest.directory_hash(listed)
    paths = [repository.artifacts.cache.path(digest),
              repository.default_remote / "files" / "md5" / digest[:2] / digest[2:]]  # fmt: skip
    for path in paths:
        path.unlink()
    git(good.folder, "update-ref", "refs/gitml/tmp/x", "HEAD")
    commits = int(git(good.folder, "rev-list", "--count", "gitml/runs"))

    report = fsck.check(repository)
    assert {fault.place.rpartition("/")[2] for fault in report.faults if fault.repairable} >= {
        "run.json", "artifacts.dvc", "artifacts",
    }  # fmt: skip
    report = fsck.repair(repository)
    assert report.faults == ()
    assert int(git(good.folder, "rev-list", "--count", "gitml/runs")) == commits + 1
    assert branch.files_of(good.folder) == good.files
    assert all(path.exists() for path in paths)
    assert "fsck: rebuild 2 derived files" in git(good.folder, "log", "-1", "gitml/runs")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("run.json", b'{"schema": 2}', "has schema 2"),
        ("run.json", b"\xff", "is not valid JSON"),
        ("metrics.jsonl", b"[1]\n", "line 1: not a metric point"),
        ("artifacts.json", b"{}", "not a list"),
        (".dvc/config", b"[core\n", "Cannot parse"),
        ("run.json", None, "is missing"),
    ],
)
def test_repair_reports_what_cannot_be_derived(
    good: Good, name: str, data: bytes | None, reason: str
) -> None:
    path = put(good, name, data)
    before = git(good.folder, "rev-parse", "gitml/runs")
    report = fsck.repair(Repository.open(good.folder))

    assert any(fault.place == path and reason in fault.reason for fault in report.faults)
    assert git(good.folder, "rev-parse", "gitml/runs") == before


def test_lost_and_corrupt_bytes_are_named(good: Good) -> None:
    repository = Repository.open(good.folder)
    listed = repository.files(good.runs[0]).artifacts
    text = next(artifact for artifact in listed if artifact.path == "notes/hello.txt")
    for folder in (repository.state / "cache", repository.default_remote):
        path = folder / "files" / "md5" / text.md5[:2] / text.md5[2:]
        path.unlink()
        if folder.name == "cache":
            path.write_bytes(b"something else")

    reasons = {fault.place.rpartition("/")[2]: fault.reason
               for fault in fsck.check(repository).faults}  # fmt: skip
    assert "neither here nor in the remote" in reasons["hello.txt"]


@pytest.fixture
def downloaded(good: Good, tmp_path: Path) -> Repository:
    """A clone that pulled the runs and downloaded their files from a folder that all share."""
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(good.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    remotes.set_remote(Repository.open(good.folder), str(tmp_path / "storage"))
    push_pull.push(Repository.open(good.folder))
    git(tmp_path, "clone", "-q", "-n", str(tmp_path / "origin.git"), "clone")
    clone = Repository.open(tmp_path / "clone")
    push_pull.pull(clone)
    for run_id in good.runs:
        gitml.MlflowClient(tmp_path / "clone").download_artifacts(run_id, "")
    return clone


def test_downloaded_files_without_their_directory_object_are_no_fault(
    downloaded: Repository,
) -> None:
    assert fsck.check(downloaded).faults == ()
    assert fsck.check(downloaded, remote=True).faults == ()


def test_an_unreachable_remote_is_named_once_and_the_rest_is_checked(
    downloaded: Repository, good: Good, tmp_path: Path
) -> None:
    (tmp_path / "storage").rename(tmp_path / "unmounted")
    path = next(p for p in good.files if good.runs[1] in p and p.endswith("artifacts.dvc"))
    downloaded.branch.update(lambda _: ({path: b"outs: []\n"}, "broken\n"))
    files = sum(len(downloaded.files(run_id).artifacts) for run_id in good.runs)

    faults = {fault.place: fault.reason for fault in fsck.check(downloaded, remote=True).faults}
    assert faults[str(tmp_path / "storage")].startswith(
        f"{files} files of 2 runs could not be looked for: The DVC remote '{tmp_path / 'storage'}'"
    )
    assert path in faults
    assert len(faults) == 2


def test_a_corrupt_directory_object_is_made_again(good: Good) -> None:
    repository = Repository.open(good.folder)
    digest = manifest.directory_hash(repository.files(good.runs[0]).artifacts)
    path = repository.artifacts.cache.path(digest)
    path.unlink()
    path.write_bytes(b"[]")
    path.chmod(0o444)

    (fault,) = fsck.check(repository).faults
    assert fault.reason == f"its directory object {digest} is corrupt in the cache"
    assert fsck.repair(repository).faults == ()


def test_tags_that_disagree_with_their_commit_are_named(good: Good) -> None:
    commit = git(good.folder, "rev-parse", "Price@v1.0.0^{commit}")
    git(good.folder, "tag", "-a", "Price@v9.0.0", "-m", "wrong", commit)
    git(good.folder, "tag", "Price@v8.0.0", commit)

    faults = {
        fault.place: fault.reason for fault in fsck.check(Repository.open(good.folder)).faults
    }
    assert faults["Price@v9.0.0"] == "its commit holds version 1 of 'Price'"
    assert "Price@v8.0.0" in faults


def test_fsck_distinguishes_odd_modes_and_foreign_files(good: Good) -> None:
    record = next(p for p in good.files if good.runs[0] in p and p.endswith("run.json"))
    link = next(p for p in good.files if good.runs[1] in p and p.endswith("run.json"))
    entries = [
        branch.Entry(record.encode(), good.files[record], "100755"),
        branch.Entry(link.encode(), b"/etc/passwd", "120000"),
        branch.Entry(b"stranger.txt", b"x"),
    ]
    branch.commit(good.folder, entries, branch.BRANCH)
    repository = Repository.open(good.folder)

    report = fsck.check(repository)
    reasons = {fault.place: fault.reason for fault in report.faults}
    assert reasons[record] == "is marked as executable"
    assert reasons[link] == "is a symbolic link, not a file"
    assert report.foreign == ("stranger.txt",)
    assert [fault.place for fault in fsck.repair(repository).faults] == [link]


def test_an_index_that_differs_is_made_again(good: Good) -> None:
    import sqlite3

    repository = Repository.open(good.folder)
    repository.index().close()
    with sqlite3.connect(repository.state / "index.sqlite3") as db:
        db.execute("DELETE FROM documents")
    db.close()

    (fault,) = fsck.check(repository).faults
    assert "differs from the branch" in fault.reason
    assert fsck.repair(repository).faults == ()
    assert gitml.MlflowClient(good.folder).get_run(good.runs[0]).info.run_id == good.runs[0]


def edit_record(good: Good, **changes: object) -> None:
    """Change fields of the first run's record, as an older version may have written them."""
    path = next(p for p in good.files if good.runs[0] in p and p.endswith("run.json"))
    put(good, "run.json", canonical.dump({**json.loads(good.files[path]), **changes}))


def test_a_run_that_never_ended_is_named_and_ended(good: Good) -> None:
    repository = Repository.open(good.folder)
    edit_record(good, status="RUNNING", end_time=None)
    assert fsck.check(repository).faults == ()  # it may go on in another clone

    path = next(p for p in good.files if good.runs[0] in p and p.endswith("run.json"))
    record = json.loads(good.files[path])
    put(good, "metrics.jsonl", None)
    edit_record(good, status="RUNNING", end_time=None, start_time=1000, metrics={},
                metric_stats={}, written=dict.fromkeys(record["written"], 2000))  # fmt: skip
    (fault,) = fsck.check(repository).faults
    assert (fault.repairable, fault.place) == (True, path.removesuffix("/run.json"))
    assert "has not ended" in fault.reason

    report = fsck.repair(repository)
    assert (report.faults, len(report.repaired)) == ((), 1)
    run = gitml.MlflowClient(good.folder).get_run(good.runs[0])
    assert (run.info.status, run.info.end_time) == ("FAILED", 2000)
    assert run.data.tags["gitml.recovered"] == "true"


def test_an_end_before_the_start_is_moved_to_the_start(good: Good) -> None:
    repository = Repository.open(good.folder)
    edit_record(good, end_time=5)
    (fault,) = fsck.check(repository).faults
    assert fault.reason == "its end_time is before its start_time"
    assert fsck.repair(repository).faults == ()
    info = gitml.MlflowClient(good.folder).get_run(good.runs[0]).info
    assert info.end_time == info.start_time
