"""``gitml gc``."""

from __future__ import annotations

import re

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.errors import InvalidInput
from gitml.maintenance.gc import GcReport, collect
from gitml.text import format_size, plural
from gitml.tracking.client import TrackingClient

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_UNIT_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_AGE = re.compile(r"([0-9]{1,6})([smhdw])")


@click.command()
@click.option("--older-than", default="14d", show_default=True, metavar="AGE",
              help="Keep what was written or used since: 12h, 14d, 2w.")  # fmt: skip
@click.option("--yes", "--apply", "apply", is_flag=True, help="Remove it; default: only list it.")
@click.option("--remote", is_flag=True, help="Clean the shared DVC remote, too; pulls first.")
@click.option("--deleted-runs", is_flag=True,
              help="Also remove artifacts of runs deleted longer ago than AGE.")  # fmt: skip
@as_json
def gc(older_than: str, apply: bool, remote: bool, deleted_runs: bool, json_: bool) -> None:
    """Remove artifacts that no run and no model version needs.

    Without --yes it only lists what would be removed. Artifacts of deleted runs stay, so that the
    runs can be restored, unless --deleted-runs is given.
    """
    report = collect(
        TrackingClient().repository,
        apply=apply,
        older_than=seconds(older_than),
        remote=remote,
        deleted_runs=deleted_runs,
    )
    if json_:
        print_json(_document(report))
    else:
        _tell(report, older_than)


def seconds(age: str) -> int:
    """Parse an age such as ``14d``.

    Raises:
        InvalidInput: It is malformed.
    """
    number, unit = _parts(age)
    return number * _UNITS[unit]


def _parts(age: str) -> tuple[int, str]:
    match = _AGE.fullmatch(age)
    if not match:
        raise InvalidInput(f"{age!r:.40} is not a valid age.", hint="Write 12h, 14d or 2w.")
    return int(match[1]), match[2]


def _document(report: GcReport) -> dict[str, object]:
    """Return the report under the names that ``--json`` has always had."""
    return {
        "removed": report.removed,
        "kept": report.in_use,
        "young": report.too_new,
        "swept": [
            {"place": garbage.location, "count": garbage.count, "bytes": garbage.bytes}
            for garbage in report.garbage
        ],
    }


def _tell(report: GcReport, older_than: str) -> None:
    number, unit = _parts(older_than)
    rest = (
        f"{plural(report.in_use, 'object')} in use, "
        f"{report.too_new:,} newer than {plural(number, _UNIT_NAMES[unit])}"
    )
    if not report.garbage:
        say(f"Nothing to remove ({rest}).")
        return
    for garbage in report.garbage:
        say(f"{garbage.location}: {plural(garbage.count, 'object')}, {format_size(garbage.bytes)}")
    total = plural(sum(garbage.count for garbage in report.garbage), "object")
    verb = "Removed" if report.removed else "Would remove"
    say(
        f"{verb} {total}, {format_size(sum(garbage.bytes for garbage in report.garbage))} ({rest})."
    )
    if not report.removed:
        talk("Run `gitml gc --yes` with the same options to remove them.")
