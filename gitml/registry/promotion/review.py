"""Hides how a proposal is judged: what the declarations of the work tree change, and how well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gitml.entities import Stage
from gitml.errors import (
    InvalidInput,
    NotFound,
)
from gitml.forge import Forge
from gitml.git import GitRepo, default_branch
from gitml.query.gates import Gate
from gitml.registry.admission import Admission
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import NOBODY, Approvals, from_workflow
from gitml.registry.gates.declarations import Declaration
from gitml.registry.gates.metric_direction import Better
from gitml.registry.promotion.pull_request import forge_of
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.names import check_stage
from gitml.registry.tags.stage_history import StageEntry, entries

_SHOWN = 10  # commits, and entries of a stage's history


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChange:
    """A version that is to enter a stage.

    Attributes:
        model: The model.
        stage: The stage.
        path: The file that declares it.
        live: Whether it is in that stage already.
        admission: What it was judged by.
        gates_added: Gates that the base does not have.
        gates_removed: Gates that only the base has.
        forced: Why the present version was forced past its gates; empty where it was not.
        gates: What was declared for the stage.
        better: Which direction of a metric is declared to be better.
        commits: Number of code commits from the present version to this one; None where the clone
            does not have them.
        subjects: Their first lines, newest first, as far as there are not too many.
        history: Who was in the stage before, newest first.
    """

    model: str
    stage: Stage
    path: str
    live: bool
    admission: Admission
    gates_added: tuple[str, ...] = ()
    gates_removed: tuple[str, ...] = ()
    forced: str = ""
    gates: tuple[Gate, ...] = ()
    better: Mapping[str, Better] = field(default_factory=dict)
    commits: int | None = None
    subjects: tuple[str, ...] = ()
    history: tuple[StageEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a proposal changes.

    Attributes:
        base: Commit it is compared with.
        forge: Web pages of the repository.
        changes: Versions that are to enter a stage.
        notes: Other changes, one sentence each.
    """

    base: str
    forge: Forge
    changes: tuple[StageChange, ...]
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every gate holds, but for those that wait for approvals only."""
        return not any(change.admission.failed for change in self.changes)


def check(
    registry: Registry, base: str | None = None, *, approved_by: Sequence[str] = ()
) -> Review:
    """Validate the declarations of the work tree and judge what they change.

    Args:
        registry: The registry.
        base: Revision to compare with; default the remote's default branch.
        approved_by: Who approved the proposal so far.

    Raises:
        InvalidInput: A file is not as it should be, or there is no such revision.
    """
    approvals = from_workflow(approved_by)
    return between(registry, _base_commit(registry, base), approvals=approvals)


def between(
    registry: Registry, base: str, rev: str | None = None, *, approvals: Approvals = NOBODY
) -> Review:
    """Judge what changes in the declarations from one revision to another.

    Args:
        registry: The registry.
        base: Id of a commit.
        rev: The other revision; None for the work tree.
        approvals: Who approved that so far.

    Raises:
        InvalidInput: A file is not as it should be.
    """
    read = list(declarations.read_each(registry.repo, base))
    before = {one.model: one for one in read if isinstance(one, Declaration)}
    after = declarations.read_all(registry.repo, rev)
    changes: list[StageChange] = []
    notes = [f"Until now {one.message}" for one in read if isinstance(one, InvalidInput)]
    notes += [f"{before[name].path} is removed." for name in before if name not in after]
    for name, new in after.items():
        old = before.get(name)
        check_versions(registry, new)
        changes += _stage_changes(registry, old, new, approvals)
        notes += _notes(old, new)
    forge = forge_of(registry.repo, registry.remote)
    return Review(base=base, forge=forge, changes=tuple(changes), notes=tuple(notes))


def _base_commit(registry: Registry, base: str | None) -> str:
    """Where the proposal left the base; the base itself where history does not tell."""
    repo = registry.repo
    rev = base or default_branch.require(repo, registry.remote).commit
    if rev.startswith("-") or not repo.contains(f"{rev}^{{commit}}"):
        raise InvalidInput(
            f"There is no revision {rev!r:.80} in this clone.", hint="Fetch it, or give another."
        )
    common = repo.run("merge-base", rev, "HEAD", ok=(0, 1, 128)).decode().split()
    return common[0] if common else repo.run("rev-parse", f"{rev}^{{commit}}").decode().strip()


def check_versions(registry: Registry, one: Declaration) -> None:
    """Refuse versions that do not exist, with file and line.

    Raises:
        InvalidInput: One does not.
    """
    wanted = {f"stages.{stage.value}": version for stage, version in one.stages.items()}
    wanted |= {f"aliases.{alias}": version for alias, version in one.aliases.items()}
    for key, version in wanted.items():
        if version is None:
            continue
        try:
            registry.get_model_version(one.model, version)
        except NotFound as error:
            lines = {name.lower(): line for name, line in one.lines.items()}
            raise InvalidInput(
                f"{one.path}, line {lines.get(key.lower(), 1)}: {error.message}",
                hint=f"{error.hint or ''} Where another clone registered it, type `gitml push` "
                "there.".lstrip(),
            ) from error


def _stage_changes(
    registry: Registry, old: Declaration | None, new: Declaration, approvals: Approvals
) -> Iterable[StageChange]:
    for stage, version in new.stages.items():
        if version is None or (old and old.stages.get(stage) == version):
            continue
        yield _change(registry, old, new, stage, version, approvals)


def _change(
    registry: Registry,
    old: Declaration | None,
    new: Declaration,
    stage: Stage,
    version: int,
    approvals: Approvals = NOBODY,
) -> StageChange:
    gates = new.gates.get(stage, ())
    texts = [gate.text for gate in gates]
    before = [gate.text for gate in old.gates.get(stage, ())] if old else []
    judged = examined(registry, new, stage, version, approvals)
    history = entries(registry.history(new.model), stage)
    was = judged.incumbent.code_commit if judged.incumbent else ""
    commits, subjects = code_between(registry.repo, was, judged.candidate.code_commit)
    return StageChange(
        model=new.model,
        stage=stage,
        path=new.path,
        live=judged.candidate.version.current_stage == stage,
        admission=judged,
        gates_added=tuple(text for text in texts if text not in before) if old else (),
        gates_removed=tuple(text for text in before if text not in texts),
        forced=_forced(judged, history),
        gates=gates,
        better=new.better,
        commits=commits,
        subjects=subjects,
        history=tuple(history[::-1][:_SHOWN]),
    )


def _forced(judged: Admission, history: Sequence[StageEntry]) -> str:
    """Why the incumbent was forced past its gates."""
    live = judged.incumbent.version.version if judged.incumbent else None
    entered = [one for one in history if one.version == live]
    if not entered or not entered[-1].forced:
        return ""
    return entered[-1].reason or "no reason given"


def code_between(repo: GitRepo, old: str, new: str) -> tuple[int | None, tuple[str, ...]]:
    """Count the commits from one to another, and give the first lines of the newest.

    Args:
        repo: The repository.
        old: Full id of a commit, or empty.
        new: Likewise.
    """
    if not (old and new and repo.contains(f"{old}^{{commit}}")):
        return None, ()
    if not repo.contains(f"{new}^{{commit}}"):
        return None, ()
    count = int(repo.run("rev-list", "--count", f"{old}..{new}"))
    log = repo.run("log", f"-{_SHOWN}", "--format=%h %s", f"{old}..{new}")
    return count, tuple(log.decode("utf-8", "replace").splitlines())


def consider(
    registry: Registry, name: str, version: int | str, stage: str, rev: str | None = None
) -> Review:
    """Judge a version for a stage by what is declared, without any proposal.

    Args:
        registry: The registry.
        name: The model.
        version: The version.
        stage: The stage.
        rev: Revision whose declarations count; None for the work tree.

    Raises:
        NotFound: The model or the version does not exist.
        InvalidInput: There is no such stage, or the declaration is not as it should be.
    """
    found = registry.get_model_version(name, version)
    target = check_stage(stage)
    one = declarations.read(registry.repo, found.name, rev) or Declaration(
        model=found.name, path=declarations.path_of(found.name), text=""
    )
    return Review(
        base=rev or registry.repo.head()[0] or "",
        forge=forge_of(registry.repo, registry.remote),
        changes=(_change(registry, one, one, target, found.version),),
    )


def examined(
    registry: Registry,
    one: Declaration,
    stage: Stage,
    version: int,
    approvals: Approvals = NOBODY,
) -> Admission:
    """Judge a version by what is declared for a stage."""
    former = {
        event.version
        for event in registry.history(one.model)
        if event.kind == Kind.STAGE and event.value == stage
    }
    gates = one.gates.get(stage, ())
    return registry.examine(
        one.model, version, stage, gates, returning=version in former, approvals=approvals
    )


def _notes(old: Declaration | None, new: Declaration) -> Iterable[str]:
    before = old or Declaration(model=new.model, path=new.path, text="")
    for stage, version in new.stages.items():
        if version is None and before.stages.get(stage, 0) is not None:
            yield f"{new.model}: nothing is to be in {stage.value}."
    for stage in before.stages.keys() - new.stages.keys():
        yield f"{new.model}: {stage.value} is no longer declared; it stays as it is."
    for alias, holder in new.aliases.items():
        if before.aliases.get(alias, 0) != holder:
            named = f"names version {holder}" if holder else "is removed"
            yield f"{new.model}: alias {alias} {named}."
    for stage in sorted({*before.gates, *new.gates}):
        texts = [[gate.text for gate in one.gates.get(stage, ())] for one in (before, new)]
        if texts[0] != texts[1] and old:
            yield f"{new.model}: the gates of {stage.value} change."
