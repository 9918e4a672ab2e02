"""Propose a promotion or a rollback: a branch with one changed line, without a checkout."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

from gitml.entities import ModelVersion, Stage
from gitml.errors import (
    AlreadyExists,
    ArtifactError,
    GitmlError,
    InvalidInput,
    NotFound,
    PushRejected,
)
from gitml.formats import manifest
from gitml.git import CommitStream, GitRepo, RefUpdate, check_ref_name, default_branch
from gitml.git.default_branch import DefaultBranch
from gitml.query.gates import Verdict
from gitml.registry.admission import Admission
from gitml.registry.gates import declarations
from gitml.registry.gates.declarations import Declaration
from gitml.registry.promotion.pull_request import forge_of, open_request, proposal_prefix
from gitml.registry.promotion.review import examine
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind, slug
from gitml.registry.tags.names import check_stage
from gitml.repository import Repository
from gitml.text import short_repr, single_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A branch that waits for review.

    Attributes:
        branch: Its name on the remote.
        commit: Its commit.
        version: The version proposed.
        stage: The stage.
        gates: What it was judged by when it was proposed; a gate may fail or wait.
        pull_request: Address of the pull request; empty where none was opened.
        open_at: Address at which one can be opened; empty where the remote has no web pages.
    """

    branch: str
    commit: str
    version: int
    stage: str
    gates: tuple[Verdict, ...] = ()
    pull_request: str = ""
    open_at: str = ""


def propose(
    registry: Registry,
    name: str,
    version: int | str,
    stage: str,
    reason: str,
    *,
    judged: Callable[[Admission], None] = lambda _: None,
) -> Proposal:
    """Push a branch that declares a version for a stage, and ask for its review.

    Nothing is checked out: the work tree and the current branch stay as they are. Failing gates do
    not stop it: whoever reviews it sees them as well, and nothing is merged past them.

    Args:
        registry: The registry.
        name: The model.
        version: The version; it leaves the stage that it is declared for.
        stage: The stage.
        reason: Why.
        judged: Called with the verdicts of its gates before anything is pushed.

    Raises:
        NotFound: The model or the version does not exist.
        InvalidInput: There is no such stage, it declares that already, the version was not pushed
            yet, or a reason is missing.
        AlreadyExists: That is proposed already.
    """
    if not reason.strip():
        raise InvalidInput("A proposal needs a reason.", hint="Give it with -m WHY.")
    target = check_stage(stage)
    candidate = registry.get_model_version(name, version)
    base = default_branch.require(registry.repo, registry.remote)
    old = declarations.read(registry.repo, candidate.name, base.commit)
    _require_new(old, candidate, target)
    _require_pushed(registry, candidate, base)
    text = declarations.with_stage(old, candidate.name, target, candidate.version)
    branch = _free_branch(registry.repo, base, candidate, target)
    path = declarations.path_of(candidate.name)
    admission = examine(
        registry, declarations.parse(text.encode(), path), target, candidate.version
    )
    judged(admission)
    title = f"Promote {candidate.name} version {candidate.version} to {target.value}"
    message = f"{single_line(title)}\n\n{reason.strip()}\n"
    commit = _push_branch(registry, base, branch, path, text.encode(), message)
    made = Proposal(
        branch=branch,
        commit=commit,
        version=candidate.version,
        stage=target.value,
        gates=admission.verdicts,
    )
    return _requested(registry.repo, base, made, title, reason)


def _require_new(old: Declaration | None, version: ModelVersion, stage: Stage) -> None:
    """Refuse what cannot be proposed, or is declared already."""
    if stage is Stage.NONE:
        path = declarations.path_of(version.name)
        raise InvalidInput(
            "Stage None cannot be proposed.",
            hint=f"Empty a stage with `Production: null` in {path}.",
        )
    if old and old.stages.get(stage) == version.version:
        live = version.current_stage == stage
        raise InvalidInput(
            f"{old.path} declares version {version.version} for {stage.value} already.",
            hint="It is live." if live else "Run `gitml registry apply` on that branch.",
        )


def _require_pushed(registry: Registry, version: ModelVersion, base: DefaultBranch) -> None:
    """Refuse a version that only this clone knows: whoever reviews it would look for it in vain.

    Raises:
        InvalidInput: The remote has no tag of it.
    """
    tags = {
        f"refs/tags/{event.tag}"
        for event in registry.history(version.name)
        if event.kind == Kind.REGISTERED and event.version == version.version
    }
    remote_refs = registry.repo.remote_refs(base.remote, *(tags or ("refs/tags/",)))
    if not tags & remote_refs.keys():
        raise InvalidInput(
            f"Version {version.version} of {short_repr(version.name)} is not on "
            f"{base.remote!r} yet.",
            hint="Run `gitml push`, then propose it.",
        )


def _free_branch(repo: GitRepo, base: DefaultBranch, version: ModelVersion, stage: Stage) -> str:
    """Name a branch, with a number behind it where earlier ones were merged and are still there.

    Raises:
        InvalidInput: What the settings say is no beginning of a branch's name.
        AlreadyExists: One was not merged yet.
    """
    preferred = f"{slug(version.name)}-v{version.version}-{stage.value.lower()}"
    preferred = check_ref_name(f"{proposal_prefix(repo)}{preferred}")
    refs = repo.remote_refs(base.remote, f"refs/heads/{preferred}*")
    names = itertools.chain([preferred], (f"{preferred}-{number}" for number in itertools.count(2)))
    for name in names:
        tip = refs.get(f"refs/heads/{name}")
        if tip is None:
            return name
        if not (repo.contains(tip) and repo.is_ancestor(tip, base.commit)):
            break
    raise AlreadyExists(
        f"Branch {name} is on {base.remote!r} already.",
        hint="Review and merge it, or delete it and propose again.",
    )


def _push_branch(
    registry: Registry, base: DefaultBranch, branch: str, path: str, data: bytes, message: str
) -> str:
    """Commit one file on top of the base and push that as a new branch."""
    repo = registry.repo
    ref = f"refs/heads/{branch}"
    if stale := repo.ref(ref):  # of a proposal that was merged, or could not be pushed
        repo.update_refs([RefUpdate(name=ref, new=None, old=stale)])
    stream = CommitStream(ref, repo.identity, timestamp=registry.now() // 1000)
    repo.fast_import(stream.commit(message, {path: data}, parents=[base.commit]))
    commit = repo.ref(ref)
    assert commit is not None  # fast-import just wrote it
    try:
        repo.push(base.remote, f"{ref}:{ref}")
    except GitmlError as error:
        repo.update_refs([RefUpdate(name=ref, new=None, old=commit)])
        if isinstance(error, PushRejected):
            raise error.advised(
                f"Let the remote's rules allow {branch}, or have proposals pushed under another "
                "prefix with `registry: {proposal_prefix: …}` in gitml.yaml."
            ) from error
        raise
    return commit


def _requested(
    repo: GitRepo, base: DefaultBranch, made: Proposal, title: str, reason: str
) -> Proposal:
    forge = forge_of(repo, base.remote)
    if not forge.address:
        return made
    opened = open_request(repo, forge, base.branch, made.branch, title, reason.strip())
    open_at = forge.new_request(base.branch, made.branch)
    return replace(made, pull_request=opened, open_at=open_at)


def rollback(
    registry: Registry,
    repository: Repository,
    name: str,
    stage: str,
    reason: str,
    *,
    judged: Callable[[Admission], None] = lambda _: None,
) -> Proposal:
    """Propose the version that was in a stage before the one that is in it now; see ``propose``.

    Raises:
        NotFound: Nothing else was ever there, or what was is deleted.
        ArtifactError: Its files are no longer all there; nothing was proposed.
        InvalidInput: A reason is missing, or there is no such stage.
    """
    target = check_stage(stage)
    previous = previous_version(registry, name, target)
    require_artifacts(repository, previous)
    return propose(registry, name, previous.version, target.value, reason, judged=judged)


def previous_version(registry: Registry, name: str, stage: Stage) -> ModelVersion:
    """Find the version that was in a stage before the one that is in it now.

    Raises:
        NotFound: There is none, or it is deleted.
    """
    live = next(iter(registry.get_latest_versions(name, [stage])), None)
    usable = {candidate.version: candidate for candidate in registry.model_versions(name)}
    entered = [
        event.version
        for event in registry.history(name)
        if event.kind == Kind.STAGE and event.value == stage
    ]
    for number in reversed(entered):
        if number in usable and (live is None or number != live.version):
            return usable[number]
    raise NotFound(
        f"No other version of {short_repr(name)} was in {stage.value} before.",
        hint=f"See `gitml registry history {name}`.",
    )


def require_artifacts(repository: Repository, version: ModelVersion) -> None:
    """Check that every file of a version is in its remote.

    Raises:
        ArtifactError: Some are not, or nobody knows which they are.
    """
    run_id, _, path = version.source.removeprefix("runs:/").partition("/")
    files = repository.files(run_id)
    listed = manifest.subdirectory(files.artifacts, path)
    stored = repository.remote_of(files).existing({artifact.md5 for artifact in listed})
    missing = [artifact.path for artifact in listed if artifact.md5 not in stored]
    if missing or not listed:
        raise ArtifactError(
            f"{version.name} version {version.version} lacks {len(missing) or 'all'} of its files "
            f"({', '.join(missing[:3]) or version.source}).",
            hint="Push them from a clone that has them (`gitml push`), then try again.",
        )
