"""``gitml fsck``."""

from __future__ import annotations

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.maintenance import fsck as checks
from gitml.maintenance.fsck import FsckReport
from gitml.text import plural
from gitml.tracking.client import TrackingClient

_LISTED = 20  # foreign paths


@click.command()
@click.option("--repair", is_flag=True, help="Rebuild what can be derived.")
@click.option("--remote", is_flag=True, help="Also look for every artifact in the DVC remote.")
@as_json
@click.pass_context
def fsck(ctx: click.Context, repair: bool, remote: bool, json_: bool) -> None:
    """Check records, artifacts, tags and local state, and repair them.

    The exit code is 1 if problems remain.
    """
    repository = TrackingClient().repository
    work = checks.repair if repair else checks.check
    report = work(repository, remote=remote)
    if json_:
        print_json(report)
    else:
        _tell(report)
    if report.faults:
        ctx.exit(1)


def _tell(report: FsckReport) -> None:
    for line in report.repaired:
        say(line)
    for fault in report.faults:
        say(f"{fault.place}: {fault.reason}", colour="red")
        say(f"  fix: {fault.fix}")
    for path in report.foreign[:_LISTED]:
        talk(f"{path}: does not belong to gitml, left alone")
    if len(report.foreign) > _LISTED:
        talk(f"{plural(len(report.foreign) - _LISTED, 'more path')} that do not belong to gitml")
    say(
        f"Checked {plural(report.runs, 'run')}, {plural(report.files, 'file')} of the branch, "
        f"{plural(report.objects, 'artifact object')}, {plural(report.tags, 'model tag')}: "
        f"{plural(len(report.faults), 'problem')}."
    )
