"""A branch that is deleted or set back by hand comes back with the next command."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitml
from gitml.maintenance.needed import NeededObjects
from gitml.repository import Repository
from gitml.sharing import push_pull
from tests.cli.conftest import shell
from tests.clones import exchange, origin_and_clone
from tests.conftest import git

BRANCH, LAST = "refs/heads/gitml/runs", "refs/gitml/last/gitml/runs"


def log_run(folder: Path, name: str) -> str:
    client = gitml.MlflowClient(folder)
    experiment = client.repository.experiments.create("house", {}, exist_ok=True)
    run_id = client.create_run(experiment, run_name=name).info.run_id
    client.log_text(run_id, name, "name.txt")
    client.set_terminated(run_id)
    return run_id


def names(folder: Path) -> set[str]:
    runs = gitml.MlflowClient(folder).search_runs(None)
    return {run.info.run_name for run in runs}


def reopened(folder: Path) -> Path:
    """The repository as another process sees it."""
    Repository.open(folder).close()
    return folder


def test_every_commit_is_remembered(repository: Path) -> None:
    for name in ("first", "second"):
        log_run(repository, name)
        assert git(repository, "rev-parse", LAST) == git(repository, "rev-parse", BRANCH)
    with gitml.MlflowClient(repository).repository.runs.batching():
        log_run(repository, "third")
    assert git(repository, "rev-parse", LAST) == git(repository, "rev-parse", BRANCH)


@pytest.mark.slow
def test_a_deleted_branch_comes_back_with_the_next_command(repository: Path) -> None:
    log_run(repository, "first")
    before = git(repository, "rev-parse", BRANCH)
    git(repository, "branch", "-D", "gitml/runs")
    git(repository, "gc", "-q", "--prune=now")

    listed = shell("runs", "list", cwd=repository)
    assert "first" in listed.stdout
    assert listed.stderr.count("\n") == 1
    assert "Branch gitml/runs was deleted; it is restored" in listed.stderr
    assert git(repository, "rev-parse", BRANCH) == before
    assert shell("runs", "list", cwd=repository).stderr == ""


def test_a_branch_deleted_while_a_process_goes_on_comes_back_with_its_next_run(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log_run(repository, "first")
    client = gitml.MlflowClient(repository)
    run_id = client.create_run(client.create_experiment("other"), run_name="second").info.run_id
    git(repository, "branch", "-D", "gitml/runs")
    client.set_terminated(run_id)
    assert names(reopened(repository)) == {"first", "second"}
    assert ["is restored" in line for line in caplog.messages] == [True]


def test_a_branch_that_was_set_back_comes_back(repository: Path) -> None:
    log_run(repository, "first")
    log_run(repository, "second")
    git(repository, "update-ref", BRANCH, f"{BRANCH}~1")
    assert names(reopened(repository)) == {"first", "second"}


def test_a_branch_with_other_commits_is_merged(repository: Path) -> None:
    log_run(repository, "first")
    base = git(repository, "rev-parse", BRANCH)
    log_run(repository, "second")
    lost = git(repository, "rev-parse", BRANCH)
    tree, message = f"{base}^{{tree}}", "by hand"
    other = git(repository, "commit-tree", tree, "-p", base, "-m", message)
    git(repository, "update-ref", BRANCH, other)

    assert names(reopened(repository)) == {"first", "second"}
    git(repository, "merge-base", "--is-ancestor", lost, BRANCH)
    log_run(repository, "third")
    assert git(repository, "rev-parse", LAST) == git(repository, "rev-parse", BRANCH)


def test_commits_on_a_branch_with_other_commits_lose_nothing(repository: Path) -> None:
    log_run(repository, "first")
    base = git(repository, "rev-parse", BRANCH)
    log_run(repository, "second")
    other = git(repository, "commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "by hand")
    git(repository, "update-ref", BRANCH, other)
    Repository.open(repository).branch.update(lambda tip: ({"experiments/x": b""}, "meanwhile\n"))
    assert names(reopened(repository)) == {"first", "second"}


def test_a_branch_that_git_moved_forward_is_taken_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ada = origin_and_clone(tmp_path, "ada")
    log_run(ada, "first")
    push_pull.push(Repository.open(ada))
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "bob")
    bob = tmp_path / "bob"
    push_pull.pull(Repository.open(bob))
    log_run(ada, "second")
    push_pull.push(Repository.open(ada))
    git(bob, "fetch", "-q", "origin", "gitml/runs:gitml/runs")

    assert names(reopened(bob)) == {"first", "second"}
    assert git(bob, "rev-parse", LAST) == git(bob, "rev-parse", BRANCH)
    assert caplog.messages == []
    log_run(bob, "third")
    exchange(ada, bob)
    assert names(ada) == names(bob) == {"first", "second", "third"}


def test_what_is_remembered_stays_in_this_clone_and_is_needed(tmp_path: Path) -> None:
    folder = origin_and_clone(tmp_path, "ada")
    log_run(folder, "first")
    git(folder, "branch", "-D", "gitml/runs")
    repository = Repository.open(folder)
    git(folder, "update-ref", "-d", BRANCH)
    assert NeededObjects(repository).refresh() != set()
    push_pull.push(Repository.open(reopened(folder)))
    assert "refs/gitml" not in git(tmp_path / "origin.git", "for-each-ref")


def test_a_branch_can_be_given_up_on_purpose(repository: Path) -> None:
    log_run(repository, "first")
    git(repository, "update-ref", "-d", LAST)
    git(repository, "branch", "-D", "gitml/runs")
    assert names(reopened(repository)) == set()


def test_another_branch_of_the_settings_has_a_memory_of_its_own(repository: Path) -> None:
    log_run(repository, "first")
    git(repository, "branch", "-m", "gitml/runs", "ml/runs")
    (repository / "gitml.yaml").write_text("branch: ml/runs\n")
    assert names(reopened(repository)) == {"first"}
    log_run(repository, "second")
    assert git(repository, "for-each-ref", "--format=%(refname)", "refs/gitml").split() == [
        "refs/gitml/last/gitml/runs", "refs/gitml/last/ml/runs",
    ]  # fmt: skip


def test_linked_work_trees_share_the_memory(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    log_run(tmp_path / "linked", "first")
    git(repository, "branch", "-D", "gitml/runs")
    assert names(reopened(repository)) == {"first"}


def test_a_lost_race_is_not_remembered(repository: Path) -> None:
    log_run(repository, "first")
    branch = Repository.open(repository).branch
    calls: list[str | None] = []

    def make(tip: str | None) -> tuple[dict[str, bytes | None], str]:
        calls.append(tip)
        if len(calls) == 1:  # another program is first
            other = git(repository, "commit-tree", f"{tip}^{{tree}}", "-p", str(tip), "-m", "x")
            git(repository, "update-ref", BRANCH, other)
        return {"experiments/x": b"{}"}, "later\n"

    branch.update(make)
    assert len(calls) == 2
    assert git(repository, "rev-parse", LAST) == git(repository, "rev-parse", BRANCH)
    parents = git(repository, "log", "-1", "--format=%P", BRANCH)
    assert parents == calls[1]
