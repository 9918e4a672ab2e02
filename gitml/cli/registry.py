"""``gitml registry``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from gitml.cli import blame, lookup, promotion, verification
from gitml.cli.cells import Identifier, When, pairs
from gitml.cli.groups import CommandGroup
from gitml.cli.options import as_json, key_values
from gitml.cli.output import facts, heading, print_json, say, table
from gitml.client import MlflowClient
from gitml.entities import ModelEvent, ModelVersion, RegisteredModel
from gitml.query.gates import Verdict
from gitml.registry import registration
from gitml.registry.ancestry import Lineage
from gitml.registry.tags.stage_history import by_stage, people_of, stage_entry

_reason = click.option("-m", "--reason", default="", metavar="WHY", help="Recorded in the git tag.")


@click.group(cls=CommandGroup)
def registry() -> None:
    """Register models, move them through stages and show their history."""


@registry.command("list")
@as_json
def list_command(json_: bool) -> None:
    """List the registered models."""
    client = MlflowClient()
    models = client.search_registered_models(max_results=None)
    rejected = client.registry.view().rejected
    if json_:
        print_json(
            [
                {**dict(model), "rejected": verification.rejected(rejected, model.name)}
                for model in models
            ]
        )
        return
    table(
        ("MODEL", "LATEST", "PRODUCTION", "STAGING", "ALIASES", "UPDATED", "DESCRIPTION"),
        [
            (
                model.name,
                max((version.version for version in model.latest_versions), default=None),
                _in_stage(model, "Production"),
                _in_stage(model, "Staging"),
                pairs(model.aliases),
                When(model.last_updated_timestamp),
                model.description,
            )
            for model in models
        ],
        empty="No registered models.",
    )
    verification.tell_rejected(rejected)
    verification.tell_deleted(client.registry)


def _in_stage(model: RegisteredModel, stage: str) -> int | None:
    versions = (
        version.version for version in model.latest_versions if version.current_stage == stage
    )
    return next(versions, None)


@registry.command()
@click.argument("name")
@click.argument("version", required=False)
@as_json
def show(name: str, version: str | None, json_: bool) -> None:
    """Show a model with its versions, or one version of it."""
    client = MlflowClient()
    if version is not None:
        _show_version(client.get_model_version_lineage(name, version), json_)
        return
    model = client.get_registered_model(name)
    versions = client.registry.model_versions(model.name)
    rejected = client.registry.view(model.name).rejected_of(model.name)
    versions.sort(key=lambda version: -version.version)
    if json_:
        stages = by_stage(client.model_history(name))
        document = {**dict(model), "versions": versions, "stages": stages}
        print_json({**document, "rejected": verification.rejected(rejected)})
    else:
        _print_model(model, versions)
        verification.tell_rejected(rejected)
        verification.tell_deleted(client.registry, model.name)


def _print_model(model: RegisteredModel, versions: list[ModelVersion]) -> None:
    facts([
        ("Model", model.name),
        ("Description", model.description),
        ("Tags", pairs(model.tags)),
        ("Created", When(model.creation_timestamp)),
        ("Updated", When(model.last_updated_timestamp)),
    ])  # fmt: skip
    heading("Versions")
    table(
        ("VERSION", "STAGE", "ALIASES", "REGISTERED", "BY", "SOURCE"),
        [
            (
                version.version,
                version.current_stage,
                ", ".join(version.aliases),
                When(version.creation_timestamp),
                version.user_id,
                version.source,
            )
            for version in versions
        ],
        empty="No versions.",
    )


def _show_version(lineage: Lineage, json_: bool) -> None:
    version = lineage.version
    if json_:
        document = blame.document(lineage)
        del document["version"]
        print_json({**dict(version), "stages": document.pop("stages"), "lineage": document})
        return
    facts([
        ("Model", version.name),
        ("Version", version.version),
        ("Stage", version.current_stage),
        *blame.placement(lineage),
        ("Aliases", ", ".join(version.aliases)),
        ("Description", version.description),
        ("Tags", pairs(version.tags)),
        ("Registered", When(version.creation_timestamp)),
        ("By", version.user_id),
        ("Source", version.source),
        ("Digest", Identifier(version.digest)),
        ("Commit", Identifier(version.commit)),
        *blame.origin(lineage),
    ])  # fmt: skip
    if lineage.judged:
        stage, judged = lineage.judged
        heading(f"Gates of {stage}{', forced' if judged.forced else ''}")
        table(
            ("GATE", "MEASURED", "HOLDS", "NOTE"),
            [(gate.gate, gate.measured, gate.holds, gate.note) for gate in judged.gates],
            empty="No gates.",
        )
    if lineage.stages:
        heading("Stages")
        table(
            ("STAGE", "FROM", "TO", "GATES", "APPROVED BY", "WHY"),
            [
                (stage, When(entry.timestamp), When(entry.until) if entry.until else "",
                 _gate_summary(entry.gates, entry.forced), ", ".join(entry.approved_by),
                 entry.reason)
                for stage, entered in lineage.stages.items()
                for entry in entered
            ],
            empty="It was in no stage.",
        )  # fmt: skip


def _gate_summary(gates: Sequence[Verdict], forced: bool) -> str:
    passed = sum(gate.holds for gate in gates)
    summary = f"{passed} of {len(gates)} hold" if gates else ""
    return f"{summary}, forced" if forced and summary else "forced" if forced else summary


@registry.command()
@click.argument("uri", metavar="RUN_OR_URI")
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the version.")
@click.option(
    "-m",
    "--description",
    default="",
    metavar="TEXT",
    help="Description of the version, in Markdown.",
)
@as_json
def register(uri: str, name: str, tags: tuple[str, ...], description: str, json_: bool) -> None:
    """Register a logged model as the next version of NAME.

    RUN_OR_URI is a run with one model: its id, its first digits, or its name; or a URI such as
    runs:/<run>/<path>, as `gitml runs show` lists the models of a run. The registered model is
    created if it does not exist.
    """
    labels = key_values(tags)
    client = MlflowClient()
    model_uri = lookup.model_uri(client, uri)
    version = registration.register(client, model_uri, name, tags=labels, description=description)
    _tell(version, json_, f"Registered {version.name} version {version.version}.")


@registry.command()
@click.argument("name")
@click.argument("version")
@click.argument("stage")
@_reason
@click.option("--archive-existing", is_flag=True, help="Archive the versions in that stage.")
@click.option("--force", is_flag=True, help="Ignore failing gates; needs -m and is recorded.")
@as_json
def transition(
    name: str,
    version: str,
    stage: str,
    reason: str,
    archive_existing: bool,
    force: bool,
    json_: bool,
) -> None:
    """Move a version to a stage: None, Staging, Production or Archived.

    The gates that registry/NAME.yaml declares for the stage must hold; else the exit code is 4.
    """
    moved = MlflowClient().transition_model_version_stage(
        name, version, stage, archive_existing, reason, force
    )
    _tell(moved, json_, f"{moved.name} version {moved.version} is in {moved.current_stage}.")


def _tell(version: ModelVersion, json_: bool, sentence: str) -> None:
    if json_:
        print_json(version)
    else:
        say(sentence)


@registry.group(cls=CommandGroup)
def alias() -> None:
    """Set and remove names such as `champion` for versions."""


@alias.command("set")
@click.argument("name")
@click.argument("alias")
@click.argument("version")
@_reason
@as_json
def set_(name: str, alias: str, version: str, reason: str, json_: bool) -> None:
    """Point an alias to a version."""
    client = MlflowClient()
    client.set_registered_model_alias(name, alias, version, reason)
    _tell_aliases(client, name, json_)


@alias.command()
@click.argument("name")
@click.argument("alias")
@_reason
@as_json
def delete(name: str, alias: str, reason: str, json_: bool) -> None:
    """Remove an alias."""
    client = MlflowClient()
    client.delete_registered_model_alias(name, alias, reason)
    _tell_aliases(client, name, json_)


def _tell_aliases(client: MlflowClient, name: str, json_: bool) -> None:
    aliases: Mapping[str, int] = client.get_registered_model(name).aliases
    if json_:
        print_json({"name": name, "aliases": aliases})
    else:
        table(("ALIAS", "VERSION"), list(aliases.items()), empty="No aliases.")


@registry.command()
@click.argument("name")
@click.option("--edits", is_flag=True, help="Include edits of descriptions and tags.")
@as_json
def history(name: str, edits: bool, json_: bool) -> None:
    """Show who changed what, when and why, oldest first."""
    client = MlflowClient()
    events = client.model_history(name, edits=edits)
    if json_:
        print_json(events)
        return
    table(
        ("WHEN", "WHAT", "WHY", "WHO"),
        [(When(event.timestamp), _what(event), event.reason, people_of(event)) for event in events],
        empty="Nothing happened yet.",
    )
    verification.tell_rejected(client.registry.view(name).rejected_of(name))


def _what(event: ModelEvent) -> str:
    entry = stage_entry(event, event.version or 0)
    passed = sum(gate.holds for gate in entry.gates)
    remarks = [f"{passed} of {len(entry.gates)} gates hold"] if entry.gates else []
    remarks += ["forced past its gates"] if entry.forced else []
    remarks += [f"approved by {', '.join(entry.approved_by)}"] if entry.approved_by else []
    remark = f" ({', '.join(remarks)})" if remarks else ""
    return event.message.removeprefix(f"{event.model} ") + remark


for _command in (
    promotion.check,
    promotion.show_report,
    promotion.propose,
    promotion.apply,
    promotion.release,
    promotion.rollback,
    verification.verify,
    verification.acknowledge,
):
    registry.add_command(_command)
