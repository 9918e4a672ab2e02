"""A promotion from pull request to release and dashboard, by the written jobs' own shell steps."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitml.registry.promotion.markdown_report import MARKER
from tests.ci.git_server import serving as git_server_of
from tests.ci.host import TOKEN, Host, serving
from tests.ci.runner import Done, bash, checkout, environment, github_job, gitlab_job
from tests.cli.conftest import Cli, loaded, log_model, log_run
from tests.conftest import git

DECLARED = """\
model: Price
stages: {}  # nothing yet
gates:
  Production:
    - metrics.rmse < 3.5
    - approvals: 1
"""
SETTINGS = """\
registry:
  signatures: required
  signers: {"*": {"*": [ada@example.org]}}
"""


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as host:
        yield host


class Team:
    """A clone whose bare remote has workflows, two registered versions and declared gates."""

    def __init__(self, cli: Cli, clone: Path, scratch: Path, kind: str, host: Host) -> None:
        self.cli, self.clone, self.scratch, self.host = cli, clone, scratch, host
        self.remote = scratch / "remote.git"
        git(scratch, "init", "-q", "--bare", "-b", "main", str(self.remote))
        git(clone, "remote", "add", "origin", str(self.remote))
        self._sign()
        cli("init", "--ci", kind)
        cli("remote", "add", "storage", str(scratch / "storage"))
        (clone / "registry" / "Price.yaml").write_text(DECLARED)
        git(clone, "add", ".")
        git(clone, "commit", "-q", "-m", "Declare gates, add workflows")
        git(clone, "push", "-q", "-u", "origin", "main")
        for rmse in (3.0, 2.0):
            cli("registry", "register", log_model(clone, log_run(clone, rmse=rmse)), "Price")
        cli("push")

    def _sign(self) -> None:
        """Ask for signed tags; people and jobs sign with one key."""
        self.key = self.scratch / "key"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True
        )
        (self.clone / "registry").mkdir()
        public = self.key.with_suffix(".pub").read_text()
        (self.clone / "registry" / "allowed_signers").write_text(f"ada@example.org {public}")
        (self.clone / "gitml.yaml").write_text(SETTINGS)
        git(self.clone, "config", "gpg.format", "ssh")
        git(self.clone, "config", "user.signingKey", str(self.key))

    def propose(self) -> str:
        """Propose version 2; returns the branch's commit."""
        made = loaded(
            self.cli("registry", "propose", "Price", "2", "Production", "-m", "why", "--json")
        )
        self.branch, self.proposed = made["branch"], made["commit"]
        self.host.pull = {
            "number": 7, "user": {"login": "ada"}, "head": {"sha": self.proposed},
            "base": {"ref": "main", "sha": git(self.remote, "rev-parse", "main")},
            "merged_at": None,
        }  # fmt: skip
        return str(made["commit"])

    def merge(self, ref: str = "refs/heads/main") -> str:
        """Merge the proposal as a host does; returns the merge commit."""
        folder = self.scratch / f"merge-{ref.replace('/', '-')}"
        checkout(self.remote, folder, "refs/heads/main")
        git(folder, "-c", "user.name=Bo Reviewer", "merge", "-q", "--no-ff", self.proposed,
            "-m", f"Merge pull request #7 from team/{self.branch}")  # fmt: skip
        git(folder, "push", "-q", "origin", f"HEAD:{ref}")
        commit = git(folder, "rev-parse", "HEAD")
        if ref == "refs/heads/main":
            merged = {**self.host.pull, "merged_at": "2026-01-01", "state": "merged", "iid": 7}
            self.host.merged[commit] = [merged]
        return commit

    def job(self, workflow: str, name: str, ref: str = "refs/heads/main", **values: str) -> Done:
        """Run one job of a workflow for GitHub."""
        event = self.scratch / "event.json"
        queue = {"merge_group": {"base_ref": "refs/heads/main"}}
        pull = {"pull_request": self.host.pull}
        event.write_text(json.dumps(pull if "pull" in ref else queue if "queue" in ref else {}))
        folder = self.scratch / f"{name}-{len(list(self.scratch.iterdir()))}"
        return github_job(
            self.clone / ".github" / "workflows" / f"gitml-{workflow}.yml", name, self.remote,
            folder, ref=ref,
            values={"github.token": TOKEN, "github.repository": "team/prices",
                    "github.event.pull_request.base.sha": git(self.remote, "rev-parse", "main"),
                    "secrets.GITML_SIGNING_KEY": self.key.read_text().strip(), **values},
            env={"GITHUB_API_URL": self.host.address, "GITHUB_REPOSITORY": "team/prices",
                 "GITHUB_EVENT_PATH": str(event)},
        )  # fmt: skip


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[str]:
    with git_server_of(tmp_path, "gitml", TOKEN) as address:
        yield address


@pytest.fixture
def github(cli: Cli, repository: Path, tmp_path: Path, host: Host) -> Team:
    return Team(cli, repository, tmp_path, "github", host)


@pytest.fixture
def gitlab(cli: Cli, repository: Path, tmp_path: Path, host: Host) -> Team:
    return Team(cli, repository, tmp_path, "gitlab", host)


def contents(data: bytes) -> dict[str, bytes]:
    """What a packed model holds."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        read = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in read.items() if file}


@pytest.mark.slow
def test_github_reviews_applies_releases_and_publishes(github: Team) -> None:
    host = github.host
    host.comments += [
        {"id": 0, "user": {"type": "User"}, "body": f"{MARKER}\nI am the report"},
        *({"id": n, "user": {"type": "Bot"}, "body": "Coverage"} for n in range(1, 120)),
    ]
    proposed = github.propose()
    github.merge("refs/pull/7/merge")

    host.readonly = True  # as the token of a job for a fork
    forked = github.job("review", "review", "refs/pull/7/merge")
    assert forked.code == 0, forked.log
    assert "Could not comment on the pull request: POST" in forked.log and "403" in forked.log
    summary = forked.folder.with_name(f"{forked.folder.name}-runner") / "summary.md"
    assert summary.read_text().startswith(MARKER)
    written = {path.name for path in (forked.folder / "model-review").iterdir()}
    assert {"report.md", "report.json"} <= written

    host.readonly = False
    host.review("eve", "APPROVED", proposed, member="NONE")  # anybody can approve in public
    host.review("cyd", "APPROVED", "0" * 40)  # of what was proposed before
    waiting = github.job("review", "review", "refs/pull/7/merge")
    assert waiting.code == 0, waiting.log
    assert "# Model registry: 1 gate waits for approval ⏳" in host.comments[120]["body"]

    host.review("bo", "APPROVED", proposed)
    host.review("bo", "COMMENTED", proposed)
    host.review("dan", "APPROVED", proposed)
    host.review("dan", "CHANGES_REQUESTED", proposed)
    approved = github.job("review", "review", "refs/pull/7/merge")
    assert approved.code == 0, approved.log
    assert len(host.comments) == 121
    assert "Approved by `bo`." in host.comments[120]["body"]
    assert host.comments[0]["body"] == f"{MARKER}\nI am the report"

    host.review("bo", "DISMISSED", proposed)
    merged = github.merge()
    early = github.job("registry", "apply")
    assert early.code == 4 and "approvals" in early.log, early.log
    assert "Production" not in git(github.remote, "tag")
    host.review("bo", "APPROVED", proposed)
    applied = github.job("registry", "apply")
    assert applied.code == 0, applied.log
    assert applied.outputs == {"apply.outputs.entered": '["Price#Production#1"]'}
    github.cli("pull")
    event = loaded(github.cli("registry", "history", "Price", "--json"))[-1]
    assert (event["user"], event["detail"]["approved_by"]) == ("github-actions[bot]", ["bo"])
    assert event["detail"]["merge_commit"] == merged
    assert "0 problems" in github.cli("registry", "verify").stdout
    again = github.job("registry", "apply")
    assert again.outputs == {"apply.outputs.entered": "[]"}, again.log

    released = github.job("release", "release", **{"inputs.tag": "Price#Production#1"})
    assert released.code == 0, released.log
    assert released.outputs == {"pack.outputs.version": "Price@v2.0.0"}
    assert released.skipped == ["Publish the release"]
    folder = released.folder / "model-release"
    release = json.loads((folder / "release.json").read_text())
    packed = (folder / "Price-v2.tar.gz").read_bytes()
    assert release["sha256"] == hashlib.sha256(packed).hexdigest()
    assert contents(packed)["Price-v2/data.txt"] == b"weights"
    assert "    approved by   bo\n" in (folder / "notes.md").read_text()

    built = github.job("dashboard", "build")
    assert built.code == 0, built.log
    pages = [path.read_text() for path in (built.folder / "_site" / "models").rglob("*.html")]
    assert any("Production" in page for page in pages)
    before = git(built.folder, "status", "--porcelain=2", "--branch")
    code, log = bash("gitml site publish", built.folder, environment(built.folder))
    assert code == 0, log
    assert "index.html" in git(github.remote, "ls-tree", "--name-only", "gh-pages").splitlines()
    assert git(built.folder, "status", "--porcelain=2", "--branch") == before


@pytest.mark.slow
def test_github_reviews_what_a_merge_queue_is_about_to_merge(github: Team) -> None:
    base = git(github.remote, "rev-parse", "main")
    github.propose()
    queue = "refs/heads/gh-readonly-queue/main/pr-7"
    github.merge(queue)
    judged = github.job("review", "review", queue, **{
        "github.event.pull_request.base.sha": "", "github.event.merge_group.base_sha": base,
    })  # fmt: skip

    assert judged.code == 0, judged.log
    assert (
        "`Price` version 2 → Production"
        in (judged.folder / "model-review" / "report.md").read_text()
    )
    assert not any("comments" in request for request in github.host.requests)


@pytest.mark.slow
def test_github_passes_pull_requests_that_change_no_declaration(github: Team) -> None:
    folder = github.scratch / "other"
    checkout(github.remote, folder, "refs/heads/main")
    (folder / "train.py").write_text("print(2)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Train otherwise")
    git(folder, "push", "-q", "origin", "HEAD:refs/pull/8/merge")
    passed = github.job("review", "review", "refs/pull/8/merge")

    assert (passed.code, passed.log) == (0, "Nothing in registry/ and gitml.yaml changes.\n")


@pytest.mark.slow
def test_gitlab_reviews_applies_releases_and_publishes(
    gitlab: Team, git_server: str, tmp_path: Path
) -> None:
    host, config = gitlab.host, gitlab.clone / ".gitlab" / "gitml.yml"

    def job(name: str, ref: str, **env: str) -> Done:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        checkout(gitlab.remote, folder, ref)
        return gitlab_job(config, name, folder, {
            "CI_API_V4_URL": host.address, "CI_PROJECT_ID": "42", "CI_PROJECT_NAME": "prices",
            "CI_PROJECT_PATH": "remote", "CI_SERVER_HOST": "gitlab.example.org",
            "CI_SERVER_URL": git_server, "CI_DEFAULT_BRANCH": "main", "CI_JOB_TOKEN": TOKEN,
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(gitlab.remote, "rev-parse", "main"),
            "GITML_ID_TOKEN": "id", **env,
        })  # fmt: skip

    proposed = gitlab.propose()
    gitlab.merge("refs/merge-requests/7/merge")
    for _ in range(2):
        reviewed = job(
            "gitml-review", "refs/merge-requests/7/merge", GITML_REVIEW_TOKEN=TOKEN,
            CI_MERGE_REQUEST_IID="7", CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
        )  # fmt: skip
        assert reviewed.code == 0, reviewed.log
    assert len(host.comments) == 1
    assert "1 gate waits for approval" in host.comments[0]["body"]
    host.review("bo", "APPROVED", proposed)
    gitlab.merge()
    applied = job(
        "gitml-apply", "refs/heads/main", GITML_APPLY_TOKEN=TOKEN,
        GITML_SIGNING_KEY=str(gitlab.key),
    )  # fmt: skip
    assert applied.code == 0, applied.log
    assert "Price#Production#1" in git(gitlab.remote, "tag").splitlines()
    assert TOKEN not in (applied.folder / ".git" / "config").read_text() + applied.log

    for _ in range(2):
        released = job("gitml-release", "refs/heads/main", CI_COMMIT_TAG="Price#Production#1")
        assert released.code == 0, released.log
    (packed,) = host.packages.values()
    assert [*host.packages] == ["Price/v2.0.0/Price-v2.tar.gz"]
    assert contents(packed)["Price-v2/data.txt"] == b"weights"
    (release,) = host.releases
    assert (
        release["tag_name"] == ["Price@v2.0.0"] and "approved by   bo" in release["description"][0]
    )
    built = job("pages", "refs/heads/gitml/runs")
    assert built.code == 0, built.log
    assert (built.folder / "public" / "index.html").is_file()
