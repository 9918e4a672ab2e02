"""Write to a run: to its journal while it is in progress, else to its record on the branch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gitml.entities import LifecycleStage, Param
from gitml.errors import InvalidInput
from gitml.formats import canonical
from gitml.formats.run_records import RunFiles
from gitml.repository import Repository
from gitml.store.in_progress.fold import Op
from gitml.store.in_progress.writer import refuse_changes
from gitml.tracking import validation

Point = tuple[str, object, object, object]


class RunEdits:
    """Changes of the runs of a repository.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def log(
        self,
        run_id: str,
        points: Iterable[Point] = (),
        params: Sequence[Param] = (),
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Log metrics, params and tags: all of them, or none if one is not valid.

        Args:
            run_id: The run.
            points: Key, value, step and timestamp of metric points; see ``log_metric``.
            params: No key twice with different values.
            tags: Key to value.

        Raises:
            InvalidInput: A key or value is not valid, or a param has another value already.
        """
        checked = [
            (validation.key(key, "Metric"),
             canonical.number_out(validation.metric_value(key, value)),
             validation.step(key, step), validation.timestamp(key, timestamp))
            for key, value, step, timestamp in points
        ]  # fmt: skip
        values: dict[str, str] = {}
        for param in params:
            key = validation.key(param.key, "Param")
            value = validation.param_value(key, param.value)
            if values.setdefault(key, value) != value:
                raise InvalidInput(f"Param {key!r} has two different values in one batch.")
        labels = validation.tags(tags)

        def make(now: int) -> list[Op]:
            metrics = [
                ["metric", key, number, step, now if timestamp is None else timestamp]
                for key, number, step, timestamp in checked
            ]
            return [*metrics, *(["tag", key, value, now] for key, value in labels.items())]

        self.write(run_id, make, params=values)

    def write(
        self,
        run_id: str,
        make: Callable[[int], Sequence[Op]],
        *,
        params: Mapping[str, str] | None = None,
        deleted_too: bool = False,
    ) -> None:
        """Add operations to a run.

        Args:
            run_id: The run.
            make: Given the time of the change, in ms since the Unix epoch; returns operations.
            params: Params to log.
            deleted_too: Change a deleted run, too.

        Raises:
            InvalidInput: The run is deleted, or a param has another value already.
            NotFound: There is no such run.
        """
        writer = self._repository.writer(run_id)
        if writer:
            writer.write(make(writer.now()), params or {})
            return

        def edit(files: RunFiles, now: int) -> list[Op]:
            if files.record.run.info.lifecycle_stage == LifecycleStage.DELETED and not deleted_too:
                raise InvalidInput(
                    f"Run {run_id} is deleted.", hint="Restore it with `restore_run` first."
                )
            refuse_changes(files.record.run.data.params, params or {})
            logged = [["param", key, value, now] for key, value in (params or {}).items()]
            return [*logged, *make(now)]

        self._repository.runs.edit(run_id, self._repository.experiment_of(run_id), edit)
