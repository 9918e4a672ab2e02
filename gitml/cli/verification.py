"""``gitml registry verify``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from gitml.cli.options import as_json
from gitml.cli.output import print_json, say, talk
from gitml.client import MlflowClient
from gitml.registry import acknowledge as acknowledging, promotion
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.deleted_tags import deleted_tags
from gitml.registry.promotion import Verification
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import slug
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
        if not json_:
            talk("An accident that cannot be undone: `gitml registry acknowledge TAG -m WHY`.")
        ctx.exit(1)


def tell_rejected(rejected: Sequence[RejectedTag]) -> None:
    """Name tags that do not count, and who wrote them."""
    for item in rejected[:_LISTED]:
        talk(f"warning: {item.sentence}")
    if len(rejected) > _LISTED:
        talk(f"warning: {plural(len(rejected) - _LISTED, 'more rejected tag')}.")


def tell_deleted(registry: Registry, name: str | None = None) -> None:
    """Name tags that were sent once and are gone, and how to put them back."""
    for tag in deleted_tags(registry):
        if name is None or tag.model == slug(name):
            talk(f"warning: {tag.sentence}")


def rejected(tags: Iterable[RejectedTag], model: str | None = None) -> list[dict[str, str]]:
    """Return tags that do not count, for JSON; those of a model where one is given."""
    return [
        {"tag": item.tag.name, "problem": item.problem.value, "reason": item.reason,
         "by": f"{item.tag.user} <{item.tag.email}>"}
        for item in tags
        if model is None or item.event.model == slug(model)
    ]  # fmt: skip


@click.command()
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("-m", "--reason", required=True, metavar="WHY", help="Why it is accepted.")
@as_json
def acknowledge(tags: tuple[str, ...], reason: str, json_: bool) -> None:
    """Accept what `gitml registry verify` says of a TAG, such as one that was deleted by accident.

    Adds lines to registry/acknowledged. Commit the file and have it merged: on the default branch
    it counts, and nowhere else. A tag that has no effect still has none.
    """
    path, added = acknowledging.acknowledge(MlflowClient().registry, tags, reason)
    if json_:
        print_json({"file": path, "acknowledged": added})
        return
    for fault in added:
        say(f"{fault.tag}: {fault.problem}, {fault.oid[:12]}")
    say(f"Added to {path}. Commit it and merge it into the default branch, where it counts.")


def _fields(result: Verification) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__slots__}


def _tell(result: Verification) -> None:
    for fault in result.faults:
        say(f"{fault.tag}: {fault.problem}. {fault.reason}", colour="red")
    for item in result.acknowledged:
        talk(f"{item.fault.tag}: {item.fault.problem}, acknowledged: {item.why}")
    for tag in result.foreign[:_LISTED]:
        talk(f"{tag.tag}: foreign, {tag.reason}")
    if len(result.foreign) > _LISTED:
        talk(f"{plural(len(result.foreign) - _LISTED, 'more foreign tag')}")
    say(
        f"Verified {plural(result.tags, 'tag')} ({result.signed} must be signed) of "
        f"{plural(result.models, 'model')}: {plural(len(result.faults), 'problem')}."
    )
