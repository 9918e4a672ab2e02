"""Groups of commands that answer a wrong name with what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import click

from gitml.errors import InvalidInput

_CLOSE = 0.6  # as difflib measures likeness: 1 for the same word


class CommandGroup(click.Group):
    """A group of commands.

    Attributes:
        synonyms: Names that other programs give to commands: what is typed here for them.
    """

    synonyms: Mapping[str, str] = {
        "add": "create", "describe": "show", "get": "show", "info": "show", "log": "list",
        "ls": "list", "remove": "delete", "rm": "delete", "search": "list", "undelete": "restore",
        "view": "show",
    }  # fmt: skip

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command.

        Raises:
            InvalidInput: There is none of that name; the hint has the one that was probably meant.
        """
        name = args[0] if args else ""
        if not name or name.startswith("-") or self.get_command(ctx, name):
            return super().resolve_command(ctx, args)
        message = f"There is no command {name!r:.40} in `{ctx.command_path}`."
        meant = suggestion(name, self.list_commands(ctx), self.synonyms)
        if meant is None:
            raise InvalidInput(message, hint=f"See `{ctx.command_path} --help`.")
        rest = args[1:2] if " " not in meant and self._has_commands(ctx, meant) else []
        words = " ".join([ctx.command_path, meant, *rest])
        raise InvalidInput(message, hint=f"Did you mean `{words}`?")

    def _has_commands(self, ctx: click.Context, name: str) -> bool:
        return isinstance(self.get_command(ctx, name), click.Group)


def suggestion(name: str, commands: Iterable[str], synonyms: Mapping[str, str]) -> str | None:
    """Return the command that a wrong name probably means; None if nothing is like it."""
    commands = list(commands)
    synonym = synonyms.get(name, "")
    if synonym.split(" ")[0] in commands:
        return synonym
    return next(iter(get_close_matches(name.lower(), commands, 1, _CLOSE)), None)
