"""Files are replaced as a whole, and locks hold between processes and end with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitml import files
from gitml.errors import StoreError

HALF_A_FILE = """
import os, signal, sys
from pathlib import Path
from gitml import files
with files.replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""

REPLACE_OFTEN = """
import sys
from pathlib import Path
from gitml import files
for _ in range(200):
    files.replace(Path(sys.argv[1]), sys.argv[2].encode() * 5000, durable=False)
"""

COUNT = """
import sys
from pathlib import Path
from gitml import files
counter = Path(sys.argv[1])
for _ in range(100):
    with files.exclusive(counter.with_suffix(".lock")):
        files.replace(counter, b"%d" % (int(counter.read_bytes()) + 1), durable=False)
"""

HOLD_UNTIL_KILLED = """
import sys
from pathlib import Path
from gitml import files
with files.exclusive(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def start(script: str, *args: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def finish(*processes: subprocess.Popen[bytes]) -> list[int]:
    codes = []
    for process in processes:
        process.communicate(timeout=120)
        codes.append(process.returncode)
    return codes


def test_replace_creates_the_folder_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"

    files.replace(path, b"one")
    files.replace(path, b"two")

    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_replace_gives_files_the_permissions_of_the_umask(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")

    files.replace(tmp_path / "replaced", b"")

    assert (tmp_path / "replaced").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_content(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    files.replace(path, b"old")

    with pytest.raises(error), files.replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_killed_while_writing_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.replace(path, b"old")

    assert finish(start(HALF_A_FILE, path)) == [-signal.SIGKILL]

    assert path.read_bytes() == b"old"
    assert [rest.read_bytes() for rest in tmp_path.glob(files.TEMPORARY)] == [b"half"]


def test_a_reader_of_two_writers_sees_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {letter.encode() * 5000 for letter in "ab"}
    files.replace(path, min(contents))
    writers = [start(REPLACE_OFTEN, path, letter) for letter in "ab"]

    while any(writer.poll() is None for writer in writers):
        assert path.read_bytes() in contents

    assert finish(*writers) == [0, 0]
    assert list(tmp_path.iterdir()) == [path]


def test_an_exclusive_lock_makes_processes_take_turns(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_bytes(b"0")

    assert finish(*(start(COUNT, counter) for _ in range(3))) == [0, 0, 0]

    assert counter.read_bytes() == b"300"


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = start(HOLD_UNTIL_KILLED, path)
    assert holder.stdout
    holder.stdout.readline()
    locked_by_other = files.is_locked(path)
    with files.exclusive_or_skip(path) as got_taken_lock:
        pass

    holder.kill()
    finish(holder)

    assert (locked_by_other, got_taken_lock) == (True, False)
    assert not files.is_locked(path)
    with files.exclusive_or_skip(path) as got_free_lock:
        assert got_free_lock


def test_a_lock_whose_file_was_removed_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    locked: list[bool] = []

    def lock() -> None:
        with files.exclusive(path):
            locked.append(files.is_locked(path))  # of the file that others would lock now

    with files.exclusive(path):
        thread = threading.Thread(target=lock)
        thread.start()
        path.unlink()
        path.parent.rmdir()
    thread.join(120)

    assert locked == [True]


def test_skipping_says_when_the_file_was_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    flock = files.fcntl.flock

    def remove_first(descriptor: int, operation: int) -> None:
        path.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(files.fcntl, "flock", remove_first)

    with files.exclusive_or_skip(path) as locked:
        assert not locked


def test_a_created_file_is_locked_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "journal"

    descriptor = files.create_locked(path, b"first\n")
    os.write(descriptor, b"second\n")
    locked = files.is_locked(path)
    os.close(descriptor)

    assert locked and not files.is_locked(path)
    assert path.read_bytes() == b"first\nsecond\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_missing_is_not_locked(tmp_path: Path) -> None:
    assert not files.is_locked(tmp_path / "missing")


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    descriptor = files.lock_folder(tmp_path)
    with pytest.raises(BlockingIOError):
        files.lock_folder(tmp_path, wait=False)
    os.close(descriptor)

    os.close(files.lock_folder(tmp_path, wait=False))


def test_a_lock_that_cannot_be_created_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with (
        pytest.raises(StoreError, match=r"Cannot write to .*file: ") as caught,
        files.exclusive(tmp_path / "file" / "lock"),
    ):
        pass

    assert caught.value.hint
