"""What CommitStream writes is what git reads back: paths, bytes, modes, parents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gitml.errors import Conflict, StoreError
from gitml.git import Blob, CommitStream, Files, GitRepo, Identity
from tests.conftest import make_repository

pytestmark = pytest.mark.slow

REF = "refs/heads/stream"
WHO = Identity(name="Ada Exämple", email="ada@example.org")
CHARACTERS = st.characters(codec="utf-8", exclude_characters="/\0") | st.sampled_from('"\\\n\t\r ')
BYTES = st.binary(min_size=1, max_size=8).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
NAMES = st.text(CHARACTERS, min_size=1, max_size=12) | BYTES
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/".join(names))
CONTENTS = st.binary(max_size=400) | st.sampled_from([b"x" * 300, b"done\n", b"\0" * 256])


def fits_a_tree(path: str) -> bool:
    """Return True if git takes a path: no name is empty."""
    return "\0" not in path and "" not in path.split("/")


def without_clashes(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out files whose path is a folder of another one's."""
    folders = {path[:end] for path in files for end, char in enumerate(path) if char == "/"}
    return {path: data for path, data in files.items() if path not in folders}


TREES = st.dictionaries(PATHS.filter(fits_a_tree), CONTENTS, max_size=6).map(without_clashes)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitRepo]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in itertools.product(("AUTHOR", "COMMITTER"), ("NAME", "EMAIL")):
            patch.setenv(f"GIT_{name}_{value}", "ada@example.org")
        folder = make_repository(tmp_path_factory.mktemp("streams") / "project")
    opened = GitRepo.discover(folder)
    yield opened
    opened.close()


def write(repo: GitRepo, *commits: Files, parents: Sequence[str] = (), clear: bool = False) -> str:
    """Put commits on a new ref with one stream, and return the id of the last one."""
    repo.run("update-ref", "-d", REF)
    stream = CommitStream(REF, WHO, timestamp=1_700_000_000)
    first = stream.commit("First\n", commits[0], parents=parents, clear=clear)
    others = (stream.commit("Next\n", files) for files in commits[1:])
    repo.fast_import(itertools.chain(first, *others))
    commit = repo.ref(REF)
    assert commit
    return commit


def read(repo: GitRepo, commit: str) -> dict[str, bytes]:
    """Read all files of a commit, with paths as git has them."""
    changes = {change.path: change.new for change in repo.diff(None, commit, exact=True)}
    return {path: repo.run("cat-file", "blob", str(oid)) for path, oid in changes.items()}


@given(files=TREES)
def test_any_path_and_bytes_come_back(repo: GitRepo, files: dict[str, bytes]) -> None:
    assert read(repo, write(repo, files)) == files


@given(before=TREES, after=TREES)
def test_commit_changes_what_its_parent_had(
    repo: GitRepo, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    removed: dict[str, bytes | None] = dict.fromkeys(before)
    commit = write(repo, before, {**removed, **after})
    assert read(repo, commit) == after


def test_who_when_and_message_are_in_the_commit(repo: GitRepo) -> None:
    commit = write(repo, {"a": b""})
    form = repo.run("log", "-1", "--format=%an <%ae> %at|%cn <%ce> %ct|%B", commit).decode()
    assert form.split("|") == [f"{WHO} 1700000000"] * 2 + ["First\n\n"]


def test_a_shared_blob_is_sent_once(repo: GitRepo) -> None:
    data = b"x" * 1000
    stream = CommitStream(REF, WHO, timestamp=0)
    assert b"".join(stream.commit("m", {"a": data, "b": data})).count(data) == 1
    assert read(repo, write(repo, {"a": data, "b": data}, {"c": data, "d": data})) == {
        "a": data, "b": data, "c": data, "d": data,
    }  # fmt: skip


def test_what_git_has_is_named_by_its_id_with_any_mode(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from disk")
    base = write(repo, {"run.sh": b"#!/bin/sh\n", "old/x": b"x"})
    entries = {entry.path: entry.oid for entry in repo.tree(base)}
    commit = write(
        repo,
        {
            "": Blob(repo.run("rev-parse", f"{base}^{{tree}}").decode().strip(), mode="040000"),
            "copy": Blob(entries["old"], mode="040000"),
            "link": Blob(entries["run.sh"], mode="120000"),
            "run": Blob(entries["run.sh"], mode="100755"),
            "disk": tmp_path / "file",
        },
    )
    tree = {entry.path: entry.mode for entry in repo.tree(commit, recursive=True)}
    assert tree == {
        "run.sh": "100644", "old/x": "100644", "copy/x": "100644", "link": "120000",
        "run": "100755", "disk": "100644",
    }  # fmt: skip
    assert repo.read(f"{commit}:disk") == b"from disk"


def test_a_commit_starts_with_its_parents_files_unless_it_is_cleared(repo: GitRepo) -> None:
    first, second = write(repo, {"a": b"1"}), write(repo, {"b": b"2"})
    merge = write(repo, {"c": b"3"}, parents=[first, second])
    assert read(repo, merge) == {"a": b"1", "c": b"3"}
    assert repo.run("rev-parse", f"{merge}^@").decode().split() == [first, second]
    assert read(repo, write(repo, {"c": b"3"}, parents=[first], clear=True)) == {"c": b"3"}


def test_a_file_takes_the_name_of_a_folder_and_back(repo: GitRepo) -> None:
    commit = write(repo, {"a/b": b"1"}, {"a/b": None, "a": b"2"}, {"a": None, "a/c": b"3"})
    assert read(repo, commit) == {"a/c": b"3"}


def test_a_ref_that_moved_meanwhile_is_a_conflict(repo: GitRepo) -> None:
    commit = write(repo, {"a": b"1"})
    stream = CommitStream(REF, WHO, timestamp=0)
    with pytest.raises(Conflict):
        repo.fast_import(stream.commit("Apart", {}, parents=["HEAD"]))
    assert repo.ref(REF) == commit


@pytest.mark.parametrize("path", ["a\0b", "a//b", "/a", "a/"])
def test_a_path_that_git_does_not_take_is_an_error(repo: GitRepo, path: str) -> None:
    with pytest.raises(StoreError):
        write(repo, {path: b""})
