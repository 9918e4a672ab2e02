"""The page that puts runs side by side; its scripts read the records of the chosen runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitml.site.page import HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.older_runs import id_digits


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage(Page):
    """The page that compares runs."""

    site: SiteContext

    name = "compare.html"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page."""
        catalogue = self.site.catalogue
        values = {
            "digits": id_digits(self.site),
            "code": catalogue.source.forge.compare_pattern(),
        }
        return Outputs(files=[HtmlFile(address=self.name, template="compare.html", values=values)])
