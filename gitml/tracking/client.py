"""The tracking half of ``MlflowClient``: explicit run ids, no active run."""

from __future__ import annotations

import os
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
from gitml.errors import AlreadyExists, NotFound
from gitml.formats import manifest, run_records
from gitml.repository import Repository, resolve_path
from gitml.store import experiments
from gitml.store.in_progress.fold import RUN_NAME_TAG
from gitml.tracking import artifact_files, code_capture, new_runs, validation
from gitml.tracking.run_artifacts import RunArtifacts
from gitml.tracking.run_edits import RunEdits

NOTE_TAG = "mlflow.note.content"
PARENT_TAG = "mlflow.parentRunId"
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
        self._edits = RunEdits(self.repository)

    # Experiments ---------------------------------------------------------------------------------

    def create_experiment(self, name: str, tags: Mapping[str, Any] | None = None) -> str:
        """Create an experiment and return its id.

        Raises:
            AlreadyExists: The name is taken.
            InvalidInput: The name cannot be used.
        """
        checked = validation.experiment_name(name)
        if self.get_experiment_by_name(checked):  # also one that was renamed to this name
            raise AlreadyExists(
                f"Experiment {checked!r:.80} already exists.",
                hint="Use `set_experiment`, or choose another name.",
            )
        return self.repository.experiments.create(checked, validation.tags(tags))

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Get an experiment by id.

        Raises:
            NotFound: There is none.
        """
        experiment = self.repository.index().experiment(str(experiment_id))
        if experiment is None:
            raise new_runs.no_experiment(str(experiment_id))
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
        """Rename an experiment; its id stays."""
        self._edit_experiment(experiment_id, experiments.renamed(new_name), "renamed")

    def delete_experiment(self, experiment_id: str) -> None:
        """Hide an experiment; ``restore_experiment`` brings it back."""
        change = experiments.moved_to(LifecycleStage.DELETED)
        self._edit_experiment(experiment_id, change, "deleted")

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back."""
        change = experiments.moved_to(LifecycleStage.ACTIVE)
        self._edit_experiment(experiment_id, change, "restored")

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag on an experiment."""
        self._edit_experiment(
            experiment_id, experiments.tagged(validation.tags({key: value})), "tagged"
        )

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
        return new_runs.create_run(
            self.repository, str(experiment_id), start_time=start_time, tags=tags, name=run_name
        )

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
        ending = validation.status(status or RunStatus.FINISHED)
        ended = None if end_time is None else int(end_time)
        if self.repository.writer(run_id):
            self.repository.runs.end(run_id, ending, ended)
        else:
            self._edits.write(run_id, lambda now: [["status", ending, ended, now]])

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change a run's status or name."""
        if name is not None:
            self.set_tag(run_id, RUN_NAME_TAG, validation.run_name(name))
        if status is not None:
            checked = validation.status(status)
            if RunStatus.is_terminated(checked):
                self.set_terminated(run_id, checked)
            else:
                self._edits.write(run_id, lambda now: [["status", checked, None, now]])

    def delete_run(self, run_id: str) -> None:
        """Hide a run; ``restore_run`` brings it back."""
        self._move(run_id, LifecycleStage.DELETED)

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self._move(run_id, LifecycleStage.ACTIVE)

    def _move(self, run_id: str, stage: LifecycleStage) -> None:
        self._edits.write(run_id, lambda now: [["lifecycle", stage, now]], deleted_too=True)

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
        self._edits.log(run_id, [(key, value, step, timestamp)])

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
        self._edits.write(run_id, lambda now: [["untag", key, now]])

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """Log many things at once: all of them, or none if one cannot be used."""
        points = [(point.key, point.value, point.step, point.timestamp) for point in metrics]
        self._edits.log(run_id, points, params, {tag.key: tag.value for tag in tags})

    def log_inputs(self, run_id: str, datasets: Iterable[Dataset]) -> None:
        """Record the datasets that a run read."""
        ops = [["input", code_capture.input_of(self.repository.git, item)] for item in datasets]
        self._edits.write(run_id, lambda now: ops)

    def record_model(self, run_id: str, model: LoggedModelInfo) -> None:
        """Record that a folder of a run's artifacts is a model."""
        self._edits.write(run_id, lambda now: [["model", dict(model)]])

    # Metrics -------------------------------------------------------------------------------------

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Read all points of a metric, by time and step and then as they were logged."""
        return self.repository.history(run_id, key)

    # Artifacts -----------------------------------------------------------------------------------

    def log_artifact(
        self, run_id: str, local_path: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Copy a file or a folder into a run's artifacts.

        Raises:
            InvalidInput: There is no such file, or the artifact path leaves the run.
        """
        self._artifacts.add(run_id, Path(local_path), artifact_path)

    def log_artifacts(
        self, run_id: str, local_dir: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Copy the contents of a folder into a run's artifacts."""
        self._artifacts.add_contents(run_id, Path(local_dir), artifact_path)

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
        self.write_artifact(run_id, artifact_file, artifact_files.text(text))

    def log_dict(self, run_id: str, dictionary: Any, artifact_file: str) -> None:
        """Log a dictionary as JSON, or as YAML where the file's name ends in .yaml or .yml."""
        self.write_artifact(run_id, artifact_file, artifact_files.dictionary(dictionary))

    def log_figure(
        self, run_id: str, figure: Any, artifact_file: str, *, save_kwargs: Any = None
    ) -> None:
        """Log a matplotlib or plotly figure."""
        self.write_artifact(run_id, artifact_file, artifact_files.figure(figure, save_kwargs or {}))

    def log_image(self, run_id: str, image: Any, artifact_file: str) -> None:
        """Log an image: a PIL image or a numpy array of shape (h, w), (h, w, 1), (…, 3), (…, 4)."""
        self.write_artifact(run_id, artifact_file, artifact_files.image(image))

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Log a table, a DataFrame or a dict of columns; rows are added to an existing one."""
        before = self._artifacts.read(run_id, validation.artifact_file(artifact_file))
        self.write_artifact(run_id, artifact_file, artifact_files.table(data, before))

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """List a folder of a run's artifacts, as MLflow does: one level, paths from the root."""
        folder = validation.recorded_path(path)
        return manifest.listing(self.repository.files(run_id).artifacts, folder)

    def download_artifacts(
        self, run_id: str, path: str, dst_path: str | os.PathLike[str] | None = None
    ) -> str:
        """Fetch a file or folder of a run's artifacts.

        Args:
            run_id: The run.
            path: Path below its artifacts, ``""`` for all.
            dst_path: Folder to put it into; default a new temporary folder.

        Returns:
            Local path of the file or folder.

        Raises:
            NotFound: The run has no such artifact.
            ArtifactError: Its content is not available.
        """
        return str(self._artifacts.download(run_id, path, dst_path))
