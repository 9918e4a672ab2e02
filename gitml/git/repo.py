"""One git repository: its objects, refs, tags and remotes, through git's own processes.

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
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial

from gitml.errors import Conflict, StoreError
from gitml.formats import limits
from gitml.git import output
from gitml.git.causes import is_race, refused
from gitml.git.entities import ZERO, Change, Identity, RefUpdate, Tag, TreeEntry
from gitml.git.handle import GitHandle
from gitml.git.locks import RefLocks, unlink_older
from gitml.git.network import Network
from gitml.git.packed_refs import PackedRefs
from gitml.git.processes import Running, complaint

_MAX_PACKS = 32  # from which the small ones are put together; git's own limit is 50
_STALE_MAINTENANCE = 12 * 3600.0  # s, git's own patience with a lock of `git gc`
_BATCH = 20_000  # objects asked of one `cat-file --batch` before its answers are read


class GitRepo:
    """One git repository, addressed from anywhere inside it.

    Attributes:
        work_tree: Root of the work tree, None in a bare repository.
        git_dir: The ``.git`` folder of this work tree.
        common_dir: The ``.git`` folder shared by linked work trees.
    """

    def __init__(self, handle: GitHandle) -> None:
        self.work_tree = handle.work_tree
        self.git_dir = handle.git_dir
        self.common_dir = handle.common_dir
        self._handle = handle
        self._ref_locks = RefLocks(self.common_dir)
        self._packed = PackedRefs(self.common_dir)
        self._past_locks = partial(self._ref_locks.run_past, handle.start)
        self._network = Network(self._past_locks)

    @classmethod
    def discover(cls, path: str | os.PathLike[str] = ".") -> GitRepo:
        """Find the repository that contains a folder.

        Raises:
            NoRepository: There is none at or above ``path``.
        """
        return cls(GitHandle.discover(path))

    @classmethod
    def init(cls, path: str | os.PathLike[str]) -> GitRepo:
        """Make a new repository in a folder, with ``main`` as its first branch.

        Raises:
            StoreError: The folder cannot be written.
        """
        return cls(GitHandle.init(path))

    def close(self) -> None:
        """End the processes that answer reads; they are started again when needed."""
        self._handle.close()

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
        code, out, err = self.start(*args, env=env).finish(stdin)
        if code not in ok:
            raise refused(f"`git {args[0]}` failed", err)
        return out

    def start(self, *args: str, env: dict[str, str] | None = None) -> Running:
        """Start a git command without waiting for it; ask the result for its output later."""
        return self._handle.start(*args, env=env)

    # Objects ------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """Read one blob, by object id or as ``<rev>:<path>``; None if there is none.

        Raises:
            StoreError: It has more than ``limits.READ_FILE`` bytes.
        """
        if "\n" in name:  # one line is one question to the process that answers
            return None
        header = self._handle.header(name)
        if header is None or header[1] not in (b"blob", "blob"):
            return None
        if header[2] > limits.READ_FILE:
            raise output.too_large(name, header[2], limits.READ_FILE)
        return self._handle.data(name)

    def read_blobs(self, oids: Iterable[str]) -> Iterator[bytes]:
        """Read many blobs with one process, in the order given.

        Raises:
            StoreError: One of them is missing.
        """
        oids = list(oids)
        for start in range(0, len(oids), _BATCH):
            batch = oids[start : start + _BATCH]
            out = self.run("cat-file", "--batch", stdin="\n".join(batch).encode() + b"\n")
            yield from output.blobs(out, batch)

    def read_folders(self, oids: Iterable[str]) -> Iterator[dict[str, str]]:
        """Read many trees with one process, in order: the ordinary files of each, name to id.

        Raises:
            StoreError: One of them is missing.
        """
        oids = list(oids)
        for oid, data in zip(oids, self.read_blobs(oids), strict=True):
            yield dict(output.files_in(data, len(oid) // 2))

    def sizes(self, oids: Iterable[str]) -> list[tuple[str, int]]:
        """Look up type and size (bytes) of objects, in order; ``("missing", 0)`` where unknown."""
        oids = list(oids)
        if not oids:
            return []
        out = self.run("cat-file", "--batch-check", stdin="\n".join(oids).encode() + b"\n")
        return output.sizes(out)

    def read_checked(self, oids: Iterable[str], limit: int) -> Iterator[bytes | StoreError]:
        """Read blobs that anybody may have pushed, in order; none of them is trusted.

        Yields:
            A blob's bytes; the error, where it is missing, no blob, or larger than ``limit`` bytes.
        """
        oids = list(oids)
        sizes = self.sizes(oids)
        fit = [kind == "blob" and size <= limit for kind, size in sizes]
        blobs = self.read_blobs(oid for oid, fits in zip(oids, fit, strict=True) if fits)
        for oid, (kind, size), fits in zip(oids, sizes, fit, strict=True):
            if fits:
                yield next(blobs)
            elif kind == "blob":
                yield output.too_large(oid, size, limit)
            else:
                yield StoreError(f"Object {oid} is not a file of the repository.")

    def present(self, names: Sequence[str]) -> list[bool]:
        """Return for each object, by id or ``<rev>:<path>``, whether it exists; one process."""
        if not names:
            return []
        stdin = "\n".join(names).encode() + b"\n"
        lines = self.run("cat-file", "--batch-check=%(objecttype)", stdin=stdin).splitlines()
        return [not line.endswith(b" missing") for line in lines]

    def tree(self, rev: str, path: str = "", *, recursive: bool = False) -> list[TreeEntry]:
        """List a tree; empty where the revision or the path does not exist."""
        args = ["ls-tree", "-z", *(["-r"] if recursive else []), f"{rev}:{path}"]
        return output.tree_entries(self.run(*args, ok=(0, 128)))

    def folders(self, rev: str, path: str) -> dict[str, str]:
        """Find all folders below one: path from the root to the id of its tree."""
        out = self.run("ls-tree", "-r", "-d", "-z", rev, f"{path}/", ok=(0, 128))
        lines = out.decode("utf-8", "replace").split("\0")[:-1]
        pairs = (line.split("\t", 1) for line in lines)
        return {name: meta.rpartition(" ")[2] for meta, name in pairs}

    def diff(self, old: str | None, new: str, *, exact: bool = False) -> list[Change]:
        """Compare two trees path by path.

        Args:
            old: A commit; None stands for the empty tree.
            new: Another one.
            exact: Keep bytes of paths that are not UTF-8 as surrogates instead of replacing them.
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
        return output.changes(out, exact=exact)

    def contains(self, rev: str) -> bool:
        """Return True if an object is in the repository."""
        return self._handle.header(rev) is not None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Return True if ``old`` is reachable from ``new``."""
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
        running = self.start(*args)
        for part in [stream] if isinstance(stream, bytes) else stream:
            if not running.feed(part):
                break
        code, _, err = running.finish(b"done\n")
        if code == 0:
            return
        if self._ref_locks.waited(err) or is_race(err):
            raise Conflict(f"The branch moved while it was written: {complaint(err)}")
        raise refused("The commit cannot be written", err)

    def clear_locks(self, prefix: str) -> None:
        """Remove the locks that killed processes left on refs below ``prefix``."""
        self._ref_locks.clear(prefix)

    def tidy(self) -> None:
        """Let git put small packs and loose objects together if there are many of them.

        Large packs are left as they are, so the cost of a run stays the same as a branch grows.
        """
        objects = self.common_dir / "objects"
        unlink_older(objects / "maintenance.lock", _STALE_MAINTENANCE)
        sample = objects / "17"  # git's own estimate of loose objects: one folder of 256
        if sum(1 for _ in (objects / "pack").glob("*.pack")) > _MAX_PACKS:
            self.start("-c", "repack.writeBitmaps=false", "repack", "--geometric=2", "-d", "-l",
                       "-n", "--quiet").finish()  # fmt: skip
        elif sample.is_dir() and len(list(sample.iterdir())) > 26:
            self.start("maintenance", "run", "--auto", "--quiet").finish()

    # Refs and tags ------------------------------------------------------------------------------

    def ref(self, name: str) -> str | None:
        """Read what a ref points at, without a process where the ref is a plain file."""
        with contextlib.suppress(OSError), open(f"{self.common_dir}/{name}", "rb") as file:
            text = file.read().strip()
            if len(text) == 40:
                return text.decode()
        if (self.common_dir / "reftable").exists():
            out = self.run("rev-parse", "--verify", "--quiet", name, ok=(0, 1))
            return out.decode().strip() or None
        return self._packed.get(name)

    def update_refs(self, updates: Iterable[RefUpdate]) -> None:
        """Move several refs in one transaction: all of them, or none.

        Raises:
            Conflict: One of them did not have its expected value.
            StoreError: git refused for another reason.
        """
        lines = [f"update {u.name}\0{u.new or ZERO}\0{u.old or ZERO}\0" for u in updates]
        code, _, err = self._past_locks(("update-ref", "-z", "--stdin"), "".join(lines).encode())
        if code and is_race(err):
            raise Conflict(f"A ref was changed by someone else: {complaint(err)}")
        if code:
            raise refused("The refs cannot be moved", err)

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
        globs = [f"{under}/{pattern}" for pattern in patterns] or [under]
        out = self.run("for-each-ref", f"--format={output.TAG_FORMAT}", *globs)
        return output.tags(out, under)

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
        match = re.match(r"(.+) <([^<>]*)> \d+", out)
        if match and match[2]:
            return Identity(name=match[1], email=match[2])
        try:
            login = getpass.getuser()
        except (KeyError, OSError):  # a container user without a passwd entry
            login = f"uid-{os.getuid()}"
        return Identity(name=login, email=f"{login}@{socket.gethostname()}")

    # Other repositories --------------------------------------------------------------------------

    def remotes(self) -> dict[str, str]:
        """Names and fetch URLs of the configured remotes, without credentials."""
        return self._network.remotes()

    def address(self, remote: str) -> str:
        """Return the URL that a remote's leads to by ``url.<base>.insteadOf``."""
        return self._network.address(remote)

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Fetch refspecs; nothing is fetched, moved or pruned besides them.

        Raises:
            StoreError: The remote does not answer, or a ref was refused.
        """
        self._network.fetch(remote, *refspecs)

    def remote_refs(self, remote: str, *patterns: str) -> dict[str, str]:
        """List the refs of a remote: name to object id."""
        return self._network.refs(remote, *patterns)

    def push(self, remote: str, *refspecs: str) -> None:
        """Push refspecs and nothing else, all or none, with the user's credentials.

        A refspec may come after ``--force-with-lease=<ref>:<id>``: git then replaces what is there
        if it is still that.

        Raises:
            Conflict: The remote has something newer.
            PushRejected: A rule of the remote refuses a ref.
            StoreError: The remote does not answer.
        """
        self._network.push(remote, *refspecs)
