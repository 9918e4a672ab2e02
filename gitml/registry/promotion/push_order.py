"""Hides in which order registry tags are pushed, so that a remote never shows half a promotion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitml.entities import Stage
from gitml.git import Tag
from gitml.registry.rebase import Reconciler
from gitml.registry.registry import Registry
from gitml.registry.tags.grammar import Kind, parse, parse_message, slug
from gitml.registry.tags.state import event_order
from gitml.store.exchange.exchange import Exchange

_AT_ONCE = 3  # tags that one push may hold so that workflows start


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

    def lacking() -> list[list[str]]:
        known = repo.remote_refs(remote, "refs/tags/*")
        new: dict[str, list[Tag]] = {}
        for tag in sorted(repo.tags(), key=event_order):
            event = parse(tag.name)
            if event and event.model in slugs and f"refs/tags/{tag.name}" not in known:
                new.setdefault(event.model, []).append(tag)
        return batches([new[model] for model in sorted(new)])

    rules = Reconciler(repo, registry.branch, state=registry.state, remote=remote)
    return Exchange(registry.branch, remote, rules).push_tags(lacking)


def batches(models: Sequence[Sequence[Tag]]) -> list[list[str]]:
    """Put tags together that must reach the remote together, in the order in which they must.

    A push of more than three tags starts no workflows. So what a promotion is made of is parted,
    but never where it would show half of it: a stage is left by the one version and entered by the
    other in the same push, which ends with the tag that starts workflows. All before it changes
    nothing that is live.

    Args:
        models: Each model's tags, in the order in which they take effect.

    Returns:
        Their names, push by push.
    """
    if sum(map(len, models)) <= _AT_ONCE:
        return [[tag.name for tags in models for tag in tags]] if any(models) else []
    found: list[list[Tag]] = []
    for tags in models:
        waiting: list[Tag] = []
        for tag in tags:
            waiting.append(tag)
            stage = _entered(tag)
            if stage:
                lefts = [at for at, one in enumerate(waiting) if _made_way(one) == stage]
                at = lefts[-1] if lefts else -1  # of several versions the live one leaves last
                found += [waiting[:at], waiting[at:]]
                waiting = []
        found.append(waiting)
    return [[tag.name for tag in batch] for batch in found if batch]


def _entered(tag: Tag) -> str:
    """The stage whose entry a tag records; empty for Archived, which starts no workflows."""
    event = parse(tag.name)
    entered = event is not None and event.kind is Kind.STAGE and event.value != Stage.ARCHIVED
    return event.value if event and entered else ""


def _made_way(tag: Tag) -> str:
    """The stage that a version left for another one to enter, as far as the tag tells."""
    event = parse(tag.name)
    detail = parse_message(tag.message)[1]
    own = "to" in detail and "replaced_by" not in detail  # it went elsewhere by itself
    return event.value if event and event.kind is Kind.LEFT and not own else ""
