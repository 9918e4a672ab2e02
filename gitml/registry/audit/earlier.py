"""Tell which tags are from before signatures were asked for.

A tagger's date is whatever the tagger writes, so no date decides. What decides is named by its id
in something that nobody can change afterwards: the history behind a commit of the branch, whose
messages name each tag that was sent, or the chain of ids that leads from a tag to those before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gitml.errors import InvalidInput, StoreError
from gitml.git import GitRepo, Tag
from gitml.registry.audit.signers import Policy
from gitml.registry.sent_log import SentLog
from gitml.registry.tags import grammar
from gitml.registry.tags.detail import TagLink
from gitml.registry.tags.messages import parse_detail

_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(rb"^tag ([^\n]+)$", re.MULTILINE)
_SETTING = "registry.signed_since"


def earlier(repo: GitRepo, sent: SentLog, policy: Policy) -> frozenset[tuple[str, str]]:
    """Return names and ids of the tags that need no signature.

    Raises:
        InvalidInput: What ``signed_since`` names is not in this clone, or does not say what was
            before it.
    """
    tags: set[tuple[str, str]] = set()
    for name in policy.since:
        tags |= _before(repo, sent, name)
    return frozenset(tags)


def _before(repo: GitRepo, sent: SentLog, name: str) -> frozenset[tuple[str, str]]:
    oid = name if _OID.fullmatch(name) else _sent_id(repo, sent, name)
    kind = repo.run("cat-file", "-t", oid, ok=(0, 1, 128)).decode().strip()
    if kind == "commit":
        return _behind(repo, sent, name, oid)
    if kind == "tag":
        link = TagLink(tag=_name_of(repo, oid), oid=oid)
        return frozenset(_chain(repo, link)) | _behind_tag(repo, sent, link)
    raise InvalidInput(
        f"{_SETTING} names {name}, which is not in this clone.",
        hint="Run `gitml pull`, or `git fetch --unshallow` in a shallow clone.",
    )


def _sent_id(repo: GitRepo, sent: SentLog, name: str) -> str:
    """Find the id of a tag: whoever moves the tag does not change what was sent under its name."""
    oids = {tag.oid for tag in sent.tags() if tag.tag == name}
    if not oids and not repo.remotes():
        oids = {oid for oid in (repo.ref(f"refs/tags/{name}"),) if oid}
    if len(oids) == 1:
        return oids.pop()
    reason = "was sent with several ids" if oids else "never was sent"
    raise InvalidInput(
        f"{_SETTING} names {name}, which {reason}, as the history of the records tells.",
        hint=f"Write the whole id of the right tag object instead: `git rev-parse '{name}'`.",
    )


def _behind(repo: GitRepo, sent: SentLog, name: str, commit: str) -> frozenset[tuple[str, str]]:
    try:
        shallow = set((repo.common_dir / "shallow").read_text().split())
    except OSError:
        shallow = set()
    if shallow & set(repo.run("rev-list", commit, "--").decode().split() if shallow else ()):
        raise InvalidInput(
            f"{_SETTING} names {name}, and this shallow clone has not all that was before it.",
            hint="Run `git fetch --unshallow`.",
        )
    before = sent.behind([commit])
    if not before:
        raise InvalidInput(
            f"{_SETTING} names commit {name[:12]}, before which no registry tag was sent: it is "
            "no commit of the records' branch, or the first ones.",
            hint="Write the id that `git rev-parse origin/gitml/runs` prints.",
        )
    return before


def _behind_tag(repo: GitRepo, sent: SentLog, link: TagLink) -> frozenset[tuple[str, str]]:
    """Return what was sent before a tag, or with it.

    A later commit can name the tag again, beside others that are not from before it, also on a side
    line that claims to be older. What all of them have behind them was there before any.
    """
    commits = {tag.commit for tag in sent.tags() if (tag.tag, tag.oid) == (link.tag, link.oid)}
    histories = [_behind(repo, sent, link.tag, commit) for commit in sorted(commits)]
    return frozenset.intersection(*histories) if histories else frozenset()


def _chain(repo: GitRepo, link: TagLink | None) -> Iterator[tuple[str, str]]:
    """Follow the chain of a model from a tag to its first one, by the ids of the tag objects."""
    event = grammar.parse(link.tag) if link else None
    tags = repo.tags(*grammar.patterns(event.model)) if event else []
    by_oid: Mapping[str, Tag] = {tag.oid: tag for tag in tags}
    visited: set[TagLink] = set()
    while link and link not in visited:
        visited.add(link)
        yield link.tag, link.oid
        tag = by_oid.get(link.oid)
        try:
            message = tag.message if tag else _text(repo, link.oid)
        except StoreError:
            return
        link = parse_detail(message).previous


def _text(repo: GitRepo, oid: str) -> str:
    """Read the message of a tag object that no ref of the model leads to any more."""
    raw = next(repo.read_blobs([oid])).decode("utf-8", "replace")
    return raw.partition("\n\n")[2]


def _name_of(repo: GitRepo, oid: str) -> str:
    """Return the name that a tag object itself bears."""
    match = _NAME.search(next(repo.read_blobs([oid])))
    return match[1].decode("utf-8", "replace") if match else ""
