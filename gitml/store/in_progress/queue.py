"""Let runs that end at the same moment in several processes share one git process.

A process whose run has ended leaves a ticket and waits for the branch's lock. Whoever gets the lock
commits the runs of all tickets, one commit each, with one ``git fast-import``, and removes the
tickets; the others see theirs removed and are done. A ticket is locked by the process that waits:
one that nobody locks belongs to a dead process, whose run is recovered like any other.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitml import files
from gitml.entities import Artifact
from gitml.formats import manifest, run_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A run that waits to be committed.

    Attributes:
        path: The ticket's file.
        run_id: The run.
        artifacts: Its files, which are in the cache already.
    """

    path: Path
    run_id: str
    artifacts: tuple[Artifact, ...]


class Queue:
    """The runs of one clone that wait to be committed.

    Args:
        folder: The folder of the tickets.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def ticket(self, run_id: str, artifacts: Sequence[Artifact]) -> Iterator[Ticket]:
        """Queue a run while the context lasts; the caller holds the run's lock.

        The ticket's file is removed once the run is committed.
        """
        path = self._folder / f"{run_id}-{uuid.uuid4().hex[:8]}.json"
        descriptor = files.create_locked(path, manifest.to_json(artifacts))
        try:
            yield Ticket(path=path, run_id=run_id, artifacts=tuple(artifacts))
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def waiting(self, besides: Ticket) -> list[Ticket]:
        """List the tickets of other live processes; those of dead ones are removed.

        To be called only by the holder of the branch's lock.
        """
        tickets = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            run_id = path.name[:32]
            if path == besides.path or not run_records.is_run_id(run_id):
                continue
            if not files.is_locked(path):
                path.unlink(missing_ok=True)
                continue
            with contextlib.suppress(FileNotFoundError):
                artifacts = tuple(manifest.parse(path.read_bytes()))
                tickets.append(Ticket(path=path, run_id=run_id, artifacts=artifacts))
        return tickets
