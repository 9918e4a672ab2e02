"""Tags signed with real keys: forged, unsigned, wrongly signed, moved, deleted ones are named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitml.errors import SignatureError
from gitml.registry.audit.signers import GPG_KEYS, SSH_KEYS
from gitml.registry.promotion import apply, verify
from gitml.sharing import push_pull
from tests.clones import exchange, models, register, repo
from tests.conftest import git, make_repository
from tests.registry.audit.signed_team import move, rewritten, signs


def faults(folder: Path) -> list[tuple[str, str]]:
    return [(fault.tag, fault.problem.value) for fault in verify(models(folder)).faults]


@pytest.mark.slow
def test_signed_tags_of_those_who_may_are_verified(team: tuple[Path, Path]) -> None:
    for folder in team:
        verification = verify(models(folder))
        assert (verification.faults, verification.signed, verification.tags) == ((), 2, 2)
    assert "SSH SIGNATURE" in git(team[0], "cat-file", "tag", "Price#Production#1")
    event = models(team[1]).history("Price")[-1]
    assert (event.value, event.detail["model"]) == ("Production", "Price")


@pytest.mark.slow
def test_who_may_not_sign_a_stage_cannot_write_it(team: tuple[Path, Path]) -> None:
    ada, bo = team
    models(bo).set_registered_model_alias("Price", "champion", 1)
    before = git(bo, "for-each-ref")

    with pytest.raises(SignatureError, match=r"Price#Production!#3 may not be written: bo@"):
        move(bo, "None")
    assert git(bo, "for-each-ref") == before
    assert faults(bo) == []
    push_pull.push(repo(bo))
    push_pull.pull(repo(ada))
    move(ada, "None")
    with pytest.raises(SignatureError, match=r"who may not; bo@example\.org may"):
        register(ada, "Other")
        models(ada).transition_model_version_stage("Other", 1, "Production")


@pytest.mark.slow
def test_each_kind_of_wrong_signature_is_named(
    team: tuple[Path, Path], keys: dict[str, Path]
) -> None:
    _, bo = team
    last = "Price#Production#1"
    rewritten(bo, last, "Price#Staging!#2", sign=False)
    assert ("Price#Staging!#2", "unsigned") in faults(bo)
    git(bo, "tag", "-d", "Price#Staging!#2")

    signs(bo, keys["eve"])  # nobody's key
    rewritten(bo, last, "Price#Production#2", sign=True)
    assert faults(bo) == [("Price#Production#2", "forged")]
    git(bo, "tag", "-d", "Price#Production#2")

    signs(bo, keys["bo"])  # an allowed key for something else
    rewritten(bo, last, "Price#Production#2", sign=True)
    assert faults(bo) == [("Price#Production#2", "not allowed")]
    (fault,) = verify(models(bo)).faults
    assert fault.reason == (
        "bo@example.org signed it, who may not; ada@example.org may. "
        "Its tagger: Ada Example <ada@example.org>."
    )
    with pytest.raises(SignatureError, match=r"Price#Production#2: bo@example\.org signed it"):
        apply(models(bo))
    git(bo, "tag", "-d", "Price#Production#2")

    git(bo, "update-ref", "refs/tags/Price#Production#9", git(bo, "rev-parse", last))
    assert ("Price#Production#9", "forged") in faults(bo)  # Ada's signed tag, as another event
    git(bo, "tag", "-d", "Price#Production#9")

    text = git(bo, "cat-file", "tag", last).replace("from: None", "from: Some")
    (bo / "tag").write_text(f"{text}\n")
    oid = git(bo, "hash-object", "-w", "-t", "tag", "tag")
    git(bo, "update-ref", f"refs/tags/{last}", oid)
    assert {(last, "moved"), (last, "forged")} <= set(faults(bo))
    git(bo, "tag", "-d", last)
    assert faults(bo) == [(last, "deleted")]


@pytest.mark.slow
def test_the_policy_of_a_work_tree_or_an_unmerged_branch_counts_for_nothing(
    team: tuple[Path, Path], keys: dict[str, Path]
) -> None:
    _, bo = team
    git(bo, "checkout", "-q", "-b", "attack")
    (bo / "gitml.yaml").write_text("registry: {signatures: optional}\n")
    eve = f"ada@example.org {keys['eve'].with_suffix('.pub').read_text()}"
    (bo / SSH_KEYS).write_text(eve)
    git(bo, "commit", "-qam", "Let me in")
    signs(bo, keys["eve"])
    with pytest.raises(SignatureError, match=r"No key of registry/allowed_signers"):
        move(bo, "Staging")
    rewritten(bo, "Price#Production#1", "Price#Production#2", sign=True)

    assert faults(bo) == [("Price#Production#2", "forged")]


def test_change_that_cannot_be_signed_is_refused_and_nothing_is_written(
    team: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, _ = team
    before = git(ada, "for-each-ref")
    git(ada, "config", "user.signingKey", str(tmp_path / "no-such-key"))

    with pytest.raises(SignatureError, match=r"Price#Production!#2 cannot be signed") as refused:
        move(ada, "None")
    assert "gpg.format" in str(refused.value)
    assert git(ada, "for-each-ref") == before


@pytest.mark.slow
def test_events_put_behind_those_of_others_are_signed_again(
    team: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, bo = team
    register(ada)
    register(bo)
    models(bo).set_registered_model_alias("Price", "next", 2)
    push_pull.push(repo(ada))

    assert [change.new for change in push_pull.push(repo(bo)).exchange.renumbered] == [3]

    exchange(ada, bo)
    assert faults(ada) == faults(bo) == []
    assert verify(models(ada)).signed == 5
    assert models(ada).get_model_version_by_alias("Price", "next").version == 3


def test_gits_own_setting_signs_without_a_policy(tmp_path: Path, keys: dict[str, Path]) -> None:
    folder = make_repository(tmp_path / "mine")
    signs(folder, keys["eve"])
    git(folder, "config", "tag.gpgSign", "true")
    register(folder)

    assert "BEGIN SSH SIGNATURE" in git(folder, "cat-file", "tag", "Price@v1.0.0")
    assert faults(folder) == []


def test_gpg_signatures_are_verified_by_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    fingerprints = {name: gpg_key(name) for name in ("ada", "bo")}
    folder = make_repository(tmp_path / "gpg")
    signers = f"'*': {{Production: ['{fingerprints['ada']}']}}"
    (folder / "gitml.yaml").write_text(
        f"registry:\n  signatures: required\n  signers:\n    {signers}\n"
    )
    (folder / "registry").mkdir()
    both = gpg("--armor", "--export", "ada@example.org", "bo@example.org")
    (folder / GPG_KEYS).write_text(both)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Ask for signatures")
    git(folder, "config", "user.signingKey", fingerprints["bo"])
    register(folder)

    with pytest.raises(SignatureError, match=f"{fingerprints['bo']} signed it, who may not"):
        move(folder, "Production")
    git(folder, "config", "user.signingKey", fingerprints["ada"])
    move(folder, "Production")
    assert faults(folder) == []
    (folder / GPG_KEYS).write_text(gpg("--armor", "--export", "bo@example.org"))
    git(folder, "commit", "-qam", "Ada left")
    assert faults(folder) == [("Price#Production#1", "forged")]
    assert [item.tag.name for item in models(folder).view().rejected] == ["Price#Production#1"]
    assert models(folder).get_latest_versions("Price", ["Production"]) == []
    (folder / GPG_KEYS).write_text("no keys")
    git(folder, "commit", "-qam", "Break the keys")
    with pytest.raises(SignatureError, match=r"gpg cannot read registry/allowed_signers\.asc"):
        verify(models(folder))
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=True)


def gpg(*args: str) -> str:
    """Run gpg and return what it prints."""
    done = subprocess.run(["gpg", "--batch", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def gpg_key(name: str) -> str:
    """Make a GPG key without a passphrase; returns its fingerprint."""
    who = f"{name}@example.org"
    gpg("--passphrase", "", "--quick-generate-key", who, "ed25519", "sign", "never")
    lines = gpg("--with-colons", "--list-keys", who).splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr"))
