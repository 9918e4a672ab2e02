"""What was decided is read from tags as it was; what waits is read from branches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitml.entities import Stage
from gitml.registry.promotion.decisions import considered, decisions, proposals
from gitml.registry.registry import Registry
from gitml.registry.tags.detail import RecordedGate, TagDetail
from tests.registry.conftest import World, git

GATES = "model: Price\nstages: {Production: 1}\ngates: {Production: [source.dirty = false]}\n"


@pytest.fixture
def team(world: World, tmp_path: Path) -> Iterator[World]:
    """Two versions, the first of them live and declared, and a remote that knows it."""
    world.versions(3, "Price")
    gate = RecordedGate(gate="metrics.a < 9", measured="3 < 9", holds=False, values=None)
    detail = TagDetail.of(gates=[gate], forced=True, approved_by=["Bo"], approvals_from="trailers")
    world.registry.enter("Price", 1, Stage.PRODUCTION, detail, reason="first")
    declare(world, GATES, "Declare")
    git(tmp_path, "clone", "-q", "--bare", str(world.folder), "remote.git")
    world.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    world.git("fetch", "-q")
    yield world
    world.repo.close()


def declare(world: World, text: str, message: str) -> None:
    (world.folder / "registry").mkdir(exist_ok=True)
    (world.folder / "registry" / "Price.yaml").write_text(text)
    world.git("add", ".")
    world.git("commit", "-q", "-m", message)


def branch(world: World, name: str, text: str, message: str) -> None:
    """Push a branch that declares something, and go back."""
    world.git("checkout", "-q", "-b", name, "main")
    declare(world, text, message)
    world.git("push", "-q", "origin", name)
    world.git("checkout", "-q", "main")
    world.git("branch", "-q", "-D", name)


def pinned(world: World) -> Registry:
    return world.registry.pinned()


@pytest.mark.slow
def test_branches_that_declare_another_version_are_open_proposals(team: World) -> None:
    base = team.git("rev-parse", "HEAD")
    branch(team, "promote/Price-v2", GATES.replace("1", "2"), "Promote it\n\nCheaper, faster.")
    branch(team, "by-hand", GATES.replace("1", "3").replace("]", ", metrics.a < 1]"), "Try three")
    branch(team, "broken", GATES.replace("1", "two"), "Oops")
    branch(team, "same", GATES + "# a comment\n", "Explain")
    team.git("push", "-q", "origin", "main:merged")

    by_branch = {proposal.branch: proposal for proposal in proposals(pinned(team), base)}
    assert set(by_branch) == {"promote/Price-v2", "by-hand"}
    proposal = by_branch["promote/Price-v2"]
    assert (proposal.reason, proposal.user) == ("Cheaper, faster.", "Ada Example")
    assert (proposal.comparison.version, proposal.comparison.incumbent) == (2, 1)
    assert (proposal.comparison.verdict, proposal.comparison.incumbent_forced) == ("holds", "first")
    other = by_branch["by-hand"].comparison
    assert (other.verdict, other.gates_added) == ("fails", ("metrics.a < 1",))

    team.git("merge", "-q", "--no-ff", "origin/promote/Price-v2", "-m", "Merge")
    merged = team.git("rev-parse", "HEAD")
    assert [proposal.branch for proposal in proposals(pinned(team), merged)] == ["by-hand"]


def test_a_branch_that_is_behind_proposes_only_what_it_changed(team: World) -> None:
    branch(team, "docs", GATES + "# a comment\n", "Explain")
    declare(team, GATES.replace("1", "2"), "Go on")
    assert proposals(pinned(team), team.git("rev-parse", "HEAD")) == []


def test_decisions_show_the_gates_as_they_were_judged(team: World) -> None:
    team.clock.now += 5_000
    team.registry.enter("Price", 2, Stage.PRODUCTION, TagDetail(), reason="second")
    newest, first = decisions(pinned(team), "Price")
    assert (newest.entry.version, newest.entry.before, newest.entry.until) == (2, 1, None)
    assert (newest.comparison.incumbent, newest.comparison.verdict) == (1, "no gates")
    assert newest.comparison.incumbent_forced == "first"
    assert [version.version for version in newest.comparison.history] == [1]
    assert first.entry.until is not None and first.entry.forced
    assert [(gate.measured, gate.holds) for gate in first.comparison.gates] == [("3 < 9", False)]
    assert (first.comparison.approved_by, first.comparison.incumbent) == (("Bo",), None)

    team.registry.delete_model_version("Price", 1)
    (left,) = decisions(pinned(team), "Price")
    assert (left.comparison.version, left.comparison.incumbent) == (2, None)


def test_a_version_that_nobody_proposed_is_judged_by_what_the_base_declares(team: World) -> None:
    registry = pinned(team)
    version = registry.get_model_version("Price", 3)
    comparison = considered(registry, version, team.git("rev-parse", "HEAD"))
    assert comparison is not None and (comparison.verdict, comparison.incumbent) == ("holds", 1)
    before = considered(registry, version, team.git("rev-parse", "HEAD~1"))
    assert before is not None and before.verdict == "no gates"
    declare(team, "model: Price\nstages: 3\n", "Break it")
    assert considered(registry, version, team.git("rev-parse", "HEAD")) is None


def test_a_pinned_registry_keeps_its_answers(team: World) -> None:
    registry = pinned(team)
    before = registry.history("Price"), registry.get_model_version("Price", 1)
    team.registry.transition_model_version_stage("Price", 1, "Staging")
    assert (registry.history("Price"), registry.get_model_version("Price", 1)) == before
    assert pinned(team).get_model_version("Price", 1).current_stage == "Staging"
