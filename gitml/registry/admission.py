"""Hides how a version is admitted to a stage: declared gates, judged, told, recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gitml.entities import ModelVersion, Stage
from gitml.errors import GateFailed, InvalidInput
from gitml.query.gate_nodes import APPROVAL_KINDS, fields_of
from gitml.query.gates import Facts, Gate, Verdict, judge
from gitml.registry.facts import Evidence
from gitml.registry.gates.approvals import NOBODY, Approvals
from gitml.registry.queries import RegistryReader
from gitml.registry.tags.detail import RecordedGate, TagDetail
from gitml.text import one_line

_KINDS = {Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether a version may enter a stage.

    Attributes:
        candidate: What is known of the version.
        stage: The stage.
        incumbent: What is known of the version that is in it now.
        verdicts: One per gate.
        approvals: Who approved it.
    """

    candidate: Evidence
    stage: Stage
    incumbent: Evidence | None
    verdicts: tuple[Verdict, ...]
    approvals: Approvals = NOBODY

    @property
    def unmet(self) -> tuple[Verdict, ...]:
        """The gates that do not hold, for whatever reason."""
        return tuple(verdict for verdict in self.verdicts if not verdict.holds)

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The gates that do not hold and that no approval can help."""
        return tuple(verdict for verdict in self.unmet if not verdict.pending)

    @property
    def pending(self) -> tuple[Verdict, ...]:
        """The gates that wait for approvals only."""
        return tuple(verdict for verdict in self.unmet if verdict.pending)


def examine(
    registry: RegistryReader,
    name: str,
    version: int | str,
    stage: Stage,
    gates: Sequence[Gate],
    *,
    returning: bool = False,
    approvals: Approvals = NOBODY,
) -> Admission:
    """Judge a version by gates, against what the tags say is live now.

    Args:
        registry: The registry.
        name: The model.
        version: The version.
        stage: Where it is to go.
        gates: What it must meet.
        returning: Whether it was live there before: it need not beat what it comes back for.
        approvals: Who approved it.

    Raises:
        NotFound: The model or the version does not exist.
    """
    candidate = registry.evidence(registry.get_model_version(name, version))
    live = in_stages(registry, name)
    named = {one.stage for gate in gates for one in fields_of(gate.node) if one.stage}
    incumbents = {
        one.lower(): registry.evidence(live[one])
        for one in _KINDS
        if one in live and (one.lower() in named or one is stage)
    }
    facts = {one: evidence.facts for one, evidence in incumbents.items()}
    return Admission(
        candidate=candidate,
        stage=stage,
        incumbent=incumbents.get(stage.lower()),
        verdicts=tuple(
            _judged(gate, candidate.facts, facts, returning, approvals) for gate in gates
        ),
        approvals=approvals,
    )


def _judged(
    gate: Gate,
    candidate: Facts,
    facts: Mapping[str, Facts | None],
    returning: bool,
    approvals: Approvals,
) -> Verdict:
    fields = fields_of(gate.node)
    people = [one.key for one in fields if one.kind == "approved_by"]
    verdict = judge(gate, {**candidate, **approvals.facts(people)}, facts)
    if any(one.kind in APPROVAL_KINDS for one in fields):
        verdict = _with_approvals(verdict, gate, candidate, facts, approvals)
    if verdict.holds or not (returning and any(one.stage for one in fields)):
        return verdict
    note = "waived: it was live here before and need not beat what it comes back for"
    return replace(verdict, holds=True, note=note)


def _with_approvals(
    verdict: Verdict,
    gate: Gate,
    candidate: Facts,
    facts: Mapping[str, Facts | None],
    approvals: Approvals,
) -> Verdict:
    """Tell who approved, and whether more approvals would do."""
    people = [one.key for one in fields_of(gate.node) if one.kind == "approved_by"]
    all_of_them: Facts = {
        "approvals": {"count": math.inf}, "approved_by": dict.fromkeys(people, True),
    }  # fmt: skip
    pending = not verdict.holds and judge(gate, {**candidate, **all_of_them}, facts).holds
    who = f"approved by {', '.join(approvals.names)}" if approvals.names else "nobody approved yet"
    return replace(verdict, pending=pending, note=verdict.note or who)


def in_stages(registry: RegistryReader, name: str) -> dict[str, ModelVersion]:
    """What is live: the version that each stage resolves to."""
    return {one.current_stage: one for one in registry.get_latest_versions(name)}


def require(admission: Admission, *, force: bool, reason: str) -> None:
    """Refuse a version whose gates fail.

    Raises:
        GateFailed: A gate fails and ``force`` is not given.
        InvalidInput: ``force`` is given without a reason.
    """
    if force and not reason.strip():
        raise InvalidInput(
            "Forcing a transition past its gates needs a reason.", hint="Give it with -m WHY."
        )
    if admission.unmet and not force:
        version, failed = admission.candidate.version, admission.unmet
        many = "a gate" if len(failed) == 1 else f"{len(failed)} gates"
        raise GateFailed(
            f"{version.name} version {version.version} does not meet {many} of "
            f"{admission.stage.value}: {'; '.join(map(told, failed))}.",
            hint="Promote a version that meets them, or bypass them with --force -m WHY, which is "
            "recorded.",
        )


def told(verdict: Verdict) -> str:
    """Tell a gate with its values, in one line."""
    note = f" – {verdict.note}" if verdict.note else ""
    return one_line(f"{verdict.gate} ({verdict.measured}){note}")


def recorded(admission: Admission, *, force: bool) -> TagDetail:
    """Return what the tag records of the gates and of the approvals."""
    approvals = admission.approvals
    detail = TagDetail.of(
        approved_by=approvals.names,
        approvals_from=approvals.source,
        gates=[_recorded(verdict) for verdict in admission.verdicts],
    )
    return detail | TagDetail.of(forced=True) if force and admission.unmet else detail


def _recorded(verdict: Verdict) -> RecordedGate:
    return RecordedGate(
        gate=one_line(verdict.gate),
        measured=one_line(verdict.measured),
        holds=verdict.holds,
        values=verdict.values,
        note=one_line(verdict.note),
    )
