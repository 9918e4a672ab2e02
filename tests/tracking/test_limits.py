"""What can be logged can be read, listed, merged, pushed and rendered; more is refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings, strategies as st

import gitml
from gitml.cli.program import gitml as program
from gitml.entities import Dataset, LoggedModelInfo, Metric, Param
from gitml.errors import GitmlError, InvalidInput, TooLarge
from gitml.formats import canonical, limits, metric_history, run_records
from gitml.maintenance import fsck
from gitml.repository import Repository
from gitml.store.in_progress.fold import fold, new_run
from gitml.store.in_progress.room import Others, Room
from tests.clones import exchange, origin_and_clone
from tests.conftest import git


def client(folder: Path) -> gitml.MlflowClient:
    return gitml.MlflowClient(folder)


def run_cli(folder: Path, *args: str) -> str:
    """What a command prints, run in this process."""
    with contextlib.chdir(folder):
        result = CliRunner().invoke(program, args)
    assert result.exit_code == 0, result.output
    return result.stdout


def check_everywhere(folder: Path, run_id: str) -> None:
    """A run can be read, listed, printed as text and JSON, rendered, and has no fault."""
    listed = json.loads(run_cli(folder, "runs", "list", "--json"))
    assert run_id in [run["run_id"] for run in listed]
    run_cli(folder, "runs", "list")
    assert json.loads(run_cli(folder, "runs", "show", run_id, "--json"))["run_id"] == run_id
    run_cli(folder, "runs", "show", run_id)
    run_cli(folder, "site", "build", "--output", str(folder / "site"))
    assert fsck.check(Repository.open(folder)).faults == ()


def check_after_exchange(root: Path, folder: Path, run_id: str) -> None:
    """The same in another clone, and in both after each has edited the run."""
    exchange(folder)
    git(root, "clone", "-q", f"file://{root}/origin.git", "bob")
    check_everywhere(root / "bob", run_id)
    for number, clone in enumerate((folder, root / "bob")):
        client(clone).log_metric(run_id, "late", number, step=number)
    exchange(folder, root / "bob")
    for clone in (folder, root / "bob"):
        assert len(client(clone).get_metric_history(run_id, "late")) == 2
        check_everywhere(clone, run_id)


def refused_after(log: Any, most: int) -> int:
    """Call until it is refused; returns how often it was not."""
    for number in range(most):
        try:
            log(number)
        except TooLarge as error:
            assert "\n" not in str(error)
            return number
    raise AssertionError(f"nothing was refused in {most} calls")


def test_readers_take_what_all_writers_of_a_run_may_have_logged() -> None:
    assert limits.READ_RECORD >= limits.JOINED * limits.RECORD
    for limit in (limits.HISTORY, limits.MANIFEST, limits.PATCH):
        assert limits.JOINED * limit <= limits.READ_FILE
    assert limits.HISTORY < 100 * 2**20  # what git hosts take
    assert limits.RECORD >= 6 * limits.TAG  # the largest tag, of characters that JSON escapes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "size"), [("tag", limits.TAG), ("param", limits.PARAM), ("text", limits.TAG // 2)]
)
def test_texts_are_refused_when_the_record_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, size: int
) -> None:
    folder = origin_and_clone(tmp_path, "ada")
    ada = client(folder)
    run_id = ada.create_run(ada.create_experiment("shared")).info.run_id

    def log(number: int) -> None:
        text = "é" * (size // 2) if kind == "text" else "x" * size
        if kind == "param":
            ada.log_batch(run_id, params=[Param(key=f"k{number}", value=text)])
        elif kind == "tag":
            ada.set_tag(run_id, f"k{number}", text)
        else:
            ada.log_inputs(run_id, [Dataset(name=f"k{number}", digest="1", schema=text)])

    accepted = refused_after(log, 100)
    assert 7 <= accepted <= 40
    ada.log_batch(run_id, params=[Param(key="small", value="fits")])
    ada.set_terminated(run_id)
    with pytest.raises(TooLarge):
        log(accepted)
    run = ada.get_run(run_id)
    texts = {"tag": run.data.tags, "param": run.data.params}.get(kind, {})
    assert len([key for key in texts if key.startswith("k")]) == (accepted if texts else 0)
    assert run.data.params["small"] == "fits"
    check_after_exchange(tmp_path, folder, run_id)


@pytest.mark.slow
def test_a_record_that_two_clones_filled_can_still_be_read(tmp_path: Path) -> None:
    folders = [origin_and_clone(tmp_path, "ada"), tmp_path / "bob"]
    ada = client(folders[0])
    run_id = ada.create_run(ada.create_experiment("shared")).info.run_id
    ada.set_terminated(run_id)
    exchange(folders[0])
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "bob")
    for name, folder in zip(("ada", "bob"), folders, strict=True):
        edits = client(folder)
        refused_after(
            lambda n, edits=edits, name=name: edits.set_tag(run_id, f"{name}{n}", "x" * limits.TAG),
            20,
        )
    exchange(*folders)
    for folder in folders:
        assert len(client(folder).get_run(run_id).data.tags) >= 14
        check_everywhere(folder, run_id)
        with pytest.raises(TooLarge):
            client(folder).set_tag(run_id, "more", "x")
    client(folders[0]).delete_tag(run_id, "ada0")  # smaller is fine
    assert "ada0" not in client(folders[0]).get_run(run_id).data.tags


@pytest.mark.slow
def test_names_of_metrics_are_refused_when_the_record_is_full(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECORD", 100_000)
    with gitml.start_run() as run:
        accepted = refused_after(lambda n: gitml.log_metric(f"metric {n:03}", 1.0), 1000)
        gitml.log_metric("metric 000", 2.0)
    data = client(tracked).get_run(run.info.run_id).data
    assert (len(data.metrics), data.metrics["metric 000"]) == (accepted, 2.0)
    check_everywhere(tracked, run.info.run_id)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["run", "batch", "log_batch", "late", "resumed"])
def test_points_are_refused_when_the_history_is_full(
    tracked: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(limits, "HISTORY", 4_000)
    ada = client(tracked)
    run_id = ada.create_run(ada.create_experiment("house")).info.run_id
    if kind in ("late", "resumed"):
        ada.log_metric(run_id, "loss", 0.5, step=-1)
        ada.set_terminated(run_id)

    def log(number: int) -> None:
        if kind == "log_batch":
            point = Metric(key="loss", value=number / 7, timestamp=number, step=number)
            ada.log_batch(run_id, metrics=[point])
        elif kind == "late":
            ada.log_metric(run_id, "loss", number / 7, step=number)
        else:
            gitml.log_metric("loss", number / 7, step=number)

    if kind == "batch":
        with gitml.batch(), gitml.start_run() as run:
            run_id, accepted = run.info.run_id, refused_after(log, 1000)
    elif kind in ("run", "resumed"):
        with gitml.start_run(run_id if kind == "resumed" else None) as run:
            run_id, accepted = run.info.run_id, refused_after(log, 1000)
    else:
        accepted = refused_after(log, 1000)
        ada.set_terminated(run_id)
    assert accepted > 40
    steps = [point.step for point in ada.get_metric_history(run_id, "loss") if point.step >= 0]
    assert steps == list(range(accepted))
    check_everywhere(tracked, run_id)


def test_a_training_goes_on_without_the_points_that_are_refused(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HISTORY", 1_000)
    monkeypatch.setenv("GITML_ON_ERROR", "warn")
    with gitml.start_run() as run:
        for number in range(100):
            gitml.log_metric("loss", number, step=number)
    assert client(tracked).get_run(run.info.run_id).info.status == "FINISHED"


@pytest.mark.slow
def test_a_run_of_two_million_points_can_be_read(tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.log_metric("loss", 0.5)
    info = run.info
    folder = run_records.run_folder(info.experiment_id, info.run_id)
    count = 2_000_000
    head, start = b'["loss", ', 1_800_000_000_000
    points = b"".join(head + b"%d, %d, %d.5]\n" % (n, start, n) for n in range(count))
    branch = Repository.open(tracked).branch
    record = json.loads(branch.read(f"{folder}/run.json") or b"")
    stats = {"count": count, "min": 0.5, "max": count - 0.5, "step": count - 1, "timestamp": start}
    record |= {"metrics": {"loss": count - 0.5}, "metric_stats": {"loss": stats}}
    files = {"metrics.jsonl": points, "run.json": canonical.dump(record)}
    branch.update(lambda _: ({f"{folder}/{n}": data for n, data in files.items()}, "large\n"))
    printed = run_cli(tracked, "runs", "show", info.run_id, "--json")
    assert json.loads(printed)["metrics"] == {"loss": count - 0.5}
    assert len(metric_history.from_jsonl(points)) == count


@pytest.mark.slow
def test_a_run_in_progress_of_another_process_counts(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECORD", 50_000)
    monkeypatch.setattr(limits, "HISTORY", 50_000)
    run = gitml.start_run()
    gitml.set_tag("large", "x" * 40_000)
    for step in range(1_000):
        gitml.log_metric("loss", step, step=step)
    store = Repository.open(tracked).runs
    store._writers.clear()  # as another process sees it
    second = store.resume(run.info.run_id, run.info.experiment_id)
    with pytest.raises(TooLarge):
        second.write([["tag", "more", "x" * 20_000, 1]])
    with pytest.raises(TooLarge):
        for step in range(1_000):
            second.log_metric("loss", step, step=1_000 + step, timestamp=None)
    run.writer.journal.close()
    second.journal.close()
    store._writers.clear()
    assert len(client(tracked).get_metric_history(run.info.run_id, "loss")) > 1_000
    check_everywhere(tracked, run.info.run_id)


def test_tags_that_change_for_ever_are_refused_before_the_journal_is_endless(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL", 5_000)
    with gitml.start_run() as run:
        accepted = refused_after(lambda n: gitml.set_tag("progress", n), 1_000)
        gitml.log_metric("loss", 1.0)
    assert client(tracked).get_run(run.info.run_id).data.tags["progress"] == str(accepted - 1)


@pytest.mark.slow
def test_files_are_refused_when_the_manifest_is_full(
    tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MANIFEST", 2_000)
    with gitml.start_run() as run:
        accepted = refused_after(lambda n: gitml.log_text("x", f"{n}.txt"), 100)
    assert len(client(tracked).list_artifacts(run.info.run_id)) == accepted
    check_everywhere(tracked, run.info.run_id)


def test_a_run_is_not_begun_with_tags_that_have_no_room(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECORD", 10_000)
    with pytest.raises(TooLarge):
        gitml.start_run(tags={"large": "x" * 9_000})
    assert gitml.active_run() is None
    assert Repository.open(tracked).runs.in_progress() == {}


@pytest.mark.slow
def test_experiments_and_models_have_the_same_limit(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECORD", 10_000)
    ada = client(tracked)
    experiment = ada.create_experiment("house")
    ada.create_registered_model("Price")
    accepted = [
        refused_after(lambda n: ada.set_experiment_tag(experiment, f"k{n}", "x" * 1_000), 20),
        refused_after(lambda n: ada.set_registered_model_tag("Price", f"k{n}", "x" * 1_000), 20),
    ]
    with pytest.raises(TooLarge):
        ada.create_experiment("other", tags={"large": "x" * 10_000})
    with pytest.raises(TooLarge):
        ada.create_registered_model("Other", description="x" * 10_000)
    assert len(ada.get_experiment(experiment).tags) == accepted[0] > 5
    assert len(ada.get_registered_model("Price").tags) == accepted[1] > 5
    assert fsck.check(Repository.open(tracked)).faults == ()


@pytest.mark.slow
def test_the_longest_names_and_values_work_everywhere(tmp_path: Path) -> None:
    folder = origin_and_clone(tmp_path, "ada")
    ada = client(folder)
    key = "\N{SNAKE}" * limits.KEY
    largest = 2**63 - 1
    run_id = ada.create_run(
        ada.create_experiment("e" * limits.NAME), run_name="\N{SNAKE}" * limits.NAME
    ).info.run_id
    ada.log_batch(
        run_id,
        metrics=[Metric(key=key, value=1e308, timestamp=t, step=t) for t in (-largest, largest)],
        params=[Param(key=key, value="\N{SNAKE}" * limits.PARAM)],
    )
    ada.set_tag(run_id, key, "\x00" * limits.TAG)
    for value in ("x" * (limits.TAG + 1), "x" * (limits.PARAM + 1)):
        with pytest.raises(InvalidInput):
            ada.log_param(run_id, "long", value)
    with pytest.raises(InvalidInput):
        ada.set_tag(run_id, "k" * (limits.KEY + 1), "x")
    with pytest.raises(InvalidInput):
        ada.create_experiment("e" * (limits.NAME + 1))
    ada.set_terminated(run_id)
    run_cli(folder, "metrics", "history", run_id, key)
    check_after_exchange(tmp_path, folder, run_id)


def test_a_reason_that_no_reader_would_parse_is_refused(tracked: Path) -> None:
    ada = client(tracked)
    ada.create_registered_model("Price")
    with gitml.start_run() as run:
        gitml.log_text("flavors: {}\n", "model/MLmodel")
    ada.create_model_version("Price", f"runs:/{run.info.run_id}/model", run.info.run_id)
    before = git(tracked, "for-each-ref", "refs/tags")
    with pytest.raises(GitmlError, match="shorter reason"):
        ada.transition_model_version_stage("Price", 1, "Staging", reason="x" * 70_000)
    assert git(tracked, "for-each-ref", "refs/tags") == before


HEADER = {
    "run_id": "0a" * 16,
    "experiment_id": "Default",
    "run_name": "first",
    "user_id": "ada",
    "start_time": 2**62,
}
texts = st.text(max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1)
operations = st.one_of(
    st.tuples(st.just("param"), texts, texts, st.just(2**62)),
    st.tuples(st.just("tag"), texts, texts, st.just(2**62)),
    st.tuples(st.just("untag"), texts, st.just(2**62)),
    st.tuples(st.just("metric"), texts, st.floats().map(canonical.number_out), numbers, numbers),
    st.tuples(
        st.just("input"), st.builds(Dataset, name=texts, digest=texts, schema=texts).map(dict)
    ),
    st.tuples(
        st.just("model"),
        st.builds(LoggedModelInfo, path=texts, flavors=st.lists(texts).map(tuple)).map(dict),
    ),
).map(list)


@given(st.lists(operations, max_size=30))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_room_that_is_counted_is_never_less_than_what_the_record_takes(
    ops: list[list[Any]],
) -> None:
    nobody = Others(folder=Path("missing"), read=lambda: new_run(HEADER))
    room = Room(run_id="0a" * 16, others=nobody)
    for op in ops:
        room.take([op])
    record = fold(None, [["start", HEADER], *ops]).record
    assert len(run_records.run_to_json(record)) <= room._record
