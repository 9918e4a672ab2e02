"""Join two versions of a record into one, without a common ancestor. Pure.

Every join is commutative, associative and idempotent, so clones converge in whatever order they
exchange. A mutable field carries the time of its last write in ``written``: the later one wins,
ties go to the greater canonical bytes. A tag that is named in ``written`` but absent was removed
at that time. Params and metric points are united; of two values of a param the earlier stays and
the other is listed under ``conflicts``. Artifacts are united by path, the later file wins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gitml.entities import (
    Artifact,
    Dataset,
    LoggedModelInfo,
    Run,
    RunData,
    RunInputs,
    RunOutputs,
)
from gitml.formats import metric_history
from gitml.formats.canonical import INT64
from gitml.formats.dvc_config import is_shared
from gitml.formats.run_records import ExperimentRecord, Record, RunFiles

_Item = TypeVar("_Item")


def join_runs(a: RunFiles, b: RunFiles) -> RunFiles:
    """Join two versions of one run."""
    history = metric_history.ordered([*a.history, *b.history])
    return RunFiles(
        record=_join_records(a.record, b.record, history),
        history=history,
        artifacts=_join_artifacts(a, b),
        patch=max(a.patch, b.patch),
        requirements=max(a.requirements, b.requirements),
        remote_config=join_remote_configs(a.remote_config, b.remote_config),
    )


def join_experiments(a: ExperimentRecord, b: ExperimentRecord) -> ExperimentRecord:
    """Join two versions of one experiment."""
    left, right = a.experiment, b.experiment
    experiment = replace(
        left,
        name=later("name", (left.name, a.written), (right.name, b.written)),
        lifecycle_stage=later(
            "lifecycle_stage", (left.lifecycle_stage, a.written), (right.lifecycle_stage, b.written)
        ),
        tags=join_tags((left.tags, a.written), (right.tags, b.written)),
        creation_time=min(left.creation_time, right.creation_time),
        last_update_time=max(left.last_update_time, right.last_update_time),
    )
    return ExperimentRecord(
        experiment=experiment,
        written=join_written(a.written, b.written),
        extra=join_extra(a.extra, b.extra),
    )


def _join_records(a: Record, b: Record, history: Iterable[Any]) -> Record:
    left, right = a.run, b.run
    status, end_time = later(
        "status",
        ((left.info.status, left.info.end_time), a.written),
        ((right.info.status, right.info.end_time), b.written),
    )
    params, conflicts = _join_params(a, b)
    summaries = metric_history.summarize(history)
    info = replace(
        left.info,
        run_name=later(
            "run_name", (left.info.run_name, a.written), (right.info.run_name, b.written)
        ),
        status=status,
        end_time=end_time,
        lifecycle_stage=later(
            "lifecycle_stage",
            (left.info.lifecycle_stage, a.written),
            (right.info.lifecycle_stage, b.written),
        ),
        start_time=min(left.info.start_time, right.info.start_time),
        user_id=max(left.info.user_id, right.info.user_id),
    )
    run = Run(
        info=info,
        data=RunData(
            metrics={key: summary.last for key, summary in summaries.items()},
            params=params,
            tags=join_tags((left.data.tags, a.written), (right.data.tags, b.written)),
            summaries=summaries,
        ),
        inputs=RunInputs(
            dataset_inputs=_unite(
                (*left.inputs.dataset_inputs, *right.inputs.dataset_inputs), _dataset_key
            )
        ),
        outputs=RunOutputs(
            model_outputs=_unite(
                (*left.outputs.model_outputs, *right.outputs.model_outputs), _model_key
            )
        ),
        source=max(left.source, right.source, key=lambda source: _bytes(dict(source))),
        conflicts=conflicts,
    )
    return Record(
        run=run, written=_join_run_written(a, b, params), extra=join_extra(a.extra, b.extra)
    )


def _join_params(a: Record, b: Record) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    params: dict[str, str] = {}
    conflicts: dict[str, tuple[str, ...]] = {}
    for key in {**a.run.data.params, **b.run.data.params}:
        name = f"params.{key}"
        values = [(_param_time(r, key), r.run.data.params[key])
                  for r in (a, b) if key in r.run.data.params]  # fmt: skip
        params[key] = min(values)[1]
        others = {value for _, value in values}.union(
            *(r.run.conflicts.get(name, ()) for r in (a, b))
        ) - {params[key]}
        if others:
            conflicts[name] = tuple(sorted(others))
    return params, conflicts


def _param_time(record: Record, key: str) -> int:
    """Return when a param was logged; those of a run's first session count from its start."""
    return record.written.get(f"params.{key}", record.run.info.start_time)


def _join_run_written(a: Record, b: Record, params: Mapping[str, str]) -> dict[str, int]:
    written = join_written(a.written, b.written)
    for key, value in params.items():
        times = [_param_time(r, key) for r in (a, b) if r.run.data.params.get(key) == value]
        if f"params.{key}" in written and times:
            written[f"params.{key}"] = min(times)
    return written


def _join_artifacts(a: RunFiles, b: RunFiles) -> tuple[Artifact, ...]:
    def rank(item: tuple[Artifact, Mapping[str, int]]) -> tuple[int, str, int]:
        artifact, written = item
        return written.get(f"artifacts.{artifact.path}", 0), artifact.md5, artifact.size

    best: dict[str, tuple[Artifact, Mapping[str, int]]] = {}
    for files in (a, b):
        for artifact in files.artifacts:
            item = (artifact, files.record.written)
            other = best.get(artifact.path)
            best[artifact.path] = item if other is None else max(other, item, key=rank)
    return tuple(best[path][0] for path in sorted(best))


# Parts shared with the records of models ---------------------------------------------------------


def write_time(written: Mapping[str, int], now: int) -> int:
    """Return the time of a write made at ``now``, ms since the Unix epoch.

    It is later than every write that a record knows, whatever clock made them; so the newest write
    wins, also where a machine's clock is set back, or that of another one runs years ahead.
    """
    return min(max(now, max(written.values(), default=-1) + 1), INT64 - 1)


def join_written(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Return the later time of each field."""
    return {key: max(a.get(key, b.get(key, 0)), b.get(key, a.get(key, 0))) for key in {**a, **b}}


def join_tags(
    a: tuple[Mapping[str, str], Mapping[str, int]], b: tuple[Mapping[str, str], Mapping[str, int]]
) -> dict[str, str]:
    """Join two sets of tags, each with its ``written`` map; a removed tag stays removed."""
    tags: dict[str, str] = {}
    for key in {**a[0], **b[0]}:
        name = f"tags.{key}"
        value = later(name, (a[0].get(key), a[1]), (b[0].get(key), b[1]))
        if value is not None:
            tags[key] = value
    return tags


def join_extra(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Join fields that this version does not know: the greater bytes win."""
    return {
        key: max((side[key] for side in (a, b) if key in side), key=_bytes) for key in {**a, **b}
    }


def join_remote_configs(a: bytes, b: bytes) -> bytes:
    """Join two ``.dvc/config`` files; a shared remote beats a clone's own folder."""
    return max(a, b, key=lambda text: (bool(text), is_shared(text), text))


def later(name: str, a: tuple[Any, Mapping[str, int]], b: tuple[Any, Mapping[str, int]]) -> Any:
    """Return the value of a field that was written later; an absent one (None) loses a tie.

    Args:
        name: The field in ``written``.
        a: A value and the ``written`` map of its record.
        b: The other value and its map.
    """

    def rank(side: tuple[Any, Mapping[str, int]]) -> tuple[int, bool, bytes]:
        return side[1].get(name, -1), side[0] is not None, _bytes(side[0])

    return max(a, b, key=rank)[0]


def _unite(items: Iterable[_Item], key: Callable[[_Item], Any]) -> tuple[_Item, ...]:
    best: dict[Any, _Item] = {}
    for item in items:
        name = key(item)
        rivals = [item, best[name]] if name in best else [item]
        best[name] = max(rivals, key=lambda rival: _bytes(dict(rival)))  # type: ignore[call-overload]
    return tuple(best[name] for name in sorted(best))


def _dataset_key(dataset: Dataset) -> tuple[str, str, str]:
    return dataset.name, dataset.digest, dataset.context


def _model_key(model: LoggedModelInfo) -> str:
    return model.path


def _bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
