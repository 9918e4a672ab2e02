"""Merging two trees of the branch: the same tree from either side, whatever anybody pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given, settings, strategies as st

from gitml.entities import Artifact, Experiment
from gitml.errors import StoreError
from gitml.formats import model_records, run_folder, run_records
from gitml.formats.model_records import ModelRecord, VersionRecord
from gitml.formats.run_records import ExperimentRecord
from gitml.git import ZERO, Blob, Change
from gitml.store.exchange.tree_merge import merged, removes_records
from gitml.store.in_progress.fold import fold
from tests.formats.test_joins import HEADER, experiments, versions

RUN = run_records.run_folder(HEADER["experiment_id"], HEADER["run_id"])
Tree = dict[str, tuple[str, bytes]]
SHARED = b"['remote \"gitml\"']\n    url = s3://bucket/gitml\n"
OWN = b"['remote \"gitml\"']\n    url = /z/project/.git/gitml/remote\n"


def experiment(name: str) -> bytes:
    item = Experiment(experiment_id=name, name=name, creation_time=1, last_update_time=1)
    return run_records.experiment_to_json(ExperimentRecord(experiment=item))


def model(description: str = "", time: int = 1) -> bytes:
    record = ModelRecord(
        name="m",
        creation_timestamp=1,
        last_updated_timestamp=time,
        description=description,
        written={"description": time},
    )
    return model_records.model_to_json(record)


def version(number: int, description: str = "", time: int = 1) -> bytes:
    record = VersionRecord(
        name="m",
        version=number,
        creation_timestamp=1,
        last_updated_timestamp=time,
        description=description,
        written={"description": time},
    )
    return model_records.version_to_json(record)


SOUND = {
    "experiments/Default.json": experiment("Default"),
    "experiments/Other.json": experiment("Other"),
    "models/m/model.json": model(),
    "models/m/versions/1.json": version(1),
    "models/m/versions/2.json": version(2),
}


def oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def plain(files: dict[str, bytes]) -> Tree:
    return {path: ("100644", data) for path, data in files.items()}


def differences(local: Tree, remote: Tree) -> tuple[list[Change], Callable[[str], bytes | None]]:
    """The changes from one tree to another, and what reads their blobs."""
    blobs = {oid(data): data for tree in (local, remote) for mode, data in tree.values()
             if mode != "160000"}  # fmt: skip
    changes = [
        Change(
            path=path,
            old=oid(local[path][1]) if path in local else None,
            new=oid(remote[path][1]) if path in remote else None,
            old_mode=local[path][0] if path in local else "000000",
            new_mode=remote[path][0] if path in remote else "000000",
        )
        for path in sorted({*local, *remote})
        if local.get(path) != remote.get(path)
    ]  # fmt: skip

    def read(name: str) -> bytes | None:
        rev, colon, path = name.partition(":")
        if not colon:
            return blobs.get(name)
        mode, data = {"ours": local, "theirs": remote}[rev].get(path, ("", b""))
        return data if mode in ("100644", "100755", "120000") else None

    return changes, read


def merge_trees(local: Tree, remote: Tree) -> Tree:
    """What ``ours`` is after ``theirs`` was merged into it."""
    changes, read = differences(local, remote)
    blobs = {oid(data): data for tree in (local, remote) for _, data in tree.values()}
    files, _ = merged(changes, read, "ours", "theirs")
    result = dict(local)
    for path, data in files.items():
        if data is None:
            del result[path]
    contents = {path: blobs[d.oid] if isinstance(d, Blob) else d for path, d in files.items()}
    result |= plain({path: data for path, data in contents.items() if data is not None})
    assert not {p for p in result for q in result if q.startswith(f"{p}/")}, "no tree holds both"
    assert ZERO not in {oid(data) for _, data in result.values()}
    return result


runs = versions().map(run_folder.to_files)
loose = st.dictionaries(
    st.sampled_from([
        "README.md", ".dvcignore", ".dvc/config", "notes", "notes/a", "notes/a/b", "runs", "models",
        "experiments", "models/m/model.json", "models/m/versions/1.json", "experiments/x.json/y",
        f"{RUN}/run.json/x", f"{RUN}/metrics.jsonl", f"{RUN}/artifacts.json", f"{RUN}/.dvc/config",
        f"{RUN}/artifacts.dvc", f"{RUN}/source.patch", f"{RUN}/extra", f"{RUN}/run.json", "a\nb",
        "experiments/Default.json",
    ]),
    st.tuples(
        st.sampled_from(["100644"] * 5 + ["100755", "120000", "160000"]),
        st.sampled_from([b"", b"1", b"{}", b"\xff", b'{"schema": 1}', b"[1]\n", SHARED, OWN]),
    ),
    max_size=4,
)  # fmt: skip


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """A tree with a run, an experiment, and what somebody pushed by hand."""
    tree = plain(draw(runs)) if draw(st.booleans()) else {}
    if draw(st.booleans()):
        data = run_records.experiment_to_json(draw(experiments))
        tree |= plain({"experiments/Default.json": data})
    tree |= draw(loose)
    return {p: entry for p, entry in tree.items() if not any(q.startswith(f"{p}/") for q in tree)}


@settings(deadline=None, max_examples=150)
@given(trees(), trees())
@example(plain({"notes": b"1"}), plain({"notes/a": b"2"}))
@example(plain({".dvc/config": OWN}), plain({".dvc/config": SHARED}))
def test_the_merged_tree_is_the_same_from_either_side(a: Tree, b: Tree) -> None:
    assert merge_trees(a, b) == merge_trees(b, a)


@settings(deadline=None, max_examples=100)
@given(trees(), trees())
def test_merging_again_changes_nothing(a: Tree, b: Tree) -> None:
    both = merge_trees(a, b)

    assert merge_trees(both, both) == both
    assert merge_trees(both, a) == merge_trees(a, both)
    assert merge_trees(merge_trees(both, b), b) == merge_trees(both, b)


def count_joined(local: Tree, remote: Tree) -> int:
    """How many runs a merge joins."""
    changes, read = differences(local, remote)
    return merged(changes, read, "ours", "theirs")[1]


STARTED = fold(None, [["start", HEADER], ["metric", "rmse", 1.0, 1, 1001]])


def run(**extra: bytes) -> Tree:
    files = run_folder.to_files(STARTED)
    return plain({**files, **{f"{RUN}/{name}": data for name, data in extra.items()}})


@pytest.mark.parametrize(
    ("path", "bad"),
    [
        (f"{RUN}/run.json", b"no record"),
        (f"{RUN}/metrics.jsonl", b"zzz\n"),
        (f"{RUN}/artifacts.json", b"zzz"),
        (f"{RUN}/run.json", run()[f"{RUN}/run.json"][1].replace(b"0a0a", b"0b0b")),
        ("runs", b"a file where all runs are"),
        (f"{RUN}/run.json/x", b"a folder where the record is"),
    ],
)
def test_what_somebody_broke_yields_to_what_can_be_read(path: str, bad: bytes) -> None:
    good = run()
    broken = {p: e for p, e in good.items() if not p.startswith(f"{path}/") and p != path}
    broken = plain({path: bad}) if path == "runs" else {**broken, **plain({path: bad})}
    broken = {p: e for p, e in broken.items() if not path.startswith(f"{p}/")}

    assert merge_trees(good, broken) == merge_trees(broken, good) == good


def test_a_record_that_a_newer_gitml_wrote_stays_as_it_is_and_blocks_nothing() -> None:
    record = run()[f"{RUN}/run.json"][1]
    newer = record.replace(b'"schema": 1', b'"schema": 2')
    sides = {**run(), **plain({f"{RUN}/run.json": newer})}

    assert merge_trees(run(), sides) == merge_trees(sides, run()) == sides


def test_a_link_does_not_replace_a_record_and_does_not_spread() -> None:
    link = {f"{RUN}/run.json": ("120000", b"/etc/passwd"), "notes": ("120000", b"/etc/passwd")}

    assert merge_trees(run(), {**run(), **link}) == run()
    assert merge_trees({**run(), **link}, run()) == run()


DAMAGED = [
    f"{RUN}/run.json",
    "experiments/Default.json",
    "models/m/model.json",
    "models/m/versions/1.json",
]


@pytest.mark.parametrize("path", DAMAGED)
@pytest.mark.parametrize(
    ("less", "greater"),
    [
        (b"not JSON 1", b"not JSON 2"),
        (b'{"schema": 9, "x": 1}', b'{"schema": 10}'),  # the higher number, not the greater bytes
        (b'{"schema": 2, "x": 1}', b'{"schema": 2}'),
    ],
)
def test_greater_of_two_unreadable_records_stays_whichever_side_merges(
    path: str, less: bytes, greater: bytes
) -> None:
    left, right = plain({path: less}), plain({path: greater})

    assert merge_trees(left, right) == merge_trees(right, left) == right


@pytest.mark.parametrize("path", DAMAGED[1:])
def test_damaged_record_yields_to_a_sound_record(path: str) -> None:
    sound = plain({path: SOUND[path]})

    for data in (b"zzz", b"", b"{}"):
        damaged = plain({path: data})
        assert merge_trees(sound, damaged) == merge_trees(damaged, sound) == sound


@pytest.mark.parametrize(
    ("path", "elsewhere"),
    [
        ("experiments/Default.json", "experiments/Other.json"),
        ("models/m/versions/1.json", "models/m/versions/2.json"),
    ],
)
def test_a_record_that_belongs_to_another_path_counts_as_damaged(path: str, elsewhere: str) -> None:
    sound, misplaced = plain({path: SOUND[path]}), plain({path: SOUND[elsewhere]})

    assert merge_trees(sound, misplaced) == merge_trees(misplaced, sound) == sound


@pytest.mark.parametrize("schema", [b'"9"', b"true", b"[9]", b"1.5"])
def test_a_schema_that_is_no_integer_counts_as_none(schema: bytes) -> None:
    strange, numbered = (
        plain({"notes": b'{"schema": %s}' % schema}),
        plain({"notes": b'{"schema": 1}'}),
    )

    assert merge_trees(strange, numbered) == merge_trees(numbered, strange) == numbered


def test_models_and_versions_of_both_sides_are_joined() -> None:
    def tree(description: str, time: int) -> Tree:
        return plain({
            "models/m/model.json": model(description, time),
            "models/m/versions/1.json": version(1, description, time),
        })  # fmt: skip

    later, earlier = tree("a", 5), tree("z", 4)

    assert merge_trees(later, earlier) == merge_trees(earlier, later) == later


def test_a_shared_remote_beats_a_clone_folder_anywhere() -> None:
    for path in (".dvc/config", "models/m/.dvc/config"):
        own, shared = plain({path: OWN}), plain({path: SHARED})
        assert merge_trees(own, shared) == merge_trees(shared, own) == shared


def test_runs_that_both_sides_changed_are_counted() -> None:
    left = run(extra=b"1")
    record = f"{RUN}/run.json"
    newer = {**left, **plain({record: left[record][1].replace(b'"ada"', b'"bo"')})}

    assert count_joined(left, newer) == 1
    assert count_joined(left, {**left, **plain({f"{RUN}/extra": b"2"})}) == 0
    assert count_joined(left, {}) == 0


def test_merge_unites_the_artifacts_of_a_run() -> None:
    def with_artifact(name: str) -> Tree:
        artifact = Artifact(path=name, size=1, md5=name * 32)
        return plain(run_folder.to_files(replace(STARTED, artifacts=(artifact,))))

    left, right = with_artifact("a"), with_artifact("b")
    both = merge_trees(left, right)

    assert both == merge_trees(right, left)
    assert [item.path for item in run_folder.artifacts(both[f"{RUN}/artifacts.json"][1])] == [
        "a",
        "b",
    ]
    assert b"nfiles: 2" in both[f"{RUN}/artifacts.dvc"][1]


def test_file_that_is_too_large_is_chosen_by_its_id() -> None:
    def read(name: str) -> bytes | None:
        raise StoreError("too large")

    ids = sorted([oid(b"1"), oid(b"2")])
    for old, new in (ids, ids[::-1]):
        change = Change(path="notes", old=old, new=new, old_mode="100644", new_mode="100644")
        assert merged([change], read, "ours", "theirs") == ({"notes": Blob(ids[1])}, 0)


@pytest.mark.parametrize(
    ("path", "record"),
    [
        (f"{RUN}/run.json", True),
        (f"{RUN}/metrics.jsonl", True),
        (f"{RUN}/extra", False),
        ("experiments/Default.json", True),
        ("experiments/Default.txt", False),
        ("experiments/x/y.json", False),
        ("models/m/model.json", True),
        ("models/m/versions/1.json", True),
        ("models/m/notes", False),
        (".dvc/config", True),
        (".dvcignore", True),
        ("README.md", True),
        ("notes", False),
    ],
)
def test_only_what_gitml_writes_is_brought_back_and_wins_over_a_folder(
    path: str, record: bool
) -> None:
    change = Change(path=path, old=oid(b""), new=None, old_mode="100644", new_mode="000000")
    back = Change(path=path, old=None, new=oid(b""), old_mode="000000", new_mode="100644")
    assert removes_records([change]) is record
    assert not removes_records([back])

    file, folder = plain({path: b"1"}), plain({f"{path}/x/y": b"2"})
    expected = file if record else folder
    assert merge_trees(file, folder) == merge_trees(folder, file) == expected


def test_derived_files_of_a_run_are_written_anew() -> None:
    stale = run(**{"artifacts.dvc": b"stale"})

    assert merge_trees(run(), stale) == merge_trees(stale, run()) == run()
