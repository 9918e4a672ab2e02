"""Show one run: as JSON, and as a page of text."""

from __future__ import annotations

from typing import Any

from gitml.cli import columns
from gitml.cli.cells import Identifier, Size, When
from gitml.cli.output import facts, heading, say
from gitml.entities import LifecycleStage, Run
from gitml.formats.run_records import RunFiles
from gitml.text import format_number
from gitml.tracking import failure
from gitml.tracking.client import NOTE_TAG

_INTERNAL = ("mlflow.", "gitml.")  # tags that repeat the facts above them


def summary(run: Run, experiment: str) -> dict[str, Any]:
    """Return the fields of a run for ``--json``; times are ms since the Unix epoch."""
    info = run.info
    return {
        **dict(info),
        "experiment_name": experiment,
        "artifact_uri": info.artifact_uri,
        "metrics": run.data.metrics,
        "params": run.data.params,
        "tags": run.data.tags,
    }


def document(files: RunFiles, experiment: str) -> dict[str, Any]:
    """Return everything about a run for ``--json``."""
    run = files.record.run
    return {
        **summary(run, experiment),
        "summaries": run.data.summaries,
        "source": run.source,
        "inputs": run.inputs.dataset_inputs,
        "models": run.outputs.model_outputs,
        "artifacts": files.artifacts,
        "conflicts": run.conflicts,
    }


def print_run(files: RunFiles, experiment: str) -> None:
    """Print everything about a run, one part under the other."""
    run = files.record.run
    info, source = run.info, run.source
    facts([
        ("Run", Identifier(info.run_id)),
        ("Name", info.run_name),
        ("Experiment", experiment),
        ("Status", info.status),
        ("State", "deleted" if info.lifecycle_stage == LifecycleStage.DELETED else None),
        ("Started", When(info.start_time)),
        ("Took", columns.took(run)),
        ("User", info.user_id),
        ("Source", source.name),
        ("Command", " ".join(source.command)),
        ("Commit", _commit(run)),
        ("Parent", run.parent_run_id),
    ])  # fmt: skip
    _print_failure(run)
    _section("Params", sorted(run.data.params.items()))
    _section(
        "Metrics", [(key, format_number(value)) for key, value in sorted(run.data.metrics.items())]
    )
    own = (pair for pair in sorted(run.data.tags.items()) if not pair[0].startswith(_INTERNAL))
    _section("Tags", list(own))
    _section("Models", [(m.path, ", ".join(m.flavors)) for m in run.outputs.model_outputs])
    _section("Datasets", [(d.name, d.digest) for d in run.inputs.dataset_inputs])
    _section("Artifacts", [(a.path, Size(a.size)) for a in files.artifacts])
    _section("Conflicts", [(key, ", ".join(texts)) for key, texts in run.conflicts.items()])
    note = run.data.tags.get(NOTE_TAG)
    if note:
        heading("Note")
        for line in note.splitlines():
            say(f"  {line}")


def _print_failure(run: Run) -> None:
    described = failure.of_tags(run.data.tags)
    if described is None:
        return
    heading("Why it failed")
    say(f"  {described.error}", colour="red")
    if described.own_line:
        say(f"  at {described.own_line}")
    if described.trace:
        say("")
        for line in described.trace.splitlines():
            say(f"  {line}")


def _commit(run: Run) -> str:
    source = run.source
    branch = f" on {source.branch}" if source.branch else ""
    changed = ", with uncommitted changes" if source.dirty else ""
    return f"{source.commit}{branch}{changed}" if source.commit else ""


def _section(title: str, rows: list[tuple[str, Any]]) -> None:
    if rows:
        heading(title)
        facts([(f"  {key}", value) for key, value in rows])
