"""Start, end, edit, read and recover the runs of a repository.

A run in progress is a journal; when it ends it becomes a commit. What dead processes left is
committed by the next command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gitml.entities import Artifact, Run
from gitml.errors import GitmlError, NotFound
from gitml.files import exclusive
from gitml.formats import canonical, joins, manifest, run_folder, run_records
from gitml.formats.metric_history import Sequel
from gitml.formats.run_records import RunFiles
from gitml.store import bulk
from gitml.store.branch import Branch
from gitml.store.in_progress import batch, journal, leftovers
from gitml.store.in_progress.batch import Batch
from gitml.store.in_progress.fold import Op, fold, newest_time, started, time_of
from gitml.store.in_progress.journal import Journal
from gitml.store.in_progress.queue import Queue
from gitml.store.in_progress.room import Others, Room
from gitml.store.in_progress.writer import Writer
from gitml.store.run_commits import RECOVERED_TAG, RunCommitter, StoreFiles, failed

__all__ = ["RECOVERED_TAG", "RunStore", "StoreFiles"]


class RunStore:
    """All runs of one repository: those in progress in this clone, and those on the branch.

    Args:
        branch: Where records are committed.
        state: The local state folder.
        store_files: Called with a folder of staged files when a run is committed.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        branch: Branch,
        state: Path,
        *,
        store_files: StoreFiles,
        clock: Callable[[], int],
    ) -> None:
        self.branch = branch
        self.folder = state / "runs"
        self._batches = state / "batches"
        self._batch: Batch | None = None
        self._committer = RunCommitter(
            branch, self.folder, Queue(state / "queue"), store_files, clock
        )
        self._clock = clock
        self._writers: dict[str, Writer] = {}

    # Writing -------------------------------------------------------------------------------------

    def start(
        self,
        experiment_id: str,
        run_name: str,
        user_id: str,
        start_time: int,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Writer, Run]:
        """Start a new run; it is visible in this clone at once and committed when it ends.

        Args:
            experiment_id: Its experiment.
            run_name: Its name.
            user_id: Who runs it.
            start_time: ms since the Unix epoch.
            tags: Its first tags.

        Returns:
            What writes it, and the run as it starts.
        """
        run_id = uuid.uuid4().hex
        header = {
            "schema": canonical.SCHEMA,
            "run_id": run_id,
            "experiment_id": experiment_id,
            "run_name": run_name,
            "user_id": user_id,
            "start_time": start_time,
        }
        first: Op = ["start", header]
        ops: list[Op] = [["tag", key, value, start_time] for key, value in tags.items()]
        room = Room(run_id=run_id, others=self._others(run_id, experiment_id))
        room.take(ops)  # before there is a run
        if self.batch is None:
            with exclusive(self.folder / run_id / "lock"):  # a folder that is locked is not swept
                writer = self._open(run_id, experiment_id, first, room)
        else:
            writer = self._open_batched(self.batch, run_id, experiment_id, first, room)
        writer.journal.append(*ops)
        return writer, started(header, tags)

    @property
    def batch(self) -> Batch | None:
        """The batch that new runs of this process join."""
        return self._batch if self._batch and self._batch.pid == os.getpid() else None

    @contextlib.contextmanager
    def batching(self) -> Iterator[None]:
        """Commit the runs that start inside the block together; an inner block joins the outer.

        On leaving the block, also by an exception, all runs that have ended are committed.
        """
        if self.batch:
            yield
            return
        self._batch = Batch.start(self._batches, self._committer.commit_batch)
        try:
            yield
        finally:
            ending, self._batch = self._batch, None
            ending.close()

    def flush(self) -> None:
        """Commit the runs of this process's batch that have ended."""
        if self.batch:
            self.batch.flush()

    def add_all(self, runs: Iterable[RunFiles]) -> int:
        """Commit many runs that were recorded elsewhere, some thousands at a time.

        A run that is on the branch already is joined with the given one.

        Args:
            runs: Whole runs; their artifacts are in the cache or a remote already.

        Returns:
            The number of runs.
        """
        return bulk.add(self.branch, runs)

    def resume(self, run_id: str, experiment_id: str) -> Writer:
        """Open a run for writing again, or join one that another process writes."""
        writer = self._writers.get(run_id)
        if writer:
            return writer
        # Under the lock, so that nobody commits the run and removes its folder meanwhile.
        with exclusive(self.folder / run_id / "lock"):
            current = self.read(run_id, experiment_id)
            header: dict[str, Any] = {
                "schema": canonical.SCHEMA,
                "run_id": run_id,
                "experiment_id": experiment_id,
            }
            sequel = Sequel.of(current.history)
            if sequel:
                header["after"] = sequel.dump()
            now = joins.write_time(current.record.written, self._clock())
            committed = self._committed_sizes(run_id, experiment_id)
            others = self._others(run_id, experiment_id, committed[run_folder.HISTORY])
            room = Room.after(current.record, committed[run_folder.MANIFEST], others)
            writer = self._open(run_id, experiment_id, ["resume", header, now], room)
        writer.params.update(current.record.run.data.params)
        return writer

    def _others(self, run_id: str, experiment_id: str, history: int = 0) -> Others:
        def read() -> RunFiles:
            return self.read(run_id, experiment_id)

        return Others(folder=self.folder / run_id, read=read, history=history)

    def _committed_sizes(self, run_id: str, experiment_id: str) -> dict[str, int]:
        """Return the bytes of the files of a run on the branch, 0 where there is none."""
        tip, folder = self.branch.tip(), run_records.run_folder(experiment_id, run_id)
        names = (run_folder.HISTORY, run_folder.MANIFEST)
        paths = [f"{tip}:{folder}/{name}" for name in names]
        sizes = self.branch.repo.sizes(paths) if tip else [("missing", 0)] * len(names)
        return {name: size for name, (_, size) in zip(names, sizes, strict=True)}

    def _open(self, run_id: str, experiment_id: str, first: Op, room: Room) -> Writer:
        folder = self.folder / run_id
        writer = self._writers[run_id] = Writer(
            run_id=run_id,
            experiment_id=experiment_id,
            folder=folder,
            context=folder,
            journal=Journal(folder, first),
            room=room,
            clock=self._clock,
            min_time=time_of(first),
        )
        return writer

    def _open_batched(
        self, batch: Batch, run_id: str, experiment_id: str, first: Op, room: Room
    ) -> Writer:
        writer = self._writers[run_id] = Writer(
            run_id=run_id,
            experiment_id=experiment_id,
            folder=batch.staging(run_id),
            context=batch.folder,
            journal=batch.open(run_id, first),
            batch=batch,
            room=room,
            clock=self._clock,
            min_time=time_of(first),
        )
        return writer

    def writer(self, run_id: str) -> Writer | None:
        """Return this process's writer of a run, if it has one."""
        return self._writers.get(run_id)

    def end(self, run_id: str, status: str, end_time: int | None = None) -> None:
        """End a run; committed on return, unless it is in a batch or others still write it.

        Args:
            run_id: The run.
            status: Its new status.
            end_time: ms since the Unix epoch; default now.
        """
        writer = self._writers[run_id]
        others = journal.read(writer.folder, besides=writer.journal.path)
        now = writer.later(than=newest_time(others))
        writer.journal.append(["status", status, end_time, now])
        writer.journal.seal()
        if writer.batch:
            del self._writers[run_id]
            writer.batch.end(run_id)
            return
        committed = False
        try:
            with exclusive(writer.folder / "lock"):
                if not journal.is_alive(writer.folder, besides=writer.journal.path):
                    self._committer.commit_ended(writer.folder)
                    committed = True
        finally:  # if the commit fails, the next command repeats it
            if not committed:  # git has flushed what it committed
                writer.journal.sync()
            writer.journal.close()
            del self._writers[run_id]

    def checkpoint(self, run_id: str) -> None:
        """Commit what this process's run has logged so far; the run stays active."""
        writer = self._writers[run_id]
        if writer.batch:
            writer.batch.checkpoint(
                run_id, lambda run: self._committer.commit_batch([run], ended=False)
            )
            shutil.rmtree(writer.artifacts, ignore_errors=True)
        else:
            writer.journal.sync()
            with exclusive(writer.folder / "lock"):
                self._committer.commit_active(writer.folder, journal.read(writer.folder))
                shutil.rmtree(writer.artifacts, ignore_errors=True)
        writer.later()  # other clones may have this state: what follows is after it

    def detach(self, run_id: str) -> None:
        """Stop writing a run without ending it; it is committed if nobody else writes it."""
        writer = self._writers.pop(run_id)
        writer.journal.seal()
        if writer.batch:
            writer.batch.end(run_id)
        writer.journal.close()
        self.recover()

    def writing(self) -> list[str]:
        """Return the ids of the runs that this process writes."""
        return list(self._writers)

    def edit(
        self, run_id: str, experiment_id: str, make_ops: Callable[[RunFiles, int], Sequence[Op]]
    ) -> None:
        """Change a run that has ended: one commit for all operations.

        Args:
            run_id: The run.
            experiment_id: Its experiment.
            make_ops: Given the run as it is and the time of the edit, returns the operations.
        """
        self._committer.edit(run_id, experiment_id, make_ops)

    def end_abandoned(self, run_id: str, experiment_id: str, end_time: int) -> None:
        """End a run of the branch that nobody ends any more, as FAILED."""
        self.edit(run_id, experiment_id, lambda _, now: failed(end_time, now))

    # In progress, and left behind ----------------------------------------------------------------

    def in_progress(self) -> dict[str, Path]:
        """Return the folders of runs that have journals, by run id."""
        if not self.folder.is_dir():
            return {}
        return {
            folder.name: folder
            for folder in self.folder.iterdir()
            if not folder.name.startswith(leftovers.DONE) and journal.journals(folder)
        }

    def in_batches(self) -> int:
        """Count the runs of any process's batches that are not committed yet."""
        return batch.waiting(self._batches)

    def recover(self) -> list[str]:
        """Commit the runs of dead processes.

        A run whose process died before it ended becomes FAILED and gets the tag
        ``gitml.recovered``; one that had ended keeps its status. The ended runs of this process's
        batch are committed too.

        Returns:
            Ids of the runs recovered.

        Raises:
            GitmlError: A run could not be committed; it is tried again the next time.
        """
        self.flush()
        recovered = batch.recover(self._batches, self._committer.commit_batch)
        failed: list[Exception] = []
        for run_id, folder in self.in_progress().items():
            if run_id in self._writers or journal.is_alive(folder):
                continue
            with exclusive(folder / "lock"):
                if journal.is_alive(folder) or not journal.fingerprint(folder):
                    continue
                try:
                    self._committer.commit_ended(folder)
                except (GitmlError, OSError) as error:  # the others are recovered all the same
                    failed.append(error)
                else:
                    recovered.append(run_id)
        leftovers.sweep_runs(self.folder)
        if failed:
            raise failed[0]
        return recovered

    # Reading -------------------------------------------------------------------------------------

    def read(self, run_id: str, experiment_id: str, *, history: bool = True) -> RunFiles:
        """Read a run, in progress or on the branch.

        Args:
            run_id: The run.
            experiment_id: Its experiment.
            history: Read the points of its metrics, too, also where nothing was logged to it since
                it was committed.

        Raises:
            NotFound: There is none.
        """
        writer = self._writers.get(run_id)
        batched = writer.batch.run(run_id) if writer and writer.batch else None
        if writer and batched:
            return replace(fold(None, batched.ops), artifacts=tuple(_staged(writer.artifacts)))
        folder = self.folder / run_id
        # Journals first: a run that is committed and removed meanwhile is then on the branch.
        ops = journal.read(folder)
        staged = _staged(folder / "artifacts") if ops else []
        path = run_records.run_folder(experiment_id, run_id)
        base = run_folder.from_files(self.branch.read, path, history=history or bool(ops))
        if ops and (base is not None or any(op[0] == "start" for op in ops)):
            files = fold(base, ops)
            return replace(files, artifacts=tuple(manifest.overlay(files.artifacts, staged)))
        if base is None:
            raise NotFound(f"No run {run_id}.", hint="See `gitml runs list`.")
        return base


def _staged(folder: Path) -> list[Artifact]:
    """List files that are stored when their run ends; they have no hash yet."""
    artifacts = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            with contextlib.suppress(FileNotFoundError):  # committed and removed since
                size = path.stat().st_size
                artifacts.append(Artifact(path=path.relative_to(folder).as_posix(), size=size))
    return sorted(artifacts, key=lambda artifact: artifact.path)
