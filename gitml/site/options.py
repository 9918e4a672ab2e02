"""The options of a build, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSizes:
    """How many runs share a script, so that no page loads all of them at once.

    Attributes:
        newest: Runs in the first script of a table, which its page waits for.
        block: Runs in each further script, counted from the oldest run.
        small_block: Runs in each of the scripts that wait until a block is full.
        search: Runs that can be searched, up to the end of a block; older ones are matched by
            their whole id.
        older: Runs without a page of their own that share a script.
        ids: Ids in a script that maps them to those scripts, on average.
        plain_bytes: Size from which a script is compressed, in bytes.
    """

    newest: int = 2_000
    block: int = 25_000
    small_block: int = 2_500
    search: int = 100_000
    older: int = 256
    ids: int = 1_000
    plain_bytes: int = 64_000


DEFAULT_SIZES = ShardSizes()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """How a site is built.

    Attributes:
        run_pages: How many of the newest runs get a page of their own; runs of registered
            versions always do. The others are shown by ``run.html``.
        templates: Folder whose templates come before the built-in ones.
        root: Folder that their symbolic links must not leave; None for the templates' folder.
        cache: Folder where the chart library and compiled templates are cached between builds.
        base_url: Address of the published site, ending in ``/``; only the page for missing
            pages needs it, because the depth of a missing address is unknown.
        accent: The accent colour, such as ``#0a58b5``; empty for the built-in one.
        logo: Picture for the bar of every page.
        max_bytes: How large the site may become; 0 for any size. See
            :mod:`gitml.site.output.budget`.
        live: How often pages ask whether the site changed, in ms; 0 for never. Only
            :func:`~gitml.site.serve.serve_live` answers.
        sizes: How many runs share a script.
        workers: How many processes render pages; None for as many as there are processors, where
            that is worthwhile.
    """

    run_pages: int = 5_000
    templates: Path | None = None
    root: Path | None = None
    cache: Path | None = None
    base_url: str = ""
    accent: str = ""
    logo: Path | None = None
    live: int = 0
    max_bytes: int = 200_000_000
    sizes: ShardSizes = DEFAULT_SIZES
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build wrote.

    Attributes:
        output: The site's folder.
        written: Files that are new or changed.
        unchanged: Files taken over from the previous site.
        bytes: Size of the whole site.
        dropped: One sentence for each thing that was left out, failures included.
        failures: One sentence for each thing that is wrong and therefore not shown.
        absent: How many files of how many runs could not be had, and why; empty if all could.
    """

    output: Path
    written: int
    unchanged: int
    bytes: int
    dropped: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    absent: str = ""
