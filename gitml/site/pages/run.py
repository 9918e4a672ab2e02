"""What a run's page says, and what scripts know of the run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Dataset, MetricSummary, Run
from gitml.forge import is_commit
from gitml.site.catalogue import Catalogue, PageLink, experiment_link, run_name
from gitml.site.data import columns as data
from gitml.site.pages.logged_model import LoggedModel, describe
from gitml.site.pages.model import artifact_path
from gitml.site.previews import File, Read
from gitml.site.source import SiteSource
from gitml.site.text import commands, formats, markdown, urls

PATCH_CHARS = 200_000
REQUIREMENT_CHARS = 40_000
SYSTEM = "system/"
_HOUSEKEEPING = ("mlflow.", "gitml.")


def _no_bytes(_path: str, _limit: int) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of a run; ``best`` is empty where its name does not say which way is better."""

    name: str
    last: str
    best: str
    min: str
    max: str
    step: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchLine:
    """A line of a diff; ``kind`` is ``file``, ``hunk``, ``add``, ``del`` or ``same``."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What code made a run."""

    commit: str
    commit_link: str
    branch: str
    remote: str
    dirty: bool
    entry: str
    command: str
    python: str
    patch: tuple[PatchLine, ...]
    patch_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A data set that a run read."""

    name: str
    context: str
    digest: str
    source: str
    size: str
    columns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A run's page. Times are ms since the Unix epoch.

    ``over_steps`` says whether a metric has several points or one at a step; ``curves``, whether
    they are drawn, and ``left_out``, whether they would be if there was space.
    """

    run_id: str
    name: str
    status: str
    experiment: PageLink
    start: int
    end: int | None
    duration: str
    user: str
    params: tuple[tuple[str, str], ...]
    metrics: tuple[MetricRow, ...]
    system_metrics: tuple[MetricRow, ...]
    tags: tuple[tuple[str, str], ...]
    system_tags: tuple[tuple[str, str], ...]
    note: str
    files: tuple[File, ...]
    models: tuple[LoggedModel, ...]
    datasets: tuple[DatasetRow, ...]
    code: Code
    requirements: str
    parent: PageLink | None
    children: tuple[PageLink, ...]
    conflicts: tuple[tuple[str, str], ...]
    error: str
    over_steps: bool
    curves: bool
    left_out: bool
    data: str
    download: str
    reproduce: str


def run(
    catalogue: Catalogue,
    item: Run,
    files: Sequence[File],
    curves: bool,
    read: Read = _no_bytes,
    patch_lines: int | None = None,
) -> RunPage:
    """Fill a run's page.

    Args:
        catalogue: What the site shows.
        item: The run.
        files: Its artifacts, looked at.
        curves: Whether a metric has more than one point.
        read: (path, limit) → the first bytes of a file, None where they are not at hand.
        patch_lines: How many lines of the patch are catalogue; None for all.
    """
    info, tags = item.info, item.data.tags
    plain = {k: text for k, text in tags.items() if not k.startswith(_HOUSEKEEPING)}
    source, parent = catalogue.source, item.parent_run_id
    metrics, code = _metrics(source, item), _code(source, item, patch_lines)
    requirements = catalogue.source.requirements(info.run_id)
    return RunPage(
        run_id=info.run_id,
        name=run_name(item),
        status=info.status,
        experiment=experiment_link(catalogue.experiments[info.experiment_id]),
        start=info.start_time,
        end=info.end_time,
        duration=formats.duration(data.elapsed(item)),
        user=formats.name(info.user_id),
        params=formats.pairs(item.data.params),
        metrics=tuple(row for row in metrics if not row.name.startswith(SYSTEM)),
        system_metrics=tuple(row for row in metrics if row.name.startswith(SYSTEM)),
        tags=formats.pairs(plain),
        system_tags=formats.pairs(
            {k: tags[k] for k in tags if k not in plain and k != data.NOTE_TAG}
        ),
        note=markdown.render(item.data.tags.get(data.NOTE_TAG, "")),
        files=tuple(files),
        models=_logged_models(catalogue, item, files, read),
        datasets=tuple(map(_dataset, item.inputs.dataset_inputs)),
        code=code,
        requirements=formats.clip(requirements, REQUIREMENT_CHARS),
        parent=catalogue.links.get(parent, PageLink(text=formats.name(parent))) if parent else None,
        children=tuple(
            catalogue.links.get(child.info.run_id, PageLink(text=run_name(child)))
            for child in catalogue.children.get(info.run_id, ())
        ),
        error=formats.clip(item.data.tags.get(data.ERROR_TAG, ""), 400),
        conflicts=formats.pairs({key: " · ".join(v) for key, v in item.conflicts.items()}),
        over_steps=any(s.count > 1 or s.step for s in item.data.summaries.values()),
        curves=curves,
        left_out=not curves and has_curves(item),
        data=urls.run_data(info.run_id),
        download=commands.download_run(info.run_id),
        reproduce=_reproduce(catalogue.source, item, code, requirements),
    )


def has_curves(item: Run) -> bool:
    """Tell whether a metric of a run has more than one point."""
    return any(summary.count > 1 for summary in item.data.summaries.values())


def record(
    catalogue: Catalogue, item: Run, files: Sequence[File], curves: list[list[object]]
) -> dict[str, object]:
    """Give what scripts know of one run: the compare page and the curves are made of it."""
    info = item.info
    link = experiment_link(catalogue.experiments[info.experiment_id])
    return {
        "id": info.run_id,
        "name": data.well_formed(run_name(item)),
        "experiment": [data.well_formed(link.text), link.address],
        "facts": [
            ["status", info.status.lower()],
            ["started", formats.moment(info.start_time)],
            ["duration", formats.duration(data.elapsed(item))],
            ["user", data.well_formed(info.user_id)],
            ["commit", (item.source.commit or "")[:12]],
            ["uncommitted changes", "yes" if item.source.dirty else "no"],
        ],
        "params": _texts(item.data.params),
        "metrics": [
            [data.well_formed(key), data.finite(value), *data.end(catalogue.source.better(key))]
            for key, value in sorted(item.data.metrics.items())
        ],
        "tags": [t for t in _texts(item.data.tags) if not t[0].startswith(_HOUSEKEEPING)],
        "datasets": [
            [data.well_formed(" for ".join(filter(None, (row.name, row.context)))), row.digest]
            for row in map(_dataset, item.inputs.dataset_inputs)
        ],
        "packages": _packages(catalogue.source.requirements(info.run_id)),
        "commit": item.source.commit if is_commit(item.source.commit or "") else None,
        "pictures": [
            [data.well_formed(formats.name(file.path)), file.picture.address]
            for file in files
            if file.picture
        ],
        "start": info.start_time,
        "curves": curves,
    }


def _packages(requirements: str) -> list[list[str]]:
    """Split the lines of ``pip freeze`` into names and versions."""
    lines = [line.strip() for line in requirements[:REQUIREMENT_CHARS].splitlines()]
    pairs = [re.split(r"==| @ ", line, maxsplit=1) for line in lines if line[:1] not in ("", "#")]
    return [[data.well_formed(name), data.well_formed("".join(rest))] for name, *rest in pairs]


def _patch_lines(patch: str) -> tuple[PatchLine, ...]:
    """Split a diff into lines that know what they are."""
    return tuple(PatchLine(kind=_patch_kind(line), text=line) for line in patch.splitlines())


def _patch_kind(line: str) -> str:
    if line.startswith(("diff --git", "index ", "+++ ", "--- ", "new file", "deleted file")):
        return "file"
    return {"@": "hunk", "+": "add", "-": "del"}.get(line[:1], "same")


def _metrics(source: SiteSource, item: Run) -> tuple[MetricRow, ...]:
    rows = []
    for key, value in sorted(item.data.metrics.items()):
        summary = item.data.summaries.get(key) or MetricSummary(
            last=value, step=0, timestamp=0, min=value, max=value, count=1
        )
        last = formats.number(summary.last)
        rows.append(
            MetricRow(
                name=formats.name(key),
                last=last,
                best=_best(source.better(key), summary),
                min=last if summary.min == summary.last else formats.number(summary.min),
                max=last if summary.max == summary.last else formats.number(summary.max),
                step=summary.step,
                count=summary.count,
            )
        )
    return tuple(rows)


def _best(way: str, summary: MetricSummary) -> str:
    found = {"lower": summary.min, "higher": summary.max}.get(way)
    return "" if found is None else formats.number(found)


def _logged_models(
    catalogue: Catalogue, item: Run, files: Sequence[File], read: Read
) -> tuple[LoggedModel, ...]:
    versions, paths = catalogue.registered.get(item.info.run_id, ()), {file.path for file in files}
    return tuple(
        describe(
            item.info.run_id,
            logged,
            paths,
            read,
            tuple(
                PageLink(
                    text=f"{formats.name(v.name)} version {v.version}",
                    address=urls.model_page(v.name),
                )
                for v in versions
                if artifact_path(v) == logged.path
            ),
        )
        for logged in item.outputs.model_outputs
    )


def _dataset(item: Dataset) -> DatasetRow:
    return DatasetRow(
        name=formats.name(item.name),
        context=formats.name(item.context),
        digest=formats.name(item.digest),
        source=formats.name(f"{item.source_type} {_place(item.source)}".strip()),
        size=_size(item.profile),
        columns=formats.clip(item.schema, formats.VALUE_CHARS),
    )


def _place(source: str) -> str:
    """Tell where data came from: the texts of a JSON object, such as its address, or any text."""
    try:
        found = json.loads(source)
    except (ValueError, RecursionError):
        return source
    if not isinstance(found, dict):
        return source
    return ", ".join(value for value in found.values() if isinstance(value, str))


def _size(profile: str) -> str:
    """Say how many rows or elements MLflow's profile of a data set counts."""
    try:
        counts = json.loads(profile)
    except (ValueError, RecursionError):
        return formats.name(profile)
    match counts:
        case {"num_rows": int(rows)}:
            return f"{rows:,} rows"
        case {"num_elements": int(elements)}:
            return f"{elements:,} elements"
    return formats.name(profile)


def _reproduce(source: SiteSource, item: Run, code: Code, requirements: str) -> str:
    commit = item.source.commit or ""
    if not code.command or not is_commit(commit):
        return ""
    found = {"source.patch": code.patch, "requirements.txt": requirements}
    kept = [name for name, text in found.items() if text]
    run_id = item.info.run_id
    return commands.reproduce(run_id, commit, code.command, source.run_oid(run_id), kept)


def _code(source: SiteSource, item: Run, patch_lines: int | None) -> Code:
    code = item.source
    patch = source.patch(item.info.run_id)
    lines = _patch_lines(patch[:PATCH_CHARS])
    return Code(
        commit=formats.name(code.commit or ""),
        commit_link=source.forge.commit(code.commit),
        branch=formats.name(code.branch or ""),
        remote=formats.name(code.remote or ""),
        dirty=code.dirty,
        entry=formats.name(code.name),
        command=formats.clip(shlex.join(code.command), formats.VALUE_CHARS),
        python=formats.name(code.python),
        patch=lines[:patch_lines],
        patch_cut=len(patch) > PATCH_CHARS or len(lines[:patch_lines]) < len(lines),
    )


def _texts(pairs: Mapping[str, str]) -> list[list[str]]:
    return [
        [data.well_formed(key), data.well_formed(formats.clip(value, formats.VALUE_CHARS))]
        for key, value in sorted(pairs.items())
    ]
