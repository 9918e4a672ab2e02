"""Fold the operations of a run's journals into its record. Pure.

An operation is one JSON array of a journal, ``[kind, …]``; times are ms since the Unix epoch::

    ["start", {run_id, experiment_id, run_name, user_id, start_time}]      opens a new run
    ["resume", {run_id, experiment_id, after}, time]              opens a run that is on the branch
    ["param", key, value, time]
    ["metric", key, value, step, timestamp]
    ["tag", key, value, time]        ["untag", key, time]
    ["status", status, end_time or null for time, time]
    ["lifecycle", stage, time]
    ["source", {…}]        ["input", {…}]        ["model", {…}]

``after`` is where its metric points begin, see ``metric_history.Sequel``: points of equal step and
time stay in the order of a journal's lines.

Folding the same operations again changes nothing, so a crash between commit and clean-up is
harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitml.entities import (
    Dataset,
    LoggedModelInfo,
    Metric,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
    Source,
)
from gitml.errors import StoreError
from gitml.formats import canonical, metric_history
from gitml.formats.metric_history import Sequel, continued
from gitml.formats.run_records import Record, RunFiles

Op = list[Any]
RUN_NAME_TAG = "mlflow.runName"
_TIMED = frozenset({"param", "tag", "untag", "status", "lifecycle"})
_LENGTHS = {"start": 2, "resume": 3, "param": 4, "metric": 5, "tag": 4, "untag": 3, "status": 4,
            "lifecycle": 3, "source": 2, "input": 2, "model": 2}  # fmt: skip


def is_op(value: Any) -> bool:
    """Return True if a value of a journal is a valid operation."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], str)
        and len(value) == _LENGTHS.get(value[0])
    )


def new_run(header: Mapping[str, Any]) -> RunFiles:
    """Return the files of a run right after its ``start`` operation."""
    info = RunInfo(
        run_id=header["run_id"],
        experiment_id=header["experiment_id"],
        run_name=header["run_name"],
        user_id=header["user_id"],
        status=RunStatus.RUNNING.value,
        start_time=header["start_time"],
    )
    written = dict.fromkeys(("run_name", "status", "lifecycle_stage"), header["start_time"])
    return RunFiles(record=Record(run=Run(info=info), written=written))


def started(header: Mapping[str, Any], tags: Mapping[str, str]) -> Run:
    """Return the run after ``start`` and its first tags, without a fold."""
    name = tags.get(RUN_NAME_TAG, header["run_name"])
    run = new_run({**header, "run_name": name}).record.run
    return replace(run, data=RunData(tags=dict(tags)))


def fold(base: RunFiles | None, ops: Iterable[Op]) -> RunFiles:
    """Apply operations to what is on the branch.

    Args:
        base: The run's files on the branch, None for a new run.
        ops: Operations of all its journals; those of one journal in their order.

    Raises:
        StoreError: A new run without its ``start`` operation.
    """
    ops = list(ops)
    header = next((op[1] for op in ops if op[0] == "start"), None)
    if base is None:
        if header is None:
            raise StoreError("A journal without its first line cannot be turned into a run.")
        base = new_run(header)
    state = _State.of(base, first_session=header is not None)
    for op in sorted(in_order(ops), key=_time):
        state.apply(op)
    return state.files(base, _points(base, ops))


def _points(base: RunFiles, ops: Iterable[Op]) -> list[Metric]:
    """Return the metric points of operations, numbered journal by journal."""
    sessions: list[tuple[Sequel | None, list[Metric]]] = [(None, [])]
    for op in ops:
        if op[0] == "metric":
            _, key, value, step, timestamp = op
            number = canonical.number_in(value)
            sessions[-1][1].append(Metric(key=key, value=number, step=step, timestamp=timestamp))
        elif op[0] in ("start", "resume"):
            sessions.append((Sequel.read(op[1].get("after")), []))
    points: list[Metric] = []
    for sequel, logged in sessions:
        points += sequel.numbered(logged) if sequel else continued(base.history, logged)
    return points


def in_order(ops: Iterable[Op]) -> list[Op]:
    """Return operations of journals with times that never go back within one.

    The clock of a machine may be set back while it writes; a journal still holds what came first.
    """
    ordered: list[Op] = []
    newest = 0
    for op in ops:
        if op[0] in ("start", "resume"):
            newest = time_of(op)
        elif op[0] in _TIMED:
            newest = max(newest, op[-1])
            op = [*op[:-1], newest] if op[-1] < newest else op
        ordered.append(op)
    return ordered


def newest_time(ops: Iterable[Op]) -> int:
    """Return the time of the latest operation, ms since the Unix epoch; 0 without any."""
    return max(map(time_of, ops), default=0)


def time_of(op: Op) -> int:
    """Return when an operation was written; 0 for those without a time."""
    if op[0] == "start":
        return int(op[1]["start_time"])
    return int(op[-1]) if op[0] == "resume" or op[0] in _TIMED else 0


def _time(op: Op) -> int:
    """Return what operations are sorted by; 0 for those whose order does not matter."""
    return int(op[-1]) if op[0] in _TIMED else 0


@dataclass(slots=True, kw_only=True)
class _State:
    """The mutable state of a fold."""

    info: RunInfo
    params: dict[str, str]
    tags: dict[str, str]
    written: dict[str, int]
    conflicts: dict[str, tuple[str, ...]]
    source: Source
    inputs: dict[tuple[str, str, str], Dataset]
    models: dict[str, LoggedModelInfo]
    first_session: bool

    @classmethod
    def of(cls, base: RunFiles, *, first_session: bool) -> _State:
        run = base.record.run
        return cls(
            info=run.info,
            params=dict(run.data.params),
            tags=dict(run.data.tags),
            written=dict(base.record.written),
            conflicts=dict(run.conflicts),
            source=run.source,
            inputs={(d.name, d.digest, d.context): d for d in run.inputs.dataset_inputs},
            models={m.path: m for m in run.outputs.model_outputs},
            first_session=first_session,
        )

    def apply(self, op: Op) -> None:
        kind = op[0]
        if kind == "param":
            self._param(*op[1:])
        elif kind == "tag":
            self._tag(*op[1:])
        elif kind == "untag":
            if self._newer(f"tags.{op[1]}", op[2]):
                self.tags.pop(op[1], None)
        elif kind == "status":
            if self._newer("status", op[3]):
                self._status(*op[1:])
        elif kind == "lifecycle":
            if self._newer("lifecycle_stage", op[2]):
                self.info = replace(self.info, lifecycle_stage=op[1])
        elif kind == "resume":
            if self._newer("status", op[2]):
                self.info = replace(self.info, status=RunStatus.RUNNING.value, end_time=None)
        elif kind == "source":
            self.source = Source(**{**op[1], "command": tuple(op[1].get("command", ()))})
        elif kind == "input":
            dataset = Dataset(**op[1])
            self.inputs[dataset.name, dataset.digest, dataset.context] = dataset
        elif kind == "model":
            model = LoggedModelInfo(**{**op[1], "flavors": tuple(op[1].get("flavors", ()))})
            self.models[model.path] = model

    def _status(self, status: str, end_time: int | None, time: int) -> None:
        """Change the status; a run that has ended has an end, which is not before its start."""
        if RunStatus.is_terminated(status):
            end_time = max(time if end_time is None else end_time, self.info.start_time)
        else:
            end_time = None
        self.info = replace(self.info, status=status, end_time=end_time)

    def _newer(self, name: str, time: int) -> bool:
        """Record the time of a write; return False if a later one was recorded before."""
        if time < self.written.get(name, time):
            return False
        self.written[name] = time
        return True

    def _param(self, key: str, value: str, time: int) -> None:
        """Log a param; of two values the earlier stays, as in a join."""
        name = f"params.{key}"
        time = self.info.start_time if self.first_session else time
        old = self.params.get(key)
        if old == value:
            return
        if old is None or (time, value) < (self.written.get(name, self.info.start_time), old):
            self.params[key] = value
            if not self.first_session or name in self.written:
                self.written[name] = time
        if old is not None:
            others = {*self.conflicts.get(name, ()), old, value} - {self.params[key]}
            self.conflicts[name] = tuple(sorted(others))

    def _tag(self, key: str, value: str, time: int) -> None:
        if self._newer(f"tags.{key}", time):
            self.tags[key] = value
        if key == RUN_NAME_TAG and self._newer("run_name", time) and value != self.info.run_name:
            self.info = replace(self.info, run_name=value)

    def files(self, base: RunFiles, points: Sequence[Metric]) -> RunFiles:
        history = base.history
        if points:
            history = metric_history.ordered([*history, *points])
        summaries = metric_history.summarize(history)
        run = Run(
            info=self.info,
            data=RunData(
                params=self.params,
                tags=self.tags,
                summaries=summaries,
                metrics={key: summary.last for key, summary in summaries.items()},
            ),
            inputs=RunInputs(dataset_inputs=tuple(self.inputs[key] for key in sorted(self.inputs))),
            outputs=RunOutputs(
                model_outputs=tuple(self.models[path] for path in sorted(self.models))
            ),
            source=self.source,
            conflicts=self.conflicts,
        )
        record = replace(base.record, run=run, written=self.written)
        return replace(base, record=record, history=history)
