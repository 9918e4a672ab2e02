"""Apply declarations: change the tags until they record what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from gitml.entities import Stage
from gitml.errors import (
    Conflict,
    GateFailed,
    InvalidInput,
)
from gitml.git import GitRepo, default_branch
from gitml.query.gate_nodes import APPROVAL_KINDS, fields_of
from gitml.query.gates import Verdict
from gitml.registry import admission
from gitml.registry.admission import Admission
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import (
    NOBODY,
    Approvals,
    approvers_named,
    from_trailers,
    from_workflow,
)
from gitml.registry.gates.declarations import Declaration
from gitml.registry.promotion import landing, rules
from gitml.registry.promotion.landing import Landing, Reader
from gitml.registry.promotion.pull_request import proposal_prefix
from gitml.registry.promotion.push_order import push_tags
from gitml.registry.promotion.review import check_versions, examine
from gitml.registry.registry import Registry
from gitml.registry.tags.detail import TagDetail
from gitml.registry.verify import require_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying the declarations did.

    Attributes:
        commit: The commit whose declarations were applied.
        done: What was changed, one sentence each; empty where all was as declared.
        pushed: Tags that were pushed, in order.
        uncommitted: Files whose changes in the work tree were left out.
    """

    commit: str
    done: tuple[str, ...]
    pushed: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """How a declared value came onto the branch.

    Attributes:
        detail: What tags record of it.
        reason: Why, in the words of who asked.
        approvals: Who approved it.
        bases: Commits whose rules judge it as well.
        frozen: Verdicts on settings that changed together with it.
    """

    detail: TagDetail
    reason: str = ""
    approvals: Approvals = NOBODY
    bases: tuple[str, ...] = ()
    frozen: tuple[Verdict, ...] = ()


def apply(
    registry: Registry,
    *,
    push: bool = False,
    approved_by: Sequence[str] = (),
    approvers_of: Callable[[Landing], Sequence[str]] | None = None,
) -> Applied:
    """Let the tags say what the declarations of HEAD say; nothing where they do already.

    Args:
        registry: The registry, brought up to date with the remote.
        push: Push the tags, those that start workflows last.
        approved_by: Who approved what the commit of HEAD itself changed in the declarations, in
            place of its trailers; earlier changes keep the approvals of their own commits.
        approvers_of: Tells who approved what a merge brought, in place of its trailers; asked
            only where a gate wants approvals.

    Raises:
        InvalidInput: A file is not as it should be.
        GateFailed: A version does not meet its gates; nothing was changed.
        Conflict: The remote's default branch declares something else: HEAD is old, or not merged.
        SignatureError: A tag of a declared model is not signed by somebody allowed, or the user's
            key is not.
    """
    commit, _ = registry.repo.head()
    if commit is None:
        raise InvalidInput("There is no commit to apply yet.", hint="Commit registry/ first.")
    if registry.remote in registry.repo.remotes():
        _require_current(registry, commit)
    declared = declarations.read_all(registry.repo, commit)
    require_signed(registry, declared)
    for declaration in declared.values():
        check_versions(registry, declaration)
    decisions = _Decisions(registry, commit, from_workflow(approved_by), approvers_of)
    admissions = [
        (declaration, admitted)
        for declaration in declared.values()
        for admitted in _to_admit(registry, declaration, decisions)
    ]
    _require_all([admitted for _, admitted in admissions])
    done = [
        _enter(registry, declaration, admitted, decisions) for declaration, admitted in admissions
    ]
    for declaration in declared.values():
        done += _settle(registry, declaration, decisions)
    pushed = push_tags(registry, declared) if push else []
    return Applied(
        commit=commit,
        done=tuple(done),
        pushed=tuple(pushed),
        uncommitted=_uncommitted(registry.repo),
    )


def _require_current(registry: Registry, commit: str) -> None:
    """Refuse a commit that declares something else than the remote's default branch.

    What is older was replaced; what is newer was not merged, so nobody has reviewed it.
    """
    repo = registry.repo
    base = default_branch.require(repo, registry.remote)
    declared, merged = (repo.tree(rev, declarations.FOLDER) for rev in (commit, base.commit))
    if declared == merged:
        return
    newer = repo.is_ancestor(base.commit, commit)
    raise Conflict(
        f"{base.remote}/{base.branch} declares something else than commit {commit[:12]}.",
        hint=f"Merge it into {base.branch} and push that, then apply."
        if newer
        else f"Check out the newest {base.branch} (`git pull`), then apply.",
    )


def _uncommitted(repo: GitRepo) -> tuple[str, ...]:
    """Return declarations that differ between the work tree and HEAD."""
    if repo.work_tree is None:
        return ()
    out = repo.run("status", "--porcelain", "-z", "--no-renames", "--", declarations.FOLDER)
    return tuple(line[3:].decode("utf-8", "replace") for line in out.split(b"\0") if line)


def _to_admit(
    registry: Registry, declaration: Declaration, decisions: _Decisions
) -> Iterable[Admission]:
    if not any(version for version in declaration.stages.values()):
        return
    live = _holders(registry, declaration.model)
    for stage, version in declaration.stages.items():
        holders = live.get(stage, [])
        alone = stage is not Stage.ARCHIVED  # others may be archived as well
        if version is not None and (holders != [version] if alone else version not in holders):
            decision = decisions.of_stage(declaration, stage)
            admitted = examine(
                registry, declaration, stage, version, decision.approvals, bases=decision.bases
            )
            yield replace(admitted, verdicts=(*admitted.verdicts, *decision.frozen))


def _holders(registry: Registry, name: str) -> dict[str, list[int]]:
    """Return all versions in each stage."""
    holders: dict[str, list[int]] = {}
    for version in registry.model_versions(name):
        holders.setdefault(version.current_stage, []).append(version.version)
    return holders


def _require_all(admissions: Iterable[Admission]) -> None:
    failures = []
    for examined in admissions:
        try:
            admission.require(examined, force=False, reason="")
        except GateFailed as error:
            failures.append(error.message)
    if failures:
        raise GateFailed(
            " ".join(failures),
            hint="Nothing was changed. Correct the declaration in a new commit; approvals are the "
            "trailers of the commit that brought it to the branch, or --approved-by where that is "
            "HEAD. A change of rules is merged on its own before what it is to admit.",
        )


def _enter(
    registry: Registry, declaration: Declaration, admitted: Admission, decisions: _Decisions
) -> str:
    decision = decisions.of_stage(declaration, admitted.stage)
    version = admitted.candidate.version.version
    detail = decision.detail | admission.recorded(admitted, force=False)
    registry.enter(declaration.model, version, admitted.stage, detail, reason=decision.reason)
    return f"{declaration.model} version {version} is in {admitted.stage.value}."


def _settle(registry: Registry, declaration: Declaration, decisions: _Decisions) -> Iterable[str]:
    """Empty the stages that are declared empty, then set the aliases."""
    empty = [stage for stage, version in declaration.stages.items() if version is None]
    holders = _holders(registry, declaration.model) if empty else {}
    for stage in empty:
        for version in holders.get(stage, []):
            decision = decisions.of_stage(declaration, stage)
            registry.enter(
                declaration.model, version, Stage.NONE, decision.detail, reason=decision.reason
            )
            yield f"{declaration.model} version {version} left {stage.value}."
    if not declaration.aliases or not registry.model_versions(declaration.model):
        return
    current = registry.get_registered_model(declaration.model).aliases
    for alias, target in declaration.aliases.items():
        if current.get(alias) == target:
            continue
        reason = decisions.of_alias(declaration, alias).reason
        if target is None:
            registry.delete_registered_model_alias(declaration.model, alias, reason)
            yield f"{declaration.model} alias {alias} is removed."
        else:
            registry.set_registered_model_alias(declaration.model, alias, target, reason)
            yield f"{declaration.model} alias {alias} names version {target}."


class _Decisions:
    """Finds out who proposed what is declared, why, and who approved it.

    Args:
        registry: The registry.
        commit: Id of the commit that declares it.
        given: Who approved what that commit brought, by a workflow.
        approvers_of: Tells who approved what a merge brought.
    """

    def __init__(
        self,
        registry: Registry,
        commit: str,
        given: Approvals,
        approvers_of: Callable[[Landing], Sequence[str]] | None,
    ) -> None:
        self._registry = registry
        self._commit = commit
        self._given = given
        self._approvers_of = approvers_of
        self._prefix = proposal_prefix(registry.repo)
        self._decisions: dict[tuple[str, str], _Decision] = {}

    def of_stage(self, declaration: Declaration, stage: Stage) -> _Decision:
        """Return the decision that declared what is to be in a stage."""
        return self._of(declaration, f"stages.{stage.value}", landing.stage_reader(stage))

    def of_alias(self, declaration: Declaration, alias: str) -> _Decision:
        """Return the decision that declared what an alias is to name."""
        return self._of(declaration, f"aliases.{alias}", landing.alias_reader(alias))

    def _of(self, declaration: Declaration, what: str, read: Reader) -> _Decision:
        key = declaration.path, what
        if key not in self._decisions:
            repo, remote = self._registry.repo, self._registry.remote
            landed = landing.find(repo, remote, self._commit, declaration.path, read, self._prefix)
            self._decisions[key] = self._decision(declaration, landed)
        return self._decisions[key]

    def _decision(self, declaration: Declaration, landed: Landing | None) -> _Decision:
        if landed is None:
            return _Decision(detail=TagDetail.of(merge_commit=self._commit))
        return _Decision(
            detail=TagDetail.of(
                proposed_by=landed.proposal.author,
                merged_by=landed.merge.author,
                committer=landed.merge.committer,
                merge_commit=landed.merge.id,
                pull_request=landed.pull_request,
            ),
            reason=landed.proposal.reason,
            approvals=self._approvals(declaration, landed),
            bases=landed.bases,
            frozen=rules.frozen(self._registry.repo, landed.bases, landed.merge.id),
        )

    def _approvals(self, declaration: Declaration, landed: Landing) -> Approvals:
        gates = [
            gate
            for stage in Stage
            for gate in (
                *declaration.gates.get(stage, ()),
                *rules.base_gates(self._registry.repo, landed.bases, declaration.path, stage),
            )
        ]
        if not any(f.kind in APPROVAL_KINDS for gate in gates for f in fields_of(gate.node)):
            return NOBODY
        if self._given.names and landed.merge.id == self._commit:
            return self._reviewed(landed, self._given)
        if self._approvers_of:
            return self._reviewed(landed, from_workflow(self._approvers_of(landed)))
        return self._trailers(landed)

    def _reviewed(self, landed: Landing, approvals: Approvals) -> Approvals:
        """Return what reviews are worth: they saw the proposal, not what the merge made of it."""
        if landed.edited:
            return Approvals(disregarded="the merge changed what was reviewed")
        return landing.without_authors(self._registry.repo, approvals, landed.authors)

    def _trailers(self, landed: Landing) -> Approvals:
        names = approvers_named(landed.merge.message)
        if names and not landed.trailers_count:
            return Approvals(disregarded="trailers inside a proposal count for nothing")
        canonical = landing.mailmapped(self._registry.repo, names)
        return from_trailers(landed.merge.message, *landed.authors, canonical=canonical)
