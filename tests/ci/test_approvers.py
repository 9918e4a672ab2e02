"""Whose reviews count, as a forge's API tells them: real HTTP, real answers' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gitml.ci import pull_requests
from gitml.config import Job
from gitml.registry.promotion.landing import BranchCommit, Landing
from tests.ci.host import TOKEN, Host, serving

MERGE, HEAD, OTHER, BASE = (digit * 40 for digit in "abc0")


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as host:
        yield host


def landing(*parents: str, row: tuple[str, ...] = (MERGE,)) -> Landing:
    """A declaration that a commit brought."""
    merge = BranchCommit(
        id=MERGE, parents=parents, author="", mapped="", committer="", authored=1, committed=1,
        message="",
    )  # fmt: skip
    return Landing(
        merge=merge, proposal=merge, authors=(), bases=parents[:1], trailers_count=True,
        edited=False, row=row, path="registry/Price.yaml",
    )  # fmt: skip


MERGED, SQUASHED = landing(BASE, HEAD), landing(BASE)


def github(host: Host) -> pull_requests.PullRequests:
    job = Job(host="github", api=host.address, project="team/prices", token=TOKEN, request=7)
    return pull_requests.of(job)


def gitlab(host: Host) -> pull_requests.PullRequests:
    job = Job(host="gitlab", api=host.address, project="42", token=TOKEN, request=7)
    return pull_requests.of(job)


def approvers(host: Host, landed: Landing, wrote: bool | None = True, **pull: Any) -> set[str]:
    """Who approved a merged pull request of GitHub."""
    host.pull = {
        "number": 7, "user": {"login": "ada"}, "head": {"sha": HEAD}, "merged_at": "2026-01-01",
        "merge_commit_sha": MERGE, **pull,
    }  # fmt: skip
    host.merged = {MERGE: [host.pull]}
    return set(github(host).approvers_of(landed, lambda _: wrote))


def commit(login: str, name: str = "", email: str = "", **more: Any) -> dict[str, Any]:
    """A commit of a pull request as GitHub lists it."""
    words = {"author": {"name": name, "email": email}, "message": more.pop("message", "")}
    return {"sha": OTHER, "parents": [{}], "author": {"login": login}, "commit": words, **more}


def test_reviews_of_the_merged_commit_by_others_count(host: Host) -> None:
    host.review("bo", "APPROVED", HEAD)
    host.review("Ada", "APPROVED", HEAD)  # opened it
    host.review("cy", "APPROVED", OTHER)  # of what it was before
    host.review("di", "APPROVED", HEAD)
    host.review("di", "DISMISSED", HEAD)
    host.review("eve", "APPROVED", HEAD, member="NONE")
    assert approvers(host, MERGED) == {"bo"}
    assert approvers(host, SQUASHED) == {"bo"}


def test_reviews_by_whoever_wrote_the_declaration_do_not_count(host: Host) -> None:
    for login in ("bo", "cy", "di", "flo"):
        host.review(login, "APPROVED", HEAD)
    host.commits = [
        commit("bo"),
        commit("", "Cy", "7+cy@users.noreply.github.com"),
        commit("ada", message="Promote\n\nCo-authored-by: Di <di@users.noreply.github.com>"),
        commit("flo", parents=[{}, {}]),  # who only brought the branch up to date
    ]
    assert approvers(host, SQUASHED, wrote=None) == {"flo"}
    assert approvers(host, MERGED, wrote=False) == {"bo", "cy", "di", "flo"}
    assert approvers(host, MERGED, wrote=True) == set()


def test_reviews_of_another_pull_request_with_the_same_commit_do_not_count(host: Host) -> None:
    host.review("bo", "APPROVED", HEAD)
    assert approvers(host, SQUASHED, merge_commit_sha=OTHER) == set()
    assert approvers(host, replace(SQUASHED, row=(MERGE, OTHER)), merge_commit_sha=OTHER) == {"bo"}
    assert approvers(host, landing(BASE, OTHER)) == set()
    assert approvers(host, MERGED, merged_at=None) == set()


def test_an_open_pull_request_is_judged_alike(host: Host) -> None:
    host.pull = {"number": 7, "user": {"login": "ada"}, "head": {"sha": HEAD}}
    host.commits = [commit("bo")]
    for login in ("ada", "bo", "cy"):
        host.review(login, "APPROVED", HEAD)
    assert github(host).approvers(lambda _: True) == ("cy",)


def test_approvals_of_gitlab_by_author_and_committers_do_not_count(host: Host) -> None:
    host.pull = {"iid": 7, "author": {"username": "ada"}, "sha": HEAD, "state": "merged"}
    host.merged = {MERGE: [host.pull]}
    host.commits = [{
        "id": OTHER, "parent_ids": [BASE], "author_name": "Bo", "message": "Promote",
        "author_email": "9-bo@users.noreply.gitlab.com",
    }]  # fmt: skip
    for login in ("ada", "bo", "cy"):
        host.review(login, "APPROVED", HEAD)
    assert gitlab(host).approvers(lambda _: True) == ("cy",)
    assert gitlab(host).approvers_of(MERGED, lambda _: True) == ("cy",)
    assert gitlab(host).approvers_of(MERGED, lambda _: False) == ("bo", "cy")
    assert gitlab(host).approvers_of(landing(BASE, OTHER), lambda _: True) == ()
    host.pull["squash_commit_sha"] = OTHER  # which a merge commit then merged
    assert gitlab(host).approvers_of(landing(BASE, OTHER), lambda _: True) == ("cy",)
