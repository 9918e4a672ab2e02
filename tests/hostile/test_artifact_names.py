"""A record that names a file of git: it is listed and marked, and never written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gitml
from gitml.entities import Artifact
from gitml.errors import InvalidInput
from gitml.formats import manifest
from gitml.maintenance import fsck
from gitml.publishing import dashboard
from gitml.registry import resolve
from gitml.repository import Repository
from gitml.sharing import push_pull
from tests.cli.conftest import shell
from tests.conftest import git
from tests.hostile import branch
from tests.hostile.branch import Entry, Good

SPELLINGS = (
    ".git/config", ".GIT/config", "git~1/config", ".git./config", ".g\u200cit/config",
    ".git::$INDEX_ALLOCATION/config", "model/.git/config", ".dvc/config", ".dvcignore", "nul",
)  # fmt: skip
COMMAND = "[core]\n\tfsmonitor = touch attacked; false\n"


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return branch.make_good(tmp_path / "project")


def attack(good: Good, *names: str) -> Artifact:
    """Give the first run more artifacts by plumbing alone, as anybody can who may push."""
    repository = Repository.open(good.folder)
    run_id = good.runs[0]
    (source := good.folder.parent / "stored").mkdir()
    (source / "config").write_text(COMMAND)
    (stored,) = repository.artifacts.put(source)
    path = next(p for p in good.files if run_id in p and p.endswith("artifacts.json"))
    entries = json.loads(good.files[path])
    entries += [{"path": name, "size": stored.size, "md5": stored.md5} for name in names]
    git_path = path.encode()
    branch.commit(good.folder, [Entry(git_path, json.dumps(entries).encode())], branch.BRANCH)
    return stored


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.slow
def test_a_download_never_writes_a_file_of_git(good: Good, name: str) -> None:
    attack(good, name)
    before = (good.folder / ".git" / "config").read_bytes()

    done = shell("artifacts", "download", good.runs[0], "-o", ".", cwd=good.folder)

    assert done.returncode == 0, done.stderr
    assert "Left out artifact '" in done.stderr
    assert (good.folder / "notes" / "hello.txt").read_text() == "hello one"
    git(good.folder, "status")
    assert (good.folder / ".git" / "config").read_bytes() == before
    assert not (good.folder / "attacked").exists()
    folder, _, file = name.rpartition("/")
    assert folder in (".git", ".GIT") or not (good.folder / folder / file).exists()
    done = shell("artifacts", "download", good.runs[0], name, "-o", "out", cwd=good.folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Artifact path" in done.stderr
    assert not (good.folder / "out").exists()


def test_a_folder_that_git_would_take_for_a_repository_is_not_made(good: Good) -> None:
    attack(good, "x/HEAD", "x/config", "x/objects/a", "x/refs/a")
    shell("artifacts", "download", good.runs[0], "-o", ".", cwd=good.folder)
    assert sorted(p.name for p in (good.folder / "x").iterdir()) == ["config", "objects", "refs"]


@pytest.mark.slow
def test_the_name_is_listed_and_marked(good: Good, tmp_path: Path) -> None:
    attack(good, ".git/config")
    listed = shell("artifacts", "list", good.runs[0], cwd=good.folder)
    assert (listed.returncode, ".git/" in listed.stdout) == (0, True)
    assert "'.git' is never downloaded: it has the part '.git', which git takes" in listed.stderr

    dashboard.build_site(Repository.open(good.folder), tmp_path / "site")
    page = (tmp_path / "site" / "runs" / f"{good.runs[0]}.html").read_text()
    assert "never downloaded: it has the part &#39;.git&#39;" in page
    assert "notes/hello.txt" in page


def test_what_dvc_reads_never_has_the_name(good: Good) -> None:
    attack(good, ".git/config", "a/NUL.txt")
    client = gitml.MlflowClient(good.folder)
    client.set_tag(good.runs[0], "x", "y")  # an edit writes the run's files again
    repository = Repository.open(good.folder)
    listed = repository.files(good.runs[0]).artifacts
    assert {".git/config", "a/NUL.txt"} <= {artifact.path for artifact in listed}
    entries = json.loads(manifest.directory_object(listed))
    assert {e["relpath"] for e in entries} == {"notes/hello.txt", "model/MLmodel"}
    digest = repository.artifacts.add_directory_object(listed)
    assert digest == manifest.directory_hash(manifest.writable(listed))
    assert "nfiles: 2" in manifest.dvc_file(listed).decode()


def test_fsck_names_it_and_repair_renames_it(good: Good) -> None:
    stored = attack(good, ".git/config", "a/NUL.txt", "_.git/config")
    repository = Repository.open(good.folder)
    report = fsck.check(repository)
    reasons = [fault.reason for fault in report.faults if "artifact '" in fault.reason]
    assert [r.partition(",")[0] for r in reasons] == [
        "artifact '.git/config' has the part '.git'",
        "artifact 'a/NUL.txt' has the part 'NUL.txt'",
    ]
    assert shell("fsck", "--repair", cwd=good.folder).returncode in (0, 1)
    assert fsck.check(Repository.open(good.folder)).faults == ()
    paths = {a.path: a.md5 for a in Repository.open(good.folder).files(good.runs[0]).artifacts}
    assert paths["_.git/config-2"] == paths["a/_NUL.txt"] == stored.md5


def test_a_merge_keeps_the_rest(good: Good, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(good.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    push_pull.push(Repository.open(good.folder))
    git(tmp_path, "clone", "-q", "origin.git", "enemy")
    git(tmp_path / "enemy", "update-ref", branch.BRANCH, "refs/remotes/origin/gitml/runs")
    attack(Good(folder=tmp_path / "enemy", runs=good.runs, files=good.files), ".git/config")
    git(tmp_path / "enemy", "push", "-q", "origin", "gitml/runs")
    gitml.MlflowClient(good.folder).log_text(good.runs[0], "late", "late.txt")

    push_pull.push(Repository.open(good.folder))

    client = gitml.MlflowClient(good.folder)
    paths = {a.path for a in client.repository.files(good.runs[0]).artifacts}
    assert paths == {"notes/hello.txt", "model/MLmodel", ".git/config", "late.txt"}
    out = Path(client.download_artifacts(good.runs[0], "", str(tmp_path / "out")))
    assert not (out / ".git").exists()
    assert (out / "late.txt").read_text() == "late"


def test_a_model_with_such_a_file_loads_without_it_and_is_not_registered(good: Good) -> None:
    attack(good, "model/.git/config")
    client = gitml.MlflowClient(good.folder)
    uri = f"runs:/{good.runs[0]}/model"
    assert [p.name for p in resolve.local_path(uri, client).iterdir()] == ["MLmodel"]
    with pytest.raises(InvalidInput, match=r"'.git/config' has the part '.git'"):
        client.create_model_version("Price", uri, good.runs[0])


@pytest.mark.parametrize("name", [".git/config", "GIT~1/x", ".dvc/config", "nul", "x/a.", "a\nb"])
def test_logging_such_a_name_is_refused_and_writes_nothing(good: Good, name: str) -> None:
    client = gitml.MlflowClient(good.folder)
    source = good.folder.parent / "folder"
    (source / name).parent.mkdir(parents=True)
    (source / name).write_text("x")
    (source / "fine.txt").write_text("x")
    run_id = client.create_run("house").info.run_id
    with pytest.raises(InvalidInput, match=r"^Artifact path .*\.$"):
        client.log_artifacts(run_id, str(source))
    with pytest.raises(InvalidInput, match=r"^Artifact path .*\.$"):
        client.log_text(run_id, "x", name)
    assert client.list_artifacts(run_id) == []
    client.log_artifact(run_id, str(source / "fine.txt"))
    client.set_terminated(run_id)
    assert [info.path for info in client.list_artifacts(run_id)] == ["fine.txt"]


def test_a_download_of_a_run_in_progress_follows_no_link(good: Good, tmp_path: Path) -> None:
    client = gitml.MlflowClient(good.folder)
    run_id = client.create_run("house").info.run_id
    client.log_text(run_id, "new", "a/x.txt")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="is a symbolic link"):
        client.download_artifacts(run_id, "", str(tmp_path / "out"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
