"""Convert runs and experiments to the documents of the index: 10,000 of them load in a moment.

A document is a JSON array in the order of the fields below, already checked when it was made. It
never leaves the index, whose schema number covers it.
"""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from functools import lru_cache
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
            {key: _values(summary) for key, summary in run.data.summaries.items()},
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
    """Read many runs; some hundreds at a time, so that they share the strings of their keys."""
    blocks = (texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK))
    return [_run(values) for block in blocks for values in json.loads(f"[{','.join(block)}]")]


def run_from_document(text: str) -> Run:
    """Read a run, as ``run_to_document`` formats it."""
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
            summaries=_Summaries(metrics),
        ),
        inputs=RunInputs(dataset_inputs=tuple(map(_dataset, datasets))) if datasets else _NO_INPUTS,
        outputs=RunOutputs(model_outputs=tuple(map(_model, models))) if models else _NO_OUTPUTS,
        source=_source(*source[:2], tuple(source[2]), *source[3:]),
        conflicts={key: tuple(values) for key, values in conflicts.items()},
    )


class _Summaries(Mapping[str, MetricSummary]):
    """Summaries of metrics, built at their first use, because few readers of a run need them."""

    __slots__ = ("_built", "_values")

    def __init__(self, values: Mapping[str, list[Any]]) -> None:
        self._values = values
        self._built: dict[str, MetricSummary] | None = None

    def _all(self) -> dict[str, MetricSummary]:
        if self._built is None:
            self._built = {key: _summary(*values) for key, values in self._values.items()}
        return self._built

    def __getitem__(self, key: str) -> MetricSummary:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[str, MetricSummary]:
        return self._all().items()

    def values(self) -> ValuesView[MetricSummary]:
        return self._all().values()

    def __repr__(self) -> str:
        return repr(self._all())


def _summary(
    last: float,
    step: int,
    timestamp: int,
    low: float | None = None,
    high: float | None = None,
    count: int = 1,
) -> MetricSummary:
    low, high = (last, last) if low is None or high is None else (low, high)
    return MetricSummary(last=last, step=step, timestamp=timestamp, min=low, max=high, count=count)


def _values(s: MetricSummary) -> list[float]:
    """Format a summary; that of one point in short."""
    if s.count == 1 and s.last == s.min == s.max:
        return [s.last, s.step, s.timestamp]
    return [s.last, s.step, s.timestamp, s.min, s.max, s.count]


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


@lru_cache(maxsize=1_000)  # many runs have the same
def _source(
    kind: str,
    name: str,
    command: tuple[str, ...],
    commit: str | None,
    branch: str | None,
    remote: str | None,
    dirty: bool,
    python: str,
) -> Source:
    return Source(
        type=kind,
        name=name,
        command=command,
        commit=commit,
        branch=branch,
        remote=remote,
        dirty=dirty,
        python=python,
    )


def experiment_to_document(experiment: Experiment) -> str:
    """Format an experiment."""
    return json.dumps(
        {name: dict(value) if name == "tags" else value for name, value in experiment}
    )


def experiment_from_document(text: str) -> Experiment:
    """Read an experiment, as ``experiment_to_document`` formats it."""
    return Experiment(**json.loads(text))
