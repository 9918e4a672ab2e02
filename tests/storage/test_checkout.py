"""Downloads: the copies are the user's own, stay inside the destination, and are verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.entities import Artifact
from gitml.errors import ArtifactError, InvalidInput, NotFound
from gitml.storage.remote import Remote
from gitml.storage.transfer import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "cache")


@pytest.fixture
def manifest(store: ArtifactStore, staged: Path) -> list[Artifact]:
    return store.put(staged)


def read(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def named(manifest: list[Artifact], path: str) -> Artifact:
    return next(a for a in manifest if a.path == path)


def damage(store: ArtifactStore, artifact: Artifact) -> None:
    """Change an object that says of itself, by its mode, that it was verified."""
    path = store.cache.path(artifact.md5)
    path.unlink()
    path.write_bytes(b"damaged")
    path.chmod(0o444)


def test_checkout_returns_where_the_prefix_is(
    store: ArtifactStore, manifest: list[Artifact], files: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    assert store.checkout(manifest, out, prefix="model/") == out / "model"
    assert store.checkout(manifest, out, prefix="a/x.txt") == out / "a" / "x.txt"
    assert set(read(out)) == {"model/MLmodel", "model/data/weights.bin", "a/x.txt"}
    assert store.checkout(manifest, out) == out
    assert read(out) == files
    with pytest.raises(NotFound, match="The run has no artifact 'nothing'"):
        store.checkout(manifest, out, prefix="nothing")


def test_editing_a_download_leaves_the_cache_alone(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path
) -> None:
    path = store.checkout(manifest, tmp_path / "out", prefix="a/x.txt")
    with path.open("ab") as file:
        file.write(b"more")
    assert store.read_bytes(named(manifest, "a/x.txt")) == b"in a\n"
    assert store.checkout(manifest, tmp_path / "out", prefix="a/x.txt").read_bytes() == b"in a\n"


def test_link_as_the_destination_is_replaced_not_followed(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path
) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "x.txt").symlink_to(tmp_path / "mine")
    store.checkout(manifest, tmp_path / "out", prefix="a")
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert (tmp_path / "out" / "a" / "x.txt").read_bytes() == b"in a\n"


def test_linked_folder_as_the_destination_is_refused(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="is a symbolic link; artifacts are not written"):
        store.checkout(manifest, tmp_path / "out", prefix="a")
    assert read(tmp_path / "elsewhere") == {}


def test_a_manifest_made_by_hand_cannot_escape(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path
) -> None:
    artifact = named(manifest, "a/x.txt")
    stray = Artifact(path="../stray", size=artifact.size, md5=artifact.md5)
    with pytest.raises(InvalidInput, match="is not a plain path inside"):
        store.checkout([stray], tmp_path / "out")
    assert not (tmp_path / "stray").exists()


@pytest.mark.parametrize("obstacle", ["out", "out/a", "out/a/x.txt/folder"])
def test_destination_that_cannot_be_written_is_a_single_sentence(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path, obstacle: str
) -> None:
    (tmp_path / obstacle).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / obstacle).write_bytes(b"in the way")
    with pytest.raises(InvalidInput, match=r"^Cannot write '.*': "):
        store.checkout(manifest, tmp_path / "out", prefix="a/x.txt")
    assert (tmp_path / obstacle).read_bytes() == b"in the way"


def test_a_corrupt_cache_is_mended_from_the_remote(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path
) -> None:
    remote = Remote.local(tmp_path / "remote")
    store.push([manifest], remote)
    artifact = named(manifest, "a/x.txt")
    damage(store, artifact)
    path = store.checkout(manifest, tmp_path / "out", remote, prefix="a/x.txt")
    assert path.read_bytes() == b"in a\n"
    damage(store, artifact)
    assert store.read_bytes(artifact, remote) == b"in a\n"
    assert store.cache.path(artifact.md5).read_bytes() == b"in a\n"


def test_a_corrupt_cache_without_a_remote_is_named_and_nothing_is_written(
    store: ArtifactStore, manifest: list[Artifact], tmp_path: Path
) -> None:
    artifact = named(manifest, "a/x.txt")
    damage(store, artifact)
    message = rf"'a/x.txt' \(md5 {artifact.md5}\) is corrupt in the cache of this machine"
    with pytest.raises(ArtifactError, match=message):
        store.checkout(manifest, tmp_path / "out", prefix="a")
    with pytest.raises(ArtifactError, match=message):
        store.read_bytes(artifact)
    assert read(tmp_path / "out") == {}


def test_the_beginning_of_a_file_is_read_without_caching_it(
    store: ArtifactStore, manifest: list[Artifact], files: dict[str, bytes], tmp_path: Path
) -> None:
    remote = Remote.local(tmp_path / "remote")
    store.push([manifest], remote)
    clone = ArtifactStore(tmp_path / "clone")
    artifact = named(manifest, "model/data/weights.bin")
    assert clone.read_bytes(artifact, remote, limit=7) == files[artifact.path][:7]
    assert not clone.has(artifact)
    assert clone.read_bytes(artifact, remote) == files[artifact.path]
    assert clone.read_bytes(artifact, limit=7) == files[artifact.path][:7]
    missing = Artifact(path="gone", size=99, md5="0" * 32)
    with pytest.raises(ArtifactError, match=r"'gone' \(md5 0{32}\) is missing from"):
        clone.read_bytes(missing, remote, limit=7)
