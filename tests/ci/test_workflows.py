"""The workflows that ``gitml init --ci`` writes: linted, and never put over one's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Cli, loaded
from tests.conftest import git

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ZIZMOR = ("--offline", "--no-progress", "--config", str(ROOT / ".github" / "zizmor.yml"))
NAMES = ("dashboard", "records", "registry", "release", "review")


def lint(program: str, *args: str, folder: Path) -> None:
    """Run a linter; shellcheck is found beside it."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [BIN / program, *args], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


REMOTES = ("", "s3://bucket/path", "gs://bucket/path", "azure://container/path",
           "ssh://host.example.org/path")  # fmt: skip


def set_remote(repository: Path, url: str) -> None:
    """Let the branch name a remote, without asking it anything."""
    if url:
        text = f"[core]\n    remote = gitml\n['remote \"gitml\"']\n    url = {url}\n"
        blob = git(repository, "hash-object", "-w", "--stdin", stdin=text)
        tree = git(repository, "mktree", stdin=f"100644 blob {blob}\tconfig\n")
        root = git(repository, "mktree", stdin=f"040000 tree {tree}\t.dvc\n")
        commit = git(repository, "commit-tree", root, "-m", "remote")
        git(repository, "update-ref", "refs/heads/gitml/runs", commit)


def workflows(folder: Path) -> dict[str, Any]:
    """The files, read as YAML 1.1 does, which takes the key `on` for a truth."""
    files = (folder / ".github" / "workflows").glob("*.yml")
    return {path.stem.removeprefix("gitml-"): yaml.safe_load(path.read_text()) for path in files}


@pytest.mark.skipif(sys.platform != "linux", reason="actionlint's package has no other binaries")
@pytest.mark.parametrize("url", REMOTES)
def test_linters_report_nothing_whatever_the_remote_is(
    cli: Cli, repository: Path, url: str
) -> None:
    set_remote(repository, url)
    cli("init", "--ci", "github")

    folder = repository / ".github" / "workflows"
    lint("actionlint", *map(str, sorted(folder.glob("*.yml"))), folder=repository)
    lint("zizmor", *ZIZMOR, str(folder), folder=repository)
    signed_in = {
        name
        for name, workflow in workflows(repository).items()
        for job in workflow["jobs"].values()
        for step in job.get("steps", ())
        if step.get("name", "").startswith("Sign in")
    }
    assert signed_in == ({"dashboard", "release"} if url else set())


def test_linters_report_nothing_on_our_own_workflows(repository: Path) -> None:
    folder = ROOT / ".github" / "workflows"
    lint("actionlint", *map(str, folder.glob("*.yml")), folder=repository)
    lint("zizmor", *ZIZMOR, str(folder), folder=repository)


@pytest.mark.parametrize("url", REMOTES)
def test_gitlab_takes_the_files(cli: Cli, repository: Path, url: str) -> None:
    set_remote(repository, url)
    cli("init", "--ci", "gitlab")

    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    lint("check-jsonschema", *schema, ".gitlab-ci.yml", ".gitlab/gitml.yml", folder=repository)
    jobs = yaml.safe_load((repository / ".gitlab" / "gitml.yml").read_text())
    for name, job in jobs.items():
        script = "\n".join([*job.get("before_script", ()), *job.get("script", ())])
        (repository / f"{name.strip('.')}.sh").write_text(f"#!/bin/bash\n{script}\n")
    scripts = [*repository.glob("*.sh"), *(ROOT / "examples").glob("*.sh")]
    lint("shellcheck", *map(str, scripts), folder=repository)


def test_actions_are_pinned_by_commit_with_their_version_beside() -> None:
    files = [*(ROOT / "gitml" / "ci").rglob("*.yml"), *(ROOT / ".github/workflows").glob("*.yml")]
    uses = [line.strip() for path in files for line in path.read_text().splitlines()
            if "uses: " in line and "uses: ./" not in line]  # fmt: skip

    assert len(uses) > 15
    assert [line for line in uses if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
    assert len({line.split("uses: ")[1] for line in uses}) == len(
        {line.split("uses: ")[1].partition("@")[0] for line in uses}
    ), "one commit for each action"


def test_a_required_review_runs_for_every_pull_request(cli: Cli, repository: Path) -> None:
    cli("init", "--ci", "github")
    events = workflows(repository)["review"][True]

    assert sorted(events) == ["merge_group", "pull_request", "pull_request_review"]
    assert events["pull_request"] is None and events["merge_group"] is None


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_doctor_reports_workflows_that_do_not_install_what_the_remote_needs(
    cli: Cli, repository: Path, host: str
) -> None:
    def finding() -> list[dict[str, str]]:
        return [entry for entry in json.loads(cli("doctor", "--json", code=None).stdout)["checks"]
                if entry["check"] == "workflows"]  # fmt: skip

    cli("init", "--ci", host)
    assert finding() == []

    set_remote(repository, REMOTES[1])
    (report,) = finding()
    assert report["fix"] == f"gitml init --ci {host} --force"
    assert "gitml is installed without what s3://bucket/path needs" in report["message"]
    cli("init", "--ci", host, "--force")
    assert finding() == []


def test_every_job_has_the_least_permissions_and_a_time_limit(cli: Cli, repository: Path) -> None:
    cli("init", "--ci", "github")
    written = workflows(repository)

    assert sorted(written) == sorted(NAMES)
    granted = {
        f"{name}/{job}": set((definition.get("permissions") or {}).items())
        for name, workflow in written.items()
        for job, definition in workflow["jobs"].items()
    }
    assert granted == {
        "review/review": {("contents", "read"), ("pull-requests", "write")},
        "registry/apply": {("contents", "write"), ("pull-requests", "read")},
        "registry/release": {("contents", "write")},
        "registry/dashboard": {("contents", "read"), ("pages", "write"), ("id-token", "write")},
        "release/release": {("contents", "write")},
        "dashboard/build": {("contents", "read")},
        "dashboard/publish": {("pages", "write"), ("id-token", "write")},
        "records/dashboard": {("actions", "write")},
    }
    for workflow in written.values():
        assert workflow["permissions"] == {}
        assert "pull_request_target" not in workflow[True]
        for job in workflow["jobs"].values():
            assert "uses" in job or job["timeout-minutes"] <= 60


def test_our_demo_is_published_as_the_workflow_of_others_does(cli: Cli, repository: Path) -> None:
    cli("init", "--ci", "github")
    demo = yaml.safe_load((ROOT / ".github" / "workflows" / "demo.yml").read_text())
    written = workflows(repository)["dashboard"]

    assert demo["jobs"]["publish"] == written["jobs"]["publish"]
    assert demo["concurrency"] == written["concurrency"]


def test_names_of_branches_are_those_of_the_repository(cli: Cli, repository: Path) -> None:
    (repository / "gitml.yaml").write_text("branch: lab's\n")
    git(repository, "checkout", "-q", "-b", 'trunk-"x"')
    cli("init", "--ci", "github")
    files = workflows(repository)

    assert files["registry"][True]["push"]["branches"] == ['trunk-"x"']
    assert files["records"][True]["push"]["branches"] == ["lab's"]
    assert files["release"][True]["push"]["tags"] == ["**#Production#*"]
    assert git(repository, "show", "lab's:.github/workflows/gitml-records.yml") == (
        (repository / ".github" / "workflows" / "gitml-records.yml").read_text().strip()
    )


def test_a_second_time_changes_nothing_and_an_edit_is_not_overwritten(
    cli: Cli, repository: Path
) -> None:
    first = cli("init", "--ci", "github")
    assert "Wrote .github/workflows/gitml-review.yml." in first.stderr
    assert "gitml remote add" in first.stderr and "Pages" in first.stdout
    tip = git(repository, "rev-parse", "gitml/runs")
    assert "The workflows are up to date." in cli("init", "--ci", "github").stderr
    assert git(repository, "rev-parse", "gitml/runs") == tip
    assert loaded(cli("fsck", "--json"))["foreign"] == []

    edited = repository / ".github" / "workflows" / "gitml-review.yml"
    edited.write_text("name: mine\n")
    refused = cli("init", "--ci", "github", code=2)
    assert ".github/workflows/gitml-review.yml differs from what would be written" in refused.stderr
    assert edited.read_text() == "name: mine\n"
    assert "Wrote .github/workflows/gitml-review.yml." in cli(
        "init", "--ci", "github", "--force"
    ).stderr  # fmt: skip
    assert "--force needs --ci github or --ci gitlab" in cli("init", "--force", code=2).stderr


def test_init_prints_the_include_for_an_existing_gitlab_file(cli: Cli, repository: Path) -> None:
    own = repository / ".gitlab-ci.yml"
    own.write_text("test: {script: make test}\n")

    result = cli("init", "--ci", "gitlab", "--force")
    assert own.read_text() == "test: {script: make test}\n"
    assert "    include:\n      - project: $CI_PROJECT_PATH\n" in result.stdout
    own.write_text(f"{own.read_text()}include: [{{project: a/b, file: /.gitlab/gitml.yml}}]\n")
    assert "add this" not in cli("init", "--ci", "gitlab").stderr


def test_nothing_is_written_behind_a_link(cli: Cli, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository / ".github").symlink_to(tmp_path / "elsewhere")

    refused = cli("init", "--ci", "github", "--force", code=2)
    assert "lies behind a symbolic link" in refused.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_ci_options_outside_of_a_job_say_so(cli: Cli) -> None:
    for command in (("check", "--ci"), ("apply", "--ci")):
        assert (
            "works only in jobs of GitHub Actions and GitLab CI"
            in cli("registry", *command, code=2).stderr
        )
