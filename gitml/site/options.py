"""The options of a build, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """How a site is built.

    Attributes:
        run_pages: How many of the newest runs get a page of their own; runs of registered
            versions always do. The others are shown by ``run.html``.
        templates: Folder whose templates come before the built-in ones.
        cache: Folder where the chart library and compiled templates are cached between builds.
        base_url: Address of the published site, ending in ``/``; only the page for missing
            pages needs it, because the depth of a missing address is unknown.
        accent: The accent colour, such as ``#0a58b5``; empty for the built-in one.
        logo: Picture for the bar of every page.
        max_bytes: How large the site may become; 0 for any size. See
            :mod:`gitml.site.output.budget`.
        live: How often pages ask whether the site changed, in ms; 0 for never. Only
            :func:`~gitml.site.serve.serve_live` answers.
    """

    run_pages: int = 5_000
    templates: Path | None = None
    cache: Path | None = None
    base_url: str = ""
    accent: str = ""
    logo: Path | None = None
    live: int = 0
    max_bytes: int = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build wrote.

    Attributes:
        output: The site's folder.
        written: Files that are new or changed.
        unchanged: Files taken over from the previous site.
        bytes: Size of the whole site.
        dropped: One sentence for each thing that was left out.
    """

    output: Path
    written: int
    unchanged: int
    bytes: int
    dropped: tuple[str, ...] = ()
