"""A clock that goes back, or that of another machine that runs ahead, loses no write."""

from __future__ import annotations

import json
from pathlib import Path

import gitml
from gitml.repository import Repository
from tests.clones import exchange, origin_and_clone
from tests.conftest import Clock, git

HOUR = 3_600_000
YEAR_2099 = 4_070_908_800_000


def client(folder: Path) -> gitml.MlflowClient:
    return gitml.MlflowClient(folder)


def test_a_run_ends_and_its_edits_stay_when_the_clock_goes_back(
    clock: Clock, tracked: Path
) -> None:
    with gitml.start_run(run_name="first") as run:
        gitml.set_tag("phase", "begin")
        clock.ms -= HOUR
        gitml.set_tag("phase", "end")
        gitml.log_param("depth", 3)
        client(tracked).update_run(run.info.run_id, name="second")
    ended = client(tracked).get_run(run.info.run_id)
    assert (ended.info.status, ended.info.run_name) == ("FINISHED", "second")
    assert (ended.data.tags["phase"], ended.data.params) == ("end", {"depth": "3"})
    assert (ended.info.end_time or 0) >= ended.info.start_time


def test_runs_of_a_batch_end_when_the_clock_goes_back(clock: Clock, tracked: Path) -> None:
    with gitml.batch(), gitml.start_run() as run:
        clock.ms -= HOUR
    assert client(tracked).get_run(run.info.run_id).info.status == "FINISHED"


def test_a_resumed_run_ends_when_the_clock_went_back_meanwhile(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        gitml.set_tag("phase", "begin")
    clock.ms -= HOUR
    with gitml.start_run(run.info.run_id):
        gitml.set_tag("phase", "end")
        clock.ms -= HOUR
    client(tracked).set_tag(run.info.run_id, "late", "yes")
    info, data = (getattr(client(tracked).get_run(run.info.run_id), n) for n in ("info", "data"))
    assert info.status == "FINISHED"
    assert (data.tags["phase"], data.tags["late"]) == ("end", "yes")


def test_a_run_of_a_dead_process_is_ended_when_the_clock_went_back(
    clock: Clock, tracked: Path
) -> None:
    run = gitml.start_run()
    gitml.set_tag("phase", "begin")
    writer = run.writer
    writer.journal.close()  # as the kernel does for a killed process
    del Repository.open(tracked).runs._writers[run.info.run_id]
    clock.ms -= HOUR
    ended = client(tracked).get_run(run.info.run_id)
    assert ended.info.status == "FAILED"
    assert ended.data.tags["gitml.recovered"] == "true"
    assert (ended.info.end_time or 0) >= ended.info.start_time


def test_a_journal_of_an_older_version_is_folded_in_the_order_of_its_lines(
    clock: Clock, tracked: Path
) -> None:
    run = gitml.start_run()
    journal = run.writer.journal
    early = clock.ms - HOUR
    journal.append(["tag", "phase", "begin", clock.ms])
    journal.append(["tag", "phase", "end", early], ["status", "FINISHED", early, early])
    journal.close()
    del Repository.open(tracked).runs._writers[run.info.run_id]
    ended = client(tracked).get_run(run.info.run_id)
    assert (ended.info.status, ended.data.tags["phase"]) == ("FINISHED", "end")


def test_an_end_is_never_before_the_start(clock: Clock, tracked: Path) -> None:
    experiment = client(tracked).create_experiment("house")
    run_id = client(tracked).create_run(experiment, start_time=clock.ms).info.run_id
    client(tracked).set_terminated(run_id, end_time=5)
    assert client(tracked).get_run(run_id).info.end_time == clock.ms


def test_a_clock_in_2099_freezes_nothing(clock: Clock, tmp_path: Path) -> None:
    folders = [origin_and_clone(tmp_path, "ada"), tmp_path / "bob"]
    today, clock.ms = clock.ms, YEAR_2099
    ada = client(folders[0])
    experiment = ada.create_experiment("shared", {"owner": "ada"})
    run_id = ada.create_run(experiment).info.run_id
    ada.set_tag(run_id, "owner", "ada")
    ada.set_terminated(run_id, "FAILED")
    exchange(folders[0])
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/origin.git", "bob")

    clock.ms = today
    bob = client(folders[1])
    bob.set_tag(run_id, "owner", "bob")
    bob.set_terminated(run_id, "FINISHED")
    bob.set_experiment_tag(experiment, "owner", "bob")
    bob.rename_experiment(experiment, "renamed")
    exchange(*folders)
    for folder in folders:
        run, shared = client(folder).get_run(run_id), client(folder).get_experiment(experiment)
        assert (run.data.tags["owner"], run.info.status) == ("bob", "FINISHED")
        assert (shared.tags, shared.name) == ({"owner": "bob"}, "renamed")


def test_the_largest_time_of_all_can_still_be_written_after(clock: Clock, tracked: Path) -> None:
    with gitml.start_run() as run:
        pass
    info = client(tracked).get_run(run.info.run_id).info
    path = f"runs/{info.experiment_id}/{info.run_id[:2]}/{info.run_id}/run.json"
    record = json.loads(git(tracked, "show", f"gitml/runs:{path}"))
    record["written"]["tags.owner"] = 2**63 - 1
    Repository.open(tracked).branch.update(
        lambda tip: ({path: json.dumps(record).encode()}, "hostile")
    )
    client(tracked).set_tag(info.run_id, "owner", "ada")
    assert client(tracked).get_run(info.run_id).data.tags["owner"] == "ada"
