"""Runs every reader over a branch full of broken files."""

from __future__ import annotations

from pathlib import Path

from gitml.entities import ViewType
from gitml.errors import GitmlError
from gitml.maintenance import fsck
from gitml.publishing import dashboard
from gitml.query.filters import RunQuery
from gitml.registry.registry import Registry
from gitml.repository import Repository
from gitml.sharing import artifacts
from gitml.store.exchange.tree_merge import merged
from tests.conftest import git
from tests.hostile import branch
from tests.hostile.branch import Good

_SEARCHES = ("", "metrics.rmse > 0", "params.alpha = '0.5' OR tags.x LIKE '%a%'")
_ORDERS = ((), ("metrics.rmse DESC",), ("attributes.end_time", "tags.x"))


def hold(good: Good, count: int, seed: int, folder: Path) -> dict[str, int]:
    """Push broken files into a repository and read it in every way.

    Returns:
        How many runs are shown, problems named, and directly addressed runs refused.
    """
    before = git(good.folder, "rev-parse", branch.BRANCH)
    tricks = branch.tricky_paths(b'{"schema": 1}')
    tip = branch.commit(good.folder, [*branch.broken_entries(good, count, seed), *tricks], before)
    others = list(branch.broken_entries(good, min(count, 1_000), seed + 1))
    remote = branch.commit(good.folder, others, before, ref="refs/heads/theirs")
    repository = Repository.open(good.folder)
    numbers = _index(repository, good)
    numbers["refused"] = _directly(repository, tip)
    _registry(repository)
    list(artifacts.manifests(repository.git, None, tip))
    list(artifacts.model_folders(repository))
    report = fsck.check(repository)
    assert report.faults
    assert any(fault.place.startswith("models/") for fault in report.faults)
    assert not any(run_id in fault.place for fault in report.faults for run_id in good.runs)
    _merge(repository, tip, remote)
    _index(repository, good)
    if count <= 300:
        dashboard.build_site(repository, folder / "site")
    return numbers


def _index(repository: Repository, good: Good) -> dict[str, int]:
    index = repository.index()
    for text in _SEARCHES:
        for order in _ORDERS:
            query = RunQuery(filter_string=text, order_by=order, run_view_type=ViewType.ALL)
            runs = index.search_runs(query).runs
    index.search_experiments(ViewType.ALL)
    index.model_files()
    counts = index.counts()
    for run_id in good.runs:
        run = index.get_run(run_id)
        assert run is not None and run.data.params == {"alpha": "0.5"}
    assert counts.problems == len(index.problems()) > 0
    assert runs
    return {"runs": counts.runs + counts.deleted_runs, "problems": counts.problems}


def _directly(repository: Repository, tip: str) -> int:
    """Read every run by its id: an answer, or a GitmlError."""
    refused = 0
    names = {e.path.split("/")[3] for e in repository.git.tree(tip, recursive=True)
             if e.path.startswith("runs/house/") and e.path.count("/") > 3}  # fmt: skip
    for run_id in sorted(names):
        try:
            repository.files(run_id)
        except GitmlError:
            refused += 1
    return refused


def _registry(repository: Repository) -> None:
    models = Registry.of(repository)
    assert [v.version for v in models.get_latest_versions("Price")] == [1, 2]
    names = [model.name for model in models.search_registered_models()]
    assert "Price" in names
    models.search_model_versions()


def _merge(repository: Repository, local: str, remote: str) -> None:
    changes = repository.git.diff(local, remote)
    files, _ = merged(changes, repository.git.read, local, remote)
    repository.branch.update(lambda _: (files, "merge\n"), also_parent=remote)
    assert repository.git.is_ancestor(remote, repository.branch.tip() or "")
