"""Hides what was decided on a model and what waits for a decision, each told like a review.

What was decided is read from tags: gates with the values measured then, never judged again. What
waits are branches that declare another version than the base does, judged by their own gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gitml.entities import ModelVersion, Stage
from gitml.errors import GitmlError, InvalidInput, NotFound
from gitml.query.gates import Gate, read as read_gate
from gitml.registry.admission import Admission
from gitml.registry.facts import VersionFacts
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import Approvals
from gitml.registry.promotion.comparison import Comparison, compared
from gitml.registry.promotion.pull_request import forge_of
from gitml.registry.promotion.review import (
    StageChange,
    between,
    code_between,
    consider,
)
from gitml.registry.registry import Registry
from gitml.registry.tags.stage_history import StageEntry, entries
from gitml.text import one_line

_MOST_BRANCHES = 200
_MOST_DECISIONS = 200  # of a model
_SHOWN = 10  # entries of a stage's history
STAGES = (Stage.PRODUCTION, Stage.STAGING)
"""Stages whose entries are decisions; the others follow from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A version that a branch wants in a stage.

    Attributes:
        branch: The branch, without its remote.
        commit: Its newest commit.
        user: Who proposed.
        timestamp: When, ms since the Unix epoch.
        reason: Why.
        open_at: Address at which its pull request is found; empty for none.
        comparison: The version beside the one that is live.
    """

    branch: str
    commit: str
    user: str
    timestamp: int
    reason: str
    open_at: str
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A version that entered a stage.

    Attributes:
        entry: What the tag tells.
        comparison: The version beside the one that was there before it.
    """

    entry: StageEntry
    comparison: Comparison


def proposals(registry: Registry, base: str) -> list[Proposal]:
    """List what branches want to change, newest first; what they misspell is left out.

    Args:
        registry: The registry.
        base: Id of the commit whose declarations count.
    """
    found = [
        one
        for branch, commit in _branches(registry, base)
        for one in _proposed(registry, base, branch, commit)
    ]
    return sorted(found, key=lambda one: (-one.timestamp, one.branch, one.comparison.model))


def _branches(registry: Registry, base: str) -> Iterator[tuple[str, str]]:
    """Branches that declare something else than their beginning did, each commit once."""
    repo, prefix = registry.repo, f"refs/remotes/{registry.remote}/"
    listed = repo.run(
        "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)",
        f"--no-merged={base}", prefix, "refs/heads/promote/",
    )  # fmt: skip
    seen = set()
    for line in islice(listed.decode("utf-8", "replace").splitlines(), _MOST_BRANCHES):
        commit, _, ref = line.partition(" ")
        common = repo.run("merge-base", base, commit, ok=(0, 1, 128)).decode().split()
        if commit in seen or not common:
            continue
        seen.add(commit)
        if repo.tree(common[0], declarations.FOLDER) != repo.tree(commit, declarations.FOLDER):
            yield ref.removeprefix(prefix).removeprefix("refs/heads/"), commit


def _proposed(registry: Registry, base: str, branch: str, commit: str) -> Iterator[Proposal]:
    repo = registry.repo
    start = repo.run("merge-base", base, commit).decode().split()[0]
    try:
        review = between(registry, start, commit)
    except InvalidInput:  # the check of its pull request says what
        return
    told = repo.run("log", "-1", "--no-merges", "--no-show-signature",
                    "--format=%an%x00%at%x00%B", commit, "--", declarations.FOLDER)  # fmt: skip
    user, when, message = told.decode("utf-8", "replace").split("\0", 2)
    title, _, body = message.strip().partition("\n")
    for change in review.changes:
        if not change.live:
            yield Proposal(
                branch=branch,
                commit=commit,
                user=user,
                timestamp=int(when) * 1000,
                reason=one_line(body.strip() or title),
                open_at=review.forge.requests(branch),
                comparison=compared(change, review.forge),
            )


def decisions(registry: Registry, name: str) -> list[Decision]:
    """List the versions that entered a stage, newest first, as far as there are not too many.

    Args:
        registry: The registry.
        name: The model.
    """
    events = registry.history(name)
    entered = {stage: entries(events, stage) for stage in STAGES}
    places = [(stage, at) for stage in STAGES for at in range(len(entered[stage]))]
    places.sort(key=lambda place: -entered[place[0]][place[1]].timestamp)
    found = (_decided(registry, name, s, entered[s], at) for s, at in places[:_MOST_DECISIONS])
    return [one for one in found if one]


def _decided(
    registry: Registry, name: str, stage: Stage, entered: Sequence[StageEntry], at: int
) -> Decision | None:
    entry = entered[at]
    candidate = _evidence(registry, name, entry.version)
    if candidate is None:
        return None
    incumbent = _evidence(registry, name, entry.before) if entry.before else None
    before = [one for one in entered[:at] if one.version == entry.before]
    old, new = incumbent.code_commit if incumbent else "", candidate.code_commit
    commits, subjects = code_between(registry.repo, old, new)
    change = StageChange(
        model=name,
        stage=stage,
        path=declarations.path_of(name),
        live=entry.until is None,
        admission=Admission(
            candidate=candidate,
            stage=stage,
            incumbent=incumbent,
            verdicts=entry.gates,
            approvals=Approvals(names=entry.approved_by, source=entry.approvals_from),
        ),
        forced=(before[-1].reason or "no reason given") if before and before[-1].forced else "",
        gates=tuple(_readable(entry)),
        commits=commits,
        subjects=subjects,
        history=tuple(entered[:at][::-1][:_SHOWN]),
    )
    return Decision(
        entry=entry, comparison=compared(change, forge_of(registry.repo, registry.remote))
    )


def _evidence(registry: Registry, name: str, version: int) -> VersionFacts | None:
    """What is known of a version; None where it is deleted or its run cannot be read."""
    try:
        return registry.facts_of(registry.get_model_version(name, version))
    except GitmlError:
        return None


def _readable(entry: StageEntry) -> Iterator[Gate]:
    for verdict in entry.gates:
        try:
            yield read_gate(verdict.gate)
        except InvalidInput:  # cut, or written by somebody else
            continue


def considered(registry: Registry, version: ModelVersion, base: str | None) -> Comparison | None:
    """Judge a version for Production, though nobody proposed it; None where it cannot be read.

    Args:
        registry: The registry.
        version: The version.
        base: Id of the commit whose declarations count; None where there is none.
    """
    try:
        review = consider(registry, version.name, version.version, Stage.PRODUCTION, base)
    except (InvalidInput, NotFound):
        return None
    (change,) = review.changes
    return compared(replace(change, live=False), review.forge)
