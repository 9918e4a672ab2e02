"""Plan the events that a change of the registry consists of, and their order. All pure.

One rule keeps four clients in agreement: the last tag of a stage always assigns the highest version
in it. MLflow resolves ``models:/Name/Stage`` to the highest version, ``gto show``
puts the one assigned last first, ``dvc artifacts get --stage`` takes the last tag even where it
records a removal, and so does a workflow started by it. Where a step breaks the rule, ``settled``
assigns the highest version again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gitml.entities import Stage
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.grammar import Kind, TagEvent, format_tag, semver, slug
from gitml.registry.tags.model_state import ModelState, VersionState

_ALIASING = (Kind.ALIAS, Kind.UNALIAS)
_COUNTED = (Kind.STAGE, Kind.LEFT, *_ALIASING)  # these can happen again, so they need a counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tag to be written.

    Attributes:
        kind: Kind of event.
        version: Semantic version; empty for a deprecation.
        label: Number of that version, or the semantic version if it has none.
        commit: Id of the commit to tag.
        value: Stage or alias, in its true spelling.
        detail: Entries of the message that this step determines.
    """

    kind: Kind
    version: str
    label: int | str
    commit: str
    value: str = ""
    detail: TagDetail = field(default_factory=TagDetail)


def registration(number: int, commit: str, detail: TagDetail) -> list[Step]:
    """Plan the registration of a new version."""
    return [
        Step(
            kind=Kind.REGISTERED,
            version=semver(number),
            label=number,
            commit=commit,
            detail=detail,
        )
    ]


def transition(
    state: ModelState, version: VersionState, stage: Stage, *, archive: bool
) -> list[Step]:
    """Plan the move of a version to a stage, out of all others; empty if it is in it already.

    Args:
        state: The model.
        version: The version to move.
        stage: The stage; ``Stage.NONE`` only takes it out.
        archive: Move other versions in that stage to Archived.
    """
    leaving = [
        _step(Kind.LEFT, version, old, TagDetail.of(from_stage=old, to_stage=stage.value))
        for old in version.stages
        if old != stage
    ]
    steps = settled(state, leaving)
    if archive:
        steps += _archiving(state, version, stage)
    if stage is not Stage.NONE and stage not in version.stages:
        detail = TagDetail.of(from_stage=version.stage, to_stage=stage.value)
        if archive:
            detail |= TagDetail.of(archive=True)
        steps.append(_step(Kind.STAGE, version, stage, detail))
    return settled(state, steps)


def with_decision(
    steps: Iterable[Step], version: VersionState, stage: Stage, decision: TagDetail
) -> list[Step]:
    """Add to the step that assigns a stage to a version why it was admitted."""
    entry = (Kind.STAGE, stage, version.commit)
    return [
        replace(step, detail=step.detail | decision)
        if (step.kind, step.value, step.commit) == entry
        else step
        for step in steps
    ]


def _archiving(state: ModelState, version: VersionState, stage: Stage) -> list[Step]:
    steps = []
    others = (v for v in state.active if v.commit != version.commit and stage in v.stages)
    for other in others:
        detail = TagDetail.of(
            from_stage=stage.value, to_stage=Stage.ARCHIVED.value, replaced_by=version.label
        )
        steps += [
            _step(Kind.LEFT, other, old, detail) for old in other.stages if old != Stage.ARCHIVED
        ]
        if Stage.ARCHIVED not in other.stages:
            steps.append(_step(Kind.STAGE, other, Stage.ARCHIVED, detail))
    return steps


def alias_set(state: ModelState, version: VersionState, alias: str) -> list[Step]:
    """Plan the assignment of an alias, taken from other versions; empty if nothing changes."""
    key = slug(alias, "alias")
    steps = [
        _step(Kind.UNALIAS, other, alias)
        for other in state.active
        if other.commit != version.commit and key in other.aliases
    ]
    if key not in version.aliases:
        steps.append(_step(Kind.ALIAS, version, alias))
    return steps


def alias_removed(state: ModelState, alias: str) -> list[Step]:
    """Plan the removal of an alias."""
    key = slug(alias, "alias")
    return [_step(Kind.UNALIAS, v, alias) for v in state.active if key in v.aliases]


def version_deleted(state: ModelState, version: VersionState) -> list[Step]:
    """Plan the deletion of a version: out of its stages, aliases removed, unregistered."""
    leaving = [_step(Kind.LEFT, version, stage) for stage in version.stages]
    return [
        *settled(state, leaving),
        *(_step(Kind.UNALIAS, version, state.alias_names.get(a, a)) for a in version.aliases),
        _step(Kind.DELETED, version),
    ]


def model_deleted(state: ModelState) -> list[Step]:
    """Plan the deletion of every version, then of the model; empty if it never had a version."""
    steps = []
    for version in state.active:
        steps += [_step(Kind.LEFT, version, stage) for stage in version.stages]
        steps += [
            _step(Kind.UNALIAS, version, state.alias_names.get(alias, alias))
            for alias in version.aliases
        ]
        steps.append(_step(Kind.DELETED, version))
    if state.versions and state.deprecated is None:
        last = state.versions[-1]
        steps.append(Step(kind=Kind.DEPRECATED, version="", label="", commit=last.commit))
    return steps


def settled(state: ModelState, steps: Sequence[Step]) -> list[Step]:
    """Append the steps that keep the rule above."""
    holders = {v.commit: set(v.stages) for v in state.active}
    last: dict[str, Step] = {}
    for step in steps:
        if step.kind is Kind.STAGE:
            holders[step.commit].add(step.value)
        elif step.kind is Kind.LEFT:
            holders[step.commit].discard(step.value)
        if step.kind in (Kind.STAGE, Kind.LEFT):
            last[step.value] = step
    result = list(steps)
    reassertion = TagDetail.of(reasserted=True)
    for stage, step in last.items():
        remaining = [v for v in state.active if stage in holders[v.commit]]
        if remaining and (step.kind is Kind.LEFT or step.commit != remaining[-1].commit):
            result.append(_step(Kind.STAGE, remaining[-1], stage, reassertion))
    return result


def _step(
    kind: Kind, version: VersionState, value: str = "", detail: TagDetail | None = None
) -> Step:
    return Step(
        kind=kind,
        version=version.version,
        label=version.label,
        commit=version.commit,
        value=str(value),
        detail=detail or TagDetail(),
    )


# From steps to tags -----------------------------------------------------------------------------


def tag_names(state: ModelState, steps: Iterable[Step]) -> list[str]:
    """Return the names of the tags of steps; counters continue from the model's highest one."""
    counter = state.counter
    taken = {*state.tags, *state.reserved}
    names = []
    for step in steps:
        event = TagEvent(
            kind=step.kind,
            model=state.slug,
            version=step.version if step.kind in (Kind.REGISTERED, Kind.DELETED) else None,
            value=slug(step.value, "alias") if step.kind in _ALIASING else step.value,
        )
        name = format_tag(event)
        if step.kind in _COUNTED or name in taken:
            counter += 1
            name = f"{name}#{counter}"
        taken.add(name)
        names.append(name)
    return names


def sentence(name: str, step: Step) -> str:
    """Describe a step in one line."""
    version = f"{name} version {step.label}"
    if step.kind is Kind.STAGE and step.detail.reasserted:
        return f"{version} stays in {step.value}"
    if step.kind is Kind.STAGE:
        old = step.detail.from_stage
        source = f"from {old} " if old not in ("", Stage.NONE) else ""
        return f"{version} moved {source}to {step.value}"
    return {
        Kind.REGISTERED: f"{version} registered",
        Kind.DELETED: f"{version} deleted",
        Kind.LEFT: f"{version} left {step.value}",
        Kind.ALIAS: f"{name} alias {step.value} set to version {step.label}",
        Kind.UNALIAS: f"{name} alias {step.value} removed from version {step.label}",
        Kind.DEPRECATED: f"{name} deleted",
    }[step.kind]


def message_detail(name: str, step: Step, detail: TagDetail) -> TagDetail:
    """Complete the YAML of a step's message.

    Args:
        name: The model.
        step: The step.
        detail: Entries that do not depend on the step, such as who and why.
    """
    subject = TagDetail.of(model=name)
    if step.version:
        subject |= TagDetail.of(version=step.label)
    if step.kind in _ALIASING:
        subject |= TagDetail.of(alias=step.value)
    return subject | step.detail | detail
