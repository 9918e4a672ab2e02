"""Which remotes a clone talks to, and whose settings it uses for that."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import InvalidInput, NotFound, RemoteUnavailable, UntrustedRemote
from gitml.git import GitRepo
from gitml.storage import dvc_remote
from gitml.storage.address import Address
from gitml.storage.backends import MARKER, MARKER_FILE
from gitml.storage.remote import Remote
from gitml.storage.setting_keys import check_setting
from gitml.storage.settings import (
    global_file,
    machine_settings,
    writable_local_file,
    write_setting,
)
from gitml.storage.transfer import ArtifactStore
from gitml.storage.trust import Trust, TrustQuestion, asking

S3, OTHER = Address("s3://team/gitml"), Address("webdavs://host/x")
OID = "0" * 32


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """A clone that accepted nothing."""
    return Trust(tmp_path / "trusted.json", origin=lambda: "set by Eve <eve@example.org>")


@pytest.fixture
def git(repository: Any) -> GitRepo:
    return GitRepo.discover(repository.path)


# Acceptance ---------------------------------------------------------------------------------------


def test_an_address_that_nobody_accepted_is_an_error_that_says_what_to_type(trust: Trust) -> None:
    with pytest.raises(UntrustedRemote) as caught:
        trust.require(S3)
    assert caught.value.message == (
        "The branch names the remote 's3://team/gitml' (set by Eve <eve@example.org>), which "
        "nobody accepted in this clone: nothing was sent there."
    )
    assert caught.value.hint == (
        "If it is your team's, run `gitml remote trust s3://team/gitml`; in CI, set "
        "GITML_TRUSTED_REMOTES to it."
    )
    trust.accept(S3)
    trust.require(S3)


def test_a_changed_address_is_named_beside_the_old(trust: Trust) -> None:
    trust.accept(S3)
    evil = Address("https://evil.example/x; rm -rf ~")
    with pytest.raises(UntrustedRemote, match=r"evil.*instead of 's3://team/gitml'") as caught:
        trust.require(evil)
    assert "`gitml remote trust 'https://evil.example/x; rm -rf ~'`" in str(caught.value.hint)
    assert "`gitml remote add storage s3://team/gitml`" in str(caught.value.hint)
    with pytest.raises(
        UntrustedRemote, match=r"^The run names the remote 'webdavs://host/x', which"
    ):
        trust.require(OTHER, current=False)


def test_the_variable_of_a_job_accepts_exactly_what_it_lists(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITML_TRUSTED_REMOTES", "/mnt/a%20b%2Cc, s3://team/gitml\nwebdavs://host/")
    for address in (S3, Address("/mnt/a b,c")):
        trust.require(address)
    for address in (OTHER, Address("s3://team/gitml/x"), Address("s3://team")):
        with pytest.raises(UntrustedRemote):
            trust.require(address)
    assert trust.accepted() == ()  # a variable is for this process


def test_a_person_answers_once(trust: Trust) -> None:
    questions: list[TrustQuestion] = []

    def answer(question: TrustQuestion) -> bool:
        questions.append(question)
        return question.address == S3

    with asking(answer):
        for _ in range(2):
            with pytest.raises(UntrustedRemote):
                trust.require(OTHER)
        trust.require(S3)
        trust.require(S3)
        with pytest.raises(
            UntrustedRemote, match="instead of"
        ):  # a change is never just a question
            trust.require(OTHER)
    assert [str(question.address) for question in questions] == [str(OTHER), str(S3)]
    assert questions[0].origin == "set by Eve <eve@example.org>"
    assert trust.accepted() == (S3.url,)


def test_acceptance_is_withdrawn(trust: Trust) -> None:
    trust.accept(S3)
    trust.withdraw(S3)
    assert not trust.accepts(S3)
    with pytest.raises(InvalidInput, match="has not accepted 's3://team/gitml'"):
        trust.withdraw(S3)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"remotes": 3}', b'{"remotes": [1]}', b"\xff"])
def test_a_broken_file_accepts_nothing(trust: Trust, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trusted.json").write_bytes(content)
    assert not trust.accepts(S3)


def test_no_file_system_is_made_for_an_address_that_is_not_accepted(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dvc_remote, "connect", None)  # would fail when called
    remote = Remote.open(S3, trust=trust, settings=lambda: pytest.fail("settings were read"))
    for use in (lambda: remote.existing({OID}), lambda: remote.send([]), lambda: remote.receive([]),
                lambda: remote.remove([OID]), lambda: remote.read(OID, 1), remote.objects,
                remote.initialise):  # fmt: skip
        with pytest.raises(UntrustedRemote):
            use()


def test_only_connect_makes_file_systems_of_dvc() -> None:
    """Whoever calls ``get_cloud_fs`` or reads a project of DVC would go past acceptance."""
    users = set()
    for path in (Path(dvc_remote.__file__).parents[1]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in (
                "dvc.fs",
                "dvc.repo",
                "dvc.api",
            ):
                users.add((path.name, node.module, *(alias.name for alias in node.names)))
    assert users == {("dvc_remote.py", "dvc.fs", "get_cloud_fs")}


# Folders of this machine --------------------------------------------------------------------------


def test_a_folder_is_read_without_acceptance_and_not_written(
    trust: Trust, staged: Path, tmp_path: Path
) -> None:
    store, folder = ArtifactStore(tmp_path / "cache"), tmp_path / "store"
    manifest = store.put(staged)
    folder.mkdir()
    remote = Remote.open(Address(str(folder)), trust=trust, settings=dict)

    assert remote.existing({OID}) == set()
    with pytest.raises(UntrustedRemote):
        store.push([manifest], remote)
    with pytest.raises(UntrustedRemote):
        remote.remove([OID])
    assert list(folder.iterdir()) == []


def test_a_mount_point_without_its_drive_is_not_written_to(
    trust: Trust, staged: Path, tmp_path: Path
) -> None:
    store, folder = ArtifactStore(tmp_path / "cache"), tmp_path / "store"
    manifest, address = store.put(staged), Address(str(tmp_path / "store"))
    folder.mkdir()
    trust.accept(address)
    with pytest.raises(RemoteUnavailable, match="is empty and lacks gitml's marker") as caught:
        store.push([manifest], Remote.open(address, trust=trust, settings=dict))
    assert f"`gitml remote add storage {folder}` initialises it" in str(caught.value.hint)
    assert list(folder.iterdir()) == []

    Remote.open(address, trust=trust, settings=dict).initialise()
    assert (folder / MARKER_FILE).read_bytes() == MARKER
    store.push([manifest], Remote.open(address, trust=trust, settings=dict))


def test_a_mount_point_without_its_drive_is_named_when_files_are_read(
    trust: Trust, staged: Path, tmp_path: Path
) -> None:
    manifest = ArtifactStore(tmp_path / "elsewhere").put(staged)
    (tmp_path / "store").mkdir()
    remote = Remote.open(Address(str(tmp_path / "store")), trust=trust, settings=dict)
    with pytest.raises(
        RemoteUnavailable, match="lacks gitml's marker: its drive may not be mounted"
    ):
        ArtifactStore(tmp_path / "cache").fetch(manifest, remote)


def test_a_remote_of_an_earlier_version_gets_its_marker(
    trust: Trust, staged: Path, tmp_path: Path
) -> None:
    store, address = ArtifactStore(tmp_path / "cache"), Address(str(tmp_path / "store"))
    manifest = store.put(staged)
    store.push([manifest[:1]], Remote.local(tmp_path / "store"))
    assert not (tmp_path / "store" / MARKER_FILE).exists()
    trust.accept(address)

    store.push([manifest], Remote.open(address, trust=trust, settings=dict))
    assert (tmp_path / "store" / MARKER_FILE).read_bytes() == MARKER


# Settings of this machine -------------------------------------------------------------------------

PASSWORD = "['remote \"gitml\"']\n    {url}password = word\n"


def local(repository: Any, text: str) -> None:
    (repository.path / ".dvc").mkdir(exist_ok=True)
    (repository.path / ".dvc" / "config.local").write_text(text)


@pytest.mark.parametrize("url", ["", f"url = {OTHER.url}\n    "])
def test_settings_go_to_the_address_that_they_are_for(
    repository: Any, git: GitRepo, url: str
) -> None:
    local(repository, PASSWORD.format(url=url))
    assert machine_settings(git, OTHER, current=True) == {"password": "word"}
    assert machine_settings(git, S3, current=False) == {}
    assert machine_settings(git, S3, current=True) == ({} if url else {"password": "word"})


def test_the_configuration_of_the_code_branch_is_not_read(repository: Any, git: GitRepo) -> None:
    (repository.path / ".dvc").mkdir()
    (repository.path / ".dvc" / "config").write_text(
        PASSWORD.format(url=f"url = {OTHER.url}\n    bearer_token_command = id\n    ")
    )
    assert machine_settings(git, OTHER, current=True) == {}


@pytest.mark.parametrize(
    "brought_by", ["tracked", "other case", "link", "file is a link", "submodule"]
)
def test_local_settings_that_a_commit_brought_are_not_read(
    repository: Any, git: GitRepo, tmp_path: Path, brought_by: str
) -> None:
    text = PASSWORD.format(url="")
    if brought_by == "link":
        (repository.path / "evil").mkdir()
        (repository.path / "evil" / "config.local").write_text(text)
        (repository.path / ".dvc").symlink_to("evil")
    elif brought_by == "file is a link":
        (repository.path / ".dvc").mkdir()
        (repository.path / "evil").write_text(text)
        (repository.path / ".dvc" / "config.local").symlink_to("../evil")
    else:
        local(repository, text)
    if brought_by == "tracked":
        repository.git("add", "-f", ".dvc/config.local")
    elif brought_by == "other case":
        blob = repository.git("hash-object", "-w", "--stdin", stdin=text.encode())
        repository.git("update-index", "--add", "--cacheinfo", f"100644,{blob},.DVC/Config.local")
    elif brought_by == "submodule":
        head = repository.git("rev-parse", "HEAD")
        repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},.dvc")

    assert machine_settings(git, OTHER, current=True) == {}
    if brought_by != "file is a link":
        return
    with pytest.raises(InvalidInput, match=r"git tracks .dvc/config.local, or .dvc is a link"):
        writable_local_file(git)


def test_what_is_written_is_read_by_us_and_by_stock_dvc_and_not_seen_by_git(
    repository: Any, git: GitRepo, dvc: Any
) -> None:
    file = writable_local_file(git)
    write_setting(file, S3, "profile", "team, ü #1")
    write_setting(file, OTHER, "password", 'a=b"c')
    write_setting(global_file(), S3, "region", "eu-west-1")
    assert machine_settings(git, S3, current=True) == {
        "region": "eu-west-1", "profile": "team, ü #1",
    }  # fmt: skip
    assert machine_settings(git, OTHER, current=True) == {"password": 'a=b"c'}
    assert repository.git("status", "--porcelain") == ""
    assert file.stat().st_mode & 0o777 == 0o600
    assert "remote.gitml.profile=team, ü #1" in dvc("config", "--list", cwd=repository.path)

    write_setting(file, S3, "profile", None)
    with pytest.raises(NotFound, match="profile of 's3://team/gitml' is not set"):
        write_setting(file, S3, "profile", None)
    assert machine_settings(git, S3, current=True) == {"region": "eu-west-1"}


def test_a_file_that_git_would_commit_gets_no_secret(repository: Any, git: GitRepo) -> None:
    (repository.path / ".gitignore").write_text("!.dvc/config.local\n")
    with pytest.raises(InvalidInput, match=r"A .gitignore file lets git see .dvc/config.local"):
        writable_local_file(git)
    assert not (repository.path / ".dvc").exists()


@pytest.mark.parametrize(
    ("address", "key", "value", "message"),
    [
        (
            S3,
            "endpoint",
            "http://x",
            "s3:// remotes have no setting 'endpoint'. Did you mean endpointurl?",
        ),
        (
            S3,
            "keyfile",
            "x",
            "s3:// remotes have no setting 'keyfile'. It has: access_key_id, acl,",
        ),
        (S3, "version_aware", "true", "have no setting 'version_aware'"),
        (S3, "url", "s3://x", "have no setting 'url'"),
        (S3, "use_ssl", "perhaps", "use_ssl cannot be 'perhaps': expected true or false."),
        (S3, "profile", "a%(b)s", "The value of profile is empty, or has '%('"),
        (S3, "profile", "", "The value of profile is empty"),
        (S3, "profile", "a\nb", "characters that cannot be printed"),
        (OTHER, "bearer_token_command", "id", "bearer_token_command runs a command"),
        (Address("/mnt/x"), "profile", "x", "'/mnt/x' is a folder, which needs no settings."),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    address: Address, key: str, value: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_setting(address, key, value)
    assert message in str(caught.value)


def test_paths_are_saved_as_seen_from_where_they_were_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ssh = Address("ssh://host/x")
    assert check_setting(ssh, "keyfile", "keys/id") == str(tmp_path / "keys" / "id")
    assert check_setting(ssh, "keyfile", "~/.ssh/id") == "~/.ssh/id"
