"""Search the runs of a repository in a database that follows the branch and runs in progress.

Everything in it is derived: it can be deleted at any time and is built again from git.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gitml.entities import Experiment, LifecycleStage, Run, ViewType
from gitml.git import GitRepo
from gitml.query.filter_nodes import EXPERIMENTS
from gitml.query.filters import (
    MAX_RESULTS,
    RunQuery,
    check_max_results,
    decode_token,
    encode_token,
    experiment_matches,
    parse_filter,
    parse_order_by,
    sort_experiments,
)
from gitml.store.index import projection
from gitml.store.index.database import Connection, Damaged, Database
from gitml.store.index.documents import (
    experiment_from_document,
    run_from_document,
    runs_from_documents,
)
from gitml.store.index.projection import LiveRun
from gitml.store.index.sql import select_runs

__all__ = ["Counts", "Index", "LiveRun", "RunsPage", "UnreadableRecord"]

_T = TypeVar("_T")
_STAGES = {
    ViewType.ACTIVE_ONLY: (LifecycleStage.ACTIVE,),
    ViewType.DELETED_ONLY: (LifecycleStage.DELETED,),
    ViewType.ALL: tuple(LifecycleStage),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """One page of the results of a search.

    Attributes:
        runs: The runs, in order.
        token: For the next page; None on the last one.
    """

    runs: list[Run]
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRecord:
    """A record that cannot be read and is left out.

    Attributes:
        path: Its path on the branch; ``live:<run id>`` for a run in progress.
        reason: One sentence.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The number of records in the index.

    Attributes:
        runs: Runs that are not deleted.
        deleted_runs: Runs that are.
        live_runs: Runs in progress on this machine.
        experiments: Experiments of either stage.
        problems: Records that could not be read.
        runs_by_experiment: Runs that are not deleted, by experiment id.
    """

    runs: int
    deleted_runs: int
    live_runs: int
    experiments: int
    problems: int
    runs_by_experiment: Mapping[str, int] = field(default_factory=dict)


class Index:
    """Searches one repository's runs; safe to use from several threads and processes at once.

    Args:
        path: The database file; created if it is missing or damaged.
        repo: The repository whose branch it follows.
    """

    def __init__(self, path: Path, repo: GitRepo) -> None:
        """Nothing is opened before the first use."""
        self._database = Database(path, path.parent / "locks" / "index")
        self._repo = repo
        self._last: tuple[str | None, Mapping[str, LiveRun]] = (None, {})

    def refresh(self, tip: str | None, live: Mapping[str, LiveRun]) -> None:
        """Update to a commit of the branch and to the runs in progress, if they changed.

        Args:
            tip: Id of the commit; None if there is no branch.
            live: The runs in progress by id. List them before reading ``tip``, so that a run
                that ends in between is in one of the two.

        Raises:
            SchemaTooNew: A newer gitml wrote the database.
            StoreError: The commit is not in the repository, or the disk is full.
        """
        self._last = (tip, dict(live))
        try:
            self._follow()
        except Damaged:
            self._follow()

    def _follow(self) -> None:
        tip, live = self._last
        if not self._database.read(lambda db: projection.is_current(db, tip, live)):
            self._database.write(lambda db: projection.project(db, self._repo, tip, live))

    def again(self, path: Path) -> Index:
        """Build a second index of the same commit and runs in progress."""
        other = Index(path, self._repo)
        other.refresh(*self._last)
        return other

    def contents(self) -> list[str]:
        """Return everything about runs, experiments and problems as sorted texts, to compare."""
        rows = self._rows(
            "SELECT 'run ' || document FROM documents UNION ALL"
            " SELECT 'experiment ' || document FROM experiments UNION ALL"
            " SELECT 'model ' || path FROM model_files UNION ALL"
            " SELECT 'problem ' || path || ' ' || reason FROM problems"
        )
        return sorted(row[0] for row in rows)

    def discard(self) -> None:
        """Delete the file; everything is built again at the next use."""
        self.close()
        for end in ("", "-wal", "-shm"):
            Path(f"{self._database.path}{end}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the database; it is opened again when needed."""
        self._database.close()

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        try:
            return self._database.read(work)
        except Damaged:
            self._follow()
            return self._database.read(work)

    # Runs ---------------------------------------------------------------------------------------

    def search_runs(self, query: RunQuery) -> RunsPage:
        """Search runs.

        Raises:
            InvalidInput: The filter, a sort key or the token is not valid.
        """
        offset = decode_token(query.page_token)
        sql = select_runs(query, offset)

        def work(db: Connection) -> tuple[int, list[str]]:
            ids = [row[0] for row in db.execute(sql.text, sql.values)]
            return len(ids), _documents(db, ids[: query.max_results])

        count, documents = self._read(work)
        more = count > query.max_results
        return RunsPage(
            runs=runs_from_documents(documents),
            token=encode_token(offset + query.max_results) if more else None,
        )

    def every_run(
        self, filter_string: str = "", run_view_type: ViewType = ViewType.ACTIVE_ONLY
    ) -> Iterator[Run]:
        """Yield all runs that match a filter, newest first.

        Raises:
            InvalidInput: The filter is not valid.
        """
        token = None
        while True:
            page = self.search_runs(
                RunQuery(
                    filter_string=filter_string,
                    run_view_type=run_view_type,
                    max_results=MAX_RESULTS,
                    page_token=token,
                )
            )
            yield from page.runs
            token = page.token
            if token is None:
                return

    def get_run(self, run_id: str) -> Run | None:
        """Return a run by its whole id; None if there is none."""
        row = self._row(
            "SELECT document FROM documents WHERE run ="
            " (SELECT id FROM runs WHERE run_id = ? ORDER BY experiment_id LIMIT 1)",
            run_id,
        )
        return run_from_document(row[0]) if row else None

    def find_runs(self, prefix: str) -> list[str]:
        """List the ids that begin with some hexadecimal digits, sorted."""
        prefix = prefix.lower()
        rows = self._rows(
            "SELECT DISTINCT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id",
            prefix,
            prefix + "g",
        )
        return [row[0] for row in rows]

    def run_experiment(self, run_id: str) -> str | None:
        """Get the id of a run's experiment."""
        row = self._row(
            "SELECT experiment_id FROM runs WHERE run_id = ? ORDER BY experiment_id", run_id
        )
        return str(row[0]) if row else None

    # Experiments and models ---------------------------------------------------------------------

    def search_experiments(
        self,
        view_type: ViewType = ViewType.ACTIVE_ONLY,
        filter_string: str | None = None,
        order_by: Sequence[str] = (),
        max_results: int | None = None,
    ) -> list[Experiment]:
        """Search experiments.

        Args:
            view_type: Which lifecycle stages.
            filter_string: Conditions on name, experiment_id, creation_time, last_update_time and
                tags, in the language of ``search_runs``.
            order_by: Sort keys; ties are ordered newest first.
            max_results: Most to return, 1 to 50,000; None for all.

        Raises:
            InvalidInput: The filter or a sort key is not valid, or max_results is out of range.
        """
        if max_results is not None:
            check_max_results(max_results)
        node = parse_filter(filter_string, EXPERIMENTS)
        keys = parse_order_by(order_by, EXPERIMENTS)
        rows = self._rows("SELECT document FROM experiments")
        experiments = (experiment_from_document(row[0]) for row in rows)
        stages = _STAGES[ViewType(view_type)]
        ordered = sort_experiments(
            (e for e in experiments if e.lifecycle_stage in stages and experiment_matches(node, e)),
            keys,
        )
        return ordered[:max_results]

    def experiment(self, experiment_id: str) -> Experiment | None:
        """Return an experiment by its id; None if there is none."""
        row = self._row("SELECT document FROM experiments WHERE experiment_id = ?", experiment_id)
        return experiment_from_document(row[0]) if row else None

    def experiment_by_name(self, name: str) -> Experiment | None:
        """Return an experiment by its current name; of several an active one, then the oldest."""
        named = [e for e in self.search_experiments(ViewType.ALL) if e.name == name]
        return min(
            named,
            key=lambda e: (e.lifecycle_stage, e.creation_time, e.experiment_id),
            default=None,
        )

    def model_files(self) -> dict[str, bytes]:
        """Return every readable ``model.json`` and ``versions/<n>.json``, by path."""
        return dict(self._rows("SELECT path, data FROM model_files ORDER BY path"))

    # State --------------------------------------------------------------------------------------

    def problems(self) -> list[UnreadableRecord]:
        """List the records that could not be read, by path."""
        rows = self._rows("SELECT path, reason FROM problems ORDER BY path")
        return [UnreadableRecord(path=path, reason=reason) for path, reason in rows]

    def counts(self) -> Counts:
        """Count the records."""
        stages = self._rows(
            "SELECT experiment_id, lifecycle_stage, count(*) FROM runs GROUP BY 1, 2 ORDER BY 1"
        )
        active = {
            experiment: n for experiment, stage, n in stages if stage == LifecycleStage.ACTIVE
        }
        (others,) = self._rows(
            "SELECT (SELECT count(*) FROM live), (SELECT count(*) FROM experiments),"
            " (SELECT count(*) FROM problems)"
        )
        return Counts(
            runs=sum(active.values()),
            deleted_runs=sum(n for _, _, n in stages) - sum(active.values()),
            live_runs=others[0],
            experiments=others[1],
            problems=others[2],
            runs_by_experiment=active,
        )

    def _rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        return self._read(lambda db: db.execute(sql, values).fetchall())

    def _row(self, sql: str, *values: str) -> tuple[Any, ...] | None:
        rows = self._rows(sql, *values)
        return rows[0] if rows else None


def _documents(db: Connection, ids: Sequence[int]) -> list[str]:
    rows = db.execute(
        "SELECT run, document FROM documents WHERE run IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    )
    by_id = dict(rows.fetchall())
    return [by_id[number] for number in ids]
