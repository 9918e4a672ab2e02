"""A registry tag that was deleted on the remote is named everywhere, and can be put back."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gitml.errors import InvalidInput, NotFound
from gitml.registry.acknowledge import acknowledge
from gitml.registry.audit import acknowledged
from gitml.registry.audit.chain import TagFault, TagProblem
from gitml.registry.deleted_tags import Absence, deleted_tags
from gitml.registry.promotion import verify
from gitml.sharing import push_pull
from tests.cli.conftest import shell
from tests.clones import models, origin_and_clone, register, repo
from tests.conftest import git

LAST = "Price#Production#2"


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one repository in which version 2 replaced version 1 in Production."""
    ada = origin_and_clone(tmp_path, "ada")
    (ada / "registry").mkdir()
    (ada / "registry" / "Price.yaml").write_text("model: Price\nstages: {Production: 2}\n")
    git(ada, "add", ".")
    git(ada, "commit", "-q", "-m", "Declare")
    git(ada, "push", "-q", "origin", "main")
    register(ada)
    register(ada)
    models(ada).transition_model_version_stage("Price", 1, "Production")
    models(ada).transition_model_version_stage("Price", 2, "Production")
    push_pull.push(repo(ada))
    git(tmp_path, "clone", "-q", "origin.git", "bo")
    push_pull.pull(repo(tmp_path / "bo"))
    return ada, tmp_path / "bo"


def delete(folder: Path, *tags: str) -> None:
    git(folder, "push", "-q", "origin", "--delete", *(f"refs/tags/{tag}" for tag in tags))


def output(folder: Path, *args: str) -> str:
    done = shell(*args, cwd=folder)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_every_command_says_that_a_tag_was_deleted_who_had_it_and_how_to_put_it_back(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, bo = clones
    oid = git(bo, "rev-parse", LAST)
    delete(ada, LAST)

    fix = f"git push origin '{oid}:refs/tags/{LAST}'"
    assert f"Tag {LAST} was deleted on origin. Ada Example sent it at " in output(bo, "pull")
    for command in (["pull"], ["status"], ["registry", "list"], ["registry", "show", "Price"],
                    ["registry", "verify"], ["doctor"], ["fsck"]):  # fmt: skip
        printed = output(bo, *command)
        assert LAST in printed and fix in printed, command
    output(bo, "site", "build", "--output", str(tmp_path / "site"))
    home = (tmp_path / "site" / "index.html").read_text()
    assert "was deleted on origin" in home
    assert "settles it" not in home

    subprocess.run(shlex.split(fix), cwd=bo, check=True, capture_output=True)
    assert LAST not in output(bo, "pull")
    assert deleted_tags(models(bo)) == []
    assert verify(models(bo)).faults == ()


@pytest.mark.slow
def test_a_clone_that_never_had_the_tag_says_who_has_it(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, _ = clones
    delete(ada, LAST)
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "new")
    new = tmp_path / "new"

    (tag,) = deleted_tags(models(new))
    assert (tag.absence, tag.fix) == (Absence.UNKNOWN, "`gitml pull` tells.")
    push_pull.pull(repo(new))
    (tag,) = deleted_tags(models(new))
    assert (tag.absence, tag.sender, tag.model) == (Absence.REMOTE, "Ada Example", "Price")
    assert "from a clone that has it, Ada Example's: `git push origin" in tag.sentence
    output(new, "site", "build", "--output", str(tmp_path / "site"))
    home = (tmp_path / "site" / "index.html").read_text()
    assert "was deleted on origin" in home
    assert "settles it" not in home


def test_a_tag_that_was_deleted_in_this_clone_alone_is_fetched_again(
    clones: tuple[Path, Path],
) -> None:
    _, bo = clones
    git(bo, "tag", "-d", LAST)

    (tag,) = deleted_tags(models(bo))
    assert (tag.absence, tag.fix) == (
        Absence.CLONE, f"Fetch it: `git fetch origin 'refs/tags/{LAST}:refs/tags/{LAST}'`",
    )  # fmt: skip


def test_push_from_a_clone_that_has_the_tag_puts_it_back_and_says_so(
    clones: tuple[Path, Path],
) -> None:
    ada, bo = clones
    delete(ada, LAST)

    sent = push_pull.push(repo(bo)).exchange
    assert (sent.restored, sent.deleted) == ((LAST,), ())
    assert git(bo, "ls-remote", "origin", f"refs/tags/{LAST}")


@pytest.mark.slow
def test_counters_and_numbers_of_deleted_tags_are_never_used_again(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, _ = clones
    delete(ada, LAST, "Price@v2.0.0")
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "new")
    new = tmp_path / "new"

    assert register(new).version == 3
    models(new).transition_model_version_stage("Price", 3, "Staging")
    assert git(new, "tag", "--list", "Price#Staging*") == "Price#Staging#3"


@pytest.mark.slow
def test_clones_that_meet_do_not_use_numbers_of_deleted_tags(
    clones: tuple[Path, Path],
) -> None:
    ada, bo = clones
    register(ada)
    push_pull.push(repo(ada))
    register(bo)
    delete(ada, "Price@v3.0.0")
    git(ada, "tag", "-d", "Price@v3.0.0")

    (moved,) = push_pull.push(repo(bo)).exchange.renumbered
    assert (moved.old, moved.new) == (3, 4)


# Accidents --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_accident_is_accepted_once_the_note_is_on_the_default_branch(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, _ = clones
    delete(ada, LAST)
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "new")
    new = tmp_path / "new"
    push_pull.pull(repo(new))

    done = output(new, "registry", "acknowledge", LAST, "-m", "deleted by a script")
    assert f"{LAST}: deleted" in done
    assert "merge it into the default branch" in done
    assert shell("registry", "verify", cwd=new).returncode == 1
    git(new, "add", ".")
    git(new, "commit", "-q", "-m", "Accept an accident")
    assert shell("registry", "verify", cwd=new).returncode == 1  # nobody has reviewed it
    git(new, "push", "-q", "origin", "main")

    verified = json.loads(shell("registry", "verify", "--json", cwd=new).stdout)
    assert (verified["holds"], verified["faults"]) == (True, [])
    assert [(item["fault"]["tag"], item["why"]) for item in verified["acknowledged"]] == [
        (LAST, "deleted by a script")
    ]
    assert deleted_tags(models(new)) == []
    assert "acknowledged: deleted by a script" in output(new, "registry", "verify")


def test_what_has_no_problem_is_not_acknowledged(clones: tuple[Path, Path]) -> None:
    ada, _ = clones
    with pytest.raises(NotFound, match="finds nothing wrong with 'Price@v1"):
        acknowledge(models(ada), ["Price@v1.0.0"], "why not")
    with pytest.raises(InvalidInput, match="needs a reason"):
        acknowledge(models(ada), ["Price@v1.0.0"], " ")
    assert not (ada / "registry" / "acknowledged").exists()


def test_a_line_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"registry/acknowledged, line 2: 'Price@v1\.0\.0'"):
        acknowledged.parse(b"# a comment\nPrice@v1.0.0\n")


@given(
    oid=st.text("0123456789abcdef", min_size=40, max_size=40),
    why=st.text(min_size=1).filter(lambda text: text.strip().isprintable() and text.strip()),
)
def test_what_is_written_is_read_again(oid: str, why: str) -> None:
    fault = TagFault(tag=LAST, oid=oid, problem=TagProblem.DELETED, reason="It is gone.")

    reasons = acknowledged.parse(acknowledged.line(fault, why).encode())
    assert list(reasons) == [(LAST, oid)]


def test_a_remote_that_never_had_the_tags_has_not_lost_them(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    ada, _ = clones
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "backup.git")
    git(ada, "remote", "add", "backup", str(tmp_path / "backup.git"))

    report = push_pull.push(repo(ada), git_remote="backup").exchange
    assert (report.restored, report.deleted, report.tags) == ((), (), 4)
    delete(ada, LAST)
    assert push_pull.pull(repo(ada), git_remote="backup").deleted == ()
    assert len(push_pull.pull(repo(ada)).deleted) == 1


def test_a_log_that_names_huge_numbers_does_not_use_them_up(clones: tuple[Path, Path]) -> None:
    ada, _ = clones
    lines = [f"Tag: {'f' * 40} Price@v99999999{digit}.0.0\nTag: {'f' * 40} Price#Production#{n}"
             for digit, n in (("", "9" * 18), ("9", "99999999"))]  # fmt: skip
    tip = git(ada, "rev-parse", "gitml/runs")
    message = "registry: x\n\n" + "\n".join(lines)
    commit = git(ada, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", message)
    git(ada, "update-ref", "refs/heads/gitml/runs", commit)

    version = register(ada).version
    assert register(ada).version == version + 1
    for stage in ("Staging", "Production", "Staging"):
        models(ada).transition_model_version_stage("Price", version, stage)
    (live,) = models(ada).get_latest_versions("Price", ["Staging"])
    assert live.version == version
