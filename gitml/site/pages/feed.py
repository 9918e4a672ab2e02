"""Regressions as an Atom feed (RFC 4287)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from gitml.site.page import DataFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.timeline import Regression, Timelines
from gitml.site.text import formats

ENTRIES = 50
_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed(Page):
    """The feed of all regressions."""

    site: SiteContext
    timelines: Timelines

    name = "feed.xml"

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the feed."""
        title, base_url = self.site.catalogue.source.title, self.site.options.base_url
        data = atom(title, base_url, self.timelines.regressions)
        return Outputs(files=[DataFile(address=self.name, data=data)])


def atom(title: str, base_url: str, regressions: Sequence[Regression]) -> bytes:
    """Return a feed, newest regression first.

    Args:
        title: The site's title.
        base_url: Address of the published site, ending in ``/``; links are relative without it.
        regressions: The regressions, newest first; the first 50 are written.
    """
    ElementTree.register_namespace("", _ATOM)
    feed = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(feed, "title", f"{title}: regressions")
    _add(feed, "id", _identity(base_url or title))
    newest = regressions[0].shift.commit.timestamp if regressions else 0
    _add(feed, "updated", formats.iso(newest))
    _link(feed, f"{base_url}feed.xml", rel="self")
    _link(feed, base_url or "index.html")
    for regression in regressions[:ENTRIES]:
        _add_entry(feed, regression, base_url)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(feed) + b"\n"


def _add_entry(feed: ElementTree.Element, regression: Regression, base_url: str) -> None:
    commit, between = regression.shift.commit, regression.shift.between
    entry = _add(feed, "entry")
    _add(entry, "title", regression.sentence)
    key = "\n".join((regression.experiment_id, regression.metric, commit.commit))
    _add(entry, "id", _identity(key))
    _add(entry, "updated", formats.iso(commit.timestamp))
    _add(_add(entry, "author"), "name", commit.author or "unknown")
    _link(entry, f"{base_url}{regression.address}")
    more = f" {between} commits before it were not measured." if between else ""
    _add(entry, "summary", f"{regression.sentence}.{more}")


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    node = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}")
    node.text = None if text is None else _xml(text)
    return node


def _link(parent: ElementTree.Element, address: str, rel: str = "alternate") -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}link", {"rel": rel, "href": address})


def _identity(key: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, key.encode("utf-8", "replace").decode()).urn


def _xml(text: str) -> str:
    """Drop what XML 1.0 cannot carry."""
    return "".join(
        sign
        for sign in text
        if sign in "\t\n\r"
        or " " <= sign < "\ud800"
        or "\ue000" <= sign < "\ufffe"
        or sign > "\uffff"
    )
