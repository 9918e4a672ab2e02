"""Create a run in an experiment, with the name, user and tags that every run has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitml import config
from gitml.entities import Experiment, LifecycleStage, Run
from gitml.errors import InvalidInput, NotFound
from gitml.repository import Repository
from gitml.store.in_progress.fold import RUN_NAME_TAG
from gitml.tracking import validation
from gitml.tracking.random_names import random_name

USER_TAG = "mlflow.user"


def create_run(
    repository: Repository,
    experiment_id: str,
    *,
    start_time: int | None = None,
    tags: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Run:
    """Begin a run; see ``TrackingClient.create_run``."""
    experiment = _active_experiment(repository, experiment_id)
    checked = validation.tags(tags)
    run_name = validation.run_name(name or checked.get(RUN_NAME_TAG) or random_name())
    user = checked.get(USER_TAG) or repository.git.identity.name
    start = config.now_ms() if start_time is None else int(start_time)
    labels = {USER_TAG: user, **checked, RUN_NAME_TAG: run_name}
    _, run = repository.runs.start(experiment.experiment_id, run_name, user, start, labels)
    return run


def _active_experiment(repository: Repository, experiment_id: str) -> Experiment:
    record = repository.experiments.read(experiment_id)
    if record is None:
        raise no_experiment(experiment_id)
    if record.experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidInput(
            f"Experiment {record.experiment.name!r:.80} is deleted.",
            hint="Restore it with `restore_experiment`, or choose another.",
        )
    return record.experiment


def no_experiment(experiment_id: str) -> NotFound:
    """Return the error for an id that no experiment has."""
    return NotFound(
        f"No experiment with id {experiment_id!r:.80}.", hint="See `gitml experiments list`."
    )
