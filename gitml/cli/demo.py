"""``gitml demo``."""

from __future__ import annotations

from pathlib import Path

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.demo.story import run_demo
from gitml.text import plural


@click.command()
@click.argument("folder", metavar="[DIR]", default="gitml-demo", type=click.Path(path_type=Path))
@as_json
def demo(folder: Path, json_: bool) -> None:
    """Create a repository with scripts, runs, a model and a dashboard to try out.

    Creates a git repository in DIR (default: gitml-demo) with training scripts to read and change,
    their runs, a registered model and the dashboard. A second call finishes an interrupted demo.
    """
    result = run_demo(folder, report=talk)
    if json_:
        print_json(result)
        return
    say(f"{plural(result.runs, 'run')} in {result.folder}")
    say(f"Open {result.site}")
    say("Next:")
    for command in result.commands:
        say(f"  {command}")
