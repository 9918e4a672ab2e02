"""Gather all pages of a site. A new page is a class in :mod:`gitml.site.pages` and a line here.

Pages are written in any order, except that those with needs come after the others.
"""

from __future__ import annotations

from gitml.site.page import Page, SiteContext
from gitml.site.pages.compare import ComparePage
from gitml.site.pages.experiment import ExperimentPage
from gitml.site.pages.extra import ExtraPage
from gitml.site.pages.feed import Feed
from gitml.site.pages.fixed import MissingPage, SandboxPage
from gitml.site.pages.home import HomePage
from gitml.site.pages.older_runs import OlderRunsPage, RunLocator
from gitml.site.pages.registered_model import RegisteredModelPages
from gitml.site.pages.report import ReportPages
from gitml.site.pages.run import RunPage
from gitml.site.pages.search import SearchBlock, SearchIndex
from gitml.site.pages.table import TablePart
from gitml.site.pages.timeline import TimelinePages, Timelines
from gitml.site.pages.version import Relations


def gather(site: SiteContext) -> list[Page]:
    """Return all pages of a site."""
    timelines, relations = Timelines(site.catalogue), Relations(site.catalogue)
    return [
        *TablePart.gather(site),
        *RunPage.gather(site),
        *OlderRunsPage.gather(site),
        HomePage(site=site, timelines=timelines),
        TimelinePages(timelines=timelines),
        Feed(site=site, timelines=timelines),
        RunLocator(site=site),
        ComparePage(site=site),
        SandboxPage(),
        MissingPage(site=site),
        *SearchBlock.gather(site),
        *ExtraPage.gather(site),
        ReportPages(site=site),
        *RegisteredModelPages.gather(site, relations),
        SearchIndex.of(site),
        *ExperimentPage.gather(site, timelines),
    ]
