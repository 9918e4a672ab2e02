"""What a registered model's page shows: its versions, which of them are live, and its history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitml.entities import ModelEvent, ModelVersion, RegisteredModel
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.promotion.decisions import Decision
from gitml.registry.tags.stage_history import people_of
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.pages.promotion import PromotionCard, cards
from gitml.site.pages.stages import StageTimeline, stage_timeline
from gitml.site.text import commands, formats, markdown, urls


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveVersion:
    """A version that a stage or an alias points at."""

    label: str
    version: int
    alias: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version on a model's page. Times are ms since the Unix epoch."""

    version: int
    address: str
    stage: str
    aliases: tuple[str, ...]
    created: int
    user: str
    run: PageLink
    commit: PageLink
    description: str
    path: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """A line of a model's history. ``timestamp`` is ms since the Unix epoch."""

    timestamp: int
    what: str
    kind: str
    version: int | None
    user: str
    why: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A tag that does not count. ``timestamp`` is what it claims, ms since the Unix epoch."""

    tag: str
    by: str
    timestamp: int
    problem: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A registered model's page."""

    name: str
    description: str
    tags: tuple[tuple[str, str], ...]
    versions: tuple[VersionRow, ...]
    live: tuple[LiveVersion, ...]
    promotions: tuple[PromotionCard, ...]
    timeline: StageTimeline | None
    events: tuple[EventRow, ...]
    rejected: tuple[RejectedRow, ...]
    usage: tuple[tuple[str, str], ...]


def model_view(
    catalogue: Catalogue, model: RegisteredModel, decisions: Sequence[Decision]
) -> ModelView:
    """Fill a registered model's page.

    Args:
        catalogue: What the site shows.
        model: The model.
        decisions: Versions that entered a stage, as far as they have a page.
    """
    versions = catalogue.versions[model.name]
    events = sorted(catalogue.source.events(model.name), key=lambda e: e.timestamp)[::-1]
    return ModelView(
        name=formats.name(model.name),
        description=markdown.render(model.description),
        tags=formats.pairs(model.tags),
        versions=tuple(_version(catalogue, version) for version in versions),
        live=live(versions),
        promotions=cards(catalogue, model.name),
        timeline=stage_timeline(
            model.name,
            events[::-1],
            frozenset(v.version for v in versions),
            frozenset(decision.entry.tag for decision in decisions),
        ),
        events=tuple(event_row(event) for event in events),
        rejected=tuple(map(_rejected, catalogue.source.rejected(model.name))),
        usage=_usage(catalogue, versions, events),
    )


def live(versions: Sequence[ModelVersion]) -> tuple[LiveVersion, ...]:
    """List what stages and aliases point at: Production, Staging, other stages, aliases."""
    order = {"Production": 0, "Staging": 1}
    stages = [
        LiveVersion(label=v.current_stage, version=v.version, alias=False)
        for v in versions
        if v.current_stage not in ("None", "", "Archived")
    ]
    stages.sort(key=lambda live: (order.get(live.label, 2), live.label, live.version))
    aliases = [
        LiveVersion(label=f"@{alias}", version=v.version, alias=True)
        for v in versions
        for alias in v.aliases
    ]
    return (*stages, *sorted(aliases, key=lambda live: live.label))


def _usage(
    catalogue: Catalogue, versions: Sequence[ModelVersion], events: Sequence[ModelEvent]
) -> tuple[tuple[str, str], ...]:
    """Return how to get the version in Production, or the newest one if none is."""
    if not versions:
        return ()
    chosen = next((v for v in versions if v.current_stage == "Production"), versions[0])
    stage = "Production" if chosen.current_stage == "Production" else str(chosen.version)
    usage = [
        ("In Python", commands.load_model(f"models:/{chosen.name}/{stage}")),
        ("The files", commands.download_version(chosen.name, chosen.version)),
    ]
    for event in events:
        if event.kind == "registered" and event.version == chosen.version:
            address = catalogue.source.forge.address or "."
            usage.append(("With DVC alone", commands.dvc_get(address, event.tag)))
    return tuple(usage)


def _version(catalogue: Catalogue, version: ModelVersion) -> VersionRow:
    commit = version.code_commit or ""
    return VersionRow(
        version=version.version,
        address=urls.version_page(version.name, version.version),
        stage=version.current_stage,
        aliases=version.aliases,
        created=version.creation_timestamp,
        user=version.user_id,
        run=catalogue.links.get(version.run_id, PageLink(text=version.run_id[:8])),
        commit=PageLink(text=commit[:8], address=catalogue.source.forge.commit(commit)),
        description=version.description,
        path=artifact_path(version),
        run_id=version.run_id,
    )


def artifact_path(version: ModelVersion) -> str:
    """Return the folder of the run's artifacts that a version was registered from."""
    match = re.fullmatch(r"runs:/[0-9a-f]{32}/(.+)", version.source, re.DOTALL)
    return match[1].strip("/") if match else "model"


def _rejected(item: RejectedTag) -> RejectedRow:
    return RejectedRow(
        tag=formats.name(item.tag.name),
        by=formats.name(f"{item.tag.user} <{item.tag.email}>"),
        timestamp=item.tag.timestamp * 1000,
        problem=item.problem,
        reason=item.reason,
    )


_EVENTS = {
    "registered": "version {version} registered",
    "deleted": "version {version} deleted",
    "stage": "version {version} to {value}",
    "left": "version {version} left {value}",
    "alias": "alias {value} on version {version}",
    "unalias": "alias {value} taken from version {version}",
    "deprecated": "model withdrawn",
}


def event_row(event: ModelEvent) -> EventRow:
    """Describe an event in words."""
    # str.format would let braces in a name reach attributes, hence plain replacing.
    pattern = _EVENTS.get(event.kind, event.kind)
    what = pattern.replace("{version}", str(event.version)).replace("{value}", event.value)
    return EventRow(
        timestamp=event.timestamp,
        what=what[:1].upper() + what[1:],
        kind=event.kind,
        version=event.version,
        user=formats.name(people_of(event)),
        why=event.reason,
        tag=event.tag,
    )
