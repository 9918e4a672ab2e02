"""A proposal that loosens the rules which judge it is judged by the base's rules as well."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitml.errors import GateFailed, GitmlError
from gitml.registry import promotion
from gitml.registry.promotion import markdown_report
from gitml.sharing import push_pull
from tests import clones
from tests.cli.conftest import Cli, cli
from tests.conftest import git
from tests.registry.promotion.project import BO, PATH, Project

__all__ = ["cli"]

BASE = """\
model: Price
stages:
  Production: 1
better: {rmse: lower}
gates:
  Production:
    - metrics.rmse < 3.5
    - approvals: 1
"""
CHANGES = "This pull request changes the rules that judge it:"
LOOSENED = {
    "a gate removed": BASE.replace("    - metrics.rmse < 3.5\n", ""),
    "a gate that always holds": BASE.replace("metrics.rmse < 3.5", "1 = 1"),
    "a gate with a way around it": BASE.replace("rmse < 3.5", "rmse < 3.5 or 1 = 1"),
    "a larger threshold": BASE.replace("3.5", "35"),
    "another metric": BASE.replace("metrics.rmse < 3.5", "metrics.mae < 3.5"),
    "a gate on the incumbent": BASE.replace("metrics.rmse", "production.metrics.rmse"),
    "the rules of the stage removed": BASE.replace("  Production:\n    -", "  Staging:\n    -"),
    "all gates removed": BASE[: BASE.index("gates:")],
    "all gates emptied": BASE[: BASE.index("gates:")] + "gates: {Production: []}\n",
}


@pytest.fixture
def project(cli: Cli, repository: Path, tmp_path: Path) -> Project:
    """A clone with a good version that is live, and a bad one."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(repository, "remote", "add", "origin", f"file://{tmp_path}/origin.git")
    made = Project(repository)
    made.register(rmse=3.0, mae=3.0)
    made.register(rmse=9.0, mae=3.0)
    made.write(BASE, "Declare gates")
    made.git("push", "-q", "-u", "origin", "main")
    push_pull.push(clones.repo(repository))
    registry = clones.models(repository)
    registry.transition_model_version_stage("Price", 1, "Production", force=True, reason="first")
    made.git("checkout", "-q", "-b", "loosen")
    return made


def promoted(text: str) -> str:
    """The same declaration with the bad version in Production."""
    return text.replace("Production: 1", "Production: 2")


def merged(project: Project) -> None:
    """Merge the proposal, approved by somebody else."""
    project.git("checkout", "-q", "main")
    project.merge(f"Merge\n\nApproved-by: {BO}", branch="loosen", who=BO)
    project.git("push", "-q", "origin", "main")


@pytest.mark.parametrize("kind", LOOSENED)
def test_a_loosened_gate_judges_nevertheless(project: Project, cli: Cli, kind: str) -> None:
    project.write(promoted(LOOSENED[kind]), "Promote 2, tidy up")
    checked = cli("registry", "check", code=4).stdout
    assert checked.splitlines()[2].endswith("this pull request changes the rules that judge it ⚠️")
    assert CHANGES in checked
    assert "`Price: gates of Production`: `metrics.rmse < 3.5` → " in checked
    assert "| `metrics.rmse < 3.5` | `9 < 3.5` | ❌ fails | `a gate of the base" in checked
    assert "all gates hold" not in checked

    merged(project)
    refused = cli("registry", "apply", "--push", code=4).stderr
    assert "metrics.rmse < 3.5 (9 < 3.5) – a gate of the base" in refused
    assert "merged on its own" in refused
    assert git(project.folder, "tag", "--list", "Price#*") == "Price#Production#1"


@pytest.mark.parametrize(
    "gate", ["", "    - approvals.count >= 0\n", "    - approvals: [Ada Example]\n"]
)
def test_approvals_that_the_base_asks_for_are_needed(project: Project, cli: Cli, gate: str) -> None:
    project.register(rmse=1.0)
    push_pull.push(clones.repo(project.folder))
    text = BASE.replace("Production: 1", "Production: 3").replace("    - approvals: 1\n", gate)
    project.write(text, "Promote 3 alone")
    checked = cli("registry", "check").stdout
    assert " for approval ⏳; this pull request changes the rules that judge it ⚠️" in checked
    assert "`approvals.count >= 1` → " in checked
    project.git("checkout", "-q", "main")
    project.merge("Merge\n\nApproved-by: Ada Example", branch="loosen")
    project.git("push", "-q", "origin", "main")
    assert "approvals.count >= 1 (0 >= 1)" in cli("registry", "apply", code=4).stderr


def test_a_renamed_or_moved_file_promotes_nothing(project: Project, cli: Cli) -> None:
    project.git("mv", PATH, "registry/price.yaml")
    project.write(promoted(BASE), "Rename", path="registry/price.yaml")
    assert "has its file elsewhere" in cli("registry", "check", code=2).stderr
    project.write("model: price\nstages:\n  Production: 2\n", "Rename it all",
                  path="registry/price.yaml")  # fmt: skip
    assert "No registered model 'price'" in cli("registry", "check", code=2).stderr

    project.git("reset", "-q", "--hard", "main")
    (project.folder / "registry" / "more").mkdir()
    project.git("mv", PATH, "registry/more/Price.yaml")
    project.write(promoted(LOOSENED["all gates removed"]), "Move", path="registry/more/Price.yaml")
    checked = cli("registry", "check").stdout
    assert checked.splitlines()[2] == (
        "# Model registry: this pull request changes the rules ⚠️"
    )  # fmt: skip
    assert "`registry/Price.yaml`: `declares Price` → nothing" in checked
    assert "`Price: gates of Production`: `metrics.rmse < 3.5` → nothing" in checked
    merged(project)
    assert "Nothing to apply" in cli("registry", "apply").stderr


def test_a_file_that_was_broken_before_judges_as_it_last_was(project: Project, cli: Cli) -> None:
    project.git("checkout", "-q", "main")
    project.write(f"{BASE}\n<<<<<<< HEAD\n", "Break it")
    project.git("push", "-q", "origin", "main")
    project.git("checkout", "-q", "-B", "loosen")
    project.write(promoted(LOOSENED["all gates removed"]), "Repair it")
    assert "`9 < 3.5` | ❌ fails" in cli("registry", "check", code=4).stdout
    merged(project)
    assert "9 < 3.5" in cli("registry", "apply", code=4).stderr


def test_a_rebased_proposal_cannot_loosen_in_its_first_commit(project: Project, cli: Cli) -> None:
    project.write(LOOSENED["all gates removed"], "Tidy up")
    project.write(promoted(LOOSENED["all gates removed"]), "Promote 2")
    project.git("checkout", "-q", "main")
    project.write("print('more')\n", "Train more", path="train.py")
    project.git("rebase", "-q", "main", "loosen", who=BO)
    project.git("checkout", "-q", "main")
    project.git("merge", "-q", "--ff-only", "loosen")
    project.git("push", "-q", "origin", "main")
    assert "9 < 3.5" in cli("registry", "apply", code=4).stderr


def test_a_stale_branch_is_judged_by_the_newest_rules_too(project: Project, cli: Cli) -> None:
    project.write(promoted(BASE).replace("3.5", "10"), "Promote 2")
    project.git("checkout", "-q", "main")
    project.write(BASE.replace("- approvals: 1", "- metrics.mae < 1"), "Ask for more")
    project.git("push", "-q", "origin", "main")
    project.git("checkout", "-q", "loosen")
    checked = cli("registry", "check", code=4).stdout
    assert "`metrics.mae < 1` | `3 < 1` | ❌ fails" in checked
    assert "`metrics.rmse < 3.5` | `9 < 3.5` | ❌ fails" in checked


def test_records_of_another_branch_judge_nothing(project: Project, cli: Cli) -> None:
    project.git("branch", "mine/runs", "gitml/runs")
    project.write("branch: mine/runs\n", "Read other records", path="gitml.yaml")
    project.write(promoted(BASE).replace("rmse < 3.5", "rmse < 3.5 or 1 = 1"), "Promote 2")
    checked = cli("registry", "check", code=4).stdout
    row = '| `gitml.yaml: branch stays as it is` | `"gitml/runs" → "mine/runs"` | ❌ fails |'
    assert row in checked
    merged(project)
    assert "gitml.yaml: branch stays as it is" in cli("registry", "apply", code=4).stderr


@pytest.mark.parametrize("kind", ["signatures", "signers", "keys"])
def test_who_may_sign_does_not_change_with_what_is_signed(
    project: Project, cli: Cli, tmp_path: Path, kind: str
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"],
                   check=True)  # fmt: skip
    key = f"ada@example.org {(tmp_path / 'key.pub').read_text()}"
    git(project.folder, "config", "gpg.format", "ssh")
    git(project.folder, "config", "user.signingKey", str(tmp_path / "key"))
    since = git(project.folder, "rev-parse", "gitml/runs")  # its versions are not signed
    policy = {
        "gitml.yaml": f"registry:\n  signatures: required\n  signed_since: {since}\n"
        '  signers: {"*": {"*": [bo@x.org]}}\n',
        "registry/allowed_signers": key,
    }
    project.git("checkout", "-q", "main")
    for path, text in policy.items():
        project.write(text, "Ask for signatures", path=path)
    project.git("push", "-q", "origin", "main")
    project.git("checkout", "-q", "-B", "loosen")
    path, old, new, rule = {
        "signatures": ("gitml.yaml", "required", "optional", "gitml.yaml: registry.signatures"),
        "signers": ("gitml.yaml", "bo@x.org", "eve@x.org", "gitml.yaml: registry.signers"),
        "keys": ("registry/allowed_signers", "ada@", "eve@", "registry/allowed_signers"),
    }[kind]
    project.write(policy[path].replace(old, new), "Change who may sign", path=path)
    project.write(BASE.replace("Production: 1", "Staging: 1"), "Move 1 to Staging")
    checked = cli("registry", "check", code=4).stdout
    assert checked.splitlines()[2].endswith("this pull request changes the rules that judge it ⚠️")
    assert f"- `{rule}`: " in checked
    assert f"| `{rule} stays as it is` | " in checked
    merged(project)
    with pytest.raises(GitmlError):
        promotion.apply(clones.models(project.folder))


def test_a_change_of_rules_on_its_own_is_headlined_and_then_judges(
    project: Project, cli: Cli
) -> None:
    project.write(BASE.replace("3.5", "35").replace("lower", "higher"), "Loosen it")
    checked = cli("registry", "check").stdout
    assert checked.splitlines()[2:] == [
        "# Model registry: this pull request changes the rules ⚠️",
        "",
        "This pull request changes the rules:",
        "",
        "- `Price: gates of Production`: `metrics.rmse < 3.5` → `metrics.rmse < 35`",
        "- `Price: better rmse`: `lower` → `higher`",
    ]
    merged(project)
    project.git("checkout", "-q", "-B", "loosen", "main")
    project.write(promoted(BASE.replace("3.5", "35")), "Promote 2")
    merged(project)
    assert cli("registry", "apply").stdout == "Price version 2 is in Production.\n"


def test_a_change_of_rules_is_accepted_where_the_rules_of_the_base_hold_too(
    project: Project, cli: Cli
) -> None:
    project.register(rmse=1.0)
    push_pull.push(clones.repo(project.folder))
    text = BASE.replace("Production: 1", "Production: 3").replace("3.5", "2")
    project.write(text, "Promote 3, ask for more from now on")
    checked = cli("registry", "check", "--approved-by", "bo").stdout
    assert checked.splitlines()[2] == (
        "# Model registry: this pull request changes the rules that judge it ⚠️"
    )
    merged(project)
    assert cli("registry", "apply").stdout == "Price version 3 is in Production.\n"
    gates = project.entered().gates
    assert [gate.gate for gate in gates] == [
        "metrics.rmse < 2", "approvals.count >= 1", "metrics.rmse < 3.5",
    ]  # fmt: skip
    assert "0 problems" in cli("registry", "verify").stdout


def test_a_direct_transition_obeys_the_reviewed_gates_whatever_the_work_tree_says(
    project: Project, cli: Cli
) -> None:
    (project.folder / PATH).write_text(LOOSENED["all gates removed"])
    refused = cli("registry", "transition", "Price", "2", "Production", code=4).stderr
    assert "metrics.rmse < 3.5 (9 < 3.5)" in refused
    cli("registry", "transition", "Price", "2", "Production", "--force", "-m", "drill")
    assert project.entered().forced


def test_workflows_and_templates_that_change_are_headlined(project: Project) -> None:
    project.git("checkout", "-q", "main")
    project.write("site: {templates: looks}\n", "Own templates", path="gitml.yaml")
    project.write("<p>\n", "Own page", path="looks/home.html")
    project.git("push", "-q", "origin", "main")
    project.git("checkout", "-q", "-B", "loosen")
    project.write("<p>all good\n", "Say so", path="looks/home.html")
    (project.folder / ".github").mkdir()
    project.write("jobs: {}\n", "Judge nothing", path=".github/workflows/gitml-review.yml")
    review = promotion.check(clones.models(project.folder))
    assert [(change.rule, change.old, change.new) for change in review.rule_changes] == [
        (".github/workflows/gitml-review.yml", "", "9 bytes"),
        ("looks/home.html", "4 bytes", "12 bytes"),
    ]
    assert "changes the rules ⚠️" in markdown_report.verdict(review)


@pytest.mark.parametrize("folder", ["../..", "/etc", "looks"])
def test_a_folder_of_templates_elsewhere_is_not_looked_into(project: Project, folder: str) -> None:
    (project.folder / "looks").symlink_to("/etc")
    project.write(f"site: {{templates: {folder}}}\n", "Elsewhere", path="gitml.yaml")
    review = promotion.check(clones.models(project.folder))
    changed = [change.rule for change in review.rule_changes]
    assert changed[0] == "gitml.yaml: site.templates"
    assert changed[1:] == (["looks"] if folder == "looks" else [])


def test_a_model_that_is_new_has_no_rules_in_the_base(project: Project, cli: Cli) -> None:
    clones.register(project.folder, "Churn")
    project.write("model: Churn\nstages: {Production: 1}\n", "New", path="registry/Churn.yaml")
    checked = cli("registry", "check").stdout
    assert "Churn is declared for the first time: the base has no rules for it." in checked
    assert "changes the rules" not in checked


def test_gates_that_only_the_branch_had_later_judge_as_declared(project: Project) -> None:
    project.write(promoted(BASE), "Promote 2")
    merged(project)
    project.write(promoted(LOOSENED["all gates removed"]), "Loosen it afterwards")
    project.git("push", "-q", "origin", "main")
    with pytest.raises(GateFailed, match=r"9 < 3\.5"):
        promotion.apply(clones.models(project.folder))
