"""Hides how runs live: begun in a journal, committed when they end, edited and recovered later."""

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

from gitml.entities import Artifact, Run, RunStatus
from gitml.errors import GitmlError, NotFound, StoreError
from gitml.files import exclusive
from gitml.formats import canonical, manifest, run_folder, run_records
from gitml.formats.commit_messages import commit_message
from gitml.formats.run_records import RunFiles
from gitml.store import bulk
from gitml.store.branch import Branch, Commit
from gitml.store.in_progress import batch, journal, leftovers
from gitml.store.in_progress.batch import Batch, BatchedRun, Lane
from gitml.store.in_progress.fold import Op, begun, fold
from gitml.store.in_progress.journal import Journal
from gitml.store.in_progress.queue import Queue, Ticket
from gitml.store.in_progress.writer import Writer

RECOVERED_TAG = "gitml.recovered"
PutArtifacts = Callable[[Path], Sequence[Artifact]]
"""Stores the files of a folder where DVC finds them and lists them."""


class RunStore:
    """All runs of one repository: those in progress here, and those on the branch.

    Args:
        branch: Where records are committed.
        state: The local state folder.
        put_artifacts: Called with a folder of staged files when a run is committed.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        branch: Branch,
        state: Path,
        *,
        put_artifacts: PutArtifacts,
        clock: Callable[[], int],
    ) -> None:
        self.branch = branch
        self.folder = state / "runs"
        self._batches = state / "batches"
        self._batch: Batch | None = None
        self._queue = Queue(state / "queue")
        self._put_artifacts = put_artifacts
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
        """Begin a new run; it is visible in this clone at once and committed when it ends.

        Args:
            experiment_id: Where it belongs.
            run_name: Its name.
            user_id: Who runs it.
            start_time: ms since the Unix epoch.
            tags: Its first tags.

        Returns:
            What it is written with, and the run as it begins.
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
        batched = self.batch
        if batched is None:
            with exclusive(self.folder / run_id / "lock"):  # a folder that is locked is not swept
                writer = self._open(run_id, experiment_id, first)
        else:
            writer = self._writers[run_id] = Writer(
                run_id=run_id,
                experiment_id=experiment_id,
                folder=batched.staging(run_id),
                context=batched.folder,
                journal=batched.lane(run_id, first),
                clock=self._clock,
            )
        ops: list[Op] = [["tag", key, value, start_time] for key, value in tags.items()]
        writer.journal.append(*ops)
        return writer, begun(header, tags)

    @property
    def batch(self) -> Batch | None:
        """The batch that new runs of this process join."""
        return self._batch if self._batch and self._batch.pid == os.getpid() else None

    @contextlib.contextmanager
    def batching(self) -> Iterator[None]:
        """Commit the runs that begin inside the block together; a block inside joins the outer.

        On leaving the block, also by an exception, all runs that have ended are committed.
        """
        if self.batch:
            yield
            return
        self._batch = Batch.begin(self._batches, self._commit_batch)
        try:
            yield
        finally:
            ending, self._batch = self._batch, None
            ending.close()

    def flush(self) -> None:
        """Commit the runs of this process's batch that have ended."""
        if self.batch:
            self.batch.flush()

    def add_many(self, runs: Iterable[RunFiles]) -> int:
        """Commit many runs that were made elsewhere, some thousands at a time.

        A run that is on the branch already is joined with the one given.

        Args:
            runs: Whole runs; their artifacts are in the cache or a remote already.

        Returns:
            How many were given.
        """
        return bulk.add(self.branch, runs)

    def resume(self, run_id: str, experiment_id: str) -> Writer:
        """Open a run for writing again, or join one that another process writes."""
        writer = self._writers.get(run_id)
        if writer:
            return writer
        # Under the lock, so that nobody commits the run and clears its folder away meanwhile.
        with exclusive(self.folder / run_id / "lock"):
            known = self.read(run_id, experiment_id)
            header = {"schema": canonical.SCHEMA, "run_id": run_id, "experiment_id": experiment_id}
            floor = max(known.record.written.values(), default=0) + 1
            first = ["resume", header, max(self._clock(), floor)]
            writer = self._open(run_id, experiment_id, first, floor)
        writer.params.update(known.record.run.data.params)
        return writer

    def _open(self, run_id: str, experiment_id: str, first: Op, floor: int = 0) -> Writer:
        place = self.folder / run_id
        writer = Writer(
            run_id=run_id,
            experiment_id=experiment_id,
            folder=place,
            context=place,
            journal=Journal(place, first),
            clock=self._clock,
            floor=floor,
        )
        self._writers[run_id] = writer
        return writer

    def writer(self, run_id: str) -> Writer | None:
        """This process's writer of a run, if it has one."""
        return self._writers.get(run_id)

    def forget_writers(self) -> None:
        """Drop the writers that a forked child inherited; its parent goes on with them."""
        self._writers.clear()
        self._batch = None

    def end(self, run_id: str, status: str, end_time: int) -> None:
        """End a run; committed on return, unless it is in a batch or others still write it."""
        writer = self._writers[run_id]
        writer.journal.append(["status", status, end_time, writer.now()])
        if isinstance(writer.journal, Lane):
            del self._writers[run_id]
            writer.journal.batch.end(run_id)
            return
        writer.journal.sync()
        try:
            with exclusive(writer.folder / "lock"):
                if not journal.is_alive(writer.folder, besides=writer.journal.path):
                    self._commit(writer.folder)
        finally:  # where the commit fails, the next command repeats it
            writer.journal.close()
            del self._writers[run_id]

    def checkpoint(self, run_id: str) -> None:
        """Commit what this process's run has logged so far; it goes on."""
        writer = self._writers[run_id]
        lane = writer.journal
        if isinstance(lane, Lane):
            with lane.batch.lock:  # the run does not end meanwhile
                lane.fresh = False
                batched = lane.batch.run(run_id)
                if batched:
                    self._commit_batch([batched], ended=False)
                    shutil.rmtree(writer.artifacts, ignore_errors=True)
            return
        writer.journal.sync()
        with exclusive(writer.folder / "lock"):
            self._commit_as_it_is(writer.folder, journal.read(writer.folder))
            shutil.rmtree(writer.artifacts, ignore_errors=True)

    def leave(self, run_id: str) -> None:
        """Stop writing a run without ending it; it is committed if nobody else writes it."""
        writer = self._writers.pop(run_id)
        if isinstance(writer.journal, Lane):
            writer.journal.batch.end(run_id)
        writer.journal.close()
        self.recover()

    def writing(self) -> list[str]:
        """Ids of the runs that this process writes."""
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
        place = run_records.run_folder(experiment_id, run_id)

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            base = run_folder.from_files(lambda path: self.branch.read(path, tip), place)
            if base is None:
                raise NotFound(f"No run {run_id}.", hint="See `gitml runs list`.")
            floor = max(base.record.written.values(), default=0) + 1
            ops = make_ops(base, max(self._clock(), floor))
            return self._files(fold(base, ops), tip)

        self.branch.update(make)

    # In progress, and left behind ----------------------------------------------------------------

    def in_progress(self) -> dict[str, Path]:
        """Folders of runs that have journals, by run id."""
        if not self.folder.is_dir():
            return {}
        return {
            place.name: place
            for place in self.folder.iterdir()
            if not place.name.startswith(leftovers.DONE) and journal.journals(place)
        }

    def in_batches(self) -> int:
        """Count the runs of any process's batches that are not committed yet."""
        return batch.waiting(self._batches)

    def recover(self) -> list[str]:
        """Commit the runs of dead processes.

        A run whose process died before it ended becomes FAILED and gets the tag
        ``gitml.recovered``; one that had ended keeps its status. What this process's batch holds
        of ended runs is committed too.

        Returns:
            Ids of the runs recovered.

        Raises:
            GitmlError: One of them could not be committed; it waits for the next time.
        """
        self.flush()
        recovered = batch.recover(self._batches, self._commit_batch)
        failed: list[Exception] = []
        for run_id, place in self.in_progress().items():
            if run_id in self._writers or journal.is_alive(place):
                continue
            with exclusive(place / "lock"):
                if journal.is_alive(place) or not journal.signature(place):
                    continue
                try:
                    self._commit(place)
                except (GitmlError, OSError) as error:  # the others are not kept from recovery
                    failed.append(error)
                else:
                    recovered.append(run_id)
        leftovers.sweep_runs(self.folder)
        if failed:
            raise failed[0]
        return recovered

    def _commit(self, place: Path) -> None:
        """Fold a run's journals into a commit and clear its local folder away."""
        self._commit_as_it_is(place, self._with_end(journal.read(place)))
        leftovers.clear_away(place)

    def _with_end(self, ops: Sequence[Op]) -> Sequence[Op]:
        """Let a run that did not end itself have failed."""
        if self._ended(ops):
            return ops
        now = max(self._clock(), max((op[-1] for op in ops if op[0] == "resume"), default=0))
        return [*ops, ["status", RunStatus.FAILED, now, now], ["tag", RECOVERED_TAG, "true", now]]

    def _commit_batch(self, runs: Sequence[BatchedRun], *, ended: bool = True) -> None:
        """Commit runs of a batch together."""
        context: dict[Path, bytes] = {}
        kept = {one.run_id: tuple(self._put_artifacts(one.staged)) for one in runs if one.staged}

        def fold_all() -> Iterator[RunFiles]:
            for run in runs:
                files = fold(None, self._with_end(run.ops) if ended else run.ops)
                shared = batch.context_files(run, context)
                yield replace(
                    files,
                    artifacts=kept.get(run.run_id, ()),
                    patch=shared.get("source.patch", b""),
                    requirements=shared.get("requirements.txt", b""),
                )

        bulk.commit(self.branch, fold_all, {run.run_id for run in runs if run.fresh})

    def _commit_as_it_is(self, place: Path, ops: Sequence[Op]) -> None:
        header = next((op[1] for op in ops if op[0] in ("start", "resume")), None)
        if header is None:
            raise StoreError(
                f"{place} has a journal without its first line.",
                hint="Look at it and remove the folder.",
            )
        staged = place / "artifacts"
        artifacts = tuple(self._put_artifacts(staged)) if staged.is_dir() else ()
        with self._queue.ticket(header["run_id"], artifacts) as mine:
            done: list[Ticket] = []

            def make(tip: str | None) -> list[Commit]:
                done.clear()
                if not mine.path.exists():  # the process before us has committed it
                    return []
                commits = self._commit_of(ops, header, mine, place, tip)
                done.append(mine)
                for other in self._queue.waiting(besides=mine):
                    with contextlib.suppress(GitmlError):  # whoever waits will hear of it
                        commits += self._waiting_commit(other, tip)
                        done.append(other)
                return commits

            def then() -> None:
                for ticket in done:
                    ticket.path.unlink(missing_ok=True)

            self.branch.update_many(make, then=then)

    def _waiting_commit(self, ticket: Ticket, tip: str | None) -> list[Commit]:
        """The commit of a run whose process waits for us."""
        place = self.folder / ticket.run_id
        ops = journal.read(place)
        header = next((op[1] for op in ops if op[0] in ("start", "resume")), None)
        if header is None or not self._ended(ops):
            raise StoreError(f"Run {ticket.run_id} has not ended.")
        return self._commit_of(ops, header, ticket, place, tip)

    def _commit_of(
        self,
        ops: Sequence[Op],
        header: Mapping[str, Any],
        ticket: Ticket,
        place: Path,
        tip: str | None,
    ) -> list[Commit]:
        """Fold a run onto what is on the branch; no commit where that changes nothing."""
        where = run_records.run_folder(header["experiment_id"], header["run_id"])
        base = run_folder.from_files(lambda path: self.branch.read(path, tip), where)
        folded = fold(base, ops)
        whole = self._with_files(folded, ticket.artifacts, place, resumed=base is not None)
        files, message = self._files(whole, tip, new=base is None)
        return [Commit(files=files, message=message)] if files else []

    @staticmethod
    def _ended(ops: Sequence[Op]) -> bool:
        last = max((op[3] for op in ops if op[0] == "status"), default=None)
        return last is not None and all(op[2] <= last for op in ops if op[0] == "resume")

    def _with_files(
        self, files: RunFiles, artifacts: Sequence[Artifact], place: Path, *, resumed: bool
    ) -> RunFiles:
        record = files.record
        if artifacts and resumed:
            now = self._clock()
            times = {f"artifacts.{artifact.path}": now for artifact in artifacts}
            record = replace(record, written={**record.written, **times})
        return replace(
            files,
            record=record,
            artifacts=tuple(manifest.overlay(files.artifacts, artifacts)),
            patch=files.patch or _bytes_of(place / "source.patch"),
            requirements=files.requirements or _bytes_of(place / "requirements.txt"),
        )

    def _files(
        self, files: RunFiles, tip: str | None, *, new: bool = False
    ) -> tuple[Mapping[str, bytes | None], str]:
        """The files of a run that differ from the branch, and the message of their commit."""
        if files.artifacts and not files.remote_config:
            config = self.branch.remote_config(tip)
            files = replace(files, remote_config=config)
        made = run_folder.to_files(files)
        written = (
            made if new else run_folder.changed(made, lambda path: self.branch.read(path, tip))
        )
        return written, commit_message(files.record.run)

    # Reading -------------------------------------------------------------------------------------

    def read(self, run_id: str, experiment_id: str) -> RunFiles:
        """Read a run, in progress or on the branch.

        Raises:
            NotFound: There is none.
        """
        writer = self._writers.get(run_id)
        batched = _batched(writer) if writer else None
        if writer and batched:
            files = fold(None, batched.ops)
            listed = _staged(writer.artifacts) if writer.artifacts.is_dir() else []
            return replace(files, artifacts=tuple(listed))
        where = run_records.run_folder(experiment_id, run_id)
        place = self.folder / run_id
        # Journals first: what is committed and cleared away meanwhile is then found on the branch.
        ops = journal.read(place)
        listed = _staged(place / "artifacts") if ops else []
        base = run_folder.from_files(self.branch.read, where)
        if ops and (base is not None or any(op[0] == "start" for op in ops)):
            files = fold(base, ops)
            return replace(files, artifacts=tuple(manifest.overlay(files.artifacts, listed)))
        if base is None:
            raise NotFound(f"No run {run_id}.", hint="See `gitml runs list`.")
        return base


def _batched(writer: Writer) -> BatchedRun | None:
    """A run in progress as its batch holds it; None for a run of its own."""
    lane = writer.journal
    return lane.batch.run(writer.run_id) if isinstance(lane, Lane) else None


def _staged(place: Path) -> list[Artifact]:
    """List files that wait for the end of their run; they have no hash yet."""
    listed = []
    for parent, _, names in os.walk(place):
        for name in names:
            path = Path(parent) / name
            with contextlib.suppress(FileNotFoundError):  # committed and cleared away meanwhile
                size = path.stat().st_size
                listed.append(Artifact(path=path.relative_to(place).as_posix(), size=size))
    return sorted(listed, key=lambda artifact: artifact.path)


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
