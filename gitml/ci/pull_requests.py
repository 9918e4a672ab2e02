"""Ask GitHub or GitLab who approved a pull request, and keep one comment of it up to date.

An approval counts if it is for what was merged, not dismissed, and by nobody who opened the pull
request or wrote a commit of it that touches the declaration.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from gitml.config import Job
from gitml.errors import InvalidInput, StoreError
from gitml.registry.gates.approvals import coauthors, same_person
from gitml.registry.promotion.landing import Landing
from gitml.registry.promotion.markdown_report import MARKER

_TIMEOUT = 30  # s
_PAGE = 100
_PAGES = 50
_LONGEST = 60_000  # characters of a comment; GitHub takes 65,536
_MEMBERS = ("OWNER", "MEMBER", "COLLABORATOR")
_CUT = "\n\n… the rest is in the job's artifact.\n"


Wrote = Callable[[str], bool | None]
"""Tells whether a commit changed a declaration; None for a commit that the clone lacks."""


class PullRequests(Protocol):
    """The pull requests of a job's host."""

    def approvers(self, wrote: Wrote) -> tuple[str, ...]:
        """Return who approved the pull request that the job is for, as it is now."""

    def approvers_of(self, landed: Landing, wrote: Wrote) -> tuple[str, ...]:
        """Return who approved the merged pull request that brought a declaration."""

    def comment(self, markdown: str, *, new: bool = True) -> bool:
        """Put a report into the pull request, in place of an earlier one.

        Args:
            markdown: The report; it starts with the marker that identifies it.
            new: Whether to add a comment if there is none yet.

        Returns:
            True if there is one now.
        """


def of(job: Job) -> PullRequests:
    """Choose the API of the job's host."""
    return _GitHub(job) if job.host == "github" else _GitLab(job)


class _Api:
    """JSON over HTTP, page by page."""

    def __init__(self, job: Job, headers: Mapping[str, str]) -> None:
        if not job.api.startswith(("https://", "http://")):
            raise InvalidInput(f"{job.api!r:.80} is not a valid API URL.")
        self._address = job.api.rstrip("/")
        self._headers = {**headers, "Content-Type": "application/json", "User-Agent": "gitml"}

    def ask(
        self, path: str, method: str = "GET", body: Any = None, *, optional: bool = False
    ) -> Any:
        """Make a request.

        Args:
            path: Path below the API's address.
            method: As in HTTP.
            body: What to send, as JSON.
            optional: Return None where the host does not have that.

        Raises:
            StoreError: The host refuses or does not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._address}/{path}"
        request = urllib.request.Request(url, data, dict(self._headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                if optional and error.code == 404:
                    return None
                raise StoreError(
                    f"{method} {url} was refused: {error.code} {error.reason}.",
                    hint="See the job's permissions and its token.",
                ) from error
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{method} {url} got no response: {error}.", hint="Repeat the job."
            ) from error

    def list(self, path: str, *, optional: bool = False) -> Iterator[Mapping[str, Any]]:
        """Iterate over the objects of a list, page after page."""
        for page in range(1, _PAGES + 1):
            address = f"{path}{'&' if '?' in path else '?'}per_page={_PAGE}&page={page}"
            items = self.ask(address, optional=optional)
            if items is None:
                return
            if not isinstance(items, list):
                raise StoreError(f"{self._address}/{path} did not answer with a list.")
            yield from (item for item in items if isinstance(item, dict))
            if len(items) < _PAGE:
                return


class _GitHub:
    def __init__(self, job: Job) -> None:
        self._api = _Api(job, {
            "Authorization": f"Bearer {job.token}", "Accept": "application/vnd.github+json",
        })  # fmt: skip
        self._job = job
        self._root = f"repos/{quote(job.project)}"

    def approvers(self, wrote: Wrote) -> tuple[str, ...]:
        number = _number(self._job)
        return self._reviewers(number, self._api.ask(f"{self._root}/pulls/{number}"), wrote)

    def approvers_of(self, landed: Landing, wrote: Wrote) -> tuple[str, ...]:
        for pull in self._api.list(f"{self._root}/commits/{quote(landed.merge.id)}/pulls"):
            merge, head = pull.get("merge_commit_sha"), _value(pull, "head", "sha")
            if pull.get("merged_at") and _brought(landed, merge, head):
                return self._reviewers(int(pull["number"]), pull, wrote)
        return ()

    def _reviewers(self, number: int, pull: Mapping[str, Any], wrote: Wrote) -> tuple[str, ...]:
        """Members whose last word on the newest commit is an approval."""
        newest = _value(pull, "head", "sha")
        last: dict[str, str] = {}
        for review in self._api.list(f"{self._root}/pulls/{number}/reviews"):
            state = review.get("state")
            if state == "COMMENTED" or review.get("author_association") not in _MEMBERS:
                continue
            current = state != "APPROVED" or review.get("commit_id") == newest
            last[str(_value(review, "user", "login"))] = str(state) if current else "STALE"
        authors = [str(_value(pull, "user", "login")), *self._authors(number, wrote)]
        approved = (who for who, state in last.items() if state == "APPROVED")
        return tuple(who for who in approved if not any(same_person(who, a) for a in authors))

    def _authors(self, number: int, wrote: Wrote) -> Iterator[str]:
        """Yield who wrote commits that touch the declaration, by login and by name."""
        for commit in self._api.list(f"{self._root}/pulls/{number}/commits", optional=True):
            message = str(_value(commit, "commit", "message") or "")
            author = _value(commit, "commit", "author")
            if _touches(str(commit.get("sha")), commit.get("parents"), wrote):
                yield str(_value(commit, "author", "login") or "")
                yield f"{_value(author, 'name')} <{_value(author, 'email')}>"
                yield from coauthors(message)

    def comment(self, markdown: str, *, new: bool = True) -> bool:
        number = _number(self._job)
        comments = self._api.list(f"{self._root}/issues/{number}/comments")
        by_bots = (note for note in comments if _value(note, "user", "type") == "Bot")
        existing = _marked(by_bots, "body")
        if existing:
            path = f"{self._root}/issues/comments/{int(existing['id'])}"
            self._api.ask(path, "PATCH", {"body": _fitting(markdown)})
        elif new:
            path = f"{self._root}/issues/{number}/comments"
            self._api.ask(path, "POST", {"body": _fitting(markdown)})
        return bool(existing) or new


class _GitLab:
    def __init__(self, job: Job) -> None:
        self._api = _Api(job, {"PRIVATE-TOKEN": job.token})
        self._job = job
        self._root = f"projects/{quote(job.project, safe='')}"

    def approvers(self, wrote: Wrote) -> tuple[str, ...]:
        number = _number(self._job)
        request = self._api.ask(f"{self._root}/merge_requests/{number}", optional=True)
        return self._approved(number, request or {}, wrote)

    def approvers_of(self, landed: Landing, wrote: Wrote) -> tuple[str, ...]:
        path = f"{self._root}/repository/commits/{quote(landed.merge.id)}/merge_requests"
        for request in self._api.list(path):
            squash = request.get("squash_commit_sha")
            merge, heads = request.get("merge_commit_sha") or squash, (request.get("sha"), squash)
            if request.get("state") == "merged" and _brought(landed, merge, *heads):
                return self._approved(int(request["iid"]), request, wrote)
        return ()

    def _approved(self, number: int, request: Mapping[str, Any], wrote: Wrote) -> tuple[str, ...]:
        approvals = self._api.ask(f"{self._root}/merge_requests/{number}/approvals")
        users = [_value(approver, "user") for approver in _value(approvals, "approved_by") or ()]
        authors = [str(_value(request, "author", "username")), *self._authors(number, wrote)]
        return tuple(
            str(user["username"])
            for user in users
            if _value(user, "username")
            and not any(
                same_person(str(_value(user, key) or ""), author)
                for author in authors
                for key in ("username", "name")
            )
        )

    def _authors(self, number: int, wrote: Wrote) -> Iterator[str]:
        """Yield who wrote commits that touch the declaration."""
        path = f"{self._root}/merge_requests/{number}/commits"
        for commit in self._api.list(path, optional=True):
            if _touches(str(commit.get("id")), commit.get("parent_ids"), wrote):
                yield f"{commit.get('author_name')} <{commit.get('author_email')}>"
                yield from coauthors(str(commit.get("message") or ""))

    def comment(self, markdown: str, *, new: bool = True) -> bool:
        path = f"{self._root}/merge_requests/{_number(self._job)}/notes"
        user = _value(self._api.ask("user"), "id")
        own = (note for note in self._api.list(path) if _value(note, "author", "id") == user)
        existing = _marked(own, "body")
        if existing:
            self._api.ask(f"{path}/{int(existing['id'])}", "PUT", {"body": _fitting(markdown)})
        elif new:
            self._api.ask(path, "POST", {"body": _fitting(markdown)})
        return bool(existing) or new


def _brought(landed: Landing, merge: object, *heads: object) -> bool:
    """Return True if a pull request, as far as its host tells, is the one that brought it.

    A commit may be part of others, too, such as of one that takes the branch elsewhere.
    """
    if landed.merge.parents[1:]:
        return not any(heads) or any(head in landed.merge.parents[1:] for head in heads)
    return not merge or merge in landed.row


def _touches(commit: str, parents: object, wrote: Wrote) -> bool:
    """Return True if a commit touches the declaration; where the clone lacks it, unless it merges.

    Whoever brings a proposal up to date writes a merge.
    """
    changed = wrote(commit)
    return (
        len(parents) < 2 if changed is None and isinstance(parents, list) else changed is not False
    )


def _number(job: Job) -> int:
    if job.request is None:
        raise InvalidInput(
            "This job was not started by a pull request.",
            hint="Leave out --ci, or let a pull request start it.",
        )
    return job.request


def _value(value: Any, *keys: str) -> Any:
    """Return what is under nested keys, None if one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _marked(comments: Iterable[Mapping[str, Any]], key: str) -> Mapping[str, Any] | None:
    return next((note for note in comments if str(note.get(key)).startswith(MARKER)), None)


def _fitting(markdown: str) -> str:
    """Cut a report at a line so that a host takes it."""
    if len(markdown) <= _LONGEST:
        return markdown
    return markdown[: markdown.rfind("\n", 0, _LONGEST)] + _CUT
