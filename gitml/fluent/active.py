"""MLflow's functions that choose where to log and that start and end the active run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from gitml import config
from gitml.entities import Experiment, LifecycleStage, Run, RunStatus
from gitml.errors import InvalidInput
from gitml.fluent.on_error import forgiving
from gitml.fluent.session import ActiveRun as ActiveRun, session
from gitml.tracking.client import NOTE_TAG

# Where to log -----------------------------------------------------------------------------------


def set_tracking_uri(uri: str | os.PathLike[str]) -> None:
    """Choose the repository to log to.

    Args:
        uri: Path of a folder inside it.
    """
    session.choose_repository(uri)


def get_tracking_uri() -> str:
    """Return the root of the repository that is logged to, as a ``file://`` URI."""
    git = session.client().repository.git
    return (git.work_tree or git.git_dir).resolve().as_uri()


def is_tracking_uri_set() -> bool:
    """Return True if a repository was chosen, by call or by environment."""
    return bool(session.tracking_uri or config.tracking_uri())


def set_experiment(
    experiment_name: str | None = None, experiment_id: str | None = None
) -> Experiment:
    """Choose the experiment that new runs belong to; it is created where it does not exist.

    Raises:
        InvalidInput: Both or none of the arguments are given, or the experiment is deleted.
        NotFound: There is no experiment of this id.
    """
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidInput("Give either experiment_name or experiment_id.")
    if experiment_id is not None:
        experiment = session.client().get_experiment(experiment_id)
    else:
        experiment = _get_or_create(experiment_name)
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidInput(
            f"Experiment {experiment.name!r:.80} is deleted.",
            hint="Restore it with `restore_experiment`, or choose another name.",
        )
    session.choose_experiment(experiment.experiment_id)
    return experiment


def _get_or_create(name: object) -> Experiment:
    if not isinstance(name, str):
        raise InvalidInput(f"The name of an experiment must be a string, not {name!r:.80}.")
    client = session.client()
    name = session.experiment_name(name)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        client.repository.experiments.create(name, {}, exist_ok=True)
        experiment = client.get_experiment_by_name(name)
    assert experiment is not None  # it was just created
    return experiment


# Runs -------------------------------------------------------------------------------------------


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
) -> ActiveRun:
    """Begin a run, or resume one, and make it the active run of this thread.

    Args:
        run_id: A run to resume.
        experiment_id: Where a new run belongs; default the active experiment.
        run_name: Name of a new run; default a random one.
        nested: Allow it inside an active run, whose child it becomes.
        parent_run_id: The parent, where it is not the active run.
        tags: Tags to set.
        description: Note of a new run, in Markdown.

    Raises:
        InvalidInput: A run is active already and ``nested`` is False, or a value cannot be used.
        NotFound: There is no run or experiment of this id.
    """
    active = active_run()
    if active and not nested:
        raise InvalidInput(
            f"Run {active.info.run_id} is already active.",
            hint="End it with `end_run()`, or start a nested run with `nested=True`.",
        )
    run_id = run_id or session.run_id_to_resume()
    if run_id:
        return session.open(session.resume(run_id, tags, run_name))
    labels = dict(tags or {})
    if description is not None:
        labels[NOTE_TAG] = description
    labels |= session.parent_tag(parent_run_id)
    return session.open(session.begin(experiment_id, run_name, labels))


@contextlib.contextmanager
def batch() -> Iterator[None]:
    """Commit the runs of a block together: for sweeps and imports of thousands of short runs.

    A run that ends inside the block is not committed by itself: it is when the block ends (also by
    an exception), when 5,000 runs wait, when one has waited for ten seconds, or when this process
    searches. What was logged survives the death of the process as ever. Other processes see the
    runs once they are committed. The code is captured once, when the first run begins.
    """
    with session.client().repository.runs.batching():
        yield


@forgiving
def end_run(status: str = RunStatus.FINISHED) -> None:
    """End the active run; on return it is committed. Without an active run, nothing happens."""
    run = active_run()
    if run:
        session.end(run, str(status))


def active_run() -> ActiveRun | None:
    """Return the active run of this thread; None if there is none."""
    runs = session.runs()
    return runs[-1] if runs else None


def last_active_run() -> Run | None:
    """Return the active run, else the one that was active last in this thread, as it is now."""
    run_id = session.last_run_id()
    return session.client().get_run(run_id) if run_id else None
