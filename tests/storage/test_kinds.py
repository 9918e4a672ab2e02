"""What gitml does with a remote, on every kind of remote: a folder, S3, SSH and HTTP."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitml.entities import Artifact
from gitml.errors import ArtifactError, InvalidInput
from gitml.formats import manifest as manifests
from gitml.repository import Repository
from gitml.sharing import remotes
from gitml.storage.remote import Remote
from gitml.storage.transfer import ArtifactStore, TransferReport
from tests.conftest import make_repository
from tests.storage.servers import Server

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*ClientSession.__del__")
LISTABLE = pytest.mark.parametrize("dvc_remote", ["folder", "s3", "ssh"], indirect=True)


@pytest.fixture
def remote(dvc_remote: Server, tmp_path: Path) -> Remote:
    repository = Repository.open(make_repository(tmp_path / "project"))
    remotes.set_remote(repository, dvc_remote.url)
    return repository.open_remote()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "cache")


@pytest.fixture
def manifest(store: ArtifactStore, staged: Path) -> list[Artifact]:
    return store.put(staged)


def test_artifacts_go_to_the_remote_and_come_back(
    store: ArtifactStore, manifest: list[Artifact], remote: Remote, tmp_path: Path
) -> None:
    assert store.push([manifest], remote).files == len(manifest)
    assert store.push([manifest], remote) == TransferReport(skipped=len(manifest))
    clone = ArtifactStore(tmp_path / "clone")
    clone.checkout(manifest, tmp_path / "out", remote)
    assert (tmp_path / "out" / "a" / "x.txt").read_bytes() == b"in a\n"
    weights = next(a for a in manifest if a.path.endswith("weights.bin"))
    assert ArtifactStore(tmp_path / "other").read_bytes(weights, remote, 3) == b"\x00\x01\x02"


def test_an_object_that_the_remote_lacks_is_named(
    store: ArtifactStore, manifest: list[Artifact], remote: Remote, tmp_path: Path
) -> None:
    store.push([manifest[1:]], remote)
    clone = ArtifactStore(tmp_path / "clone")
    with pytest.raises(ArtifactError, match=rf"'{manifest[0].path}' .* is missing from"):
        clone.fetch(manifest, remote)
    with pytest.raises(ArtifactError, match=rf"'{manifest[0].path}' .* is missing from"):
        clone.read_bytes(manifest[0], remote, 1)


@LISTABLE
def test_the_remote_lists_its_objects_with_size_and_time(
    store: ArtifactStore, manifest: list[Artifact], remote: Remote
) -> None:
    before = time.time()
    assert remote.objects() == []
    store.push([manifest], remote)
    digest = manifests.directory_hash(manifest)
    sizes = {a.md5: a.size for a in manifest}
    sizes[digest] = len(manifests.directory_object(manifest))
    stored = remote.objects()
    assert {each.oid: each.size for each in stored} == sizes
    times = [each.changed for each in stored]
    assert all(changed and before - 2 < changed < time.time() + 2 for changed in times)


@LISTABLE
def test_removing_an_object_twice_is_no_error(
    store: ArtifactStore, manifest: list[Artifact], remote: Remote
) -> None:
    store.push([manifest], remote)
    oids = {stored.oid for stored in remote.objects()}
    removed = {manifest[0].md5, manifests.directory_hash(manifest)}
    remote.remove(removed)
    remote.remove(removed)
    assert {stored.oid for stored in remote.objects()} == oids - removed
    assert remote.existing(oids) == oids - removed


@pytest.mark.parametrize("dvc_remote", ["http"], indirect=True)
def test_http_says_that_it_can_neither_list_nor_remove(remote: Remote) -> None:
    with pytest.raises(InvalidInput, match="cannot list what it stores: HTTP has no way to"):
        remote.objects()
    with pytest.raises(InvalidInput, match="cannot remove what it stores: HTTP has no way to"):
        remote.remove(["0" * 32])
