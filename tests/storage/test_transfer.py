"""Push and fetch: only the rest is sent, and what is missing or corrupt has a name."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitml.entities import Artifact
from gitml.errors import ArtifactError, NotFound, RemoteUnavailable
from gitml.formats import manifest as manifests
from gitml.storage.address import Address
from gitml.storage.dvc_remote import connect
from gitml.storage.remote import Remote
from gitml.storage.transfer import ArtifactStore, TransferReport
from tests.storage.servers import http_server

SIZE = 256 * 40 + 12 + 7 + 7 + 5  # bytes of the six files


pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*ClientSession.__del__")


@pytest.fixture
def web() -> Iterator[tuple[Remote, dict[str, bytes]]]:
    """A remote over HTTP, and what it keeps."""
    with http_server() as server:
        yield Remote(lambda: connect(Address(f"{server.url}/store"), {})), server.stored
        gc.collect()  # closes the session here, not in the thread of aiohttp's loop


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "cache")


@pytest.fixture
def manifest(store: ArtifactStore, staged: Path) -> list[Artifact]:
    return store.put(staged)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "remote"
    path.mkdir()
    return path


def object_path(folder: Path, oid: str) -> Path:
    return folder / "files" / "md5" / oid[:2] / oid[2:]


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.unlink()  # another name of it may lie in the cache
    path.write_bytes(b"damaged")


def named(manifest: list[Artifact], path: str) -> Artifact:
    return next(a for a in manifest if a.path == path)


def test_push_sends_all_once(store: ArtifactStore, manifest: list[Artifact], folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    remote = Remote.local(folder)
    first = store.push([manifest, []], remote, lambda done, total: seen.append((done, total)))
    assert first == TransferReport(files=6, bytes=SIZE)
    assert seen[-1] == (SIZE, SIZE)
    assert store.push([manifest], remote) == TransferReport(skipped=6)


def test_the_default_remote_takes_no_space_of_its_own(
    store: ArtifactStore, manifest: list[Artifact], folder: Path
) -> None:
    store.push([manifest], Remote.local(folder))
    oid = named(manifest, "a/x.txt").md5
    assert object_path(folder, oid).samefile(store.cache.path(oid))


def test_a_partial_push_is_completed_by_the_next(
    store: ArtifactStore, manifest: list[Artifact], folder: Path
) -> None:
    remote = Remote.local(folder)
    store.push([manifest], remote)
    directory = object_path(folder, manifests.directory_hash(manifest))
    object_path(folder, named(manifest, "empty").md5).unlink()
    damage(object_path(folder, named(manifest, "a/x.txt").md5))
    directory.unlink()
    (folder / "files" / "md5" / "aa").mkdir(exist_ok=True)
    (folder / "files" / "md5" / "aa" / ".left-over.tmp").write_bytes(b"half")

    assert store.push([manifest], remote) == TransferReport(files=2, bytes=5, skipped=4)
    assert object_path(folder, named(manifest, "a/x.txt").md5).read_bytes() == b"in a\n"
    assert directory.read_bytes() == manifests.directory_object(manifest)


def test_push_names_what_is_nowhere_and_holds_the_directory_back(
    store: ArtifactStore, manifest: list[Artifact], folder: Path
) -> None:
    lost = named(manifest, "a/x.txt")
    store.cache.path(lost.md5).unlink()
    report = store.push([manifest], Remote.local(folder))
    assert report == TransferReport(files=5, bytes=SIZE - 5, missing=(lost,))
    assert store.missing(manifest, Remote.local(folder)) == [lost]
    assert not object_path(folder, manifests.directory_hash(manifest)).exists()


def test_push_sets_a_file_apart_that_cannot_be_read(
    store: ArtifactStore, manifest: list[Artifact], folder: Path
) -> None:
    path = store.cache.path(manifest[0].md5)
    path.unlink()
    path.mkdir()
    report = store.push([manifest], Remote.local(folder))
    assert report.missing == (manifest[0],)
    assert report.files == len(manifest) - 1
    assert all(object_path(folder, artifact.md5).is_file() for artifact in manifest[1:])
    assert not object_path(folder, manifests.directory_hash(manifest)).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_remote_is_a_single_sentence(
    store: ArtifactStore, manifest: list[Artifact], folder: Path
) -> None:
    folder.chmod(0o555)
    with pytest.raises(RemoteUnavailable, match="Permission denied"):
        store.push([manifest], Remote.local(folder))


def test_remote_that_cannot_be_written_is_a_single_sentence(
    store: ArtifactStore, manifest: list[Artifact], folder: Path
) -> None:
    (folder / "files").write_bytes(b"a file in the way")
    with pytest.raises(RemoteUnavailable) as caught:
        store.push([manifest], Remote.local(folder))
    assert str(caught.value) == (
        f"The DVC remote '{folder}' does not answer: Not a directory. "
        "Nothing is lost: check its address and your access, then repeat the command."
    )


def test_fetch_brings_only_what_is_requested_and_missing(
    store: ArtifactStore, manifest: list[Artifact], folder: Path, tmp_path: Path
) -> None:
    remote = Remote.local(folder)
    store.push([manifest], remote)
    clone = ArtifactStore(tmp_path / "clone")
    assert clone.fetch(manifest, remote, prefix="model/MLmodel") == TransferReport(
        files=1, bytes=12
    )
    assert clone.fetch(manifest, remote, prefix="model/") == TransferReport(
        files=1, bytes=256 * 40, skipped=1
    )
    assert [clone.has(a) for a in manifest] == [a.path.startswith("model/") for a in manifest]
    with pytest.raises(NotFound, match="The run has no artifact 'mod'"):
        clone.fetch(manifest, remote, prefix="mod")


def test_a_missing_object_is_named(
    store: ArtifactStore, manifest: list[Artifact], folder: Path, tmp_path: Path
) -> None:
    remote = Remote.local(folder)
    store.push([manifest], remote)
    oid = named(manifest, "a/x.txt").md5
    object_path(folder, oid).unlink()
    with pytest.raises(ArtifactError) as caught:
        ArtifactStore(tmp_path / "clone").fetch(manifest, remote)
    assert str(caught.value) == (
        f"The artifact 'a/x.txt' (md5 {oid}) is missing from the DVC remote '{folder}'. "
        "Run `gitml push` where the run was made."
    )


def test_corrupt_object_is_named_and_not_stored(
    store: ArtifactStore, manifest: list[Artifact], folder: Path, tmp_path: Path
) -> None:
    remote = Remote.local(folder)
    store.push([manifest], remote)
    artifact = named(manifest, "a/x.txt")
    damage(object_path(folder, artifact.md5))
    clone = ArtifactStore(tmp_path / "clone")
    with pytest.raises(ArtifactError) as caught:
        clone.fetch(manifest, remote)
    assert caught.value.message == (
        f"The artifact 'a/x.txt' (md5 {artifact.md5}) is corrupt in the DVC remote '{folder}'."
    )
    assert not clone.has(artifact)


def test_without_a_remote_the_missing_file_is_named(
    manifest: list[Artifact], tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"'a-b/y.txt' \(md5 \w+\) and 5 more is not on this"):
        ArtifactStore(tmp_path / "clone").fetch(manifest, None)


def test_a_remote_over_http_keeps_and_returns_artifacts(
    store: ArtifactStore,
    manifest: list[Artifact],
    web: tuple[Remote, dict[str, bytes]],
    tmp_path: Path,
    files: dict[str, bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    remote, stored = web
    seen: list[tuple[int, int]] = []
    assert store.push([manifest], remote).files == 6
    assert store.push([manifest], remote) == TransferReport(skipped=6)
    assert len(stored) == 7
    clone = ArtifactStore(tmp_path / "clone")
    report = clone.fetch(manifest, remote, progress=lambda done, total: seen.append((done, total)))
    assert report == TransferReport(files=6, bytes=SIZE)
    assert seen[-1] == (SIZE, SIZE)
    assert {a.path: clone.read_bytes(a) for a in manifest} == files
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("paths", [["a/x.txt"], ["a/x.txt", "a-b/y.txt", "empty"]])
def test_missing_and_corrupt_objects_are_named_over_http(
    store: ArtifactStore,
    manifest: list[Artifact],
    web: tuple[Remote, dict[str, bytes]],
    tmp_path: Path,
    paths: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    remote, stored = web
    chosen = [named(manifest, path) for path in paths]
    store.push([chosen], remote)
    oid = chosen[0].md5
    key = f"/store/files/md5/{oid[:2]}/{oid[2:]}"
    stored[key] = b"damaged"
    with pytest.raises(ArtifactError, match=rf"'a/x.txt' \(md5 {oid}\) is corrupt in"):
        ArtifactStore(tmp_path / "clone").fetch(chosen, remote)
    del stored[key]
    with pytest.raises(ArtifactError, match=rf"'a/x.txt' \(md5 {oid}\) is missing from"):
        ArtifactStore(tmp_path / "clone").fetch(chosen, remote)
    assert capfd.readouterr() == ("", "")
