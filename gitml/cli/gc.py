"""``gitml gc``."""

from __future__ import annotations

import re

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.errors import InvalidInput
from gitml.maintenance import gc as sweeping
from gitml.maintenance.gc import Report
from gitml.text import format_size, plural
from gitml.tracking.client import TrackingClient

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@click.command()
@click.option("--older-than", default="14d", show_default=True, metavar="AGE",
              help="Keep what was written or used since: 12h, 14d, 2w.")  # fmt: skip
@click.option("--yes", "--apply", "apply", is_flag=True, help="Remove it; else only tell.")
@click.option("--remote", is_flag=True, help="Sweep the shared DVC remote, too; pulls first.")
@click.option("--deleted-runs", is_flag=True,
              help="Let go of the artifacts of runs deleted longer ago than AGE.")  # fmt: skip
@as_json
def gc(older_than: str, apply: bool, remote: bool, deleted_runs: bool, json_: bool) -> None:
    """Remove artifacts that no run and no model version needs.

    Without --yes it only tells what would go. Artifacts of deleted runs stay, so that the runs can
    be restored, unless --deleted-runs is given.
    """
    report = sweeping.sweep(
        TrackingClient().repository,
        apply=apply,
        older_than=seconds(older_than),
        remote=remote,
        deleted_runs=deleted_runs,
    )
    if json_:
        print_json(report)
    else:
        _tell(report)


def seconds(age: str) -> int:
    """Read an age such as ``14d``.

    Raises:
        InvalidInput: It is none.
    """
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", age)
    if not found:
        raise InvalidInput(f"{age!r:.40} is not an age.", hint="Write 12h, 14d or 2w.")
    return int(found[1]) * _UNITS[found[2]]


def _tell(report: Report) -> None:
    for one in report.swept:
        say(f"{one.place}: {plural(one.count, 'object')}, {format_size(one.bytes)}")
    total = sum(one.bytes for one in report.swept)
    objects = sum(one.count for one in report.swept)
    verb = "Removed" if report.removed else "Would remove"
    say(
        f"{verb} {plural(objects, 'object')} ({format_size(total)}); "
        f"{report.kept:,} needed, {report.young:,} too young to go."
    )
    if report.swept and not report.removed:
        talk("Nothing was removed. Type `gitml gc --yes` with the same options to do it.")
