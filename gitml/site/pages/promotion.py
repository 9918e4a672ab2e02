"""What a promotion's page shows, whether it waits for a decision or was decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitml.registry.promotion.decisions import Decision, OpenProposal
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.pages.review import ReviewView, review_view, verdict_of
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
class PromotionView:
    """A promotion's page.

    Attributes:
        address: Of the page.
        model: Its model.
        version: The version.
        stage: The stage.
        state: ``open``, ``live`` or ``past``.
        forced: Whether it was forced past its gates.
        user: Who proposed it or wrote the tag.
        timestamp: When, ms since the Unix epoch.
        until: When the version left the stage; None if it has not.
        reason: Why.
        request: Address of its pull request.
        facts: Further facts, label and text or link.
        command: Label and command to type to see more.
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


def proposal_view(catalogue: Catalogue, proposal: OpenProposal) -> PromotionView:
    """Fill the page of a promotion that waits for a decision."""
    comparison = proposal.comparison
    return PromotionView(
        address=_address_of(proposal),
        model=_model(comparison.model),
        version=_version(comparison.model, comparison.version),
        stage=comparison.stage,
        state="open",
        forced=False,
        user=formats.name(proposal.user),
        timestamp=proposal.timestamp,
        until=None,
        reason=proposal.reason,
        request=proposal.requests_url if proposal.requests_url.startswith("https://") else "",
        facts=(
            ("Branch", PageLink(text=formats.name(proposal.branch))),
            ("Commit", _commit(catalogue, proposal.commit)),
        ),
        command=("Look at it in a clone", commands.check_proposal(proposal.branch)),
        review=review_view(catalogue, comparison),
    )


def decision_view(catalogue: Catalogue, decision: Decision) -> PromotionView:
    """Fill the page of a promotion that was decided."""
    comparison, entry = decision.comparison, decision.entry
    return PromotionView(
        address=urls.promotion_page(comparison.model, entry.tag),
        model=_model(comparison.model),
        version=_version(comparison.model, comparison.version),
        stage=comparison.stage,
        state="live" if entry.until is None else "past",
        forced=entry.forced,
        user=formats.name(entry.people),
        timestamp=entry.timestamp,
        until=entry.until,
        reason=entry.reason,
        request="",
        facts=tuple(_decided_facts(catalogue, decision)),
        command=("What the tag says", commands.show_tag(entry.tag)),
        review=review_view(catalogue, comparison),
    )


def _decided_facts(catalogue: Catalogue, decision: Decision) -> Iterator[tuple[str, PageLink]]:
    entry = decision.entry
    address = catalogue.source.forge.request(entry.pull_request)
    facts = (
        ("Pull request", PageLink(text=formats.name(entry.pull_request), address=address)),
        ("Merged by", PageLink(text=formats.name(entry.merged_by.partition(" <")[0]))),
        ("Merge commit", _commit(catalogue, entry.merge_commit)),
        ("Tag", PageLink(text=formats.name(entry.tag))),
    )
    yield from (fact for fact in facts if fact[1].text)


def cards(catalogue: Catalogue, model: str) -> tuple[PromotionCard, ...]:
    """List the promotions of a model that wait for a decision."""
    return tuple(_card(proposal) for proposal in catalogue.proposals.get(model, ()))


def open_promotions(catalogue: Catalogue) -> tuple[PromotionCard, ...]:
    """List the promotions of all models that wait for a decision, newest first."""
    waiting = [card for model in sorted(catalogue.proposals) for card in cards(catalogue, model)]
    return tuple(sorted(waiting, key=lambda card: -card.timestamp))


def _card(proposal: OpenProposal) -> PromotionCard:
    comparison = proposal.comparison
    verdict, mark = verdict_of(comparison)
    return PromotionCard(
        link=PageLink(
            text=f"version {comparison.version} to {comparison.stage}",
            address=_address_of(proposal),
        ),
        model=_model(comparison.model),
        verdict=verdict,
        mark=mark,
        user=formats.name(proposal.user),
        timestamp=proposal.timestamp,
        reason=proposal.reason,
    )


def _address_of(proposal: OpenProposal) -> str:
    return urls.promotion_page(
        proposal.comparison.model, f"{proposal.branch}\0{proposal.comparison.stage}"
    )


def _model(name: str) -> PageLink:
    return PageLink(text=formats.name(name), address=urls.model_page(name))


def _version(name: str, version: int) -> PageLink:
    return PageLink(text=f"version {version}", address=urls.version_page(name, version))


def _commit(catalogue: Catalogue, commit: str) -> PageLink:
    return PageLink(text=commit[:12], address=catalogue.source.forge.commit(commit))
