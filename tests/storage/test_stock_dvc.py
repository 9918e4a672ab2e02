"""Stock DVC is the judge: it makes the same bytes, and reads what we pushed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gitml.formats import manifest as manifests
from gitml.formats.dvc_config import dvc_config, remote_url
from gitml.storage.remote import Remote
from gitml.storage.transfer import ArtifactStore, TransferReport

Dvc = Callable[..., str]


def tree(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def pushed(repository: Any, staged: Path, tmp_path: Path) -> Any:
    """A repository whose runs branch records artifacts that lie in a folder remote."""
    store = ArtifactStore(tmp_path / "cache")
    manifest = store.put(staged)
    remote = tmp_path / "remote"
    remote.mkdir()
    repository.record(manifest, str(remote))
    store.push([manifest], repository.remote())
    return repository


@pytest.mark.slow
def test_stock_dvc_add_makes_the_same_objects_and_the_same_dvc_file(
    dvc: Dvc, staged: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    stock = tmp_path / "stock"
    for name, content in files.items():
        (stock / "artifacts" / name).parent.mkdir(parents=True, exist_ok=True)
        (stock / "artifacts" / name).write_bytes(content)
    dvc("init", "-q", "--no-scm", cwd=stock)
    dvc("add", "-q", "artifacts", cwd=stock)

    manifest = ArtifactStore(tmp_path / "cache").put(staged)

    assert manifests.dvc_file(manifest) == (stock / "artifacts.dvc").read_bytes()
    assert tree(tmp_path / "cache") == tree(stock / ".dvc" / "cache")


def test_a_dvc_file_with_a_remote_and_an_awkward_name_is_read_by_dvc() -> None:
    text = manifests.dvc_file([], path="yes: ü", remote="gitml")
    assert YAML(typ="safe").load(text) == {
        "outs": [
            {
                "md5": "d751713988987e9331980363e24189ce.dir",
                "size": 0,
                "nfiles": 0,
                "hash": "md5",
                "path": "yes: ü",
                "remote": "gitml",
            }
        ]
    }


@pytest.mark.slow
def test_dvc_get_reads_the_artifacts_of_a_run(
    pushed: Any, dvc: Dvc, files: dict[str, bytes], tmp_path: Path
) -> None:
    dvc(
        *("get", "-q", str(pushed.path), f"{pushed.run}/artifacts", "--rev", pushed.branch),
        *("-o", "out"),
        cwd=tmp_path,
    )
    assert tree(tmp_path / "out") == files


@pytest.mark.slow
def test_dvc_list_shows_the_artifacts_of_a_run(pushed: Any, dvc: Dvc, tmp_path: Path) -> None:
    where = (str(pushed.path), f"{pushed.run}/artifacts", "--rev", pushed.branch)
    entries = json.loads(dvc("list", "-R", "--json", *where, cwd=tmp_path))
    assert sorted(entry["path"] for entry in entries) == sorted(tree(tmp_path / "staged"))


@pytest.mark.slow
def test_dvc_api_opens_an_artifact(pushed: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    script = (
        "import sys, dvc.api\n"
        "path, repo, rev = sys.argv[1:]\n"
        "sys.stdout.buffer.write(dvc.api.read(path, repo=repo, rev=rev, mode='rb'))\n"
    )
    name = "model/data/weights.bin"
    path = f"{pushed.run}/artifacts/{name}"
    done = subprocess.run(
        [sys.executable, "-c", script, path, str(pushed.path), pushed.branch],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert done.stdout == files[name]


@pytest.mark.slow
def test_dvc_gets_a_model_folder_by_a_directory_object_of_its_own(
    pushed: Any, dvc: Dvc, files: dict[str, bytes], tmp_path: Path
) -> None:
    manifest = manifests.parse(
        pushed.git("show", f"{pushed.branch}:{pushed.run}/artifacts.json").encode()
    )
    model = manifests.subdirectory(manifest, "model")
    remote = pushed.remote()
    report = ArtifactStore(tmp_path / "cache").push([model], remote)
    config = pushed.git("show", f"{pushed.branch}:.dvc/config").encode() + b"\n"
    dvc_file = manifests.dvc_file(model, path="model", remote="gitml")
    pushed.commit({".dvc/config": config, "model.dvc": dvc_file}, "version")

    dvc("get", "-q", str(pushed.path), "model", "--rev", "version", cwd=tmp_path)

    assert report == TransferReport(skipped=2)
    assert tree(tmp_path / "model") == {
        name.removeprefix("model/"): content
        for name, content in files.items()
        if name.startswith("model/")
    }


@pytest.mark.slow
def test_artifacts_pushed_by_stock_dvc_are_read_by_us(
    dvc: Dvc, staged: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    stock, remote = tmp_path / "stock", tmp_path / "remote"
    staged.rename(stock)
    (stock / "artifacts").mkdir()
    for name in {Path(name).parts[0] for name in files}:
        (stock / name).rename(stock / "artifacts" / name)
    dvc("init", "-q", "--no-scm", cwd=stock)
    dvc("remote", "add", "-q", "-d", "gitml", str(remote), cwd=stock)
    dvc("add", "-q", "artifacts", cwd=stock)
    dvc("push", "-q", cwd=stock)
    manifest = ArtifactStore(tmp_path / "scratch").put(stock / "artifacts")

    elsewhere = ArtifactStore(tmp_path / "elsewhere")
    elsewhere.checkout(manifest, tmp_path / "out", remote=Remote.local(remote))

    assert tree(tmp_path / "out") == files


@pytest.mark.slow
def test_the_configuration_is_the_text_that_dvc_writes(
    repository: Any, dvc: Callable[..., str]
) -> None:
    url = "/data/with space, comma#hash"
    dvc("init", "-q", cwd=repository.path)
    dvc("remote", "add", "-q", "-d", "gitml", url, cwd=repository.path)
    written = (repository.path / ".dvc" / "config").read_bytes()
    assert dvc_config(url) == written
    assert remote_url(written) == url
