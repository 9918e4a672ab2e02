"""The tables of the index, and their version."""

from __future__ import annotations

SCHEMA = 4
"""Incremented with every change of a table or a document; an older index is rebuilt."""

TABLES = (
    # The commit that the rows below `committed`, `experiments` and `model_files` show.
    "CREATE TABLE shown (one INTEGER PRIMARY KEY CHECK (one = 1), tip TEXT)",
    # Every run.json of that commit, readable or not.
    """CREATE TABLE committed (
        run_id TEXT, experiment_id TEXT, oid TEXT, PRIMARY KEY (run_id, experiment_id)
    ) WITHOUT ROWID""",
    # Every run in progress on this machine, as it was last read.
    "CREATE TABLE live (run_id TEXT PRIMARY KEY, fingerprint TEXT) WITHOUT ROWID",
    # What readers see of both: one row per run, one entry per metric, param and tag.
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY, run_id TEXT, experiment_id TEXT, run_name TEXT, user_id TEXT,
        status TEXT, start_time INTEGER, end_time INTEGER, lifecycle_stage TEXT,
        source TEXT, code_commit TEXT, dirty TEXT
    )""",
    "CREATE UNIQUE INDEX runs_by_id ON runs (run_id, experiment_id)",
    """CREATE TABLE keys (
        id INTEGER PRIMARY KEY, entity TEXT, name TEXT, UNIQUE (entity, name)
    )""",
    # No type on `value`: metrics stay REAL, params and tags TEXT; NaN is NULL.
    """CREATE TABLE entries (
        key INTEGER, run INTEGER, value, PRIMARY KEY (key, run)
    ) WITHOUT ROWID""",
    "CREATE TABLE datasets (run INTEGER, name TEXT, digest TEXT, context TEXT)",
    "CREATE INDEX datasets_by_run ON datasets (run)",
    "CREATE TABLE documents (run INTEGER PRIMARY KEY, document TEXT)",
    "CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID",
    "CREATE TABLE model_files (path TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID",
    # What could not be read: the run id or the path it is about, where it is, and why.
    "CREATE TABLE problems (subject TEXT, path TEXT PRIMARY KEY, reason TEXT) WITHOUT ROWID",
    "CREATE INDEX problems_by_subject ON problems (subject)",
)

PROJECTED = (
    "shown", "committed", "live", "runs", "keys", "entries", "datasets", "documents",
    "experiments", "model_files", "problems",
)  # fmt: skip
