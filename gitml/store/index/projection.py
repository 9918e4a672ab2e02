"""Update the tables of the index to the branch and the runs in progress, by their differences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from gitml.entities import Run
from gitml.errors import GitmlError, StoreError
from gitml.formats import limits, model_records, run_records
from gitml.formats.run_records import RunFiles
from gitml.git import ZERO, Change, GitRepo
from gitml.query.filter_nodes import Entity
from gitml.query.filters import plain
from gitml.store.index.database import Connection
from gitml.store.index.documents import experiment_to_document, run_to_document
from gitml.store.index.tables import PROJECTED
from gitml.threads import ahead

_V = TypeVar("_V")
_ROWS = 100  # of one statement: more than twice as fast as one by one
_BATCH = 2_000  # records read, parsed and inserted together


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """A run in progress on this machine.

    Attributes:
        fingerprint: Changes whenever the run does.
        load: Reads it; may raise GitmlError or OSError.
    """

    fingerprint: str
    load: Callable[[], RunFiles]


def is_current(db: Connection, tip: str | None, live: Mapping[str, LiveRun]) -> bool:
    """Return True if the tables show this commit and these runs in progress already."""
    return _tip_of(db) == tip and _fingerprints(db) == {
        run_id: run.fingerprint for run_id, run in live.items()
    }


def project(db: Connection, repo: GitRepo, tip: str | None, live: Mapping[str, LiveRun]) -> None:
    """Update the tables to a commit and to the runs in progress, inside one transaction.

    Raises:
        StoreError: The commit is not in the repository.
    """
    _Projection(db, repo, live).advance(tip)


def _tip_of(db: Connection) -> str | None:
    row = db.execute("SELECT tip FROM shown").fetchone()
    return row[0] if row else None


def _fingerprints(db: Connection) -> dict[str, str]:
    return dict(db.execute("SELECT run_id, fingerprint FROM live").fetchall())


class _Projection:
    """One update of the tables."""

    def __init__(self, db: Connection, repo: GitRepo, live: Mapping[str, LiveRun]) -> None:
        self._db, self._repo, self._live = db, repo, live

    def advance(self, tip: str | None) -> None:
        changes = self._changes(tip)
        runs = [(change, parsed) for change in changes if (parsed := _run_of(change.path))]
        self._follow_experiments([change for change in changes if _is_experiment(change.path)])
        self._follow_models([change for change in changes if _is_model(change.path)])
        self._db.executemany(
            "DELETE FROM committed WHERE run_id = ? AND experiment_id = ?",
            [(run_id, experiment) for _, (experiment, run_id) in runs],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO committed VALUES (?, ?, ?)",
            [
                (run_id, experiment, change.new if change.regular else ZERO)
                for change, (experiment, run_id) in runs
                if change.new
            ],
        )
        touched = {run_id for _, (_, run_id) in runs}
        self._show_runs(touched | self._follow_live())
        self._db.execute("INSERT OR REPLACE INTO shown VALUES (1, ?)", (tip,))

    def _changes(self, tip: str | None) -> list[Change]:
        """Return the changes since the commit of the tables, or all files if it is missing."""
        old = _tip_of(self._db)
        if old == tip:
            return []
        if old is not None and tip is not None:
            try:
                return self._repo.diff(old, tip)
            except StoreError:
                pass  # a rewritten branch after `git gc`: start from nothing
        for table in PROJECTED:
            self._db.execute(f"DELETE FROM {table}")
        if tip is None:
            return []
        if not self._repo.contains(tip):
            raise StoreError(f"Commit {tip} of the runs is missing.", hint="Run `git fsck`.")
        return self._repo.diff(None, tip)

    def _follow_live(self) -> set[str]:
        """Record the runs in progress; return those that started, changed or ended."""
        before = _fingerprints(self._db)
        now = {run_id: run.fingerprint for run_id, run in self._live.items()}
        changed = {run_id for run_id, _ in before.items() ^ now.items()}
        self._db.executemany("DELETE FROM live WHERE run_id = ?", [(run_id,) for run_id in changed])
        self._db.executemany(
            "INSERT INTO live VALUES (?, ?)",
            [(run_id, now[run_id]) for run_id in changed & now.keys()],
        )
        return changed

    # Experiments and models ---------------------------------------------------------------------

    def _follow_experiments(self, changes: Sequence[Change]) -> None:
        self._forget("experiments", "experiment_id", changes, _experiment_of)
        for path, data in self._contents(changes):
            try:
                experiment = run_records.experiment_from_json(data, path).experiment
                if experiment.experiment_id != _experiment_of(path):
                    raise StoreError(f"{path} holds experiment {experiment.experiment_id}.")
            except StoreError as error:
                self._record_problem(path, path, error)
                continue
            self._db.execute(
                "INSERT INTO experiments VALUES (?, ?)",
                (experiment.experiment_id, experiment_to_document(experiment)),
            )

    def _follow_models(self, changes: Sequence[Change]) -> None:
        self._forget("model_files", "path", changes, lambda path: path)
        for path, data in self._contents(changes):
            try:
                _check_model(path, data)
            except StoreError as error:
                self._record_problem(path, path, error)
                continue
            self._db.execute("INSERT INTO model_files VALUES (?, ?)", (path, data))

    def _forget(
        self, table: str, column: str, changes: Sequence[Change], key: Callable[[str], str]
    ) -> None:
        paths = [change.path for change in changes]
        self._db.executemany(
            f"DELETE FROM {table} WHERE {column} = ?", [(key(path),) for path in paths]
        )
        self._db.executemany("DELETE FROM problems WHERE subject = ?", [(path,) for path in paths])

    def _contents(self, changes: Sequence[Change]) -> Iterator[tuple[str, bytes]]:
        """Read the new files; what git cannot read is recorded as a problem."""
        present = [(c.path, c.new) for c in changes if c.new and c.regular]
        for change in changes:
            if change.new and not change.regular:
                self._record_problem(change.path, change.path, _no_file(change.path))
        for (path, _), data in zip(present, self._blobs([oid for _, oid in present]), strict=True):
            if isinstance(data, StoreError):
                self._record_problem(path, path, data)
            else:
                yield path, data

    def _record_problem(self, subject: str, path: str, error: Exception) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO problems VALUES (?, ?, ?)",
            (subject, plain(path), plain(str(error))[:500]),
        )

    def _blobs(self, oids: Sequence[str]) -> Iterator[bytes | StoreError]:
        """Read blobs in order; git reads the next batch while the last one is used."""
        batches = [oids[start : start + _BATCH] for start in range(0, len(oids), _BATCH)]
        if len(batches) < 2:
            yield from self._batch(oids)
            return
        for blobs in ahead(self._batch, batches):
            yield from blobs

    def _batch(self, oids: Sequence[str]) -> list[bytes | StoreError]:
        return list(self._repo.read_checked(oids, limits.READ_RECORD))

    # Runs ---------------------------------------------------------------------------------------

    def _show_runs(self, run_ids: set[str]) -> None:
        """Write the rows of runs again; a run in progress hides its committed record."""
        if not run_ids:
            return
        self._clear(run_ids)
        writer = _RunWriter(self._db)
        loaded = set()
        for run_id in sorted(run_ids & self._live.keys()):
            run = self._load(run_id)
            if run is not None:
                loaded.add(run_id)
                writer.add(run)
        for run in self._committed(run_ids - loaded):
            writer.add(run)
        writer.flush()

    def _load(self, run_id: str) -> Run | None:
        try:
            run = self._live[run_id].load().record.run
            if run.info.run_id != run_id:
                raise StoreError(f"The journal of run {run_id} holds run {run.info.run_id}.")
        except (GitmlError, OSError) as error:
            self._record_problem(run_id, f"live:{run_id}", error)
            return None
        return run

    def _committed(self, run_ids: set[str]) -> Iterator[Run]:
        rows = self._db.execute(
            "SELECT run_id, experiment_id, oid FROM committed WHERE run_id IN"
            " (SELECT value FROM json_each(?)) ORDER BY run_id, experiment_id",
            (json.dumps(sorted(run_ids)),),
        ).fetchall()
        blobs = self._blobs([oid for _, _, oid in rows])
        for (run_id, experiment, _), data in zip(rows, blobs, strict=True):
            path = f"{run_records.run_folder(experiment, run_id)}/run.json"
            try:
                yield _checked(data, path, run_id, experiment)
            except StoreError as error:
                self._record_problem(run_id, path, error)

    def _clear(self, run_ids: set[str]) -> None:
        given = "(SELECT value FROM json_each(?))"
        ids = (json.dumps(sorted(run_ids)),)
        self._db.execute(f"DELETE FROM problems WHERE subject IN {given}", ids)
        rows = self._db.execute(f"SELECT id FROM runs WHERE run_id IN {given}", ids).fetchall()
        # Entries are stored by key, so those of a run are found through the keys.
        self._db.executemany(
            "DELETE FROM entries WHERE run = ? AND key IN (SELECT id FROM keys)", rows
        )
        self._db.executemany("DELETE FROM datasets WHERE run = ?", rows)
        self._db.executemany("DELETE FROM documents WHERE run = ?", rows)
        self._db.executemany("DELETE FROM runs WHERE id = ?", rows)


class _RunWriter:
    """Turns runs into rows and inserts them in batches."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._next = db.execute("SELECT coalesce(max(id), 0) + 1 FROM runs").fetchone()[0]
        self._keys: dict[Entity, dict[str, int]] = {entity: {} for entity in Entity}
        for number, entity, name in db.execute("SELECT id, entity, name FROM keys"):
            self._keys[Entity(entity)][name] = number
        self._start()

    def _start(self) -> None:
        self._runs: list[tuple[object, ...]] = []
        self._documents: list[tuple[int, str]] = []
        self._entries: list[tuple[int, int, float | str]] = []
        self._datasets: list[tuple[int, str, str, str | None]] = []

    def add(self, run: Run) -> None:
        number, info, source = self._next, run.info, run.source
        self._next += 1
        self._runs.append((
            number, info.run_id, info.experiment_id, plain(info.run_name), plain(info.user_id),
            info.status, info.start_time, info.end_time, info.lifecycle_stage,
            plain(source.name) or None, source.commit and plain(source.commit),
            "yes" if source.dirty else "no",
        ))  # fmt: skip
        self._documents.append((number, run_to_document(run)))
        entries = self._entries
        for key, value in self._numbered(Entity.METRIC, run.data.metrics):
            entries.append((key, number, value))  # SQLite takes NaN as NULL
        for key, text in self._numbered(Entity.PARAM, run.data.params):
            entries.append((key, number, plain(text)))
        for key, text in self._numbered(Entity.TAG, run.data.tags):
            entries.append((key, number, plain(text)))
        for data in run.inputs.dataset_inputs:
            context = plain(data.context) if data.context else None
            self._datasets.append((number, plain(data.name), plain(data.digest), context))
        if len(self._runs) >= _BATCH:
            self.flush()

    def _numbered(self, entity: Entity, values: Mapping[str, _V]) -> Iterator[tuple[int, _V]]:
        """Yield the numbers of keys with their values; new keys get new numbers."""
        numbers = self._keys[entity]
        for name, value in values.items():
            yield numbers.get(name) or self._number(numbers, entity, plain(name)), value

    def _number(self, numbers: dict[str, int], entity: Entity, name: str) -> int:
        number = numbers.get(name)
        if number is None:
            number = numbers[name] = sum(map(len, self._keys.values())) + 1
            self._db.execute("INSERT INTO keys VALUES (?, ?, ?)", (number, entity.value, name))
        return number

    def flush(self) -> None:
        insert = self._db.executemany
        insert(f"INSERT INTO runs VALUES ({', '.join('?' * 12)})", self._runs)
        insert("INSERT INTO documents VALUES (?, ?)", self._documents)
        entries = sorted(self._entries)  # the order of the table
        whole = len(entries) // _ROWS * _ROWS
        # Keys that differ only in characters that SQLite cannot hold are equal.
        into = "INSERT OR IGNORE INTO entries VALUES"
        insert(
            f"{into} {', '.join(['(?, ?, ?)'] * _ROWS)}",
            (list(chain.from_iterable(entries[n : n + _ROWS])) for n in range(0, whole, _ROWS)),
        )
        insert(f"{into} (?, ?, ?)", entries[whole:])
        insert("INSERT INTO datasets VALUES (?, ?, ?, ?)", self._datasets)
        self._start()


def _checked(data: bytes | StoreError, path: str, run_id: str, experiment: str) -> Run:
    if isinstance(data, StoreError):
        raise data
    run = run_records.run_from_json(data, path).run
    if (run.info.run_id, run.info.experiment_id) != (run_id, experiment):
        raise StoreError(
            f"{path} holds run {run.info.run_id} of experiment {run.info.experiment_id}."
        )
    return run


def _check_model(path: str, data: bytes) -> None:
    """Read a model's or a version's file.

    Raises:
        StoreError: It cannot be read, or its path is not one that gitml writes.
    """
    parsed = model_records.parse_model_path(path)
    if parsed is None:
        raise StoreError(f"{path} is not a path of gitml.")
    if parsed[1] is None:
        model_records.model_from_json(data, path)
    elif model_records.version_from_json(data, path).version != parsed[1]:
        raise StoreError(f"{path} holds another version.")


def _no_file(path: str) -> StoreError:
    return StoreError(f"{path} is a symbolic link or a submodule, not a file.")


# Paths ------------------------------------------------------------------------------------------


def _run_of(path: str) -> tuple[str, str] | None:
    """Return experiment and run id of a ``run.json``; None for any other path."""
    parsed = run_records.parse_run_path(path) if path.endswith("/run.json") else None
    return parsed[:2] if parsed and parsed[2] == "run.json" else None


def _is_experiment(path: str) -> bool:
    return path.startswith("experiments/") and path.endswith(".json") and path.count("/") == 1


def _experiment_of(path: str) -> str:
    return path.removeprefix("experiments/").removesuffix(".json")


def _is_model(path: str) -> bool:
    """Return True if a path is ``models/<name>/model.json`` or ``…/versions/<number>.json``."""
    parts = path.split("/")
    if parts[0] != "models" or len(parts) < 3:
        return False
    number = parts[-1].removesuffix(".json")
    versioned = len(parts) > 3 and parts[-2] == "versions" and number != parts[-1]
    return parts[-1] == "model.json" or (versioned and number.isdecimal())
