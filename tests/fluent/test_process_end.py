"""However the process ends, the run says how; nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from tests.conftest import git

START = "import gitml, os, sys, signal\nrun = gitml.start_run()\ngitml.log_metric('m', 1)\n"


def end_of(repository: Path, ending: str, *, start: str = START) -> tuple[str, dict[str, str]]:
    """Run a script and return its run's status and tags."""
    script = repository.parent / "script.py"
    script.write_text(start + ending)
    subprocess.run([sys.executable, str(script)], cwd=repository, capture_output=True, timeout=60)
    (run,) = gitml.MlflowClient(repository).search_runs(["Default"])
    return run.info.status, run.data.tags


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", "FINISHED"),
        ("sys.exit()", "FINISHED"),
        ("sys.exit(0)", "FINISHED"),
        ("try:\n    sys.exit(3)\nexcept SystemExit:\n    pass", "FINISHED"),
        ("1 / 0", "FAILED"),
        ("sys.exit(1)", "FAILED"),
        ("sys.exit('no data')", "FAILED"),
        ("raise SystemExit(2)", "FAILED"),
        ("exit(4)", "FAILED"),
        ("def main():\n    sys.exit(5)\nmain()", "FAILED"),
        ("raise KeyboardInterrupt", "KILLED"),
        ("os.kill(os.getpid(), signal.SIGINT)", "KILLED"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "KILLED"),
    ],
)
def test_run_status_reflects_how_the_process_ended(
    repository: Path, ending: str, status: str
) -> None:
    actual, tags = end_of(repository, ending)

    assert actual == status
    assert "gitml.recovered" not in tags


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"])
def test_a_run_whose_process_just_vanished_is_recovered_as_failed(
    repository: Path, ending: str
) -> None:
    status, tags = end_of(repository, ending)

    assert (status, tags["gitml.recovered"]) == ("FAILED", "true")
    (run,) = gitml.MlflowClient(repository).search_runs(["Default"])
    assert run.data.metrics == {"m": 1.0}
    assert list((repository / ".git" / "gitml" / "runs").iterdir()) == []
    assert git(repository, "fsck") == ""


def test_sigterm_still_ends_the_process_with_its_own_code(repository: Path) -> None:
    script = START + "os.kill(os.getpid(), signal.SIGTERM)\n"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, timeout=120
    )

    assert done.returncode == -signal.SIGTERM


def test_signal_handler_of_the_program_stays(repository: Path) -> None:
    script = (
        "import signal\nmine = lambda *_: None\nsignal.signal(signal.SIGTERM, mine)\n"
        + START
        + "assert signal.getsignal(signal.SIGTERM) is mine\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, timeout=120
    )

    assert done.returncode == 0, done.stderr


def test_a_forked_child_does_not_end_its_parents_run(repository: Path) -> None:
    status, _ = end_of(
        repository,
        "pid = os.fork()\n"
        "if pid == 0:\n    sys.exit(1)\n"
        "os.waitpid(pid, 0)\ngitml.log_metric('after', 2)\n",
    )

    assert status == "FINISHED"
    (run,) = gitml.MlflowClient(repository).search_runs(["Default"])
    assert run.data.metrics == {"m": 1.0, "after": 2.0}


def test_acknowledged_metrics_survive_a_kill(repository: Path) -> None:
    script = (
        "import gitml, sys\n"
        "gitml.start_run()\n"
        "i = 0\n"
        "while True:\n"
        "    gitml.log_metric('m', i, step=i)\n"
        "    print(i, flush=True)\n"
        "    i += 1\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 200:
            break
    process.kill()
    acknowledged = [int(line) for line in process.stdout.read().split()]
    process.wait(timeout=120)
    process.stdout.close()

    client = gitml.MlflowClient(repository)
    (run,) = client.search_runs(["Default"])
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "m")]
    assert steps[: max([200, *acknowledged]) + 1] == list(range(max([200, *acknowledged]) + 1))


def test_several_processes_log_to_a_run(tracked: Path) -> None:
    script = (
        "import gitml, sys\n"
        "with gitml.start_run(run_id=sys.argv[1]):\n"
        "    for i in range(50):\n"
        "        gitml.log_metric('worker ' + sys.argv[2], i, step=i)\n"
    )
    with gitml.start_run() as run:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", script, run.info.run_id, str(number)], cwd=tracked
            )
            for number in range(3)
        ]
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
        gitml.log_metric("mine", 1)

    logged = gitml.get_run(run.info.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics == {f"worker {n}": 49.0 for n in range(3)} | {"mine": 1.0}
    assert {summary.count for summary in logged.data.summaries.values()} == {50, 1}
    assert list((tracked / ".git" / "gitml" / "runs").iterdir()) == []


@pytest.mark.slow
def test_processes_write_runs_concurrently(repository: Path) -> None:
    script = (
        "import gitml\n"
        "for i in range(5):\n"
        "    with gitml.start_run():\n"
        "        gitml.log_metric('m', i)\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", script], cwd=repository) for _ in range(4)]
    assert [worker.wait(timeout=120) for worker in workers] == [0] * 4

    runs = gitml.MlflowClient(repository).search_runs(["Default"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 20
    assert git(repository, "fsck") == ""


def test_the_run_of_the_environment_is_resumed(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gitml.start_run() as run:
        pass
    script = "import gitml\nwith gitml.start_run():\n    gitml.log_metric('more', 1)\n"
    environment = {**os.environ, "GITML_RUN_ID": run.info.run_id}
    subprocess.run(
        [sys.executable, "-c", script], cwd=tracked, env=environment, check=True, timeout=120
    )

    assert gitml.get_run(run.info.run_id).data.metrics == {"more": 1.0}
