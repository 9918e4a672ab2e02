"""Let many runs share one journal and one commit, for sweeps and imports of thousands.

A batch in progress is a folder ``<state>/batches/<id>`` with one journal for all its runs: a line
is a run's id, a space, and an operation as in a run's own journal. What a call returned for is in
the kernel and outlives the process, as without a batch; saved are a folder, a lock, a flush to the
disk and a commit per run. Runs that ended are committed together when the batch ends, when
thousands of them wait, or when one has waited for some seconds; then a new journal is started with
the runs that are still active.
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
    """A run of a batch with what was logged so far.

    Attributes:
        run_id: The run.
        ops: Its operations, in their order.
        staged: Its staged artifacts; None if it has none.
        context: Where ``source.patch`` and ``requirements.txt`` of the whole batch are.
        uncommitted: True if it cannot be on the branch yet.
    """

    run_id: str
    ops: list[Op]
    staged: Path | None
    context: Path
    uncommitted: bool = False


CommitRuns = Callable[[list[BatchedRun]], None]
"""Commits runs as they are, those of dead processes included."""


class BatchedJournal:
    """The ``OpLog`` of a run of a batch: its lines of the batch's journal.

    Attributes:
        ops: Its operations, in their order.
        uncommitted: See ``BatchedRun``.
    """

    def __init__(self, batch: Batch, run_id: str, first: Op) -> None:
        """Write the run's first operation."""
        self.ops: list[Op] = []
        self.uncommitted = True
        self.points = self.texts = 0
        self._sealed = False
        self._batch = batch
        self._prefix = f"{run_id} "
        self.append(first)

    @property
    def path(self) -> Path:
        """The batch's journal; see ``OpLog``."""
        return self._batch.journal.path

    def append(self, *ops: Op) -> None:
        """Append operations; see ``OpLog``."""
        text, points = journal.lines_of(ops, self._prefix)
        self._write(text, *ops)
        self.points += points
        self.texts += len(text) - points

    def metric(self, key: str, value: float, *, step: int, timestamp: int) -> None:
        """Append a metric point; see ``OpLog``."""
        line = journal.metric_line(key, value, step, timestamp)
        number = canonical.number_out(value)
        self._write(self._prefix + line, ["metric", key, number, step, timestamp])
        self.points += len(line)

    def _write(self, lines: str, *ops: Op) -> None:
        with self._batch.lock:
            if self._sealed:
                raise journal.ended(self._prefix.strip())
            self._batch.journal.write(lines)
            self.ops += ops

    def rewrite(self) -> None:
        """Write all operations again, into a new journal of the batch."""
        with self._batch.lock:
            lines = (self._prefix + journal.op_line(op) for op in self.ops)
            self._batch.journal.write("".join(lines))

    def sync(self) -> None:
        """Do nothing: the commit of the batch makes it safe against the death of the machine."""

    def seal(self) -> None:
        """Refuse further operations; see ``OpLog``."""
        with self._batch.lock:
            self._sealed = True

    def close(self) -> None:
        """Only refuse further operations: the journal belongs to the batch."""
        self.seal()


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """The runs that this process starts inside one ``with gitml.batch():``.

    Attributes:
        folder: Its local folder.
        journal: The journal that its runs share.
        commit: Commits runs.
        pid: The process it belongs to; a forked child does not use it.
        source_recorded: True if the files of the code, which its runs share, are in its folder.
    """

    folder: Path
    journal: Journal
    commit: CommitRuns
    pid: int = field(default_factory=os.getpid)
    source_recorded: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    _logs: dict[str, BatchedJournal] = field(default_factory=dict)
    _ended: list[str] = field(default_factory=list)
    _due: float = 0.0
    _closed: bool = False

    @classmethod
    def start(cls, batches: Path, commit: CommitRuns) -> Batch:
        """Start a batch in a folder of its own."""
        folder = batches / uuid.uuid4().hex
        return cls(folder=folder, journal=Journal(folder, _HEADER), commit=commit)

    def open(self, run_id: str, first: Op) -> BatchedJournal:
        """Add a run and return where its operations are written."""
        with self.lock:
            log = self._logs[run_id] = BatchedJournal(self, run_id, first)
        return log

    def run(self, run_id: str) -> BatchedRun | None:
        """Return a run of the batch that has not ended and been committed; None otherwise."""
        with self.lock:
            log = self._logs.get(run_id)
            return self._batched({run_id: log})[0] if log else None

    def checkpoint(self, run_id: str, commit: Callable[[BatchedRun], None]) -> None:
        """Commit what a run has logged so far; it cannot end meanwhile."""
        with self.lock:
            self._logs[run_id].uncommitted = False
            commit(self._batched({run_id: self._logs[run_id]})[0])

    def staging(self, run_id: str) -> Path:
        """Return the folder of a run's staged artifacts."""
        return self.folder / "runs" / run_id

    def _batched(self, logs: Mapping[str, BatchedJournal]) -> list[BatchedRun]:
        ops = {run_id: list(log.ops) for run_id, log in logs.items()}
        return _runs(self.folder, ops, {run_id for run_id, log in logs.items() if log.uncommitted})

    def end(self, run_id: str) -> None:
        """Mark a run as ended; it is committed now or later."""
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
                logs = {run_id: self._logs[run_id] for run_id in self._ended}
                runs = self._batched(logs)
                for log in logs.values():
                    log.uncommitted = False
                self.commit(runs)
                for run in runs:
                    del self._logs[run.run_id]
                    if run.staged:
                        shutil.rmtree(run.staged.parent, ignore_errors=True)
                self._ended.clear()
                if self._logs or not self._closed:
                    self._start_new_journal()
            if self._closed and not self._logs:
                self.journal.path.unlink()  # first, or it looks like that of a dead process
                self.journal.close()
                shutil.rmtree(self.folder, ignore_errors=True)

    def _start_new_journal(self) -> None:
        """Replace the journal by one without the committed runs."""
        old, new = self.journal, Journal(self.folder, _HEADER)
        self.journal = new
        for log in self._logs.values():
            log.rewrite()
        old.path.unlink()
        old.close()

    def close(self) -> None:
        """Commit what has ended; a run that is still active is committed when it ends."""
        with self.lock:
            self._closed = True
            self.flush()


def waiting(batches: Path) -> int:
    """Count the runs of this clone's batches that are not committed yet."""
    if not batches.is_dir():
        return 0
    ids: set[bytes] = set()
    for path in batches.glob("*/journal*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # the batch started a new journal
            ids |= {line[:_ID] for line in path.read_bytes().splitlines() if _is_op(line)}
    return len(ids)


def _is_op(line: bytes) -> bool:
    """Return True for a run's line of a journal, False for its header and a torn one."""
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
        if not journal.fingerprint(folder) or journal.is_alive(folder):
            continue
        with exclusive(folder / "lock"):
            # Another process may have recovered it while we waited.
            if journal.fingerprint(folder) and not journal.is_alive(folder):
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
    folder: Path, ops: Mapping[str, list[Op]], uncommitted: Collection[str] = ()
) -> list[BatchedRun]:
    """Combine runs with their staged artifacts, which most runs of a batch lack."""
    staging = folder / "runs"
    staged = {path.name for path in staging.iterdir()} if staging.is_dir() else set()
    return [
        BatchedRun(
            run_id=run_id,
            ops=ops[run_id],
            staged=staging / run_id / "artifacts" if run_id in staged else None,
            context=folder,
            uncommitted=run_id in uncommitted,
        )
        for run_id in ops
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
    """Return the files of the code of a run, which all runs of its batch share.

    Args:
        run: The run.
        cache: Content of files read before; extended.
    """
    if not any(op[0] == "source" for op in run.ops):
        return {}
    contents = {}
    for name in ("source.patch", "requirements.txt"):
        path = run.context / name
        if path not in cache:
            cache[path] = path.read_bytes() if path.is_file() else b""
        contents[name] = cache[path]
    return contents
