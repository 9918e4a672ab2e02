"""Every command has one line of help and stands in the README."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from gitml.cli.program import gitml as program

README = (Path(__file__).parents[2] / "README.md").read_text()


def commands(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with what is typed for it."""
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            command_ = command.get_command(context, name)
            assert command_ is not None
            yield from commands(command_, *words, name)


COMMANDS = dict(commands(program, "gitml"))


def test_every_command_has_a_first_line_of_help() -> None:
    first = {text: (command.help or "").splitlines()[:1] for text, command in COMMANDS.items()}

    assert [text for text, line in first.items() if not line or not line[0].endswith(".")] == []


def test_every_command_prints_json() -> None:
    without = {
        text
        for text, command in COMMANDS.items()
        if not any("--json" in option.opts for option in command.params)
    }

    assert without == set()


def test_every_option_has_a_help_or_a_visible_default() -> None:
    silent = [
        f"{text} {option.opts[0]}"
        for text, command in COMMANDS.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help and not option.show_default
    ]

    assert silent == []


def test_every_command_is_in_the_readme() -> None:
    assert [text for text in COMMANDS if text not in README] == []
