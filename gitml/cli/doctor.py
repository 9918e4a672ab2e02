"""``gitml doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from gitml import config
from gitml.cli.doctor_checks import examine
from gitml.cli.findings import Finding, Level
from gitml.cli.options import as_json
from gitml.cli.output import print_json, say
from gitml.repository import resolve_path

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command()
@as_json
@click.pass_context
def doctor(ctx: click.Context, json_: bool) -> None:
    """Check git, remotes, DVC and the records, and suggest fixes.

    The exit code is 1 if there is a problem; warnings do not count.
    """
    findings = list(examine(Path(resolve_path(config.environment().tracking_uri or "."))))
    healthy = all(finding.level != Level.PROBLEM for finding in findings)
    if json_:
        print_json({"ok": healthy, "checks": findings})
    else:
        for finding in findings:
            _print(finding)
    if not healthy:
        ctx.exit(1)


def _print(finding: Finding) -> None:
    colour = _COLOURS[finding.level]
    say(f"{finding.level.value:<8}{finding.check}: {finding.message}", colour=colour)
    if finding.fix:
        say(f"{'':<8}fix: {finding.fix}")
