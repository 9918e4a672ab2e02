"""Joining two versions of a record: the laws, and the rule for each kind of field."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, strategies as st

from gitml.entities import (
    Artifact,
    Dataset,
    Experiment,
    LoggedModelInfo,
    Metric,
    RunInputs,
    RunOutputs,
    Source,
)
from gitml.formats import joins, metric_history, run_folder
from gitml.formats.run_records import ExperimentRecord, RunFiles
from gitml.store.in_progress.fold import RUN_NAME_TAG, fold, new_run, started

SHARED = b"['remote \"gitml\"']\n    url = s3://bucket/gitml\n"
HEADER = {
    "run_id": "0a" * 16,
    "experiment_id": "Default",
    "run_name": "first",
    "user_id": "ada",
    "start_time": 1000,
}
times = st.integers(1000, 1010)
keys = st.sampled_from(["a", "b", "mlflow.runName"])
values = st.sampled_from(["1", "2", "3"])
ops = st.one_of(
    st.tuples(st.just("param"), keys, values, times),
    st.tuples(st.just("tag"), keys, values, times),
    st.tuples(st.just("untag"), keys, times),
    st.tuples(
        st.just("metric"), keys, st.sampled_from([0.5, "NaN", 0.0, -0.0]), st.integers(0, 1), times
    ),
    st.tuples(st.just("status"), st.sampled_from(["FINISHED", "FAILED"]), times, times),
    st.tuples(st.just("lifecycle"), st.sampled_from(["active", "deleted"]), times),
).map(list)
artifacts = st.lists(
    st.builds(
        Artifact,
        path=st.sampled_from(["x", "y/z"]),
        size=st.integers(0, 9),
        md5=st.sampled_from(["1" * 32, "2" * 32]),
    ),
    max_size=2,
    unique_by=lambda artifact: artifact.path,
).map(lambda items: tuple(sorted(items, key=lambda artifact: artifact.path)))


@st.composite
def versions(draw: st.DrawFn) -> RunFiles:
    """A version of one run: its first session, then perhaps a later one in some clone."""
    first = fold(None, [["start", HEADER], *draw(st.lists(ops, max_size=3))])
    base = fold(first, draw(st.lists(ops, max_size=4)))
    files = replace(base, artifacts=draw(artifacts), patch=draw(st.sampled_from([b"", b"p", b"q"])))
    stamps = {f"artifacts.{a.path}": draw(times) for a in files.artifacts if draw(st.booleans())}
    written = {**files.record.written, **stamps}
    return replace(files, record=replace(files.record, written=written))


def as_files(files: RunFiles) -> dict[str, bytes]:
    return run_folder.to_files(files)


@given(versions(), versions())
def test_join_is_commutative(a: RunFiles, b: RunFiles) -> None:
    assert as_files(joins.join_runs(a, b)) == as_files(joins.join_runs(b, a))


@given(versions(), versions(), versions())
def test_join_is_associative(a: RunFiles, b: RunFiles, c: RunFiles) -> None:
    left = joins.join_runs(joins.join_runs(a, b), c)
    right = joins.join_runs(a, joins.join_runs(b, c))

    assert as_files(left) == as_files(right)


@given(versions(), versions())
def test_join_is_idempotent(a: RunFiles, b: RunFiles) -> None:
    joined = joins.join_runs(a, b)

    assert as_files(joins.join_runs(a, a)) == as_files(a)
    assert as_files(joins.join_runs(joined, b)) == as_files(joined)


@given(st.lists(ops, max_size=8), st.integers(0, 8))
def test_folding_the_same_journal_again_changes_nothing(items: list[list], cut: int) -> None:
    start = [["start", HEADER], *items]
    once = fold(None, start)

    assert as_files(fold(once, start)) == as_files(once)
    assert as_files(fold(fold(None, start[: cut + 1]), start)) == as_files(once)


losses = st.lists(st.sampled_from([0.9, 0.5, 0.7, 0.5]), max_size=5)


def logged(base: RunFiles | None, values: list[float]) -> list[list]:
    """The journal of a writer that logs values of a metric within a millisecond."""
    header = dict(HEADER)
    sequel = metric_history.Sequel.of(base.history) if base else None
    if sequel:
        header["after"] = sequel.dump()
    first = ["resume", header, 1001] if base else ["start", header]
    return [first, *(["metric", "loss", value, 0, 1000] for value in values)]


def without_repeats(values: list[float]) -> list[float]:
    return [value for value, _ in groupby(values)]


def in_turn(values: list[float], other: list[float]) -> bool:
    """Whether the second list has the values of the first, in their order, among others."""
    rest = iter(other)
    return all(value in rest for value in values)


@given(losses, losses, losses)
def test_joined_histories_keep_the_order_of_each_writer(
    first: list[float], ada: list[float], bob: list[float]
) -> None:
    base = fold(None, logged(None, first))
    sides = [fold(base, logged(base, more)) for more in (ada, bob)]
    joined = joins.join_runs(*sides)

    assert as_files(joined) == as_files(joins.join_runs(*reversed(sides)))
    values = [point.value for point in joined.history]
    for more in (ada, bob):
        assert in_turn(without_repeats(first) + without_repeats(more), values)
    if bob and not ada:
        assert joined.record.run.data.metrics["loss"] == bob[-1]
    again = fold(joined, logged(base, ada) + logged(base, bob))
    assert as_files(again) == as_files(joined)


def test_a_name_set_and_then_untagged_is_the_same_however_often_it_is_folded() -> None:
    ops = [["untag", "mlflow.runName", 1001], ["tag", "mlflow.runName", "new", 1000]]
    once = fold(None, [["start", HEADER], *ops])

    assert as_files(fold(fold(None, [["start", HEADER], ops[0]]), [["start", HEADER], *ops])) == (
        as_files(once)
    )


def test_two_values_of_two_writers_fold_alike_in_any_order_and_in_parts() -> None:
    ops = [["param", "a", "2", 1001], ["param", "a", "1", 1000]]
    start = ["start", HEADER]
    once = fold(None, [start, *ops])

    assert once.record.run.data.params == {"a": "1"}
    assert once.record.run.conflicts == {"params.a": ("2",)}
    assert as_files(fold(None, [start, *reversed(ops)])) == as_files(once)
    assert as_files(fold(fold(None, [start, ops[0]]), [start, *ops])) == as_files(once)


def base() -> RunFiles:
    return fold(
        None, [["start", HEADER], ["tag", "owner", "ada", 1000], ["param", "lr", "0.1", 1000]]
    )


def test_the_later_tag_wins_and_the_other_clone_keeps_its_own() -> None:
    a = fold(base(), [["tag", "owner", "bob", 1005], ["tag", "only a", "1", 1001]])
    b = fold(base(), [["tag", "owner", "eve", 1004], ["tag", "only b", "1", 1001]])

    tags = joins.join_runs(a, b).record.run.data.tags

    assert tags == {"owner": "bob", "only a": "1", "only b": "1"}


def test_a_removed_tag_stays_removed_unless_it_is_set_later() -> None:
    removed = fold(base(), [["untag", "owner", 1005]])
    older = fold(base(), [["tag", "owner", "bob", 1004]])
    newer = fold(base(), [["tag", "owner", "eve", 1006]])

    assert "owner" not in joins.join_runs(removed, older).record.run.data.tags
    assert joins.join_runs(removed, newer).record.run.data.tags["owner"] == "eve"


def test_earlier_of_two_values_of_a_param_stays_and_the_later_is_listed() -> None:
    a = fold(base(), [["param", "depth", "3", 1007]])
    b = fold(base(), [["param", "depth", "5", 1004]])

    run = joins.join_runs(a, b).record.run

    assert run.data.params == {"lr": "0.1", "depth": "5"}
    assert run.conflicts == {"params.depth": ("3",)}


def test_metric_points_of_both_clones_are_united_and_summed_up_again() -> None:
    a = fold(base(), [["metric", "rmse", 3.0, 1, 1001], ["metric", "rmse", 2.0, 2, 1002]])
    b = fold(base(), [["metric", "rmse", 3.0, 1, 1001], ["metric", "rmse", 1.0, 3, 1003]])

    joined = joins.join_runs(a, b)

    assert [point.value for point in joined.history] == [3.0, 2.0, 1.0]
    assert joined.record.run.data.metrics == {"rmse": 1.0}
    assert joined.record.run.data.summaries["rmse"].count == 3


def test_the_later_end_wins_together_with_its_time() -> None:
    a = fold(base(), [["status", "FAILED", 1003, 1003]])
    b = fold(base(), [["status", "FINISHED", 1009, 1009]])

    info = joins.join_runs(a, b).record.run.info

    assert (info.status, info.end_time) == ("FINISHED", 1009)


def test_file_of_both_clones_is_the_later_logged() -> None:
    def with_file(md5: str, time: int) -> RunFiles:
        files = replace(base(), artifacts=(Artifact(path="x", size=1, md5=md5 * 32),))
        written = {**files.record.written, "artifacts.x": time}
        return replace(files, record=replace(files.record, written=written))

    assert joins.join_runs(with_file("1", 9), with_file("2", 8)).artifacts[0].md5 == "1" * 32


def test_shared_remote_beats_a_folder_of_a_single_clone() -> None:
    own = b"['remote \"gitml\"']\n    url = /z/project/.git/gitml/remote\n"
    shared = b"['remote \"gitml\"']\n    url = s3://bucket/gitml\n"

    assert (
        joins.join_remote_configs(own, shared) == joins.join_remote_configs(shared, own) == shared
    )


experiments = st.builds(
    ExperimentRecord,
    experiment=st.builds(
        Experiment,
        experiment_id=st.just("Default"),
        name=values,
        creation_time=times,
        last_update_time=times,
        tags=st.dictionaries(keys, values, max_size=2),
        lifecycle_stage=st.sampled_from(["active", "deleted"]),
    ),
    written=st.dictionaries(
        st.sampled_from(["name", "lifecycle_stage", "tags.a", "tags.b", "tags.mlflow.runName"]),
        times,
        max_size=5,
    ),
)


@given(experiments, experiments, experiments)
def test_the_laws_hold_for_experiments(a, b, c) -> None:
    join = joins.join_experiments
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a


def with_info(written: int, **changes: object) -> RunFiles:
    """The base run with fields of its info changed, all of them written at one time."""
    record = base().record
    run = replace(record.run, info=replace(record.run.info, **changes))
    times = {**record.written, **dict.fromkeys(changes, written)}
    return replace(base(), record=replace(record, run=run, written=times))


@pytest.mark.parametrize(
    ("field", "later", "earlier"),
    [
        ("run_name", "a", "z"),
        ("lifecycle_stage", "active", "deleted"),
        ("status", "FAILED", "RUNNING"),
    ],
)
def test_a_field_of_a_run_takes_its_later_write_even_where_its_bytes_are_smaller(
    field: str, later: str, earlier: str
) -> None:
    left, right = with_info(1005, **{field: later}), with_info(1004, **{field: earlier})

    for joined in (joins.join_runs(left, right), joins.join_runs(right, left)):
        assert getattr(joined.record.run.info, field) == later
        assert joined.record.written[field] == 1005


@pytest.mark.parametrize(
    ("field", "later", "earlier"), [("name", "a", "z"), ("lifecycle_stage", "active", "deleted")]
)
def test_a_field_of_an_experiment_takes_its_later_write_even_where_its_bytes_are_smaller(
    field: str, later: str, earlier: str
) -> None:
    def version(value: str, time: int) -> ExperimentRecord:
        values = {"experiment_id": "e", "name": "n", "creation_time": 1, "last_update_time": time}
        return ExperimentRecord(
            experiment=Experiment(**{**values, field: value}),  # type: ignore[arg-type]
            written={field: time},
            extra={"x": time, f"only {value}": 1},
        )

    left, right = version(later, 5), version(earlier, 4)

    assert joins.join_experiments(left, right) == joins.join_experiments(right, left)
    joined = joins.join_experiments(left, right)
    assert getattr(joined.experiment, field) == later
    assert joined.extra == {"x": 5, f"only {later}": 1, f"only {earlier}": 1}
    assert (joined.experiment.creation_time, joined.experiment.last_update_time) == (1, 5)


def test_a_run_starts_when_the_first_of_its_writers_did() -> None:
    left = with_info(1000, start_time=990, user_id="ada")
    right = with_info(1000, start_time=1000, user_id="bo")

    for joined in (joins.join_runs(left, right), joins.join_runs(right, left)):
        assert joined.record.run.info.start_time == 990
        assert joined.record.run.info.user_id == "bo"


def test_data_sets_models_code_and_unknown_fields_of_both_are_united() -> None:
    def version(letter: str, digest: str) -> RunFiles:
        run = replace(
            base().record.run,
            inputs=RunInputs(
                dataset_inputs=(
                    Dataset(name="z", digest="1", profile=letter),
                    Dataset(name=f"only {letter}", digest=digest),
                )
            ),
            outputs=RunOutputs(
                model_outputs=(
                    LoggedModelInfo(path="m", model_uuid=letter),
                    LoggedModelInfo(path=f"only {letter}"),
                )
            ),
            source=Source(name=f"{letter}.py"),
        )
        record = replace(base().record, run=run, extra={"x": letter, f"only {letter}": 1})
        return replace(
            base(), record=record, requirements=f"{letter}==1\n".encode(), remote_config=SHARED
        )

    left, right = version("a", "2"), version("b", "1")
    for joined in (joins.join_runs(left, right), joins.join_runs(right, left)):
        run = joined.record.run
        datasets = [(d.name, d.digest, d.profile) for d in run.inputs.dataset_inputs]
        models = [(m.path, m.model_uuid) for m in run.outputs.model_outputs]
        assert datasets == [("only a", "2", ""), ("only b", "1", ""), ("z", "1", "b")]
        assert models == [("m", "b"), ("only a", ""), ("only b", "")]
        assert run.source.name == "b.py"
        assert joined.record.extra == {"x": "b", "only a": 1, "only b": 1}
        assert joined.requirements == b"b==1\n"
        assert joined.remote_config == SHARED


def test_conflict_that_a_clone_settled_before_stays_listed() -> None:
    left = joins.join_runs(
        fold(base(), [["param", "depth", "3", 1007]]), fold(base(), [["param", "depth", "5", 1004]])
    )
    right = fold(base(), [["param", "depth", "4", 1003]])

    for joined in (joins.join_runs(left, right), joins.join_runs(right, left)):
        assert joined.record.run.data.params["depth"] == "4"
        assert joined.record.run.conflicts == {"params.depth": ("3", "5")}
        assert joined.record.written["params.depth"] == 1003


def test_files_of_both_are_listed_by_path_and_of_equal_times_the_greater_hash_stays() -> None:
    def version(*artifacts: Artifact) -> RunFiles:
        return replace(base(), artifacts=artifacts)

    left = version(
        Artifact(path="x", size=1, md5="1" * 32), Artifact(path="z", size=1, md5="3" * 32)
    )
    right = version(
        Artifact(path="a", size=1, md5="4" * 32), Artifact(path="x", size=9, md5="2" * 32)
    )

    for joined in (joins.join_runs(left, right), joins.join_runs(right, left)):
        assert [(a.path, a.md5[0]) for a in joined.artifacts] == [
            ("a", "4"),
            ("x", "2"),
            ("z", "3"),
        ]


def test_of_two_clone_folders_the_greater_bytes_stay_and_anything_beats_nothing() -> None:
    low, high = (f"['remote \"gitml\"']\n    url = /{x}/.git/gitml/remote\n".encode() for x in "az")

    assert joins.join_remote_configs(low, high) == joins.join_remote_configs(high, low) == high
    assert joins.join_remote_configs(b"", low) == joins.join_remote_configs(low, b"") == low


def test_a_new_run_is_running() -> None:
    assert new_run(HEADER).record.run.info.status == "RUNNING"
    assert metric_history.ordered([Metric(key="a", value=1, timestamp=1)] * 2) == (
        Metric(key="a", value=1, timestamp=1),
    )


@given(st.dictionaries(st.text(max_size=5) | st.just(RUN_NAME_TAG), st.text(max_size=5)))
def test_a_run_that_begins_is_what_a_fold_makes_of_its_first_operations(
    tags: dict[str, str],
) -> None:
    ops = [["tag", key, value, HEADER["start_time"]] for key, value in tags.items()]
    assert started(HEADER, tags) == fold(None, [["start", HEADER], *ops]).record.run
