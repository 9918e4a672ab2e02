"""Extra pages: Markdown files that people wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitml.site.page import HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.source import Document
from gitml.site.text import formats, markdown, urls


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraPage(Page):
    """A page that people wrote."""

    document: Document

    @classmethod
    def gather(cls, site: SiteContext) -> Iterator[ExtraPage]:
        """Iterate over the extra pages."""
        for document in site.catalogue.source.pages:
            yield cls(document=document)

    @property
    def name(self) -> str:
        """Its address."""
        return urls.extra_page(self.document.name)

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Render the Markdown."""
        title, text = markdown.titled(self.document.content(), self.document.name)
        values = {"heading": formats.name(title), "text": markdown.render(text, shift=0)}
        return Outputs(files=[HtmlFile(address=self.name, template="extra.html", values=values)])
