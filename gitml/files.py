"""Write files atomically and lock them between processes.

A file is written to a temporary name in its own folder, flushed, and renamed: a reader sees the
old content or the new one, whenever a writer dies. Locks are advisory (``flock``): the kernel drops
them when their process dies, so that none is ever left behind.

The only module that uses ``fcntl``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gitml.errors import InvalidInput, StoreError

TEMPORARY = ".gitml-*.tmp"
"""Glob pattern of temporary files; what a killed process left of them can be removed."""

_PATIENCE = 600  # s that `alone` waits in all
_GATE_CLOSED = 2  # s for which newcomers wait behind it
_GATE_OPEN = 0.2  # s for which they then go first
_POLL = 0.01  # s


def replace(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file atomically; its folder is created.

    Args:
        path: The file.
        data: Its content.
        durable: False to survive the death of the process only, not of the machine: for what can
            be made again.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=durable) as temporary, temporary.open("xb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path`` that is renamed to it at the end.

    After an exception the temporary file is removed and ``path`` is unchanged.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        if durable:
            flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush the content of a file to the disk, to survive the death of the machine."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def contained(root: Path, name: str | Path) -> Path | None:
    """Return the path of a file or folder below a folder, symbolic links resolved.

    Returns:
        None if it is outside, or in git's own folder: whoever writes the name must not reach other
        files of this machine.
    """
    try:
        base = root.resolve()
        path = (base / name).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name with a NUL
        return None
    if not path.is_relative_to(base) or ".git" in map(str.lower, path.relative_to(base).parts):
        return None
    return path


def read_contained(root: Path, path: Path, limit: int, name: str) -> bytes:
    """Read a file below a folder that somebody else names.

    Args:
        root: The folder.
        path: The file.
        limit: Bytes that it may have.
        name: What messages call it.

    Raises:
        InvalidInput: It is outside, no plain file, or too large.
        OSError: It cannot be read.
    """
    target = contained(root, path)
    if target is None:
        raise InvalidInput(f"{name} leads out of the repository.", hint="Put a plain file there.")
    if not target.is_file():
        raise InvalidInput(f"{name} is not a file.", hint="Put a plain file there.")
    with target.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidInput(f"{name} has more than {limit // 1024} KiB.", hint="Make it smaller.")
    return data


def is_readable(path: Path) -> bool:
    """Return True if a file can be read."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def create_locked(path: Path, data: bytes) -> int:
    """Create a file that is locked before another process can see it; its folder is created.

    Returns:
        A descriptor to append with; closing it unlocks the file.

    Raises:
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        temporary.replace(path)
    except BaseException:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
        raise
    return descriptor


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of a file while the context lasts; wait for it; the file is created.

    Raises:
        StoreError: The file cannot be created.
    """
    try:
        descriptor = _locked(path)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    with _counted(descriptor):
        yield


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold the lock of a file together with others while the context lasts; `alone` excludes all.

    Waits while another process has the file `alone`, or is about to. Inside another context of
    either kind for the same file, in the same thread, it does nothing.

    Raises:
        StoreError: The file cannot be created.
    """
    if path in _own.paths:
        yield
        return
    try:
        with _flocked(_gate(path), fcntl.LOCK_SH):
            descriptor = _flock(path, fcntl.LOCK_SH)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    with _counted(descriptor, path):
        yield


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file alone while the context lasts; waits until nobody has it `shared`.

    While it waits, newcomers queue behind it, but never for long: one of those before it may be
    waiting for a lock that a newcomer has.

    Raises:
        StoreError: The file cannot be created, or others use it for too long.
    """
    try:
        descriptor = _awaited(path)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    with _counted(descriptor, path):
        yield


def _awaited(path: Path) -> int:
    start = time.monotonic()
    while time.monotonic() - start < _PATIENCE:
        with _flocked(_gate(path), fcntl.LOCK_EX):
            closed = time.monotonic()
            while time.monotonic() - closed < _GATE_CLOSED:
                with contextlib.suppress(BlockingIOError):
                    return _flock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
                time.sleep(_POLL)
        time.sleep(_GATE_OPEN)
    raise StoreError(
        f"Other programs have used '{path.parent.parent}' for {_PATIENCE // 60} minutes without a "
        "pause.",
        hint="Repeat the command when they are done.",
    )


def _gate(path: Path) -> Path:
    return path.with_name(f"{path.name}-gate")


@contextlib.contextmanager
def _flocked(path: Path, kind: int) -> Iterator[None]:
    descriptor = _flock(path, kind)
    try:
        yield
    finally:
        os.close(descriptor)


def _flock(path: Path, kind: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def _counted(descriptor: int, path: Path | None = None) -> Iterator[None]:
    """Count a lock as this thread's own while the context lasts, and drop it then."""
    _own.locks += 1
    if path:
        _own.paths.add(path)
    try:
        yield
    finally:
        if path:
            _own.paths.discard(path)
        os.close(descriptor)
        _own.locks -= 1
        if not _own.locks and (action := _own.then):
            _own.then = None
            action()


class _OwnLocks(threading.local):
    """How many locks a thread has from ``exclusive`` and the like, and what follows at none."""

    def __init__(self) -> None:
        self.locks = 0
        self.paths: set[Path] = set()
        self.then: Callable[[], None] | None = None


_own = _OwnLocks()


def when_unlocked(action: Callable[[], None]) -> None:
    """Call a function when this thread holds no lock of ``exclusive``, which may be at once.

    For handlers of signals: what they interrupt may hold a lock that they would wait for in vain.
    """
    if _own.locks:
        _own.then = action
    else:
        action()


@contextlib.contextmanager
def exclusive_or_skip(path: Path) -> Iterator[bool]:
    """Hold the lock of a file if it is free; the file is created.

    Yields:
        False if another process holds the lock or removed the file meanwhile.

    Raises:
        OSError: The file cannot be created.
    """
    descriptor = _opened(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield _is_same_file(descriptor, path)
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return True if a process holds the exclusive lock of a file; False if there is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def lock_folder(folder: Path, *, wait: bool = True) -> int:
    """Lock a folder itself, without a file in it.

    Some network file systems cannot lock folders: with ``wait`` that is no error, because one
    writer at a time needs no lock.

    Returns:
        A descriptor; closing it unlocks the folder.

    Raises:
        OSError: There is no such folder, or it is locked and ``wait`` is False.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if not wait:
            os.close(descriptor)
            raise
    return descriptor


def cannot_write(path: Path, error: OSError) -> StoreError:
    """Return the error to raise when the state folder of a clone cannot be written."""
    return StoreError(f"Cannot write to {path}: {error.strerror}.", hint=advice(error))


def advice(error: OSError) -> str:
    """Return what to do about a file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space on its disk, then repeat it."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Check who owns its folder and may write there."
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY):
        return "Something else is in its place: move that away."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "Too many files are open: close some, or raise the limit (`ulimit -n`)."
    return "Check its folder and its disk."


def _temporary(path: Path) -> Path:
    return path.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))


def _locked(path: Path) -> int:
    """Lock a file and return its descriptor; try again if it was removed while we waited."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = _opened(path)
        except FileNotFoundError:  # its folder was removed since
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_same_file(descriptor, path):
            return descriptor
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
