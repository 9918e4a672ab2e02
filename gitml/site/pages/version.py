"""What a version's page says: its review, its signature, where it comes from, how to get it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitml.entities import ModelEvent, ModelVersion, Run
from gitml.registry.promotion.decisions import STAGES, Decision
from gitml.site.catalogue import Catalogue, PageLink, experiment_link
from gitml.site.pages import review as reviews
from gitml.site.pages.model import EventRow, event_row
from gitml.site.pages.review import ReviewView
from gitml.site.text import commands, formats, markdown, urls

if TYPE_CHECKING:
    from gitml.site.pages.signature import SignatureView

_MOST_RELATED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a version comes from, and what else comes from there.

    Attributes:
        back: What it was made from, one step each: label, text or link, remark.
        forward: What else was made from the same run, code or data: label and versions.
    """

    back: tuple[tuple[str, PageLink, str], ...]
    forward: tuple[tuple[str, tuple[PageLink, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """A version's page. Times are ms since the Unix epoch.

    ``decided`` tells whether ``review`` is what was decided on, or what would be judged now.
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
    lineage: Lineage
    usage: tuple[tuple[str, str], ...]
    events: tuple[EventRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """Versions by what they were made from.

    Attributes:
        runs: Every catalogue run by its id.
        by_run: Run id → versions.
        by_code: Commit → versions.
        by_data: (name, digest) of a data set → versions.
    """

    runs: Mapping[str, Run]
    by_run: Mapping[str, Sequence[ModelVersion]]
    by_code: Mapping[str, Sequence[ModelVersion]]
    by_data: Mapping[tuple[str, str], Sequence[ModelVersion]]


def relations(catalogue: Catalogue) -> Relations:
    """Sort all versions by what they were made from."""
    runs = {run.info.run_id: run for run in catalogue.runs}
    by_run: dict[str, list[ModelVersion]] = defaultdict(list)
    by_code: dict[str, list[ModelVersion]] = defaultdict(list)
    by_data: dict[tuple[str, str], list[ModelVersion]] = defaultdict(list)
    for name in sorted(catalogue.versions):
        for one in catalogue.versions[name]:
            run = runs.get(one.run_id)
            by_run[one.run_id].append(one)
            by_code[one.code_commit or ""].append(one)
            for key in {(d.name, d.digest) for d in run.inputs.dataset_inputs} if run else ():
                by_data[key].append(one)
    return Relations(runs=runs, by_run=by_run, by_code=by_code, by_data=by_data)


def version(
    catalogue: Catalogue, known: Relations, item: ModelVersion, decisions: Sequence[Decision]
) -> VersionPage:
    """Fill a version's page.

    Args:
        catalogue: What the site shows.
        known: All versions by what they were made from.
        item: The version.
        decisions: What was decided on its model, newest first.
    """
    from gitml.site.pages import signature as signatures  # brings PyYAML, which only a build needs

    decision = _decisive(item, decisions)
    found = decision.comparison if decision else catalogue.source.considered(item)
    events = [e for e in catalogue.source.events(item.name) if e.version == item.version]
    signature = signatures.view(catalogue.source.signature(item))
    body = _example(catalogue, item) or (signature.request if signature else "")
    numbers = sorted(one.version for one in catalogue.versions[item.name])
    at = numbers.index(item.version)
    return VersionPage(
        name=formats.name(item.name),
        model=PageLink(text=formats.name(item.name), address=urls.model_page(item.name)),
        version=item.version,
        stage=item.current_stage,
        aliases=tuple(map(formats.name, item.aliases)),
        description=markdown.render(item.description),
        created=item.creation_timestamp,
        user=formats.name(item.user_id),
        digest=item.digest,
        tags=formats.pairs(item.tags),
        newer=_link(item.name, numbers[at + 1]) if numbers[at + 1 :] else None,
        older=_link(item.name, numbers[at - 1]) if at else None,
        decided=decision is not None,
        promotion=_promotion(decision) if decision else None,
        review=reviews.review(catalogue, found) if found else None,
        signature=signature,
        serve=commands.serve_version(item.name, item.version),
        ask=commands.ask_version(item.name, item.version, body) if body else "",
        lineage=Lineage(
            back=tuple(_back(catalogue, item, known.runs.get(item.run_id))),
            forward=tuple(_forward(known, item)),
        ),
        usage=tuple(_usage(catalogue, item, events)),
        events=tuple(event_row(event) for event in reversed(events)),
    )


def _example(catalogue: Catalogue, item: ModelVersion) -> str:
    """The file of the model that a served one takes, behind ``@``; empty where it has none."""
    from gitml.models.examples import SERVING_FILE

    folder = item.source.removeprefix(f"runs:/{item.run_id}/")
    files = catalogue.source.artifacts(item.run_id) if item.run_id in catalogue.links else ()
    return f"@{SERVING_FILE}" if f"{folder}/{SERVING_FILE}" in {one.path for one in files} else ""


def _decisive(item: ModelVersion, decisions: Sequence[Decision]) -> Decision | None:
    """The newest decision on a version; one for Production before one for another stage."""
    own = [one for one in decisions if one.entry.version == item.version]
    order = [stage.value for stage in STAGES]
    return min(own, key=lambda one: order.index(one.comparison.stage), default=None)


def _link(name: str, number: int) -> PageLink:
    return PageLink(text=f"version {number}", address=urls.version_page(name, number))


def _promotion(decision: Decision) -> PageLink:
    found = decision.comparison
    address = urls.promotion_page(found.model, decision.entry.tag)
    return PageLink(text=f"promotion to {found.stage}", address=address)


def _usage(
    catalogue: Catalogue, item: ModelVersion, events: Sequence[ModelEvent]
) -> Iterator[tuple[str, str]]:
    yield "In Python", commands.load_model(f"models:/{item.name}/{item.version}")
    yield "The files", commands.download_version(item.name, item.version)
    tag = next((e.tag for e in events if e.kind == "registered"), "")
    if tag:
        place = catalogue.source.forge.address or "."
        yield "With DVC alone", commands.dvc_get(place, tag)
        yield "With GTO: what is where", commands.gto_show(place, tag)
        yield "With git: what was registered", commands.show_tag(tag)


# Lineage ----------------------------------------------------------------------------------------


def _back(
    catalogue: Catalogue, item: ModelVersion, run: Run | None
) -> Iterator[tuple[str, PageLink, str]]:
    if run is None:
        yield "Run", PageLink(text=item.run_id[:8] or "none"), "deleted, or not recorded here"
    else:
        remark = f"{run.info.status.lower()}, by {formats.name(run.info.user_id)}"
        yield "Run", catalogue.links[item.run_id], remark
        yield "Experiment", experiment_link(catalogue.experiments[run.info.experiment_id]), ""
        parent = catalogue.links.get(run.parent_run_id or "")
        if parent:
            yield "Parent run", parent, ""
    commit = item.code_commit or (run.source.commit if run else "") or ""
    if commit:
        place = PageLink(text=commit[:12], address=catalogue.source.forge.commit(commit))
        branch = f"on {formats.name(run.source.branch)}" if run and run.source.branch else ""
        yield "Code", place, branch
    if run and run.source.dirty:
        page = catalogue.links[item.run_id].address
        place = PageLink(text="the patch", address=page if "#" in page else f"{page}#code")
        yield "Uncommitted changes", place, ""
    for data in run.inputs.dataset_inputs if run else ():
        used = f"{data.digest}, {data.context}" if data.context else data.digest
        yield "Data set", PageLink(text=formats.name(data.name)), formats.name(used)


def _forward(known: Relations, item: ModelVersion) -> Iterator[tuple[str, tuple[PageLink, ...]]]:
    run = known.runs.get(item.run_id)
    groups = [("Same run", known.by_run.get(item.run_id, ()) if item.run_id else ())]
    if item.code_commit:
        groups.append(("Same code", known.by_code.get(item.code_commit, ())))
    for data in run.inputs.dataset_inputs if run else ():
        label = f"Same dataset {formats.name(data.name)}"
        groups.append((label, known.by_data.get((data.name, data.digest), ())))
    for label, many in groups:
        others = [one for one in many if (one.name, one.version) != (item.name, item.version)]
        if others:
            yield label, tuple(map(_named, others[:_MOST_RELATED]))


def _named(one: ModelVersion) -> PageLink:
    stage = f" ({one.current_stage})" if one.current_stage not in ("None", "") else ""
    text = f"{formats.name(one.name)} v{one.version}{stage}"
    return PageLink(text=text, address=urls.version_page(one.name, one.version))
