"""Commits without a checkout: races, other writers, odd paths, housekeeping."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitml.errors import StoreError
from gitml.formats.dvc_config import dvc_config
from gitml.git import GitRepo, RefUpdate
from gitml.store.branch import Branch
from tests.conftest import git

OWN = dvc_config("/here/.git/gitml/remote")


def open_branch(repository: Path) -> Branch:
    repo = GitRepo.discover(repository)
    state = repo.common_dir / "gitml"
    return Branch(repo, "gitml/runs", remote="origin", state=state, remote_config=OWN)


def test_a_new_branch_is_an_orphan_that_says_what_it_is(repository: Path) -> None:
    branch = open_branch(repository)
    assert branch.tip() is None

    tip = branch.update(lambda _: ({"a/b.json": b"{}\n"}, "first\n"))

    assert tip == git(repository, "rev-parse", "gitml/runs")
    assert git(repository, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines() == [
        ".dvc/config", ".dvcignore", "README.md", "a/b.json",
    ]  # fmt: skip
    assert git(repository, "rev-list", "--count", "gitml/runs") == "1"
    assert branch.read("a/b.json") == b"{}\n"
    assert branch.read("a/none") is None


def test_a_lost_race_is_made_again_on_the_new_tip(repository: Path) -> None:
    branch = open_branch(repository)
    branch.update(lambda _: ({"n": b"0"}, "start\n"))
    tips: list[str | None] = []

    def make(tip: str | None) -> tuple[dict[str, bytes | None], str]:
        tips.append(tip)
        if len(tips) == 1:  # somebody commits with stock git between reading and writing
            tree = git(repository, "rev-parse", "gitml/runs^{tree}")
            other = git(repository, "commit-tree", tree, "-p", "gitml/runs", "-m", "other")
            git(repository, "update-ref", "refs/heads/gitml/runs", other)
        return {"n": b"1"}, "mine\n"

    branch.update(make)

    assert len(tips) == 2 and tips[0] != tips[1]
    assert git(repository, "log", "--format=%s", "gitml/runs").splitlines() == [
        "mine", "other", "start",
    ]  # fmt: skip


def test_nothing_to_write_makes_no_commit(repository: Path) -> None:
    branch = open_branch(repository)
    assert branch.update(lambda _: ({}, "")) is None
    tip = branch.update(lambda _: ({"n": b"0"}, "start\n"))

    assert branch.update(lambda _: ({}, "")) == tip


@pytest.mark.parametrize("path", ['a"b', "a\\b", "a b", "\u00e9/\N{OWL}", "-x", "a\tb"])
def test_any_path_is_written_as_it_is(repository: Path, path: str) -> None:
    branch = open_branch(repository)
    branch.update(lambda _: ({path: b"x"}, "odd\n"))

    assert branch.read(path) == b"x"
    branch.update(lambda _: ({path: None}, "gone\n"))
    assert branch.read(path) is None


@pytest.mark.parametrize("path", ["a\nb", "a\udcffb", 'a"\\\n'])
def test_paths_that_somebody_pushed_stay_byte_by_byte(repository: Path, path: str) -> None:
    branch = open_branch(repository)
    tip = branch.update(lambda _: ({path: b"x"}, "odd\n"))
    assert tip

    paths = {change.path for change in branch.repo.diff(None, tip, exact=True)}
    assert path in paths
    branch.update(lambda _: ({path: None}, "gone\n"))
    assert [c.path for c in branch.repo.diff(tip, branch.tip() or "", exact=True)] == [path]


def test_a_path_that_git_cannot_hold_is_refused(repository: Path) -> None:
    with pytest.raises(StoreError, match="cannot be a path"):
        open_branch(repository).update(lambda _: ({"a\0b": b"x"}, "odd\n"))


def test_packed_refs_and_packed_objects_are_read(repository: Path) -> None:
    branch = open_branch(repository)
    tip = branch.update(lambda _: ({"n": b"0"}, "start\n"))
    git(repository, "pack-refs", "--all")
    git(repository, "gc", "--quiet")

    assert branch.tip() == tip
    assert branch.read("n") == b"0"
    branch.update(lambda _: ({"n": b"1"}, "more\n"))
    assert branch.read("n") == b"1"


def test_loose_objects_are_packed_from_time_to_time(repository: Path) -> None:
    git(repository, "config", "gc.autoDetach", "false")
    git(repository, "config", "gc.auto", "50")
    repo = GitRepo.discover(repository)
    branch = open_branch(repository)
    files = {f"f{n}": str(n).encode() for n in range(90)}
    for start in range(0, 90, 30):  # few enough per commit that fast-import leaves them loose
        portion = {name: files[name] for name in list(files)[start : start + 30]}
        branch.update(lambda _, portion=portion: (portion, "some\n"))  # type: ignore[misc]
    sample = repository / ".git" / "objects" / "17"
    sample.mkdir(exist_ok=True)
    for n in range(27):  # names that only count
        (sample / f"{n:038x}").touch()

    repo.tidy()

    assert "in-pack: 0" not in git(repository, "count-objects", "-v")


def test_a_transaction_of_refs_is_all_or_nothing(repository: Path) -> None:
    repo = GitRepo.discover(repository)
    head = git(repository, "rev-parse", "HEAD")
    good = RefUpdate(name="refs/tags/a", new=head, old=None)
    taken = RefUpdate(name="refs/heads/main", new=head, old=None)

    from gitml.errors import Conflict

    with pytest.raises(Conflict):
        repo.update_refs([good, taken])
    assert git(repository, "tag") == ""
    repo.update_refs([good])
    assert git(repository, "tag") == "a"


def test_a_child_process_made_by_fork_reads_on_its_own_pipes(repository: Path) -> None:
    script = (
        "import os, sys\n"
        "from gitml.git import GitRepo\n"
        "repo = GitRepo.discover('.')\n"
        "read = lambda: repo.read('HEAD:train.py')\n"
        "expected = read()\n"
        "children = []\n"
        "for _ in range(4):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(0 if all(read() == expected for _ in range(50)) else 1)\n"
        "    children.append(pid)\n"
        "assert all(read() == expected for _ in range(50))\n"
        "sys.exit(max(os.waitpid(pid, 0)[1] for pid in children))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")
