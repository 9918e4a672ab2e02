"""Apply declarations: change the tags until they record what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from gitml.entities import Stage
from gitml.errors import (
    Conflict,
    GateFailed,
    InvalidInput,
)
from gitml.forge import request_number
from gitml.git import GitRepo, default_branch
from gitml.query.gate_nodes import APPROVAL_KINDS, fields_of
from gitml.registry import admission
from gitml.registry.admission import Admission
from gitml.registry.gates import declarations
from gitml.registry.gates.approvals import NOBODY, Approvals, from_trailers, from_workflow
from gitml.registry.gates.declarations import Declaration
from gitml.registry.promotion.push_order import push_tags
from gitml.registry.promotion.review import check_versions, examine
from gitml.registry.registry import Registry
from gitml.registry.tags.detail import TagDetail
from gitml.registry.verify import require_signed
from gitml.text import single_line

_DEEPER = (1, 20, 500, 10_000)  # commits


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
    """How a declaration came onto the branch.

    Attributes:
        detail: What tags record of it.
        reason: Why, in the words of who asked.
        approvals: Finds out who approved it.
    """

    detail: TagDetail
    reason: str = ""
    approvals: Callable[[], Approvals] = lambda: NOBODY


def apply(
    registry: Registry,
    *,
    push: bool = False,
    approved_by: Sequence[str] = (),
    approvers_of: Callable[[str], Sequence[str]] | None = None,
) -> Applied:
    """Let the tags say what the declarations of HEAD say; nothing where they do already.

    Args:
        registry: The registry, brought up to date with the remote.
        push: Push the tags, those that start workflows last.
        approved_by: Who approved what the commit of HEAD itself changed in the declarations, in
            place of its trailers; earlier changes keep the approvals of their own commits.
        approvers_of: Tells who approved what a commit brought, in place of its trailers; asked
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
    approvers = _Approvers(commit, from_workflow(approved_by), approvers_of)
    decisions = {
        declaration.path: _decision(registry, commit, declaration, approvers)
        for declaration in declared.values()
    }
    admissions = [
        (declaration, admitted)
        for declaration in declared.values()
        for admitted in _to_admit(registry, declaration, decisions[declaration.path])
    ]
    _require_all([admitted for _, admitted in admissions])
    done = [
        _enter(registry, declaration, admitted, decisions[declaration.path])
        for declaration, admitted in admissions
    ]
    for declaration in declared.values():
        done += _settle(registry, declaration, decisions[declaration.path])
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
    registry: Registry, declaration: Declaration, decision: _Decision
) -> Iterable[Admission]:
    if not any(version for version in declaration.stages.values()):
        return
    live = _holders(registry, declaration.model)
    for stage, version in declaration.stages.items():
        holders = live.get(stage, [])
        alone = stage is not Stage.ARCHIVED  # others may be archived as well
        if version is not None and (holders != [version] if alone else version not in holders):
            yield examine(registry, declaration, stage, version, decision.approvals())


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
            "HEAD.",
        )


def _enter(
    registry: Registry, declaration: Declaration, admitted: Admission, decision: _Decision
) -> str:
    version = admitted.candidate.version.version
    detail = decision.detail | admission.recorded(admitted, force=False)
    registry.enter(declaration.model, version, admitted.stage, detail, reason=decision.reason)
    return f"{declaration.model} version {version} is in {admitted.stage.value}."


def _settle(registry: Registry, declaration: Declaration, decision: _Decision) -> Iterable[str]:
    """Empty the stages that are declared empty, then set the aliases."""
    empty = [stage for stage, version in declaration.stages.items() if version is None]
    holders = _holders(registry, declaration.model) if empty else {}
    reason = decision.reason
    for stage in empty:
        for version in holders.get(stage, []):
            registry.enter(declaration.model, version, Stage.NONE, decision.detail, reason=reason)
            yield f"{declaration.model} version {version} left {stage.value}."
    if not declaration.aliases or not registry.model_versions(declaration.model):
        return
    current = registry.get_registered_model(declaration.model).aliases
    for alias, target in declaration.aliases.items():
        if current.get(alias) == target:
            continue
        if target is None:
            registry.delete_registered_model_alias(declaration.model, alias, reason)
            yield f"{declaration.model} alias {alias} is removed."
        else:
            registry.set_registered_model_alias(declaration.model, alias, target, reason)
            yield f"{declaration.model} alias {alias} names version {target}."


@dataclass(frozen=True, slots=True)
class _Approvers:
    """Approvers by a workflow: of what ``head`` changed, or by commit."""

    head: str
    given: Approvals
    of: Callable[[str], Sequence[str]] | None

    def find(self, declaration: Declaration, commit: str, message: str, proposer: str) -> Approvals:
        if self.given.names and commit == self.head:
            return self.given
        if self.of is None:
            return from_trailers(message, proposer)
        gates = [gate for stage in declaration.gates.values() for gate in stage]
        needed = any(f.kind in APPROVAL_KINDS for gate in gates for f in fields_of(gate.node))
        return from_workflow(self.of(commit)) if needed else NOBODY


def _decision(
    registry: Registry, commit: str, declaration: Declaration, approvers: _Approvers
) -> _Decision:
    """Return who brought a file to a branch, in which pull request, why, and who approved."""
    repo, path = registry.repo, declaration.path
    log = ("log", "-1", "--format=%H%x00%an <%ae>%x00%cn <%ce>%x00%B")
    merged = _merge_of(registry, [*log, "--first-parent", commit, "--", path])
    proposed = repo.run(*log, "--no-merges", commit, "--", path).decode("utf-8", "replace")
    if not merged:
        return _Decision(detail=TagDetail.of(merge_commit=commit))
    merge, author, committer, message = merged.split("\0", 3)
    proposer, words = proposed.split("\0", 3)[1::2] if proposed else (author, message)
    title, _, body = words.strip().partition("\n")
    return _Decision(
        detail=TagDetail.of(
            merged_by=single_line(author),
            committer=single_line(committer),
            merge_commit=merge,
            pull_request=request_number(message),
        ),
        reason=single_line(body.strip() or title),
        approvals=cache(lambda: approvers.find(declaration, merge, message, proposer)),
    )


def _merge_of(registry: Registry, log: Sequence[str]) -> str:
    """Return the log entry of the commit that brought a file, even in a shallow clone.

    The oldest commit of a shallow clone seems to have brought every file: more history is fetched
    until another one is found, or there is no more.
    """
    repo = registry.repo
    entry = repo.run(*log).decode("utf-8", "replace")
    for more in _DEEPER:
        if entry[:40] not in _ends(repo) or registry.remote not in repo.remotes():
            break
        branch = default_branch.require(repo, registry.remote).branch
        repo.fetch(registry.remote, f"--deepen={more}", f"refs/heads/{branch}")
        entry = repo.run(*log).decode("utf-8", "replace")
    return entry


def _ends(repo: GitRepo) -> list[str]:
    """Return the ids of the commits at which a shallow clone ends."""
    try:
        return (repo.common_dir / "shallow").read_text().split()
    except FileNotFoundError:
        return []
