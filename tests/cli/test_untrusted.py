"""Names that anybody can push are shown as what they are, not obeyed."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

import gitml
from tests.cli.conftest import PROGRAM, Cli, loaded, log_model, log_run
from tests.conftest import LIMIT, ended

NAMES = ["[red]x[/red]", "[link=https://evil.example]x[/link]", "🚀 :rocket:", "a\u202eb\u200fc"]


def pushed_by_somebody(folder: Path, run_id: str, name: str) -> None:
    """Put a name into a run's record that the API would have refused."""
    branch = gitml.MlflowClient(folder).repository.branch
    path = f"runs/house/{run_id[:2]}/{run_id}/run.json"
    record = branch.read(path)
    assert record
    new = record.replace(b"first", name.encode("unicode_escape").replace(b"\\x", b"\\u00"))
    branch.update(lambda _: ({path: new}, "somebody's\n"))


def on_terminal(folder: Path, *args: str) -> str:
    """What a command writes to a terminal 100 columns wide."""
    terminal, end = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    command = subprocess.Popen([*PROGRAM, *args], cwd=folder, stdout=end, stderr=end,
                               stdin=subprocess.DEVNULL, env=environment)  # fmt: skip
    with ended(command) as process:
        os.close(end)
        data = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            data += part
        assert process.wait(timeout=LIMIT) == 0, data
    os.close(terminal)
    return data.decode()


@pytest.mark.parametrize("name", NAMES)
def test_names_with_markup_and_emoji_are_printed_unchanged(
    cli: Cli, repository: Path, name: str
) -> None:
    log_run(repository, name)

    escaped = name.replace("\u202e", "\\u202e").replace("\u200f", "\\u200f")
    assert escaped in cli("runs", "list").stdout
    assert f"{escaped}\n" in cli("runs", "show", name).stdout
    assert loaded(cli("runs", "list", "--json"))[0]["run_name"] == name
    assert "\u202e" not in cli("runs", "list", "--json").stdout


def test_escape_sequences_in_a_pushed_record_do_not_reach_the_output(
    cli: Cli, repository: Path
) -> None:
    run_id = log_run(repository)
    pushed_by_somebody(repository, run_id, "\x1b]0;owned\x07\x1b[2J")

    for args in (("list",), ("show", run_id), ("list", "--json"), ("show", run_id, "--json")):
        output = cli("runs", *args).output
        assert "\x1b" not in output and "\x07" not in output
        assert "owned" in output


def test_table_fits_the_terminal_and_escapes_names(repository: Path) -> None:
    log_run(repository, "[red]x[/red] " + "long " * 40)
    run_id = log_run(repository, "first")
    pushed_by_somebody(repository, run_id, "\x1b[2J")

    text = on_terminal(repository, "runs", "list")
    lines = text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[32m", "").split("\r\n")
    assert "\x1b" not in "".join(lines)
    assert len(lines) == 4 and all(len(line) <= 100 for line in lines)
    assert "[red]x[/red]" in text and "\\x1b[2J" in text and run_id[:8] in text
    assert run_id not in text


def test_a_models_texts_are_inert(cli: Cli, repository: Path) -> None:
    uri = log_model(repository, log_run(repository))
    client = gitml.MlflowClient(repository)
    client.create_registered_model("[b]Price[b]", description="\x1b[31mred\u202e")
    cli("registry", "register", uri, "[b]Price[b]", "-m", "\x1b[31mred")
    cli("registry", "transition", "[b]Price[b]", "1", "Staging", "-m", "\x1b[31mwhy")

    for args in (("list",), ("show", "[b]Price[b]"), ("show", "[b]Price[b]", "1"),
                 ("history", "[b]Price[b]")):  # fmt: skip
        output = cli("registry", *args).output
        assert "\x1b" not in output and "\u202e" not in output
        assert "[b]Price[b]" in output or "why" in output
