"""Read and write the records of runs and experiments, as FORMAT.md describes them. Pure.

A record may have been written by anybody who can push, so every field is checked before it becomes
a value, and fields that this version does not know are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from gitml.entities import (
    Artifact,
    Dataset,
    Experiment,
    LifecycleStage,
    LoggedModelInfo,
    Metric,
    MetricSummary,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
    Source,
)
from gitml.errors import InvalidInput, StoreError
from gitml.formats.canonical import (
    SCHEMA,
    Reader,
    dump,
    is_int64,
    load,
    number_in,
    number_out,
    unknown,
)
from gitml.text import short_repr

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_EXPERIMENT_ID = re.compile(r"(?!\.)[A-Za-z0-9_.%-]{1,128}")
_RUN_FIELDS = frozenset({
    "schema", "run_id", "experiment_id", "run_name", "user_id", "status", "lifecycle_stage",
    "start_time", "end_time", "source", "params", "metrics", "metric_stats", "tags", "inputs",
    "models", "parent_run_id", "written", "conflicts",
})  # fmt: skip
_EXPERIMENT_FIELDS = frozenset({
    "schema", "experiment_id", "name", "creation_time", "last_update_time", "lifecycle_stage",
    "tags", "written",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run's ``run.json``.

    Attributes:
        run: What readers see.
        written: Time of the last write of each mutable field (``run_name``, ``status``,
            ``lifecycle_stage``, ``tags.<key>``) and of each param or artifact added after the
            first session (``params.<key>``, ``artifacts.<path>``), ms since the Unix epoch. A tag
            that is listed here and absent from the run was removed at that time.
        extra: Fields of later versions, kept.
    """

    run: Run
    written: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRecord:
    """An experiment's file; ``written`` and ``extra`` as in ``Record``."""

    experiment: Experiment
    written: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """Everything a run's folder on the branch holds, except what is derived from it.

    Attributes:
        record: ``run.json``.
        history: ``metrics.jsonl``, sorted by (key, timestamp, step, value), without duplicates.
        artifacts: ``artifacts.json``, sorted by path.
        patch: ``source.patch``; empty when the code was clean.
        requirements: ``requirements.txt``.
        remote_config: ``.dvc/config`` of the run's DVC sub-repository.
    """

    record: Record
    history: tuple[Metric, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    patch: bytes = b""
    requirements: bytes = b""
    remote_config: bytes = b""

    @property
    def folder(self) -> str:
        """The run's folder on the branch."""
        info = self.record.run.info
        return run_folder(info.experiment_id, info.run_id)


# Names and paths --------------------------------------------------------------------------------


def experiment_id(name: str) -> str:
    """Derive an experiment's id from its name at creation: percent-encoded, never long.

    Raises:
        InvalidInput: The name is empty, blank, over 500 characters, or has control characters.
    """
    if not name.strip() or len(name) > 500 or re.search(r"[\x00-\x1f\x7f]", name):
        raise InvalidInput(
            f"Experiment name {short_repr(name)} cannot be used.",
            hint="Give 1 to 500 characters without line breaks or control characters.",
        )
    encoded = quote(name.encode("utf-8", "surrogatepass"), safe="").replace("~", "%7E")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) <= 100:
        return encoded
    import hashlib

    return f"{encoded[:80].rstrip('%')}-{hashlib.sha1(encoded.encode()).hexdigest()[:8]}"


def check_run_id(run_id: str) -> str:
    """Return a run id unchanged if it is one (32 hex digits).

    Raises:
        InvalidInput: It is not.
    """
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise InvalidInput(
            f"{short_repr(run_id)} is not a run id.", hint="A run id has 32 hexadecimal digits."
        )
    return run_id


def is_run_id(text: str) -> bool:
    """Return True if a text is a run id."""
    return _RUN_ID.fullmatch(text) is not None


def run_folder(experiment: str, run_id: str) -> str:
    """Return the path of a run's folder on the branch."""
    return f"runs/{experiment}/{run_id[:2]}/{run_id}"


def experiment_path(experiment: str) -> str:
    """Return the path of an experiment's file on the branch."""
    return f"experiments/{experiment}.json"


def parse_run_path(path: str) -> tuple[str, str, str] | None:
    """Split a path below ``runs/``.

    Returns:
        Experiment id, run id and the file's path inside the run's folder; None for any other path.
    """
    parts = path.split("/", 4)
    if len(parts) != 5 or parts[0] != "runs" or parts[2] != parts[3][:2]:
        return None
    if not _RUN_ID.fullmatch(parts[3]) or not _EXPERIMENT_ID.fullmatch(parts[1]):
        return None
    return parts[1], parts[3], parts[4]


def stats_out(summary: MetricSummary) -> dict[str, Any]:
    """Return a metric's entry below ``metric_stats``."""
    return {
        "count": summary.count,
        "max": number_out(summary.max),
        "min": number_out(summary.min),
        "step": summary.step,
        "timestamp": summary.timestamp,
    }


# Runs -------------------------------------------------------------------------------------------


def run_to_json(record: Record) -> bytes:
    """Format ``run.json``."""
    run = record.run
    info, data = run.info, run.data
    source = {name: value for name, value in run.source if value not in (None, "", (), False)}
    return dump({
        **record.extra,
        "schema": SCHEMA,
        "run_id": info.run_id,
        "experiment_id": info.experiment_id,
        "run_name": info.run_name,
        "user_id": info.user_id,
        "status": info.status,
        "lifecycle_stage": info.lifecycle_stage,
        "start_time": info.start_time,
        "end_time": info.end_time,
        "source": {**source, "dirty": run.source.dirty},
        "params": dict(data.params),
        "metrics": {key: number_out(value) for key, value in data.metrics.items()},
        "metric_stats": {
            key: stats_out(summary) for key, summary in data.summaries.items()
        },
        "tags": dict(data.tags),
        "inputs": [dict(dataset) for dataset in run.inputs.dataset_inputs],
        "models": [dict(model) for model in run.outputs.model_outputs],
        "parent_run_id": run.parent_run_id,
        "written": dict(record.written),
        "conflicts": {key: list(values) for key, values in run.conflicts.items()},
    })  # fmt: skip


def run_from_json(data: bytes, what: str = "run.json") -> Record:
    """Read ``run.json``.

    Raises:
        StoreError: A field is missing or of the wrong type; the message names it.
    """
    value = load(data, what)
    fields = Reader(value, what)
    run_id = fields.text("run_id")
    experiment = fields.text("experiment_id")
    if not _RUN_ID.fullmatch(run_id) or not _EXPERIMENT_ID.fullmatch(experiment):
        raise StoreError(f"{what} has a malformed run_id or experiment_id.")
    info = RunInfo(
        run_id=run_id,
        experiment_id=experiment,
        run_name=fields.text("run_name"),
        user_id=fields.text("user_id"),
        status=fields.choice("status", RunStatus),
        start_time=fields.integer("start_time"),
        end_time=None if value.get("end_time") is None else fields.integer("end_time"),
        lifecycle_stage=fields.choice("lifecycle_stage", LifecycleStage),
    )
    conflicts = Reader(fields.mapping("conflicts"), what)
    run = Run(
        info=info,
        data=RunData(
            params=fields.texts("params"),
            tags=fields.texts("tags"),
            **_metrics_in(fields.mapping("metrics"), fields.mapping("metric_stats"), what),
        ),
        inputs=RunInputs(dataset_inputs=tuple(_datasets_in(fields.items("inputs"), what))),
        outputs=RunOutputs(model_outputs=tuple(_models_in(fields.items("models"), what))),
        source=_source_in(fields.mapping("source"), what),
        conflicts={key: conflicts.strings(key) for key in fields.mapping("conflicts")},
    )
    extra = unknown(value, _RUN_FIELDS, what)
    return Record(run=run, written=fields.integers("written"), extra=extra)


def _metrics_in(last: Mapping[str, Any], stats: Mapping[str, Any], what: str) -> dict[str, Any]:
    metrics = {key: number_in(value) for key, value in last.items()}
    summaries = {}
    for key, value in metrics.items():
        stat = stats.get(key)
        if not isinstance(stat, dict):
            raise StoreError(f"{what} has no metric_stats for {short_repr(key)}.")
        step, timestamp, count = stat.get("step"), stat.get("timestamp"), stat.get("count")
        if not (is_int64(step) and is_int64(timestamp) and is_int64(count)):
            raise StoreError(f"{what}: metric_stats of {short_repr(key)} must be 64-bit integers.")
        summaries[key] = MetricSummary(
            last=value,
            step=step,
            timestamp=timestamp,
            min=number_in(stat.get("min")),
            max=number_in(stat.get("max")),
            count=count,
        )
    return {"metrics": metrics, "summaries": summaries}


def _datasets_in(items: Iterable[Any], what: str) -> Iterable[Dataset]:
    for item in items:
        fields = Reader(item if isinstance(item, dict) else {}, what)
        yield Dataset(
            name=fields.text("name"),
            digest=fields.text("digest"),
            **{
                key: fields.text(key, "")
                for key in ("source_type", "source", "schema", "profile", "context")
            },
        )


def _models_in(items: Iterable[Any], what: str) -> Iterable[LoggedModelInfo]:
    for item in items:
        fields = Reader(item if isinstance(item, dict) else {}, what)
        yield LoggedModelInfo(
            path=fields.text("path"),
            flavors=fields.strings("flavors"),
            utc_time_created=fields.text("utc_time_created", ""),
            model_uuid=fields.text("model_uuid", ""),
        )


def _source_in(value: Mapping[str, Any], what: str) -> Source:
    fields = Reader(value, what)
    return Source(
        type=fields.text("type", ""),
        name=fields.text("name", ""),
        command=fields.strings("command"),
        commit=fields.text("commit", "") or None,
        branch=fields.text("branch", "") or None,
        remote=fields.text("remote", "") or None,
        dirty=value.get("dirty") is True,
        python=fields.text("python", ""),
    )


# Experiments ------------------------------------------------------------------------------------


def experiment_to_json(record: ExperimentRecord) -> bytes:
    """Format an experiment's file."""
    return dump({
        **record.extra,
        "schema": SCHEMA,
        **{name: value for name, value in record.experiment if name != "tags"},
        "tags": dict(record.experiment.tags),
        "written": dict(record.written),
    })  # fmt: skip


def experiment_from_json(data: bytes, what: str = "experiment") -> ExperimentRecord:
    """Read an experiment's file.

    Raises:
        StoreError: A field is missing or of the wrong type; the message names it.
    """
    value = load(data, what)
    fields = Reader(value, what)
    identifier = fields.text("experiment_id")
    if not _EXPERIMENT_ID.fullmatch(identifier):
        raise StoreError(f"{what} has a malformed experiment_id.")
    experiment = Experiment(
        experiment_id=identifier,
        name=fields.text("name"),
        creation_time=fields.integer("creation_time"),
        last_update_time=fields.integer("last_update_time"),
        lifecycle_stage=fields.choice("lifecycle_stage", LifecycleStage),
        tags=fields.texts("tags"),
    )
    extra = unknown(value, _EXPERIMENT_FIELDS, what)
    return ExperimentRecord(experiment=experiment, written=fields.integers("written"), extra=extra)
