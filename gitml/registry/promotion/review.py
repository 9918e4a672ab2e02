"""Review a proposal: what the declarations of the work tree change, judged and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gitml.entities import Stage
from gitml.errors import InvalidInput, NotFound
from gitml.git import GitRepo, default_branch
from gitml.query.gates import Verdict
from gitml.registry.admission import Admission
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import NOBODY, Approvals, from_workflow
from gitml.registry.gates.declarations import Declaration
from gitml.registry.promotion import landing, rules
from gitml.registry.promotion.comparison import Background, VersionComparison, compare
from gitml.registry.promotion.pull_request import forge_of
from gitml.registry.promotion.rules import RuleChange
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind
from gitml.registry.tags.names import check_stage
from gitml.registry.tags.stage_history import StageEntry, entries

SCHEMA = 1
_MAX_COMMITS = 10
_MAX_HISTORY = 10
_VERDICTS = ("fails", "waits", "holds", "no gates")  # the worst first


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a proposal changes, judged and compared.

    Attributes:
        schema: Version of this format.
        verdict: The worst verdict of the changes; ``no change`` if there are none.
        holds: Whether every gate holds, except those that wait for approvals only.
        base: Id of the commit it is compared with.
        changes: Versions that are to enter a stage.
        notes: Other changes, one sentence each.
        rule_changes: Rules that the proposal changes; those of the base judge it as well.
    """

    schema: int
    verdict: str
    holds: bool
    base: str
    changes: tuple[VersionComparison, ...]
    notes: tuple[str, ...] = ()
    rule_changes: tuple[RuleChange, ...] = ()

    @classmethod
    def of(
        cls,
        base: str,
        changes: Iterable[VersionComparison],
        notes: Iterable[str] = (),
        rule_changes: tuple[RuleChange, ...] = (),
    ) -> Review:
        """Summarize changes."""
        changes = tuple(changes)
        verdicts = (change.verdict for change in changes)
        return cls(
            schema=SCHEMA,
            verdict=min(verdicts, key=_VERDICTS.index, default="no change"),
            holds=all(change.holds for change in changes),
            base=base,
            changes=changes,
            notes=tuple(notes),
            rule_changes=rule_changes,
        )


def check(
    registry: Registry, base: str | None = None, *, approved_by: Sequence[str] = ()
) -> Review:
    """Validate the declarations of the work tree and judge what they change.

    Args:
        registry: The registry.
        base: Revision to compare with; default the remote's default branch.
        approved_by: Who approved the proposal so far.

    Raises:
        InvalidInput: A declaration is not valid, or the revision does not exist.
    """
    approvals = from_workflow(approved_by)
    start, newest = _base_commits(registry, base)
    return between(registry, start, approvals=approvals, newest=newest)


def between(
    registry: Registry,
    base: str,
    rev: str | None = None,
    *,
    approvals: Approvals = NOBODY,
    newest: str | None = None,
) -> Review:
    """Judge what changes in the declarations from one revision to another, by the rules of both.

    Args:
        registry: The registry.
        base: Id of a commit.
        rev: The other revision; None for the work tree.
        approvals: Who approved the change so far.
        newest: Another commit whose rules judge as well: what it is to be merged into by now.

    Raises:
        InvalidInput: A declaration is not valid.
    """
    repo, bases = registry.repo, (base, newest or base)
    results = list(declarations.read_each(registry.repo, base))
    before = {result.model: result for result in results if isinstance(result, Declaration)}
    after = declarations.read_all(registry.repo, rev)
    changes: list[VersionComparison] = []
    notes = [f"Until now {error.message}" for error in results if isinstance(error, InvalidInput)]
    notes += [f"{before[name].path} is removed." for name in before if name not in after]
    frozen = rules.frozen(repo, bases, rev)
    for name, new in after.items():
        old = before.get(name)
        check_versions(registry, new)
        authors = _authors(repo, base, rev, new.path)
        others = landing.without_authors(repo, approvals, authors)
        judge = partial(_change, registry, old, new, approvals=others, bases=bases, frozen=frozen)
        changes += [judge(stage, version) for stage, version in _entering(old, new)]
        notes += _notes(old, new, in_base=repo.contains(f"{base}:{new.path}"))
    return Review.of(base, changes, notes, rules.changes(repo, base, rev))


def _authors(repo: GitRepo, base: str, rev: str | None, path: str) -> tuple[str, ...]:
    """Return who wrote what a proposal changes in a declaration."""
    head = rev or repo.head()[0]
    return landing.between(repo, base, head, path, bool).authors if head else ()


def _base_commits(registry: Registry, base: str | None) -> tuple[str, str]:
    """Return where the proposal left the base, the base itself if that is unknown; and the base."""
    repo = registry.repo
    rev = base or default_branch.require(repo, registry.remote).commit
    if rev.startswith("-") or not repo.contains(f"{rev}^{{commit}}"):
        raise InvalidInput(
            f"Revision {rev!r:.80} does not exist in this clone.", hint="Fetch it, or give another."
        )
    newest = repo.run("rev-parse", f"{rev}^{{commit}}").decode().strip()
    common = repo.run("merge-base", rev, "HEAD", ok=(0, 1, 128)).decode().split()
    return common[0] if common else newest, newest


def check_versions(registry: Registry, declaration: Declaration) -> None:
    """Refuse declared versions that do not exist, with file and line.

    Raises:
        InvalidInput: One does not.
    """
    stages, aliases = declaration.stages, declaration.aliases
    versions = {f"stages.{stage.value}": version for stage, version in stages.items()}
    versions |= {f"aliases.{alias}": version for alias, version in aliases.items()}
    for key, version in versions.items():
        if version is None:
            continue
        try:
            registry.get_model_version(declaration.model, version)
        except NotFound as error:
            lines = {name.lower(): line for name, line in declaration.lines.items()}
            raise InvalidInput(
                f"{declaration.path}, line {lines.get(key.lower(), 1)}: {error.message}",
                hint=f"{error.hint or ''} Where another clone registered it, type `gitml push` "
                "there.".lstrip(),
            ) from error


def _entering(old: Declaration | None, new: Declaration) -> Iterator[tuple[Stage, int]]:
    """Yield the stages that are to get another version."""
    for stage, version in new.stages.items():
        if version is not None and (old is None or old.stages.get(stage) != version):
            yield stage, version


def _change(
    registry: Registry,
    old: Declaration | None,
    new: Declaration,
    stage: Stage,
    version: int,
    approvals: Approvals = NOBODY,
    bases: Sequence[str] = (),
    frozen: tuple[Verdict, ...] = (),
) -> VersionComparison:
    gates = new.gates.get(stage, ())
    texts = [gate.text for gate in gates]
    before = [gate.text for gate in old.gates.get(stage, ())] if old else []
    admission = examine(registry, new, stage, version, approvals, bases=bases)
    candidate, incumbent = admission.candidate, admission.incumbent
    history = entries(registry.history(new.model), stage)
    old_code = incumbent.code_commit if incumbent else ""
    commits, subjects = code_between(registry.repo, old_code, candidate.code_commit)
    background = Background(
        forge=forge_of(registry.repo, registry.remote),
        live=candidate.version.current_stage == stage,
        gates=gates,
        better=new.better,
        incumbent_forced=_forced_reason(admission, history),
        gates_added=tuple(text for text in texts if text not in before) if old else (),
        gates_removed=tuple(text for text in before if text not in texts),
        commits=commits,
        subjects=subjects,
        history=tuple(history[::-1][:_MAX_HISTORY]),
    )
    return compare(
        candidate,
        incumbent,
        stage,
        verdicts=(*admission.verdicts, *frozen),
        approvals=admission.approvals,
        background=background,
    )


def _forced_reason(admission: Admission, history: Sequence[StageEntry]) -> str:
    """Return why the incumbent was forced past its gates; empty if it was not."""
    incumbent = admission.incumbent.version.version if admission.incumbent else None
    times = [entry for entry in history if entry.version == incumbent]
    if not times or not times[-1].forced:
        return ""
    return times[-1].reason or "no reason given"


def code_between(repo: GitRepo, old: str, new: str) -> tuple[int | None, tuple[str, ...]]:
    """Return the number of commits from one to another, and the subjects of the newest.

    Args:
        repo: The repository.
        old: Full id of a commit, or empty.
        new: Likewise.

    Returns:
        None and no subjects if the clone lacks one of them.
    """
    if not (old and new and repo.contains(f"{old}^{{commit}}")):
        return None, ()
    if not repo.contains(f"{new}^{{commit}}"):
        return None, ()
    count = int(repo.run("rev-list", "--count", f"{old}..{new}"))
    log = repo.run("log", f"-{_MAX_COMMITS}", "--format=%h %s", f"{old}..{new}")
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
        InvalidInput: The stage does not exist, or the declaration is not valid.
    """
    candidate = registry.get_model_version(name, version)
    target = check_stage(stage)
    declaration = declarations.read(registry.repo, candidate.name, rev) or Declaration(
        model=candidate.name, path=declarations.path_of(candidate.name), text=""
    )
    change = _change(registry, declaration, declaration, target, candidate.version)
    return Review.of(rev or registry.repo.head()[0] or "", [change])


def examine(
    registry: Registry,
    declaration: Declaration,
    stage: Stage,
    version: int,
    approvals: Approvals = NOBODY,
    *,
    bases: Sequence[str] = (),
) -> Admission:
    """Judge a version by the gates that are declared for a stage, and by those of its bases."""
    former = {
        event.version
        for event in registry.history(declaration.model)
        if event.kind == Kind.STAGE and event.value == stage
    }
    gates = declaration.gates.get(stage, ())
    declared = {gate.text for gate in gates}
    of_base = rules.base_gates(registry.repo, bases, declaration.path, stage)
    admission = registry.examine(
        declaration.model,
        version,
        stage,
        [*gates, *(gate for gate in of_base if gate.text not in declared)],
        returning=version in former,
        approvals=approvals,
    )
    noted = [
        replace(verdict, note="; ".join(filter(None, (verdict.note, rules.OF_BASE))))
        for verdict in admission.verdicts[len(gates) :]
    ]
    return replace(admission, verdicts=(*admission.verdicts[: len(gates)], *noted))


def _notes(old: Declaration | None, new: Declaration, *, in_base: bool) -> Iterable[str]:
    if not in_base and any(new.stages.values()):
        yield f"{new.model} is declared for the first time: the base has no rules for it."
    before = old or Declaration(model=new.model, path=new.path, text="")
    for stage, version in new.stages.items():
        if version is None and before.stages.get(stage, 0) is not None:
            yield f"{new.model}: nothing is to be in {stage.value}."
    for stage in before.stages.keys() - new.stages.keys():
        yield f"{new.model}: {stage.value} is no longer declared; it stays as it is."
    for alias, holder in new.aliases.items():
        if before.aliases.get(alias, 0) != holder:
            change = f"names version {holder}" if holder else "is removed"
            yield f"{new.model}: alias {alias} {change}."
