"""Every failure of git is blamed on what caused it, and says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import gitml
from gitml.cli.doctor_checks import examine
from gitml.cli.findings import Level
from gitml.errors import StoreError
from gitml.files import advice, cannot_write
from gitml.git import GitRepo
from gitml.git.causes import is_race, refused
from gitml.repository import Repository, resolve_path
from tests.conftest import LIMIT, git, make_repository

LOG = "import gitml\nwith gitml.start_run():\n    gitml.log_metric('m', 1)\n"


def logged(folder: Path, **environment: str) -> str:
    """Log a run in a process of its own, and return the last line of what it complains."""
    done = subprocess.run(
        [sys.executable, "-c", LOG],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=LIMIT,
    )  # fmt: skip
    return (done.stderr.splitlines() or [""])[-1]


def age(path: Path) -> None:
    path.touch()
    os.utime(path, (1_000_000_000, 1_000_000_000))


def head_of_nothing(repository: Path) -> None:
    (repository / ".git/HEAD").write_text("garbage\n")


def no_head(repository: Path) -> None:
    (repository / ".git/HEAD").unlink()


def branch_beside_it(repository: Path) -> None:
    git(repository, "branch", "gitml")


def packed_branch_beside_it(repository: Path) -> None:
    git(repository, "branch", "gitml")
    git(repository, "pack-refs", "--all")


def broken_branch(repository: Path) -> None:
    (repository / ".git/refs/heads/gitml").mkdir()
    (repository / ".git/refs/heads/gitml/runs").write_text("nonsense\n")


def branch_of_nothing(repository: Path) -> None:
    (repository / ".git/refs/heads/gitml").mkdir()
    (repository / ".git/refs/heads/gitml/runs").write_text("0123456789" * 4 + "\n")


def broken_settings(repository: Path) -> None:
    with (repository / ".git/config").open("a") as file:
        file.write("[core\nbroken")


def newer_format(repository: Path) -> None:
    git(repository, "config", "core.repositoryformatversion", "9")


def newer_extension(repository: Path) -> None:
    git(repository, "config", "core.repositoryformatversion", "1")
    git(repository, "config", "extensions.objectFormat", "sha512")


def by_sha256(repository: Path) -> None:
    subprocess.run(["rm", "-r", repository / ".git"], check=True)
    git(repository, "init", "-q", "--object-format=sha256")


def state_is_a_file(repository: Path) -> None:
    (repository / ".git/gitml").write_text("")


def corrupt_records(repository: Path) -> None:
    assert logged(repository) == ""
    blob = git(repository, "rev-parse", "gitml/runs:experiments/Default.json")
    (pack,) = (
        index.with_suffix(".pack")
        for index in (repository / ".git/objects/pack").glob("*.idx")
        if blob in git(repository, "verify-pack", "-v", str(index))
    )
    data = bytearray(pack.read_bytes())
    data[12:-20] = b"\xff" * (len(data) - 32)
    pack.chmod(0o644)
    pack.write_bytes(data)
    subprocess.run(["rm", "-rf", repository / ".git/gitml"], check=True)


CAUSES: list[tuple[Callable[[Path], None], str]] = [
    (head_of_nothing, r"git cannot use .*/\.git: fatal: not a git repository .*HEAD is damaged"),
    (no_head, r"git cannot use .*/\.git: fatal: not a git repository .*HEAD is damaged"),
    (branch_beside_it, r"there is a 'gitml', and git cannot have 'gitml/runs' beside it\. "
                        r"Rename it: `git branch -m gitml NEW`; or set `branch` in gitml\.yaml"),
    (packed_branch_beside_it, r"there is a 'gitml', and git cannot have 'gitml/runs' beside it"),
    (broken_branch, r"reference broken.*The branch is damaged.*git reflog"),
    (branch_of_nothing, r"(Not a valid commit|is missing)"),
    (broken_settings, r"bad config line \d+ in file .*/config"),
    (newer_format, r"Expected git repo version.* found 9.*another version of git"),
    (newer_extension, r"sha512.*"),
    (by_sha256, r"names its objects by SHA-256, which DVC and GitPython cannot read"),
    (state_is_a_file, r"Cannot write to .*: Not a directory\. Something else is in its place"),
    (corrupt_records, r"(inflate|unpack|corrupt|bad object).*`git fsck` names them"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), CAUSES, ids=lambda value: getattr(
    value, "__name__", ""))  # fmt: skip
def test_a_run_that_cannot_be_logged_says_what_is_wrong(
    repository: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(repository)

    complaint = logged(repository)

    assert re.search(message, complaint), complaint
    assert complaint.startswith("gitml.errors.")
    assert "another process" not in complaint
    assert "No git repository" not in complaint
    levels = [finding.level for finding in examine(repository)]  # does not raise
    assert levels


@pytest.mark.parametrize("lock", ["refs/heads/gitml/runs.lock", "packed-refs.lock"])
def test_a_lock_that_a_killed_git_left_is_no_obstacle(repository: Path, lock: str) -> None:
    assert logged(repository) == ""
    git(repository, "pack-refs", "--all")
    (repository / ".git/refs/heads/gitml").mkdir(exist_ok=True)
    age(repository / ".git" / lock)

    assert logged(repository) == ""


def test_a_work_tree_whose_repository_was_removed_is_called_so(repository: Path) -> None:
    git(repository, "worktree", "add", "-q", "../tree")
    subprocess.run(["rm", "-r", repository / ".git/worktrees"], check=True)

    complaint = logged(repository.parent / "tree")

    assert re.search(r"not a git repository: .*/worktrees/tree.*git worktree repair", complaint)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_somebody_else_is_not_used(repository: Path) -> None:
    git(repository, "config", "core.fsmonitor", "touch ../attacked; false")
    subprocess.run(["chown", "-R", "1234", repository], check=True)

    complaint = logged(repository)

    assert re.search(r"dubious ownership.*safe\.directory", complaint)
    assert not (repository.parent / "attacked").exists()
    git(repository.parent, "config", "--global", "safe.directory", str(repository))
    git(repository, "config", "--unset", "core.fsmonitor")
    assert logged(repository) == ""


def test_a_machine_without_git_is_called_so(repository: Path, tmp_path: Path) -> None:
    assert logged(repository, PATH=str(tmp_path)) == (
        "gitml.errors.StoreError: git cannot be started. Install git 2.34 or newer, and see that "
        "it is in PATH."
    )


def test_an_old_git_is_called_so(repository: Path, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text(
        '#!/bin/sh\ncase "$*" in *fast-import*) echo "error: unknown option \\`done\'" >&2; '
        "exit 129;; esac\n"
        f'PATH={os.environ["PATH"]} exec git "$@"\n'
    )
    old.chmod(0o755)

    complaint = logged(repository, PATH=f"{old.parent}:{os.environ['PATH']}")

    assert re.search(r"unknown option.*gitml needs 2\.34 or newer", complaint)


@pytest.mark.slow
def test_bare_shallow_and_unborn_repositories_work(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    git(repository, "symbolic-ref", "HEAD", "refs/heads/unborn")

    assert [logged(folder) for folder in (tmp_path / "bare", tmp_path / "shallow", repository)] == [
        "", "", "",
    ]  # fmt: skip


def test_a_branch_that_conflicts_on_a_remote_is_named(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repository, "remote", "add", "origin", "../origin.git")
    git(repository, "push", "-q", "origin", "main:gitml")
    assert logged(repository) == ""

    repo = GitRepo.discover(repository)
    with pytest.raises(StoreError, match=r"there is a 'gitml', .*'gitml/runs'.*Rename it there"):
        repo.push("origin", "refs/heads/gitml/runs:refs/heads/gitml/runs")
    repo.close()


@pytest.mark.parametrize(
    ("printed", "race"),
    [
        (b"warning: Not updating refs/heads/x (new tip a does not contain b)", True),
        (b"fatal: cannot lock ref 'refs/heads/x': is at 1234 but expected 5678", True),
        (b"error: cannot lock ref 'refs/heads/x': reference already exists", True),
        (
            b"fatal: cannot lock ref 'x': unable to resolve reference 'x'\n",
            True,
        ),
        (b"error: cannot lock ref 'a': unable to resolve reference 'a': reference broken", False),
        (b"error: cannot lock ref 'a/b': 'a' exists; cannot create 'a/b'", False),
        (b"error: cannot lock ref 'a': Unable to create '/r/a.lock': Permission denied", False),
        (b"fatal: write error: No space left on device", False),
        (b"", False),
    ],
)
def test_only_a_changed_ref_is_a_race(printed: bytes, race: bool) -> None:
    assert is_race(printed) is race


@pytest.mark.parametrize(
    ("printed", "hint"),
    [
        (b"fatal: write error: No space left on device", "Free some space"),
        (b"error: insufficient permission for adding an object to database", "Check who owns"),
        (b"fatal: cannot create '/r/x.lock': Read-only file system", "Check who owns"),
        (b"fatal: Unable to create '/r/.git/config.lock': File exists.", "remove the file"),
        (b"error: object file .git/objects/aa/bb is empty", "git fsck"),
        (b"fatal: something nobody has seen", None),
    ],
)
def test_the_hint_fits_what_git_printed(printed: bytes, hint: str | None) -> None:
    error = refused("It failed", printed)

    assert error.message == f"It failed: {printed.decode()}"
    assert hint in error.hint if hint and error.hint else error.hint is hint


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (OSError(28, "No space left on device"), "Free some space"),
        (PermissionError(13, "Permission denied"), "Check who owns"),
        (OSError(30, "Read-only file system"), "Check who owns"),
        (NotADirectoryError(20, "Not a directory"), "Something else is in its place"),
        (OSError(24, "Too many open files"), "Too many files are open"),
        (OSError(5, "Input/output error"), "Check its folder and its disk"),
    ],
)
def test_the_hint_fits_why_a_file_cannot_be_written(error: OSError, hint: str) -> None:
    assert advice(error).startswith(hint)
    assert cannot_write(Path("x"), error).message == f"Cannot write to x: {error.strerror}."


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file:./mlruns", "'file:./mlruns' is a file store of MLflow, not a git repository"),
        ("./mlruns", "'./mlruns' is a file store of MLflow, not a git repository"),
        ("sqlite:///mlflow.db", "'sqlite:///mlflow.db' is not a path"),
        ("http://ada:pw@host:5000", r"'http://\*\*\*@host:5000' is not a path"),
        ("databricks", "'databricks' is not a path"),
    ],
)
def test_an_address_of_mlflow_is_called_what_it_is(
    repository: Path, monkeypatch: pytest.MonkeyPatch, uri: str, message: str
) -> None:
    (repository / "mlruns").mkdir()
    monkeypatch.chdir(repository)

    with pytest.raises(gitml.GitmlError, match=message) as caught:
        gitml.set_tracking_uri(uri)
    assert caught.value.hint == (
        "gitml logs into a git repository: leave the URI out inside of it, or give its folder's "
        "path."
    )
    assert caught.value.exit_code == 2


def test_a_folder_that_is_missing_inside_a_repository_is_called_so(repository: Path) -> None:
    with pytest.raises(gitml.GitmlError, match=r"There is no folder .*/runs") as caught:
        Repository.open(repository / "runs")

    assert caught.value.hint == f"The repository is {repository}: give its path."


def test_uris_of_files_are_decoded(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "a folder" / "mlruns")

    assert resolve_path(folder.as_uri()) == folder
    assert resolve_path("file:a%20b") == Path("a b")
    assert resolve_path("gitml:a%20b") == Path("a%20b")


def test_doctor_reports_a_repository_that_git_refuses(repository: Path) -> None:
    by_sha256(repository)

    (finding,) = [item for item in examine(repository) if item.check == "repository"]

    assert finding.level == Level.PROBLEM
    assert "SHA-256" in finding.message
