"""Regressions as an Atom feed (RFC 4287). All pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from gitml.site.pages.timeline import Step
from gitml.site.text import formats

ENTRIES = 50
_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A step for the worse.

    Attributes:
        experiment: Name of the experiment.
        experiment_id: Its id.
        metric: The metric.
        address: The page that shows it, from the site's root.
        step: The step.
    """

    experiment: str
    experiment_id: str
    metric: str
    address: str
    step: Step

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        relative = f" ({self.step.relative})" if self.step.relative else ""
        return (
            f"{self.metric} of {self.experiment} went from {self.step.before} to "
            f"{self.step.after}{relative} with {self.step.commit.commit[:8]}, "
            f"“{formats.clip(self.step.commit.subject, 100)}” by {self.step.commit.author}"
        )


def atom(title: str, base_url: str, found: Sequence[Regression]) -> bytes:
    """Write a feed, newest regression first.

    Args:
        title: The site's title.
        base_url: Address of the published site, ending in ``/``; links are relative without it.
        found: The regressions, newest first; the first 50 are written.
    """
    ElementTree.register_namespace("", _ATOM)
    feed = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(feed, "title", f"{title}: regressions")
    _add(feed, "id", _identity(base_url or title))
    newest = found[0].step.commit.timestamp if found else 0
    _add(feed, "updated", formats.iso(newest))
    _link(feed, f"{base_url}feed.xml", rel="self")
    _link(feed, base_url or "index.html")
    for one in found[:ENTRIES]:
        entry = _add(feed, "entry")
        _add(entry, "title", one.sentence)
        key = "\n".join((one.experiment_id, one.metric, one.step.commit.commit))
        _add(entry, "id", _identity(key))
        _add(entry, "updated", formats.iso(one.step.commit.timestamp))
        _add(_add(entry, "author"), "name", one.step.commit.author or "unknown")
        _link(entry, f"{base_url}{one.address}")
        between = one.step.between
        more = f" {between} commits before it were not measured." if between else ""
        _add(entry, "summary", f"{one.sentence}.{more}")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(feed) + b"\n"


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
