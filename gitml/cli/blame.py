"""``gitml blame``: where a model comes from, and what came of a commit or a dataset."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click

from gitml.cli.cells import Cell, Identifier, When, pairs
from gitml.cli.options import as_json
from gitml.cli.output import facts, print_json, say, table, talk
from gitml.cli.run_details import summary
from gitml.client import MlflowClient
from gitml.entities import ModelVersion, RunStatus
from gitml.registry.ancestry import Lineage, LineageCommit
from gitml.registry.descendants import Descendants, Descent
from gitml.registry.lineage import blame as trace
from gitml.registry.tags.stage_history import StageEntry
from gitml.text import plural

_LISTED = 15  # runs, datasets, metrics or params: what fits on a screen


@click.command()
@click.argument("what", metavar="WHAT")
@as_json
def blame(what: str, json_: bool) -> None:
    """Trace a model to its run, code and data, or these to live models.

    WHAT is models:/NAME/STAGE, models:/NAME/VERSION or models:/NAME@ALIAS; or the first digits of a
    commit, of a dataset's digest or of a run id.
    """
    result = trace(MlflowClient().repository, what)
    if json_:
        print_json(
            document(result) if isinstance(result, Lineage) else _descendants_document(result)
        )
    elif isinstance(result, Lineage):
        facts(_ancestry(result))
    else:
        _print_descendants(result)


# Back from a version ----------------------------------------------------------------------------


def document(lineage: Lineage) -> dict[str, Any]:
    """Return a version's lineage for ``--json``; times are ms since the Unix epoch."""
    run, parent = lineage.run, lineage.parent
    fields = dict(lineage)
    fields["parent"] = dict(parent.info) if parent else None
    fields["entered"] = lineage.entered
    fields["run"] = None
    if run:
        fields["run"] = {
            **summary(run, lineage.experiment),
            "source": run.source,
            "inputs": run.inputs.dataset_inputs,
            "models": run.outputs.model_outputs,
        }
    return fields


def _ancestry(lineage: Lineage) -> Iterator[tuple[str, Cell]]:
    version = lineage.version
    yield "Model", f"{version.name} version {version.version}"
    yield "Stage", version.current_stage
    yield from placement(lineage)
    if lineage.judged:
        yield from _gates(*lineage.judged)
    yield "Aliases", ", ".join(version.aliases)
    yield "Registered", When(version.creation_timestamp)
    yield "Registered by", version.user_id
    yield from origin(lineage)
    if lineage.previous:
        name = shlex.quote(version.name)
        yield "Go back", f"gitml registry rollback {name} {version.current_stage} -m WHY"
    if version.source:
        uri = shlex.quote(f"models:/{version.name}/{version.version}")
        yield "Its files", f"gitml artifacts download {uri}"


def placement(lineage: Lineage) -> Iterator[tuple[str, Cell]]:
    """List who put a version into its stage, when, why, and which version it replaced."""
    entry = lineage.entered
    if entry is None:
        return
    source = f" (from {entry.approvals_from})" if entry.approvals_from else ""
    yield "Since", When(entry.timestamp)
    yield "Moved by", entry.people
    yield "Reason", entry.reason
    yield "Approved by", ", ".join(entry.approved_by) + source if entry.approved_by else None
    yield "Merged by", entry.merged_by
    yield "Pull request", entry.pull_request
    yield "Merge commit", Identifier(entry.merge_commit)
    yield "Tag", entry.tag
    yield "Before it", f"version {lineage.previous}" if lineage.previous else None


def _gates(stage: str, entry: StageEntry) -> Iterator[tuple[str, Cell]]:
    title = f"Gate of {stage}"
    for gate in entry.gates:
        yield title, f"{'holds' if gate.holds else 'FAILS'}: {gate.gate} ({gate.measured})"
    if entry.forced:
        yield title, "bypassed with --force"


def origin(lineage: Lineage) -> Iterator[tuple[str, Cell]]:
    """List what a version was made from: its run, code, data, parent run and environment."""
    run, version = lineage.run, lineage.version
    if run is None:
        missing = f"{version.run_id} is not in this clone, or is unreadable"
        yield "Run", missing if version.run_id else None
    else:
        ended = "" if run.info.status == RunStatus.FINISHED else f", {run.info.status}"
        yield "Run", f"{run.info.run_id} {run.info.run_name}{ended}"
        yield "Experiment", lineage.experiment
        yield "Trained", When(run.info.start_time)
        yield "Trained by", run.info.user_id
        yield "Command", shlex.join(run.source.command)
        yield "Metrics", _first_pairs(run.data.metrics)
        yield "Params", _first_pairs(run.data.params)
        for data in run.inputs.dataset_inputs[:_LISTED]:
            yield "Data", f"{data.digest} {data.name}{f', {data.context}' if data.context else ''}"
    branch = f", on {run.source.branch}" if run and run.source.branch else ""
    yield "Code", f"{_commit(lineage.code)}{branch}" if lineage.code else None
    if run and run.source.dirty:
        yield "Not committed", _patch(lineage)
    if run and run.parent_run_id:
        yield (
            "Parent run",
            f"{run.parent_run_id} {lineage.parent.info.run_name if lineage.parent else ''}",
        )
    if lineage.requirements:
        packages = plural(lineage.requirements.count, "package")
        python = f"Python {run.source.python}, " if run and run.source.python else ""
        yield "Environment", f"{python}{packages}: {_show(lineage.requirements.at)}"


def _first_pairs(values: Mapping[str, object]) -> str:
    first = dict(sorted(values.items())[:_LISTED])
    more = len(values) - len(first)
    return pairs(first) + (f" and {more} more" if more else "")


def _commit(commit: LineageCommit) -> str:
    return f"{commit.id} {commit.subject or 'is not in this clone'}"


def _patch(lineage: Lineage) -> str:
    if lineage.patch is None:
        return "changes that were not recorded"
    return f"{plural(lineage.patch.count, 'file')}: {_show(lineage.patch.at)}"


def _show(object_name: str) -> str:
    return f"git show {shlex.quote(object_name)}"


# Forward from code, data or a run ---------------------------------------------------------------


def _descendants_document(descendants: Descendants) -> dict[str, Any]:
    runs = [
        {**summary(descent.run, descent.experiment), "versions": descent.versions}
        for descent in descendants.runs
    ]
    return {**dict(descendants), "runs": runs}


def _print_descendants(descendants: Descendants) -> None:
    names = ", ".join(descendants.names)
    say(f"{descendants.origin.capitalize()} {descendants.id} {names}".rstrip())
    versions = (version for descent in descendants.runs for version in descent.versions)
    live = list(filter(None, map(_live, versions)))
    say(f"Live: {', '.join(live)}" if live else "No version of it is live.")
    click.echo()
    table(
        ("RUN", "NAME", "EXPERIMENT", "STATUS", "STARTED", "METRICS", "VERSIONS"),
        [_descent(descent) for descent in descendants.runs[:_LISTED]],
        empty="No runs.",
    )
    more = len(descendants.runs) - _LISTED
    if more > 0:
        talk(f"{plural(more, 'more run')}; --json lists all.")


def _descent(descent: Descent) -> tuple[Cell, ...]:
    info = descent.run.info
    return (
        Identifier(info.run_id),
        info.run_name,
        descent.experiment,
        "deleted" if info.lifecycle_stage == "deleted" else info.status,
        When(info.start_time),
        pairs(descent.run.data.metrics),
        ", ".join(f"{version.name} {version.version}" for version in descent.versions),
    )


def _live(version: ModelVersion) -> str:
    """Return the stage and the aliases of a version; empty if it is not live."""
    stage = [] if version.current_stage in ("None", "Archived") else [version.current_stage]
    names = [*stage, *(f"@{alias}" for alias in version.aliases)]
    return f"{version.name} {version.version} ({', '.join(names)})" if names else ""
