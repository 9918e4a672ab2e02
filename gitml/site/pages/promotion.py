"""What a promotion's page says: one that waits for a decision, or one that was decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitml.registry.promotion.decisions import Decision, Proposal
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.pages import review as reviews
from gitml.site.pages.review import ReviewView
from gitml.site.text import commands, formats, urls


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCard:
    """A promotion in a list; ``timestamp`` is ms since the Unix epoch."""

    link: PageLink
    model: PageLink
    verdict: str
    mark: str
    user: str
    timestamp: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPage:
    """A promotion's page.

    Attributes:
        address: Of the page.
        model: Its model.
        version: The version.
        stage: The stage.
        state: ``open``, ``live`` or ``past``.
        forced: Whether it was forced past its gates.
        user: Who proposed it, or who wrote the tag.
        timestamp: When, ms since the Unix epoch.
        until: When the version left the stage; None while it is in it, or never was.
        reason: Why.
        request: Where its pull request is found.
        facts: What else is known of it, label and text or link.
        command: What one can type to see more, label and command.
        review: The version beside the one it is to replace.
    """

    address: str
    model: PageLink
    version: PageLink
    stage: str
    state: str
    forced: bool
    user: str
    timestamp: int
    until: int | None
    reason: str
    request: str
    facts: tuple[tuple[str, PageLink], ...]
    command: tuple[str, str]
    review: ReviewView


def proposed(catalogue: Catalogue, item: Proposal) -> PromotionPage:
    """Fill the page of a promotion that waits for a decision."""
    found = item.comparison
    return PromotionPage(
        address=_address_of(item),
        model=_model(found.model),
        version=_version(found.model, found.version),
        stage=found.stage,
        state="open",
        forced=False,
        user=formats.name(item.user),
        timestamp=item.timestamp,
        until=None,
        reason=item.reason,
        request=item.open_at if item.open_at.startswith("https://") else "",
        facts=(
            ("Branch", PageLink(text=formats.name(item.branch))),
            ("Commit", _commit(catalogue, item.commit)),
        ),
        command=("Look at it in a clone", commands.check_proposal(item.branch)),
        review=reviews.review(catalogue, found),
    )


def decided(catalogue: Catalogue, item: Decision) -> PromotionPage:
    """Fill the page of a promotion that was decided."""
    found, entry = item.comparison, item.entry
    return PromotionPage(
        address=urls.promotion_page(found.model, entry.tag),
        model=_model(found.model),
        version=_version(found.model, found.version),
        stage=found.stage,
        state="live" if entry.until is None else "past",
        forced=entry.forced,
        user=formats.name(entry.user),
        timestamp=entry.timestamp,
        until=entry.until,
        reason=entry.reason,
        request="",
        facts=tuple(_decided_facts(catalogue, item)),
        command=("What the tag says", commands.show_tag(entry.tag)),
        review=reviews.review(catalogue, found),
    )


def _decided_facts(catalogue: Catalogue, item: Decision) -> Iterator[tuple[str, PageLink]]:
    entry = item.entry
    address = catalogue.source.forge.request(entry.pull_request)
    told = (
        ("Pull request", PageLink(text=formats.name(entry.pull_request), address=address)),
        ("Merged by", PageLink(text=formats.name(entry.merged_by.partition(" <")[0]))),
        ("Merge commit", _commit(catalogue, entry.merge_commit)),
        ("Tag", PageLink(text=formats.name(entry.tag))),
    )
    yield from (pair for pair in told if pair[1].text)


def cards(catalogue: Catalogue, model: str) -> tuple[PromotionCard, ...]:
    """List the promotions of a model that wait for a decision."""
    return tuple(_card(item) for item in catalogue.proposals.get(model, ()))


def open_promotions(catalogue: Catalogue) -> tuple[PromotionCard, ...]:
    """List the promotions of all models that wait for a decision, newest first."""
    found = [card for model in sorted(catalogue.proposals) for card in cards(catalogue, model)]
    return tuple(sorted(found, key=lambda card: -card.timestamp))


def _card(item: Proposal) -> PromotionCard:
    found = item.comparison
    verdict, mark = reviews.verdict_of(found)
    return PromotionCard(
        link=PageLink(text=f"version {found.version} to {found.stage}", address=_address_of(item)),
        model=_model(found.model),
        verdict=verdict,
        mark=mark,
        user=formats.name(item.user),
        timestamp=item.timestamp,
        reason=item.reason,
    )


def _address_of(item: Proposal) -> str:
    return urls.promotion_page(item.comparison.model, f"{item.branch}\0{item.comparison.stage}")


def _model(name: str) -> PageLink:
    return PageLink(text=formats.name(name), address=urls.model_page(name))


def _version(name: str, version: int) -> PageLink:
    return PageLink(text=f"version {version}", address=urls.version_page(name, version))


def _commit(catalogue: Catalogue, commit: str) -> PageLink:
    return PageLink(text=commit[:12], address=catalogue.source.forge.commit(commit))
