"""Registers three versions of a model: arguments are repository, remote and run number."""

import sys
from pathlib import Path

from gitml.entities import Run, RunInfo
from gitml.git import GitRepo
from gitml.registry.registry import Registry
from gitml.registry.tags.version_commit import ModelSource
from gitml.store.branch import Branch

folder, remote, run = sys.argv[1:]
repo = GitRepo.discover(Path(folder))
state = repo.common_dir / "gitml"
branch = Branch(repo, "gitml/runs", remote="origin", state=state, remote_config=b"")
info = RunInfo(
    run_id=f"{int(run):032x}",
    experiment_id="0",
    run_name="",
    user_id="",
    status="FINISHED",
    start_time=0,
)
source = ModelSource(
    run=Run(info=info),
    source=f"runs:/{info.run_id}/model",
    path="model",
    digest=f"{'0' * 32}.dir",
    size=0,
    nfiles=0,
    dvc_file=b"outs: []\n",
    mlmodel=b"",
)
for _ in range(3):
    print(Registry(repo, branch, state=state).register("m", source).version)
