"""Registers three versions in a clone, promotes each and pushes; the argument is the clone."""

import sys
from pathlib import Path

from gitml import sync
from gitml.registry.version_commit import ModelSource
from gitml.tracking.client import TrackingClient
from gitml.uris import registry

client = TrackingClient(Path(sys.argv[1]))
models = registry(client.repository)
for _ in range(3):
    run_id = client.create_run("shared").info.run_id
    client.set_terminated(run_id)
    source = ModelSource(
        run=client.get_run(run_id),
        source=f"runs:/{run_id}/model",
        path="model",
        digest=f"{run_id}.dir",
        size=0,
        nfiles=0,
        dvc_file=b"outs: []\n",
        mlmodel=b"flavors: {}\n",
    )
    number = models.register("Price", source).version
    models.transition_model_version_stage(
        "Price", number, "Production", archive_existing_versions=True
    )
    sync.push(client.repository)
