"""``gitml registry verify``."""

from __future__ import annotations

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.client import MlflowClient
from gitml.registry import promotion
from gitml.registry.promotion import Verification
from gitml.text import plural

_NAMED = 20


@click.command()
@click.argument("name", required=False)
@as_json
@click.pass_context
def verify(ctx: click.Context, name: str | None, json_: bool) -> None:
    """Replay every tag of the registry, or of the model NAME, and say what is wrong.

    Names tags that were deleted, moved or slipped in, events that cannot have happened, gates that
    their recorded values do not meet, versions whose commit is another, and signatures that are
    missing, forged or not of someone allowed. Exits with 1 if there are any. Nothing is changed.
    """
    found = promotion.verify(MlflowClient().registry, name)
    if json_:
        print_json({"holds": found.holds, **_fields(found)})
    else:
        _tell(found)
    if not found.holds:
        ctx.exit(1)


def _fields(found: Verification) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__slots__}


def _tell(found: Verification) -> None:
    for fault in found.faults:
        say(f"{fault.tag}: {fault.problem}. {fault.reason}", colour="red")
    for one in found.foreign[:_NAMED]:
        talk(f"{one.tag}: foreign, {one.reason}")
    if len(found.foreign) > _NAMED:
        talk(f"{plural(len(found.foreign) - _NAMED, 'more foreign tag')}")
    say(
        f"Verified {plural(found.tags, 'tag')} ({found.signed} must be signed) of "
        f"{plural(found.models, 'model')}: {plural(len(found.faults), 'problem')}."
    )
