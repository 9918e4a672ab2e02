"""Hides git: objects, refs, tags, fetch and push of one repository. The only importer of GitPython.

Everything here is plumbing: no method reads or writes the user's index, work tree, HEAD, stash or
configuration, except where its docstring says that it reads the work tree. Every ref update names
the value it expects to replace (compare-and-swap), so that a lost race is seen, never overwritten.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from gitml.errors import Conflict, InvalidInput, NoRepository, StoreError

if TYPE_CHECKING:
    import git

ZERO = "0" * 40
_MAX_PACKS = 32  # from which the small ones are put together; git's own limit is 50
_STALE = 10.0  # s after which a ref's lock has no owner; git holds one for milliseconds
_STALE_MAINTENANCE = 12 * 3600.0  # s, git's own patience with a lock of `git gc`
_LOCK_PAUSE = 0.1  # s
_BATCH = 20_000  # objects asked of one `cat-file --batch` before its answers are read
LARGEST = 128 * 2**20  # bytes of a file that is read into memory; no record comes near
_NO_ANSWER = re.compile(r"^SHA is empty|returned: b''")  # GitPython's words for an ended process
_FILES = ("100644", "100755")  # modes of ordinary files


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One entry of a tree: octal mode, object type, object id, path below the tree asked for."""

    mode: str
    type: str
    oid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that differs between two trees.

    Attributes:
        path: Path below the root.
        old: Id before, None where the path was absent.
        new: Id after, None where the path is absent.
        old_mode: Octal mode before, ``000000`` where the path was absent.
        new_mode: Octal mode after, likewise.
    """

    path: str
    old: str | None
    new: str | None
    old_mode: str = "100644"
    new_mode: str = "100644"

    @property
    def regular(self) -> bool:
        """Whether the new entry is a file: no symbolic link, no submodule."""
        return self.new_mode in _FILES


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """Move ``name`` from ``old`` to ``new``; None stands for "does not exist"."""

    name: str
    new: str | None
    old: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as ``git for-each-ref`` shows it.

    Attributes:
        name: Without ``refs/tags/``.
        oid: The tag object, or the target of a lightweight tag.
        target: Id of the commit it leads to.
        annotated: Whether it is an annotated tag on a commit.
        timestamp: Tagger time, s since the Unix epoch; 0 for a lightweight tag.
        user: Tagger name.
        email: Tagger e-mail.
        message: The whole message.
    """

    name: str
    oid: str
    target: str
    annotated: bool
    timestamp: int
    user: str
    email: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who commits."""

    name: str
    email: str

    def __str__(self) -> str:
        """Format as in a commit header."""
        return f"{self.name} <{self.email}>"


class Running:
    """A git command under way; it is ended when nothing refers to this object any more."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle  # GitPython ends the process when its wrapper is collected

    def feed(self, stdin: bytes) -> bool:
        """Give it a part of its input; False if it has ended already."""
        try:
            self._handle.proc.stdin.write(stdin)
        except BrokenPipeError:
            return False
        return True

    def finish(self, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        """Feed it and wait.

        Returns:
            Exit code, standard output, standard error.
        """
        process = self._handle.proc
        out, err = process.communicate(stdin)
        return process.returncode, out, err


class GitRepo:
    """One git repository, addressed from anywhere inside it.

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
        self._packed: tuple[tuple[int, int], dict[str, str]] = ((0, -1), {})

    @classmethod
    def discover(cls, path: str | os.PathLike[str] = ".") -> GitRepo:
        """Find the repository that contains a folder.

        Raises:
            NoRepository: There is none at or above ``path``.
        """
        import git

        try:
            return cls(git.Repo(os.fspath(path), search_parent_directories=True))
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise NoRepository(
                f"No git repository at or above {Path(path).resolve()}.",
                hint="Run `gitml init` in your project's folder.",
            ) from error

    @classmethod
    def init(cls, path: str | os.PathLike[str]) -> GitRepo:
        """Make a new repository in a folder, with ``main`` as its first branch.

        Raises:
            StoreError: The folder cannot be written.
        """
        import git

        try:
            return cls(git.Repo.init(os.fspath(path), mkdir=True, initial_branch="main"))
        except (git.GitCommandError, OSError) as error:
            raise StoreError(
                f"No git repository can be made in {Path(path).resolve()}.",
                hint="Check the folder's permissions.",
            ) from error

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

    @property
    def _repo(self) -> git.Repo:
        """GitPython's handle of this process: a forked child must not share its parent's pipes."""
        import git

        pid, repo = self._handles
        if pid != os.getpid():
            self._lock = threading.RLock()
            repo = self._configured(git.Repo(self.work_tree or self.git_dir))
            self._handles = (os.getpid(), repo)
        return repo

    def close(self) -> None:
        """End the processes that answer reads; they are started again when needed."""
        pid, repo = self._handles
        if pid == os.getpid():
            with self._lock:
                repo.close()

    def run(
        self,
        *args: str,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
        ok: tuple[int, ...] = (0,),
    ) -> bytes:
        """Run one git command.

        Args:
            args: Subcommand and arguments.
            stdin: What it reads.
            env: Variables besides those of the process.
            ok: Exit codes that are not a failure.

        Returns:
            Its standard output.

        Raises:
            StoreError: Any other exit code; the message is git's own.
        """
        code, out, err = self._start(args, env).finish(stdin)
        if code not in ok:
            raise StoreError(f"`git {args[0]}` failed: {_complaint(err)}")
        return out

    def start(self, *args: str, env: dict[str, str] | None = None) -> Running:
        """Start a git command without waiting for it; ask the result for its output later."""
        return self._start(args, env)

    def _start(self, args: Sequence[str], env: dict[str, str] | None) -> Running:
        return Running(
            self._repo.git.execute(
                ["git", *args], istream=subprocess.PIPE, as_process=True, env=env
            )
        )

    # Objects ------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """Read one blob, by object id or as ``<rev>:<path>``; None if there is none.

        Raises:
            StoreError: It has more than ``LARGEST`` bytes.
        """
        if "\n" in name:  # one line is one question to the process that answers
            return None
        with self._lock:
            header = self._asked(name)
            if header is None or header[1] not in (b"blob", "blob"):
                return None
            if header[2] > LARGEST:
                raise _too_large(name, header[2], LARGEST)
            try:
                data: bytes = self._repo.git.get_object_data(name)[3]
            except ValueError:
                return None
        return data

    def _asked(self, name: str) -> tuple[str, str, int] | None:
        """Ask the process that answers for id, type and size; None where there is no such object.

        Raises:
            StoreError: It was killed, and so was the one started in its place.
        """
        for _ in range(2):
            try:
                found: tuple[str, str, int] = self._repo.git.get_object_header(name)
                return found
            except BrokenPipeError:
                pass
            except ValueError as error:
                if not _NO_ANSWER.search(str(error)):
                    return None
            self._repo.git.clear_cache()
        raise StoreError(f"git ended when it was asked for {name!r:.80}.", hint="Try again.")

    def read_many(self, oids: Iterable[str]) -> Iterator[bytes]:
        """Read many blobs with one process, in the order given.

        Raises:
            StoreError: One of them is missing.
        """
        oids = list(oids)
        for start in range(0, len(oids), _BATCH):
            batch = oids[start : start + _BATCH]
            out = self.run("cat-file", "--batch", stdin="\n".join(batch).encode() + b"\n")
            view, at = memoryview(out), 0
            for oid in batch:
                end = out.index(b"\n", at)
                header = out[at:end].split()
                if header[-1] == b"missing":
                    raise StoreError(f"Object {oid} is missing.", hint="Run `git fsck`.")
                size = int(header[2])
                yield bytes(view[end + 1 : end + 1 + size])
                at = end + 1 + size + 1

    def sizes(self, oids: Iterable[str]) -> list[tuple[str, int]]:
        """Look up type and size (bytes) of objects, in order; ``("missing", 0)`` where unknown."""
        oids = list(oids)
        if not oids:
            return []
        out = self.run("cat-file", "--batch-check", stdin="\n".join(oids).encode() + b"\n")
        headers = [line.split() for line in out.decode().splitlines()]
        return [(h[1], int(h[2])) if len(h) == 3 else ("missing", 0) for h in headers]

    def read_checked(self, oids: Iterable[str], limit: int) -> Iterator[bytes | StoreError]:
        """Read blobs that anybody may have pushed, in order; none of them is trusted.

        Yields:
            A blob's bytes; the error, where it is missing, no blob, or larger than ``limit`` bytes.
        """
        oids = list(oids)
        found = self.sizes(oids)
        fit = [kind == "blob" and size <= limit for kind, size in found]
        blobs = self.read_many(oid for oid, fits in zip(oids, fit, strict=True) if fits)
        for oid, (kind, size), fits in zip(oids, found, fit, strict=True):
            if fits:
                yield next(blobs)
            elif kind == "blob":
                yield _too_large(oid, size, limit)
            else:
                yield StoreError(f"Object {oid} is not a file of the repository.")

    def present(self, names: Sequence[str]) -> list[bool]:
        """Tell which of many objects, as ids or ``<rev>:<path>``, are there; one process."""
        if not names:
            return []
        stdin = "\n".join(names).encode() + b"\n"
        lines = self.run("cat-file", "--batch-check=%(objecttype)", stdin=stdin).splitlines()
        return [not line.endswith(b" missing") for line in lines]

    def tree(self, rev: str, path: str = "", *, recursive: bool = False) -> list[TreeEntry]:
        """List a tree; empty where the revision or the path does not exist."""
        args = ["ls-tree", "-z", *(["-r"] if recursive else []), f"{rev}:{path}"]
        out = self.run(*args, ok=(0, 128))
        entries = []
        for line in out.split(b"\0")[:-1]:
            meta, name = line.split(b"\t", 1)
            mode, kind, oid = meta.decode().split()
            entries.append(TreeEntry(mode=mode, type=kind, oid=oid, path=_text(name)))
        return entries

    def diff(self, old: str | None, new: str, *, exact: bool = False) -> list[Change]:
        """Compare two trees path by path.

        Args:
            old: A commit; None stands for the empty tree.
            new: Another one.
            exact: Keep bytes of paths that are no UTF-8 as surrogates instead of replacing them.
        """
        if old is None and not exact:
            return [
                Change(
                    path=entry.path, old=None, new=entry.oid, old_mode="000000", new_mode=entry.mode
                )
                for entry in self.tree(new, recursive=True)
            ]
        before = f"{old}^{{tree}}" if old else self.run("mktree").decode().strip()
        out = self.run("diff-tree", "-r", "-z", "--raw", "--no-renames", before,
                       f"{new}^{{tree}}")  # fmt: skip
        parts = out.split(b"\0")[:-1]
        changes = []
        for meta, name in zip(parts[::2], parts[1::2], strict=True):
            old_mode, new_mode, old_oid, new_oid, _ = meta.decode().lstrip(":").split()
            changes.append(
                Change(
                    path=name.decode("utf-8", "surrogateescape") if exact else _text(name),
                    old=None if old_oid == ZERO else old_oid,
                    new=None if new_oid == ZERO else new_oid,
                    old_mode=old_mode,
                    new_mode=new_mode,
                )
            )
        return changes

    def contains(self, rev: str) -> bool:
        """Tell whether an object is in the repository."""
        with self._lock:
            return self._asked(rev) is not None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether ``old`` is reachable from ``new``."""
        return self.start("merge-base", "--is-ancestor", old, new).finish()[0] == 0

    def fast_import(self, stream: bytes | Iterable[bytes]) -> None:
        """Write objects and move branches with one ``git fast-import``.

        fast-import moves a branch only to a descendant of what it finds there, under the ref's
        lock, which makes it a compare-and-swap for a commit made on the tip that was read.
        Objects are flushed to disk before the ref moves. They stay in the small pack that
        fast-import writes: taking it apart into files costs more than all the rest; see ``tidy``.

        Raises:
            Conflict: A branch had moved.
            StoreError: git refused the stream.
        """
        args = ("-c", "core.fsync=committed", "-c", "fastimport.unpackLimit=1", "fast-import",
                "--quiet", "--done", "--date-format=raw")  # fmt: skip
        running = self._start(args, None)
        for part in [stream] if isinstance(stream, bytes) else stream:
            if not running.feed(part):
                break
        code, _, err = running.finish(b"done\n")
        if code == 0:
            return
        lock = self._ref_lock(err)
        if lock and not self._unlocked(lock):
            time.sleep(_LOCK_PAUSE)
        if lock or b"Not updating" in err or b"cannot lock ref" in err:
            raise Conflict(f"The branch moved while it was written: {_complaint(err)}")
        raise StoreError(f"`git fast-import` failed: {_complaint(err)}")

    def _past_locks(self, args: Sequence[str], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        """Run git, again as long as only the lock of a ref is in its way.

        A lock that stays for ten seconds was left by a git that was killed, and is removed.
        """
        for _ in range(int(2 * _STALE / _LOCK_PAUSE)):
            done = self._start(args, None).finish(stdin)
            lock = self._ref_lock(done[2]) if done[0] else None
            if lock is None:
                break
            if not self._unlocked(lock):
                time.sleep(_LOCK_PAUSE)
        return done

    def _ref_lock(self, err: bytes) -> Path | None:
        """The lock of a ref of this repository that git complains about."""
        found = re.search(rb"Unable to create '(.+\.lock)': File exists", err)
        path = Path(os.fsdecode(found[1])) if found else None
        mine = (self.common_dir / "refs", self.common_dir / "packed-refs.lock")
        return path if path and any(path.is_relative_to(place) for place in mine) else None

    def _unlocked(self, lock: Path) -> bool:
        """Remove a lock if it has no owner any more; True if it is gone."""
        if lock.name == "packed-refs.lock":  # its owner may be writing this file
            return _unlink_older(lock.with_suffix(".new"), _STALE) and _unlink_older(lock, _STALE)
        return _unlink_older(lock, _STALE)

    def clear_locks(self, prefix: str) -> None:
        """Remove the locks that killed processes left on refs below ``prefix``."""
        for path in (self.common_dir / prefix).rglob("*.lock"):
            _unlink_older(path, _STALE)

    def tidy(self) -> None:
        """Let git put small packs and loose objects together if there are many of them.

        Large packs are left as they are, so the cost of a run stays the same as a branch grows.
        """
        objects = self.common_dir / "objects"
        _unlink_older(objects / "maintenance.lock", _STALE_MAINTENANCE)
        sample = objects / "17"  # git's own estimate of loose objects: one folder of 256
        if sum(1 for _ in (objects / "pack").glob("*.pack")) > _MAX_PACKS:
            self.start("-c", "repack.writeBitmaps=false", "repack", "--geometric=2", "-d", "-l",
                       "-n", "--quiet").finish()  # fmt: skip
        elif sample.is_dir() and len(list(sample.iterdir())) > 26:
            self.start("maintenance", "run", "--auto", "--quiet").finish()

    # Refs and tags ------------------------------------------------------------------------------

    def ref(self, name: str) -> str | None:
        """Read what a ref points at, without a process where the ref is a plain file."""
        if (self.common_dir / "reftable").exists():
            out = self.run("rev-parse", "--verify", "--quiet", name, ok=(0, 1))
            return out.decode().strip() or None
        with contextlib.suppress(OSError):
            text = (self.common_dir / name).read_text().strip()
            if len(text) == 40:
                return text
        return self._packed_refs().get(name)

    def _packed_refs(self) -> dict[str, str]:
        path = self.common_dir / "packed-refs"
        try:
            stat = path.stat()
        except FileNotFoundError:
            return {}
        key = (stat.st_mtime_ns, stat.st_size)
        if self._packed[0] != key:
            lines = (line.split(" ", 1) for line in path.read_text().splitlines() if line)
            refs = {pair[1]: pair[0] for pair in lines if len(pair) == 2 and pair[0] != "#"}
            self._packed = (key, refs)
        return self._packed[1]

    def update_refs(self, updates: Iterable[RefUpdate]) -> None:
        """Move several refs in one transaction: all of them, or none.

        Raises:
            Conflict: One of them did not have its expected value.
        """
        lines = [f"update {u.name}\0{u.new or ZERO}\0{u.old or ZERO}\0" for u in updates]
        code, _, err = self._past_locks(("update-ref", "-z", "--stdin"), "".join(lines).encode())
        if code:
            raise Conflict(f"A ref was changed by someone else: {_complaint(err)}")

    def write_tag(self, name: str, target: str, message: str, who: Identity, timestamp: int) -> str:
        """Write an annotated tag object, without the ref that names it.

        Args:
            name: Tag name.
            target: Id of the commit.
            message: The message.
            who: The tagger.
            timestamp: s since the Unix epoch.

        Returns:
            Id of the tag object.
        """
        text = (
            f"object {target}\ntype commit\ntag {name}\n"
            f"tagger {who} {timestamp} +0000\n\n{message.rstrip()}\n"
        )
        return self.run("mktag", stdin=text.encode()).decode().strip()

    def tags(self, *patterns: str, under: str = "refs/tags") -> list[Tag]:
        """List tags with their messages, all with one process.

        Args:
            patterns: Globs below ``under``; all tags without any.
            under: Where the tags are; each is named by the rest of its ref.
        """
        fields = "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00" \
            "%(*objectname)%00%(taggerdate:unix)%00%(taggername)%00%(taggeremail:trim)%00" \
            "%(contents)%00"  # fmt: skip
        globs = [f"{under}/{pattern}" for pattern in patterns] or [under]
        parts = _text(self.run("for-each-ref", f"--format={fields}", *globs)).split("\0")
        tags = []
        for at in range(0, len(parts) - 9, 9):
            name, kind, oid, target_kind, target, when, user, email, message = parts[at : at + 9]
            tags.append(
                Tag(
                    name=name.lstrip("\n").removeprefix(f"{under}/"),
                    oid=oid,
                    target=target or oid,
                    annotated=kind == "tag" and target_kind == "commit" and when.isdigit(),
                    timestamp=int(when) if when.isdigit() else 0,
                    user=user,
                    email=email,
                    message=message,
                )
            )
        return tags

    # The code that is checked out ----------------------------------------------------------------

    def head(self) -> tuple[str | None, str | None]:
        """Read HEAD.

        Returns:
            The commit id (None before the first commit) and the branch (None when detached).
        """
        text = (self.git_dir / "HEAD").read_text().strip()
        if not text.startswith("ref: "):
            return text, None
        name = text.removeprefix("ref: ")
        return self.ref(name), name.removeprefix("refs/heads/")

    @cached_property
    def identity(self) -> Identity:
        """Who commits: git's own answer, else the login name at this host."""
        out = self.run("var", "GIT_COMMITTER_IDENT", ok=(0, 1, 128)).decode("utf-8", "replace")
        found = re.match(r"(.+) <([^<>]*)> \d+", out)
        if found and found[2]:
            return Identity(name=found[1], email=found[2])
        try:
            login = getpass.getuser()
        except (KeyError, OSError):  # a container user without a passwd entry
            login = f"uid-{os.getuid()}"
        return Identity(name=login, email=f"{login}@{socket.gethostname()}")

    # Other repositories --------------------------------------------------------------------------

    def remotes(self) -> dict[str, str]:
        """Names and fetch URLs of the configured remotes, without credentials."""
        out = self.run("config", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1)).decode()
        pairs = (line.split(" ", 1) for line in out.splitlines())
        return {key[len("remote.") : -len(".url")]: without_credentials(url) for key, url in pairs}

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Fetch refspecs; nothing is fetched besides them.

        Raises:
            StoreError: The remote does not answer, or a ref was refused.
        """
        self._talk("fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                   "--no-recurse-submodules", remote, *refspecs, remote=remote)  # fmt: skip

    def remote_refs(self, remote: str, *patterns: str) -> dict[str, str]:
        """List the refs of a remote: name to object id."""
        out = self._talk("ls-remote", "--quiet", remote, *patterns, remote=remote).decode()
        pairs = (line.split("\t") for line in out.splitlines())
        return {name: oid for oid, name in pairs if not name.endswith("^{}")}

    def push(self, remote: str, *refspecs: str) -> None:
        """Push refspecs, all or none, with the user's credentials.

        A refspec may come after ``--force-with-lease=<ref>:<id>``: git then replaces what is there
        if it is still that.

        Hooks that check code before a push have nothing to say about records: they are not run.

        Raises:
            Conflict: The remote has something newer.
            StoreError: The remote does not answer or refuses.
        """
        self._talk("push", "--quiet", "--atomic", "--no-verify", "--no-recurse-submodules",
                   remote, *refspecs, remote=remote)  # fmt: skip

    def _talk(self, *args: str, remote: str) -> bytes:
        code, out, err = self._past_locks(args)
        if code == 0:
            return out
        if re.search(rb"non-fast-forward|fetch first|already exists|cannot lock ref|stale info|"
                     rb"would clobber", err):  # fmt: skip
            raise Conflict(f"Remote {remote!r} has something newer: {_complaint(err)}")
        raise StoreError(
            f"git remote {remote!r} did not take `git {args[0]}`: {_complaint(err)}",
            hint="Your runs are safe in this clone; repeat the command when it answers.",
        )


def _unlink_older(path: Path, age: float) -> bool:
    """Remove a file that nobody has changed for some time, in s; True if it is gone."""
    try:
        if time.time() - path.stat().st_mtime < age:
            return False
        path.unlink()
    except FileNotFoundError:
        pass
    return True


def without_credentials(url: str) -> str:
    """Drop user name and password from a URL; other texts are returned as they are."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc or parts.scheme == "ssh":
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check_ref_name(name: str) -> str:
    """Return ``name`` if git takes it as a branch name.

    Raises:
        InvalidInput: git would not (rules of ``git check-ref-format``).
    """
    bad = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.$|^/|/$|^-|^@$", name)
    if bad or not name or any(p.startswith(".") or p.endswith(".lock") for p in name.split("/")):
        raise InvalidInput(f"{name!r} is not a branch name that git takes.")
    return name


def _too_large(name: str, size: int, limit: int) -> StoreError:
    return StoreError(
        f"{name} has {size:,} bytes; gitml reads up to {limit:,}.",
        hint="Look at who pushed it: `git log --find-object=ID`.",
    )


def _complaint(err: bytes) -> str:
    """The line of git's standard error that says what went wrong."""
    lines = [without_password(line) for line in _text(err).splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"\s*(fatal|error|remote|warning|!)", line)]
    return (told or lines or ["no reason given"])[0].strip()


def without_password(text: str) -> str:
    """Mask ``user:password@`` wherever it stands in a text."""
    return re.sub(r"//[^/\s@]+@", "//", text)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
