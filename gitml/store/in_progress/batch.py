"""Hides how many runs share one journal and one commit, for sweeps and imports of thousands.

A batch in progress is a folder ``<state>/batches/<id>`` with one journal for all its runs: a line
is a run's id, a space, and an operation as in a run's own journal. What a call returned for is in
the kernel and outlives the process, as without a batch; what is saved is a folder, a lock, a flush
to the disk and a commit per run. Runs that ended are committed together when the batch ends, when
thousands of them wait, or when one has waited for some seconds; then the journal is begun anew with
the runs that go on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitml.files import exclusive
from gitml.formats import canonical, run_records
from gitml.store.in_progress import journal
from gitml.store.in_progress.fold import Op
from gitml.store.in_progress.journal import Journal

MAX_RUNS = 5_000  # that wait for a commit
_MAX_WAIT = 10.0  # s that a run waits, if the batch goes on
_HEADER: Op = ["batch", {"schema": canonical.SCHEMA}]
_ID = 32  # hex digits before the space of a line


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedRun:
    """A run of a batch, as far as it was logged.

    Attributes:
        run_id: The run.
        ops: Its operations, in their order.
        staged: Its staged artifacts; None if it has none.
        context: Where ``source.patch`` and ``requirements.txt`` of the whole batch are.
        fresh: Whether nothing of it was ever given to a commit.
    """

    run_id: str
    ops: list[Op]
    staged: Path | None
    context: Path
    fresh: bool = False


CommitRuns = Callable[[list[BatchedRun]], None]
"""Commits runs as they are, those of dead processes included."""


class Lane(Journal):
    """One run's part of a batch's journal; stands in for a journal of its own."""

    def __init__(self, batch: Batch, run_id: str, first: Op) -> None:
        """Write the run's first operation."""
        self.batch = batch
        self.path = batch.journal.path
        self.ops: list[Op] = []
        self.fresh = True  # see BatchedRun
        self._prefix = f"{run_id} "
        self.append(first)

    def append(self, *ops: Op) -> None:
        """Append operations; see ``Journal.append``."""
        with self.batch.lock:
            super().append(*ops)
            self.ops += ops

    def metric(self, key: str, value: float, step: int, timestamp: int) -> None:
        """Append a metric point; see ``Journal.metric``."""
        with self.batch.lock:
            super().metric(key, value, step, timestamp)
            self.ops.append(["metric", key, canonical.number_out(value), step, timestamp])

    def param(self, key: str, value: str, time: int) -> None:
        """Append a param; see ``Journal.param``."""
        with self.batch.lock:
            super().param(key, value, time)
            self.ops.append(["param", key, value, time])

    def _write(self, lines: str) -> None:
        self.batch.journal._write(lines)

    def sync(self) -> None:
        """Do nothing: the commit of the batch is what makes it safe against a power cut."""

    def close(self) -> None:
        """Do nothing: the journal belongs to the batch."""


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """The runs that this process begins inside one ``with gitml.batch():``.

    Attributes:
        folder: Its local folder.
        journal: The journal that its runs share.
        commit: Commits runs.
        pid: The process it belongs to; a forked child leaves it alone.
        noted: Whether the code that its runs share is in its folder.
    """

    folder: Path
    journal: Journal
    commit: CommitRuns
    pid: int = field(default_factory=os.getpid)
    noted: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _ended: list[str] = field(default_factory=list)
    _due: float = 0.0
    _closed: bool = False

    @classmethod
    def begin(cls, batches: Path, commit: CommitRuns) -> Batch:
        """Begin a batch in a folder of its own."""
        folder = batches / uuid.uuid4().hex
        return cls(folder=folder, journal=Journal(folder, _HEADER), commit=commit)

    def lane(self, run_id: str, first: Op) -> Lane:
        """Begin a run."""
        with self.lock:
            lane = self._lanes[run_id] = Lane(self, run_id, first)
        return lane

    def run(self, run_id: str) -> BatchedRun | None:
        """A run of the batch that is not committed yet."""
        with self.lock:
            lane = self._lanes.get(run_id)
            return self._batched({run_id: lane})[0] if lane else None

    def staging(self, run_id: str) -> Path:
        """Where a run's artifacts wait."""
        return self.folder / "runs" / run_id

    def _batched(self, lanes: Mapping[str, Lane]) -> list[BatchedRun]:
        ops = {run_id: list(lane.ops) for run_id, lane in lanes.items()}
        return _runs(self.folder, ops, {run_id for run_id, lane in lanes.items() if lane.fresh})

    def end(self, run_id: str) -> None:
        """Note that a run has ended; it is committed now or later."""
        with self.lock:
            now = time.monotonic()
            if not self._ended:
                self._due = now + _MAX_WAIT
            self._ended.append(run_id)
            if self._closed or len(self._ended) >= MAX_RUNS or now >= self._due:
                self.flush()

    def flush(self) -> None:
        """Commit the runs that have ended."""
        with self.lock:
            if self._ended:
                lanes = {one: self._lanes[one] for one in self._ended}
                runs = self._batched(lanes)
                for lane in lanes.values():
                    lane.fresh = False
                self.commit(runs)
                for run in runs:
                    del self._lanes[run.run_id]
                    if run.staged:
                        shutil.rmtree(run.staged.parent, ignore_errors=True)
                self._ended.clear()
                if self._lanes or not self._closed:
                    self._begin_anew()
            if self._closed and not self._lanes:
                self.journal.path.unlink()  # first, or it looks like that of a dead process
                self.journal.close()
                shutil.rmtree(self.folder, ignore_errors=True)

    def _begin_anew(self) -> None:
        """Leave the committed runs behind: a new journal takes those that go on."""
        old, new = self.journal, Journal(self.folder, _HEADER)
        self.journal = new
        for lane in self._lanes.values():
            Journal.append(lane, *lane.ops)  # not kept a second time
        old.path.unlink()
        old.close()

    def close(self) -> None:
        """Commit what has ended; a run that goes on is committed by itself when it ends."""
        with self.lock:
            self._closed = True
            self.flush()


def waiting(batches: Path) -> int:
    """Count the runs of this clone's batches that are not committed yet."""
    if not batches.is_dir():
        return 0
    ids: set[bytes] = set()
    for path in batches.glob("*/journal*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # the batch went on meanwhile
            ids |= {line[:_ID] for line in path.read_bytes().splitlines() if _is_op(line)}
    return len(ids)


def _is_op(line: bytes) -> bool:
    """Tell a run's line of a journal from its header and from a torn one."""
    return line[_ID : _ID + 1] == b" " and run_records.is_run_id(
        line[:_ID].decode("ascii", "replace")
    )


def recover(batches: Path, commit: CommitRuns) -> list[str]:
    """Commit the runs of batches whose process died.

    Returns:
        Ids of the runs.
    """
    recovered: list[str] = []
    if not batches.is_dir():
        return recovered
    for folder in sorted(batches.iterdir()):
        if not journal.signature(folder) or journal.is_alive(folder):
            continue
        with exclusive(folder / "lock"):
            # Nothing is left of it if another process was faster.
            if journal.signature(folder) and not journal.is_alive(folder):
                runs = _read(folder)
                commit(runs)
                recovered.extend(run.run_id for run in runs)
            shutil.rmtree(folder, ignore_errors=True)
    return recovered


def _read(folder: Path) -> list[BatchedRun]:
    """Read what the journals of a batch hold; a torn last line is dropped."""
    ops: dict[str, list[Op]] = {}
    for path in sorted(folder.glob("journal*.jsonl")):
        for run_id, op in _parse(path.read_bytes()):
            ops.setdefault(run_id, []).append(op)
    return _runs(folder, ops)


def _runs(
    folder: Path, ops: Mapping[str, list[Op]], fresh: Collection[str] = ()
) -> list[BatchedRun]:
    """Put runs together with their staged artifacts, which most runs of a batch lack."""
    staging = folder / "runs"
    staged = {one.name for one in staging.iterdir()} if staging.is_dir() else set()
    return [
        BatchedRun(
            run_id=one,
            ops=ops[one],
            staged=staging / one / "artifacts" if one in staged else None,
            context=folder,
            fresh=one in fresh,
        )
        for one in ops
    ]


def _parse(data: bytes) -> Iterable[tuple[str, Op]]:
    by_run: dict[str, list[bytes]] = {}
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        if _is_op(line):
            by_run.setdefault(line[:_ID].decode("ascii"), []).append(line[_ID + 1 :])
    for run_id, lines in by_run.items():
        for op in journal.parse(b"".join(lines)):
            yield run_id, op


def context_files(run: BatchedRun, cache: dict[Path, bytes]) -> Mapping[str, bytes]:
    """The code that a run of a batch was made with, which all runs of the batch share."""
    if not any(op[0] == "source" for op in run.ops):
        return {}
    found = {}
    for name in ("source.patch", "requirements.txt"):
        path = run.context / name
        if path not in cache:
            cache[path] = path.read_bytes() if path.is_file() else b""
        found[name] = cache[path]
    return found
