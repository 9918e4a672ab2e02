"""Compare a version that is to enter a stage with the version live in it.

The dataclasses are what ``gitml registry check --json`` prints, key by key; FORMAT.md lists them.
Times are ms since the Unix epoch, sizes bytes. All pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitml.entities import Stage
from gitml.forge import NO_FORGE, Forge
from gitml.query.gates import Gate, Verdict
from gitml.registry.facts import VersionFacts
from gitml.registry.gates import metric_direction
from gitml.registry.gates.approvals import NOBODY, Approvals
from gitml.registry.gates.metric_direction import Direction, MetricDirection
from gitml.registry.tags.stage_history import StageEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """A metric of both; ``outcome`` is ``better``, ``worse``, ``same``, or None if unknown."""

    metric: str
    candidate: float | None
    incumbent: float | None
    difference: float | None
    better: str | None
    better_from: str
    outcome: str | None

    @property
    def relative(self) -> float | None:
        """The difference as a share of the incumbent's value."""
        if self.difference is None or not self.incumbent:
            return None
        return self.difference / abs(self.incumbent)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamComparison:
    """A param that differs."""

    param: str
    candidate: str | None
    incumbent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetComparison:
    """A dataset of either, by name and context.

    ``change`` is ``same``, ``changed``, ``added`` or ``removed``; several digests are joined.
    """

    name: str
    context: str
    candidate: str
    incumbent: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeComparison:
    """The code commits of both and those between them; ``commits`` is None if unknown."""

    candidate: str
    incumbent: str
    link: str
    commits: int | None
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionOrigin:
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
class VersionComparison:
    """A version beside the one that it is to replace."""

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
    metrics: tuple[MetricComparison, ...]
    params_changed: tuple[ParamComparison, ...]
    datasets: tuple[DatasetComparison, ...]
    code: CodeComparison
    candidate: VersionOrigin
    incumbent_version: VersionOrigin | None
    size_difference: int | None
    history: tuple[StageEntry, ...]

    @property
    def failed(self) -> int:
        """Number of gates that fail, whoever approves."""
        return sum(gate_word(gate) == "fails" for gate in self.gates)

    @property
    def waiting(self) -> int:
        """Number of gates that wait for approvals only."""
        return sum(gate_word(gate) == "waits" for gate in self.gates)

    def directions(self, limit: int) -> list[tuple[str, str, list[str]]]:
        """Group the metrics of both versions by better direction and by how that is known.

        Args:
            limit: Number of metrics to look at.
        """
        groups: dict[tuple[str, str], list[str]] = {}
        for row in self.metrics[:limit]:
            if row.better and row.incumbent is not None and row.candidate is not None:
                groups.setdefault((row.better, row.better_from), []).append(row.metric)
        return [(better, source, metrics) for (better, source), metrics in sorted(groups.items())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What a comparison tells besides the facts of the two versions.

    Attributes:
        forge: Web pages of the repository.
        live: Whether the version is in the stage already.
        gates: Gates of the stage, from which better directions are derived.
        better: Direction direction of a metric, as declared.
        incumbent_forced: Why the incumbent was forced past its gates; empty if it was not.
        gates_added: Gates that the base does not have.
        gates_removed: Gates that only the base has.
        commits: Number of code commits from the incumbent to the candidate; None if unknown.
        subjects: First lines of the newest of them.
        history: Who was in the stage before, newest first.
    """

    forge: Forge = NO_FORGE
    live: bool = False
    gates: Sequence[Gate] = ()
    better: Mapping[str, Direction] = field(default_factory=dict)
    incumbent_forced: str = ""
    gates_added: tuple[str, ...] = ()
    gates_removed: tuple[str, ...] = ()
    commits: int | None = None
    subjects: tuple[str, ...] = ()
    history: tuple[StageEntry, ...] = ()


def compare(
    candidate: VersionFacts,
    incumbent: VersionFacts | None,
    stage: Stage,
    *,
    verdicts: Sequence[Verdict] = (),
    approvals: Approvals = NOBODY,
    background: Background,
) -> VersionComparison:
    """Compare a version with the one that it is to replace.

    Args:
        candidate: The version.
        incumbent: The version live in the stage; None if there is none.
        stage: The stage.
        verdicts: What the candidate was judged by.
        approvals: Who approved it.
        background: What else is known.
    """
    words = {gate_word(verdict) for verdict in verdicts}
    order = ("fails", "waits", "holds")
    return VersionComparison(
        model=candidate.version.name,
        stage=stage.value,
        version=candidate.version.version,
        incumbent=incumbent.version.version if incumbent else None,
        live=background.live,
        verdict=next((word for word in order if word in words), "no gates"),
        holds="fails" not in words,
        gates=tuple(verdicts),
        approved_by=approvals.names,
        approvals_from=approvals.source,
        incumbent_forced=background.incumbent_forced,
        gates_added=background.gates_added,
        gates_removed=background.gates_removed,
        metrics=_metrics(candidate, incumbent, background),
        params_changed=_params(candidate, incumbent),
        datasets=_datasets(candidate, incumbent),
        code=_code(candidate, incumbent, background),
        candidate=_origin(candidate),
        incumbent_version=_origin(incumbent) if incumbent else None,
        size_difference=_size_difference(candidate, incumbent),
        history=background.history,
    )


def gate_word(verdict: Verdict) -> str:
    """Return ``holds``, ``waits`` (for approvals only) or ``fails``."""
    return "holds" if verdict.holds else "waits" if verdict.pending else "fails"


def _metrics(
    candidate: VersionFacts, incumbent: VersionFacts | None, background: Background
) -> tuple[MetricComparison, ...]:
    new, old = map(_logged, (candidate, incumbent))
    names = sorted({*new, *old})
    directions = metric_direction.directions(names, background.better, background.gates)
    return tuple(
        _metric(name, new.get(name), old.get(name), directions.get(name)) for name in names
    )


def _logged(version: VersionFacts | None) -> Mapping[str, float]:
    return version.run.data.metrics if version and version.run else {}


def _metric(
    name: str, new: float | None, old: float | None, direction: MetricDirection | None
) -> MetricComparison:
    finite = new is not None and old is not None and math.isfinite(new) and math.isfinite(old)
    difference = new - old if finite and new is not None and old is not None else None
    outcome = None
    if difference == 0:
        outcome = "same"
    elif difference is not None and direction:
        lower = direction.better is Direction.LOWER
        outcome = "better" if (difference < 0) is lower else "worse"
    return MetricComparison(
        metric=name,
        candidate=new,
        incumbent=old,
        difference=difference,
        better=direction.better.value if direction else None,
        better_from=direction.source if direction else "",
        outcome=outcome,
    )


def _params(candidate: VersionFacts, incumbent: VersionFacts | None) -> tuple[ParamComparison, ...]:
    new, old = (
        version.run.data.params if version and version.run else {}
        for version in (candidate, incumbent)
    )
    return tuple(
        ParamComparison(param=key, candidate=new.get(key), incumbent=old.get(key))
        for key in sorted({*new, *old})
        if new.get(key) != old.get(key)
    )


def _datasets(
    candidate: VersionFacts, incumbent: VersionFacts | None
) -> tuple[DatasetComparison, ...]:
    new, old = map(_digests, (candidate, incumbent))
    rows = []
    for name, context in sorted({*new, *old}):
        key = name, context
        change = "same" if new.get(key) == old.get(key) else "changed"
        if key not in old:
            change = "added"
        elif key not in new:
            change = "removed"
        row = DatasetComparison(
            name=name,
            context=context,
            candidate=new.get(key, ""),
            incumbent=old.get(key, ""),
            change=change,
        )
        rows.append(row)
    return tuple(rows)


def _digests(version: VersionFacts | None) -> dict[tuple[str, str], str]:
    digests: dict[tuple[str, str], list[str]] = {}
    for dataset in version.run.inputs.dataset_inputs if version and version.run else ():
        digests.setdefault((dataset.name, dataset.context), []).append(dataset.digest)
    return {key: ", ".join(sorted(set(values))) for key, values in digests.items()}


def _code(
    candidate: VersionFacts, incumbent: VersionFacts | None, background: Background
) -> CodeComparison:
    new, old = candidate.code_commit, incumbent.code_commit if incumbent else ""
    return CodeComparison(
        candidate=new,
        incumbent=old,
        link=background.forge.compare(old, new) if new != old else "",
        commits=background.commits,
        subjects=background.subjects,
    )


def _origin(facts: VersionFacts) -> VersionOrigin:
    version, run, file = facts.version, facts.run, facts.file
    return VersionOrigin(
        version=version.version,
        run_id=version.run_id,
        run_name=run.info.run_name if run else "",
        trained_by=run.info.user_id if run else "",
        trained_at=run.info.start_time if run else None,
        registered_by=version.user_id,
        dirty=run.source.dirty if run else None,
        size=file.size if file else None,
        files=file.nfiles if file else None,
        digest=version.digest,
    )


def _size_difference(candidate: VersionFacts, incumbent: VersionFacts | None) -> int | None:
    if candidate.file is None or incumbent is None or incumbent.file is None:
        return None
    return candidate.file.size - incumbent.file.size
