"""Putting a folder into the cache: no second copy, nothing dropped, nothing from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitml.entities import Artifact
from gitml.errors import ArtifactError, InvalidInput
from gitml.formats import manifest as manifests
from gitml.storage.transfer import ArtifactStore

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
X = "9dd4e461268c8034f5c8564e155c67a6"  # md5 of b"x"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


def test_a_folder_becomes_a_manifest_sorted_by_path(store: ArtifactStore, folder: Path) -> None:
    for name, content in {"b/x": b"x", "b-c": b"x", "a": b""}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    manifest = store.put(folder)
    assert manifest == [
        Artifact(path="a", size=0, md5=EMPTY),
        Artifact(path="b-c", size=1, md5=X),
        Artifact(path="b/x", size=1, md5=X),
    ]
    assert store.missing(manifest) == []
    directory = store.cache.path(manifests.directory_hash(manifest))
    assert directory.read_bytes() == manifests.directory_object(manifest)


def test_files_are_linked_into_the_cache_read_only(store: ArtifactStore, folder: Path) -> None:
    (folder / "x").write_bytes(b"x")
    inode = (folder / "x").stat().st_ino
    store.put(folder)
    stored = store.cache.path(X).stat()
    assert (stored.st_ino, stored.st_mode & 0o777) == (inode, 0o444)


def test_a_file_that_has_another_name_is_copied(
    store: ArtifactStore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    os.link(tmp_path / "mine", folder / "x")
    store.put(folder)
    (tmp_path / "mine").write_bytes(b"edited")
    assert store.cache.path(X).read_bytes() == b"x"


def test_what_was_put_outlives_the_folder(
    store: ArtifactStore, folder: Path, tmp_path: Path
) -> None:
    (folder / "x").write_bytes(b"x")
    manifest = store.put(folder)
    (folder / "x").unlink()
    folder.rmdir()
    store.checkout(manifest, tmp_path / "out")
    assert (tmp_path / "out" / "x").read_bytes() == b"x"


def test_an_empty_or_absent_folder_gives_nothing(store: ArtifactStore, folder: Path) -> None:
    (folder / "hollow").mkdir()
    assert store.put(folder) == []
    assert store.put(folder / "absent") == []
    assert not store.cache.folder.exists()


def test_a_link_inside_the_folder_is_stored_as_the_file_it_names(
    store: ArtifactStore, folder: Path
) -> None:
    (folder / "x").write_bytes(b"x")
    (folder / "latest").symlink_to("x")
    manifest = store.put(folder)
    assert [(a.path, a.md5) for a in manifest] == [("latest", X), ("x", X)]
    assert not store.cache.path(X).is_symlink()


def test_path_that_is_no_file_of_the_folder_is_refused_in_a_single_sentence(
    store: ArtifactStore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    unfit = folder / "unfit"
    for make, why in [
        (lambda: unfit.symlink_to(tmp_path / "secret"), "is a symbolic link out of its folder"),
        (lambda: unfit.symlink_to(tmp_path / "elsewhere"), "is a symbolic link to a folder"),
        (lambda: unfit.symlink_to("nowhere"), "is a broken symbolic link"),
        (lambda: os.mkfifo(unfit), "is neither a file nor a folder"),
    ]:
        make()
        with pytest.raises(InvalidInput, match=f"^The artifact 'unfit' {why}"):
            store.put(folder)
        unfit.unlink()
    assert not store.cache.folder.exists()


@pytest.mark.parametrize("name", [b"back\\slash", b"not-utf8-\xff"])
def test_a_name_that_cannot_be_stored_is_refused(
    store: ArtifactStore, folder: Path, name: bytes
) -> None:
    with open(os.path.join(os.fsencode(folder), name), "wb"):  # noqa: PTH118
        pass
    with pytest.raises(InvalidInput, match="is not a plain path inside"):
        store.put(folder)


def test_cache_that_cannot_be_written_is_a_single_sentence(tmp_path: Path, folder: Path) -> None:
    (folder / "x").write_bytes(b"x")
    (tmp_path / "cache").write_bytes(b"a file in the way")
    with pytest.raises(ArtifactError, match=r"^Cannot store artifacts in '.*cache': Not a"):
        ArtifactStore(tmp_path / "cache").put(folder)


def test_an_object_that_was_written_to_is_replaced(store: ArtifactStore, folder: Path) -> None:
    (folder / "x").write_bytes(b"x")
    damaged = store.cache.path(X)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"half")
    store.put(folder)
    assert damaged.read_bytes() == b"x"


def test_putting_and_keeping_in_the_default_remote_import_nothing_of_dvc(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "x").write_bytes(b"x")
    script = (
        "import sys, pathlib; from gitml.storage.transfer import ArtifactStore\n"
        "from gitml.storage.remote import Remote\n"
        "cache, folder, remote = map(pathlib.Path, sys.argv[1:])\n"
        "store = ArtifactStore(cache)\n"
        "store.push([store.put(folder)], Remote.local(remote))\n"
        "print([m for m in sys.modules if m.startswith(('dvc', 'fsspec', 'yaml', 'git.'))])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache"), str(folder)]
    command.append(str(tmp_path / "remote"))
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"[]\n"
