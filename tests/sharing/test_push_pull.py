"""Sharing through an ordinary git remote and a DVC remote: clones converge, bytes arrive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import gitml
from gitml.errors import (
    ArtifactError,
    Conflict,
    InvalidInput,
    RemoteUnavailable,
    StoreError,
    UntrustedRemote,
)
from gitml.registry import resolve
from gitml.repository import Repository
from gitml.sharing import push_pull, remotes
from tests.clones import origin_and_clone
from tests.conftest import git


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one bare repository."""
    first = origin_and_clone(tmp_path, "first")
    git(tmp_path, "clone", "-q", "origin.git", "second")
    return first, tmp_path / "second"


def log_run(folder: Path, **params: str) -> str:
    client = gitml.MlflowClient(folder)
    experiment = client.repository.experiments.create("shared", {}, exist_ok=True)
    run = client.create_run(experiment)
    client.log_batch(
        run.info.run_id, params=[gitml.Param(key=k, value=v) for k, v in params.items()]
    )
    client.log_text(run.info.run_id, f"from {folder.name}", "notes/text.txt")
    client.set_terminated(run.info.run_id)
    return run.info.run_id


def repo(folder: Path) -> Repository:
    return Repository.open(folder)


def ids(folder: Path) -> set[str]:
    return {run.info.run_id for run in gitml.MlflowClient(folder).search_runs(["shared"])}


def tree(folder: Path) -> str:
    return git(folder, "rev-parse", "gitml/runs^{tree}")


def test_two_clones_converge_and_fetch_each_others_artifacts(clones: tuple[Path, Path]) -> None:
    first, second = clones
    first_id, second_id = log_run(first, a="1"), log_run(second, b="2")

    pushed = push_pull.push(repo(first))
    assert (pushed.exchange.runs, pushed.exchange.changed, pushed.stays_here) == (1, True, True)
    pushed = push_pull.push(repo(second))
    assert pushed.exchange.runs == 1
    pulled = push_pull.pull(repo(first))
    assert (pulled.runs, pulled.joined) == (1, 0)

    assert ids(first) == ids(second) == {first_id, second_id}
    assert tree(first) == tree(second)
    client = gitml.MlflowClient(first)
    path = Path(client.download_artifacts(second_id, "notes/text.txt"))
    assert path.read_text() == "from second"
    assert not push_pull.pull(repo(first)).changed
    assert not push_pull.push(repo(first)).exchange.changed
    assert git(first, "status", "--porcelain") == ""
    for folder in clones:
        assert git(folder, "fsck") == ""


def test_edits_of_a_run_in_two_clones_are_joined(clones: tuple[Path, Path]) -> None:
    first, second = clones
    run_id = log_run(first)
    push_pull.push(repo(first))
    push_pull.pull(repo(second))
    gitml.MlflowClient(first).set_tag(run_id, "owner", "ada")
    gitml.MlflowClient(first).log_metric(run_id, "late", 1)
    gitml.MlflowClient(second).set_tag(run_id, "mlflow.note.content", "checked")
    gitml.MlflowClient(second).delete_run(run_id)

    push_pull.push(repo(first))
    push_pull.push(repo(second))
    report = push_pull.pull(repo(first))

    assert (report.runs, report.joined) in {(0, 0), (0, 1)}
    assert tree(first) == tree(second)
    run = gitml.MlflowClient(first).get_run(run_id)
    assert run.info.lifecycle_stage == "deleted"
    assert run.data.tags["owner"] == "ada"
    assert run.data.tags["mlflow.note.content"] == "checked"
    assert run.data.metrics == {"late": 1.0}


def test_a_plain_clone_reads_everything_before_any_pull(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, _ = clones
    run_id = log_run(first, a="1")
    push_pull.push(repo(first))
    git(tmp_path, "clone", "-q", "origin.git", "third")

    assert ids(tmp_path / "third") == {run_id}
    other = log_run(tmp_path / "third")
    assert ids(tmp_path / "third") == {run_id, other}
    assert push_pull.push(repo(tmp_path / "third")).exchange.runs == 1


def test_clones_without_a_common_ancestor_are_joined(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    first_id = log_run(first)
    push_pull.push(repo(first))
    second_id = log_run(second)  # its branch began on its own, before it knew of the other
    assert push_pull.push(repo(second)).exchange.runs == 1
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tmp_path / 'origin.git'}", "shallow")
    git(shallow, "fetch", "-q", "--depth=1", "origin",
        "+refs/heads/gitml/runs:refs/remotes/origin/gitml/runs")  # fmt: skip

    assert ids(shallow) == {first_id, second_id}
    third_id = log_run(shallow)
    push_pull.push(repo(shallow))
    push_pull.pull(repo(first))
    assert ids(first) == {first_id, second_id, third_id}


def test_model_versions_and_stages_travel_as_tags(clones: tuple[Path, Path]) -> None:
    first, second = clones
    run_id = log_run(first)
    client = gitml.MlflowClient(first)
    client.write_artifact(run_id, "model/MLmodel", lambda path: path.write_text("flavors: {}\n"))
    from gitml.registry import registration

    registration.register(client, f"runs:/{run_id}/model", "Price")
    client.transition_model_version_stage("Price", 1, "Production", reason="it is good")
    assert push_pull.push(repo(first)).exchange.tags == 2

    assert push_pull.pull(repo(second)).tags == 2
    other = gitml.MlflowClient(second)
    assert other.get_model_version("Price", 1).current_stage == "Production"

    folder = resolve.local_path("models:/Price/Production", other)
    assert (folder / "MLmodel").read_text() == "flavors: {}\n"


def test_a_tag_that_means_two_things_is_named_and_nothing_is_moved(
    clones: tuple[Path, Path],
) -> None:
    first, second = clones
    for folder in clones:
        git(folder, "commit", "-q", "--allow-empty", "-m", folder.name)
        git(folder, "tag", "-a", "Price@v1.0.0", "-m", folder.name)
    git(first, "push", "-q", "origin", "Price@v1.0.0")
    log_run(second)

    with pytest.raises(Conflict, match=r"Price@v1\.0\.0 differs between"):
        push_pull.push(repo(second))
    assert "gitml/runs" not in git(first, "ls-remote", "origin")


def test_message_without_a_git_remote_says_how_to_add_it(repository: Path) -> None:
    log_run(repository)
    with pytest.raises(InvalidInput, match="git remote add origin URL"):
        push_pull.push(repo(repository))


def test_git_remote_that_does_not_answer_leaves_everything_local(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "/nonexistent/place.git")
    run_id = log_run(repository)
    with pytest.raises(StoreError, match="failed for remote"):
        push_pull.push(repo(repository))

    assert ids(repository) == {run_id}


# The DVC remote -----------------------------------------------------------------------------------


def test_a_shared_remote_takes_over_all_artifacts(
    clones: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = clones
    run_id = log_run(first)
    push_pull.push(repo(first))
    push_pull.pull(repo(second))
    log_run(second)
    shared = tmp_path / "storage"
    shared.mkdir()

    report = remotes.set_remote(repo(first), str(shared))
    assert (report.url, report.sent.files, report.left) == (str(shared), 1, ())
    pushed = push_pull.push(repo(first))
    assert not pushed.stays_here
    with pytest.raises(UntrustedRemote, match=f"names the remote '{shared}'"):
        push_pull.push(repo(second))
    repo(second).remotes.trust.accept(repo(second).remotes.address())
    pushed = push_pull.push(repo(second))  # its own run was logged before it knew of the remote
    assert (pushed.files, pushed.stays_here) == (1, False)
    push_pull.pull(repo(first))

    for folder in clones:
        shutil.rmtree(folder / ".git" / "gitml" / "remote")
        shutil.rmtree(folder / ".git" / "gitml" / "cache")
    client = gitml.MlflowClient(first)
    for run in ids(first):
        assert Path(client.download_artifacts(run, "notes/text.txt")).read_text().startswith("from")
    assert run_id in ids(first)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/nonexistent/deep/place", RemoteUnavailable),
        ("http://127.0.0.1:9/dvc", RemoteUnavailable),
        ("gopher://x/y", InvalidInput),
    ],
)
def test_a_remote_that_does_not_work_is_not_saved(
    repository: Path, url: str, error: type[Exception]
) -> None:
    log_run(repository)
    before = git(repository, "for-each-ref")
    with pytest.raises(error):
        remotes.set_remote(repo(repository), url)

    assert git(repository, "for-each-ref") == before
    assert repo(repository).uses_default_remote()


def test_a_remote_that_vanished_is_named_and_the_run_is_safe(
    repository: Path, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    remotes.set_remote(repo(repository), str(storage))
    storage.rename(tmp_path / "gone")

    run_id = log_run(repository)

    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "origin.git"))
    with pytest.raises(ArtifactError, match="storage"):
        push_pull.push(repo(repository))
    assert ids(repository) == {run_id}
    (tmp_path / "gone").rename(storage)
    assert push_pull.push(repo(repository)).files == 1


def test_rows_are_added_to_a_table_that_lies_in_another_clones_folder(
    clones: tuple[Path, Path],
) -> None:
    first, second = clones
    run_id = log_run(first)
    gitml.MlflowClient(first).log_table(run_id, {"a": [1]}, "t.json")
    push_pull.push(repo(first))
    push_pull.pull(repo(second))

    client = gitml.MlflowClient(second)
    client.log_table(run_id, {"a": [2]}, "t.json")
    table = json.loads(Path(client.download_artifacts(run_id, "t.json")).read_text())
    assert table["data"] == [[1], [2]]
