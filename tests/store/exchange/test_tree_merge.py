"""Merging two trees of the branch: the same tree from either side, whatever anybody pushed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given, settings, strategies as st

from gitml.formats import run_folder, run_records
from gitml.git import ZERO, Blob, Change
from gitml.store.exchange.tree_merge import merged
from tests.formats.test_joins import HEADER, experiments, versions

RUN = run_records.run_folder(HEADER["experiment_id"], HEADER["run_id"])
Tree = dict[str, tuple[str, bytes]]
SHARED = b"['remote \"gitml\"']\n    url = s3://bucket/gitml\n"
OWN = b"['remote \"gitml\"']\n    url = /z/project/.git/gitml/remote\n"


def oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def plain(files: dict[str, bytes]) -> Tree:
    return {path: ("100644", data) for path, data in files.items()}


def merge_trees(ours: Tree, theirs: Tree) -> Tree:
    """What ``ours`` is after ``theirs`` was merged into it."""
    blobs = {oid(data): data for tree in (ours, theirs) for mode, data in tree.values()
             if mode != "160000"}  # fmt: skip
    changes = [
        Change(
            path=path,
            old=oid(ours[path][1]) if path in ours else None,
            new=oid(theirs[path][1]) if path in theirs else None,
            old_mode=ours[path][0] if path in ours else "000000",
            new_mode=theirs[path][0] if path in theirs else "000000",
        )
        for path in sorted({*ours, *theirs})
        if ours.get(path) != theirs.get(path)
    ]  # fmt: skip

    def read(name: str) -> bytes | None:
        rev, colon, path = name.partition(":")
        if not colon:
            return blobs.get(name)
        mode, data = {"ours": ours, "theirs": theirs}[rev].get(path, ("", b""))
        return data if mode in ("100644", "100755", "120000") else None

    files, _ = merged(changes, read, "ours", "theirs")
    result = dict(ours)
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


def run(**extra: bytes) -> Tree:
    from gitml.store.in_progress.fold import fold

    files = run_folder.to_files(fold(None, [["start", HEADER], ["metric", "rmse", 1.0, 1, 1001]]))
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
