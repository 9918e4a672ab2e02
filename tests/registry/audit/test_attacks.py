"""A tag that nobody allowed has signed moves nothing: not what loads, nor what anybody reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

import gitml
from gitml.ci import release
from gitml.entities import Stage
from gitml.errors import ArtifactError, InvalidInput, NotFound, SignatureError
from gitml.registry import resolve
from gitml.registry.promotion import apply, consider, verify
from gitml.sharing import push_pull
from tests.cli.conftest import log_model, log_run, shell
from tests.clones import models, repo
from tests.conftest import git
from tests.registry.audit.signed_team import move, signs, team_of_two

POLICY = """\
registry:
  signatures: required
  signers:
    "Other":
      "*": [cy@example.org]
    "*":
      Production: [ada@example.org]
      "*": [ada@example.org, bo@example.org]
"""
STAGE = "Price#Production#2"


def tag(folder: Path, name: str, target: str = "Price@v2.0.0", *, who: str = "Eve",
        email: str = "eve@example.org", date: int | None = None,
        sign: bool = False) -> None:  # fmt: skip
    """Tag a version by hand, as git lets anybody do."""
    newest = git(folder, "for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/Price*").split()
    when = max(map(int, newest)) + 1 if date is None else date
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_NAME", who)
        patch.setenv("GIT_COMMITTER_EMAIL", email)
        patch.setenv("GIT_COMMITTER_DATE", f"@{when} +0000")
        message = f"Price version 2 moved to Production\n\nmodel: Price\nversion: 2\nuser: {who}\n"
        git(folder, "tag", "-f", "-s" if sign else "-a", "-m", message, name, f"{target}^{{}}")


def unsigned(folder: Path, keys: dict[str, Path]) -> str:
    tag(folder, STAGE)
    return "unsigned"


def forged_tagger(folder: Path, keys: dict[str, Path]) -> str:
    signs(folder, keys["eve"])
    tag(folder, STAGE, who="Ada Example", email="ada@example.org", sign=True)
    return "forged"


def not_allowed(folder: Path, keys: dict[str, Path]) -> str:
    signs(folder, keys["bo"])
    tag(folder, STAGE, sign=True)
    return "not allowed"


def allowed_for_another_model(folder: Path, keys: dict[str, Path]) -> str:
    signs(folder, keys["cy"])
    tag(folder, STAGE, sign=True)
    return "not allowed"


def back_dated(folder: Path, keys: dict[str, Path]) -> str:
    """From before the policy, as it says; and nothing newer stands in its way."""
    tag(folder, STAGE, date=1_000_000_000)
    return "unsigned"


def under_another_name(folder: Path, keys: dict[str, Path]) -> str:
    """Ada's signed tag that registered version 2, as a move of it."""
    git(folder, "update-ref", f"refs/tags/{STAGE}", git(folder, "rev-parse", "Price@v2.0.0"))
    return "forged"


def pasted_signature(folder: Path, keys: dict[str, Path]) -> str:
    """The signature of another tag below a new content."""
    signature = git(folder, "cat-file", "tag", "Price#Production#1").partition("-----BEGIN")[2]
    target = git(folder, "rev-parse", "Price@v2.0.0^{}")
    text = (
        f"object {target}\ntype commit\ntag {STAGE}\n"
        f"tagger Ada Example <ada@example.org> 2000000000 +0000\n\nmoved\n-----BEGIN{signature}\n"
    )
    (folder / "tag").write_text(text)
    oid = git(folder, "hash-object", "-w", "-t", "tag", "tag")
    (folder / "tag").unlink()
    git(folder, "update-ref", f"refs/tags/{STAGE}", oid)
    return "forged"


ATTACKS = [unsigned, forged_tagger, not_allowed, allowed_for_another_model, back_dated,
           under_another_name, pasted_signature]  # fmt: skip
Attack = Callable[[Path, dict[str, Path]], str]


@pytest.fixture
def team(tmp_path: Path, keys: dict[str, Path]) -> tuple[Path, Path]:
    """Clones of Ada and Bo: two versions with files, the first in Production."""
    ada, bo = team_of_two(tmp_path, keys, POLICY, people=("ada", "bo", "cy"))
    for rmse in (2.0, 1.0):
        run_id = log_run(ada, rmse=rmse)
        client = gitml.MlflowClient(ada)
        gitml.set_tracking_uri(ada)
        gitml.register_model(log_model(ada, run_id), "Price")
        assert client
    move(ada, "Production")
    push_pull.push(repo(ada))
    push_pull.pull(repo(bo))
    return ada, bo


def lines(folder: Path, *args: str, code: int = 0) -> str:
    done = shell(*args, cwd=folder)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_reader_is_moved_by_a_tag_that_does_not_verify(
    team: tuple[Path, Path], keys: dict[str, Path], attack: Attack,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    ada, bo = team
    problem = attack(bo, keys)
    git(bo, "push", "-q", "origin", f"refs/tags/{STAGE}")
    push_pull.pull(repo(ada))
    registry = models(ada)

    with caplog.at_level(logging.WARNING):
        uri = resolve.uris.parse("models:/Price/Production")
        assert isinstance(uri, resolve.uris.ModelUri)
        assert resolve.model_version(uri, registry).version == 1
    (message,) = caplog.messages
    assert message.startswith(f"{STAGE} by ")
    assert message.endswith("version 1 is live instead.")

    assert [v.version for v in registry.get_latest_versions("Price", ["Production"])] == [1]
    assert [event.tag for event in registry.history("Price")][-1] == "Price#Production#1"
    assert [item.tag.name for item in registry.view().rejected] == [STAGE]
    assert (STAGE, problem) in [(f.tag, f.problem.value) for f in verify(registry).faults]
    with pytest.raises(SignatureError, match=STAGE):
        apply(registry)
    (change,) = consider(registry, "Price", 2, Stage.PRODUCTION).changes
    assert (change.live, change.incumbent) == (False, 1)


@pytest.mark.slow
def test_every_command_shows_what_was_rejected_and_who_wrote_it(
    team: tuple[Path, Path], keys: dict[str, Path], tmp_path: Path
) -> None:
    ada, bo = team
    unsigned(bo, keys)
    git(bo, "push", "-q", "origin", f"refs/tags/{STAGE}")
    push_pull.pull(repo(ada))
    sentence = f"{STAGE} by Eve <eve@example.org> is rejected (unsigned): It is not signed."

    for command in (["list"], ["show", "Price"], ["history", "Price"]):
        assert sentence in lines(ada, "registry", *command)
    assert json.loads(shell("registry", "show", "Price", "--json", cwd=ada).stdout)["rejected"] == [
        {"tag": STAGE, "problem": "unsigned", "reason": "It is not signed.",
         "by": "Eve <eve@example.org>"}
    ]  # fmt: skip
    assert "unsigned" in lines(ada, "registry", "verify", code=1)
    packed = lines(ada, "registry", "release", "models:/Price/Production", "--output", "out")
    assert "Price@v1.0.0" in packed and "version 1 is live instead" in packed
    refused = lines(ada, "registry", "release", STAGE, "--output", "out", code=3)
    assert sentence in refused
    lines(ada, "site", "build", "--output", str(tmp_path / "site"))
    home = (tmp_path / "site" / "index.html").read_text()
    assert "is rejected (unsigned)" in home


@pytest.mark.slow
def test_a_signed_version_does_not_load_files_that_were_exchanged(team: tuple[Path, Path]) -> None:
    """Who may push records can let the run of a version name another model's files."""
    ada, bo = team
    uri = "models:/Price/Production"
    assert (resolve.local_path(uri, gitml.MlflowClient(ada)) / "data.txt").read_text() == "weights"
    version = models(bo).get_model_version("Price", 1)
    gitml.MlflowClient(bo).log_text(version.run_id, "weights of Eve", "model/data.txt")
    push_pull.push(repo(bo))
    push_pull.pull(repo(ada))

    with pytest.raises(ArtifactError, match="is not what was registered as version 1 of 'Price'"):
        resolve.local_path(uri, gitml.MlflowClient(ada))
    lines(ada, "artifacts", "download", uri, "-o", "out", code=1)


def test_a_model_of_which_nothing_counts_does_not_exist_and_the_message_says_why(
    tmp_path: Path, keys: dict[str, Path]
) -> None:
    ada, _ = team_of_two(tmp_path, keys, POLICY)
    run_id = log_run(ada)
    gitml.set_tracking_uri(ada)
    gitml.register_model(log_model(ada, run_id), "Price")
    commit = git(ada, "rev-parse", "Price@v1.0.0^{}")
    git(ada, "tag", "-d", "Price@v1.0.0")
    tag(ada, "Price@v1.0.0", commit, date=2_000_000_000)

    for uri in ("models:/Price/1", "models:/Price/latest"):
        with pytest.raises(NotFound, match=r"Price@v1\.0\.0 by Eve <eve@example\.org>.* rejected"):
            resolve.local_path(uri, gitml.MlflowClient(ada))
    with pytest.raises(InvalidInput, match="not the tag of a version"):
        release.pack(gitml.MlflowClient(ada), "Price", tmp_path / "out")
