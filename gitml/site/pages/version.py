"""What a version's page shows: its review, its signature, its lineage, how to fetch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from gitml.entities import ModelEvent, ModelVersion, Run
from gitml.registry.promotion.decisions import STAGES, Decision
from gitml.site.catalogue import Catalogue, PageLink, experiment_link
from gitml.site.pages.model import EventRow, event_row
from gitml.site.pages.review import ReviewView, review_view
from gitml.site.text import commands, formats, markdown, urls

if TYPE_CHECKING:
    from gitml.site.pages.signature import SignatureView

K = TypeVar("K")
_MAX_RELATED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLineage:
    """Where a version comes from, and what else comes from there.

    Attributes:
        back: What it was made from, one step each: label, text or link, remark.
        forward: What else was made from the same run, code or data: label and versions.
    """

    back: tuple[tuple[str, PageLink, str], ...]
    forward: tuple[tuple[str, tuple[PageLink, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """A version's page. Times are ms since the Unix epoch.

    ``decided`` is True if ``review`` is what was decided on, False if it would be judged so now.
    """

    name: str
    model: PageLink
    version: int
    stage: str
    aliases: tuple[str, ...]
    description: str
    created: int
    user: str
    digest: str
    tags: tuple[tuple[str, str], ...]
    newer: PageLink | None
    older: PageLink | None
    decided: bool
    promotion: PageLink | None
    review: ReviewView | None
    signature: SignatureView | None
    serve: str
    ask: str
    lineage: VersionLineage
    usage: tuple[tuple[str, str], ...]
    events: tuple[EventRow, ...]


class Relations:
    """Versions by what they were made from, computed at the first use."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @cached_property
    def runs(self) -> Mapping[str, Run]:
        """Every run of the site by its id."""
        return {run.info.run_id: run for run in self._catalogue.runs}

    @cached_property
    def by_run(self) -> Mapping[str, Sequence[ModelVersion]]:
        """Run id → versions."""
        return self._grouped(lambda version: [version.run_id])

    @cached_property
    def by_code(self) -> Mapping[str, Sequence[ModelVersion]]:
        """Commit → versions."""
        return self._grouped(lambda version: [version.code_commit or ""])

    @cached_property
    def by_data(self) -> Mapping[tuple[str, str], Sequence[ModelVersion]]:
        """(name, digest) of a dataset → versions."""
        return self._grouped(self._datasets)

    def _datasets(self, version: ModelVersion) -> Iterable[tuple[str, str]]:
        run = self.runs.get(version.run_id)
        return {(data.name, data.digest) for data in run.inputs.dataset_inputs} if run else ()

    def _grouped(
        self, origins: Callable[[ModelVersion], Iterable[K]]
    ) -> Mapping[K, Sequence[ModelVersion]]:
        groups: dict[K, list[ModelVersion]] = {}
        for name in sorted(self._catalogue.versions):
            for version in self._catalogue.versions[name]:
                for origin in origins(version):
                    groups.setdefault(origin, []).append(version)
        return groups


def version_view(
    catalogue: Catalogue,
    relations: Relations,
    version: ModelVersion,
    decisions: Sequence[Decision],
) -> VersionView:
    """Fill a version's page.

    Args:
        catalogue: What the site shows.
        relations: All versions by what they were made from.
        version: The version.
        decisions: What was decided on its model, newest first.
    """
    from gitml.site.pages.signature import signature_view  # imports PyYAML, only a build needs it

    decision, name = _decisive(version, decisions), version.name
    comparison = decision.comparison if decision else catalogue.source.considered(version)
    events = [e for e in catalogue.source.events(name) if e.version == version.version]
    signature = signature_view(catalogue.source.signature(version))
    body = _example(catalogue, version) or (signature.request if signature else "")
    numbers = sorted(sibling.version for sibling in catalogue.versions[name])
    position = numbers.index(version.version)
    return VersionView(
        name=formats.name(name),
        model=PageLink(text=formats.name(name), address=urls.model_page(name)),
        version=version.version,
        stage=version.current_stage,
        aliases=tuple(map(formats.name, version.aliases)),
        description=markdown.render(version.description),
        created=version.creation_timestamp,
        user=formats.name(version.user_id),
        digest=version.digest,
        tags=formats.pairs(version.tags),
        newer=_link(name, numbers[position + 1]) if numbers[position + 1 :] else None,
        older=_link(name, numbers[position - 1]) if position else None,
        decided=decision is not None,
        promotion=_promotion(decision) if decision else None,
        review=review_view(catalogue, comparison) if comparison else None,
        signature=signature,
        serve=commands.serve_version(name, version.version),
        ask=commands.ask_version(name, version.version, body) if body else "",
        lineage=VersionLineage(
            back=tuple(_back(catalogue, version, relations.runs.get(version.run_id))),
            forward=tuple(_forward(relations, version)),
        ),
        usage=tuple(_usage(catalogue, version, events)),
        events=tuple(event_row(event) for event in reversed(events)),
    )


def _example(catalogue: Catalogue, version: ModelVersion) -> str:
    """Return the serving example of a version, behind ``@``; an empty text if it has none."""
    from gitml.models.examples import SERVING_FILE

    folder = version.source.removeprefix(f"runs:/{version.run_id}/")
    files = catalogue.source.artifacts(version.run_id) if version.run_id in catalogue.links else ()
    return f"@{SERVING_FILE}" if f"{folder}/{SERVING_FILE}" in {file.path for file in files} else ""


def _decisive(version: ModelVersion, decisions: Sequence[Decision]) -> Decision | None:
    """Return the newest decision on a version; one for Production before one for another stage."""
    own = [decision for decision in decisions if decision.entry.version == version.version]
    order = [stage.value for stage in STAGES]
    return min(own, key=lambda decision: order.index(decision.comparison.stage), default=None)


def _link(name: str, number: int) -> PageLink:
    return PageLink(text=f"version {number}", address=urls.version_page(name, number))


def _promotion(decision: Decision) -> PageLink:
    comparison = decision.comparison
    address = urls.promotion_page(comparison.model, decision.entry.tag)
    return PageLink(text=f"promotion to {comparison.stage}", address=address)


def _usage(
    catalogue: Catalogue, version: ModelVersion, events: Sequence[ModelEvent]
) -> Iterator[tuple[str, str]]:
    yield "In Python", commands.load_model(f"models:/{version.name}/{version.version}")
    yield "The files", commands.download_version(version.name, version.version)
    tag = next((e.tag for e in events if e.kind == "registered"), "")
    if tag:
        address = catalogue.source.forge.address or "."
        yield "With DVC alone", commands.dvc_get(address, tag)
        yield "With GTO: what is where", commands.gto_show(address, tag)
        yield "With git: what was registered", commands.show_tag(tag)


# Lineage ----------------------------------------------------------------------------------------


def _back(
    catalogue: Catalogue, version: ModelVersion, run: Run | None
) -> Iterator[tuple[str, PageLink, str]]:
    if run is None:
        yield "Run", PageLink(text=version.run_id[:8] or "none"), "deleted, or not recorded here"
    else:
        remark = f"{run.info.status.lower()}, by {formats.name(run.info.user_id)}"
        yield "Run", catalogue.links[version.run_id], remark
        yield "Experiment", experiment_link(catalogue.experiments[run.info.experiment_id]), ""
        parent = catalogue.links.get(run.parent_run_id or "")
        if parent:
            yield "Parent run", parent, ""
    commit = version.code_commit or (run.source.commit if run else "") or ""
    if commit:
        link = PageLink(text=commit[:12], address=catalogue.source.forge.commit(commit))
        branch = f"on {formats.name(run.source.branch)}" if run and run.source.branch else ""
        yield "Code", link, branch
    if run and run.source.dirty:
        page = catalogue.links[version.run_id].address
        link = PageLink(text="the patch", address=page if "#" in page else f"{page}#code")
        yield "Uncommitted changes", link, ""
    for data in run.inputs.dataset_inputs if run else ():
        used = f"{data.digest}, {data.context}" if data.context else data.digest
        yield "Dataset", PageLink(text=formats.name(data.name)), formats.name(used)


def _forward(
    relations: Relations, version: ModelVersion
) -> Iterator[tuple[str, tuple[PageLink, ...]]]:
    run = relations.runs.get(version.run_id)
    groups = [("Same run", relations.by_run.get(version.run_id, ()) if version.run_id else ())]
    if version.code_commit:
        groups.append(("Same code", relations.by_code.get(version.code_commit, ())))
    for data in run.inputs.dataset_inputs if run else ():
        label = f"Same dataset {formats.name(data.name)}"
        groups.append((label, relations.by_data.get((data.name, data.digest), ())))
    identity = (version.name, version.version)
    for label, versions in groups:
        others = [other for other in versions if (other.name, other.version) != identity]
        if others:
            yield label, tuple(map(_named, others[:_MAX_RELATED]))


def _named(version: ModelVersion) -> PageLink:
    stage = f" ({version.current_stage})" if version.current_stage not in ("None", "") else ""
    text = f"{formats.name(version.name)} v{version.version}{stage}"
    return PageLink(text=text, address=urls.version_page(version.name, version.version))
