"""A team whose main branch asks for signatures, with real keys."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitml.registry.audit.signers import SSH_KEYS
from gitml.sharing import push_pull
from tests.clones import models, register, repo
from tests.conftest import git, make_repository

POLICY = """\
registry:
  signatures: required
  signers:
    "Pri*":
      Production: [ada@example.org]
      "*": [ada@example.org, bo@example.org]
    "*":
      Production: [bo@example.org]
"""
DECLARED = "model: Price\nstages: {Production: 1}\n"


def ssh_key(folder: Path, name: str) -> Path:
    """Make a key pair."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path]
    subprocess.run(command, check=True)
    return path


def signs(folder: Path, key: Path) -> None:
    """Let git in a clone sign with an SSH key."""
    git(folder, "config", "gpg.format", "ssh")
    git(folder, "config", "user.signingKey", str(key))


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """SSH keys of people; policies know all but Eve's."""
    return {name: ssh_key(tmp_path, name) for name in ("ada", "bo", "cy", "eve")}


def team_of_two(
    root: Path, keys: dict[str, Path], policy: str, people: tuple[str, ...] = ("ada", "bo")
) -> tuple[Path, Path]:
    """Make clones of Ada and Bo of a repository whose main branch has a policy.

    Args:
        root: Where they go, beside the bare repository.
        keys: Key of each person.
        policy: The ``gitml.yaml``.
        people: Whose keys the policy knows.
    """
    git(root, "init", "-q", "--bare", "-b", "main", "origin.git")
    ada = make_repository(root / "ada-clone")
    (ada / "gitml.yaml").write_text(policy)
    (ada / "registry").mkdir()
    (ada / "registry" / "Price.yaml").write_text(DECLARED)
    lines = [f'{person}@example.org namespaces="git" {keys[person].with_suffix(".pub").read_text()}'
             for person in people]  # fmt: skip
    (ada / SSH_KEYS).write_text("".join(lines))
    git(ada, "add", ".")
    git(ada, "commit", "-q", "-m", "Ask for signatures")
    git(ada, "remote", "add", "origin", str(root / "origin.git"))
    git(ada, "push", "-q", "origin", "main")
    git(ada, "fetch", "-q")
    signs(ada, keys["ada"])
    git(root, "clone", "-q", "origin.git", "bo-clone")
    bo = root / "bo-clone"
    git(bo, "config", "user.email", "bo@example.org")
    signs(bo, keys["bo"])
    return ada, bo


@pytest.fixture
def team(tmp_path: Path, keys: dict[str, Path]) -> tuple[Path, Path]:
    """Clones of Ada and Bo of a repository whose main branch asks for signatures."""
    ada, bo = team_of_two(tmp_path, keys, POLICY)
    register(ada)
    move(ada, "Production")
    push_pull.push(repo(ada))
    push_pull.pull(repo(bo))
    return ada, bo


def move(folder: Path, stage: str, version: int = 1) -> None:
    models(folder).transition_model_version_stage("Price", version, stage)


def rewritten(folder: Path, old: str, new: str, *, sign: bool) -> None:
    """Write the newest event by hand, as git lets anybody do."""
    message = git(folder, "for-each-ref", "--format=%(contents:subject)\n\n%(contents:body)",
                  f"refs/tags/{old}")  # fmt: skip
    body, _, _ = message.partition("previous:")
    link = f"previous:\n  tag: '{old}'\n  id: '{git(folder, 'rev-parse', old)}'\n"
    # After the event before it: gitml's own times may be some seconds ahead of the clock.
    last = git(folder, "for-each-ref", "--format=%(taggerdate:unix)", f"refs/tags/{old}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", f"@{int(last) + 1} +0000")
        git(folder, "tag", "-s" if sign else "-a", "-m", body + link, new, f"{old}^{{}}")
