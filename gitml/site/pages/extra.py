"""Extra pages: Markdown files that people wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitml.site.page import DataFile, HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.relative_links import DocumentLinks
from gitml.site.source import Document
from gitml.site.text import formats, markdown, urls


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraPage(Page):
    """A page that people wrote."""

    site: SiteContext
    document: Document

    @classmethod
    def gather(cls, site: SiteContext) -> Iterator[ExtraPage]:
        """Iterate over the extra pages."""
        for document in site.catalogue.source.pages:
            yield cls(site=site, document=document)

    @property
    def name(self) -> str:
        """Its address."""
        return urls.extra_page(self.document.name)

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Render the Markdown."""
        title, text = markdown.titled(self.document.content(), self.document.name)
        links = DocumentLinks(source=self.site.catalogue.source, document=self.document)
        html = markdown.render(text, shift=0, resolve=links)
        values = {"heading": formats.name(title), "text": html}
        page = HtmlFile(address=self.name, template="extra.html", values=values)
        copies = (DataFile(address=p.address, data=p.data) for p in links.pictures)
        return Outputs(files=[page, *copies])
