"""The program as a shell sees it: start-up, streams, exit codes, signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gitml.cli import program as entry
from gitml.cli.program import gitml as program
from gitml.version import __version__
from tests.cli.conftest import PROGRAM, Cli, log_run, shell
from tests.conftest import LIMIT, ended

HEAVY = ("git", "dvc", "pandas", "numpy", "rich", "sqlite3", "jinja2", "yaml")


def test_help_loads_no_command_and_no_heavy_library(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from gitml.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print('LOADED', sorted(m for m in sys.modules if m.startswith('gitml.')),"
        f" [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True,
                          text=True, check=True, timeout=LIMIT)  # fmt: skip

    assert done.stdout.splitlines()[-1] == (
        "LOADED ['gitml.cli', 'gitml.cli.groups', 'gitml.cli.program', 'gitml.errors', "
        "'gitml.signals', 'gitml.text', 'gitml.version'] []"
    )
    assert "_GITML_COMPLETE=zsh_source gitml" in done.stdout


@pytest.mark.slow
def test_results_go_to_stdout_and_errors_to_stderr(repository: Path) -> None:
    run_id = log_run(repository)

    listed = shell("runs", "list", "--json", cwd=repository)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert json.loads(listed.stdout)[0]["run_id"] == run_id
    missing = shell("runs", "show", "nobody", cwd=repository)
    assert (missing.returncode, missing.stdout) == (3, "")
    assert missing.stderr == "error: No run 'nobody'.\nhint: See `gitml runs list`.\n"
    wrong = shell("runs", "shw", cwd=repository)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.splitlines()[1] == "hint: Did you mean `gitml runs show`?"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("inti", "gitml init"),
        ("run list", "gitml runs list"),
        ("run", "gitml runs"),
        ("log", "gitml runs list"),
        ("experiment lst", "gitml experiments lst"),
        ("experiments search", "gitml experiments list"),
        ("runs describe", "gitml runs show"),
        ("registry regster", "gitml registry register"),
        ("registry alias rm", "gitml registry alias delete"),
        ("SYNC", "gitml sync"),
        ("models list", "gitml registry list"),
    ],
)
def test_hint_for_a_wrong_command_names_the_probable_command(typed: str, meant: str) -> None:
    result = CliRunner().invoke(program, typed.split(), prog_name="gitml")

    assert result.exit_code == 2
    assert result.stderr.splitlines()[1] == f"hint: Did you mean `{meant}`?"


def test_a_name_that_is_like_no_command_points_to_the_help() -> None:
    result = CliRunner().invoke(program, ["runs", "zzz"], prog_name="gitml")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: There is no command 'zzz' in `gitml runs`.\nhint: See `gitml runs --help`.\n"
    )


def test_closed_pipe_is_not_reported_as_an_error(repository: Path) -> None:
    log_run(repository)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROGRAM, "runs", "list", "--json"], cwd=repository, stdout=write,
                          stderr=subprocess.PIPE, text=True, timeout=LIMIT)  # fmt: skip
    os.close(write)

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_is_reported_in_a_sentence(repository: Path) -> None:
    log_run(repository)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, "runs", "list", "--json"], cwd=repository, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT)  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == "error: No space left on device.\n"


class Broken(entry.Program):
    """The program with one command, which has a bug."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        def fail() -> None:
            raise ZeroDivisionError("by\nzero")

        return click.Command(cmd_name, callback=fail)


def test_unexpected_error_is_a_sentence_or_a_traceback() -> None:
    broken = Broken("gitml", params=program.params)

    result = CliRunner().invoke(broken, ["runs"])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: Unexpected error: ZeroDivisionError: by zero",
        "hint: Run the command with `gitml --debug …` for a traceback.",
    ]
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(broken, ["--debug", "runs"], catch_exceptions=False)


def test_output_escapes_letters_that_the_encoding_lacks(repository: Path) -> None:
    log_run(repository, "a 模型")

    done = shell("runs", "list", cwd=repository, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "a \\u6a21\\u578b" in done.stdout


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("--version").stdout == f"gitml {__version__}\n"


@pytest.mark.parametrize("words", [(), ("runs",), ("registry", "alias")])
def test_command_without_verb_prints_help(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli(*words, code=2)

    assert result.stdout == ""
    assert result.stderr == cli(*words, "--help").stdout


def test_list_of_commands_repeats_the_help_of_each() -> None:
    with click.Context(program) as context:
        for name, (_, line) in entry._COMMANDS.items():
            command = program.get_command(context, name)
            assert command and command.help
            assert command.help.splitlines()[0] == line


def test_shell_completion_knows_the_commands(tmp_path: Path) -> None:
    environment = {
        **os.environ, "_GITML_COMPLETE": "bash_complete", "COMP_WORDS": "gitml re",
        "COMP_CWORD": "1",
    }  # fmt: skip
    done = shell(cwd=tmp_path, env=environment)

    assert done.stdout.splitlines() == ["plain,registry", "plain,remote"]


def test_progress_bar_starts_no_thread() -> None:
    code = (
        "import threading\n"
        "from gitml.cli.progress import progress\n"
        "with progress('Building', unit='pages') as report:\n"
        "    report(1, 2)\n"
        "    print(threading.active_count(), 'thread')\n"
    )
    terminal, end = os.openpty()
    with ended(subprocess.Popen([sys.executable, "-c", code], stdout=end, stderr=end)) as process:
        os.close(end)
        printed = b""
        while part := _read_terminal(terminal):
            printed += part
        assert process.wait(timeout=LIMIT) == 0
    os.close(terminal)
    assert b"Building" in printed and b"1/2" in printed and b"1 thread" in printed


def _read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # how Linux says that nobody is at the other end any more
        return b""
