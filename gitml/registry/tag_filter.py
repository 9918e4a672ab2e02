"""Part the tags that count from those that do not: the one step between reading and folding them.

Where the policy of the team asks for signatures, a tag that nobody allowed has signed has no effect
on anything: it is set aside with the reason, before any state is made of the tags. Where no policy
asks, all tags count and nothing is checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gitml.git import GitRepo, Tag
from gitml.registry.audit.chain import TagFault, TagProblem
from gitml.registry.audit.earlier import earlier
from gitml.registry.audit.rejected import RejectedTag
from gitml.registry.audit.signature_check import signatures
from gitml.registry.audit.signers import Policies, Policy
from gitml.registry.audit.verdicts import VerdictCache
from gitml.registry.sent_log import SentLog
from gitml.registry.tags import grammar
from gitml.registry.tags.messages import tag_signature
from gitml.registry.tags.model_state import is_event


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTags:
    """Tags by what the policy says of them.

    Attributes:
        accepted: Those that count, in their order; tags that are no events of the registry too.
        rejected: Those that do not.
        required: How many had to be signed.
    """

    accepted: tuple[Tag, ...]
    rejected: tuple[RejectedTag, ...] = ()
    required: int = 0


class TagFilter:
    """Judges tags by the policy of the default branch.

    Args:
        repo: The repository.
        sent: Which tags were sent.
        state: The local state folder, ``<git common dir>/gitml``.
        remote: The git remote that the settings of this clone name.
    """

    def __init__(self, repo: GitRepo, sent: SentLog, *, state: Path, remote: str) -> None:
        self._repo = repo
        self._sent = sent
        self._state = state
        self._policies = Policies(repo, remote)

    def policy(self) -> Policy:
        """Return the policy of the default branch as this clone has it.

        Raises:
            InvalidInput: It is not as it should be, or not known here.
        """
        return self._policies.of_clone()

    def judge(self, tags: Iterable[Tag], policy: Policy | None = None) -> JudgedTags:
        """Part the tags that count from the others.

        Args:
            tags: The tags.
            policy: The policy; default that of the default branch as this clone has it.

        Raises:
            InvalidInput: The policy is not as it should be, or not known here.
            SignatureError: A program or a file that is needed to check signatures is not usable.
        """
        tags = tuple(tags)
        policy = policy or self.policy()
        if not policy.required:
            return JudgedTags(accepted=tags)
        verdict = _Verdict(self._repo, self._sent, self._state, policy)
        events = [tag for tag in tags if grammar.parse(tag.name) and is_event(tag)]
        faults = verdict.faults(events)
        rejected = tuple(
            RejectedTag(tag=tag, problem=fault.problem, reason=fault.reason)
            for tag in events
            if (fault := faults.get(tag.name))
        )
        names = {item.tag.name for item in rejected}
        return JudgedTags(
            accepted=tuple(tag for tag in tags if tag.name not in names),
            rejected=rejected,
            required=len(events) - verdict.exempt,
        )


class _Verdict:
    """One look at tags under one policy."""

    def __init__(self, repo: GitRepo, sent: SentLog, state: Path, policy: Policy) -> None:
        self._repo = repo
        self._sent = sent
        self._policy = policy
        self._cache = VerdictCache(state, policy.fingerprint)
        self.exempt = 0

    def faults(self, events: Iterable[Tag]) -> dict[str, TagFault]:
        """Return what is wrong with tags, by name."""
        by_model: dict[str, list[Tag]] = defaultdict(list)
        faults: dict[str, TagFault] = {}
        for tag in events:
            event = grammar.parse(tag.name)
            if not tag_signature(tag.message):
                faults[tag.name] = TagFault(
                    tag=tag.name, oid=tag.oid, problem=TagProblem.UNSIGNED,
                    reason="It is not signed.",
                )  # fmt: skip
            elif event:
                by_model[event.model].append(tag)
        unjudged = {slug: self._of_model(slug, tags, faults) for slug, tags in by_model.items()}
        self._check({slug: tags for slug, tags in unjudged.items() if tags}, faults)
        if faults and self._policy.since:
            return {name: f for name, f in faults.items() if not self._is_earlier(f)}
        return faults

    def _of_model(self, slug: str, tags: list[Tag], faults: dict[str, TagFault]) -> list[Tag]:
        """Add the verdicts that are cached; return the tags that have none."""
        cached = self._cache.read(slug)
        for tag in tags:
            fault = cached.get((tag.name, tag.oid))
            if fault:
                faults[tag.name] = fault
        return [tag for tag in tags if (tag.name, tag.oid) not in cached]

    def _check(self, unjudged: dict[str, list[Tag]], faults: dict[str, TagFault]) -> None:
        if not unjudged:
            return
        oids = {tag.name: tag.oid for tags in unjudged.values() for tag in tags}
        with signatures(self._repo, self._policy) as checks:
            new = {fault.tag: fault for fault in checks.faults(oids)}
        faults |= new
        for slug, tags in unjudged.items():
            verdicts = self._cache.read(slug)
            verdicts |= {(tag.name, tag.oid): new.get(tag.name) for tag in tags}
            try:
                self._cache.write(slug, verdicts)
            except OSError:  # a clone that may only be read is judged each time
                continue

    def _is_earlier(self, fault: TagFault) -> bool:
        earlier = (fault.tag, fault.oid) in self._earlier
        self.exempt += earlier
        return earlier

    @cached_property
    def _earlier(self) -> frozenset[tuple[str, str]]:
        return earlier(self._repo, self._sent, self._policy)
