"""A remote that refuses a push: which ref, by which rule, what changes it; real hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.errors import Conflict, PushRejected, StoreError
from gitml.git import GitRepo, refusals
from gitml.publishing import branch as sites
from gitml.registry import promotion
from gitml.repository import Repository
from gitml.sharing import push_pull
from tests import clones
from tests.conftest import git

RULE = "Only robots may push here"
GITHUB = """\
echo "error: GH013: Repository rule violations found for $1" >&2
echo "- Cannot create ref due to creations being restricted." >&2
"""
SAFE = "Nothing is lost, everything is safe in this clone"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone with a registered version that was not pushed."""
    folder = clones.origin_and_clone(tmp_path, "clone")
    clones.register(folder)
    return folder


def hook(folder: Path, name: str, script: str) -> None:
    path = folder.with_name("origin.git") / "hooks" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def refusal(folder: Path) -> PushRejected:
    before = git(folder, "for-each-ref", "refs/heads", "refs/tags")
    with pytest.raises(PushRejected) as error:
        push_pull.push(clones.repo(folder))
    assert git(folder, "for-each-ref", "refs/heads", "refs/tags") == before
    assert error.value.hint and SAFE in error.value.hint
    return error.value


def test_a_refusal_of_the_records_names_branch_rule_and_setting(folder: Path) -> None:
    hook(
        folder, "update", f'[ "$1" != refs/heads/gitml/runs ] || {{ echo "{RULE}." >&2; exit 1; }}'
    )
    error = refusal(folder)
    assert error.message == (
        "`git push` failed for remote 'origin': it refuses refs/heads/gitml/runs (hook declined): "
        f"{RULE}."
    )
    assert error.hint == (
        "Let the remote's rules allow gitml/runs, or put `branch: NAME` into gitml.yaml and move "
        f"what is here: `git branch -m gitml/runs NAME`. {SAFE}; repeat the command when it may."
    )

    git(folder, "branch", "-m", "gitml/runs", "team/records")
    (folder / "gitml.yaml").write_text("branch: team/records\n")
    moved = Repository(GitRepo.discover(folder))
    assert push_pull.push(moved).exchange.runs == 1


def test_a_refusal_of_a_tag_names_the_tag_and_the_remotes_words(folder: Path) -> None:
    hook(folder, "update", f'case "$1" in refs/tags/*) {GITHUB}exit 1;; esac')
    error = refusal(folder)
    assert error.ref == "refs/tags/Price@v1.0.0"
    assert error.message == (
        "`git push` failed for remote 'origin': it refuses refs/tags/Price@v1.0.0 (hook declined): "
        "error: GH013: Repository rule violations found for refs/tags/Price@v1.0.0; "
        "- Cannot create ref due to creations being restricted."
    )
    assert "GTO's grammar (`*@v*`, `*#*`)" in str(error.hint)


def test_a_refusal_of_everything_counts_the_others(folder: Path) -> None:
    hook(folder, "pre-receive", f'echo "{RULE}; name already exists." >&2; exit 1')
    assert refusal(folder).message == (
        "`git push` failed for remote 'origin': it refuses refs/heads/gitml/runs and 1 more "
        f"(pre-receive hook declined): {RULE}; name already exists."
    )


def test_a_refused_proposal_names_its_branch_and_the_prefix(folder: Path) -> None:
    push_pull.push(clones.repo(folder))
    hook(folder, "update", f'case "$1" in *promote/*) echo "{RULE}" >&2; exit 1;; esac')
    registry = clones.models(folder)
    before = git(folder, "for-each-ref", "refs/heads", "refs/tags")
    with pytest.raises(PushRejected) as error:
        promotion.propose(registry, "Price", 1, "Production", "good")
    assert error.value.ref == "refs/heads/promote/Price-v1-production"
    assert "`registry: {proposal_prefix: …}` in gitml.yaml" in str(error.value.hint)
    assert git(folder, "for-each-ref", "refs/heads", "refs/tags") == before

    (folder / "gitml.yaml").write_text("registry: {proposal_prefix: models/}\n")
    made = promotion.propose(registry, "Price", 1, "Production", "good")
    assert made.branch == "models/Price-v1-production"


def test_a_refused_site_names_its_branch_and_the_option(folder: Path, tmp_path: Path) -> None:
    hook(folder, "pre-receive", f'echo "{RULE}" >&2; exit 1')
    site = tmp_path / "site"
    site.mkdir()
    (site / sites.MARKER).write_text('{"generator": "gitml"}')
    repo = GitRepo.discover(folder)
    with pytest.raises(PushRejected) as error:
        sites.publish(repo, site, "gh-pages", remote="origin", message="x")
    assert error.value.ref == "refs/heads/gh-pages"
    assert "--branch" in str(error.value.hint)


def test_a_setting_of_the_remote_is_named_as_it_names_itself(folder: Path, tmp_path: Path) -> None:
    git(tmp_path / "origin.git", "config", "receive.denyDeletes", "true")
    repo = GitRepo.discover(folder)
    with pytest.raises(PushRejected, match=r"refs/heads/main \(deletion prohibited\)"):
        repo.push("origin", ":refs/heads/main")


def test_a_diverged_branch_is_a_conflict_that_names_it(folder: Path) -> None:
    git(folder, "commit", "-q", "--allow-empty", "-m", "Next")
    git(folder, "push", "-q", "origin", "main")
    git(folder, "commit", "-q", "--amend", "--allow-empty", "-m", "Other")
    repo = GitRepo.discover(folder)
    with pytest.raises(Conflict, match="something newer for refs/heads/main: non-fast-forward"):
        repo.push("origin", "refs/heads/main:refs/heads/main")


def test_a_remote_that_denies_access_says_so_and_what_was_not_pushed(
    folder: Path, tmp_path: Path
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(
        '#!/bin/sh\ncase "$*" in *upload-pack*) exec git upload-pack '
        f"{tmp_path}/origin.git;; esac\n"
        "echo 'ERROR: Permission to team/prices.git denied to ada.' >&2\nexit 1\n"
    )
    ssh.chmod(0o755)
    git(folder, "config", "core.sshCommand", str(ssh))
    git(folder, "config", "remote.origin.url", "git@example.org:team/prices.git")
    with pytest.raises(StoreError) as error:
        push_pull.push(clones.repo(folder))
    assert error.value.message == (
        "`git push` of refs/heads/gitml/runs and 1 more failed for remote 'origin': ERROR: "
        "Permission to team/prices.git denied to ada."
    )
    assert "Nothing is lost" in str(error.value.hint)
    assert "`git_remote:` in gitml.yaml" in str(error.value.hint)


def test_companions_of_a_refused_ref_are_not_blamed_and_control_characters_go() -> None:
    out = (
        b"To x\n!\ta:refs/heads/gitml/runs\t[remote rejected] (atomic push failure)\n"
        b"!\tb:refs/tags/P@v1.0.0\t[remote rejected] (hook declined)\nDone\n"
    )
    err = b"remote: \x1b[31mno\x1b[0m   \nremote: error: hook declined to update refs/tags/P\n"
    refused = refusals.parse(out, err)
    assert refused and (refused.ref, refused.others) == ("refs/tags/P@v1.0.0", 0)
    assert "\x1b" not in str(refused)
    assert refusals.parse(b"To x\nDone\n", b"fatal: unable to access\n") is None
