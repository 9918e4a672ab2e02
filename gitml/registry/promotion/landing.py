"""Find how a declared value came onto a branch: in which merge, from whom, why, on which rules.

Only what the merge brought tells who proposed (``merge^1..merge``); other commits that touch the
file say nothing about it. A merge is one of these:

- a commit with several parents: what its first parent lacks is what it brought;
- a squash, or a commit that somebody pushed: it brought itself;
- a rebase: a row of commits with one parent that were written anew by one person. Their messages
  are the proposer's, so trailers in them count for nothing.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path

from gitml.entities import Stage
from gitml.errors import InvalidInput
from gitml.forge import request_number
from gitml.git import GitRepo, default_branch
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import Approvals, coauthors, without_trailers
from gitml.registry.gates.declarations import Declaration
from gitml.text import single_line

_DEEPER = (1, 20, 500, 10_000)  # commits
_LONGEST_REBASE = 200  # commits
_TOGETHER = 10  # s between two commits of one rebase
_CONTACT = re.compile(r"[^<>\n]*<[^<>\s]+>")
_FIELDS = ("%H", "%P", "%an <%ae>", "%aN <%aE>", "%cn <%ce>", "%at", "%ct", "%B")
_FORMAT = f"--format={'%x00'.join(_FIELDS)}"

ABSENT = "absent"
"""Stands for a stage or an alias that is not declared; what it holds is left alone."""
Reader = Callable[[Declaration | None], object]
"""Returns one value of a declaration, such as the version of a stage."""


def stage_reader(stage: Stage) -> Reader:
    """Return the reader of what is declared for a stage."""
    return lambda declaration: declaration.stages.get(stage, ABSENT) if declaration else ABSENT


def alias_reader(alias: str) -> Reader:
    """Return the reader of what is declared for an alias."""
    return lambda declaration: declaration.aliases.get(alias, ABSENT) if declaration else ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchCommit:
    """A commit of the code branch.

    Attributes:
        id: Its id.
        parents: Ids of its parents.
        author: ``Name <e-mail>``.
        mapped: The same, as ``.mailmap`` spells it.
        committer: ``Name <e-mail>``.
        authored: When it was first written, s since the Unix epoch.
        committed: When it was last written, likewise.
        message: The whole message.
    """

    id: str
    parents: tuple[str, ...]
    author: str
    mapped: str
    committer: str
    authored: int
    committed: int
    message: str

    @property
    def authors(self) -> tuple[str, ...]:
        """Who wrote it, in all spellings, and its co-authors."""
        return tuple(dict.fromkeys([self.author, self.mapped, *coauthors(self.message)]))

    @property
    def reason(self) -> str:
        """Why, in one line: its message without title and trailers, else the title."""
        title, _, body = without_trailers(self.message).partition("\n")
        return single_line(body.strip() or title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """How a declared value came onto a branch.

    Attributes:
        merge: The commit that brought it, a merge commit or not.
        proposal: The commit that proposed it, which may be the same.
        authors: Everybody who wrote a commit of the proposal that touches the file.
        bases: Commits whose rules judge it: what the branch was before.
        trailers_count: Whether trailers of the merge were written by who merged.
        edited: Whether the merge itself changed the file beyond merging.
        row: Ids of the commits that came with it in one rebase, the merge's own among them.
        path: The file.
    """

    merge: BranchCommit
    proposal: BranchCommit
    authors: tuple[str, ...]
    bases: tuple[str, ...]
    trailers_count: bool
    edited: bool
    row: tuple[str, ...]
    path: str

    @property
    def pull_request(self) -> str:
        """Number of its pull request, as the message of the merge tells; may be empty."""
        return request_number(self.merge.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What commits between two propose.

    Attributes:
        proposal: The commit that proposes a value; None if none does.
        authors: Everybody who wrote a commit that touches the file.
    """

    proposal: BranchCommit | None
    authors: tuple[str, ...]


def find(
    repo: GitRepo, remote: str, commit: str, path: str, read: Reader, prefix: str
) -> Landing | None:
    """Find how a value that a commit declares came onto the branch; None if it declares none.

    More history is fetched into a shallow clone, whose oldest commit seems to have brought it all.

    Args:
        repo: The repository.
        remote: The git remote that has the branch.
        commit: Id of the branch's newest commit.
        path: The declaration.
        read: Returns the value.
        prefix: What the names of proposals' branches begin with.
    """
    merge = _merge_of(repo, commit, path, read)
    for more in _DEEPER:
        if merge is None or _is_whole(repo, merge) or remote not in repo.remotes():
            break
        branch = default_branch.require(repo, remote).branch
        repo.fetch(remote, f"--deepen={more}", f"refs/heads/{branch}")
        merge = _merge_of(repo, commit, path, read)
    if merge is None:
        return None
    if merge.parents[1:]:
        return _of_merge(repo, merge, path, read)
    return _of_single(repo, merge, commit, path, prefix)


def between(repo: GitRepo, base: str, rev: str, path: str, read: Reader) -> Proposed:
    """Find who proposes a value in the commits that one revision has and another has not."""
    commits = _brought(repo, base, rev, path)
    proposal = _proposal(repo, commits, path, read, _value(repo, rev, path, read))
    return Proposed(proposal=proposal, authors=_authors(commits))


def wrote(repo: GitRepo, commit: str, path: str) -> bool:
    """Return True if a commit itself changed a file or a folder.

    A merge changed what neither a parent has nor merging alone gives.
    """
    _, *parents = repo.run("rev-list", "--parents", "-1", commit, "--").decode().split()
    if not parents[1:]:
        return bool(_paths(repo, commit, path))
    return any(_edited(repo, commit, parents, name) for name in _paths(repo, commit, path))


# The three kinds of merge ------------------------------------------------------------------------


def _merge_of(repo: GitRepo, commit: str, path: str, read: Reader) -> BranchCommit | None:
    """Return the commit of the branch since which it declares what it does."""
    touching = list(log(repo, "--first-parent", commit, "--", path))
    value = _value(repo, commit, path, read)
    before = (_value(repo, older.id, path, read) for older in touching[1:])
    same = sum(1 for _ in takewhile(lambda older: older == value, before))
    return touching[same] if touching else None


def _of_merge(repo: GitRepo, merge: BranchCommit, path: str, read: Reader) -> Landing:
    commits = _brought(repo, merge.parents[0], merge.id, path)
    inner = [commit for commit in commits if commit.id != merge.id]
    proposal = _proposal(repo, inner, path, read, _value(repo, merge.id, path, read))
    return Landing(
        merge=merge,
        proposal=proposal or merge,
        authors=_authors(commits),
        bases=merge.parents[:1],
        trailers_count=True,
        edited=any(commit.id == merge.id for commit in commits),
        row=(merge.id,),
        path=path,
    )


def _of_single(repo: GitRepo, single: BranchCommit, tip: str, path: str, prefix: str) -> Landing:
    """Return the landing of a commit with one parent: a squash, a rebase, or pushed as it is."""
    rebased = single.authored != single.committed
    row = _rebased_row(repo, single, tip) if rebased else [single]
    return Landing(
        merge=single,
        proposal=single,
        authors=_authors(c for c in row if c.id == single.id or wrote(repo, c.id, path)),
        bases=tuple(parent for commit in row for parent in commit.parents),
        trailers_count=not rebased and not _was_proposed(repo, single, tip, prefix),
        edited=False,
        row=tuple(commit.id for commit in row),
        path=path,
    )


def _rebased_row(repo: GitRepo, single: BranchCommit, tip: str) -> list[BranchCommit]:
    """Return the commits that were rebased together with one of them."""
    limit = f"-{_LONGEST_REBASE}"
    older = list(log(repo, "--first-parent", limit, single.id, "--"))
    later = list(log(repo, "--first-parent", f"{single.id}..{tip}", "--"))[-_LONGEST_REBASE:]
    before = takewhile(_are_together, pairwise(older))
    after = takewhile(_are_together, pairwise([single, *reversed(later)]))
    return [single, *(commit for _, commit in before), *(commit for _, commit in after)]


def _are_together(pair: tuple[BranchCommit, BranchCommit]) -> bool:
    """Return True if two neighbours were written anew by one person at one time."""
    first, second = pair
    return (
        all(len(commit.parents) == 1 for commit in pair)
        and all(commit.authored != commit.committed for commit in pair)
        and first.committer == second.committer
        and abs(first.committed - second.committed) <= _TOGETHER
        and request_number(first.message) == request_number(second.message)
    )


def _was_proposed(repo: GitRepo, single: BranchCommit, tip: str, prefix: str) -> bool:
    """Return True if a proposal's branch has a commit itself, or the one it was rebased from."""
    refs = _branches(repo, prefix)
    later = repo.run("rev-list", "--first-parent", f"{single.id}..{tip}", "--").decode().split()
    if {single.id, *later} & set(refs):
        return True
    original = single.author, single.authored, single.message
    proposed = log(repo, *dict.fromkeys(refs), f"^{tip}", "--") if refs else ()
    return any((c.author, c.authored, c.message) == original for c in proposed)


def _branches(repo: GitRepo, prefix: str) -> list[str]:
    """Return the newest commits of proposals' branches, here and on remotes."""
    form = "--format=%(objectname) %(refname:lstrip=2)"
    out = repo.run("for-each-ref", form, "refs/heads", "refs/remotes").decode("utf-8", "replace")
    pairs = (line.split(" ", 1) for line in out.splitlines())
    return [oid for oid, name in pairs
            if name.startswith(prefix) or name.partition("/")[2].startswith(prefix)]  # fmt: skip


# What commits brought ----------------------------------------------------------------------------


def _brought(repo: GitRepo, base: str, rev: str, path: str) -> list[BranchCommit]:
    """Return the commits that themselves changed a file, newest first."""
    commits = log(repo, "--topo-order", "--full-history", rev, f"^{base}", "--", path)
    return [commit for commit in commits if not commit.parents[1:] or wrote(repo, commit.id, path)]


def _proposal(
    repo: GitRepo, commits: Sequence[BranchCommit], path: str, read: Reader, value: object
) -> BranchCommit | None:
    """Return the newest commit that gave a value its present content."""
    for commit in commits:
        before = [_value(repo, parent, path, read) for parent in commit.parents]
        if _value(repo, commit.id, path, read) == value and value not in before:
            return commit
    return None


def _authors(commits: Sequence[BranchCommit] | Iterator[BranchCommit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(author for commit in commits for author in commit.authors))


def _value(repo: GitRepo, rev: str, path: str, read: Reader) -> object:
    """Return a value as of a commit; a declaration that is not valid declares nothing."""
    data = repo.read(f"{rev}:{path}")
    try:
        return read(declarations.parse(data, path) if data is not None else None)
    except InvalidInput:
        return read(None)


def _paths(repo: GitRepo, commit: str, path: str) -> list[str]:
    """Return the files at or below a path that differ from the first parent's."""
    out = repo.run("diff-tree", "--root", "-r", "-m", "--first-parent", "--no-commit-id",
                   "--name-only", "-z", "--no-renames", commit, "--", path)  # fmt: skip
    return [name.decode("utf-8", "replace") for name in out.split(b"\0") if name]


def _edited(repo: GitRepo, merge: str, parents: Sequence[str], path: str) -> bool:
    """Return True if a merge holds a file that merging its parents does not give."""
    result = repo.read(f"{merge}:{path}")
    sides = [repo.read(f"{parent}:{path}") for parent in parents]
    if result in sides:
        return False
    common = repo.run("merge-base", *parents[:2], ok=(0, 1, 128)).decode().split()
    ancestor = repo.read(f"{common[0]}:{path}") if common else None
    return len(sides) != 2 or _merged(repo, ancestor, sides) != result


def _merged(repo: GitRepo, ancestor: bytes | None, sides: Sequence[bytes | None]) -> bytes | None:
    """Merge two versions of a file as git does; None if they conflict."""
    with tempfile.TemporaryDirectory(prefix="gitml-merge-") as name:
        files = [Path(name) / side for side in ("first", "ancestor", "second")]
        for file, data in zip(files, (sides[0], ancestor, sides[1]), strict=True):
            file.write_bytes(data or b"")
        code, out, _ = repo.start("merge-file", "--stdout", *map(str, files)).finish()
    return out if code == 0 else None


def _is_whole(repo: GitRepo, merge: BranchCommit) -> bool:
    """Return True if a shallow clone has all that a commit brought."""
    try:
        ends = (repo.common_dir / "shallow").read_text().split()
    except FileNotFoundError:
        return True
    if merge.id in ends:
        return False
    return all(
        repo.run("merge-base", first, other, ok=(0, 1, 128))
        for first, other in pairwise(merge.parents)
    )


def without_authors(repo: GitRepo, approvals: Approvals, authors: Iterable[str]) -> Approvals:
    """Leave out approvals by authors, as they are called and as ``.mailmap`` calls them."""
    if not approvals.names:
        return approvals
    canonical = mailmapped(repo, approvals.names)
    return replace(approvals, canonical=canonical).without(authors)


def mailmapped(repo: GitRepo, people: Sequence[str]) -> dict[str, str]:
    """Return what the repository's ``.mailmap`` calls people, by ``Name <e-mail>``."""
    contacts = [name for name in people if _CONTACT.fullmatch(name)]
    if not contacts:
        return {}
    out = repo.run("check-mailmap", "--stdin", stdin="\n".join(contacts).encode() + b"\n")
    return dict(zip(contacts, out.decode("utf-8", "replace").splitlines(), strict=True))


def log(repo: GitRepo, *args: str) -> Iterator[BranchCommit]:
    """Read commits as ``git log`` lists them."""
    options = ("-z", "--no-show-signature", "--no-follow", "--encoding=UTF-8", _FORMAT)
    out = repo.run("log", *options, *args)
    fields = out.decode("utf-8", "replace").split("\0")
    size = len(_FIELDS)
    for start in range(0, len(fields) - size + 1, size):
        oid, parents, author, mapped, committer, authored, committed, message = fields[
            start : start + size
        ]
        yield BranchCommit(
            id=oid,
            parents=tuple(parents.split()),
            author=single_line(author),
            mapped=single_line(mapped),
            committer=single_line(committer),
            authored=int(authored),
            committed=int(committed),
            message=message,
        )
