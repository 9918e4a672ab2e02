"""Manifests: what is written is read back, what is read is not trusted, hashes are DVC's."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from dvc_data.hashfile.tree import Tree
from hypothesis import given, strategies as st

from gitml.entities import Artifact, FileInfo
from gitml.errors import InvalidInput, StoreError
from gitml.formats import artifact_paths, manifest as manifests

MD5 = "0123456789abcdef" * 2
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"), min_size=1, max_size=6
).filter(lambda name: name not in (".", ".."))
paths = st.lists(names | st.sampled_from("ab"), min_size=1, max_size=4).map("/".join)
artifacts = st.builds(
    Artifact,
    path=paths,
    size=st.integers(0, 2**63 - 1),
    md5=st.text("0123456789abcdef", min_size=32, max_size=32),
)
# Laying a list over nothing, one by one, gives a manifest in which no file is also a folder.
trees = st.lists(artifacts, max_size=8).map(
    lambda entries: [a for i, a in enumerate(entries) if not clashes(a, entries[:i])]
)


def clashes(artifact: Artifact, others: list[Artifact]) -> bool:
    return any(
        (a.path + "/").startswith(artifact.path + "/")
        or (artifact.path + "/").startswith(a.path + "/")
        for a in others
    )


def by_path(manifest: list[Artifact]) -> list[Artifact]:
    return sorted(manifest, key=lambda a: a.path)


@given(trees)
def test_a_manifest_is_read_back_as_it_was_written(manifest: list[Artifact]) -> None:
    data = manifests.to_json(manifest)
    assert manifests.parse(data) == by_path(manifest)
    assert manifests.to_json(manifests.parse(data)) == data


def test_the_manifest_is_canonical_json() -> None:
    manifest = [Artifact(path="ü", size=2, md5=MD5), Artifact(path="a/b", size=1, md5=MD5)]
    assert manifests.to_json(manifest).decode() == (
        f'[\n  {{\n    "md5": "{MD5}",\n    "path": "a/b",\n    "size": 1\n  }},\n'
        f'  {{\n    "md5": "{MD5}",\n    "path": "ü",\n    "size": 2\n  }}\n]\n'
    )


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\0",
        "\ud800",
    ],
)
def test_a_path_outside_the_run_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="is not a plain path inside"):
        artifact_paths.check(path)
    with pytest.raises(StoreError, match=r"artifacts.json: Artifact path"):
        manifests.parse(json.dumps([{"path": path, "size": 1, "md5": MD5}]).encode())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"{}", "is not a list of artifacts"),
        (b"[1]", "without a path and an md5"),
        (b'[{"path": "a", "size": 1, "md5": "../../etc"}]', "without a path and an md5"),
        (f'[{{"path": "a", "size": 1, "md5": "{MD5.upper()}"}}]'.encode(), "without a path"),
        (f'[{{"path": "a", "size": true, "md5": "{MD5}"}}]'.encode(), "no size in bytes for 'a'"),
        (f'[{{"path": "a", "size": -1, "md5": "{MD5}"}}]'.encode(), "no size in bytes for 'a'"),
    ],
)
def test_a_broken_manifest_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        manifests.parse(data, "artifacts.json")


@pytest.mark.parametrize(
    ("twice", "message"),
    [(["a", "a"], "lists a path twice"), (["a", "a/b"], "'a' as a file and as a folder")],
)
def test_a_manifest_that_is_no_tree_is_refused(twice: list[str], message: str) -> None:
    entries = [{"path": path, "size": 1, "md5": MD5} for path in twice]
    with pytest.raises(StoreError, match=message):
        manifests.parse(json.dumps(entries).encode())


@pytest.mark.slow
@given(
    st.binary(max_size=60)
    | st.recursive(st.integers() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        manifest = manifests.parse(data)
    except StoreError:
        return
    assert manifests.parse(manifests.to_json(manifest)) == manifest


@given(trees)
def test_the_directory_object_is_that_of_dvc(manifest: list[Artifact]) -> None:
    files = manifests.writable(manifest)
    tree = Tree.from_list([{"md5": a.md5, "relpath": a.path} for a in files], hash_name="md5")
    tree.digest()
    assert manifests.directory_object(manifest) == tree.as_bytes()
    assert manifests.directory_hash(manifest) == tree.hash_info.value


@given(trees, trees)
def test_overlay_is_a_manifest_in_which_the_new_files_win(
    old: list[Artifact], new: list[Artifact]
) -> None:
    both = manifests.overlay(old, new)
    assert manifests.parse(manifests.to_json(both)) == both
    assert set(both) >= set(new)
    assert set(both) - set(new) == {a for a in old if not clashes(a, new)}
    assert manifests.overlay(both, new) == both
    assert manifests.overlay([], new) == by_path(new)


def test_overlay_replaces_a_file_by_a_folder_and_a_folder_by_a_file() -> None:
    def of(*names: str) -> list[Artifact]:
        return [Artifact(path=name, size=1, md5=MD5) for name in names]

    assert manifests.overlay(of("a", "b/c", "b/d", "b-c"), of("a/x", "b")) == of("a/x", "b", "b-c")


@given(trees, names)
def test_a_subdirectory_put_back_under_its_name_is_what_was_selected(
    manifest: list[Artifact], folder: str
) -> None:
    manifest = by_path([*manifest, Artifact(path=f"{folder}/in/side", size=3, md5=MD5)])
    inside = manifests.subdirectory(manifest, folder)
    restored = [Artifact(path=f"{folder}/{a.path}", size=a.size, md5=a.md5) for a in inside]
    selected = manifests.select(manifest, folder)
    assert restored == [a for a in selected if a.path != folder]
    assert manifests.subdirectory(manifest, "") == manifest


def test_a_listing_shows_direct_children_as_mlflow_does() -> None:
    files = {"a/x": 1, "a/sub/y": 2, "a/sub/z": 3, "a-b": 4}
    manifest = [Artifact(path=path, size=size, md5=MD5) for path, size in files.items()]
    folder: Callable[[str], FileInfo] = lambda path: FileInfo(path=path, is_dir=True)  # noqa: E731
    assert manifests.listing(manifest) == [
        folder("a"),
        FileInfo(path="a-b", is_dir=False, file_size=4),
    ]
    assert manifests.listing(manifest, "a/") == [
        folder("a/sub"),
        FileInfo(path="a/x", is_dir=False, file_size=1),
    ]
    assert manifests.listing(manifest, "a/x") == []
    assert manifests.listing(manifest, "none") == []
