"""Decisions and proposals on the models of test sites, made of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitml.entities import ModelVersion, Run, Stage
from gitml.forge import Forge
from gitml.formats.model_records import VersionFile
from gitml.query.gates import Verdict, judge, read
from gitml.registry.facts import VersionFacts
from gitml.registry.gates.approvals import Approvals
from gitml.registry.promotion.comparison import Background, VersionComparison, compare
from gitml.registry.promotion.decisions import Decision, OpenProposal
from gitml.registry.tags.stage_history import StageEntry

SIGNATURE = {
    "inputs": '[{"type": "double", "name": "weight"}, {"type": "string", "name": "it\'s"}]',
    "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]',
}
FORGE = Forge(address="https://github.com/example/fuel")
GATES = ("metrics.rmse < 3.2", "metrics.rmse <= 0.99 * production.metrics.rmse",
         "approvals.count >= 1")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What people decide on a model's versions, and say about it."""

    runs: Mapping[str, Run]
    gates: Sequence[str] = GATES
    says: str = "beats the incumbent by 4 %"
    who: str = "Bo Reviewer <bo@example.org>"
    verdicts: tuple[Verdict, ...] = ()

    def evidence(self, version: ModelVersion) -> VersionFacts:
        size = 1_000 * version.version
        file = VersionFile(name=version.name, version=version.version, size=size, nfiles=2)
        run = self.runs.get(version.run_id)
        return VersionFacts(version=version, file=file, run=run, signature=SIGNATURE)

    def comparison(
        self, new: ModelVersion, old: ModelVersion | None, approvals: Approvals, **more: Any
    ) -> VersionComparison:
        """Compare a version with another one, judged by the gates."""
        candidate, incumbent = self.evidence(new), self.evidence(old) if old else None
        facts = {**candidate.gate_facts, **approvals.facts()}
        gates = tuple(map(read, self.gates))
        against = {"production": incumbent.gate_facts if incumbent else None}
        background = Background(
            forge=FORGE, gates=gates, commits=2, subjects=(self.says, "abc Fix"), **more
        )
        return compare(
            candidate,
            incumbent,
            Stage.PRODUCTION,
            verdicts=(*(judge(gate, facts, against) for gate in gates), *self.verdicts),
            approvals=approvals,
            background=background,
        )

    def decision(
        self, new: ModelVersion, old: ModelVersion | None, when: int, tag: str, **more: Any
    ) -> Decision:
        """A version that entered Production."""
        approvals = Approvals(names=(self.who,), source="workflow")
        comparison = self.comparison(new, old, approvals)
        entry = StageEntry(
            version=new.version, timestamp=when, before=old.version if old else None, tag=tag,
            user=self.who, reason=self.says, gates=comparison.gates, merged_by=self.who,
            pull_request="#12", merge_commit="3f9d2c1ab4e5f60718293a4b5c6d7e8f90a1b2c3", **more,
        )  # fmt: skip
        return Decision(entry=entry, comparison=comparison)

    def proposal(self, new: ModelVersion, old: ModelVersion | None, when: int) -> OpenProposal:
        """A branch that wants a version in Production."""
        return OpenProposal(
            branch=f"promote/{self.says}", commit="3f9d2c1ab4e5f60718293a4b5c6d7e8f90a1b2c3",
            user=self.who, timestamp=when, reason=self.says, requests_url=f"{FORGE.address}/pulls",
            comparison=self.comparison(
                new, old, Approvals(), incumbent_forced=self.says, gates_added=(self.says,)
            ),
        )  # fmt: skip
