"""The index follows the branch and the runs in progress, whatever happens to them."""

from __future__ import annotations

import json
import math
import random

import pytest

from gitml.entities import (
    Experiment,
    ViewType,
)
from gitml.errors import StoreError
from gitml.formats import run_records
from gitml.formats.run_records import Record, RunFiles
from gitml.git import GitRepo, RefUpdate
from gitml.store.index.index import Index, LiveRun, UnreadableRecord
from tests.store.index.projects import (
    Files,
    Project,
    everything,
    experiment_file,
    files_of,
    ids,
    live,
    make_run,
    path_of,
)

# Following the branch ---------------------------------------------------------------------------


def random_edit(choose: random.Random) -> Files:
    """Some records written, broken, moved or removed."""
    files: dict[str, bytes | None] = {}
    for _ in range(choose.randint(1, 6)):
        number = choose.randrange(12)
        run = make_run(
            number,
            experiment_id=choose.choice(["price", "size"]),
            metrics={choose.choice("abc"): choose.choice([1.0, math.nan, -math.inf])},
            params={choose.choice("abc"): str(choose.random())},
            lifecycle_stage=choose.choice(["active", "deleted"]),
        )
        wrong = run_records.run_to_json(Record(run=make_run(99)))
        good = run_records.run_to_json(Record(run=run))
        files[path_of(run)] = choose.choice([good, good, good, b"{", wrong, None])
    experiment = Experiment(
        experiment_id=choose.choice(["price", "size"]), name=choose.choice(["p", "s"])
    )
    ((path, data),) = experiment_file(experiment).items()
    files[path] = choose.choice([data, b"[]", None])
    files["models/M/versions/1.json"] = choose.choice([b'{"schema": 1}', b"", None])
    files["runs/stray.txt"] = choose.choice([b"1", b"2"])
    return files


def removable(project: Project, files: Files) -> Files:
    """Without removals of what is not there: git refuses none, but a tip without files is odd."""
    present = {entry.path for entry in project.repo.tree("gitml/runs", recursive=True)}
    return {path: data for path, data in files.items() if data is not None or path in present}


@pytest.mark.parametrize("seed", range(3))
def test_following_the_branch_gives_what_a_rebuild_gives(project: Project, seed: int) -> None:
    choose = random.Random(seed)
    project.commit({"README.md": b"x"})
    tips = [project.branch.tip()]
    for step in range(10):
        if choose.random() < 0.25:  # a reset to an older commit, or to none
            new = choose.choice([*tips, None] if step else tips)
            old = project.branch.tip()
            if new != old:
                project.repo.update_refs([RefUpdate(name=project.branch.ref, new=new, old=old)])
        else:
            project.commit(removable(project, random_edit(choose)))
        tips.append(project.branch.tip())
        in_progress = {
            f"{n:032x}": live(make_run(n, run_name=f"live {step}"), str(choose.randrange(2)))
            for n in choose.sample(range(12), choose.randrange(3))
        }
        # One that lasts must say the same thing under the same fingerprint.
        in_progress = {
            run_id: live(make_run(int(run_id, 16), run_name=run.fingerprint), run.fingerprint)
            for run_id, run in in_progress.items()
        }
        project.refresh(in_progress)
        fresh = Index(project.state / f"fresh-{step}.sqlite3", project.repo)
        fresh.refresh(project.branch.tip(), in_progress)
        assert everything(project.index) == everything(fresh)
        fresh.close()


def test_nothing_changed_asks_git_for_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.show(files_of(make_run(1)))
    monkeypatch.setattr(GitRepo, "start", lambda *_, **__: pytest.fail("a process was started"))
    project.refresh()
    assert ids(project.index) == [1]


def test_rewritten_history_without_the_old_commit_is_indexed_anew(project: Project) -> None:
    project.show(files_of(make_run(1), make_run(2)))
    old = project.branch.tip()
    for name in (project.branch.ref, project.branch.last_ref):
        project.repo.update_refs([RefUpdate(name=name, new=None, old=old)])
    project.repo.run("reflog", "expire", "--expire=now", "--all")
    project.repo.run("gc", "--quiet", "--prune=now")
    project.show(files_of(make_run(3)))
    assert ids(project.index) == [3]


def test_missing_commit_is_named_and_leaves_the_index_as_it_was(project: Project) -> None:
    project.show(files_of(make_run(1)))
    with pytest.raises(StoreError, match="Commit 1234567890123456789012345678901234567890 of"):
        project.index.refresh("1234567890" * 4, {})
    assert ids(project.index) == [1]


# Bad records ------------------------------------------------------------------------------------


def test_unreadable_records_are_left_out_and_named(project: Project) -> None:
    good, newer, moved = make_run(1), make_run(2), make_run(3)
    too_new = json.loads(files_of(newer)[path_of(newer)] or b"")
    too_new["schema"] = 99
    stranger = run_records.run_folder("price", "e" * 32) + "/run.json"
    project.show(
        {
            **files_of(good),
            path_of(newer): json.dumps(too_new).encode(),
            path_of(moved): b"\xff\xfe",
            stranger: files_of(good)[path_of(good)],
            "experiments/price.json": b"{}",
            "experiments/size.json": experiment_file(Experiment(experiment_id="x", name="x"))[
                "experiments/x.json"
            ],
            "models/M/model.json": b"[",
            "models/M/versions/1.json": b'{"schema": 1}',
            "runs/price/zz/not-a-run/run.json": b"",
        }
    )
    index = project.index
    assert ids(index) == [1]
    assert index.search_experiments() == []
    assert index.model_files() == {}
    assert [problem.path for problem in index.problems()] == sorted([
        path_of(newer), path_of(moved), stranger, "experiments/price.json",
        "experiments/size.json", "models/M/model.json", "models/M/versions/1.json",
    ])  # fmt: skip
    assert (
        UnreadableRecord(
            path=stranger, reason=f"{stranger} holds run {good.info.run_id} of experiment price."
        )
        in index.problems()
    )
    project.show({path_of(newer): None, **files_of(moved), "models/M/model.json": None})
    assert ids(index) == [3, 1]
    assert len(index.problems()) == 4


def test_entry_that_is_no_file_hides_no_other(project: Project) -> None:
    project.commit(files_of(make_run(1), make_run(2)))
    tip = project.branch.tip()
    path = path_of(make_run(3))
    stream = (
        f"commit {project.branch.ref}\ncommitter A <a@b> 1 +0000\ndata 1\nx\nfrom {tip}\n"
        f"M 160000 {'12' * 20} {path}\nM 120000 inline {path_of(make_run(4))}\ndata 1\nx\n"
    )
    project.repo.fast_import(stream.encode())
    project.refresh()
    assert ids(project.index) == [2, 1]
    assert [problem.path for problem in project.index.problems()] == [
        path,
        path_of(make_run(4)),
    ]


def test_run_id_in_two_experiments_shows_both(project: Project) -> None:
    project.show(files_of(make_run(1), make_run(1, experiment_id="size")))
    assert ids(project.index) == [1, 1]
    assert project.index.find_runs("0") == [f"{1:032x}"]
    assert project.index.run_experiment(f"{1:032x}") == "price"
    project.show({path_of(make_run(1)): None})
    assert project.index.run_experiment(f"{1:032x}") == "size"


# Runs in progress -------------------------------------------------------------------------------


def test_run_in_progress_is_listed_until_its_commit_takes_over(project: Project) -> None:
    run_id = f"{1:032x}"
    begun = make_run(1, run_name="begun", end_time=None, status="RUNNING")
    project.refresh({run_id: live(begun)})
    assert project.index.get_run(run_id) == begun
    assert project.index.counts().live_runs == 1
    project.refresh({run_id: live(make_run(1, run_name="ignored"))})
    assert project.index.get_run(run_id) == begun
    further = make_run(1, run_name="further")
    project.refresh({run_id: live(further, "2")})
    assert project.index.get_run(run_id) == further
    project.show(files_of(make_run(1)))
    assert project.index.get_run(run_id) == make_run(1)
    resumed = make_run(1, run_name="resumed")
    project.refresh({run_id: live(resumed)})
    assert project.index.get_run(run_id) == resumed
    project.refresh()
    assert project.index.get_run(run_id) == make_run(1)


def test_run_in_progress_that_vanishes_leaves_nothing(project: Project) -> None:
    project.refresh({f"{1:032x}": live(make_run(1, metrics={"a": 1.0}))})
    project.refresh()
    assert ids(project.index, run_view_type=ViewType.ALL) == []
    assert ids(project.index, "metrics.a = 1") == []


def test_journal_that_cannot_be_read_is_named_and_hides_no_other(project: Project) -> None:
    def broken() -> RunFiles:
        raise StoreError("A journal without its first line cannot be turned into a run.")

    project.show(files_of(make_run(1), make_run(2)))
    project.refresh({
        f"{1:032x}": LiveRun(fingerprint="1", load=broken),
        f"{3:032x}": live(make_run(3)),
        f"{4:032x}": live(make_run(5)),
    })  # fmt: skip
    assert ids(project.index) == [3, 2, 1]
    assert project.index.problems() == [
        UnreadableRecord(
            path=f"live:{1:032x}",
            reason="A journal without its first line cannot be turned into a run.",
        ),
        UnreadableRecord(
            path=f"live:{4:032x}",
            reason=f"The journal of run {4:032x} holds run {5:032x}.",
        ),
    ]
    project.refresh()
    assert project.index.problems() == []
