"""Older runs: rendered like the others, but 256 to a file, and shown by ``run.html#<run id>``.

Files are counted from the oldest run, so that one that is full never changes for a new run.
``data/older/<n>.js`` holds ``{run id: {"html": what is inside <main>, "run": record}}``, where the
record is that of :func:`gitml.site.pages.run_view.run_record`. ``data/ids/<first digits>.js`` maps
every run of the site to its file: ``{other digits: number of the file, or -1 for a page of its
own}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from gitml.entities import Run
from gitml.site import previews
from gitml.site.catalogue import Catalogue, experiment_link, run_name
from gitml.site.data import columns
from gitml.site.failures import PageFailure, attempt, sentences
from gitml.site.page import DataFile, HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.run import curve_points, run_key
from gitml.site.pages.run_view import run_record, run_view
from gitml.site.text import urls

CURVE_POINTS = 100
PATCH_LINES = 400
_RUN_SECONDS = 3e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderRunsPage(Page):
    """Runs that share a file; ``number`` counts from the oldest."""

    site: SiteContext
    number: int
    runs: Sequence[Run]

    @classmethod
    def gather(cls, site: SiteContext) -> Iterator[OlderRunsPage]:
        """Cut the runs beyond the newest ones into files.

        Runs of registered versions are among them although they have pages, for a run that is
        registered later must not move its neighbours.
        """
        older = site.catalogue.runs[site.newest_runs :][::-1]
        size = site.options.sizes.older
        for number, start in enumerate(range(0, len(older), size)):
            yield cls(site=site, number=number, runs=older[start : start + size])

    @property
    def name(self) -> str:
        """The key of its script."""
        return f"older/{self.number}"

    @property
    def seconds(self) -> float:
        """Seconds for its runs."""
        return _RUN_SECONDS * len(self.runs)

    def key(self) -> object:
        """Return what it shows of each run."""
        keys = [run_key(self.site, run) for run in self.runs]
        return keys if all(keys) else None

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the script."""
        entries = {run.info.run_id: attempt(partial(self._entry, run)) for run in self.runs}
        failures = [
            (urls.older_run(k), e) for k, e in entries.items() if isinstance(e, PageFailure)
        ]
        value = {
            run.info.run_id: self._error(run, entry) if isinstance(entry, PageFailure) else entry
            for run, entry in zip(self.runs, entries.values(), strict=True)
        }
        data = columns.script(self.name, value)
        return Outputs(
            files=[DataFile(address=urls.older(self.number), data=data)],
            final=not failures,
            failures=tuple(sentences(failures)),
        )

    def _error(self, run: Run, failure: PageFailure) -> dict[str, object]:
        """Show why a run cannot be shown."""
        experiment = self.site.catalogue.experiments[run.info.experiment_id]
        link = experiment_link(experiment)
        head = '<div class="head"><h1>This run cannot be shown</h1></div>'
        html = f'{head}<p role="alert">{escape(failure.message)}</p>'
        record = {
            "name": columns.well_formed(run_name(run)),
            "experiment": [columns.well_formed(link.text), link.address],
            "curves": [],
        }
        return {"html": columns.well_formed(html), "run": record}

    def _entry(self, run: Run) -> dict[str, object]:
        """Render a run: files by name only, curves and patch shorter."""
        catalogue = self.site.catalogue
        points = curve_points(self.site, run)
        curves = columns.curves(points, run.info.start_time, CURVE_POINTS)
        files = previews.list_files(catalogue.source.artifacts(run.info.run_id))
        view = run_view(catalogue, run, files, bool(curves), patch_lines=PATCH_LINES)
        return {
            "html": columns.well_formed(self.site.templates.run(view)),
            "run": run_record(catalogue, run, files, curves),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLocator(Page):
    """The page that finds a run by its id, and the scripts that map ids to files."""

    site: SiteContext

    name = "run.html"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page and the scripts."""
        digits = id_digits(self.site)
        numbers = {
            run.info.run_id: page.number
            for page in OlderRunsPage.gather(self.site)
            for run in page.runs
        }
        files = _numbers_by_prefix(self.site.catalogue, numbers, digits)
        return Outputs(
            files=(
                HtmlFile(address=self.name, template="older.html", values={"digits": digits}),
                *(
                    DataFile(address=urls.ids(prefix), data=columns.script(f"ids/{prefix}", value))
                    for prefix, value in files.items()
                ),
            )
        )


def id_digits(site: SiteContext) -> int:
    """Return how many digits of an id name the file that maps it, so that files stay small."""
    runs, size = len(site.catalogue.runs), site.options.sizes.ids
    return next(count for count in (0, 1, 2, 3) if runs <= size * 16**count or count == 3)


def _numbers_by_prefix(
    catalogue: Catalogue, numbers: Mapping[str, int], digits: int
) -> dict[str, dict[str, int]]:
    """Group the numbers of runs by the first digits of their ids."""
    prefixes = [f"{number:0{digits}x}" if digits else "all" for number in range(16**digits)]
    groups: dict[str, dict[str, int]] = {prefix: {} for prefix in prefixes}
    for run in catalogue.runs:
        run_id = run.info.run_id
        number = -1 if run_id in catalogue.paged else numbers[run_id]
        groups[run_id[:digits] or "all"][run_id[digits:]] = number
    return groups
