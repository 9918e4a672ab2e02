"""Hides how two versions of a record become one: pure joins, without a common ancestor.

Every join is commutative, associative and idempotent, so clones converge in whatever order they
exchange. A mutable field carries the time of its last write in ``written``: the later one wins,
ties go to the greater canonical bytes. A tag that is named in ``written`` but absent was removed
then. Params and metric points are united; of two values of one param the earlier stays and the
other is listed under ``conflicts``. Artifacts are united by path, the later file wins.
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
from gitml.formats.dvc_config import names_clone_folder
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
    one, other = a.experiment, b.experiment
    experiment = replace(
        one,
        name=_later("name", (one.name, a.written), (other.name, b.written)),
        lifecycle_stage=_later(
            "lifecycle_stage", (one.lifecycle_stage, a.written), (other.lifecycle_stage, b.written)
        ),
        tags=join_tags((one.tags, a.written), (other.tags, b.written)),
        creation_time=min(one.creation_time, other.creation_time),
        last_update_time=max(one.last_update_time, other.last_update_time),
    )
    return ExperimentRecord(
        experiment=experiment,
        written=join_written(a.written, b.written),
        extra=join_extra(a.extra, b.extra),
    )


def _join_records(a: Record, b: Record, history: Iterable[Any]) -> Record:
    one, other = a.run, b.run
    status, end_time = _later(
        "status",
        ((one.info.status, one.info.end_time), a.written),
        ((other.info.status, other.info.end_time), b.written),
    )
    params, conflicts = _join_params(a, b)
    summaries = metric_history.summarize(history)
    info = replace(
        one.info,
        run_name=_later(
            "run_name", (one.info.run_name, a.written), (other.info.run_name, b.written)
        ),
        status=status,
        end_time=end_time,
        lifecycle_stage=_later(
            "lifecycle_stage",
            (one.info.lifecycle_stage, a.written),
            (other.info.lifecycle_stage, b.written),
        ),
        start_time=min(one.info.start_time, other.info.start_time),
        user_id=max(one.info.user_id, other.info.user_id),
    )
    run = Run(
        info=info,
        data=RunData(
            metrics={key: summary.last for key, summary in summaries.items()},
            params=params,
            tags=join_tags((one.data.tags, a.written), (other.data.tags, b.written)),
            summaries=summaries,
        ),
        inputs=RunInputs(
            dataset_inputs=_unite(
                (*one.inputs.dataset_inputs, *other.inputs.dataset_inputs), _dataset_key
            )
        ),
        outputs=RunOutputs(
            model_outputs=_unite(
                (*one.outputs.model_outputs, *other.outputs.model_outputs), _model_key
            )
        ),
        source=max(one.source, other.source, key=lambda source: _bytes(dict(source))),
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
        found = [(_param_time(r, key), r.run.data.params[key])
                 for r in (a, b) if key in r.run.data.params]  # fmt: skip
        params[key] = min(found)[1]
        lost = {value for _, value in found}.union(
            *(r.run.conflicts.get(name, ()) for r in (a, b))
        ) - {params[key]}
        if lost:
            conflicts[name] = tuple(sorted(lost))
    return params, conflicts


def _param_time(record: Record, key: str) -> int:
    """When a param was logged; those of a run's first session count from its start."""
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
            known = best.get(artifact.path)
            best[artifact.path] = item if known is None else max(known, item, key=rank)
    return tuple(best[path][0] for path in sorted(best))


# Parts shared with the records of models ---------------------------------------------------------


def join_written(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """The later time of each field."""
    return {key: max(a.get(key, b.get(key, 0)), b.get(key, a.get(key, 0))) for key in {**a, **b}}


def join_tags(
    a: tuple[Mapping[str, str], Mapping[str, int]], b: tuple[Mapping[str, str], Mapping[str, int]]
) -> dict[str, str]:
    """Join two sets of tags, each with its ``written`` map; a removed tag stays removed."""
    tags: dict[str, str] = {}
    for key in {**a[0], **b[0]}:
        name = f"tags.{key}"
        value = _later(name, (a[0].get(key), a[1]), (b[0].get(key), b[1]))
        if value is not None:
            tags[key] = value
    return tags


def join_extra(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Join fields that this version does not know: the greater bytes win."""
    return {
        key: max((side[key] for side in (a, b) if key in side), key=_bytes) for key in {**a, **b}
    }


def join_remote_configs(a: bytes, b: bytes) -> bytes:
    """Of two ``.dvc/config`` files, one of a shared remote beats one of a clone's own folder."""
    return max(a, b, key=lambda text: (bool(text), not names_clone_folder(text), text))


def _later(name: str, a: tuple[Any, Mapping[str, int]], b: tuple[Any, Mapping[str, int]]) -> Any:
    """The value that was written later; an absent value (None) loses a tie."""

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
