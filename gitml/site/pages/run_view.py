"""What a run's page shows, and the record of the run that scripts read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Dataset, MetricSummary, Run
from gitml.forge import is_commit
from gitml.site.catalogue import Catalogue, PageLink, experiment_link, run_name
from gitml.site.data import columns
from gitml.site.pages.logged_model import LoggedModel, describe
from gitml.site.pages.model import artifact_path
from gitml.site.pages.relative_links import ArtifactLinks
from gitml.site.previews import File, Read
from gitml.site.source import SiteSource
from gitml.site.text import commands, formats, markdown, urls
from gitml.tracking import failure
from gitml.tracking.failure import RunFailure

PATCH_CHARS = 200_000
REQUIREMENT_CHARS = 40_000
SYSTEM = "system/"
_HOUSEKEEPING = ("mlflow.", "gitml.")
_ELSEWHERE = (columns.NOTE_TAG, failure.ERROR_TAG, failure.TRACEBACK_TAG)  # parts of their own


def _no_bytes(_path: str, _limit: int) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetricRow:
    """One metric of a run; ``best`` is empty if the better direction is unknown."""

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
class RunCode:
    """The code of a run."""

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
class RunDatasetRow:
    """A dataset that a run read."""

    name: str
    context: str
    digest: str
    source: str
    size: str
    columns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run's page. Times are ms since the Unix epoch.

    ``over_steps`` is True if a metric has several points or one at a step; ``curves``, if they
    are drawn; ``left_out``, if they are not for want of space.
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
    metrics: tuple[RunMetricRow, ...]
    system_metrics: tuple[RunMetricRow, ...]
    tags: tuple[tuple[str, str], ...]
    system_tags: tuple[tuple[str, str], ...]
    note: str
    files: tuple[File, ...]
    models: tuple[LoggedModel, ...]
    datasets: tuple[RunDatasetRow, ...]
    code: RunCode
    requirements: str
    parent: PageLink | None
    children: tuple[PageLink, ...]
    conflicts: tuple[tuple[str, str], ...]
    failure: RunFailure | None
    over_steps: bool
    curves: bool
    left_out: bool
    data: str
    download: str
    reproduce: str


def run_view(
    catalogue: Catalogue,
    run: Run,
    files: Sequence[File],
    curves: bool,
    read: Read = _no_bytes,
    patch_lines: int | None = None,
    root: str = "",
) -> RunView:
    """Fill a run's page.

    Args:
        catalogue: What the site shows.
        run: The run.
        files: Its artifacts, with previews.
        curves: Whether curves are drawn.
        read: (path, limit) → the first bytes of a file, None if they are not on this machine.
        patch_lines: How many lines of the patch are shown; None for all.
        root: From the page to the site's root; empty for one that shows files by name only.
    """
    info, tags = run.info, run.data.tags
    files = sorted(files, key=_natural)
    links = ArtifactLinks(files=files, root=root)
    plain = {k: text for k, text in tags.items() if not k.startswith(_HOUSEKEEPING)}
    source, parent = catalogue.source, run.parent_run_id
    metrics, code = metric_rows(source, run), _code(source, run, patch_lines)
    requirements = catalogue.source.requirements(info.run_id)
    return RunView(
        run_id=info.run_id,
        name=run_name(run),
        status=info.status,
        experiment=experiment_link(catalogue.experiments[info.experiment_id]),
        start=info.start_time,
        end=info.end_time,
        duration=formats.duration(columns.elapsed(run)),
        user=formats.name(info.user_id),
        params=formats.pairs(run.data.params),
        metrics=tuple(row for row in metrics if not row.name.startswith(SYSTEM)),
        system_metrics=tuple(row for row in metrics if row.name.startswith(SYSTEM)),
        tags=formats.pairs(plain),
        system_tags=formats.pairs(
            {k: tags[k] for k in tags if k not in plain and k not in _ELSEWHERE}
        ),
        note=markdown.render(tags.get(columns.NOTE_TAG, ""), resolve=links),
        files=tuple(files),
        models=_logged_models(catalogue, run, files, read),
        datasets=tuple(map(_dataset, run.inputs.dataset_inputs)),
        code=code,
        requirements=formats.clip(requirements, REQUIREMENT_CHARS),
        parent=catalogue.links.get(parent, PageLink(text=formats.name(parent))) if parent else None,
        children=_children(catalogue, info.run_id),
        failure=failure.of_tags(tags),
        conflicts=formats.pairs({key: " · ".join(v) for key, v in run.conflicts.items()}),
        over_steps=any(s.count > 1 or s.step for s in run.data.summaries.values()),
        curves=curves,
        left_out=not curves and has_curves(run),
        data=urls.run_data(info.run_id),
        download=commands.download_run(info.run_id),
        reproduce=_reproduce(catalogue.source, run, code, requirements),
    )


def _children(catalogue: Catalogue, run_id: str) -> tuple[PageLink, ...]:
    return tuple(
        catalogue.links.get(child.info.run_id, PageLink(text=run_name(child)))
        for child in catalogue.children.get(run_id, ())
    )


def _natural(file: File) -> list[object]:
    """Return the sort key of a file: step 2 is before step 10."""
    parts = re.split(r"(\d{1,18})", file.title)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def has_curves(run: Run) -> bool:
    """Return True if a metric of the run has more than one point."""
    return any(summary.count > 1 for summary in run.data.summaries.values())


def run_record(
    catalogue: Catalogue, run: Run, files: Sequence[File], curves: list[list[object]]
) -> dict[str, object]:
    """Return what scripts read of a run, for the compare page and for its curves."""
    info = run.info
    link = experiment_link(catalogue.experiments[info.experiment_id])
    return {
        "id": info.run_id,
        "name": columns.well_formed(run_name(run)),
        "experiment": [columns.well_formed(link.text), link.address],
        "facts": [
            ["status", info.status.lower()],
            ["started", formats.exact_moment(info.start_time)],
            ["duration", formats.duration(columns.elapsed(run))],
            ["user", columns.well_formed(info.user_id)],
            ["commit", (run.source.commit or "")[:12]],
            ["uncommitted changes", "yes" if run.source.dirty else "no"],
        ],
        "params": _texts(run.data.params),
        "metrics": [
            [
                columns.well_formed(key),
                columns.finite(value),
                *columns.end(catalogue.source.better(key)),
            ]
            for key, value in sorted(run.data.metrics.items())
        ],
        "tags": [t for t in _texts(run.data.tags) if not t[0].startswith(_HOUSEKEEPING)],
        "datasets": [
            [columns.well_formed(" for ".join(filter(None, (row.name, row.context)))), row.digest]
            for row in map(_dataset, run.inputs.dataset_inputs)
        ],
        "packages": _packages(catalogue.source.requirements(info.run_id)),
        "commit": run.source.commit if is_commit(run.source.commit or "") else None,
        "pictures": [
            [columns.well_formed(formats.name(file.title)), file.picture.address]
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
    return [
        [columns.well_formed(name), columns.well_formed("".join(rest))] for name, *rest in pairs
    ]


def _patch_lines(patch: str) -> tuple[PatchLine, ...]:
    """Split a diff into lines with their kinds."""
    return tuple(PatchLine(kind=_patch_kind(line), text=line) for line in patch.splitlines())


def _patch_kind(line: str) -> str:
    if line.startswith(("diff --git", "index ", "+++ ", "--- ", "new file", "deleted file")):
        return "file"
    return {"@": "hunk", "+": "add", "-": "del"}.get(line[:1], "same")


def metric_rows(source: SiteSource, run: Run) -> tuple[RunMetricRow, ...]:
    """Return the metrics of a run by name; values of one metric that differ look different."""
    rows = []
    for key, value in sorted(run.data.metrics.items()):
        summary = run.data.summaries.get(key) or MetricSummary(
            last=value, step=0, timestamp=0, min=value, max=value, count=1
        )
        last, low, high = formats.apart([summary.last, summary.min, summary.max])
        rows.append(
            RunMetricRow(
                name=formats.name(key),
                last=last,
                best={"lower": low, "higher": high}.get(source.better(key), ""),
                min=low,
                max=high,
                step=summary.step,
                count=summary.count,
            )
        )
    return tuple(rows)


def _logged_models(
    catalogue: Catalogue, run: Run, files: Sequence[File], read: Read
) -> tuple[LoggedModel, ...]:
    versions, paths = catalogue.registered.get(run.info.run_id, ()), {file.path for file in files}
    return tuple(
        describe(
            run.info.run_id,
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
        for logged in run.outputs.model_outputs
    )


def _dataset(dataset: Dataset) -> RunDatasetRow:
    return RunDatasetRow(
        name=formats.name(dataset.name),
        context=formats.name(dataset.context),
        digest=formats.name(dataset.digest),
        source=formats.name(f"{dataset.source_type} {_origin(dataset.source)}".strip()),
        size=_size(dataset.profile),
        columns=formats.clip(dataset.schema, formats.VALUE_CHARS),
    )


def _origin(source: str) -> str:
    """Return where data came from: the texts of a JSON object, such as its address, or any text."""
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        return source
    if not isinstance(value, dict):
        return source
    return ", ".join(text for text in value.values() if isinstance(text, str))


def _size(profile: str) -> str:
    """Return how many rows or elements MLflow's profile of a dataset counts."""
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


def _reproduce(source: SiteSource, run: Run, code: RunCode, requirements: str) -> str:
    commit = run.source.commit or ""
    if not code.command or not is_commit(commit):
        return ""
    files = {"source.patch": code.patch, "requirements.txt": requirements}
    recorded = [name for name, content in files.items() if content]
    run_id = run.info.run_id
    return commands.reproduce(run_id, commit, code.command, source.run_oid(run_id), recorded)


def _code(source: SiteSource, run: Run, patch_lines: int | None) -> RunCode:
    code = run.source
    patch = source.patch(run.info.run_id)
    lines = _patch_lines(patch[:PATCH_CHARS])
    return RunCode(
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
        [columns.well_formed(key), columns.well_formed(formats.clip(value, formats.VALUE_CHARS))]
        for key, value in sorted(pairs.items())
    ]
