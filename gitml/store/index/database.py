"""Open, check, share and replace the SQLite file of the index."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gitml.errors import SchemaTooNew, StoreError
from gitml.files import exclusive
from gitml.query.filters import as_number, like
from gitml.store.index.sql import LIKE_FUNCTION, NUMBER_FUNCTION
from gitml.store.index.tables import SCHEMA, TABLES

Connection = sqlite3.Connection
_T = TypeVar("_T")
_WAIT = 60.0  # s for another process that rebuilds a large index
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_NOT_ACCESSIBLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


class Damaged(Exception):
    """The file could not be read and was replaced by an empty one."""


class Database:
    """One SQLite file for any number of threads and processes.

    Readers do not wait for a writer. If the file's folder cannot be written, the tables are in
    memory and are lost with this object.

    Args:
        path: The file; created if it is missing.
        lock: A file to lock while the database file itself is created or replaced.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        """Nothing is opened before the first use."""
        self.path = path
        self._lock_path = lock
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._open: Connection | None = None
        self._in_memory = False
        self._inherited: list[Connection | None] = []

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """Read from one unchanging state of the tables.

        Raises:
            Damaged: The file had to be replaced.
            SchemaTooNew: A newer gitml wrote it.
            StoreError: Another error of SQLite.
        """
        return self._transact("BEGIN", work)

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """Make changes, all or none, after any other writer; raises as ``read`` does."""
        return self._transact("BEGIN IMMEDIATE", work)

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        with self._process_lock():
            if self._open is not None:
                self._open.close()
                self._open = None

    def _process_lock(self) -> threading.RLock:
        """Return this process's lock; a forked child must not use its parent's connection."""
        if self._pid != os.getpid():
            self._inherited.append(self._open)  # not even closed: SQLite's locks are per process
            self._pid, self._lock, self._open = os.getpid(), threading.RLock(), None
        return self._lock

    def _transact(self, begin: str, work: Callable[[Connection], _T]) -> _T:
        with self._process_lock():
            try:
                if self._open is None:
                    self._open = self._opened()
                return _transaction(self._open, begin, work)
            except sqlite3.DatabaseError as error:
                if _code(error) in _DAMAGED:
                    self._replace()
                    raise Damaged from error
                if _code(error) in _FULL and not self._in_memory:
                    self._move_to_memory()
                    raise Damaged from error
                if isinstance(error, sqlite3.OperationalError):
                    raise StoreError(
                        f"Cannot use the index {self.path}: {error}.",
                        hint="Check the free space of the disk, or delete that file.",
                    ) from error
                raise

    # The file -----------------------------------------------------------------------------------

    def _opened(self) -> Connection:
        try:
            return self._ready()
        except OSError:
            pass
        except sqlite3.OperationalError as error:
            if _code(error) not in _NOT_ACCESSIBLE:
                raise
        return self._memory()

    def _memory(self) -> Connection:
        self._in_memory = True
        db = self._connected(":memory:")
        _create(db)
        return db

    def _move_to_memory(self) -> None:
        """Continue in memory: the disk is full, but the branch can still be searched."""
        if self._open is not None:
            with contextlib.suppress(sqlite3.Error):
                self._open.close()
        self._open = self._memory()

    def _ready(self) -> Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not all(os.access(p, os.W_OK) for p in (self.path.parent, self.path) if p.exists()):
            raise PermissionError(f"{self.path} cannot be written")
        db = self._connected(str(self.path))
        if self._has_current_schema(db):
            return db
        db.close()
        with exclusive(self._lock_path):
            db = self._connected(str(self.path))
            if self._has_current_schema(db):
                return db
            db.close()
            self._unlink()
            db = self._connected(str(self.path))
            db.execute("PRAGMA journal_mode = WAL")
            _create(db)
            return db

    def _connected(self, name: str) -> Connection:
        db = sqlite3.connect(name, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, _close, db, os.getpid())
        db.create_function(LIKE_FUNCTION, 3, _like, deterministic=True)
        db.create_function(NUMBER_FUNCTION, 1, as_number, deterministic=True)
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA cache_size = -65536")  # KiB, so that a large rebuild is written once
        db.execute("PRAGMA synchronous = OFF")  # everything can be derived again
        return db

    def _has_current_schema(self, db: Connection) -> bool:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise SchemaTooNew(
                f"The index {self.path} has schema {version}; this gitml reads up to {SCHEMA}.",
                hint="Upgrade with `pip install --upgrade gitml`, or delete that file.",
            )
        return bool(version == SCHEMA)

    def _replace(self) -> None:
        """Delete the file, unless another process has replaced it already."""
        if self._open is not None:
            with contextlib.suppress(sqlite3.Error):
                self._open.close()
            self._open = None
        with exclusive(self._lock_path):
            if not self._is_sound():
                self._unlink()

    def _is_sound(self) -> bool:
        db = sqlite3.connect(self.path, timeout=_WAIT)
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False
        finally:
            db.close()

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def _transaction(db: Connection, begin: str, work: Callable[[Connection], _T]) -> _T:
    db.execute(begin)
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    return result


def _create(db: Connection) -> None:
    db.execute("BEGIN EXCLUSIVE")
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA}")
    db.execute("COMMIT")


def _close(db: Connection, pid: int) -> None:
    if pid == os.getpid():
        db.close()


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 if the error is not one of SQLite."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _like(pattern: str, ignore_case: int, text: str) -> bool:
    return like(pattern, ignore_case == 1)(text) is not None
