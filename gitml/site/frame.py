"""What all pages have in common: the bar, style sheets, scripts and licence notices."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitml import version
from gitml.site import branding
from gitml.site.charts import specs
from gitml.site.data import columns
from gitml.site.failures import PageFailure
from gitml.site.options import SiteOptions
from gitml.site.output import bundle, templates
from gitml.site.output.templates import Templates
from gitml.site.page import DataFile, HtmlFile
from gitml.site.previews import parquet
from gitml.site.source import SiteSource
from gitml.site.text import formats, markdown, urls


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The surroundings of all pages.

    Attributes:
        files: Assets, logo and licence notices.
        values: What every template gets.
        fingerprint: Changes whenever every page has to be rendered again.
        look: The templates.
    """

    files: Sequence[DataFile]
    values: Mapping[str, object]
    fingerprint: str
    look: Templates

    @classmethod
    def of(cls, source: SiteSource, look: Templates, options: SiteOptions) -> Frame:
        """Bundle the assets of a site.

        Raises:
            InvalidInput: The logo, the accent or a script of the user is not valid.
        """
        logo = branding.logo(options.logo)
        assets = _assets(look, options)
        values: dict[str, object] = {
            "title": source.title,
            "version": version.__version__,
            "project": urls.digest(source.title.encode("utf-8", "replace")),
            "notices": templates.NOTICES,
            "live": options.live,
            "logo": logo.address if logo else "",
            "bar": _bar(source),
            "assets": {name: file.address for name, file in assets.items()},
        }
        return cls(
            files=(
                *([DataFile(address=logo.address, data=logo.data)] if logo else []),
                *assets.values(),
                DataFile(address=templates.NOTICES, data=look.notices),
            ),
            values=values,
            fingerprint=_fingerprint(source, look, values),
            look=look,
        )

    def render(self, file: HtmlFile) -> bytes:
        """Render a page.

        Raises:
            InvalidInput: A template of the user cannot be rendered.
        """
        text = self.look.render(file.template, {**self._values(file.address), **file.values})
        return text.encode("utf-8", "replace")

    def render_failure(self, address: str, failure: PageFailure) -> bytes:
        """Render a page that tells why it cannot be shown, without templates of the user."""
        text = self.look.built_in("failed.html", {**self._values(address), "failure": failure})
        return text.encode("utf-8", "replace")

    def _values(self, address: str) -> dict[str, object]:
        return {**self.values, "root": "../" * address.count("/")}


def _bar(source: SiteSource) -> list[tuple[str, str]]:
    """Return titles and addresses of the extra pages."""
    titles = [(markdown.titled(page.text, page.name)[0], page.name) for page in source.pages]
    return [(formats.name(title), urls.extra_page(name)) for title, name in titles]


def _assets(look: Templates, options: SiteOptions) -> dict[str, DataFile]:
    """Bundle style sheets and scripts."""
    sources, cache = look.assets, options.cache
    if not options.live:
        sources = {name: data for name, data in sources.items() if name != templates.LIVE}
    files = bundle.styles({n: css for n, css in sources.items() if n.endswith(".css")})
    files["gitml.css"] += branding.accent_style(options.accent)
    files |= bundle.scripts({n: js for n, js in sources.items() if n.endswith(".js")}, cache)
    files["vega.js"] = bundle.vega(cache)
    files["specs.js"] = columns.script("specs", specs.specs())
    return {n: DataFile(address=urls.static(n, data), data=data) for n, data in files.items()}


def _fingerprint(source: SiteSource, look: Templates, values: Mapping[str, object]) -> str:
    shared = (
        look.digest,
        values,
        source.forge,
        source.directions_fingerprint,
        parquet.is_readable(),
    )
    return hashlib.sha256(repr(shared).encode("utf-8", "surrogatepass")).hexdigest()
