"""Opening and checking remotes: DVC's settings, no trace left behind, one sentence on failure."""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import InvalidInput, MissingDependency, RemoteUnavailable
from gitml.formats.dvc_config import dvc_config
from gitml.storage.address import Address, absolute_url, mask, typed
from gitml.storage.dvc_remote import check
from gitml.storage.failures import reason
from gitml.storage.remote import Remote
from gitml.storage.transfer import ArtifactStore, TransferReport

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*ClientSession.__del__")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine at which nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = int(server.getsockname()[1])
    yield port
    gc.collect()  # closes the session here, not in the thread of aiohttp's loop


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def test_check_returns_an_absolute_folder_and_leaves_no_probe(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    address = typed("../shared", tmp_path / "code")
    check(address, {})
    assert address.url == str(tmp_path / "shared")
    assert list((tmp_path / "shared").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sub/dir/", "/base/sub/dir"),
        ("../x", "/x"),
        ("/data/../store", "/store"),
        ("~/store", "HOME/store"),
        ("file:///data/with%20space", "/data/with space"),
        ("s3://bucket/team/gitml", "s3://bucket/team/gitml"),
        ("ssh://user@host/store", "ssh://user@host/store"),
    ],
)
def test_an_address_is_made_absolute(url: str, expected: str) -> None:
    assert absolute_url(url, Path("/base")) == expected.replace("HOME", str(Path.home()))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is not a valid address"),
        ("a\nb", "is not a valid address"),
        ("git@github.com:team/store", "is the address of a git repository"),
        ("ftp://host/x", "DVC does not support 'ftp://'"),
        ("https://me:hunter2@host/x", r"'https://\*\*\*@host/x' holds a password"),
    ],
)
def test_what_is_no_address_of_a_remote_is_refused(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        typed(url, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_credentials_are_masked() -> None:
    assert mask("https://me:word@host:1/x?sig=abc&v=1") == "https://***@host:1/x?sig=***&v=***"
    assert mask("https://token@host/x") == "https://***@host/x"
    assert mask("ssh://me@host/x") == "ssh://me@host/x"
    assert mask("/plain/folder@home") == "/plain/folder@home"


def test_reason_is_a_single_line_without_credentials() -> None:
    exc = OSError("403 for url='https://me:word@host/x?sig=abc&v=1'.\nsecond line")
    assert reason(exc) == "403 for url='https://***@host/x?sig=***&v=***'"
    assert reason(PermissionError(13, "Permission denied", "/x")) == "Permission denied"
    assert reason(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(("scheme", "package"), [("azure", "dvc-azure"), ("gs", "dvc-gs")])
def test_a_missing_plugin_is_named_with_its_command(
    scheme: str, package: str, tmp_path: Path
) -> None:
    with pytest.raises(MissingDependency) as caught:
        check(Address(f"{scheme}://somewhere/x"), {})
    assert str(caught.value) == (
        f"The DVC remote '{scheme}://somewhere/x' needs {package}, which is not installed. "
        f"Run `pip install {package}`."
    )


def test_remote_that_does_not_answer_is_a_single_sentence(
    closed_port: int, repository: Any, staged: Path, tmp_path: Path, capfd: Any
) -> None:
    url = f"http://127.0.0.1:{closed_port}/store"
    with pytest.raises(RemoteUnavailable, match=f"'{url}' does not answer: .*Connect call failed"):
        check(Address(url), {})
    store = ArtifactStore(tmp_path / "cache")
    manifest = store.put(staged)
    repository.record(manifest, url)
    remote = repository.remote()
    with pytest.raises(RemoteUnavailable, match=f"'{url}' does not answer: .*Connect call failed"):
        store.push([manifest], remote)
    with pytest.raises(RemoteUnavailable, match=f"'{url}' does not answer"):
        ArtifactStore(tmp_path / "clone").fetch(manifest, remote)
    assert capfd.readouterr() == ("", "")


def test_folder_that_cannot_be_made_is_a_single_sentence(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnavailable, match=r"cannot be made: '.*nowhere' is not a folder"):
        check(typed("nowhere/store", tmp_path), {})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RemoteUnavailable, match=r"file' does not answer: "):
        check(typed("file", tmp_path), {})


def test_a_recorded_folder_that_is_not_mounted_is_not_made(
    repository: Any, staged: Path, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path / "cache")
    manifest = store.put(staged)
    repository.record(manifest, str(tmp_path / "unmounted"))
    with pytest.raises(RemoteUnavailable, match=r"unmounted' is not there: no such folder"):
        store.push([manifest], repository.remote())
    assert not (tmp_path / "unmounted").exists()


@pytest.mark.parametrize("setting", ["worktree", "version_aware"])
def test_a_versioned_remote_is_refused(repository: Any, setting: str) -> None:
    repository.commit({".dvc/config": dvc_config("http://127.0.0.1:1/x")})
    (repository.path / ".dvc").mkdir()
    (repository.path / ".dvc" / "config.local").write_text(
        f"['remote \"gitml\"']\n    {setting} = true\n"
    )
    with pytest.raises(InvalidInput, match=f"is set to {setting}, which keeps no object by hash"):
        repository.remote().existing({"0" * 32})


def test_the_users_local_settings_supply_what_the_branch_does_not_say(
    repository: Any, tmp_path: Path
) -> None:
    repository.commit({".dvc/config": dvc_config("http://127.0.0.1:1/x")})
    (repository.path / ".dvc").mkdir()
    (repository.path / ".dvc" / "config.local").write_text(
        "['remote \"gitml\"']\n    auth = custom\n    custom_auth_header = X-Token\n"
        "    password = word\n"
    )
    remote = repository.remote()
    settings = remote._storage.database.fs.config
    assert (settings["custom_auth_header"], settings["password"]) == ("X-Token", "word")


@pytest.mark.parametrize("where", ["work tree", "linked work tree", "bare clone"])
def test_a_push_leaves_no_trace_in_the_repository(
    repository: Any, staged: Path, tmp_path: Path, where: str
) -> None:
    store = ArtifactStore(tmp_path / "cache")
    manifest = store.put(staged)
    (tmp_path / "remote").mkdir()
    repository.record(manifest, str(tmp_path / "remote"))
    root = repository.path
    if where == "linked work tree":
        root = tmp_path / "linked"
        repository.git("worktree", "add", "-q", str(root))
    elif where == "bare clone":
        root = tmp_path / "bare.git"
        repository.git("clone", "-q", "--bare", str(repository.path), str(root))
    remote = repository.remote(root)
    before = snapshot(repository.path) | snapshot(root)

    report = store.push([manifest], remote)

    assert report.files == len(manifest)
    assert snapshot(repository.path) | snapshot(root) == before
    assert not (tmp_path / "site-cache").exists()
    assert list((tmp_path / "home").iterdir()) == []


def test_transfers_write_nothing_to_the_terminal(repository: Any, tmp_path: Path) -> None:
    repository.commit({".dvc/config": dvc_config(str(tmp_path / "remote"))})
    script = (
        "import sys, pathlib\n"
        "from gitml.storage.address import Address\n"
        "from gitml.storage.dvc_remote import check\n"
        "from gitml.storage.remote import Remote\n"
        "from gitml.storage.transfer import ArtifactStore\n"
        "from gitml.storage.trust import Trust\n"
        "root, tmp = map(pathlib.Path, sys.argv[1:])\n"
        "address = Address(str(tmp / 'remote'))\n"
        "check(address, {})\n"
        "(tmp / 'folder').mkdir()\n"
        "(tmp / 'folder' / 'x').write_bytes(b'x' * 3_000_000)\n"
        "manifest = ArtifactStore(tmp / 'cache').put(tmp / 'folder')\n"
        "trust = Trust(tmp / 'trusted.json', origin=str)\n"
        "trust.accept(address)\n"
        "remote = Remote.open(address, trust=trust, settings=dict)\n"
        "remote.initialise()\n"
        "ArtifactStore(tmp / 'cache').push([manifest], remote)\n"
        "ArtifactStore(tmp / 'clone').checkout(manifest, tmp / 'out', remote=remote)\n"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(repository.path), str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "out" / "x").stat().st_size == 3_000_000


def test_four_processes_push_the_same_content_concurrently(repository: Any, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from gitml.storage.remote import Remote\n"
        "from gitml.storage.transfer import ArtifactStore\n"
        "tmp, me = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
        "folder = tmp / f'folder{me}'\n"
        "folder.mkdir()\n"
        "for n in range(30):\n"
        "    (folder / str(n)).write_bytes(bytes([n]) * 20_000)\n"
        "store = ArtifactStore(tmp / 'cache')\n"
        "store.push([store.put(folder)], Remote.local(tmp / 'remote'))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    running = [subprocess.Popen([*command, str(n)], **pipes) for n in range(4)]  # type: ignore[call-overload]
    assert [process.communicate(timeout=120)[0] for process in running] == [b""] * 4

    store = ArtifactStore(tmp_path / "check")
    manifest = store.put(tmp_path / "folder0")
    again = ArtifactStore(tmp_path / "again")
    fetched = again.fetch(manifest, Remote.local(tmp_path / "remote"))
    assert fetched == TransferReport(files=30, bytes=600_000)
