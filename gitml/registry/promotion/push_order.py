"""Push registry tags in an order in which a remote never shows half a promotion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitml.entities import Stage
from gitml.git import Tag
from gitml.registry.exchange import open_exchange
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind, parse, slug
from gitml.registry.tags.messages import parse_detail
from gitml.registry.tags.model_state import event_order

_MAX_TAGS = 3  # of one push; GitHub starts no workflows for more


def push_tags(registry: Registry, models: Iterable[str]) -> list[str]:
    """Push the registry tags of models that the remote lacks, together with the branch's note.

    Returns:
        Names of the tags, in the order in which they were pushed.

    Raises:
        StoreError: The remote does not answer or refuses; repeat it.
        Conflict: Other clones pushed again and again.
    """
    repo, remote = registry.repo, registry.remote
    slugs = {slug(model) for model in models}

    def missing() -> list[list[str]]:
        existing = repo.remote_refs(remote, "refs/tags/*")
        by_model: dict[str, list[Tag]] = {}
        for tag in sorted(repo.tags(), key=event_order):
            event = parse(tag.name)
            if event and event.model in slugs and f"refs/tags/{tag.name}" not in existing:
                by_model.setdefault(event.model, []).append(tag)
        return batches([by_model[model] for model in sorted(by_model)])

    exchange = open_exchange(repo, registry.branch, state=registry.state, remote=remote)
    return exchange.push_tags(missing)


def batches(models: Sequence[Sequence[Tag]]) -> list[list[str]]:
    """Split tags into pushes.

    A push of more than three tags starts no workflows. So the tags of a promotion are split, but
    never where that would show half of it: one version leaves a stage and the other enters it in
    the same push, which ends with the tag that starts workflows. All tags before them change
    nothing that is live.

    Args:
        models: Each model's tags, in the order in which they take effect.

    Returns:
        Names of the tags of each push, in order.
    """
    if sum(map(len, models)) <= _MAX_TAGS:
        return [[tag.name for tags in models for tag in tags]] if any(models) else []
    pushes: list[list[Tag]] = []
    for tags in models:
        waiting: list[Tag] = []
        for tag in tags:
            waiting.append(tag)
            stage = _entered_stage(tag)
            if stage:
                vacates = [_vacated_stage(before) == stage for before in waiting]
                last = max((i for i, vacated in enumerate(vacates) if vacated), default=-1)
                pushes += [waiting[:last], waiting[last:]]  # the live version leaves last
                waiting = []
        pushes.append(waiting)
    return [[tag.name for tag in push] for push in pushes if push]


def _entered_stage(tag: Tag) -> str:
    """Return the stage whose entry starts workflows; empty for other events and for Archived."""
    event = parse(tag.name)
    enters = event is not None and event.kind is Kind.STAGE and event.value != Stage.ARCHIVED
    return event.value if event and enters else ""


def _vacated_stage(tag: Tag) -> str:
    """Return the stage that a version left for another one to enter, as far as the tag records."""
    event = parse(tag.name)
    detail = parse_detail(tag.message)
    moved = detail.to_stage and detail.replaced_by is None  # it went elsewhere by itself
    return event.value if event and event.kind is Kind.LEFT and not moved else ""
