"""List what was decided on a model and what is proposed, each compared like in a review.

Decisions are read from tags: gates with the values measured then, never judged again. Proposals are
branches that declare another version than the base does, judged by their own gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gitml.entities import ModelVersion, Stage
from gitml.errors import GitmlError, InvalidInput, NotFound
from gitml.query.gates import Gate, read as read_gate
from gitml.registry.facts import VersionFacts
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import Approvals
from gitml.registry.promotion import landing
from gitml.registry.promotion.comparison import Background, VersionComparison, compare
from gitml.registry.promotion.pull_request import forge_of, proposal_prefix
from gitml.registry.promotion.review import between, code_between, consider
from gitml.registry.registry import Registry
from gitml.registry.tags.stage_history import StageEntry, entries

_MAX_BRANCHES = 200
_MAX_DECISIONS = 200  # of a model
_MAX_HISTORY = 10
STAGES = (Stage.PRODUCTION, Stage.STAGING)
"""Stages whose entries are decisions; the others follow from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProposal:
    """A version that a branch wants in a stage.

    Attributes:
        branch: The branch, without its remote.
        commit: Its newest commit.
        user: Who proposed.
        timestamp: When, ms since the Unix epoch.
        reason: Why.
        requests_url: Address that lists its pull request; empty if there is none.
        comparison: The version beside the one that is live.
    """

    branch: str
    commit: str
    user: str
    timestamp: int
    reason: str
    requests_url: str
    comparison: VersionComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A version that entered a stage.

    Attributes:
        entry: What the tag records.
        comparison: The version beside the one that was in the stage before it.
    """

    entry: StageEntry
    comparison: VersionComparison


def proposals(registry: Registry, base: str) -> list[OpenProposal]:
    """Return what branches want to change, newest first; invalid declarations are left out.

    Args:
        registry: The registry.
        base: Id of the commit whose declarations count.
    """
    proposed = [
        proposal
        for branch, commit in _branches(registry, base)
        for proposal in _proposed(registry, base, branch, commit)
    ]
    return sorted(proposed, key=lambda p: (-p.timestamp, p.branch, p.comparison.model))


def _branches(registry: Registry, base: str) -> Iterator[tuple[str, str]]:
    """Yield branches whose declarations differ from where they left the base, each commit once."""
    repo, prefix = registry.repo, f"refs/remotes/{registry.remote}/"
    local = f"refs/heads/{proposal_prefix(repo)}"
    out = repo.run(
        "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)",
        f"--no-merged={base}", prefix, "refs/heads/",
    )  # fmt: skip
    visited = set()
    lines = [line.partition(" ")[::2] for line in out.decode("utf-8", "replace").splitlines()]
    proposed = ((commit, ref) for commit, ref in lines if ref.startswith((prefix, local)))
    for commit, ref in islice(proposed, _MAX_BRANCHES):
        common = repo.run("merge-base", base, commit, ok=(0, 1, 128)).decode().split()
        if commit in visited or not common:
            continue
        visited.add(commit)
        if repo.tree(common[0], declarations.FOLDER) != repo.tree(commit, declarations.FOLDER):
            yield ref.removeprefix(prefix).removeprefix("refs/heads/"), commit


def _proposed(registry: Registry, base: str, branch: str, commit: str) -> Iterator[OpenProposal]:
    repo = registry.repo
    start = repo.run("merge-base", base, commit).decode().split()[0]
    try:
        review = between(registry, start, commit)
    except InvalidInput:  # the check of its pull request reports it
        return
    for comparison in review.changes:
        if comparison.live:
            continue
        path, stage = declarations.path_of(comparison.model), Stage(comparison.stage)
        proposal = landing.between(repo, start, commit, path, landing.stage_reader(stage)).proposal
        if proposal is None:
            continue
        yield OpenProposal(
            branch=branch,
            commit=commit,
            user=proposal.author.partition(" <")[0],
            timestamp=proposal.authored * 1000,
            reason=proposal.reason,
            requests_url=forge_of(repo, registry.remote).requests(branch),
            comparison=comparison,
        )


def decisions(registry: Registry, name: str) -> list[Decision]:
    """Return the newest entries of versions into stages, newest first.

    Args:
        registry: The registry.
        name: The model.
    """
    events = registry.history(name)
    by_stage = {stage: entries(events, stage) for stage in STAGES}
    entered = [(stage, i) for stage, times in by_stage.items() for i in range(len(times))]
    entered.sort(key=lambda key: -by_stage[key[0]][key[1]].timestamp)
    decided = (
        _decided(registry, name, stage, by_stage[stage], i) for stage, i in entered[:_MAX_DECISIONS]
    )
    return [decision for decision in decided if decision]


def _decided(
    registry: Registry, name: str, stage: Stage, times: Sequence[StageEntry], index: int
) -> Decision | None:
    entry = times[index]
    candidate = _facts(registry, name, entry.version)
    if candidate is None:
        return None
    incumbent = _facts(registry, name, entry.before) if entry.before else None
    former = [time for time in times[:index] if time.version == entry.before]
    forced = former[-1].reason or "no reason given" if former and former[-1].forced else ""
    old_code = incumbent.code_commit if incumbent else ""
    commits, subjects = code_between(registry.repo, old_code, candidate.code_commit)
    background = Background(
        forge=forge_of(registry.repo, registry.remote),
        live=entry.until is None,
        gates=tuple(_valid_gates(entry)),
        incumbent_forced=forced,
        commits=commits,
        subjects=subjects,
        history=tuple(times[:index][::-1][:_MAX_HISTORY]),
    )
    comparison = compare(
        candidate,
        incumbent,
        stage,
        verdicts=entry.gates,
        approvals=Approvals(names=entry.approved_by, source=entry.approvals_from),
        background=background,
    )
    return Decision(entry=entry, comparison=comparison)


def _facts(registry: Registry, name: str, version: int) -> VersionFacts | None:
    """Return the facts about a version; None if it is deleted or its run cannot be read."""
    try:
        return registry.facts_of(registry.get_model_version(name, version))
    except GitmlError:
        return None


def _valid_gates(entry: StageEntry) -> Iterator[Gate]:
    for verdict in entry.gates:
        try:
            yield read_gate(verdict.gate)
        except InvalidInput:  # cut, or written by somebody else
            continue


def considered(
    registry: Registry, version: ModelVersion, base: str | None
) -> VersionComparison | None:
    """Judge a version for Production though nobody proposed it; None if that is not possible.

    Args:
        registry: The registry.
        version: The version.
        base: Id of the commit whose declarations count; None if there is none.
    """
    try:
        review = consider(registry, version.name, version.version, Stage.PRODUCTION, base)
    except (InvalidInput, NotFound):
        return None
    return replace(review.changes[0], live=False)
