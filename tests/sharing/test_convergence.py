"""Clones that do anything in any order: in the end all are equal and nothing is lost.

A state machine drives three clones and a bare remote through random steps, while a model notes what
was acknowledged. At the end everybody exchanges until nothing moves, then all clones are compared
with each other, with the model, and with what the user had before.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

import gitml
from gitml.errors import StoreError
from gitml.registry.tags import model_state
from gitml.sharing import push_pull
from tests.clones import exchange, models, origin_and_clone, register, repo
from tests.conftest import git, temporary_refs

BRANCH = "gitml/runs"
clones = st.integers(0, 2)
tallies: Counter[str] = Counter()


class Clones(RuleBasedStateMachine):
    """Three clones of one project."""

    def __init__(self) -> None:
        super().__init__()
        tallies["examples"] += 1
        self.root = Path(tempfile.mkdtemp(prefix="clones-"))
        first = origin_and_clone(self.root, "c0")
        self.folders = [first, *(self._clone(f"c{n}") for n in (1, 2))]
        self.names = itertools.count(3)
        self.users = {folder: self._users_state(folder, make=True) for folder in self.folders}
        self.runs: list[str] = []
        self.values: dict[tuple[str, str], set[str]] = defaultdict(set)  # tags: all values written
        self.own: dict[tuple[str, str], str] = {}  # tags that one clone alone writes
        self.points: dict[str, set[tuple[str, float, int]]] = defaultdict(set)
        self.params: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.stages: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.experiments: dict[str, set[str]] = defaultdict(set)
        self.versions: set[str] = set()
        self.aliases: set[str] = set()

    def _clone(self, name: str, *, depth: bool = False) -> Path:
        more = ["--depth=1"] if depth else []
        git(self.root, "clone", "-q", *more, f"file://{self.root}/origin.git", name)
        folder = self.root / name
        if depth and git(folder, "ls-remote", "origin", BRANCH):
            ref = f"+refs/heads/{BRANCH}:refs/remotes/origin/{BRANCH}"
            git(folder, "fetch", "-q", "--depth=1", "origin", ref)
        return folder

    def _users_state(self, folder: Path, *, make: bool = False) -> tuple[object, ...]:
        """What belongs to the user: index, HEAD, work tree, stash, configuration."""
        if make:
            (folder / "train.py").write_text("print('stashed')\n")
            git(folder, "stash", "-q")
            (folder / "train.py").write_text("print('dirty')\n")
            (folder / "staged.py").write_text("staged\n")
            git(folder, "add", "staged.py")
        files = (folder / ".git" / name for name in ("index", "HEAD", "config", "ORIG_HEAD"))
        seen = [file.read_bytes() if file.exists() else None for file in files]
        code = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        return *seen, code, git(folder, "stash", "list"), git(folder, "rev-parse", "main")

    def _all(self, folder: Path) -> list[gitml.Run]:
        client = gitml.MlflowClient(folder)
        ids = [item.experiment_id for item in client.search_experiments(view_type=3)]
        return list(client.search_runs(ids, run_view_type=3, max_results=1000)) if ids else []

    def _pick(self, clone: int, pick: int, *, deleted_too: bool = False) -> str | None:
        stages = {
            run.info.run_id: run.info.lifecycle_stage for run in self._all(self.folders[clone])
        }
        allowed = ("active", "deleted") if deleted_too else ("active",)
        run_ids = [run_id for run_id in self.runs if stages.get(run_id) in allowed]
        return run_ids[pick % len(run_ids)] if run_ids else None

    # Steps --------------------------------------------------------------------------------------

    @rule(clone=clones, experiment=st.sampled_from(["house", "car"]), value=st.integers(0, 9))
    def log(self, clone: int, experiment: str, value: int) -> None:
        tallies["steps"] += 1
        client = gitml.MlflowClient(self.folders[clone])
        identifier = client.repository.experiments.create(experiment, {}, exist_ok=True)
        self.experiments[identifier].add(experiment)
        run_id = client.create_run(identifier, run_name=f"by {clone}").info.run_id
        client.log_metric(run_id, "rmse", value, step=0)
        client.log_param(run_id, "lr", value)
        client.set_terminated(run_id)
        self.runs.append(run_id)
        self.points[run_id].add(("rmse", float(value), 0))
        self.params[run_id, "lr"].add(str(value))

    @rule(clone=clones, pick=st.integers(0, 9), shared=st.booleans(), value=st.sampled_from("abc"))
    def tag(self, clone: int, pick: int, shared: bool, value: str) -> None:
        tallies["steps"] += 1
        run_id = self._pick(clone, pick)
        if run_id:
            key = "mlflow.note.content" if shared else f"own {clone}"
            gitml.MlflowClient(self.folders[clone]).set_tag(run_id, key, value)
            self.values[run_id, key].add(value)
            if not shared:
                self.own[run_id, key] = value

    @rule(clone=clones, pick=st.integers(0, 9), value=st.integers(0, 9), step=st.integers(1, 3))
    def late(self, clone: int, pick: int, value: int, step: int) -> None:
        tallies["steps"] += 1
        run_id = self._pick(clone, pick)
        client = gitml.MlflowClient(self.folders[clone])
        if run_id is None:
            return
        client.log_metric(run_id, "late", value, step=step)
        self.points[run_id].add(("late", float(value), step))
        if "depth" not in client.get_run(run_id).data.params:
            client.log_param(run_id, "depth", value)
            self.params[run_id, "depth"].add(str(value))

    @rule(clone=clones, pick=st.integers(0, 9), deleted=st.booleans())
    def delete_or_restore(self, clone: int, pick: int, deleted: bool) -> None:
        tallies["steps"] += 1
        run_id = self._pick(clone, pick, deleted_too=True)
        if run_id:
            client = gitml.MlflowClient(self.folders[clone])
            (client.delete_run if deleted else client.restore_run)(run_id)
            self.stages[run_id].append((clone, "deleted" if deleted else "active"))

    @rule(clone=clones, pick=st.integers(0, 9), new=st.sampled_from(["flat", "boat"]))
    def rename(self, clone: int, pick: int, new: str) -> None:
        tallies["steps"] += 1
        client = gitml.MlflowClient(self.folders[clone])
        named = [item for item in client.search_experiments() if item.experiment_id != "0"]
        name = f"{new} {clone}"
        if named and name not in {item.name for item in named}:
            experiment = named[pick % len(named)]
            client.rename_experiment(experiment.experiment_id, name)
            self.experiments[experiment.experiment_id].add(name)

    @rule(clone=clones)
    def die(self, clone: int) -> None:
        """A process is killed while it logs: what it leaves is a journal that nobody locks."""
        tallies["steps"] += 1
        client = gitml.MlflowClient(self.folders[clone])
        identifier = client.repository.experiments.create("house", {}, exist_ok=True)
        self.experiments[identifier].add("house")
        run_id = client.create_run(identifier).info.run_id
        client.log_metric(run_id, "rmse", 5, step=7)
        client.repository.runs._writers.pop(run_id).journal.close()
        self.runs.append(run_id)
        self.points[run_id].add(("rmse", 5.0, 7))
        self.values[run_id, "gitml.recovered"].add("true")

    @rule(clone=clones)
    def register(self, clone: int) -> None:
        tallies["steps"] += 1
        run_id = register(self.folders[clone]).run_id
        self.versions.add(run_id)
        run = gitml.MlflowClient(self.folders[clone]).get_run(run_id)
        self.experiments[run.info.experiment_id].add("shared")  # another one if that was renamed

    @precondition(lambda self: self.versions)
    @rule(clone=clones, pick=st.integers(0, 9), stage=st.sampled_from(["Production", "Staging"]),
          archive=st.booleans())  # fmt: skip
    def move(self, clone: int, pick: int, stage: str, archive: bool) -> None:
        tallies["steps"] += 1
        registry = models(self.folders[clone])
        versions = registry.search_model_versions()
        if versions:
            number = versions[pick % len(versions)].version
            registry.transition_model_version_stage(
                "Price", number, stage, archive_existing_versions=archive
            )

    @precondition(lambda self: self.versions)
    @rule(clone=clones, pick=st.integers(0, 9), alias=st.sampled_from(["champion", "next"]))
    def alias(self, clone: int, pick: int, alias: str) -> None:
        tallies["steps"] += 1
        registry = models(self.folders[clone])
        versions = registry.search_model_versions()
        if versions:
            number = versions[pick % len(versions)].version
            registry.set_registered_model_alias("Price", alias, number)
            self.aliases.add(alias)

    @rule(clone=clones)
    def push(self, clone: int) -> None:
        tallies["steps"] += 1
        push_pull.push(repo(self.folders[clone]))

    @rule(clone=clones)
    def pull(self, clone: int) -> None:
        tallies["steps"] += 1
        push_pull.pull(repo(self.folders[clone]))

    @rule(clone=clones)
    def drop_index(self, clone: int) -> None:
        tallies["steps"] += 1
        self._forget(self.folders[clone])

    @rule(clone=clones, depth=st.booleans())
    def clone_anew(self, clone: int, depth: bool) -> None:
        tallies["steps"] += 1
        old = self.folders[clone]
        push_pull.push(repo(old))
        self._check_user(old)
        self._forget(old)
        shutil.rmtree(old)
        new = self._clone(f"c{next(self.names)}", depth=depth)
        self.users[new] = self._users_state(new, make=True)
        self.folders[clone] = new

    def _forget(self, folder: Path) -> None:
        """As after the end of the process, with the index gone."""
        repo(folder).close()
        for path in (folder / ".git" / "gitml").glob("index.sqlite3*"):
            path.unlink()

    # In the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._check()
        finally:
            for folder in self.folders:
                self._forget(folder)
            shutil.rmtree(self.root)

    def _check(self) -> None:
        exchange(*self.folders)
        states = [self._state(folder) for folder in self.folders]
        assert states[0] == states[1] == states[2]
        for folder in self.folders:
            self._check_user(folder)
            assert git(folder, "fsck", "--no-dangling") == ""
            assert temporary_refs(folder) == []
        folder = self.folders[0]
        before = self._all(folder)
        self._forget(folder)
        assert self._all(folder) == before
        assert repo(folder).index().problems() == []
        self._check_runs(folder)
        self._check_registry(folder)

    def _state(self, folder: Path) -> tuple[str, ...]:
        branch = git(folder, "for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")
        tree = git(folder, "rev-parse", f"{BRANCH}^{{tree}}") if branch else ""
        return branch, tree, git(folder, "for-each-ref", "refs/tags")

    def _check_user(self, folder: Path) -> None:
        assert self._users_state(folder) == self.users[folder]

    def _check_runs(self, folder: Path) -> None:
        client = gitml.MlflowClient(folder)
        runs = {run.info.run_id: run for run in self._all(folder)}
        assert set(runs) == {*self.runs, *self.versions}
        for run_id, points in self.points.items():
            history = {
                (point.key, point.value, point.step)
                for key in ("rmse", "late")
                for point in client.get_metric_history(run_id, key)
            }
            assert history == points
        for (run_id, key), written in self.params.items():
            run = runs[run_id]
            lost = run.conflicts.get(f"params.{key}", ())
            assert {run.data.params[key], *lost} == written
        for (run_id, key), written in self.values.items():
            assert runs[run_id].data.tags[key] in written
        for (run_id, key), value in self.own.items():
            assert runs[run_id].data.tags[key] == value
        for run_id, written in self.stages.items():
            alone = len({clone for clone, _ in written}) == 1
            possible = {written[-1][1]} if alone else {stage for _, stage in written}
            assert runs[run_id].info.lifecycle_stage in possible
        for identifier, names in self.experiments.items():
            assert client.get_experiment(identifier).name in names

    def _check_registry(self, folder: Path) -> None:
        registry = models(folder)
        versions = registry.search_model_versions()
        assert {version.run_id for version in versions} == self.versions
        assert {version.version for version in versions} == set(range(1, len(versions) + 1))
        assert registry.ignored_tags() == []
        if versions:
            assert set(registry.get_registered_model("Price").aliases) == self.aliases
            assert all(
                len(version.stages) <= 1
                for version in model_state.fold(registry.repo.tags()).models["Price"].active
            )


CHECKS = list(HealthCheck)


@pytest.mark.slow
def test_clones_converge_and_lose_nothing() -> None:
    run_state_machine_as_test(
        Clones,
        settings=settings(
            max_examples=3, stateful_step_count=18, deadline=None, derandomize=True,
            suppress_health_check=CHECKS,
        ),
    )  # fmt: skip


@pytest.mark.soak
def test_clones_converge_for_long() -> None:
    tallies.clear()
    try:
        run_state_machine_as_test(
            Clones,
            settings=settings(
                max_examples=300,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=CHECKS,
                phases=[Phase.generate],  # to shrink a history takes hours; it is told as it was
            ),
        )
    finally:
        print(f"{tallies['examples']} examples, {tallies['steps']} steps")


# Pushes that race, fail or are cut off ------------------------------------------------------------


def log_run(folder: Path) -> str:
    client = gitml.MlflowClient(folder)
    identifier = client.repository.experiments.create("shared", {}, exist_ok=True)
    run_id = client.create_run(identifier).info.run_id
    client.set_terminated(run_id)
    return run_id


def ids(folder: Path) -> set[str]:
    return {run.info.run_id for run in gitml.MlflowClient(folder).search_runs(["shared"])}


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A bare repository with one clone beside it, ``c0``."""
    origin_and_clone(tmp_path, "c0")
    return tmp_path / "origin.git"


@pytest.mark.slow
def test_four_clones_that_push_concurrently_all_arrive(origin: Path) -> None:
    root = origin.parent
    folders = [root / f"c{number}" for number in range(4)]
    for folder in folders[1:]:
        git(root, "clone", "-q", "origin.git", folder.name)
    code = (
        "import sys; from pathlib import Path; from gitml.sharing import push_pull\n"
        "from tests.sharing.test_convergence import log_run, repo\n"
        "here = Path(sys.argv[1])\n"
        "for _ in range(3): print(log_run(here), push_pull.push(repo(here)).exchange.runs)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen([sys.executable, "-c", code, folder], env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for folder in folders
    ]  # fmt: skip
    logged = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        logged += [line.split() for line in out.splitlines()]

    assert [count for _, count in logged] == ["1"] * 12
    git(root, "clone", "-q", "origin.git", "fresh")
    assert ids(root / "fresh") == {run_id for run_id, _ in logged}


@pytest.mark.slow
def test_runs_that_somebody_removed_with_git_come_back(origin: Path) -> None:
    first, second = origin.parent / "c0", origin.parent / "c1"
    git(origin.parent, "clone", "-q", "origin.git", "c1")
    left_alone, removed = log_run(first), log_run(first)
    exchange(first, second)
    git(second, "worktree", "add", "-q", "../by-hand", BRANCH)
    by_hand = origin.parent / "by-hand"
    git(by_hand, "rm", "-rq", f"runs/shared/{removed[:2]}/{removed}", "experiments/shared.json")
    git(by_hand, "commit", "-qm", "Remove a run")
    git(by_hand, "push", "-q", "origin", BRANCH)
    assert ids(second) == {left_alone}

    push_pull.pull(repo(first))
    assert ids(first) == {left_alone, removed}
    exchange(first, second)
    git(origin.parent, "clone", "-q", "origin.git", "fresh")
    for folder in (first, second, origin.parent / "fresh"):
        assert ids(folder) == {left_alone, removed}
    assert git(first, "rev-parse", BRANCH) == git(second, "rev-parse", BRANCH)


def test_clones_without_news_make_no_commits(origin: Path) -> None:
    first, second = origin.parent / "c0", origin.parent / "c1"
    git(origin.parent, "clone", "-q", "origin.git", "c1")
    for folder in (first, second):
        log_run(folder)
    exchange(first, second)
    tip = git(origin, "rev-parse", BRANCH)

    for folder in (first, second, first, second):
        assert not push_pull.push(repo(folder)).exchange.changed
        assert not push_pull.pull(repo(folder)).changed
    assert {git(folder, "rev-parse", BRANCH) for folder in (origin, first, second)} == {tip}


def test_a_push_that_the_remote_refused_once_can_be_repeated(origin: Path) -> None:
    first = origin.parent / "c0"
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nrm -- \"$0\"\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    run_id = log_run(first)
    register(first)

    with pytest.raises(StoreError, match="not today"):
        push_pull.push(repo(first))
    assert git(origin, "for-each-ref", "refs/tags", f"refs/heads/{BRANCH}") == ""
    report = push_pull.push(repo(first)).exchange
    assert (report.runs, report.tags, report.renumbered) == (2, 1, ())
    assert run_id in ids(first)


def test_a_push_that_is_killed_can_be_repeated(origin: Path) -> None:
    first = origin.parent / "c0"
    pids = origin.parent / "pids"
    hook = origin / "hooks" / "pre-receive"
    hook.write_text(f'#!/bin/sh\nrm -- "$0"\nkill -9 $(cat {pids})\nexit 1\n')
    hook.chmod(0o755)
    run_id = log_run(first)
    code = (
        "import os, sys; from pathlib import Path; from gitml.sharing import push_pull\n"
        "from gitml.repository import Repository\n"
        "Path(sys.argv[2]).write_text(str(os.getpid()))\n"
        "push_pull.push(Repository.open(sys.argv[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code, first, pids], env=environment, timeout=120)
    assert done.returncode == -9

    assert push_pull.push(repo(first)).exchange.runs == 1
    git(origin.parent, "clone", "-q", "origin.git", "fresh")
    assert ids(origin.parent / "fresh") == {run_id}
    assert git(first, "fsck") == ""


def test_a_remote_that_vanished_and_came_back_gets_everything(origin: Path) -> None:
    first, away = origin.parent / "c0", origin.parent / "away.git"
    log_run(first)
    push_pull.push(repo(first))
    register(first)
    origin.rename(away)
    with pytest.raises(StoreError, match="failed for remote"):
        push_pull.push(repo(first))

    away.rename(origin)
    report = push_pull.push(repo(first)).exchange
    assert (report.runs, report.tags) == (1, 1)


@pytest.mark.slow
def test_shallow_clone_joins_edits_of_a_run_that_the_remote_changed_too(origin: Path) -> None:
    first, shallow = origin.parent / "c0", origin.parent / "shallow"
    run_id = log_run(first)
    push_pull.push(repo(first))
    git(origin.parent, "clone", "-q", "--depth=1", f"file://{origin}", "shallow")
    ref = f"+refs/heads/{BRANCH}:refs/remotes/origin/{BRANCH}"
    git(shallow, "fetch", "-q", "--depth=1", "origin", ref)
    for number, folder in enumerate((first, shallow)):
        gitml.MlflowClient(folder).set_tag(run_id, f"by {number}", "x")
        gitml.MlflowClient(folder).log_metric(run_id, "late", number, step=number)
        register(folder)

    exchange(first, shallow)

    for folder in (first, shallow):
        client = gitml.MlflowClient(folder)
        assert {"by 0", "by 1"} <= set(client.get_run(run_id).data.tags)
        assert [p.value for p in client.get_metric_history(run_id, "late")] == [0.0, 1.0]
        assert len(models(folder).search_model_versions()) == 2
    assert git(first, "rev-parse", BRANCH) == git(shallow, "rev-parse", BRANCH)
