"""Decides which events a change of the registry consists of, and in which order. All pure.

One rule keeps four clients in agreement: the last tag of a stage is always an assignment of the
highest version in it. MLflow resolves ``models:/Name/Stage`` to the highest version, ``gto show``
puts the one assigned last first, ``dvc artifacts get --stage`` takes the last tag even where it
records a removal, and so does a workflow started by it. Where an event breaks the rule,
``settled`` assigns the highest version anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitml.entities import Stage
from gitml.registry.tags.grammar import Kind, TagEvent, format_tag, semver, slug
from gitml.registry.tags.state import ModelState, VersionState

_ALIASING = (Kind.ALIAS, Kind.UNALIAS)
_COUNTED = (Kind.STAGE, Kind.LEFT, *_ALIASING)  # these can happen again, so they need a counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tag to be written.

    Attributes:
        kind: Which event.
        version: Semantic version concerned, empty for a deprecation.
        label: How people call that version.
        commit: Id of the commit to tag.
        value: Stage or alias, in its true spelling.
        detail: What the message tells besides.
    """

    kind: Kind
    version: str
    label: int | str
    commit: str
    value: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def registration(number: int, commit: str, detail: Mapping[str, Any]) -> list[Step]:
    """Register a new version."""
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
    """Move a version to a stage, out of all others; nothing where it is there already.

    Args:
        state: The model.
        version: The version to move.
        stage: Where to; ``Stage.NONE`` only takes it out.
        archive: Whether other versions in that stage go to Archived.
    """
    leaving = [
        _step(Kind.LEFT, version, left, {"from": left, "to": stage.value})
        for left in version.stages
        if left != stage
    ]
    steps = settled(state, leaving)
    if archive:
        steps += _archiving(state, version, stage)
    if stage is not Stage.NONE and stage not in version.stages:
        asked = {"archive": True} if archive else {}
        detail = {"from": version.stage, "to": stage.value, **asked}
        steps.append(_step(Kind.STAGE, version, stage, detail))
    return settled(state, steps)


def _archiving(state: ModelState, version: VersionState, stage: Stage) -> list[Step]:
    steps = []
    others = (v for v in state.active if v.commit != version.commit and stage in v.stages)
    for other in others:
        detail = {"from": stage.value, "to": Stage.ARCHIVED.value, "replaced_by": version.label}
        kept = [left for left in other.stages if left != Stage.ARCHIVED]
        steps += [_step(Kind.LEFT, other, left, detail) for left in kept]
        if Stage.ARCHIVED not in other.stages:
            steps.append(_step(Kind.STAGE, other, Stage.ARCHIVED, detail))
    return steps


def alias_set(state: ModelState, version: VersionState, alias: str) -> list[Step]:
    """Give an alias to a version, taking it from the others; nothing where it has it alone."""
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
    """Take an alias away from whoever holds it."""
    key = slug(alias, "alias")
    return [_step(Kind.UNALIAS, v, alias) for v in state.active if key in v.aliases]


def version_deleted(state: ModelState, version: VersionState) -> list[Step]:
    """Take a version out of its stages, remove its aliases, and unregister it."""
    left = [_step(Kind.LEFT, version, stage) for stage in version.stages]
    return [
        *settled(state, left),
        *(_step(Kind.UNALIAS, version, state.alias_names.get(a, a)) for a in version.aliases),
        _step(Kind.DELETED, version),
    ]


def model_deleted(state: ModelState) -> list[Step]:
    """Delete every version, then the model; only records tell of a model without versions."""
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
    """Append what keeps the rule above: the last tag of a stage assigns its highest version."""
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
    for stage, step in last.items():
        staying = [v for v in state.active if stage in holders[v.commit]]
        if staying and (step.kind is Kind.LEFT or step.commit != staying[-1].commit):
            result.append(_step(Kind.STAGE, staying[-1], stage, {"reasserted": True}))
    return result


def _step(
    kind: Kind, version: VersionState, value: str = "", detail: Mapping[str, Any] | None = None
) -> Step:
    return Step(
        kind=kind,
        version=version.version,
        label=version.label,
        commit=version.commit,
        value=str(value),
        detail=detail or {},
    )


# From steps to tags -----------------------------------------------------------------------------


def tag_names(state: ModelState, steps: Iterable[Step]) -> list[str]:
    """Name the tags of steps; counters go on from the highest one of the model."""
    counter = state.counter
    taken = set(state.tags)
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
    who = f"{name} version {step.label}"
    if step.kind is Kind.STAGE and step.detail.get("reasserted"):
        return f"{who} stays in {step.value}"
    if step.kind is Kind.STAGE:
        came = step.detail.get("from", Stage.NONE)
        return f"{who} moved {f'from {came} ' if came != Stage.NONE else ''}to {step.value}"
    return {
        Kind.REGISTERED: f"{who} registered",
        Kind.DELETED: f"{who} deleted",
        Kind.LEFT: f"{who} left {step.value}",
        Kind.ALIAS: f"{name} alias {step.value} set to version {step.label}",
        Kind.UNALIAS: f"{name} alias {step.value} removed from version {step.label}",
        Kind.DEPRECATED: f"{name} deleted",
    }[step.kind]


def message_detail(name: str, step: Step, told: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what the YAML of a step's message tells.

    Args:
        name: The model.
        step: The step.
        told: What is the same for any step, such as who and why.
    """
    alias = {"alias": step.value} if step.kind in _ALIASING else {}
    version = {"version": step.label} if step.version else {}
    return {"model": name, **version, **alias, **step.detail, **told}
