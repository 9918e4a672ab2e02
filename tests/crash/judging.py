"""Looks at a repository whose writer was killed, as the next process on it does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gitml
from gitml.fluent.session import session
from gitml.repository import Repository
from gitml.sharing import push_pull

Note = list[Any]


def findings(repository: Path, notes: list[Note], *, push: bool = True) -> list[str]:
    """Everything that is not as it was promised; empty where all is well."""
    gitml.set_tracking_uri(repository)
    client = gitml.MlflowClient(repository)
    client.search_experiments()  # the first command recovers
    problems = [
        *_records(client, notes),
        *_index(client.repository),
        *_leftovers(repository, client.repository),
        *_next_run(client, repository, push),
        *_locks(repository),
    ]
    done = subprocess.run(
        ["git", "fsck", "--no-dangling", "--no-progress"],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode or done.stdout or done.stderr:
        problems.append(f"git fsck: {done.stdout}{done.stderr}")
    return problems


def _records(client: gitml.MlflowClient, notes: list[Note]) -> Iterator[str]:
    ended = {note[1] for note in notes if note[0] == "ended"}
    for what, *values in notes:
        if what == "experiment" and client.get_experiment_by_name(values[0]) is None:
            yield f"experiment {values[0]} is lost"
        elif what == "run":
            yield from _status(client, values[0], values[0] in ended)
        elif what in ("metric", "param", "tag"):
            yield from _value(client, what, *values)
        elif what == "file":
            yield from _file(client, *values)
        elif what == "version":
            yield from _version(client, *values)


def _status(client: gitml.MlflowClient, run_id: str, ended: bool) -> Iterator[str]:
    run = client.get_run(run_id)
    recovered = "gitml.recovered" in run.data.tags
    state = (run.info.status, recovered)
    if state not in {("FINISHED", False), *([] if ended else [("FAILED", True)])}:
        yield f"run {run_id} is {state}, end acknowledged: {ended}"


def _value(
    client: gitml.MlflowClient, what: str, run_id: str, key: str, value: Any
) -> Iterator[str]:
    run = client.get_run(run_id)
    if what == "metric":
        steps = {(p.step, p.value) for p in client.get_metric_history(run_id, key)}
        if (value, float(value)) not in steps:
            yield f"metric {key} {value} is lost"
    elif (run.data.params if what == "param" else run.data.tags).get(key) != value:
        yield f"{what} {key} is lost"


def _version(client: gitml.MlflowClient, run_id: str, name: str, number: int) -> Iterator[str]:
    if client.get_model_version(name, number).run_id != run_id:
        yield f"version {number} of {name} is another run's"


def _file(client: gitml.MlflowClient, run_id: str, path: str, text: str | None) -> Iterator[str]:
    from tests.crash.story import BIG

    repository = client.repository
    files = repository.files(run_id)
    artifact = next((file for file in files.artifacts if file.path == path), None)
    if artifact is None:
        yield f"artifact {path} is lost"
        return
    data = repository.artifacts.read_bytes(artifact, repository.open_remote(files.remote_config))
    if data != (BIG if text is None else text.encode()):
        yield f"artifact {path} has other bytes"


def _index(repository: Repository) -> Iterator[str]:
    answers = _answers(repository)
    repository._index.close()
    for path in repository.state.glob("index.sqlite3*"):
        path.unlink()
    if _answers(repository) != answers:
        yield "the index differs from a rebuild"


def _answers(repository: Repository) -> object:
    from gitml.query.filters import RunQuery

    index = repository.index()
    experiments = index.search_experiments()
    query = RunQuery(experiment_ids=tuple(e.experiment_id for e in experiments), max_results=50_000)
    return experiments, index.search_runs(query).runs, index.model_files(), index.problems()


def _leftovers(root: Path, repository: Repository) -> Iterator[str]:
    if repository.index().problems():
        yield f"problems: {repository.index().problems()}"
    places = [
        *(root / ".git" / "gitml" / "runs").glob("*"),
        *(root / ".git").glob("fast_import_crash_*"),
    ]
    yield from (f"left behind: {path.relative_to(root)}" for path in places)
    for run in _runs(repository):
        for artifact in repository.files(run.info.run_id).artifacts:
            if artifact.path == "big.bin" and artifact.size != 256 * 1024:
                yield f"a torn artifact: {artifact}"


def _runs(repository: Repository) -> list[gitml.Run]:
    from gitml.query.filters import RunQuery

    index = repository.index()
    ids = tuple(e.experiment_id for e in index.search_experiments())
    return index.search_runs(RunQuery(experiment_ids=ids, max_results=50_000)).runs


def _next_run(client: gitml.MlflowClient, root: Path, push: bool) -> Iterator[str]:
    with gitml.start_run(experiment_id=gitml.set_experiment("afterwards").experiment_id) as run:
        gitml.log_metric("m", 1)
        gitml.log_text("{}", "model/MLmodel")
    gitml.register_model(f"runs:/{run.info.run_id}/model", "Afterwards")
    yield from (
        f"left behind: {path.relative_to(root)}"
        for path in (root / ".git" / "refs" / "gitml" / "tmp").glob("*")
    )
    if client.get_run(run.info.run_id).info.status != "FINISHED":
        yield "the next run did not end"
    if push:
        push_pull.push(client.repository)
        tip = client.repository.branch.tip()
        remote_refs = client.repository.git.remote_refs("origin", client.repository.branch.ref)
        if remote_refs != {client.repository.branch.ref: tip}:
            yield f"the next push left {remote_refs}, not {tip}"
    session.reset()


def _locks(root: Path) -> Iterator[str]:
    for path in (root / ".git").rglob("*.lock"):
        yield f"a lock is left: {path.relative_to(root)}"
