"""Which ``gitml.yaml`` asks for signatures: that of the remote's default branch, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.registry.audit import signature_check
from gitml.sharing import push_pull
from tests.clones import models, repo
from tests.conftest import git
from tests.registry.audit.signed_team import rewritten, signs

BAD = "Price#Production#2"


def rejected(folder: Path) -> list[str]:
    return [item.tag.name for item in models(folder).view().rejected]


def loosen(folder: Path, text: str = "registry: {signatures: optional}\n") -> None:
    (folder / "gitml.yaml").write_text(text)
    git(folder, "commit", "-qam", "Let me in")


@pytest.fixture
def bo(team: tuple[Path, Path]) -> Path:
    """A clone with a tag that nobody signed."""
    rewritten(team[1], "Price#Production#1", BAD, sign=False)
    return team[1]


@pytest.mark.parametrize("where", ["work tree", "branch", "unpushed main", "detached"])
def test_nothing_that_was_not_merged_loosens_the_policy(bo: Path, where: str) -> None:
    if where == "branch":
        git(bo, "checkout", "-q", "-b", "attack")
    loosen(bo)
    if where == "work tree":
        git(bo, "reset", "-q", "--soft", "HEAD~1")
    if where == "detached":
        git(bo, "checkout", "-q", "--detach")

    assert rejected(bo) == [BAD]


def test_a_pull_request_cannot_name_another_remote(bo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", "origin.git", "eve.git")
    git(bo, "remote", "add", "eve", str(tmp_path / "eve.git"))
    git(bo, "checkout", "-q", "-b", "attack")
    loosen(bo, "git_remote: eve\n")
    git(bo, "push", "-q", "eve", "attack:main")
    git(bo, "fetch", "-q", "eve")
    git(bo, "remote", "set-head", "eve", "main")

    assert rejected(bo) == [BAD]
    loosen(bo, "git_remote: nowhere\n")
    assert rejected(bo) == [BAD]


def test_a_fork_asks_whom_its_own_default_branch_names(bo: Path, tmp_path: Path) -> None:
    """``origin`` is Bo's own fork, whose main branch says that the team is upstream."""
    git(tmp_path, "clone", "-q", "--bare", "origin.git", "fork.git")
    git(bo, "remote", "rename", "origin", "upstream")
    git(bo, "remote", "set-head", "upstream", "main")
    git(bo, "remote", "add", "origin", str(tmp_path / "fork.git"))
    loosen(bo, "git_remote: upstream\n")
    git(bo, "push", "-q", "origin", "main")
    git(bo, "fetch", "-q", "origin")

    assert rejected(bo) == [BAD]


@pytest.mark.parametrize("options", [["--bare"], ["--mirror"], ["--depth=1"], []])
def test_every_kind_of_clone_has_the_policy(bo: Path, tmp_path: Path, options: list[str]) -> None:
    git(bo, "push", "-q", "origin", f"refs/tags/{BAD}")
    git(tmp_path, "clone", "-q", *options, f"file://{tmp_path}/origin.git", "job")
    job = tmp_path / "job"
    git(job, "fetch", "-q", "origin", "refs/tags/*:refs/tags/*")

    assert rejected(job) == [BAD]
    if options == ["--depth=1"]:  # as CI checks a pull request out
        git(job, "remote", "set-head", "origin", "--delete")
        loosen(job)
        assert rejected(job) == [BAD]


def test_without_a_remote_the_commit_that_is_checked_out_decides(bo: Path) -> None:
    git(bo, "remote", "remove", "origin")
    assert rejected(bo) == [BAD]
    (bo / "gitml.yaml").write_text("registry: {signatures: optional}\n")
    assert rejected(bo) == [BAD]


@pytest.mark.slow
def test_a_signature_is_checked_once_and_again_when_keys_change(
    team: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bo = team
    checked: list[list[str]] = []
    check = signature_check.Signatures._signers

    def counting(self: signature_check.Signatures, oids: list[str]) -> list[list[str]]:
        checked.append(oids)
        return check(self, oids)

    monkeypatch.setattr(signature_check.Signatures, "_signers", counting)
    assert rejected(bo) == rejected(bo) == []
    assert [len(oids) for oids in checked] == [2]  # both with one process of git

    keys = ada / "registry" / "allowed_signers"
    keys.write_text(keys.read_text().partition("\n")[2])  # Ada's key is withdrawn
    git(ada, "commit", "-qam", "Withdraw a key")
    git(ada, "push", "-q", "origin", "main")
    git(bo, "fetch", "-q")
    assert rejected(bo) == ["Price#Production#1", "Price@v1.0.0"]
    push_pull.pull(repo(bo))
    (bo / ".git" / "gitml" / "verdicts" / "Price.json").write_text("{")
    assert rejected(bo) == ["Price#Production#1", "Price@v1.0.0"]


def test_a_pull_brings_the_keys_that_the_new_tags_are_signed_with(
    team: tuple[Path, Path], keys: dict[str, Path]
) -> None:
    ada, bo = team
    line = f"cy@example.org {keys['cy'].with_suffix('.pub').read_text()}"
    signers = ada / "registry" / "allowed_signers"
    signers.write_text(signers.read_text() + line)
    text = (ada / "gitml.yaml").read_text()
    (ada / "gitml.yaml").write_text(
        text.replace("bo@example.org]", "bo@example.org, cy@example.org]")
    )
    git(ada, "commit", "-qam", "Let Cy sign")
    git(ada, "push", "-q", "origin", "main")
    git(ada, "fetch", "-q")
    signs(ada, keys["cy"])
    models(ada).set_registered_model_alias("Price", "next", 1)
    push_pull.push(repo(ada))

    push_pull.pull(repo(bo))
    assert rejected(bo) == []
    assert models(bo).get_model_version_by_alias("Price", "next").version == 1
