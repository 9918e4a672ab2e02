"""Hides how a candidate is compared with the version it is to replace: the review report's values.

The dataclasses are what ``gitml registry check --json`` prints, key by key; FORMAT.md lists them.
Times are ms since the Unix epoch, sizes bytes. All pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gitml.entities import Dataset
from gitml.forge import Forge
from gitml.query.gates import Verdict
from gitml.registry.facts import VersionFacts
from gitml.registry.gates import metric_direction
from gitml.registry.promotion.review import Review, StageChange
from gitml.registry.tags.stage_history import StageEntry

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """A metric of both; ``outcome`` is ``better``, ``worse`` or ``same`` where that is known."""

    metric: str
    candidate: float | None
    incumbent: float | None
    difference: float | None
    better: str | None
    better_from: str
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamRow:
    """A param that is not the same in both."""

    param: str
    candidate: str | None
    incumbent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A data set of either, by name and context.

    ``change`` is ``same``, ``changed``, ``added`` or ``removed``; several digests are joined.
    """

    name: str
    context: str
    candidate: str
    incumbent: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code commits of both, and what lies between; ``commits`` is None where unknown."""

    candidate: str
    incumbent: str
    link: str
    commits: int | None
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Where a version comes from."""

    version: int
    run_id: str
    run_name: str
    trained_by: str
    trained_at: int | None
    registered_by: str
    dirty: bool | None
    size: int | None
    files: int | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A version that is to enter a stage, beside the one that is in it."""

    model: str
    stage: str
    version: int
    incumbent: int | None
    live: bool
    verdict: str
    holds: bool
    gates: tuple[Verdict, ...]
    approved_by: tuple[str, ...]
    approvals_from: str
    incumbent_forced: str
    gates_added: tuple[str, ...]
    gates_removed: tuple[str, ...]
    metrics: tuple[MetricRow, ...]
    params_changed: tuple[ParamRow, ...]
    datasets: tuple[DatasetRow, ...]
    code: Code
    candidate: About
    incumbent_version: About | None
    size_difference: int | None
    history: tuple[StageEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a proposal changes, compared and judged."""

    schema: int
    verdict: str
    holds: bool
    base: str
    changes: tuple[Comparison, ...]
    notes: tuple[str, ...]


def report(review: Review) -> Report:
    """Compare everything that a review found."""
    changes = tuple(compared(change, review.forge) for change in review.changes)
    order = ("fails", "waits", "holds", "no gates")
    worst = min((change.verdict for change in changes), key=order.index, default="no change")
    return Report(
        schema=SCHEMA,
        verdict=worst,
        holds=review.holds,
        base=review.base,
        changes=changes,
        notes=review.notes,
    )


def compared(change: StageChange, forge: Forge) -> Comparison:
    """Compare a version with the one that it is to replace.

    Args:
        change: The two, judged.
        forge: Web pages of the repository.
    """
    found = change.admission
    old = found.incumbent
    return Comparison(
        model=change.model,
        stage=change.stage.value,
        version=found.candidate.version.version,
        incumbent=old.version.version if old else None,
        live=change.live,
        verdict=_verdict(change),
        holds=not found.failed,
        gates=found.verdicts,
        approved_by=found.approvals.names,
        approvals_from=found.approvals.source,
        incumbent_forced=change.forced,
        gates_added=change.gates_added,
        gates_removed=change.gates_removed,
        metrics=_metrics(change),
        params_changed=_params(found.candidate, old),
        datasets=_datasets(found.candidate, old),
        code=_code(change, forge),
        candidate=_about(found.candidate),
        incumbent_version=_about(old) if old else None,
        size_difference=_size_difference(found.candidate, old),
        history=change.history,
    )


def _verdict(change: StageChange) -> str:
    found = change.admission
    if found.failed:
        return "fails"
    if found.pending:
        return "waits"
    return "holds" if found.verdicts else "no gates"


def _metrics(change: StageChange) -> tuple[MetricRow, ...]:
    new, old = map(_logged, (change.admission.candidate, change.admission.incumbent))
    keys = sorted({*new, *old})
    known = metric_direction.directions(keys, change.better, change.gates)
    return tuple(_metric(key, new.get(key), old.get(key), known.get(key)) for key in keys)


def _logged(one: VersionFacts | None) -> Mapping[str, float]:
    return one.run.data.metrics if one and one.run else {}


def _metric(
    key: str, new: float | None, old: float | None, known: metric_direction.Direction | None
) -> MetricRow:
    finite = new is not None and old is not None and math.isfinite(new) and math.isfinite(old)
    difference = new - old if finite and new is not None and old is not None else None
    outcome = None
    if difference == 0:
        outcome = "same"
    elif difference is not None and known:
        low = known.better is metric_direction.Better.LOWER
        outcome = "better" if (difference < 0) is low else "worse"
    return MetricRow(
        metric=key,
        candidate=new,
        incumbent=old,
        difference=difference,
        better=known.better.value if known else None,
        better_from=known.source if known else "",
        outcome=outcome,
    )


def _params(new: VersionFacts, old: VersionFacts | None) -> tuple[ParamRow, ...]:
    ours, theirs = (one.run.data.params if one and one.run else {} for one in (new, old))
    return tuple(
        ParamRow(param=key, candidate=ours.get(key), incumbent=theirs.get(key))
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    )


def _datasets(new: VersionFacts, old: VersionFacts | None) -> tuple[DatasetRow, ...]:
    ours, theirs = (_digests(one) for one in (new, old))
    rows = []
    for name, context in sorted({*ours, *theirs}):
        mine, other = ours.get((name, context), ""), theirs.get((name, context), "")
        change = "same" if mine == other else "changed"
        if old is None or (name, context) not in theirs:
            change = "added"
        elif (name, context) not in ours:
            change = "removed"
        rows.append(
            DatasetRow(name=name, context=context, candidate=mine, incumbent=other, change=change)
        )
    return tuple(rows)


def _digests(one: VersionFacts | None) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], list[str]] = {}
    read: tuple[Dataset, ...] = one.run.inputs.dataset_inputs if one and one.run else ()
    for dataset in read:
        found.setdefault((dataset.name, dataset.context), []).append(dataset.digest)
    return {key: ", ".join(sorted(set(digests))) for key, digests in found.items()}


def _code(change: StageChange, forge: Forge) -> Code:
    found = change.admission
    new, old = (one.code_commit if one else "" for one in (found.candidate, found.incumbent))
    return Code(
        candidate=new,
        incumbent=old,
        link=forge.compare(old, new) if new != old else "",
        commits=change.commits,
        subjects=change.subjects,
    )


def _about(one: VersionFacts) -> About:
    run, file = one.run, one.file
    return About(
        version=one.version.version,
        run_id=one.version.run_id,
        run_name=run.info.run_name if run else "",
        trained_by=run.info.user_id if run else "",
        trained_at=run.info.start_time if run else None,
        registered_by=one.version.user_id,
        dirty=run.source.dirty if run else None,
        size=file.size if file else None,
        files=file.nfiles if file else None,
        digest=one.version.digest,
    )


def _size_difference(new: VersionFacts, old: VersionFacts | None) -> int | None:
    if new.file is None or old is None or old.file is None:
        return None
    return new.file.size - old.file.size
