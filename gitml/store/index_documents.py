"""Hides how the index keeps runs and experiments, so that 10,000 of them load in a moment.

A document is a JSON array in the order of the fields below, already checked when it was made. It
never leaves the index, whose schema number covers it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gitml.entities import (
    Dataset,
    Experiment,
    LoggedModelInfo,
    MetricSummary,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Source,
)

_NO_INPUTS = RunInputs()
_NO_OUTPUTS = RunOutputs()
_BLOCK = 500
_COMPACT = json.JSONEncoder(separators=(",", ":"))


def run_to_document(run: Run) -> str:
    """Format a run; NaN and infinities as Python's ``json`` writes them."""
    info, source = run.info, run.source
    return _COMPACT.encode(
        [
            info.run_id,
            info.experiment_id,
            info.run_name,
            info.user_id,
            info.status,
            info.start_time,
            info.end_time,
            info.lifecycle_stage,
            dict(run.data.params),
            dict(run.data.tags),
            {
                key: [s.last, s.step, s.timestamp, s.min, s.max, s.count]
                for key, s in run.data.summaries.items()
            },
            [
                [d.name, d.digest, d.source_type, d.source, d.schema, d.profile, d.context]
                for d in run.inputs.dataset_inputs
            ],
            [
                [m.path, list(m.flavors), m.utc_time_created, m.model_uuid]
                for m in run.outputs.model_outputs
            ],
            [
                source.type,
                source.name,
                list(source.command),
                source.commit,
                source.branch,
                source.remote,
                source.dirty,
                source.python,
            ],
            {key: list(values) for key, values in run.conflicts.items()},
        ]
    )


def runs_from_documents(texts: Sequence[str]) -> list[Run]:
    """Read many runs; some hundred at a time, so that they share the texts of their keys."""
    blocks = (texts[at : at + _BLOCK] for at in range(0, len(texts), _BLOCK))
    return [_run(values) for block in blocks for values in json.loads(f"[{','.join(block)}]")]


def run_from_document(text: str) -> Run:
    """Read a run; the inverse of ``run_to_document``."""
    return _run(json.loads(text))


def _run(document: list[Any]) -> Run:
    (
        run_id, experiment_id, run_name, user_id, status, start_time, end_time, stage,
        params, tags, metrics, datasets, models, source, conflicts,
    ) = document  # fmt: skip
    return Run(
        info=RunInfo(
            run_id=run_id,
            experiment_id=experiment_id,
            run_name=run_name,
            user_id=user_id,
            status=status,
            start_time=start_time,
            end_time=end_time,
            lifecycle_stage=stage,
        ),
        data=RunData(
            metrics={key: values[0] for key, values in metrics.items()},
            params=params,
            tags=tags,
            summaries={key: _summary(values) for key, values in metrics.items()},
        ),
        inputs=RunInputs(dataset_inputs=tuple(map(_dataset, datasets))) if datasets else _NO_INPUTS,
        outputs=RunOutputs(model_outputs=tuple(map(_model, models))) if models else _NO_OUTPUTS,
        source=_source(source),
        conflicts={key: tuple(values) for key, values in conflicts.items()},
    )


def _summary(values: list[int | float]) -> MetricSummary:
    last, step, timestamp, low, high, count = values
    return MetricSummary(
        last=last, step=int(step), timestamp=int(timestamp), min=low, max=high, count=int(count)
    )


def _dataset(values: list[str]) -> Dataset:
    name, digest, source_type, source, schema, profile, context = values
    return Dataset(
        name=name,
        digest=digest,
        source_type=source_type,
        source=source,
        schema=schema,
        profile=profile,
        context=context,
    )


def _model(values: list[str]) -> LoggedModelInfo:
    path, flavors, created, uuid = values
    return LoggedModelInfo(
        path=path, flavors=tuple(flavors), utc_time_created=created, model_uuid=uuid
    )


def _source(values: list[str]) -> Source:
    kind, name, command, commit, branch, remote, dirty, python = values
    return Source(
        type=kind,
        name=name,
        command=tuple(command),
        commit=commit,
        branch=branch,
        remote=remote,
        dirty=bool(dirty),
        python=python,
    )


def experiment_to_document(experiment: Experiment) -> str:
    """Format an experiment."""
    return json.dumps(
        {name: dict(value) if name == "tags" else value for name, value in experiment}
    )


def experiment_from_document(text: str) -> Experiment:
    """Read an experiment; the inverse of ``experiment_to_document``."""
    return Experiment(**json.loads(text))
