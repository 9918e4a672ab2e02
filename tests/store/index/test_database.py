"""The file of the index is shared, replaced when damaged, and refused when newer."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import SchemaTooNew
from gitml.formats.run_records import Record, RunFiles
from gitml.git import GitRepo
from gitml.query.filters import RunQuery
from gitml.store.index.index import Index, LiveRun
from tests.store.index.projects import (
    Project,
    files_of,
    ids,
    live,
    make_run,
)

# The file ---------------------------------------------------------------------------------------


def test_file_that_is_no_database_is_replaced(project: Project) -> None:
    path = project.state / "index.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 1000)
    project.show(files_of(make_run(1)))
    assert ids(project.index) == [1]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    db.close()


def test_file_damaged_while_in_use_is_replaced(project: Project) -> None:
    project.show(files_of(*(make_run(n, params={"p": "x" * 3000}) for n in range(50))))
    project.index.close()
    path = project.state / "index.sqlite3"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))
    project.refresh()
    assert len(ids(project.index, "params.p LIKE 'x%'")) == 50


def test_newer_index_is_refused_and_preserved(project: Project) -> None:
    path = project.state / "index.sqlite3"
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 1000")
    db.close()
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match=r"has schema 1000; this gitml reads up to \d+\."):
        project.refresh()
    assert path.read_bytes() == before


def test_older_index_is_made_again(project: Project) -> None:
    path = project.state / "index.sqlite3"
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE runs (old TEXT)")
    db.close()
    project.show(files_of(make_run(1)))
    assert ids(project.index) == [1]


def test_folder_that_cannot_be_made_leaves_an_index_shared_index(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    project.commit(files_of(make_run(1)))
    index = Index(tmp_path / "file" / "index.sqlite3", project.repo)
    index.refresh(project.branch.tip(), {})
    assert ids(index) == [1]
    index.close()


def refresh_in_child(folder: str, start: Any, answers: Any) -> None:
    repo = GitRepo.discover(folder)
    index = Index(Path(folder).parent / "state" / "index.sqlite3", repo)
    start.wait()
    index.refresh(repo.ref("refs/heads/gitml/runs"), {})
    answers.put(len(index.search_runs(RunQuery()).runs))
    index.close()


@pytest.mark.slow
def test_processes_that_refresh_concurrently_agree(project: Project, tmp_path: Path) -> None:
    project.commit(files_of(*(make_run(n) for n in range(200))))
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(3), context.Queue()
    children = [
        context.Process(target=refresh_in_child, args=(str(tmp_path / "repo"), start, answers))
        for _ in range(3)
    ]
    for child in children:
        child.start()
    assert [answers.get(timeout=60) for _ in children] == [200, 200, 200]
    for child in children:
        child.join(120)
    project.refresh()
    assert len(ids(project.index)) == 200


def test_child_forked_in_the_middle_of_a_refresh_has_a_connection_of_its_own(
    project: Project,
) -> None:
    project.show(files_of(make_run(1)))
    codes = []

    def load() -> RunFiles:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if ids(project.index) == [1] else 1)
            finally:
                os._exit(2)
        codes.append(os.waitpid(child, 0)[1])
        return RunFiles(record=Record(run=make_run(2)))

    project.refresh({f"{2:032x}": LiveRun(fingerprint="1", load=load)})
    assert codes == [0]
    assert ids(project.index) == [2, 1]


def test_threads_share_an_index(project: Project) -> None:
    project.show(files_of(*(make_run(n) for n in range(20))))

    def work(number: int) -> int:
        project.refresh({f"{99:032x}": live(make_run(99), str(number))})
        return len(ids(project.index))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(20))) == [21] * 20


def test_records_and_search_load_no_database() -> None:
    modules = "gitml.query.filters, gitml.formats.run_records"
    code = f"import sys, {modules}; print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_edit_of_a_run_changes_only_that_run(project: Project) -> None:
    first, second = make_run(1, tags={"a": "1", "b": "1"}), make_run(2, tags={"a": "1"})
    project.show(files_of(first, second))
    project.show(files_of(replace(first, data=replace(first.data, tags={"b": "2"}))))
    assert ids(project.index, "tags.a = '1'") == [2]
    assert ids(project.index, "tags.b = '2'") == [1]
    assert ids(project.index, "tags.b = '1'") == []
