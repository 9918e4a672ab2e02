"""A run from start to branch: what is logged is what is recorded."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

import gitml
from gitml.errors import InvalidInput, NoRepository, NotFound
from tests.conftest import git, make_repository


def state_of(repository: Path) -> dict[str, object]:
    """Everything of the user's that logging must never touch."""
    index = repository / ".git" / "index"
    return {
        "index": index.read_bytes() if index.exists() else None,
        "head": (repository / ".git" / "HEAD").read_text(),
        "config": (repository / ".git" / "config").read_bytes(),
        "status": git(repository, "status", "--porcelain=v2"),
        "stash": git(repository, "stash", "list"),
        "files": {
            path.relative_to(repository).as_posix(): path.read_bytes()
            for path in sorted(repository.rglob("*"))
            if path.is_file() and ".git" not in path.parts
        },
        "branches": git(repository, "for-each-ref", "refs/heads/main"),
    }


def record_of(repository: Path, run_id: str) -> dict[str, object]:
    path = git(repository, "ls-tree", "-r", "--name-only", "gitml/runs", "runs")
    record = next(line for line in path.splitlines() if line.endswith(f"{run_id}/run.json"))
    value: dict[str, object] = json.loads(git(repository, "show", f"gitml/runs:{record}"))
    return value


def test_run_is_a_commit_that_reads_like_a_notebook(tracked: Path) -> None:
    gitml.set_experiment("prices")
    with gitml.start_run(run_name="baseline", description="First *try*.") as run:
        gitml.log_param("depth", 3)
        gitml.log_metric("rmse", 3.25)
    before = git(tracked, "rev-list", "--count", "gitml/runs")
    with gitml.start_run(run_name="second"):
        gitml.log_metric("rmse", 2.5)

    assert int(git(tracked, "rev-list", "--count", "gitml/runs")) == int(before) + 1
    message = git(tracked, "log", "-1", "--format=%B", "gitml/runs~1")
    lines = message.splitlines()
    assert lines[0].startswith("baseline: finished in ")
    assert "rmse = 3.25" in lines and "depth = 3" in lines
    assert f"Run: {run.info.run_id}" in lines
    assert f"Code: {git(tracked, 'rev-parse', 'main')} (main)" in lines
    trailers = git(tracked, "log", "-1", "--format=%(trailers:key=Status,valueonly)",
                   "gitml/runs~1")  # fmt: skip
    assert trailers == "FINISHED"


def test_record_holds_all_that_was_logged(tracked: Path) -> None:
    with gitml.start_run(tags={"team": "blue"}) as run:
        gitml.log_params({"a": 1, "b": "x"})
        gitml.log_metric("loss", 2.0, step=1, timestamp=1_700_000_000_000)
        gitml.log_metric("loss", 1.0, step=2)
        gitml.log_metrics({"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "bool": True})
        gitml.set_tags({"x": 1, "gone": 2})
        gitml.delete_tag("gone")
        gitml.log_input(gitml.Dataset(name="cars", digest="abcd1234"), context="train")

    record = record_of(tracked, run.info.run_id)
    assert record["params"] == {"a": "1", "b": "x"}
    assert record["metrics"] == {
        "loss": 1.0, "nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "bool": 1.0,
    }  # fmt: skip
    assert record["status"] == "FINISHED"
    assert record["source"]["commit"] == git(tracked, "rev-parse", "main")  # type: ignore[index]
    assert record["tags"]["team"] == "blue" and "gone" not in record["tags"]  # type: ignore[index,operator]
    assert record["inputs"][0]["context"] == "train"  # type: ignore[index]
    run_ = gitml.get_run(run.info.run_id)
    assert run_.data.params == {"a": "1", "b": "x"}
    assert math.isnan(run_.data.metrics["nan"])
    history = gitml.MlflowClient(tracked).get_metric_history(run.info.run_id, "loss")
    assert [(point.value, point.step) for point in history] == [(2.0, 1), (1.0, 2)]
    assert history[0].timestamp == 1_700_000_000_000


def test_logging_leaves_the_users_repository_byte_for_byte_alone(tracked: Path) -> None:
    (tracked / "train.py").write_text("print('stashed')\n")
    git(tracked, "stash")
    (tracked / "staged.txt").write_text("staged\n")
    git(tracked, "add", "staged.txt")
    (tracked / "train.py").write_text("print('dirty')\n")
    (tracked / "untracked.txt").write_text("new\n")
    before = state_of(tracked)

    with gitml.start_run() as run:
        gitml.log_text("hello", "notes/a.txt")
        gitml.log_metric("m", 1)
    gitml.search_runs(output_format="list")
    gitml.set_experiment_tag("owner", "ada")
    gitml.MlflowClient(tracked).set_tag(run.info.run_id, "late", "1")

    assert state_of(tracked) == before


def test_uncommitted_changes_are_recorded_as_a_patch_that_applies(tracked: Path) -> None:
    (tracked / "train.py").write_text("print('changed \u00e9')\n")
    with gitml.start_run() as run:
        pass

    record = record_of(tracked, run.info.run_id)
    assert record["source"]["dirty"] is True  # type: ignore[index]
    files = git(tracked, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    patch = next(name for name in files if name.endswith("source.patch"))
    text = subprocess.run(
        ["git", "show", f"gitml/runs:{patch}"], cwd=tracked, capture_output=True, check=True
    ).stdout
    git(tracked, "checkout", "-q", "train.py")
    subprocess.run(["git", "apply", "-"], cwd=tracked, input=text, check=True)
    assert (tracked / "train.py").read_text() == "print('changed \u00e9')\n"


def test_a_param_cannot_change_its_value_but_may_be_repeated(tracked: Path) -> None:
    with gitml.start_run() as run:
        assert gitml.log_param("lr", 0.1) == 0.1
        gitml.log_param("lr", 0.1)
        with pytest.raises(InvalidInput, match=r"'lr' was already logged with value '0\.1'"):
            gitml.log_param("lr", 0.2)
        with pytest.raises(InvalidInput, match="already logged"):
            gitml.log_params({"new": 1, "lr": 0.3, "newer": 2})

    with gitml.start_run(run_id=run.info.run_id), pytest.raises(InvalidInput, match="already"):
        gitml.log_param("lr", 0.2)
    client = gitml.MlflowClient(tracked)
    with pytest.raises(InvalidInput, match="already logged"):
        client.log_param(run.info.run_id, "lr", 0.2)
    assert gitml.get_run(run.info.run_id).data.params == {"lr": "0.1"}


def test_log_batch_with_a_bad_value_logs_nothing(tracked: Path) -> None:
    with gitml.start_run() as run:
        with pytest.raises(InvalidInput, match="not a number"):
            gitml.log_metrics({"good": 1, "bad": "high"})
        with pytest.raises(InvalidInput, match="250,000"):
            gitml.log_params({"good": 1, "long": "x" * 250_001})

    data = gitml.get_run(run.info.run_id).data
    assert (data.params, data.metrics) == ({}, {})


def test_a_run_that_raises_ends_failed_and_the_error_goes_on(tracked: Path) -> None:
    with pytest.raises(ZeroDivisionError), gitml.start_run() as run:
        gitml.log_metric("m", 1 / 0)

    run_ = gitml.get_run(run.info.run_id)
    assert run_.info.status == "FAILED"
    assert run_.data.tags["gitml.error"] == "ZeroDivisionError: division by zero"
    assert gitml.active_run() is None


def test_ctrl_c_in_a_block_ends_the_run_killed(tracked: Path) -> None:
    with pytest.raises(KeyboardInterrupt), gitml.start_run() as run:
        raise KeyboardInterrupt

    assert gitml.get_run(run.info.run_id).info.status == "KILLED"


def test_nested_runs_know_their_parent(tracked: Path) -> None:
    with gitml.start_run(run_name="sweep") as parent:
        with pytest.raises(InvalidInput, match="already active"):
            gitml.start_run()
        with gitml.start_run(nested=True, run_name="trial") as child:
            assert gitml.active_run() is child
        assert gitml.active_run() is parent

    run_ = gitml.get_parent_run(child.info.run_id)
    assert run_ is not None and run_.info.run_id == parent.info.run_id
    assert gitml.get_parent_run(parent.info.run_id) is None


def test_a_finished_run_can_be_resumed(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_metric("loss", 2, step=1)
        gitml.log_text("one", "one.txt")
    with gitml.start_run(run_id=run.info.run_id) as again:
        assert again.info.status == "RUNNING"
        gitml.log_metric("loss", 1, step=2)
        gitml.log_param("late", "yes")
        gitml.log_text("two", "two.txt")

    run_ = gitml.get_run(run.info.run_id)
    assert (run_.info.status, run_.data.metrics) == ("FINISHED", {"loss": 1.0})
    assert run_.data.params == {"late": "yes"}
    client = gitml.MlflowClient(tracked)
    assert [info.path for info in client.list_artifacts(run.info.run_id)] == ["one.txt", "two.txt"]


def test_a_run_in_progress_is_visible_in_searches(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_metric("m", 1)
        (run_,) = gitml.search_runs(output_format="list")
        assert (run_.info.run_id, run_.info.status) == (run.info.run_id, "RUNNING")
        assert run_.data.metrics == {"m": 1.0}
        gitml.log_metric("m", 2)
        (run_,) = gitml.search_runs(filter_string="metrics.m = 2", output_format="list")
    (run_,) = gitml.search_runs(output_format="list")
    assert run_.info.status == "FINISHED"


def test_search_returns_mlflows_table(tracked: Path) -> None:
    gitml.set_experiment("a")
    with gitml.start_run():
        gitml.log_param("model", "tree")
        gitml.log_metric("rmse", 3)
    gitml.set_experiment("b")
    with gitml.start_run():
        gitml.log_metric("rmse", 1)

    frame = gitml.search_runs(
        search_all_experiments=True, filter_string="metrics.rmse < 4", order_by=["metrics.rmse"]
    )
    assert list(frame["metrics.rmse"]) == [1.0, 3.0]
    assert frame["params.model"][1] == "tree"
    assert list(frame.columns[:6]) == [
        "run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time",
    ]  # fmt: skip
    assert len(gitml.search_runs(experiment_names=["b", "unknown"])) == 1
    assert len(gitml.search_runs(search_all_experiments=True, max_results=1)) == 1
    with pytest.raises(InvalidInput, match=r"filter|[Ee]xpected"):
        gitml.search_runs(filter_string="metrics.rmse <")


def test_a_deleted_run_is_hidden_refuses_writes_and_comes_back(tracked: Path) -> None:
    with gitml.start_run() as run:
        pass
    gitml.delete_run(run.info.run_id)

    assert gitml.search_runs(output_format="list") == []
    client = gitml.MlflowClient(tracked)
    with pytest.raises(InvalidInput, match="is deleted"):
        client.log_metric(run.info.run_id, "m", 1)
    with pytest.raises(InvalidInput, match="is deleted"):
        gitml.start_run(run_id=run.info.run_id)
    gitml.restore_run(run.info.run_id)
    assert len(gitml.search_runs(output_format="list")) == 1


def test_experiments_are_made_once_renamed_deleted_and_restored(tracked: Path) -> None:
    first = gitml.set_experiment("prices / Q1 \N{OWL}")
    assert gitml.set_experiment("prices / Q1 \N{OWL}") == first
    with pytest.raises(gitml.MlflowException, match="already exists"):
        gitml.create_experiment("prices / Q1 \N{OWL}")
    client = gitml.MlflowClient(tracked)
    client.rename_experiment(first.experiment_id, "prices Q1")
    assert gitml.get_experiment_by_name("prices Q1").experiment_id == first.experiment_id  # type: ignore[union-attr]
    again = gitml.create_experiment("prices / Q1 \N{OWL}")
    assert again != first.experiment_id
    gitml.set_experiment_tags({"a": "1", "b": "2"})
    client.delete_experiment(first.experiment_id)
    with pytest.raises(InvalidInput, match="is deleted"):
        gitml.set_experiment("prices Q1")
    assert [e.name for e in gitml.search_experiments()] == ["prices / Q1 \N{OWL}"]
    client.restore_experiment(first.experiment_id)
    assert gitml.get_experiment(first.experiment_id).tags == {"a": "1", "b": "2"}


@pytest.mark.parametrize("name", ["a/b", "..", "../../x", "two words", "\N{OWL}", "x" * 300])
def test_awkward_names_work_for_experiments_and_runs(tracked: Path, name: str) -> None:
    gitml.set_experiment(name)
    with gitml.start_run(run_name=name) as run:
        gitml.log_text("x", "x.txt")

    run_ = gitml.get_run(run.info.run_id)
    assert run_.info.run_name == name
    assert gitml.get_experiment(run_.info.experiment_id).name == name
    assert git(tracked, "fsck") == ""


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 501, 7])
def test_names_that_cannot_be_used_leave_nothing_behind(tracked: Path, name: object) -> None:
    gitml.set_experiment("e")
    before = git(tracked, "for-each-ref")
    with pytest.raises(InvalidInput):
        gitml.set_experiment(name)  # type: ignore[arg-type]
    if name:
        with pytest.raises(InvalidInput):
            gitml.start_run(run_name=name)  # type: ignore[arg-type]

    assert git(tracked, "for-each-ref") == before
    runs = tracked / ".git" / "gitml" / "runs"
    assert not runs.exists() or list(runs.iterdir()) == []


@pytest.mark.parametrize("value", ["high", None, [1, 2], object(), {}])
def test_metric_must_be_a_number(tracked: Path, value: object) -> None:
    with gitml.start_run(), pytest.raises(InvalidInput, match="not a number"):
        gitml.log_metric("m", value)  # type: ignore[arg-type]


def test_param_of_100_kb_is_stored_in_full(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_param("prompt", "x" * 100_000)

    assert gitml.get_run(run.info.run_id).data.params["prompt"] == "x" * 100_000


@pytest.mark.parametrize(
    "path", ["../../x", "/etc/x", "a/../../x", "C:\\x", "a\\b", ".git/x", "~/x"]
)
def test_an_artifact_path_that_leaves_the_run_is_refused(tracked: Path, path: str) -> None:
    with gitml.start_run():
        with pytest.raises(InvalidInput, match=r"leaves the run|git takes for its own"):
            gitml.log_text("x", path)
        with pytest.raises(InvalidInput, match=r"leaves the run|git takes for its own"):
            gitml.log_artifact(tracked / "train.py", path)


def test_a_missing_file_is_named(tracked: Path) -> None:
    with gitml.start_run():
        with pytest.raises(InvalidInput, match=r"No file .*nowhere\.csv"):
            gitml.log_artifact(tracked / "nowhere.csv")
        with pytest.raises(InvalidInput, match="No folder"):
            gitml.log_artifacts(tracked / "nowhere")


def test_unknown_ids_raise_an_error(tracked: Path) -> None:
    with pytest.raises(NotFound, match="No run " + "ab" * 16):
        gitml.get_run("ab" * 16)
    with pytest.raises(InvalidInput, match="not a run id"):
        gitml.get_run("../x")
    with pytest.raises(NotFound, match="No experiment"):
        gitml.get_experiment("nope")
    with pytest.raises(NotFound, match="No experiment"):
        gitml.set_experiment(experiment_id="nope")


def test_error_outside_a_repository_suggests_init(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import gitml; gitml.start_run()"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("gitml.errors.NoRepository: No git repository")
    assert "gitml init" in done.stderr.splitlines()[-1]
    with pytest.raises(NoRepository):
        gitml.MlflowClient(tmp_path)


SCRIPT = "import gitml\nwith gitml.start_run():\n    gitml.log_metric('m', 1)\n"


def run_script(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=folder, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_works_from_a_subfolder(repository: Path) -> None:
    (repository / "deep" / "er").mkdir(parents=True)
    run_script(repository / "deep" / "er")

    assert git(repository, "rev-list", "--count", "gitml/runs") == "2"


def test_it_works_in_a_linked_work_tree(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "topic")
    run_script(tmp_path / "linked")

    message = git(repository, "log", "-1", "--format=%B", "gitml/runs")
    assert "(topic)" in message


def test_it_works_on_a_detached_head(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    run_script(repository)

    assert "Code: " in git(repository, "log", "-1", "--format=%B", "gitml/runs")


def test_it_works_in_a_repository_without_commits(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    run_script(tmp_path)

    assert "Code: " not in git(tmp_path, "log", "-1", "--format=%B", "gitml/runs")


def test_it_works_without_a_configured_name(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
        monkeypatch.delenv(f"GIT_{name}")
    run_script(repository)

    assert git(repository, "log", "-1", "--format=%an", "gitml/runs") != ""


def test_it_works_inside_a_git_hook(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-commit"
    hook.write_text(f'#!/bin/sh\n{sys.executable} -c "{SCRIPT}"\n')
    hook.chmod(0o755)
    (repository / "more.txt").write_text("x")
    git(repository, "add", "more.txt")
    git(repository, "commit", "-q", "-m", "More")

    assert git(repository, "rev-list", "--count", "gitml/runs") == "2"
    assert git(repository, "status", "--porcelain") == ""


def test_a_second_repository_can_be_chosen(tmp_path: Path, tracked: Path) -> None:
    other = make_repository(tmp_path / "other")
    with gitml.start_run():
        pass
    gitml.set_tracking_uri(other)
    with gitml.start_run():
        pass

    assert gitml.get_tracking_uri() == other.as_uri()
    for repository in (tracked, other):
        assert git(repository, "rev-list", "--count", "gitml/runs") == "2"
    with pytest.raises(InvalidInput, match="not a path"):
        gitml.set_tracking_uri("http://127.0.0.1:5000")


def test_a_script_may_change_its_folder_during_a_run(repository: Path, tmp_path: Path) -> None:
    script = (
        "import gitml, os, sys\n"
        "with gitml.start_run() as run:\n"
        "    os.chdir(sys.argv[1])\n"
        "    gitml.set_tag('a', 'b')\n"
        "    gitml.log_text('x', 'x.txt')\n"
        "    gitml.log_params({'p': 1})\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(elsewhere)],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = gitml.MlflowClient(repository).search_runs(["Default"])
    assert (run.data.params, run.data.tags["a"]) == ({"p": "1"}, "b")


def test_searching_writes_nothing(tracked: Path) -> None:
    assert gitml.search_runs(output_format="list") == []
    assert gitml.search_experiments() == []
    assert gitml.get_experiment_by_name("x") is None

    assert "gitml" not in git(tracked, "for-each-ref")
