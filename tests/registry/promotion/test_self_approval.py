"""Nobody approves what is their own, however a proposal came onto the branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.errors import GateFailed, InvalidInput
from gitml.registry import promotion
from gitml.registry.promotion import decisions
from gitml.sharing import push_pull
from tests import clones
from tests.conftest import git, make_repository
from tests.registry.promotion.project import ADA, BO, BRANCH, CY, GATED, PATH, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = clones.origin_and_clone(tmp_path, "clone")
    for _ in range(2):
        clones.register(folder)
    made = Project(folder)
    made.write(GATED, "Declare gates")
    made.git("push", "-q", "origin", "main")
    push_pull.push(clones.repo(folder))
    return made


def test_the_attack_a_colleague_edits_the_file_and_the_proposer_approves_alone(
    project: Project,
) -> None:
    project.propose()
    project.write(f"# Reviewed yearly.\n{GATED}", "Comment on the file", who=CY)
    project.merge(f"Merge pull request #7\n\nApproved-by: {ADA}")

    assert "approvals.count >= 1 (0 >= 1)" in project.refused()


def test_a_colleagues_approval_counts_and_the_reason_is_the_proposers(project: Project) -> None:
    project.propose()
    project.write(f"# Reviewed yearly.\n{GATED}", "Comment on the file", who=CY)
    project.merge(f"Merge pull request #7\n\nApproved-by: {CY}", who=BO)

    assert project.apply() == ["Price version 1 is in Production."]
    entry = project.entered()
    assert (entry.reason, entry.approved_by, entry.merged_by) == ("it is good", (CY,), BO)
    assert (entry.proposed_by, entry.pull_request) == (ADA, "#7")


@pytest.mark.parametrize(
    "approver",
    [
        "ADA example <ADA@Example.org>",
        "Ada   Example <other@example.org>",
        "Somebody <ada@example.org>",
        "ada@example.org",
        "Ada Example",
        "Ada Example (ada@example.org)",
        "Ada (work) <Ada@Example.Org>",
    ],
)
def test_the_proposer_is_recognized_in_every_spelling(project: Project, approver: str) -> None:
    project.propose()
    project.merge(f"Merge\n\nReviewed-by: {approver}")
    assert "approvals.count >= 1 (0 >= 1)" in project.refused()


def test_a_mailmap_joins_two_addresses_of_a_person(project: Project) -> None:
    project.write(f"{ADA} <al@private.example>\n", "Map addresses", path=".mailmap")
    project.propose()
    project.merge("Merge\n\nApproved-by: A. L. <al@private.example>")
    assert "approvals.count >= 1 (0 >= 1)" in project.refused()
    assert "approvals.count >= 1 (0 >= 1)" in project.refused(["A. L. <al@private.example>"])


def test_whoever_changed_the_proposed_declaration_does_not_approve_it(project: Project) -> None:
    project.propose()
    project.change(BRANCH, BO, "model:", "# checked\nmodel:", "Comment")
    project.change(BRANCH, CY, "# checked", "# twice", f"Again\n\nCo-authored-by: {CY}")
    project.merge(f"Merge\n\nApproved-by: {BO}\nApproved-by: {CY}", who=BO)
    assert "approvals.count >= 1 (0 >= 1)" in project.refused()


def test_a_coauthor_of_the_proposal_does_not_approve_it(project: Project) -> None:
    project.propose(why=f"it is good\n\nCo-authored-by: {BO}")
    project.merge(f"Merge\n\nApproved-by: {BO}", who=BO)
    assert "approvals.count >= 1 (0 >= 1)" in project.refused()


def test_whoever_only_brought_a_proposal_up_to_date_approves_it(project: Project) -> None:
    project.propose()
    project.write(f"# Reviewed yearly.\n{GATED}", "Comment on the file", who=CY)
    project.git("checkout", "-q", BRANCH)
    project.git("merge", "-q", "main", "-m", "Update branch", who=BO)
    project.git("checkout", "-q", "main")
    project.merge(f"Merge\n\nApproved-by: {BO}", who=BO)

    assert project.apply() == ["Price version 1 is in Production."]
    assert (project.entered().reason, project.entered().approved_by) == ("it is good", (BO,))


def test_whoever_changes_the_declaration_in_the_merge_itself_does_not_approve_it(
    project: Project,
) -> None:
    project.propose()
    project.git("merge", "-q", "--no-ff", "--no-commit", BRANCH)
    (project.folder / PATH).write_text(project.read().replace("Production: 1", "Production: 2"))
    project.git("add", ".")
    project.git("commit", "-q", "-m", f"Merge\n\nApproved-by: {BO}", who=BO)

    assert "approvals.count >= 1 (0 >= 1)" in project.refused()
    assert "approvals.count >= 1 (0 >= 1)" in project.refused([BO])


def test_a_later_commit_on_the_file_approves_nothing_that_came_before_it(project: Project) -> None:
    project.propose()
    project.merge("Merge pull request #7")
    edited = f"# Reviewed yearly.\n{project.read()}"
    project.write(edited, f"Comment on the file\n\nApproved-by: {BO}", who=CY)

    assert "approvals.count >= 1 (0 >= 1)" in project.refused()
    assert "approvals.count >= 1 (0 >= 1)" in project.refused([BO])


def test_names_of_a_workflow_do_not_count_for_their_own_proposal(project: Project) -> None:
    project.propose()
    project.merge("Merge pull request #7", who=BO)
    assert "approvals.count >= 1 (0 >= 1)" in project.refused(["Ada Example", "ada@example.org"])
    assert project.apply(["Ada Example", "bo"]) == ["Price version 1 is in Production."]
    assert project.entered().approved_by == ("bo",)


def test_a_squash_has_its_reason_without_trailers_and_no_approval_by_its_author(
    project: Project,
) -> None:
    project.propose()
    project.git("merge", "-q", "--squash", BRANCH)
    message = "Promote Price version 1 (#7)\n\nit is good\n\n{}Co-authored-by: " + CY
    project.git("commit", "-q", "-m", message.format(f"Approved-by: {ADA}\nApproved-by: {CY}\n"))
    assert "approvals.count >= 1 (0 >= 1)" in project.refused()

    project.git("commit", "-q", "--amend", "--reset-author", "-m",
                message.format(f"Approved-by: {BO}\n"))  # fmt: skip
    git(project.folder, "push", "-q", "--force", "origin", "main")
    assert project.apply() == ["Price version 1 is in Production."]
    entry = project.entered()
    assert (entry.reason, entry.approved_by) == ("it is good", (BO,))
    assert (entry.proposed_by, entry.pull_request) == (ADA, "#7")


@pytest.mark.parametrize("moved", [True, False])
def test_trailers_that_a_proposer_wrote_count_for_nothing_after_a_rebase(
    project: Project, moved: bool
) -> None:
    project.propose(why=f"it is good\n\nApproved-by: {BO}")
    project.change(BRANCH, CY, "model:", "# checked\nmodel:", f"Comment\n\nApproved-by: {BO}")
    if moved:
        project.write("print('more')\n", "Train more", path="train.py")
        project.git("rebase", "-q", "main", BRANCH, who=BO)
        project.git("checkout", "-q", "main")
    project.git("merge", "-q", "--ff-only", BRANCH)
    assert "approvals.count >= 1 (0 >= 1)" in project.refused()
    assert "approvals.count >= 1 (0 >= 1)" in project.refused([CY, "ada@example.org"])


def test_a_rebased_proposal_has_its_own_reason_and_proposer(project: Project) -> None:
    project.write("model: Price\n", "Ask for nothing")
    project.git("push", "-q", "origin", "main")
    project.propose()
    project.change(BRANCH, CY, "model:", "# checked\nmodel:", "Comment")
    project.write("print('more')\n", "Train more", path="train.py", who=BO)
    project.git("rebase", "-q", "main", BRANCH, who=BO)
    project.git("checkout", "-q", "main")
    project.git("merge", "-q", "--ff-only", BRANCH)

    assert project.apply() == ["Price version 1 is in Production."]
    entry = project.entered()
    assert (entry.reason, entry.proposed_by) == ("it is good", ADA)
    assert entry.merge_commit == git(project.folder, "rev-parse", "HEAD~1")


def test_promotions_of_a_single_merge_have_their_own_proposers_and_reasons(
    project: Project,
) -> None:
    project.write("model: Price\n", "Ask for nothing")
    clones.register(project.folder, "Churn")
    project.git("checkout", "-q", "-b", "both")
    project.write("model: Price\nstages:\n  Staging: 2\n", "Try 2\n\nit is new", who=BO)
    project.write("model: Price\nstages:\n  Staging: 2\n  Production: 1\n", "Keep 1", who=CY)
    project.write("model: Churn\nstages:\n  Production: 1\n", "Churn\n\nat last",
                  path="registry/Churn.yaml")  # fmt: skip
    project.git("checkout", "-q", "main")
    project.merge("Merge pull request #8", branch="both", who=BO)

    assert len(project.apply()) == 3
    entries = [project.entered("Price", "Staging"), project.entered(), project.entered("Churn")]
    assert [(entry.proposed_by, entry.reason) for entry in entries] == [
        (BO, "it is new"), (CY, "Keep 1"), (ADA, "at last"),
    ]  # fmt: skip
    assert {entry.pull_request for entry in entries} == {"#8"}


def test_an_approval_is_for_the_promotion_of_its_own_merge_only(project: Project) -> None:
    project.propose(1, "Staging")
    project.merge(f"Merge\n\nApproved-by: {BO}", branch="promote/Price-v1-staging", who=BO)
    project.git("push", "-q", "origin", "main")
    branch = project.propose(2)
    project.merge("Merge", branch=branch)
    with pytest.raises(GateFailed, match="nobody approved yet"):
        project.apply()


def test_a_shallow_clone_finds_the_proposer_behind_its_end(
    project: Project, tmp_path: Path
) -> None:
    project.propose()
    project.write(f"# Reviewed yearly.\n{GATED}", "Comment on the file", who=CY)
    project.merge(f"Merge pull request #7\n\nApproved-by: {ADA}")
    project.git("push", "-q", "origin", "main")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path}/origin.git", "ci")
    shallow = Project(tmp_path / "ci", project.seconds)
    push_pull.pull(clones.repo(shallow.folder))
    assert "approvals.count >= 1 (0 >= 1)" in shallow.refused()


def test_a_fresh_repository_without_a_proposal_still_applies(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "alone")
    clones.register(folder)
    alone = Project(folder)
    alone.write("model: Price\nstages: {Production: 1}\n", "Go live\n\nno remote yet")
    assert list(promotion.apply(clones.models(folder)).done) == [
        "Price version 1 is in Production."
    ]
    assert alone.entered().reason == "no remote yet"


def test_the_report_on_a_proposal_leaves_out_its_own_authors(project: Project) -> None:
    branch = project.propose()
    project.change(branch, BO, "model:", "# checked\nmodel:", "Comment")
    project.git("checkout", "-q", branch)
    registry = clones.models(project.folder)
    (change,) = promotion.check(registry, approved_by=["Ada Example", "bo@example.org"]).changes
    assert (change.approved_by, change.verdict) == ((), "waits")
    (change,) = promotion.check(registry, approved_by=["Ada Example", "cy"]).changes
    assert (change.approved_by, change.verdict) == (("cy",), "holds")


def test_proposals_have_the_name_and_reason_of_their_own_commit(project: Project) -> None:
    branch = project.propose()
    project.change(branch, BO, "model:", "# checked\nmodel:", "Comment on it")
    registry = clones.models(project.folder)
    git(project.folder, "fetch", "-q")
    (proposal,) = decisions.proposals(registry, git(project.folder, "rev-parse", "main"))
    assert (proposal.user, proposal.reason) == ("Ada Example", "it is good")


def test_proposals_have_branches_with_the_prefix_of_the_settings(project: Project) -> None:
    project.write("registry:\n  proposal_prefix: models/to-\n", "Name them", path="gitml.yaml")
    project.git("push", "-q", "origin", "main")
    assert project.propose() == "models/to-Price-v1-production"
    registry = clones.models(project.folder)
    (proposal,) = decisions.proposals(registry, git(project.folder, "rev-parse", "main"))
    assert proposal.branch == "models/to-Price-v1-production"
    project.write("registry:\n  proposal_prefix: 'models to '\n", "Wrong", path="gitml.yaml")
    with pytest.raises(InvalidInput, match="'models to Price-v2-staging' is not a valid branch"):
        project.propose(2, "Staging")
