"""Registers three versions in a clone, promotes each and pushes; the argument is the clone."""

import sys
from pathlib import Path

from gitml.sharing import push_pull
from tests.clones import models, register, repo

folder = Path(sys.argv[1])
for _ in range(3):
    number = register(folder).version
    models(folder).transition_model_version_stage(
        "Price", number, "Production", archive_existing_versions=True
    )
    push_pull.push(repo(folder))
