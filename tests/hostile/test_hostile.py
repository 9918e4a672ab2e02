"""What anybody can push never stops a reader and never hides a run."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from click.testing import CliRunner

import gitml
from gitml.cli.program import gitml as program
from gitml.errors import StoreError
from gitml.formats import limits
from gitml.repository import Repository
from gitml.sharing import push_pull
from tests.conftest import git
from tests.hostile import branch, readers
from tests.hostile.branch import Entry, Good


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return branch.make_good(tmp_path / "project")


@pytest.mark.slow
def test_300_broken_records_are_skipped_named_and_counted(good: Good, tmp_path: Path) -> None:
    numbers = readers.hold(good, 300, 7, tmp_path)

    assert numbers["runs"] > 2
    assert numbers["problems"] > 50


@pytest.mark.soak
def test_10_000_broken_records(tmp_path: Path) -> None:
    for seed in range(10):
        made = branch.make_good(tmp_path / f"project{seed}")
        numbers = readers.hold(made, 1_000, 100 + 2 * seed, tmp_path / f"out{seed}")
        assert numbers["problems"] > 200


def test_commands_work_beside_broken_records(good: Good, monkeypatch: pytest.MonkeyPatch) -> None:
    branch.commit(good.folder, list(branch.broken_entries(good, 60, 3)), branch.BRANCH)
    monkeypatch.chdir(good.folder)
    for words in (("runs", "list"), ("runs", "list", "--json"), ("experiments", "list"),
                  ("registry", "list"), ("status",), ("doctor",), ("fsck",)):  # fmt: skip
        result = CliRunner().invoke(program, ["--debug", *words], catch_exceptions=False)
        assert result.exit_code == (1 if words[0] in ("doctor", "fsck") else 0), result.output


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "artifacts.json"])
def test_a_file_that_is_too_large_is_refused_unread(
    good: Good, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(p for p in good.files if good.runs[0] in p and p.endswith(name))
    branch.commit(good.folder, [Entry(path.encode(), b" " * 40_000)], branch.BRANCH)
    monkeypatch.setattr(limits, "READ_FILE", 30_000)
    monkeypatch.setattr(limits, "READ_RECORD", 20_000)
    repository = Repository.open(good.folder)

    with pytest.raises(StoreError, match=r"40,000 bytes"):
        repository.runs.read(good.runs[0], "house")
    assert repository.index().get_run(good.runs[1]) is not None


@pytest.mark.slow
def test_file_instead_of_our_folder_removes_nothing(good: Good, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(good.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    push_pull.push(Repository.open(good.folder))
    git(tmp_path, "clone", "-q", "origin.git", "enemy")
    enemy = tmp_path / "enemy"
    branch.commit(enemy, [Entry(b"runs", b"x"), Entry(b"a\nb", b"x"), Entry(b"\xff", b"x")],
                  "refs/remotes/origin/gitml/runs")  # fmt: skip
    git(enemy, "push", "-q", "origin", "gitml/runs")
    gitml.MlflowClient(good.folder).set_tag(good.runs[0], "mine", "yes")

    push_pull.push(Repository.open(good.folder))
    runs = gitml.MlflowClient(good.folder).search_runs(["house"])
    assert {run.info.run_id for run in runs} == set(good.runs)


@pytest.mark.slow
def test_both_sides_of_a_merge_may_be_broken(good: Good) -> None:
    base = git(good.folder, "rev-parse", branch.BRANCH)
    tips = [
        branch.commit(good.folder, list(branch.broken_entries(good, 80, seed)), base,
                      ref=f"refs/heads/side{seed}")
        for seed in range(3)
    ]  # fmt: skip
    repository = Repository.open(good.folder)
    for local, remote in itertools.permutations(tips, 2):
        readers.merged(repository.git.diff(local, remote), repository.git.read, local, remote)
