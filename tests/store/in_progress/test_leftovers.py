"""What killed processes leave behind goes away with the next command, and harms nobody alive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.errors import GitmlError
from gitml.files import exclusive
from gitml.git import GitRepo, RefUpdate
from tests.conftest import git, temporary_refs


def logged(repository: Path) -> str:
    with gitml.start_run() as run:
        gitml.log_metric("m", 1)
        gitml.log_text("{}", "model/MLmodel")
    return run.info.run_id


def age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def runs_folder(repository: Path) -> Path:
    return repository / ".git" / "gitml" / "runs"


def test_folders_of_runs_that_never_began_are_swept(tracked: Path) -> None:
    logged(tracked)
    empty, hidden = runs_folder(tracked) / ("a" * 32), runs_folder(tracked) / ("b" * 32)
    empty.mkdir()
    hidden.mkdir()
    (hidden / ".0123").write_text('["start", {}]\n')

    gitml.search_runs(output_format="list")

    assert list(runs_folder(tracked).iterdir()) == []


def test_a_folder_whose_run_is_just_beginning_is_left_alone(tracked: Path) -> None:
    logged(tracked)
    folder = runs_folder(tracked) / ("a" * 32)
    with exclusive(folder / "lock"):
        gitml.search_runs(output_format="list")

        assert folder.is_dir()


def test_a_clean_up_that_was_interrupted_is_completed(tracked: Path) -> None:
    run_id = logged(tracked)
    rest = runs_folder(tracked) / f"done-{run_id}"
    rest.mkdir()
    (rest / "journal-01234567.jsonl").write_text("")

    gitml.search_runs(output_format="list")

    assert list(runs_folder(tracked).iterdir()) == []
    assert gitml.get_run(run_id).info.status == "FINISHED"


def test_several_journals_are_never_left_in_part(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gitml.start_run() as run:
        script = (
            "import gitml, sys\nwith gitml.start_run(run_id=sys.argv[1]):\n"
            "    gitml.log_metric('other', 1)\n"
        )
        subprocess.run([sys.executable, "-c", script, run.info.run_id], cwd=tracked, check=True)

        def killed(path: Path, **_: object) -> None:
            (path / "journal.jsonl").unlink()
            raise KeyboardInterrupt

        monkeypatch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            gitml.end_run()
    monkeypatch.undo()

    ended = gitml.get_run(run.info.run_id)
    assert (ended.info.status, "gitml.recovered" in ended.data.tags) == ("FINISHED", False)


def test_crash_reports_of_fast_import_are_swept_but_for_other_peoples(tracked: Path) -> None:
    logged(tracked)
    own_report = tracked / ".git" / "fast_import_crash_1"
    other_report = tracked / ".git" / "fast_import_crash_2"
    own_report.write_text("fast-import crash report:\n  commit refs/heads/gitml/runs\n")
    other_report.write_text("fast-import crash report:\n  commit refs/heads/main\n")

    gitml.search_runs(output_format="list")

    assert (own_report.exists(), other_report.exists()) == (False, True)


@pytest.mark.parametrize("name", ["refs/heads/gitml/runs.lock", "refs/tags/Price@v1.0.0.lock",
                                  "packed-refs.lock"])  # fmt: skip
@pytest.mark.slow
def test_a_lock_that_a_killed_git_left_blocks_nobody(tracked: Path, name: str) -> None:
    logged(tracked)
    lock = tracked / ".git" / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    age(lock, 60)

    run_id = logged(tracked)
    version = gitml.register_model(f"runs:/{run_id}/model", "Price")

    assert (version.version, lock.exists()) == (1, False)
    assert gitml.get_run(run_id).info.status == "FINISHED"


@pytest.mark.slow
def test_a_packed_refs_file_that_was_half_written_goes_with_its_lock(tracked: Path) -> None:
    repo = GitRepo.discover(tracked)
    git(tracked, "branch", "other")
    git(tracked, "pack-refs", "--all")
    for name in ("packed-refs.lock", "packed-refs.new"):
        (tracked / ".git" / name).write_text("# pack")
        age(tracked / ".git" / name, 60)

    repo.update_refs(
        [RefUpdate(name="refs/heads/other", new=None, old=git(tracked, "rev-parse", "other"))]
    )

    assert git(tracked, "branch", "--list", "other") == ""


def test_commits_of_versions_that_were_never_tagged_are_let_go(tracked: Path) -> None:
    run_id = logged(tracked)
    git(tracked, "update-ref", "refs/gitml/tmp/0123", "HEAD")
    lock = tracked / ".git" / "refs" / "gitml" / "tmp" / "4567.lock"
    lock.touch()
    age(lock, 60)

    gitml.register_model(f"runs:/{run_id}/model", "Price")

    assert temporary_refs(tracked) == []
    assert not lock.exists()


def test_a_maintenance_lock_of_yesterday_does_not_stop_packing(tracked: Path) -> None:
    lock = tracked / ".git" / "objects" / "maintenance.lock"
    lock.touch()
    age(lock, 13 * 3600)

    GitRepo.discover(tracked).tidy()

    assert not lock.exists()


def test_artifact_is_staged_whole_or_not(tracked: Path) -> None:
    with gitml.start_run() as run:

        def killed(path: Path) -> None:
            path.write_text("half of it")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            gitml.MlflowClient(tracked).write_artifact(run.info.run_id, "a.txt", killed)
    assert gitml.MlflowClient(tracked).list_artifacts(run.info.run_id) == []


def test_rewriting_an_artifact_does_not_touch_what_is_in_the_cache(tracked: Path) -> None:
    client = gitml.MlflowClient(tracked)
    with gitml.start_run() as run:
        gitml.log_text("one", "a.txt")
        client.repository._store_files(client.repository.runs.writer(run.info.run_id).artifacts)
        gitml.log_text("two", "a.txt")

    path = client.download_artifacts(run.info.run_id, "a.txt")
    assert Path(path).read_text() == "two"
    for stored in (tracked / ".git" / "gitml" / "cache" / "files" / "md5").rglob("*"):
        assert stored.is_dir() or client.repository.artifacts.cache.verify(
            stored.parent.name + stored.name
        )


def test_a_run_that_cannot_be_recovered_hides_no_other(
    tracked: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = logged(tracked)
    broken = runs_folder(tracked) / ("a" * 32)
    (broken / "artifacts").mkdir(parents=True)
    (broken / "artifacts" / "link").symlink_to("nowhere")
    header = {"run_id": "a" * 32, "experiment_id": "Default", "run_name": "x", "user_id": "u",
              "start_time": 1, "schema": 1}  # fmt: skip
    (broken / "journal.jsonl").write_text(f'["start", {str(header).replace(chr(39), chr(34))}]\n')

    ids = {run.info.run_id for run in gitml.search_runs(output_format="list")}

    assert ids == {run_id, "a" * 32}
    assert "cannot be committed yet" in caplog.text
    with pytest.raises(GitmlError, match="symbolic link"):
        gitml.MlflowClient(tracked).repository.runs.recover()
