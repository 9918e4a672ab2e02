"""Commit the runs of this clone: fold their journals onto what is on the branch.

A run of its own is one commit, made by the process that holds the branch's lock, for itself and for
all that wait in the queue. The runs of a batch share commits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gitml.entities import Artifact, RunStatus
from gitml.errors import GitmlError, NotFound, StoreError
from gitml.formats import joins, limits, manifest, run_folder, run_records
from gitml.formats.commit_messages import commit_message
from gitml.formats.run_records import RunFiles
from gitml.store import bulk
from gitml.store.branch import Branch, RecordCommit
from gitml.store.in_progress import batch, journal, leftovers
from gitml.store.in_progress.batch import BatchedRun
from gitml.store.in_progress.fold import Op, fold, in_order, newest_time
from gitml.store.in_progress.queue import Queue, Ticket
from gitml.store.object_lock import storing

RECOVERED_TAG = "gitml.recovered"
StoreFiles = Callable[[Path], Sequence[Artifact]]
"""Stores the files of a folder where DVC finds them and lists them."""


class RunCommitter:
    """Commits runs in progress, of this process and of dead ones.

    Args:
        branch: Where records are committed.
        folder: The folder of the runs in progress.
        queue: Where runs that end at the same moment wait.
        store_files: Called with a folder of staged files when a run is committed.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        branch: Branch,
        folder: Path,
        queue: Queue,
        store_files: StoreFiles,
        clock: Callable[[], int],
    ) -> None:
        self._branch = branch
        self._folder = folder
        self._queue = queue
        self._store_files = store_files
        self._clock = clock

    def commit_ended(self, folder: Path) -> None:
        """Commit a run of which no process writes a journal any more, and remove its folder.

        One that did not end itself gets the status FAILED and the tag ``gitml.recovered``.
        """
        self.commit_active(folder, self._with_end(journal.read(folder)))
        leftovers.remove_run(folder)

    def commit_active(self, folder: Path, ops: Sequence[Op]) -> None:
        """Commit a run with what was logged so far.

        Args:
            folder: The run's local folder.
            ops: Operations of all its journals.

        Raises:
            StoreError: A journal lacks its first line, or git refused.
        """
        header = _header(ops)
        if header is None:
            raise StoreError(
                f"A journal in {folder} has no first line.",
                hint="Look at it and remove the folder.",
            )
        staged = folder / "artifacts"
        with storing(self._branch.locks):
            artifacts = tuple(self._store_files(staged)) if staged.is_dir() else ()
            self._commit(folder, ops, header, artifacts)

    def _commit(
        self,
        folder: Path,
        ops: Sequence[Op],
        header: Mapping[str, Any],
        artifacts: tuple[Artifact, ...],
    ) -> None:
        """Commit a run whose files are stored, together with all that wait in the queue."""
        with self._queue.ticket(header["run_id"], artifacts) as own:
            committed: list[Ticket] = []

            def make(tip: str | None) -> list[RecordCommit]:
                committed.clear()
                if not own.path.exists():  # the process before us has committed it
                    return []
                commits = self._commit_of(ops, header, own, folder, tip)
                committed.append(own)
                for other in self._queue.waiting(besides=own):
                    with contextlib.suppress(GitmlError):  # its own process will meet the error
                        commits += self._waiting_commit(other, tip)
                        committed.append(other)
                return commits

            def then() -> None:
                for ticket in committed:
                    ticket.path.unlink(missing_ok=True)

            self._branch.append_commits(make, then=then)

    def commit_batch(self, runs: Sequence[BatchedRun], *, ended: bool = True) -> None:
        """Commit runs of a batch together.

        Args:
            runs: The runs.
            ended: False if they are still active.
        """
        with storing(self._branch.locks):
            stored = {r.run_id: tuple(self._store_files(r.staged)) for r in runs if r.staged}
            self._commit_batch(runs, stored, ended=ended)

    def _commit_batch(
        self,
        runs: Sequence[BatchedRun],
        stored: Mapping[str, tuple[Artifact, ...]],
        *,
        ended: bool,
    ) -> None:
        context: dict[Path, bytes] = {}

        def fold_all() -> Iterator[RunFiles]:
            for run in runs:
                files = fold(None, self._with_end(run.ops) if ended else run.ops)
                shared = batch.context_files(run, context)
                yield replace(
                    files,
                    artifacts=stored.get(run.run_id, ()),
                    patch=shared.get("source.patch", b""),
                    requirements=shared.get("requirements.txt", b""),
                )

        bulk.commit(self._branch, fold_all, {run.run_id for run in runs if run.uncommitted})

    def edit(
        self, run_id: str, experiment_id: str, make_ops: Callable[[RunFiles, int], Sequence[Op]]
    ) -> None:
        """Change a run that has ended; see ``RunStore.edit``."""
        folder = run_records.run_folder(experiment_id, run_id)

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            base = run_folder.from_files(lambda path: self._branch.read(path, tip), folder)
            if base is None:
                raise NotFound(f"No run {run_id}.", hint="See `gitml runs list`.")
            ops = make_ops(base, joins.write_time(base.record.written, self._clock()))
            files, message = self._changes(fold(base, ops), tip)
            _check_room(run_id, folder, files, lambda path: self._branch.read(path, tip) or b"")
            return files, message

        self._branch.update(make)

    def _with_end(self, ops: Sequence[Op]) -> Sequence[Op]:
        """Append an end as FAILED to a run that did not end itself."""
        if has_ended(ops):
            return ops
        now = max(self._clock(), newest_time(ops) + 1)
        return [*ops, *failed(now, now)]

    def _waiting_commit(self, ticket: Ticket, tip: str | None) -> list[RecordCommit]:
        """Return the commit of a run whose process waits for us."""
        folder = self._folder / ticket.run_id
        ops = journal.read(folder)
        header = _header(ops)
        if header is None or not has_ended(ops):
            raise StoreError(f"Run {ticket.run_id} has not ended.")
        return self._commit_of(ops, header, ticket, folder, tip)

    def _commit_of(
        self,
        ops: Sequence[Op],
        header: Mapping[str, Any],
        ticket: Ticket,
        folder: Path,
        tip: str | None,
    ) -> list[RecordCommit]:
        """Fold a run onto what is on the branch; no commit if that changes nothing."""
        target = run_records.run_folder(header["experiment_id"], header["run_id"])
        base = run_folder.from_files(lambda path: self._branch.read(path, tip), target)
        folded = fold(base, ops)
        whole = self._with_files(folded, ticket.artifacts, folder, resumed=base is not None)
        files, message = self._changes(whole, tip, new=base is None)
        return [RecordCommit(files=files, message=message)] if files else []

    def _with_files(
        self, files: RunFiles, artifacts: Sequence[Artifact], folder: Path, *, resumed: bool
    ) -> RunFiles:
        record = files.record
        if artifacts and resumed:
            now = joins.write_time(record.written, self._clock())
            times = {f"artifacts.{artifact.path}": now for artifact in artifacts}
            record = replace(record, written={**record.written, **times})
        return replace(
            files,
            record=record,
            artifacts=tuple(manifest.overlay(files.artifacts, artifacts)),
            patch=files.patch or _bytes_of(folder / "source.patch"),
            requirements=files.requirements or _bytes_of(folder / "requirements.txt"),
        )

    def _changes(
        self, files: RunFiles, tip: str | None, *, new: bool = False
    ) -> tuple[Mapping[str, bytes | None], str]:
        """Return the files of a run that differ from the branch, and the commit message."""
        if files.artifacts and not files.remote_config:
            files = replace(files, remote_config=self._branch.remote_config(tip))
        contents = run_folder.to_files(files)
        if not new:
            contents = run_folder.changed(contents, lambda path: self._branch.read(path, tip))
        return contents, commit_message(files.record.run)


def _check_room(
    run_id: str, folder: str, files: Mapping[str, bytes | None], before: Callable[[str], bytes]
) -> None:
    """Refuse an edit after which a run is too large.

    Raises:
        TooLarge: It would be.
    """
    for name, limit, check in (
        (run_folder.RECORD, limits.RECORD, limits.check_record),
        (run_folder.HISTORY, limits.HISTORY, limits.check_history),
    ):
        data = files.get(f"{folder}/{name}")
        if data and len(data) > limit:
            check(f"Run {run_id}", len(data), before=len(before(f"{folder}/{name}")))


def failed(end_time: int, now: int) -> list[Op]:
    """Return the operations that end a run that did not end itself; times in ms since the epoch."""
    return [["status", RunStatus.FAILED, end_time, now], ["tag", RECOVERED_TAG, "true", now]]


def _header(ops: Sequence[Op]) -> Mapping[str, Any] | None:
    return next((op[1] for op in ops if op[0] in ("start", "resume")), None)


def has_ended(ops: Sequence[Op]) -> bool:
    """Return True if a run was ended, and not resumed since, by what its journals hold."""
    last = max((op[3] for op in in_order(ops) if op[0] == "status"), default=None)
    return last is not None and all(op[2] <= last for op in ops if op[0] == "resume")


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
