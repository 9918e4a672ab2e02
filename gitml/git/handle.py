"""Hold GitPython's handle of a repository, safe across forks. The only importer of GitPython."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitml import signals
from gitml.errors import StoreError
from gitml.git import discovery
from gitml.git.causes import refused
from gitml.git.processes import Running

if TYPE_CHECKING:
    import git

_NO_ANSWER = re.compile(r"^SHA is empty|returned: b''")  # GitPython's words for an ended process


def _gitpython() -> Any:
    """Import GitPython, which refuses to be imported where there is no git.

    Raises:
        StoreError: There is none.
    """
    try:
        import git
    except ImportError as error:
        if "executable" not in str(error):
            raise
        raise discovery.cannot_start() from error
    return git


class GitHandle:
    """One repository as GitPython opened it.

    Attributes:
        work_tree: Root of the work tree, None in a bare repository.
        git_dir: The ``.git`` folder of this work tree.
        common_dir: The ``.git`` folder shared by linked work trees.
    """

    def __init__(self, repo: git.Repo) -> None:
        self.work_tree = Path(repo.working_tree_dir) if repo.working_tree_dir else None
        self.git_dir = Path(repo.git_dir)
        self.common_dir = Path(repo.common_dir).resolve()
        self._handles: tuple[int, git.Repo] = (os.getpid(), self._configured(repo))
        self._lock = threading.RLock()

    @classmethod
    def discover(cls, path: str | os.PathLike[str]) -> GitHandle:
        """Open the repository that contains a folder.

        Raises:
            NoRepository: There is none at or above ``path``.
            StoreError: git would not use it.
        """
        git = _gitpython()
        try:
            handle = cls(git.Repo(os.fspath(path), search_parent_directories=True))
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise discovery.no_repository(Path(path).resolve()) from error
        discovery.check(handle.work_tree or handle.git_dir, handle.git_dir, handle.common_dir)
        return handle

    @classmethod
    def init(cls, path: str | os.PathLike[str]) -> GitHandle:
        """Make a new repository in a folder, with ``main`` as its first branch.

        Raises:
            StoreError: The folder cannot be written.
        """
        git = _gitpython()
        what = f"No git repository can be made in {Path(path).resolve()}"
        try:
            return cls(git.Repo.init(os.fspath(path), mkdir=True, initial_branch="main"))
        except git.GitCommandError as error:
            raise refused(what, str(error.stderr).encode()) from error
        except OSError as error:
            raise StoreError(
                f"{what}: {error.strerror}.", hint="Check the folder's permissions."
            ) from error

    def start(self, *args: str, env: dict[str, str] | None = None) -> Running:
        """Start a git command without waiting for it."""
        running = None
        try:
            with signals.deferred():  # else a process may be running that nothing refers to
                running = Running(
                    self._git.execute(
                        ["git", *args], istream=subprocess.PIPE, as_process=True, env=env
                    )
                )
        except KeyboardInterrupt:
            if running:
                running.kill()
            raise
        except _gitpython().GitCommandNotFound as error:
            raise discovery.cannot_start() from error
        return running

    def header(self, name: str) -> tuple[str, str, int] | None:
        """Query `git cat-file --batch-check` for id, type, size; None if there is no such object.

        Raises:
            StoreError: It was killed, and so was the one started in its place.
        """
        header: tuple[str, str, int] | None = self._answer("get_object_header", name)
        return header

    def data(self, name: str) -> bytes | None:
        """Read an object with `git cat-file --batch`; None if there is none of that name.

        Raises:
            StoreError: It is damaged, or git was killed, and so was the one started in its place.
        """
        answer = self._answer("get_object_data", name)
        data: bytes | None = answer[3] if answer else None
        return data

    def _answer(self, question: str, name: str) -> Any:
        """Ask a process of git that keeps running; None if there is no object of that name."""
        with self._lock:
            for _ in range(2):
                try:
                    return getattr(self._git, question)(name)
                except BrokenPipeError:
                    pass
                except ValueError as error:
                    if not _NO_ANSWER.search(str(error)):
                        return None
                self._git.clear_cache()
        _, _, err = self.start("cat-file", "-p", name).finish()
        if err:
            raise refused(f"git cannot read {name!r:.80}", err)
        raise StoreError(f"git cat-file exited while reading {name!r:.80}.", hint="Try again.")

    def close(self) -> None:
        """End the processes that answer reads; they are started again when needed."""
        pid, repo = self._handles
        if pid == os.getpid():
            with self._lock:
                repo.close()

    def __del__(self) -> None:
        """End them with this object: GitPython's is part of a cycle and would live on."""
        if not sys.is_finalizing():
            self.close()

    @property
    def _git(self) -> Any:
        """GitPython's commands in this process: a forked child must not share pipes."""
        import git

        pid, repo = self._handles
        if pid != os.getpid():
            self._lock = threading.RLock()
            repo = self._configured(git.Repo(self.work_tree or self.git_dir))
            self._handles = (os.getpid(), repo)
        return repo.git

    def _configured(self, repo: git.Repo) -> git.Repo:
        # Hooks and `git rebase --exec` export GIT_DIR and GIT_INDEX_FILE of their own; ours win.
        repo.git.update_environment(
            GIT_DIR=str(self.git_dir),
            GIT_INDEX_FILE=str(self.git_dir / "index"),
            GIT_OPTIONAL_LOCKS="0",
            # glibc gives freed memory back at once, so git's deflating asks for it 14 times per
            # object: two thirds of what many records cost. Other C libraries ignore this.
            MALLOC_TOP_PAD_=str(16 * 2**20),
            **({"GIT_WORK_TREE": str(self.work_tree)} if self.work_tree else {}),
        )
        return repo
