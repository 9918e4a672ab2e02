"""The fluent API: MLflow's functions that work on the active run of the current thread."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gitml.entities import Dataset, Experiment, Param, Run, RunTag, ViewType
from gitml.errors import InvalidInput
from gitml.fluent import on_error
from gitml.fluent.on_error import FAILURES, forgive, forgiving
from gitml.fluent.session import session
from gitml.tracking import validation
from gitml.tracking.run_edits import RunEdits

# Experiments ------------------------------------------------------------------------------------


def create_experiment(name: str, tags: Mapping[str, Any] | None = None) -> str:
    """Create an experiment and return its id; see ``MlflowClient.create_experiment``."""
    return session.client().create_experiment(session.experiment_name(name), tags)


def get_experiment(experiment_id: str) -> Experiment:
    """Get an experiment by id; see ``MlflowClient.get_experiment``."""
    return session.client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Get an experiment by name; None if there is none."""
    return session.client().get_experiment_by_name(session.experiment_name(name))


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[Experiment]:
    """List experiments; see ``MlflowClient.search_experiments``."""
    return session.client().search_experiments(view_type, max_results, filter_string, order_by)


def delete_experiment(experiment_id: str) -> None:
    """Hide an experiment."""
    session.client().delete_experiment(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Bring a deleted experiment back."""
    session.client().restore_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag on the active experiment."""
    session.client().set_experiment_tag(session.experiment_id(), key, value)


def set_experiment_tags(tags: Mapping[str, Any]) -> None:
    """Set tags on the active experiment."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def delete_experiment_tag(key: str) -> None:
    """Remove a tag from the active experiment."""
    session.client().delete_experiment_tag(session.experiment_id(), key)


# Runs -------------------------------------------------------------------------------------------


def get_run(run_id: str) -> Run:
    """Get a run; see ``MlflowClient.get_run``."""
    return session.client().get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Get the run that a nested run belongs to."""
    return session.client().get_parent_run(run_id)


def delete_run(run_id: str) -> None:
    """Hide a run."""
    session.client().delete_run(run_id)


def restore_run(run_id: str) -> None:
    """Bring a deleted run back."""
    session.client().restore_run(run_id)


def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: str = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> Any:
    """Search runs.

    Args:
        experiment_ids: Where to search; default the active experiment.
        filter_string: See ``MlflowClient.search_runs``.
        run_view_type: Active runs, deleted ones, or both.
        max_results: The most that are returned.
        order_by: See ``MlflowClient.search_runs``.
        output_format: ``pandas`` or ``list``.
        search_all_experiments: Search everywhere.
        experiment_names: Where to search, by name; unknown names find nothing.

    Returns:
        A DataFrame with MLflow's columns (``run_id``, …, ``metrics.<key>``, ``params.<key>``,
        ``tags.<key>``), or a list of runs.

    Raises:
        InvalidInput: The filter cannot be understood, or arguments contradict each other.
    """
    if output_format not in ("pandas", "list"):
        raise InvalidInput(f"output_format must be 'pandas' or 'list', not {output_format!r:.40}.")
    where = _where(experiment_ids, experiment_names, search_all_experiments)
    runs: list[Run] = []
    token: str | None = None
    while len(runs) < max_results:
        page = session.client().search_runs(
            where, filter_string, run_view_type, min(50_000, max_results - len(runs)), order_by,
            token,
        )  # fmt: skip
        runs.extend(page)
        token = page.token
        if token is None:
            break
    if output_format == "list":
        return runs
    from gitml.fluent.dataframes import runs_frame

    return runs_frame(runs)


def _where(
    ids: Sequence[str] | None, names: Sequence[str] | None, everywhere: bool
) -> Sequence[str]:
    if ids and names:
        raise InvalidInput("Give experiment_ids or experiment_names, not both.")
    if everywhere and not (ids or names):
        experiments = session.client().search_experiments(ViewType.ALL, None)
        return [experiment.experiment_id for experiment in experiments]
    if names:
        named = [get_experiment_by_name(name) for name in names]
        return [experiment.experiment_id for experiment in named if experiment]
    if ids is not None:
        return [str(experiment_id) for experiment_id in ids]
    default = session.existing_experiment_id()
    return [default] if default else []


# Logging ----------------------------------------------------------------------------------------


def log_param(key: str, value: Any) -> Any:
    """Log a param to the active run; see ``MlflowClient.log_param``."""
    _log_param(key, value)
    return value


@forgiving
def _log_param(key: str, value: Any) -> None:
    name = validation.key(key, "Param")
    checked = validation.param_value(name, value)
    on_error.warn_of_secret(name, checked)
    session.current().writer.log_params({name: checked})


@forgiving
def log_params(params: Mapping[str, Any], run_id: str | None = None) -> None:
    """Log params: all of them, or none if one cannot be used."""
    batch = [Param(key=key, value=value) for key, value in params.items()]
    for key, value in params.items():
        on_error.warn_of_secret(str(key), str(value))
    session.client().log_batch(_or_active(run_id), params=batch)


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Log a point of a metric.

    Args:
        key: The metric's name.
        value: A number; NaN and infinities are kept.
        step: Position in the training; default 0.
        timestamp: ms since the Unix epoch; default now.
        run_id: A run other than the active one.
    """
    try:  # not the decorator: this is called a million times
        if run_id is not None:
            session.client().log_metric(run_id, key, value, timestamp, step)
            return
        writer = session.current().writer
        if type(key) is not str or key not in writer.room.metrics:
            key = validation.key(key, "Metric")
        writer.log_metric(
            key,
            validation.metric_value(key, value),
            step=validation.step(key, step),
            timestamp=validation.timestamp(key, timestamp),
        )
    except FAILURES as error:
        forgive("log_metric", error)


@forgiving
def log_metrics(
    metrics: Mapping[str, float],
    step: int | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
) -> None:
    """Log several metrics at one step: all of them, or none if one cannot be used."""
    points = [(key, value, step, timestamp) for key, value in metrics.items()]
    RunEdits(session.client().repository).log(_or_active(run_id), points)


@forgiving
def set_tag(key: str, value: Any) -> None:
    """Set a tag on the active run."""
    session.client().set_tag(session.current().info.run_id, key, value)


@forgiving
def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags on the active run: all of them, or none if one cannot be used."""
    batch = [RunTag(key=key, value=value) for key, value in tags.items()]
    session.client().log_batch(session.current().info.run_id, tags=batch)


@forgiving
def delete_tag(key: str) -> None:
    """Remove a tag from the active run."""
    session.client().delete_tag(session.current().info.run_id, key)


@forgiving
def log_input(dataset: Dataset, context: str | None = None) -> None:
    """Record a dataset that the active run read.

    Args:
        dataset: What was read.
        context: What for, such as ``train``; default the dataset's own.
    """
    from dataclasses import replace

    chosen = dataset if context is None else replace(dataset, context=context)
    session.client().log_inputs(session.current().info.run_id, [chosen])


def _or_active(run_id: str | None) -> str:
    """Return the id of a run, by default of the active one."""
    return run_id or session.current().info.run_id


# Artifacts --------------------------------------------------------------------------------------


@forgiving
def log_artifact(
    local_path: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
) -> None:
    """Copy a file or folder into a run's artifacts; see ``MlflowClient.log_artifact``."""
    session.client().log_artifact(_or_active(run_id), local_path, artifact_path)


@forgiving
def log_artifacts(
    local_dir: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
) -> None:
    """Copy a folder's contents into a run's artifacts."""
    session.client().log_artifacts(_or_active(run_id), local_dir, artifact_path)


@forgiving
def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Log a text as a file."""
    session.client().log_text(_or_active(run_id), text, artifact_file)


@forgiving
def log_dict(dictionary: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log a dictionary as JSON or YAML, as the file's name says."""
    session.client().log_dict(_or_active(run_id), dictionary, artifact_file)


@forgiving
def log_figure(figure: Any, artifact_file: str, *, save_kwargs: Any = None) -> None:
    """Log a matplotlib or plotly figure."""
    run_id = session.current().info.run_id
    session.client().log_figure(run_id, figure, artifact_file, save_kwargs=save_kwargs)


@forgiving
def log_image(
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
) -> None:
    """Log an image, as a file or as a point of a series.

    Args:
        image: A PIL image, or an array; see ``gitml.tracking.artifact_files.image``.
        artifact_file: Path below the run's artifacts; or else:
        key: Name of a series; the file goes to ``images/``, named as MLflow names it.
        step: Position in the series; default 0.
        timestamp: ms since the Unix epoch; default now.
    """
    if (artifact_file is None) == (key is None):
        raise InvalidInput("Give log_image either artifact_file or key.")
    if artifact_file is None:
        import uuid

        name = validation.key(key, "Image").replace("/", "#")
        number = validation.step(name, step)
        stamp = validation.timestamp(name, timestamp)
        stamp = session.current().writer.now() if stamp is None else stamp
        artifact_file = f"images/{name}+step+{number}+timestamp+{stamp}+{uuid.uuid4().hex}.png"
        set_tag("mlflow.loggedImages", True)
    session.client().log_image(session.current().info.run_id, image, artifact_file)


@forgiving
def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log a table, a DataFrame or a dict of columns; rows are added to an existing one."""
    session.client().log_table(_or_active(run_id), data, artifact_file)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """URI of the active run's artifacts, or of one of them."""
    path = validation.artifact_path(artifact_path)
    root = session.current().info.artifact_uri
    return f"{root}/{path}" if path else root
