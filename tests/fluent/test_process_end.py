"""However the process ends, the run says how; nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import gitml
import gitml.fluent.session
from gitml.cli.doctor_checks import examine
from tests.conftest import LIMIT, git

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


FILES = """
import gitml, os, sys
gitml.start_run()
for number in range(int(sys.argv[1])):
    gitml.log_text(str(number), f"folder/{number}.txt")
"""


def run_script(repository: Path, code: str, *args: str) -> subprocess.CompletedProcess[str]:
    script = repository.parent / "script.py"
    script.write_text(code)
    return subprocess.run(
        [sys.executable, str(script), *args],
        cwd=repository, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip


def committed(repository: Path) -> list[tuple[str, str, int]]:
    """Name, status and number of artifacts of the runs on the branch, before any command."""
    lines = git(repository, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    runs = []
    for path in lines:
        if path.endswith("/run.json"):
            record = json.loads(git(repository, "show", f"gitml/runs:{path}"))
            listed = path.replace("run.json", "artifacts.json")
            files = json.loads(git(repository, "show", f"gitml/runs:{listed}")) if (
                listed in lines
            ) else []  # fmt: skip
            runs.append((record["run_name"], record["status"], len(files)))
    return sorted(runs)


@pytest.mark.parametrize("count", [1, 4, 5, 50])
@pytest.mark.parametrize(
    ("ending", "status"), [("", "FINISHED"), ("1 / 0", "FAILED"), ("sys.exit(3)", "FAILED")]
)
def test_a_run_with_files_that_ends_with_the_interpreter_is_committed(
    repository: Path, count: int, ending: str, status: str
) -> None:
    done = run_script(repository, FILES + ending, str(count))

    assert "shutdown" not in done.stderr
    assert [run[1:] for run in committed(repository)] == [(status, count)]
    assert list((repository / ".git/gitml/runs").iterdir()) == []


def test_a_folder_that_was_logged_is_committed_when_the_process_ends(repository: Path) -> None:
    folder = repository.parent / "folder"
    for number in range(20):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "file").write_text(str(number))

    done = run_script(
        repository, "import gitml, sys\ngitml.start_run()\ngitml.log_artifacts(sys.argv[1])",
        str(folder),
    )  # fmt: skip

    assert done.stderr == ""
    assert [run[1:] for run in committed(repository)] == [("FINISHED", 20)]


def test_the_reason_of_an_uncaught_exception_is_recorded(repository: Path) -> None:
    status, tags = end_of(repository, "raise ValueError('no column price')")

    assert (status, tags["gitml.error"]) == ("FAILED", "ValueError: no column price")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_runs_of_multiprocessing_children_end_with_them(repository: Path, method: str) -> None:
    done = run_script(
        repository,
        "import gitml, multiprocessing\n"
        "def work(name):\n"
        "    gitml.start_run(run_name=name)\n"
        "    for number in range(6):\n"
        "        gitml.log_text(name, f'{number}.txt')\n"
        "    if name == 'bad':\n"
        "        raise ValueError('no data')\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    children = [context.Process(target=work, args=(name,)) for name in ('good', 'bad')]\n"
        "    [child.start() for child in children]\n"
        "    [child.join() for child in children]\n"
        "    print([child.exitcode for child in children])\n",
    )

    assert done.stdout == "[0, 1]\n"
    assert "atexit" not in done.stderr
    assert committed(repository) == [("bad", "FAILED", 6), ("good", "FINISHED", 6)]
    (bad,) = gitml.MlflowClient(repository).search_runs(["Default"], "status = 'FAILED'")
    if sys.version_info < (3, 13):  # later ones forget the exception before they end
        assert bad.data.tags["gitml.error"] == "ValueError: no data"
    assert "gitml.recovered" not in bad.data.tags


def test_daemon_threads_that_still_log_are_halted_without_a_word(repository: Path) -> None:
    done = run_script(
        repository,
        FILES + "import threading, itertools\n"
        "ready = threading.Barrier(3)\n"
        "run_id = gitml.active_run().info.run_id\n"
        "def log(**where):\n"
        "    for number in itertools.count():\n"
        "        gitml.log_metric('m', number, step=number, **where)\n"
        "        if number == 10:\n"
        "            ready.wait()\n"
        "threading.Thread(target=log, daemon=True).start()\n"
        "threading.Thread(target=log, kwargs={'run_id': run_id}, daemon=True).start()\n"
        "ready.wait()\n",
        "6",
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(run[1:] for run in committed(repository)) == [("FINISHED", 0), ("FINISHED", 6)]


def test_what_a_thread_logs_while_the_run_ends_is_recorded_or_refused(tracked: Path) -> None:
    acknowledged: list[int] = []
    started = threading.Event()

    def log(run_id: str) -> None:
        writer = gitml.fluent.session.session.client().repository.runs.writer(run_id)
        assert writer
        for number in range(10_000_000):
            try:
                writer.journal.metric("m", float(number), step=number, timestamp=1)
            except gitml.GitmlError as error:
                assert "ended by another thread" in str(error)
                return
            acknowledged.append(number)
            started.set()

    with gitml.start_run() as run:
        thread = threading.Thread(target=log, args=(run.info.run_id,))
        thread.start()
        assert started.wait(LIMIT)
    thread.join(LIMIT)

    history = gitml.MlflowClient(tracked).get_metric_history(run.info.run_id, "m")
    assert [point.step for point in history] == acknowledged


def test_sigterm_while_a_run_ends_lets_it_end_first(repository: Path) -> None:
    done = run_script(
        repository,
        "import gitml, os, signal, sys\n"
        "from gitml.files import is_locked\n"
        "from pathlib import Path\n"
        "run = gitml.start_run()\n"
        "gitml.log_text('x', 'notes.txt')\n"
        "lock = Path('.git/gitml/runs', run.info.run_id, 'lock')\n"
        "looked = []\n"
        "def kill(event, arguments):  # at the first file that is opened under the lock\n"
        "    if event == 'open' and not looked:\n"
        "        looked.append(event)\n"
        "        if is_locked(lock):\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "        else:\n"
        "            looked.clear()\n"
        "sys.addaudithook(kill)\n"
        "gitml.end_run()\n"
        "print('not killed')\n",
    )

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")
    assert [run[1:] for run in committed(repository)] == [("FINISHED", 1)]


def test_a_run_that_cannot_be_committed_when_the_process_ends_is_named(repository: Path) -> None:
    done = run_script(
        repository, FILES + "import shutil\nshutil.rmtree('.git/objects')", "1"
    )  # fmt: skip

    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "is not committed yet" in done.stderr


def test_an_interactive_session_outlives_its_exceptions(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-i", "-q"], input=f"{START}\n1 / 0\ngitml.log_metric('after', 2)\n",
        cwd=repository, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip

    assert done.returncode == 0
    assert [run[1:] for run in committed(repository)] == [("FINISHED", 0)]


@pytest.mark.slow
def test_a_run_that_pytest_leaves_open_ends_as_the_tests_do(repository: Path) -> None:
    test = repository / "test_it.py"
    test.write_text("import gitml\ndef test():\n    gitml.log_metric('m', 1)\n    assert not 1\n")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name],
        cwd=repository, capture_output=True, timeout=LIMIT,
    )  # fmt: skip

    assert [run[1:] for run in committed(repository)] == [("FAILED", 0)]


def test_doctor_does_not_call_a_run_failed_that_ended_well(repository: Path) -> None:
    run_script(
        repository,
        "import gitml, os\n"
        "from pathlib import Path\n"
        "run = gitml.start_run()\n"
        "objects = Path('.git/objects')\n"
        "objects.rename('.git/away')\n"
        "try:\n    gitml.end_run()\n"
        "except gitml.GitmlError:\n    pass\n"
        "finally:\n    Path('.git/away').rename(objects)\n"
        "os._exit(0)\n",
    )  # fmt: skip

    findings = [f.message for f in examine(repository) if f.check == "left behind"]

    assert findings == ["1 run that ended but could not be committed, recorded now"]
    assert [run[1:] for run in committed(repository)] == [("FINISHED", 0)]
