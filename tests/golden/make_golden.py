"""Make ``v1.bundle``: a small repository as this version writes it, for later versions to read.

``python -m tests.golden.make_golden`` writes the bundle anew; do that only for a new format, under
a new name: the point of the old one is that it does not change. Clock and ids are fixed.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from unittest import mock

BUNDLE = Path(__file__).with_name("v1.bundle")
_FOLDER = Path("/tmp/gitml-golden")  # it is named in .dvc/config
_START = 1_700_000_000  # s since the Unix epoch; every look at the clock is a second later
_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "Ada Example"), ("EMAIL", "ada@example.org"), ("DATE", f"{_START} +0000"),
    )
}  # fmt: skip


def main() -> None:
    """Write the bundle."""
    os.environ.update(_WHO)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir()
    _git("init", "-q", "-b", "main")
    (_FOLDER / "train.py").write_text("print('training')\n")
    _git("add", "train.py")
    _git("commit", "-q", "-m", "Add training")
    ticks, chance = itertools.count(_START), random.Random(1)
    with (
        mock.patch.object(time, "time", lambda: float(next(ticks))),
        mock.patch.object(time, "time_ns", lambda: next(ticks) * 10**9),
        mock.patch.object(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128))),
    ):
        fill()
    _git("-c", "pack.threads=1", "bundle", "create", "-q", str(BUNDLE), "main", "gitml/runs",
         "--tags")  # fmt: skip
    shutil.rmtree(_FOLDER)


def fill() -> None:
    """Log runs and register models."""
    import gitml
    from gitml.registry import registration

    client = gitml.MlflowClient(_FOLDER)
    house = client.create_experiment("house prices", tags={"team": "pricing"})
    other = client.create_experiment("größe/2")
    first = client.create_run(house, run_name="baseline").info.run_id
    client.log_param(first, "alpha", "0.5")
    client.log_param(first, "layers [1]", "3,4")
    for step, value in enumerate((3.5, 2.25, float("nan"), 2.5)):
        client.log_metric(first, "rmse", value, step=step, timestamp=1_700_000_000_000 + step)
    client.log_metric(first, "best", float("inf"))
    client.set_tag(first, "mlflow.note.content", "# Ünïcode\nsecond line")
    client.log_inputs(first, [gitml.Dataset(name="rows", digest="abc123", context="train")])
    client.log_dict(first, {"flavors": {"python_function": {}}}, "model/MLmodel")
    client.log_text(first, "weights", "model/weights.txt")
    client.log_text(first, "hello", "notes/hello.txt")
    client.set_terminated(first)
    second = client.create_run(house, run_name="second", tags={"mlflow.parentRunId": first})
    client.set_terminated(second.info.run_id, "FAILED")
    client.delete_run(second.info.run_id)
    third = client.create_run(other, run_name="other").info.run_id
    client.set_tag(third, "gone", "x")
    client.set_terminated(third, "KILLED")
    client.delete_tag(third, "gone")
    for _ in range(2):
        registration.register(client, f"runs:/{first}/model", "Price", description="from golden")
    registration.register(client, f"runs:/{first}/model", "prix élevé")
    client.transition_model_version_stage("Price", 1, "Production", reason="first")
    client.transition_model_version_stage("Price", 2, "Staging")
    client.set_registered_model_alias("Price", "champion", 1)
    client.update_registered_model("Price", "Prices of houses")
    client.set_model_version_tag("Price", 2, "checked", "yes")


def _git(*args: str) -> None:
    subprocess.run(["git", *args], cwd=_FOLDER, check=True)


if __name__ == "__main__":
    main()
