"""Check branch, artifacts, tags and local state, and repair what can be derived.

The rules are pure and lie in ``formats/checks.py``; this module reads and writes the bytes.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gitml.errors import StoreError
from gitml.files import TEMPORARY
from gitml.formats import checks, limits, run_records
from gitml.formats.checks import Fault
from gitml.git import GitRepo, RefUpdate, TreeEntry
from gitml.maintenance import open_runs
from gitml.maintenance.artifact_check import ArtifactCheck
from gitml.registry.deleted_tags import deleted_tags
from gitml.registry.registry import Registry
from gitml.registry.tags import grammar
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.messages import parse_detail
from gitml.repository import Repository
from gitml.store.in_progress import journal
from gitml.store.index.index import Index

TEMPORARY_REFS = "refs/gitml/tmp"
_ABANDONED = 3600  # s after which a temporary ref or file belongs to nobody
_RUNS_PER_READ = 500  # runs whose files are read with one process


@dataclass(frozen=True, slots=True, kw_only=True)
class FsckReport:
    """What was checked, what is wrong and what was repaired.

    Attributes:
        runs: Runs that were checked.
        files: Files of the branch that were checked.
        objects: Artifact objects of this machine that were hashed.
        tags: Registry tags that were checked.
        foreign: Paths of the branch that do not belong to gitml; they are left alone.
        faults: What is wrong; after a repair, what is still wrong.
        repaired: What was repaired.
    """

    runs: int
    files: int
    objects: int
    tags: int
    foreign: tuple[str, ...]
    faults: tuple[Fault, ...]
    repaired: tuple[str, ...] = ()


def check(repository: Repository, *, remote: bool = False) -> FsckReport:
    """Check everything; nothing is changed.

    Args:
        repository: The clone.
        remote: Whether to look for every artifact in the DVC remote, too.

    A remote that does not answer is one of the faults.
    """
    return _Check(repository, remote=remote).report()


def repair(repository: Repository, *, remote: bool = False) -> FsckReport:
    """Rebuild what can be derived from what is there, then check again; arguments as ``check``.

    Raises:
        StoreError: The repository cannot be written.
        RemoteUnavailable: The remote does not answer when files are sent to it.
    """
    first = _Check(repository, remote=remote)
    first.report()
    done = [*first.repair()]
    after = _Check(repository, remote=remote).report()
    return replace(after, repaired=tuple(done))


class _Check:
    """One look at a repository."""

    def __init__(self, repository: Repository, *, remote: bool) -> None:
        self._repository, self._git = repository, repository.git
        self._artifacts = ArtifactCheck(repository, remote=remote)
        self._tip = repository.branch.tip()
        self._entries = whole_tree(self._git, self._tip) if self._tip else []
        self._files: dict[str, tuple[bytes | None, bytes]] = {}  # path: as it is, as it should be
        self._stale_index = False
        self._stale_journals = False
        self._stale_refs: list[RefUpdate] = []
        self._leftovers: list[Path] = []
        self._never_ended: dict[str, int] = {}  # run id: when something was written to it last
        self._runs = self._tags = 0

    def report(self) -> FsckReport:
        faults = [
            *self._local_state(),
            *self._branch(),
            *self._artifacts.unreachable(),
            *self._registry(),
            *self._index(),
        ]
        return FsckReport(
            runs=self._runs,
            files=len(self._entries),
            objects=self._artifacts.hashed,
            tags=self._tags,
            foreign=tuple(e.path for e in self._entries if checks.is_foreign(e.path)),
            faults=tuple(faults),
        )

    # The branch ----------------------------------------------------------------------------------

    def _branch(self) -> Iterator[Fault]:
        entries = [entry for entry in self._entries if not checks.is_foreign(entry.path)]
        runs: dict[str, dict[str, TreeEntry]] = defaultdict(dict)
        others = []
        for entry in entries:
            parts = run_records.parse_run_path(entry.path)
            if parts:
                runs[run_records.run_folder(parts[0], parts[1])][parts[2]] = entry
            else:
                others.append(entry)
            yield from self._mode(entry)
        self._runs = len(runs)
        for entry, data in zip(others, self._read(others), strict=True):
            if isinstance(data, StoreError):
                yield Fault(place=entry.path, reason=data.message, fix=self._log(entry.path))
            else:
                faults = checks.check_file(entry.path, data)
                if entry.path == ".dvc/config" and any(fault.repairable for fault in faults):
                    self._files[entry.path] = (data, checks.address_alone(data))
                yield from map(self._with_branch, faults)
        folders = sorted(runs)
        for start in range(0, len(folders), _RUNS_PER_READ):
            block = folders[start : start + _RUNS_PER_READ]
            yield from self._check_runs({folder: runs[folder] for folder in block})

    def _mode(self, entry: TreeEntry) -> Iterator[Fault]:
        if entry.mode == "100755":
            data = self._git.read(entry.oid)
            self._files[entry.path] = (data, data or b"")
            yield Fault(place=entry.path, reason="is marked as executable",
                        fix="gitml fsck --repair", repairable=True)  # fmt: skip

    def _read(self, entries: list[TreeEntry]) -> Iterator[bytes | StoreError]:
        contents = self._git.read_checked([entry.oid for entry in entries], limits.READ_FILE)
        for entry, data in zip(entries, contents, strict=True):
            if entry.mode in ("120000", "160000"):
                kind = "symbolic link" if entry.mode == "120000" else "submodule"
                yield StoreError(f"is a {kind}, not a file.")
            else:
                yield data

    def _check_runs(self, runs: Mapping[str, Mapping[str, TreeEntry]]) -> Iterator[Fault]:
        entries = [entry for files in runs.values() for entry in files.values()]
        contents = self._read(entries)
        for folder, files in runs.items():
            check = checks.check_run(folder, {name: next(contents) for name in files})
            yield from map(self._with_branch, check.faults)
            for path, data in check.repaired.items():
                self._files[path] = (self._repository.branch.read(path, self._tip), data)
            yield from self._artifacts.check(folder, check)
            run_id = folder.rpartition("/")[2]
            fault = open_runs.fault(self._repository, run_id, folder, check.open_since)
            if fault:
                self._never_ended[run_id] = check.open_since or 0
                yield fault

    def _with_branch(self, fault: Fault) -> Fault:
        fix = fault.fix.replace("BRANCH", self._repository.branch.name)
        return Fault(place=fault.place, reason=fault.reason, fix=fix,
                     repairable=fault.repairable)  # fmt: skip

    def _log(self, path: str) -> str:
        return f"git log {self._repository.branch.name} -- {path}"

    # The registry --------------------------------------------------------------------------------

    def _registry(self) -> Iterator[Fault]:
        registry = Registry.of(self._repository)
        for item in registry.view().rejected:
            yield Fault(place=item.tag.name, reason=f"is rejected: {item.reason}",
                        fix=f"git show {shlex.quote(item.tag.name)}")  # fmt: skip
        for deleted in deleted_tags(registry):
            yield Fault(place=deleted.tag, reason=f"is {deleted.absence}; {deleted.sender} sent it",
                        fix=deleted.fix)  # fmt: skip
        for ignored in registry.ignored_tags():
            yield Fault(place=ignored.tag, reason=f"is ignored: {ignored.reason}",
                        fix=f"git show {ignored.tag}")  # fmt: skip
        for tag in self._git.tags():
            event = grammar.parse(tag.name)
            if event is None or event.kind == Kind.DEPRECATED:
                continue
            self._tags += 1
            for reason in self._version(tag.target, tag.message, event):
                yield Fault(place=tag.name, reason=reason, fix=f"git show {tag.name}")

    def _version(self, commit: str, message: str, event: grammar.TagEvent) -> list[str]:
        data = self._git.read(f"{commit}:version.json")
        if data is None:
            by_gitml = parse_detail(message).digest is not None
            return ["its commit has no version.json"] if by_gitml else []
        number = grammar.number_of(event.version) if event.version else None
        out = self._git.read(f"{commit}:model.dvc")
        return checks.check_version_commit(data, out, event.model, number, grammar.slug)

    # This machine --------------------------------------------------------------------------------

    def _local_state(self) -> Iterator[Fault]:
        for run_id, folder in self._repository.runs.in_progress().items():
            if not journal.is_alive(folder):
                self._stale_journals = True
                yield Fault(place=str(folder), reason=f"run {run_id} was left by a dead process",
                            fix="gitml fsck --repair", repairable=True)  # fmt: skip
        out = self._git.run("for-each-ref", "--format=%(refname) %(objectname) "
                            "%(committerdate:unix)", TEMPORARY_REFS)  # fmt: skip
        for line in out.decode().splitlines():
            name, oid, when = (*line.split(), "0")[:3]
            if time.time() - int(when) > _ABANDONED:
                self._stale_refs.append(RefUpdate(name=name, new=None, old=oid))
                yield Fault(place=name, reason="was left by an interrupted registration",
                            fix="gitml fsck --repair", repairable=True)  # fmt: skip
        self._leftovers = list(leftovers(self._repository, _ABANDONED, time.time()))
        for path in self._leftovers:
            yield Fault(place=str(path), reason="was left by an interrupted program",
                        fix="gitml fsck --repair", repairable=True)  # fmt: skip

    def _index(self) -> Iterator[Fault]:
        if self._stale_journals:  # reading the index would commit them: not while only looking
            return
        try:
            index = self._repository.index()
            with tempfile.TemporaryDirectory() as scratch:
                rebuilt = index.again(Path(scratch) / "index.sqlite3")
                same = index.contents() == rebuilt.contents()
                rebuilt.close()
        except StoreError as error:
            yield Fault(place="index.sqlite3", reason=error.message, fix=error.hint or "")
            return
        if not same:
            self._stale_index = True
            yield Fault(place=str(self._repository.state / "index.sqlite3"),
                        reason="differs from the branch", fix="gitml fsck --repair",
                        repairable=True)  # fmt: skip

    # Repairs -------------------------------------------------------------------------------------

    def repair(self) -> Iterator[str]:
        """Repair what can be; describes each repair."""
        if self._stale_journals:
            for run_id in self._repository.runs.recover():
                yield f"Recorded run {run_id} of a dead process."
        if self._stale_refs:
            self._git.update_refs(self._stale_refs)
            yield f"Removed {len(self._stale_refs)} temporary refs."
        for path in self._leftovers:
            path.unlink(missing_ok=True)
            yield f"Removed {path}."
        for run_id, since in self._never_ended.items():
            yield open_runs.end(self._repository, run_id, since)
        yield from self._repair_branch()
        yield from self._artifacts.repair()
        if self._stale_index:
            index: Index = self._repository.index()
            index.discard()
            self._repository.index()
            yield "Rebuilt the index."

    def _repair_branch(self) -> Iterator[str]:
        written: dict[str, bytes] = {}

        def make(tip: str | None) -> tuple[Mapping[str, bytes], str]:
            written.clear()
            for path, (old, new) in self._files.items():
                if tip and self._repository.branch.read(path, tip) == old:
                    written[path] = new
            names = "".join(f"{path}\n" for path in sorted(written))
            return written, f"fsck: rebuild {len(written)} derived files\n\n{names}"

        if self._files:
            self._repository.branch.update(make)
        for path in sorted(written):
            yield f"Rebuilt {path}."


def whole_tree(git: GitRepo, rev: str) -> list[TreeEntry]:
    """List every file of a commit.

    Raises:
        StoreError: A part of it cannot be read.
    """
    git.run("ls-tree", "-r", "-z", "--name-only", rev)  # `tree` takes a failure for an empty one
    return git.tree(rev, recursive=True)


def leftovers(repository: Repository, age: float, now: float) -> Iterable[Path]:
    """Find hidden files that interrupted programs left behind.

    Args:
        repository: The clone.
        age: Younger ones may belong to a program that is at work, s.
        now: s since the Unix epoch.
    """
    for folder in ("cache", "queue", "registry", "remote", "sent", "site-cache"):
        for path in sorted((repository.state / folder).rglob(TEMPORARY)):
            try:
                if now - path.lstat().st_mtime > age:
                    yield path
            except FileNotFoundError:
                continue
