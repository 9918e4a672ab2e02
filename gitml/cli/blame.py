"""``gitml blame``: where a model comes from, and what came of a commit or a data set."""

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
from gitml.registry import lineage
from gitml.registry.lineage import Commit, Descendants, Descent, Lineage
from gitml.registry.tags.stage_history import StageEntry
from gitml.text import plural

_SHOWN = 15  # runs, data sets, metrics or params: what fits on a screen


@click.command()
@click.argument("what", metavar="WHAT")
@as_json
def blame(what: str, json_: bool) -> None:
    """Trace a model to its run, code and data, and these to what is live.

    WHAT is models:/NAME/STAGE, models:/NAME/VERSION or models:/NAME@ALIAS; or a commit, the digest
    of a data set, or a run id, of which the first digits are enough.
    """
    found = lineage.blame(MlflowClient().repository, what)
    if json_:
        print_json(document(found) if isinstance(found, Lineage) else _descendants_document(found))
    elif isinstance(found, Lineage):
        facts(_ancestry(found))
    else:
        _print_descendants(found)


# Back from a version ----------------------------------------------------------------------------


def document(found: Lineage) -> dict[str, Any]:
    """What ``--json`` tells of a version's lineage; times are ms since the Unix epoch."""
    run, parent = found.run, found.parent
    told = dict(found)
    told["parent"] = dict(parent.info) if parent else None
    told["entered"] = found.entered
    told["run"] = None
    if run:
        told["run"] = {
            **summary(run, found.experiment),
            "source": run.source,
            "inputs": run.inputs.dataset_inputs,
            "models": run.outputs.model_outputs,
        }
    return told


def _ancestry(found: Lineage) -> Iterator[tuple[str, Cell]]:
    version = found.version
    yield "Model", f"{version.name} version {version.version}"
    yield "Stage", version.current_stage
    yield from placement(found)
    if found.judged:
        yield from _gates(*found.judged)
    yield "Aliases", ", ".join(version.aliases)
    yield "Registered", When(version.creation_timestamp)
    yield "Registered by", version.user_id
    yield from origin(found)
    if found.previous:
        name = shlex.quote(version.name)
        yield "Go back", f"gitml registry rollback {name} {version.current_stage} -m WHY"
    if version.source:
        uri = shlex.quote(f"models:/{version.name}/{version.version}")
        yield "Its files", f"gitml artifacts download {uri}"


def placement(found: Lineage) -> Iterator[tuple[str, Cell]]:
    """Say who put a version into its stage, when, why, and what was there before."""
    told = found.entered
    if told is None:
        return
    source = f" (from {told.approvals_from})" if told.approvals_from else ""
    yield "Since", When(told.timestamp)
    yield "Moved by", told.user
    yield "Reason", told.reason
    yield "Approved by", ", ".join(told.approved_by) + source if told.approved_by else None
    yield "Merged by", told.merged_by
    yield "Pull request", told.pull_request
    yield "Merge commit", Identifier(told.merge_commit)
    yield "Tag", told.tag
    yield "Before it", f"version {found.previous}" if found.previous else None


def _gates(stage: str, told: StageEntry) -> Iterator[tuple[str, Cell]]:
    title = f"Gate of {stage}"
    for gate in told.gates:
        yield title, f"{'holds' if gate.holds else 'FAILS'}: {gate.gate} ({gate.measured})"
    if told.forced:
        yield title, "bypassed with --force"


def origin(found: Lineage) -> Iterator[tuple[str, Cell]]:
    """Say what a version was made from: its run, code, data, parent run and environment."""
    run, version = found.run, found.version
    if run is None:
        told = f"{version.run_id} is not in this clone, or cannot be read"
        yield "Run", told if version.run_id else None
    else:
        ended = "" if run.info.status == RunStatus.FINISHED else f", {run.info.status}"
        yield "Run", f"{run.info.run_id} {run.info.run_name}{ended}"
        yield "Experiment", found.experiment
        yield "Trained", When(run.info.start_time)
        yield "Trained by", run.info.user_id
        yield "Command", shlex.join(run.source.command)
        yield "Metrics", _some(run.data.metrics)
        yield "Params", _some(run.data.params)
        for data in run.inputs.dataset_inputs[:_SHOWN]:
            yield "Data", f"{data.digest} {data.name}{f', {data.context}' if data.context else ''}"
    branch = f", on {run.source.branch}" if run and run.source.branch else ""
    yield "Code", f"{_commit(found.code)}{branch}" if found.code else None
    if run and run.source.dirty:
        yield "Not committed", _patch(found)
    if run and run.parent_run_id:
        yield (
            "Parent run",
            f"{run.parent_run_id} {found.parent.info.run_name if found.parent else ''}",
        )
    if found.requirements:
        packages = plural(found.requirements.count, "package")
        python = f"Python {run.source.python}, " if run and run.source.python else ""
        yield "Environment", f"{python}{packages}: {_show(found.requirements.at)}"


def _some(values: Mapping[str, object]) -> str:
    shown = dict(sorted(values.items())[:_SHOWN])
    more = len(values) - len(shown)
    return pairs(shown) + (f" and {more} more" if more else "")


def _commit(commit: Commit) -> str:
    return f"{commit.id} {commit.subject or 'is not in this clone'}"


def _patch(found: Lineage) -> str:
    if found.patch is None:
        return "changes that were not kept"
    return f"{plural(found.patch.count, 'file')}: {_show(found.patch.at)}"


def _show(at: str) -> str:
    return f"git show {shlex.quote(at)}"


# Forward from code, data or a run ---------------------------------------------------------------


def _descendants_document(found: Descendants) -> dict[str, Any]:
    return {**dict(found), "runs": [
        {**summary(one.run, one.experiment), "versions": one.versions} for one in found.runs
    ]}  # fmt: skip


def _print_descendants(found: Descendants) -> None:
    say(f"{found.origin.capitalize()} {found.id} {', '.join(found.names)}".rstrip())
    live = [place for run in found.runs for one in run.versions if (place := _live(one))]
    say(f"Live: {', '.join(live)}" if live else "Nothing of it is live.")
    click.echo()
    table(
        ("RUN", "NAME", "EXPERIMENT", "STATUS", "STARTED", "METRICS", "VERSIONS"),
        [_descent(one) for one in found.runs[:_SHOWN]],
        empty="No runs.",
    )
    more = len(found.runs) - _SHOWN
    if more > 0:
        talk(f"There are {plural(more, 'more run')}; --json has them all.")


def _descent(one: Descent) -> tuple[Cell, ...]:
    info = one.run.info
    return (
        Identifier(info.run_id),
        info.run_name,
        one.experiment,
        "deleted" if info.lifecycle_stage == "deleted" else info.status,
        When(info.start_time),
        pairs(one.run.data.metrics),
        ", ".join(f"{version.name} {version.version}" for version in one.versions),
    )


def _live(version: ModelVersion) -> str:
    """Where a version is live; empty where it is not."""
    stage = [] if version.current_stage in ("None", "Archived") else [version.current_stage]
    places = [*stage, *(f"@{alias}" for alias in version.aliases)]
    return f"{version.name} {version.version} ({', '.join(places)})" if places else ""
