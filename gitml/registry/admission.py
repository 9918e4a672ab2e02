"""Judge whether a version may enter a stage, and what the tag records of that. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitml.entities import ModelVersion, Stage
from gitml.errors import GateFailed, InvalidInput
from gitml.query.gate_nodes import APPROVAL_KINDS, fields_of
from gitml.query.gates import Facts, Gate, Verdict, judge
from gitml.registry.facts import VersionFacts
from gitml.registry.gates.approvals import NOBODY, Approvals
from gitml.registry.tags.detail import RecordedGate, TagDetail
from gitml.text import single_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether a version may enter a stage.

    Attributes:
        candidate: The version.
        stage: The stage.
        incumbent: The version that is live in it.
        verdicts: One per gate.
        approvals: Who approved it.
    """

    candidate: VersionFacts
    stage: Stage
    incumbent: VersionFacts | None
    verdicts: tuple[Verdict, ...]
    approvals: Approvals = NOBODY

    @property
    def unmet(self) -> tuple[Verdict, ...]:
        """The gates that do not hold, for whatever reason."""
        return tuple(verdict for verdict in self.verdicts if not verdict.holds)

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The gates that do not hold, whoever approves."""
        return tuple(verdict for verdict in self.unmet if not verdict.pending)

    @property
    def pending(self) -> tuple[Verdict, ...]:
        """The gates that wait for approvals only."""
        return tuple(verdict for verdict in self.unmet if verdict.pending)


def examine(
    version: ModelVersion,
    stage: Stage,
    gates: Sequence[Gate],
    live: Mapping[str, ModelVersion],
    facts_of: Callable[[ModelVersion], VersionFacts],
    *,
    returning: bool = False,
    approvals: Approvals = NOBODY,
) -> Admission:
    """Judge a version by gates.

    Args:
        version: The version.
        stage: The stage it is to enter.
        gates: What it must meet.
        live: The live version of each stage.
        facts_of: Returns the facts about a version.
        returning: It was live there before, so it need not beat what it comes back for.
        approvals: Who approved it.
    """
    compared = {field.stage for gate in gates for field in fields_of(gate.node)} | {stage.lower()}
    incumbents = {
        name.lower(): facts_of(incumbent)
        for name, incumbent in live.items()
        if name.lower() in compared and name != Stage.NONE
    }
    facts = {name: incumbent.gate_facts for name, incumbent in incumbents.items()}
    candidate = facts_of(version)
    return Admission(
        candidate=candidate,
        stage=stage,
        incumbent=incumbents.get(stage.lower()),
        verdicts=tuple(
            _judge(gate, candidate.gate_facts, facts, returning, approvals) for gate in gates
        ),
        approvals=approvals,
    )


def _judge(
    gate: Gate,
    candidate: Facts,
    live: Mapping[str, Facts | None],
    returning: bool,
    approvals: Approvals,
) -> Verdict:
    fields = fields_of(gate.node)
    people = [field.key for field in fields if field.kind == "approved_by"]
    verdict = judge(gate, {**candidate, **approvals.facts(people)}, live)
    if any(field.kind in APPROVAL_KINDS for field in fields):
        verdict = _with_approvals(verdict, gate, candidate, live, approvals)
    if verdict.holds or not (returning and any(field.stage for field in fields)):
        return verdict
    note = "waived: it was live here before and need not beat what it comes back for"
    return replace(verdict, holds=True, note=note)


def _with_approvals(
    verdict: Verdict,
    gate: Gate,
    candidate: Facts,
    live: Mapping[str, Facts | None],
    approvals: Approvals,
) -> Verdict:
    """Note who approved, and whether the gate waits for approvals only."""
    people = [field.key for field in fields_of(gate.node) if field.kind == "approved_by"]
    everybody: Facts = {
        "approvals": {"count": math.inf}, "approved_by": dict.fromkeys(people, True),
    }  # fmt: skip
    pending = not verdict.holds and judge(gate, {**candidate, **everybody}, live).holds
    names = ", ".join(approvals.names)
    summary = f"approved by {names}" if names else "nobody approved yet"
    note = verdict.note or "; ".join(filter(None, (summary, approvals.disregarded)))
    return replace(verdict, pending=pending, note=note)


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
        count = "a gate" if len(failed) == 1 else f"{len(failed)} gates"
        raise GateFailed(
            f"{version.name} version {version.version} does not meet {count} of "
            f"{admission.stage.value}: {'; '.join(map(gate_line, failed))}.",
            hint="Promote a version that meets them, or bypass them with --force -m WHY, which is "
            "recorded.",
        )


def gate_line(verdict: Verdict) -> str:
    """Format a gate with its values in one line."""
    note = f" – {verdict.note}" if verdict.note else ""
    return single_line(f"{verdict.gate} ({verdict.measured}){note}")


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
        gate=single_line(verdict.gate),
        measured=single_line(verdict.measured),
        holds=verdict.holds,
        values=verdict.values,
        note=single_line(verdict.note),
    )
