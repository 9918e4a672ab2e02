"""Commands end at SIGINT and SIGTERM, also where the shell that started them ignores SIGINT."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import gitml
from tests.cli.conftest import PROGRAM, log_run
from tests.conftest import LIMIT, ended, git

pytestmark = pytest.mark.slow

IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")  # as `command &` in a script
SHELLS = pytest.mark.parametrize("shell", [(), IN_BACKGROUND], ids=["foreground", "background"])


@contextmanager
def started(
    *command: str, folder: Path, start_new_session: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Start a process in a folder; it is killed where the test leaves it running."""
    process: subprocess.Popen[str] = subprocess.Popen(
        command,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=start_new_session,
    )
    with ended(process):
        yield process


def end(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    """Send a signal; returns the exit code and what is left on stdout and stderr."""
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err.strip()


@SHELLS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", [("ui", "--no-open"), ("site", "serve")])
def test_server_ends_by_signal(
    repository: Path, shell: tuple[str, ...], command: tuple[str, ...], number: int, code: int
) -> None:
    log_run(repository)
    if command == ("site", "serve"):
        built = subprocess.run(
            [*PROGRAM, "site", "build"], cwd=repository, capture_output=True, timeout=LIMIT
        )
        assert built.returncode == 0
    with started(*shell, *PROGRAM, *command, folder=repository) as process:
        assert process.stdout and process.stdout.readline().startswith("http://127.0.0.1:")
        returned, out, err = end(process, number)

    assert (returned, out) == (code, "")
    assert "Traceback" not in err


@SHELLS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_command_and_its_git_end_by_signal(
    repository: Path, shell: tuple[str, ...], number: int, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LIMIT)
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/never"
        git(repository, "remote", "add", "origin", url)
        with started(*shell, *PROGRAM, "pull", folder=repository) as process:
            connection, _ = silent.accept()  # git waits for an answer now
            with connection:
                connection.settimeout(LIMIT)
                assert end(process, number) == (code, "", "")
                while connection.recv(1024):  # until git has closed its end
                    pass


@SHELLS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_build_leaves_nothing_beside_the_site(
    repository: Path, shell: tuple[str, ...], number: int, code: int
) -> None:
    log_run(repository)
    before = sorted(repository.iterdir())
    script = (
        "import os, signal\n"
        "from gitml.cli import main\n"
        "from gitml.publishing import dashboard\n"
        "from gitml.site.output import folder, workers\n"
        "workers._processors = lambda: 3\n"
        "def work():\n"
        "    os.write(1, b'working\\n')\n"
        "def build_site(repository, output, **options):\n"
        "    with folder.Output(folder=output) as out:\n"
        "        out.write('half.html', b'half')\n"
        "        with workers.run([workers.Task(seconds=1, work=work)] * 2):\n"
        "            signal.pause()\n"
        "dashboard.build_site = build_site\n"
        "main(['site', 'build'])\n"
    )
    command = (*shell, sys.executable, "-c", script)
    with started(*command, folder=repository, start_new_session=True) as process:
        assert process.stdout and process.stdout.readline() == "working\n"
        os.killpg(process.pid, number)  # as a terminal and systemd do: the workers get it, too
        _, err = process.communicate(timeout=LIMIT)

    assert (process.returncode, err.strip()) == (code, "")
    assert sorted(repository.iterdir()) == before


@SHELLS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_demo_ends_its_scripts(
    tmp_path: Path, shell: tuple[str, ...], number: int, code: int
) -> None:
    os.mkfifo(tmp_path / "ready")
    endless = (
        "import signal, gitml\n"
        "with gitml.start_run(), open('../ready', 'w') as ready:\n"
        "    print('ready', file=ready, flush=True)\n"
        "    signal.pause()\n"
    )
    script = (
        "from gitml.demo import scripts, story\n"
        f"write = lambda d: (d.folder / 'endless.py').write_text({endless!r})\n"
        "endless = scripts.Script(name='endless.py', args=())\n"
        "train = lambda d: scripts.run(d.folder, d.report, endless)\n"
        "story._check_installed = lambda: None\n"
        "story._STEPS = {'write': write, 'train': train}\n"
        "from gitml.cli import main\n"
        "main(['demo', 'trial'])\n"
    )
    with (
        started(*shell, sys.executable, "-c", script, folder=tmp_path) as process,
        open(tmp_path / "ready") as ready,
    ):
        assert ready.readline() == "ready\n"
        assert end(process, number)[0] == code
        assert ready.read() == ""  # its end: nobody holds the pipe any more

    (run,) = gitml.MlflowClient(tmp_path / "trial").search_runs(["Default"])
    assert (run.info.status, "gitml.recovered" in run.data.tags) == ("KILLED", False)
