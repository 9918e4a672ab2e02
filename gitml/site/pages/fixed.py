"""Pages that are the same whatever the repository contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitml.site.page import HtmlFile, Outputs, Page, Result, SiteContext


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPage(Page):
    """The frame in which HTML pages that runs logged are shown."""

    name = "sandbox.html"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page."""
        return Outputs(files=[HtmlFile(address=self.name, template="sandbox.html")])


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPage(Page):
    """What a web server answers for an address that does not exist."""

    site: SiteContext

    name = "404.html"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the page: its links start from the address of the published site, if known."""
        values = {"root": self.site.options.base_url or "../"}
        return Outputs(files=[HtmlFile(address=self.name, template="404.html", values=values)])
