"""``gitml registry verify``."""

from __future__ import annotations

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.client import MlflowClient
from gitml.registry import promotion
from gitml.registry.promotion import Verification
from gitml.text import plural

_LISTED = 20


@click.command()
@click.argument("name", required=False)
@as_json
@click.pass_context
def verify(ctx: click.Context, name: str | None, json_: bool) -> None:
    """Replay every tag of the registry, or of the model NAME, and report problems.

    Reports tags that were deleted, moved or inserted, impossible events, gates that do not hold for
    their recorded values, versions with another commit, and signatures that are missing, forged or
    of a signer who is not allowed. The exit code is 1 if there are any. Nothing is changed.
    """
    result = promotion.verify(MlflowClient().registry, name)
    if json_:
        print_json({"holds": result.holds, **_fields(result)})
    else:
        _tell(result)
    if not result.holds:
        ctx.exit(1)


def _fields(result: Verification) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__slots__}


def _tell(result: Verification) -> None:
    for fault in result.faults:
        say(f"{fault.tag}: {fault.problem}. {fault.reason}", colour="red")
    for tag in result.foreign[:_LISTED]:
        talk(f"{tag.tag}: foreign, {tag.reason}")
    if len(result.foreign) > _LISTED:
        talk(f"{plural(len(result.foreign) - _LISTED, 'more foreign tag')}")
    say(
        f"Verified {plural(result.tags, 'tag')} ({result.signed} must be signed) of "
        f"{plural(result.models, 'model')}: {plural(len(result.faults), 'problem')}."
    )
