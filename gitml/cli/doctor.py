"""``gitml doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from gitml import config
from gitml.cli.doctor_checks import Finding, Level, examine
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say
from gitml.repository import resolve_path

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command()
@as_json
@click.pass_context
def doctor(ctx: click.Context, json_: bool) -> None:
    """Check git, remotes, DVC and the records; tell the fixes.

    Exits with 1 if there is a problem; warnings are fine.
    """
    found = list(examine(Path(resolve_path(config.environment().tracking_uri or "."))))
    healthy = all(one.level != Level.PROBLEM for one in found)
    if json_:
        print_json({"ok": healthy, "checks": found})
    else:
        for one in found:
            _print(one)
    if not healthy:
        ctx.exit(1)


def _print(found: Finding) -> None:
    colour = _COLOURS[found.level]
    say(f"{found.level.value:<8}{found.check}: {found.message}", colour=colour)
    if found.fix:
        say(f"{'':<8}fix: {found.fix}")
