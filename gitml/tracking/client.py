"""The tracking half of ``MlflowClient``: explicit run ids, no active run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitml import config
from gitml.entities import (
    Dataset,
    Experiment,
    FileInfo,
    LifecycleStage,
    LoggedModelInfo,
    Metric,
    PagedList,
    Param,
    Run,
    RunStatus,
    RunTag,
    ViewType,
)
from gitml.errors import AlreadyExists, InvalidInput, NotFound
from gitml.formats import canonical, manifest, run_records
from gitml.formats.run_records import RunFiles
from gitml.repository import Repository, resolve_path
from gitml.store import experiments
from gitml.store.in_progress.fold import RUN_NAME_TAG, Op
from gitml.store.in_progress.writer import refuse_changes
from gitml.tracking import artifact_writers, validation
from gitml.tracking.run_artifacts import RunArtifacts
from gitml.tracking.run_names import random_name

NOTE_TAG = "mlflow.note.content"
PARENT_TAG = "mlflow.parentRunId"
USER_TAG = "mlflow.user"
DEFAULT_EXPERIMENT = "Default"


class TrackingClient:
    """Reads and writes runs and experiments of one repository.

    Args:
        tracking_uri: Path of a folder in the repository; default: ``GITML_TRACKING_URI``, else
            the folder the process stands in.

    Raises:
        NoRepository: There is no git repository.
    """

    def __init__(self, tracking_uri: str | os.PathLike[str] | None = None) -> None:
        path = tracking_uri or config.environment().tracking_uri
        self.repository = Repository.open(resolve_path(path) if path else None)
        self._artifacts = RunArtifacts(self.repository)

    # Experiments ---------------------------------------------------------------------------------

    def create_experiment(self, name: str, tags: Mapping[str, Any] | None = None) -> str:
        """Create an experiment and return its id.

        Raises:
            AlreadyExists: The name is taken.
            InvalidInput: The name cannot be used.
        """
        checked = _experiment_name(name)
        if self.get_experiment_by_name(checked):  # also one that was renamed to this name
            raise AlreadyExists(
                f"Experiment {checked!r:.80} already exists.",
                hint="Use `set_experiment`, or choose another name.",
            )
        return self.repository.experiments.create(checked, _tags(tags))

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Get an experiment by id.

        Raises:
            NotFound: There is none.
        """
        experiment = self.repository.index().experiment(str(experiment_id))
        if experiment is None:
            raise NotFound(
                f"No experiment with id {str(experiment_id)!r:.80}.",
                hint="See `gitml experiments list`.",
            )
        return experiment

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Get an experiment by name, also a deleted one; None if there is none."""
        # Most experiments bear the name they were created with: no index is needed for these.
        direct = self.repository.experiments.created_as(name)
        return direct or self.repository.index().experiment_by_name(name)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
    ) -> list[Experiment]:
        """List experiments; newest first unless ``order_by`` says otherwise."""
        return self.repository.index().search_experiments(
            view_type=ViewType(view_type),
            filter_string=filter_string or "",
            order_by=list(order_by or ()),
            max_results=max_results,
        )

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name; its id stays."""
        self._edit_experiment(experiment_id, experiments.renamed(new_name), "renamed")

    def delete_experiment(self, experiment_id: str) -> None:
        """Hide an experiment; ``restore_experiment`` brings it back."""
        self._edit_experiment(
            experiment_id, experiments.moved_to(LifecycleStage.DELETED), "deleted"
        )

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back."""
        change = experiments.moved_to(LifecycleStage.ACTIVE)
        self._edit_experiment(experiment_id, change, "restored")

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag on an experiment."""
        self._edit_experiment(experiment_id, experiments.tagged(_tags({key: value})), "tagged")

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag from an experiment."""
        self._edit_experiment(experiment_id, experiments.tagged({key: None}), "untagged")

    def _edit_experiment(self, experiment_id: str, change: experiments.Edit, what: str) -> None:
        self.repository.experiments.edit(str(experiment_id), change, what)

    # Runs ----------------------------------------------------------------------------------------

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: Mapping[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Begin a run, which lasts until ``set_terminated``.

        Args:
            experiment_id: An experiment that is not deleted.
            start_time: ms since the Unix epoch; default now.
            tags: First tags.
            run_name: Its name; default a random one.

        Raises:
            NotFound: There is no such experiment.
            InvalidInput: The experiment is deleted, or a value cannot be used.
        """
        record = self.repository.experiments.read(str(experiment_id))
        if record is None:
            raise NotFound(
                f"No experiment with id {str(experiment_id)!r:.80}.",
                hint="See `gitml experiments list`.",
            )
        if record.experiment.lifecycle_stage == LifecycleStage.DELETED:
            raise InvalidInput(
                f"Experiment {record.experiment.name!r:.80} is deleted.",
                hint="Restore it with `restore_experiment`, or choose another.",
            )
        checked = _tags(tags)
        name = validation.run_name(run_name or checked.get(RUN_NAME_TAG) or random_name())
        user = checked.get(USER_TAG) or self.repository.git.identity.name
        start = config.now_ms() if start_time is None else int(start_time)
        labels = {USER_TAG: user, **checked, RUN_NAME_TAG: name}
        experiment = record.experiment.experiment_id
        _, run = self.repository.runs.start(experiment, name, user, start, labels)
        return run

    def get_run(self, run_id: str) -> Run:
        """Get a run, in progress or ended.

        Raises:
            NotFound: There is none.
        """
        if self.repository.runs.writer(run_id):
            return self.repository.files(run_id).record.run
        run = self.repository.index().get_run(run_records.check_run_id(run_id))
        if run is None:
            raise NotFound(f"No run {run_id}.", hint="See `gitml runs list`.")
        return run

    def get_parent_run(self, run_id: str) -> Run | None:
        """Get the run that a nested run belongs to; None for a run that is not nested."""
        parent = self.get_run(run_id).parent_run_id
        return self.get_run(parent) if parent else None

    def set_terminated(
        self, run_id: str, status: str | None = None, end_time: int | None = None
    ) -> None:
        """End a run; on return it is committed to the branch.

        Args:
            run_id: The run.
            status: ``FINISHED`` (default), ``FAILED`` or ``KILLED``.
            end_time: ms since the Unix epoch; default now.

        Raises:
            InvalidInput: An unknown status.
        """
        ending = _status(status or RunStatus.FINISHED)
        ended = config.now_ms() if end_time is None else int(end_time)
        if self.repository.writer(run_id):
            self.repository.runs.end(run_id, ending, ended)
        else:
            self._write(run_id, lambda now: [["status", ending, ended, now]])

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change a run's status or name."""
        if name is not None:
            self.set_tag(run_id, RUN_NAME_TAG, validation.run_name(name))
        if status is not None:
            checked = _status(status)
            if RunStatus.is_terminated(checked):
                self.set_terminated(run_id, checked)
            else:
                self._write(run_id, lambda now: [["status", checked, None, now]])

    def delete_run(self, run_id: str) -> None:
        """Hide a run; ``restore_run`` brings it back."""
        self._move(run_id, LifecycleStage.DELETED)

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self._move(run_id, LifecycleStage.ACTIVE)

    def _move(self, run_id: str, stage: LifecycleStage) -> None:
        self._write(run_id, lambda now: [["lifecycle", stage, now]], deleted_too=True)

    def search_runs(
        self,
        experiment_ids: Sequence[str] | None,
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Search runs with MLflow's filter language.

        Args:
            experiment_ids: Where to search; None for everywhere.
            filter_string: Such as ``metrics.rmse < 3.5 and params.model = 'tree'``.
            run_view_type: Active runs, deleted ones, or both.
            max_results: 1 to 50,000.
            order_by: Such as ``["metrics.rmse ASC"]``.
            page_token: The ``token`` of the page before.

        Returns:
            A list of runs with the attribute ``token``, None on the last page.

        Raises:
            InvalidInput: The filter or the order cannot be understood.
        """
        from gitml.query.filters import RunQuery

        page = self.repository.index().search_runs(
            RunQuery(
                experiment_ids=None if experiment_ids is None else tuple(map(str, experiment_ids)),
                filter_string=filter_string or "",
                run_view_type=ViewType(run_view_type),
                max_results=max_results,
                order_by=(order_by,) if isinstance(order_by, str) else tuple(order_by or ()),
                page_token=page_token,
            )
        )
        return PagedList(page.runs, page.token)

    # Logging -------------------------------------------------------------------------------------

    def log_param(self, run_id: str, key: str, value: Any) -> Any:
        """Log a param.

        Returns:
            ``value``.

        Raises:
            InvalidInput: It was logged with another value.
        """
        self.log_batch(run_id, params=[Param(key=key, value=value)])
        return value

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
    ) -> None:
        """Log a point of a metric; ``timestamp`` in ms since the Unix epoch, default now."""
        stamp = validation.timestamp(key, timestamp)
        number = validation.step(key, step)
        self.log_batch(run_id, metrics=[Metric(key=key, value=value, timestamp=stamp, step=number)])

    def set_tag(self, run_id: str, key: str, value: Any) -> None:
        """Set a tag on a run."""
        self.log_batch(run_id, tags=[RunTag(key=key, value=value)])

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag from a run.

        Raises:
            NotFound: It has no such tag.
        """
        if key not in self.get_run(run_id).data.tags:
            raise NotFound(f"Run {run_id} has no tag {key!r:.80}.")
        self._write(run_id, lambda now: [["untag", key, now]])

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """Log many things at once: all of them, or none if one cannot be used."""
        points = [
            ["metric", validation.key(m.key, "Metric"),
             canonical.number_out(validation.metric_value(m.key, m.value)),
             validation.step(m.key, m.step), validation.timestamp(m.key, m.timestamp)]
            for m in metrics
        ]  # fmt: skip
        pairs: dict[str, str] = {}
        for param in params:
            key = validation.key(param.key, "Param")
            value = validation.param_value(key, param.value)
            if pairs.setdefault(key, value) != value:
                raise InvalidInput(f"Param {key!r} has two different values in one batch.")
        labels = _tags({tag.key: tag.value for tag in tags})

        def make(now: int) -> list[Op]:
            return [*points, *(["tag", key, value, now] for key, value in labels.items())]

        self._write(run_id, make, params=pairs)

    def log_inputs(self, run_id: str, datasets: Iterable[Dataset]) -> None:
        """Record the datasets that a run read."""
        ops = [["input", dict(dataset)] for dataset in datasets]
        self._write(run_id, lambda now: ops)

    def record_model(self, run_id: str, model: LoggedModelInfo) -> None:
        """Record that a folder of a run's artifacts is a model."""
        self._write(run_id, lambda now: [["model", dict(model)]])

    def _write(
        self,
        run_id: str,
        make: Callable[[int], Sequence[Op]],
        *,
        params: Mapping[str, str] | None = None,
        deleted_too: bool = False,
    ) -> None:
        writer = self.repository.writer(run_id)
        if writer:
            writer.log_params(params or {})
            for op in make(writer.now()):
                writer.journal.append(op)
            return

        def edit(files: RunFiles, now: int) -> list[Op]:
            if files.record.run.info.lifecycle_stage == LifecycleStage.DELETED and not deleted_too:
                raise InvalidInput(
                    f"Run {run_id} is deleted.", hint="Restore it with `restore_run` first."
                )
            refuse_changes(files.record.run.data.params, params or {})
            logged = [["param", key, value, now] for key, value in (params or {}).items()]
            return [*logged, *make(now)]

        self.repository.runs.edit(run_id, self.repository.experiment_of(run_id), edit)

    # Metrics -------------------------------------------------------------------------------------

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Read all points of a metric, ordered by time, step and value; empty if there is none."""
        return [point for point in self.repository.files(run_id).history if point.key == key]

    # Artifacts -----------------------------------------------------------------------------------

    def log_artifact(
        self, run_id: str, local_path: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Copy a file or a folder into a run's artifacts.

        Raises:
            InvalidInput: There is no such file, or the artifact path leaves the run.
        """
        source = Path(local_path)
        folder = validation.artifact_path(artifact_path)
        target = validation.artifact_file(f"{folder}/{source.name}" if folder else source.name)
        if not source.exists():
            raise InvalidInput(f"No file or folder {os.fspath(local_path)!r} to log.")
        self._artifacts.copy_in(run_id, source, target)

    def log_artifacts(
        self, run_id: str, local_dir: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Copy the contents of a folder into a run's artifacts."""
        source = Path(local_dir)
        target = validation.artifact_path(artifact_path)
        if not source.is_dir():
            raise InvalidInput(f"No folder {os.fspath(local_dir)!r} to log.")
        self._artifacts.copy_in(run_id, source, target)

    def write_artifact(
        self, run_id: str, artifact_file: str, write: Callable[[Path], None]
    ) -> None:
        """Make an artifact file in place.

        Args:
            run_id: The run.
            artifact_file: Path below its artifacts.
            write: Given the path to write to.
        """
        target = validation.artifact_file(artifact_file)
        with self._artifacts.staging(run_id) as staged:
            (staged / target).parent.mkdir(parents=True, exist_ok=True)
            write(staged / target)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Log a text as a file."""
        self.write_artifact(run_id, artifact_file, artifact_writers.text(text))

    def log_dict(self, run_id: str, dictionary: Any, artifact_file: str) -> None:
        """Log a dictionary as JSON, or as YAML where the file's name ends in .yaml or .yml."""
        self.write_artifact(run_id, artifact_file, artifact_writers.dictionary(dictionary))

    def log_figure(
        self, run_id: str, figure: Any, artifact_file: str, *, save_kwargs: Any = None
    ) -> None:
        """Log a matplotlib or plotly figure."""
        self.write_artifact(
            run_id, artifact_file, artifact_writers.figure(figure, save_kwargs or {})
        )

    def log_image(self, run_id: str, image: Any, artifact_file: str) -> None:
        """Log an image: a PIL image or a numpy array of shape (h, w), (h, w, 1), (…, 3), (…, 4)."""
        self.write_artifact(run_id, artifact_file, artifact_writers.image(image))

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Log a table, a DataFrame or a dict of columns; rows are added to an existing one."""
        before = self._artifacts.read(run_id, validation.artifact_file(artifact_file))
        self.write_artifact(run_id, artifact_file, artifact_writers.table(data, before))

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """List a folder of a run's artifacts, as MLflow does: one level, paths from the root."""
        where = validation.artifact_path(path)
        return manifest.listing(self.repository.files(run_id).artifacts, where)

    def download_artifacts(
        self, run_id: str, path: str, dst_path: str | os.PathLike[str] | None = None
    ) -> str:
        """Fetch a file or folder of a run's artifacts.

        Args:
            run_id: The run.
            path: Path below its artifacts, ``""`` for all.
            dst_path: Folder to put it into; default a new temporary folder.

        Returns:
            Where the file or folder now is.

        Raises:
            NotFound: The run has no such artifact.
            ArtifactError: Its bytes cannot be had.
        """
        where = validation.artifact_path(path)
        target = Path(dst_path or tempfile.mkdtemp(prefix="gitml-"))
        self._artifacts.copy_out(run_id, where, target)
        return str(target / where) if where else str(target)


def _tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    checked = {}
    for name, value in (tags or {}).items():
        key = validation.key(name, "Tag")
        checked[key] = validation.tag_value(key, value)
        if key == RUN_NAME_TAG:
            validation.run_name(checked[key])
    return checked


def _experiment_name(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidInput(f"The name of an experiment must be a string, not {name!r:.80}.")
    return name


def _status(status: str) -> str:
    if status not in list(RunStatus):
        raise InvalidInput(
            f"{status!r:.40} is not a valid run status.", hint=f"Use one of {', '.join(RunStatus)}."
        )
    return str(status)
