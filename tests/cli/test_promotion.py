"""Promotion by review, on a real clone with a bare remote."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from pathlib import Path

import gto.api
import pytest
import yaml

import gitml
from gitml.entities import Dataset
from gitml.publishing import dashboard
from gitml.registry import resolve
from gitml.registry.promotion import markdown_report, verify
from gitml.repository import Repository
from gitml.sharing import push_pull
from tests.cli.conftest import Cli, loaded, log_model, log_run, refs
from tests.conftest import git

GATES = """\
# What is live.
model: Price
stages:
  Staging: null
gates:
  Production:
    - metrics.rmse < 3.5
    - metrics.rmse <= 0.98 * production.metrics.rmse  # must beat the incumbent
"""


@pytest.fixture
def team(cli: Cli, repository: Path, tmp_path: Path) -> Path:
    """The bare remote of a clone with three registered versions and declared gates."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(repository, "remote", "add", "origin", str(remote))
    for rmse in (3.0, 2.0, 2.5):
        uri = log_model(repository, log_run(repository, rmse=rmse))
        cli("registry", "register", uri, "Price")
    (repository / "registry").mkdir()
    (repository / "registry" / "Price.yaml").write_text(GATES)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Declare gates")
    git(repository, "push", "-q", "-u", "origin", "main")
    cli("push")
    return remote


def merge(repository: Path, branch: str, number: int) -> None:
    """Merge a proposal as a host does: somebody else, with a message that names the request."""
    git(repository, "-c", "user.name=Bo Reviewer", "merge", "-q", "--no-ff", branch,
        "-m", f"Merge pull request #{number} from team/{branch}")  # fmt: skip
    git(repository, "push", "-q", "origin", "main")


def promote(cli: Cli, repository: Path, version: str, number: int) -> None:
    cli("registry", "propose", "Price", version, "Production", "-m", f"why {number}")
    merge(repository, f"promote/Price-v{version}-production", number)
    cli("registry", "apply", "--push")


@pytest.mark.slow
def test_a_promotion_is_proposed_reviewed_merged_and_applied(
    cli: Cli, repository: Path, team: Path
) -> None:
    (repository / "train.py").write_text("print('being edited')\n")
    before = git(repository, "status", "--porcelain"), git(repository, "rev-parse", "HEAD")
    made = loaded(
        cli("registry", "propose", "Price", "1", "production", "-m", "3.0 is fine", "--json")
    )
    assert made["branch"] == "promote/Price-v1-production"
    assert before == (
        git(repository, "status", "--porcelain"), git(repository, "rev-parse", "HEAD"),
    )  # fmt: skip
    assert git(team, "diff", "--stat=80", "main", made["branch"]).splitlines()[-1] == (
        " 1 file changed, 1 insertion(+)"
    )
    text = git(team, "show", f"{made['branch']}:registry/Price.yaml")
    assert text + "\n" == GATES.replace("Staging: null\n", "Staging: null\n  Production: 1\n")
    again = cli("registry", "propose", "Price", "1", "Production", "-m", "x", code=1)
    assert "promote/Price-v1-production is on 'origin' already" in again.stderr

    git(repository, "checkout", "-q", "--", "train.py")
    merge(repository, made["branch"], 7)
    applied = loaded(cli("registry", "apply", "--push", "--json"))
    assert applied["done"] == ["Price version 1 is in Production."]
    assert applied["pushed"] == ["Price#Production#1"]
    event = loaded(cli("registry", "history", "Price", "--json"))[-1]["detail"]
    assert event["reason"] == "3.0 is fine"
    assert event["merged_by"].startswith("Ada Example <")
    assert event["pull_request"] == "#7"
    assert event["merge_commit"] == git(repository, "rev-parse", "HEAD")
    assert [gate["measured"] for gate in event["gates"]] == [
        "3 < 3.5", "3 <= 0.98 * (nothing live)",
    ]  # fmt: skip

    blamed = cli("blame", "models:/Price/Production").stdout
    for text in (
        r"Reason: +3\.0 is fine",
        r"Merged by: +Ada Example <",
        r"Pull request: +#7",
        rf"Merge commit: +{event['merge_commit']}",
        r"holds: metrics\.rmse < 3\.5 \(3 < ",
    ):
        assert re.search(text, blamed)

    unchanged = refs(repository), refs(team)
    assert (
        cli("registry", "apply", "--push").stderr
        == "Nothing to apply: the tags match registry/*.yaml.\n"
    )
    assert (refs(repository), refs(team)) == unchanged
    live = cli("registry", "propose", "Price", "1", "Production", "-m", "x", code=2)
    assert "declares version 1 for Production already" in live.stderr
    assert "It is live" in live.stderr


@pytest.mark.slow
def test_the_report_shows_candidate_beside_incumbent(
    cli: Cli, repository: Path, team: Path, tmp_path: Path
) -> None:
    promote(cli, repository, "1", 1)
    git(repository, "remote", "set-url", "--push", "origin", str(team))
    cli("registry", "propose", "Price", "2", "Production", "-m", "better")
    git(repository, "checkout", "-q", "promote/Price-v2-production")

    text = cli("registry", "check", "--output", str(tmp_path / "report.md")).stdout
    assert text == (tmp_path / "report.md").read_text()
    assert text.splitlines()[:3] == [
        markdown_report.MARKER,
        "",
        "# Model registry: all gates hold ✅",
    ]
    assert "## `Price` version 2 → Production (now version 1)" in text
    assert "| `metrics.rmse < 3.5` | `2 < 3.5` | ✅ holds |  |" in text
    assert "| `rmse` ↓ | `2` | `3` | -1 (-33.3%) | 🟢 better |" in text
    assert "↓ lower is better, as a gate says: `rmse`" in text
    assert "<summary>History of Production</summary>" in text
    report = loaded(cli("registry", "check", "--base", "main", "--json"))
    (change,) = report["changes"]
    assert (report["holds"], change["version"], change["incumbent"]) == (True, 2, 1)
    assert change["metrics"] == [
        {
            "metric": "rmse", "candidate": 2.0, "incumbent": 3.0, "difference": -1.0,
            "better": "lower", "better_from": "gate", "outcome": "better",
        }
    ]  # fmt: skip
    assert change["candidate"]["files"] == 2
    assert change["size_difference"] == 0
    assert [(entry["version"], entry["reason"]) for entry in change["history"]] == [(1, "why 1")]

    cli("registry", "check", "--base", "main", "--output", str(tmp_path / "report"))
    written = {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()}
    stem = "Price-v2-production-differences"
    assert set(written) == {"report.md", "report.json", f"{stem}.svg", f"{stem}.png"}
    assert written["report.md"].decode() == text
    assert json.loads(written["report.json"]) == report
    assert b"Version 2 compared with version 1" in written[f"{stem}.svg"]
    assert written[f"{stem}.png"].startswith(b"\x89PNG")
    nowhere = cli("registry", "report", "Price", "2", "--output", "train.py/x", code=2)
    assert "Cannot write the report to train.py/x" in nowhere.stderr


@pytest.mark.slow
def test_a_failing_gate_fails_check_and_apply_and_changes_nothing(
    cli: Cli, repository: Path, team: Path
) -> None:
    promote(cli, repository, "2", 1)
    cli("registry", "propose", "Price", "3", "Production", "-m", "hope")
    git(repository, "checkout", "-q", "promote/Price-v3-production")
    failed = cli("registry", "check", code=4)
    assert "# Model registry: 1 gate fails ❌" in failed.stdout
    assert "`2.5 <= 0.98 * 2` | ❌ fails" in failed.stdout

    git(repository, "checkout", "-q", "main")
    merge(repository, "promote/Price-v3-production", 2)
    before = refs(team)
    assert "does not meet a gate of Production" in cli("registry", "apply", code=4).stderr
    assert refs(team) == before


@pytest.mark.slow
def test_a_rollback_brings_the_previous_version_back(
    cli: Cli, repository: Path, team: Path
) -> None:
    none = cli("registry", "rollback", "Price", "Production", "-m", "oops", code=3)
    assert "No other version of 'Price' was in Production before." in none.stderr
    promote(cli, repository, "1", 1)
    promote(cli, repository, "2", 2)

    files = repository / ".git" / "gitml" / "remote"
    shutil.move(files, files.with_name("gone"))
    lost = cli("registry", "rollback", "Price", "Production", "-m", "oops", code=1)
    assert "Price version 1 lacks 2 of its files" in lost.stderr
    assert "promote/Price-v1-production-2" not in git(team, "branch", "--list")
    shutil.rmtree(files, ignore_errors=True)
    shutil.move(files.with_name("gone"), files)

    made = loaded(cli("registry", "rollback", "Price", "Production", "-m", "oops", "--json"))
    assert (made["version"], made["branch"]) == (1, "promote/Price-v1-production-2")
    merge(repository, made["branch"], 3)
    assert loaded(cli("registry", "apply", "--push", "--json"))["done"] == [
        "Price version 1 is in Production."
    ]
    versions = loaded(cli("registry", "show", "Price", "--json"))["versions"]
    assert [(version["version"], version["current_stage"]) for version in versions] == [
        (3, "None"), (2, "Archived"), (1, "Production"),
    ]  # fmt: skip
    event = loaded(cli("registry", "history", "Price", "--json"))[-1]["detail"]
    assert [gate["holds"] for gate in event["gates"]] == [True, True]
    assert event["gates"][1]["note"].startswith("waived")


@pytest.mark.slow
def test_a_revert_of_the_merge_rolls_back_too_and_a_colleague_loads_the_old_model(
    cli: Cli, repository: Path, team: Path, tmp_path: Path
) -> None:
    promote(cli, repository, "1", 1)
    promote(cli, repository, "2", 2)
    git(tmp_path, "clone", "-q", str(team), "colleague")
    client = gitml.MlflowClient(tmp_path / "colleague")

    def live() -> str:
        push_pull.pull(client.repository)
        model = resolve.local_path("models:/Price/Production", client) / "MLmodel"
        return str(yaml.safe_load(model.read_text())["run_id"])

    runs = {n: client.get_model_version("Price", n).run_id for n in (1, 2)}
    assert live() == runs[2]
    git(repository, "revert", "-m", "1", "--no-edit", "HEAD")
    git(repository, "push", "-q", "origin", "main")

    assert cli("registry", "apply", "--push").stdout == "Price version 1 is in Production.\n"
    assert live() == runs[1]


def declare_the_previous_version(cli: Cli, repository: Path, aliases: str) -> None:
    """Promote versions 1 and 2, then revert the second and name aliases; nothing applied yet."""
    for version in ("1", "2"):
        promote(cli, repository, version, int(version))
    declared = repository / "registry" / "Price.yaml"
    git(repository, "revert", "-m", "1", "--no-edit", "HEAD")
    declared.write_text(f"{declared.read_text()}aliases: {aliases}\n")
    git(repository, "commit", "-q", "-am", "Back, and name them")
    git(repository, "push", "-q", "origin", "main")


@pytest.mark.slow
def test_more_than_three_tags_are_pushed_with_the_trigger_last(
    cli: Cli, repository: Path, team: Path
) -> None:
    declare_the_previous_version(cli, repository, "{best: 1, newest: 2, other: 3}")
    log = team / "pushes"
    hook = team / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\necho push >> {log}\ncut -d' ' -f3 >> {log}\n")
    hook.chmod(0o755)

    cli("registry", "apply", "--push")
    pushes = [part.split() for part in log.read_text().split("push\n")[1:]]
    names = [[ref.rpartition("#")[0] for ref in push if "tags" in ref] for push in pushes]
    assert [[ref.removeprefix("refs/tags/Price#") for ref in push] for push in names] == [
        ["Archived!"],
        ["Production!", "Archived", "Production"],
        ["alias/best", "alias/newest", "alias/other"],
    ]
    assert all("refs/heads/gitml/runs" in push for push in pushes)
    assert "0 problems" in cli("registry", "verify").stdout


@pytest.mark.slow
def test_a_push_refused_midway_shows_no_half_promotion_and_can_be_repeated(
    cli: Cli, repository: Path, team: Path, tmp_path: Path
) -> None:
    declare_the_previous_version(cli, repository, "{best: 1, newest: 2}")
    hook = team / "hooks" / "update"
    seen = []
    for refused in ("Archived!", "Production!", "Archived#", "Production#", "alias/newest"):
        hook.write_text(f'#!/bin/sh\n! echo "$1" | grep -qF "tags/Price#{refused}"\n')
        hook.chmod(0o755)
        assert "`git push` failed for remote" in cli("registry", "apply", "--push", code=1).stderr
        seen.append(live_on(team))
    assert seen == [
        {"Production": [2], "Archived": [1]},
        *[{"Production": [2]}] * 3,  # the one that enters left Archived before
        {"Production": [1], "Archived": [2]},
    ]

    hook.unlink()
    assert cli("registry", "apply", "--push").stdout == ""  # declared already, only not sent
    assert live_on(team) == {"Production": [1], "Archived": [2]}
    git(tmp_path, "clone", "-q", str(team), "fresh")
    assert verify(gitml.MlflowClient(tmp_path / "fresh").registry).faults == ()


def live_on(team: Path) -> dict[str, list[int]]:
    """Which versions stock GTO's rules put where, by the tags that the remote has."""
    versions = gto.api.show(str(team), name="Price", versions_per_stage=-1)
    stages: dict[str, list[int]] = {}
    for version in versions:
        for entry in version["stages"]:
            if not entry["stage"].startswith("alias/"):
                number = int(version["version"][1:].split(".")[0])
                stages.setdefault(entry["stage"], []).append(number)
    return stages


@pytest.mark.slow
def test_a_stale_clone_does_not_apply(cli: Cli, repository: Path, team: Path) -> None:
    old = git(repository, "rev-parse", "HEAD")
    promote(cli, repository, "1", 1)
    git(repository, "checkout", "-q", old)

    stale = cli("registry", "apply", code=1)
    assert "origin/main declares something else" in stale.stderr


@pytest.mark.slow
def test_unknown_versions_are_named_with_file_and_line(
    cli: Cli, repository: Path, team: Path
) -> None:
    (repository / "registry" / "Price.yaml").write_text("model: Price\nstages:\n  Production: 9\n")

    wrong = cli("registry", "check", code=2)
    assert "registry/Price.yaml, line 3: Model 'Price' has no version 9." in wrong.stderr
    assert "Revision 'nowhere' does not exist" in cli(
        "registry", "check", "--base", "nowhere", code=2
    ).stderr  # fmt: skip


@pytest.mark.slow
def test_a_pull_request_is_opened_with_gh_where_it_is_present(
    cli: Cli, repository: Path, team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://github.com/team/prices"
    git(repository, "config", f"url.{team}.insteadOf", url)
    git(repository, "remote", "set-url", "origin", url)
    printed = cli("registry", "propose", "Price", "1", "Production", "-m", "good").stdout
    assert printed.splitlines()[1] == (
        "Open the pull request at "
        "https://github.com/team/prices/compare/main...promote/Price-v1-production?expand=1"
    )

    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho {url}/pull/9\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    printed = cli("registry", "propose", "Price", "2", "Staging", "-m", "try").stdout
    assert printed.splitlines()[1] == f"Review it at {url}/pull/9"
    assert (tmp_path / "asked").read_text() == (
        "pr create --head promote/Price-v2-staging --base main "
        "--title Promote Price version 2 to Staging --body try\n"
    )


@pytest.mark.slow
def test_a_shallow_clone_finds_out_who_merged(
    cli: Cli, repository: Path, team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("registry", "propose", "Price", "1", "Production", "-m", "fine")
    merge(repository, "promote/Price-v1-production", 5)
    merged = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "-q", "--allow-empty", "-m", "Something else")
    git(repository, "push", "-q", "origin", "main")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{team}", "ci")
    monkeypatch.chdir(tmp_path / "ci")

    cli("registry", "apply", "--push")
    event = loaded(cli("registry", "history", "Price", "--json"))[-1]["detail"]
    assert (event["merge_commit"], event["reason"]) == (merged, "fine")


@pytest.mark.slow
def test_a_push_rejected_midway_is_repeated_without_a_half_promotion(
    cli: Cli, repository: Path, team: Path
) -> None:
    cli("registry", "propose", "Price", "1", "Production", "-m", "fine")
    merge(repository, "promote/Price-v1-production", 5)
    declared = repository / "registry" / "Price.yaml"
    declared.write_text(declared.read_text() + "aliases: {a: 1, b: 2, c: 3}\n")
    git(repository, "commit", "-q", "-am", "Name them")
    git(repository, "push", "-q", "origin", "main")
    hook = team / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in *Production*) exit 1;; esac\n')
    hook.chmod(0o755)

    cli("registry", "apply", "--push", code=1)
    assert git(team, "tag").splitlines() == ["Price@v1.0.0", "Price@v2.0.0", "Price@v3.0.0"]
    hook.unlink()
    again = loaded(cli("registry", "apply", "--push", "--json"))
    assert (again["done"], again["pushed"]) == (
        [], ["Price#Production#1", "Price#alias/a#2", "Price#alias/b#3", "Price#alias/c#4"],
    )  # fmt: skip


def test_a_forced_incumbent_stays_visible_in_the_report(cli: Cli, repository: Path) -> None:
    for rmse in (9.0, 1.0):
        uri = log_model(repository, log_run(repository, rmse=rmse))
        cli("registry", "register", uri, "Price")
    (repository / "registry").mkdir()
    (repository / "registry" / "Price.yaml").write_text(GATES)
    cli("registry", "transition", "Price", "1", "Production", "--force", "-m", "fire @drill")

    text = cli("registry", "report", "Price", "2").stdout
    assert "⚠️ Version 1 was forced past its gates: `fire @drill`" in text
    report = loaded(cli("registry", "report", "Price", "2", "--json"))
    assert report["changes"][0]["incumbent_forced"] == "fire @drill"
    assert "# Model registry: no gates are declared" in cli(
        "registry", "report", "Price", "2", "Staging"
    ).stdout  # fmt: skip


def test_report_escapes_markup_in_texts(cli: Cli, repository: Path) -> None:
    client = gitml.MlflowClient(repository)
    run_id = log_run(repository, "`<img src=x>` | @team")
    client.log_param(run_id, "evil", "a | `b` <script> @team\n# x")
    cli("registry", "register", log_model(repository, run_id), "Price")

    lines = cli("registry", "report", "Price", "1").stdout.splitlines()
    (line,) = [line for line in lines if "evil" in line]
    assert line == "| `evil` | ``a \\| `b` <script> @team # x`` | – |"


def test_apply_empties_a_stage_declared_empty_once(cli: Cli, repository: Path) -> None:
    cli("registry", "register", log_model(repository, log_run(repository)), "Price")
    cli("registry", "transition", "Price", "1", "Production")
    cli("registry", "alias", "set", "Price", "best", "1")
    folder = repository / "registry"
    folder.mkdir()
    for name in ("Price", "Unknown"):
        (folder / f"{name}.yaml").write_text(
            f"model: {name}\nstages: {{Production: null}}\naliases: {{best: null}}\n"
        )
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Empty it")

    assert cli("registry", "apply").stdout.splitlines() == [
        "Price version 1 left Production.", "Price alias best is removed.",
    ]  # fmt: skip
    assert cli("registry", "apply").stderr == "Nothing to apply: the tags match registry/*.yaml.\n"


def test_apply_archives_declared_versions_beside_others(cli: Cli, repository: Path) -> None:
    uri = log_model(repository, log_run(repository))
    for version in ("1", "2"):
        cli("registry", "register", uri, "Price")
        cli("registry", "transition", "Price", version, "Archived")
    (repository / "registry").mkdir()
    (repository / "registry" / "Price.yaml").write_text("model: Price\nstages: {Archived: 1}\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Archive")

    assert cli("registry", "apply").stderr == "Nothing to apply: the tags match registry/*.yaml.\n"


@pytest.mark.slow
def test_approvals_come_from_the_workflow_or_from_trailers_of_the_merge(
    cli: Cli, repository: Path, team: Path
) -> None:
    declared = repository / "registry" / "Price.yaml"
    declared.write_text("model: Price\ngates: {Production: [approvals: 1, approvals: [bo]]}\n")
    git(repository, "commit", "-q", "-am", "Ask for approvals")
    git(repository, "push", "-q", "origin", "main")
    refused = cli("registry", "transition", "Price", "1", "Production", code=4)
    assert "approvals.count >= 1 (0 >= 1) – nobody approved yet" in refused.stderr

    cli("registry", "propose", "Price", "1", "Production", "-m", "fine")
    git(repository, "checkout", "-q", "promote/Price-v1-production")
    assert "# Model registry: 2 gates wait for approval ⏳" in cli("registry", "check").stdout
    waiting = loaded(cli("registry", "check", "--approved-by", "cy", "--json"))["changes"][0]
    assert [(gate["holds"], gate["pending"]) for gate in waiting["gates"]] == [
        (True, False), (False, True),
    ]  # fmt: skip
    git(repository, "checkout", "-q", "main")
    merge(repository, "promote/Price-v1-production", 7)
    assert "nobody approved yet" in cli("registry", "apply", code=4).stderr
    git(repository, "commit", "-q", "--allow-empty", "-m", "Something else")
    git(repository, "push", "-q", "origin", "main")
    # Whoever approved this commit has not approved the one before.
    assert "nobody" in cli("registry", "apply", "--approved-by", "Bo", code=4).stderr

    git(repository, "reset", "-q", "--hard", "HEAD~1")
    git(repository, "push", "-q", "--force", "origin", "main")
    cli("registry", "apply", "--approved-by", "Bo", "--push")
    event = loaded(cli("registry", "history", "Price", "--json"))[-1]["detail"]
    assert (event["approved_by"], event["approvals_from"]) == (["Bo"], "workflow")

    cli("registry", "propose", "Price", "2", "Production", "-m", "better")
    branch = "promote/Price-v2-production"
    git(repository, "merge", "-q", "--no-ff", branch, "-m", "Merge\n\nApproved-by: Bo <b@x.org>")
    git(repository, "push", "-q", "origin", "main")
    cli("registry", "apply", "--push")
    event = loaded(cli("registry", "history", "Price", "--json"))[-1]["detail"]
    assert (event["approved_by"], event["approvals_from"]) == (["Bo <b@x.org>"], "trailers")
    assert [gate["measured"] for gate in event["gates"]] == ["1 >= 1", "true"]
    assert "approved by Bo <b@x.org>)  better" in cli("registry", "history", "Price").stdout
    first, second = loaded(cli("registry", "show", "Price", "--json"))["stages"]["Production"]
    assert (first["approved_by"], second["approvals_from"]) == (["Bo"], "trailers")


def test_gates_read_evaluations_and_signatures(cli: Cli, repository: Path) -> None:
    client = gitml.MlflowClient(repository)
    run_id = log_run(repository)
    for digest, context in (("d1", "train"), ("d2", "eval")):
        client.log_inputs(run_id, [Dataset(name="cars", digest=digest, context=context)])
    cli("registry", "register", log_model(repository, run_id), "Price")
    (repository / "registry").mkdir()
    (repository / "registry" / "Price.yaml").write_text(
        "model: Price\ngates:\n  Production:\n"
        "  - dataset: {name: cars, digest: d2}\n  - dataset: {name: cars, digest: d1}\n"
        "  - signature: required\n  - source: clean\n"
    )
    gates = loaded(cli("registry", "report", "Price", "1", "--json"))["changes"][0]["gates"]
    assert [(gate["measured"], gate["holds"]) for gate in gates] == [
        ("'d2' = 'd2'", True),
        ("'d2' = 'd1'", False),
        ("(missing) is not null and (missing) is not null", False),
        ("false = false", True),
    ]


@pytest.mark.slow
def test_the_dashboard_shows_open_and_decided_promotions(
    cli: Cli, repository: Path, team: Path, tmp_path: Path
) -> None:
    promote(cli, repository, "1", 1)
    opened = Repository.open(repository)
    state = dashboard.fingerprint(opened)
    cli("registry", "propose", "Price", "2", "Production", "-m", "better <b>")
    git(repository, "remote", "set-url", "origin", "https://github.com/team/prices")
    assert dashboard.fingerprint(opened) != state

    dashboard.build_site(opened, tmp_path / "site")
    pages = {
        path.relative_to(tmp_path / "site").as_posix(): html.unescape(path.read_text())
        for path in (tmp_path / "site").rglob("*.html")
    }
    (waiting,) = [text for text in pages.values() if "Open promotion<" in text]
    assert "version 2 to Production</bdi></a>" in pages["index.html"]
    assert "better <b>" in waiting and "Review the pull request" in waiting
    assert "2 <= 0.98 * 3" in waiting
    (decided,) = [text for text in pages.values() if ">Promotion<" in text]
    assert "https://github.com/team/prices/pull/1" in decided and "why 1" in decided
    assert "3 <= 0.98 * (nothing live)" in decided
    versions = [name for name in pages if name[-6:] in ("1.html", "2.html", "3.html")]
    assert len([name for name in versions if name.startswith("models/")]) >= 3
    (second,) = [pages[name] for name in pages if name.endswith("/2.html")]
    assert "If it were proposed for Production now" in second
    again = dashboard.build_site(opened, tmp_path / "site")
    assert again.written == 0
