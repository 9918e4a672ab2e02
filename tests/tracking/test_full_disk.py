"""A full disk and a repository that cannot be written: a clear error, and nothing else suffers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from tests.conftest import git, make_repository

BEFORE = """
import gitml, os, resource, sys
with gitml.start_run(run_name="earlier"):
    gitml.log_metric("m", 1)
    gitml.log_text("kept", "kept.txt")
gitml.start_run(run_name="later")
gitml.log_metric("m", 1)
"""
FILL = """
limit = 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
"""
LOG_ON = """
for i in range(2000):
    gitml.log_metric("m", i, step=i)
gitml.log_text("x" * 100_000, "large.txt")
gitml.log_param("p", 1)
gitml.end_run()
print("trained", flush=True)
"""
ROOM_AGAIN = """
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
"""


def run_script(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def names_and_status(repository: Path) -> dict[str, str]:
    runs = gitml.MlflowClient(repository).search_runs(["Default"])
    return {run.info.run_name: run.info.status for run in runs}


def check_earlier_run(repository: Path) -> None:
    client = gitml.MlflowClient(repository)
    (run,) = client.search_runs(["Default"], "attributes.run_name = 'earlier'")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"m": 1.0})
    file = Path(client.download_artifacts(run.info.run_id, "kept.txt"))
    assert file.read_text() == "kept"
    assert git(repository, "fsck", "--no-dangling") == ""


def test_a_full_disk_is_a_clear_error_and_earlier_data_stays_whole(repository: Path) -> None:
    done = run_script(repository, BEFORE + FILL + LOG_ON)

    assert done.returncode == 1
    assert "gitml.errors.StoreError: " in done.stderr
    assert "free space" in done.stderr or "Free some space" in done.stderr
    check_earlier_run(repository)
    assert names_and_status(repository) == {"earlier": "FINISHED", "later": "FAILED"}


def test_training_continues_where_errors_are_warnings(repository: Path) -> None:
    done = run_script(repository, BEFORE + FILL + LOG_ON, GITML_ON_ERROR="warn")

    assert (done.returncode, done.stdout) == (0, "trained\n")
    warnings = [line for line in done.stderr.splitlines() if "training continues" in line]
    assert [line.split(":")[0] for line in warnings] == ["log_metric", "log_text", *(
        line.split(":")[0] for line in warnings[2:]
    )]  # each function warns once  # fmt: skip
    assert len({line.split(":")[0] for line in warnings}) == len(warnings)
    check_earlier_run(repository)


def test_wrong_use_is_an_error_even_so(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITML_ON_ERROR", "warn")

    with pytest.raises(gitml.GitmlError, match="not a number"):
        gitml.log_metric("m", "text")  # type: ignore[arg-type]


def test_room_that_is_made_again_is_used(repository: Path) -> None:
    done = run_script(
        repository,
        BEFORE + FILL + "for i in range(2000):\n    gitml.log_metric('m', i, step=i)\n"
        + ROOM_AGAIN + "gitml.log_metric('after', 1)\ngitml.end_run()\n",
        GITML_ON_ERROR="warn",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (run,) = gitml.MlflowClient(repository).search_runs(
        ["Default"], "attributes.run_name = 'later'"
    )
    assert (run.info.status, run.data.metrics["after"]) == ("FINISHED", 1.0)


def on_small_disk(tmp_path: Path, script: str, **environment: str) -> list[str]:
    """Run a script in a repository on a disk of 1 MB that only its process sees."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=1m none {disk}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    inner = (
        f"{mount} && cd {disk} && git init -q -b main project && cd project && "
        "git commit -q --allow-empty -m first && "
        '"$PYTHON" -c "$SCRIPT"; echo "exit $?"; git fsck --no-dangling; '
        "rm -f filler; \"$PYTHON\" -c 'from gitml.cli import main; main()' runs list --json"
        " | tr -d ' \\n'; echo"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", inner],
        capture_output=True, text=True,
        env={**os.environ, "PYTHON": sys.executable, "SCRIPT": script, **environment},
    )  # fmt: skip
    return (done.stdout + done.stderr).splitlines()


FILLER = """
with open("filler", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
print("full", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system of its own")
@pytest.mark.parametrize("on_error", ["raise", "warn"])
def test_a_disk_that_is_really_full(tmp_path: Path, on_error: str) -> None:
    printed = on_small_disk(tmp_path, BEFORE + FILLER + LOG_ON, GITML_ON_ERROR=on_error)

    assert ("trained" in printed) == (on_error == "warn")
    assert f"exit {int(on_error == 'raise')}" in printed
    (listed,) = [line for line in printed if line.startswith("[{")]
    assert '"earlier"' in listed and '"later"' in listed


@pytest.mark.slow
def test_a_full_disk_can_be_read(tmp_path: Path) -> None:
    search = "print(sorted(r.info.run_name for r in gitml.MlflowClient().search_runs(['Default'])))"
    printed = on_small_disk(tmp_path, BEFORE + FILLER + search, GITML_ON_ERROR="warn")

    assert "['earlier', 'later']" in printed


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system read-only")
def test_readonly_repository_is_searched_but_not_written(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project")
    run_script(repository, BEFORE + "gitml.end_run()")
    script = (
        "import gitml\n"
        "client = gitml.MlflowClient()\n"
        "print(sorted(r.info.run_name for r in client.search_runs(['Default'])))\n"
        "try:\n    gitml.start_run()\n"
        "except gitml.GitmlError as error:\n    print(type(error).__name__, error)\n"
    )
    inner = (
        f'mount --bind -r {repository} {repository} && cd {repository} && "$PYTHON" -c "$SCRIPT"'
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", inner],
        capture_output=True, text=True,
        env={**os.environ, "PYTHON": sys.executable, "SCRIPT": script},
    )  # fmt: skip
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("needs the right to mount a file system")

    listed, refused = done.stdout.splitlines()
    assert listed == "['earlier', 'later']"
    assert refused.startswith("StoreError Cannot write to ")
    assert "Read-only file system" in refused
