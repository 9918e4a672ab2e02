"""Web addresses of forges: from any remote URL, for every kind of forge."""

from __future__ import annotations

import doctest
from urllib.parse import urlsplit

import pytest
from hypothesis import given, strategies as st

from gitml import forge
from gitml.forge import NO_FORGE, Forge, ForgeKind, from_remote, is_commit, request_number

OLD, NEW = "a" * 40, "b" * 40
BRANCH = "promote/price-v2&x#1"


def test_examples_of_the_docstrings() -> None:
    result = doctest.testmod(forge)
    assert result.attempted >= 6 and not result.failed


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/team/prices.git", "https://github.com/team/prices"),
        ("https://github.com/team/prices/", "https://github.com/team/prices"),
        ("http://github.com/team/prices", "https://github.com/team/prices"),
        ("git://github.com/team/prices.git", "https://github.com/team/prices"),
        ("git@github.com:team/prices.git", "https://github.com/team/prices"),
        ("github.com:team/prices.git", "https://github.com/team/prices"),
        ("git@github.com:/team/prices.git", "https://github.com/team/prices"),
        ("ssh://git@ssh.github.com:443/team/prices.git", "https://github.com/team/prices"),
        ("https://user:secret@gitlab.com/group/sub/prices", "https://gitlab.com/group/sub/prices"),
        ("https://token@github.com/team/prices.git", "https://github.com/team/prices"),
        ("https://github.com/team/prices.git?token=secret#x", "https://github.com/team/prices"),
        ("ssh://git@gitlab.com:2222/team/prices.git", "https://gitlab.com/team/prices"),
        ("git+ssh://git@gitlab.com/team/prices.git", "https://gitlab.com/team/prices"),
        ("https://github.example.com:8443/o/r.git", "https://github.example.com:8443/o/r"),
        ("https://forge.example:443/o/r.git", "https://forge.example/o/r"),
        ("http://forge.example:80/o/r.git", "http://forge.example/o/r"),
        ("http://gitea:3000/o/r.git", "http://gitea:3000/o/r"),
        ("HTTPS://Git.Example.ORG/Team/Prices", "https://git.example.org/Team/Prices"),
        ("git@gitlab:grp/r", "https://gitlab/grp/r"),
        ("build-server:team/prices", "https://build-server/team/prices"),
        ("git@[::1]:team/prices", "https://[::1]/team/prices"),
        ("http://[::1]:3000/team/prices", "http://[::1]:3000/team/prices"),
        ("https://host.example./team/prices", "https://host.example/team/prices"),
        ('git@github.com:team/"><script>', "https://github.com/team/%22%3E%3Cscript%3E"),
        ("git@github.com:team/{old}", "https://github.com/team/%7Bold%7D"),
        ('git@git"hub.com:team/prices', None),
        ("https://git hub.com/team/prices", None),
        ("git@host.example:prices.git", None),
        ("https://host.example/", None),
        ("../origin.git", None),
        ("origin", None),
        ("./team:prices/x", None),
        ("/srv/git/prices.git", None),
        ("file:///srv/git/prices.git", None),
        ("file://localhost/srv/git/prices.git", None),
        ("file:/srv/git/prices.git", None),
        (r"C:\git\team\prices", None),
        ("C:/git/team/prices", None),
        ("javascript:alert(1)//x.y/z", None),
        ("javascript://github.com/%0aalert(1)/x", None),
        ("data:text/html,<script>/x", None),
        ("ext::sh -c whoami/x", None),
        ("ftp://host.example/team/prices", None),
        ("https://[broken/team/prices", None),
        ("https://host.example:port/team/prices", None),
        ("", None),
    ],
)
def test_address_of_a_repository_comes_from_its_remote(remote: str, address: str | None) -> None:
    pages = from_remote(remote)
    assert (pages.address if pages else None) == address


@given(st.text() | st.from_regex(r"(https?|ssh)://[^/]*/.*|[^:]*:.*", fullmatch=True))
def test_any_remote_gives_a_plain_web_link_or_none(remote: str) -> None:
    pages = from_remote(remote, "gitlab") or NO_FORGE
    for link in (pages.address, pages.commit(OLD), pages.requests(remote), pages.file(OLD, remote)):
        parts = urlsplit(link)
        assert not link or (parts.scheme in ("http", "https") and parts.hostname)
        assert "@" not in parts.netloc
        assert not set(link) & set("\"'<> \n\\`")


@pytest.mark.parametrize(
    ("remote", "setting", "kind"),
    [
        ("git@github.com:o/r", "", ForgeKind.GITHUB),
        ("git@github.com:o/r", "gitlab", ForgeKind.GITHUB),
        ("https://github.example.com/o/r", "", ForgeKind.GITHUB),
        ("https://gitlab.example.org/o/r", "gitea", ForgeKind.GITLAB),
        ("git@gitlab:grp/r", "", ForgeKind.GITLAB),
        ("https://bitbucket.org/o/r", "", ForgeKind.BITBUCKET),
        ("https://codeberg.org/o/r", "", ForgeKind.GITEA),
        ("https://forgejo.example.org/o/r", "", ForgeKind.GITEA),
        ("https://gitea.example.org/o/r", "", ForgeKind.GITEA),
        ("https://git.example.org/o/r", "", ForgeKind.GITHUB),
        ("https://git.example.org/o/r", "gitlab", ForgeKind.GITLAB),
        ("https://git.example.org/o/r", "bitbucket", ForgeKind.BITBUCKET),
        ("https://git.example.org/o/r", "gitea", ForgeKind.GITEA),
    ],
)
def test_setting_tells_the_kind_only_where_the_host_does_not(
    remote: str, setting: str, kind: ForgeKind
) -> None:
    pages = from_remote(remote, setting)
    assert pages and pages.kind is kind


@pytest.mark.parametrize(
    ("kind", "commit", "compare", "file", "number", "new", "branch"),
    [
        (
            "github",
            f"commit/{OLD}",
            f"compare/{OLD}...{NEW}",
            f"blob/{OLD}/src/a%20b.py",
            "pull/12",
            "compare/release/1...promote/price-v2%26x%231?expand=1",
            "pulls?q=is%3Apr+head%3Apromote%2Fprice-v2%26x%231",
        ),
        (
            "gitlab",
            f"-/commit/{OLD}",
            f"-/compare/{OLD}...{NEW}",
            f"-/blob/{OLD}/src/a%20b.py",
            "-/merge_requests/12",
            "-/merge_requests/new?merge_request%5Bsource_branch%5D=promote%2Fprice-v2%26x%231"
            "&merge_request%5Btarget_branch%5D=release%2F1",
            "-/merge_requests?scope=all&state=all&source_branch=promote%2Fprice-v2%26x%231",
        ),
        (
            "bitbucket",
            f"commits/{OLD}",
            f"branches/compare/{NEW}..{OLD}",
            f"src/{OLD}/src/a%20b.py",
            "pull-requests/12",
            "pull-requests/new?source=promote%2Fprice-v2%26x%231&dest=release%2F1",
            "branch/promote/price-v2%26x%231",
        ),
        (
            "gitea",
            f"commit/{OLD}",
            f"compare/{OLD}...{NEW}",
            f"src/commit/{OLD}/src/a%20b.py",
            "pulls/12",
            "compare/release/1...promote/price-v2%26x%231",
            "branches?q=promote%2Fprice-v2%26x%231",
        ),
    ],
)
def test_every_page_of_every_kind(
    kind: str,
    commit: str,
    compare: str,
    file: str,
    number: str,
    new: str,
    branch: str,
) -> None:
    address = "https://git.example.org:8443/group/r"
    pages = from_remote(f"{address}.git", kind)
    assert pages
    assert [link.removeprefix(f"{address}/") for link in _links(pages)] == [
        commit, compare, compare, file, number, number, new, branch,
    ]  # fmt: skip


def test_a_repository_without_web_pages_has_no_links() -> None:
    assert set(_links(NO_FORGE)) == {""}


@pytest.mark.parametrize("text", ["", "HEAD", "--output=/x", "../x", "a" * 65, "A" * 40, "a" * 6])
def test_what_is_no_commit_is_not_linked(text: str) -> None:
    pages = from_remote("https://github.com/team/prices")
    assert pages and not is_commit(text)
    links = (pages.commit(text), pages.compare(OLD, text), pages.compare(text, NEW))
    assert [*links, pages.file(text, "x")] == [""] * 4


@pytest.mark.parametrize("number", ["", "12", "#", "#0", "#12/../x", "#1234567890", "#１２"])
def test_what_is_no_number_of_a_request_is_not_linked(number: str) -> None:
    pages = from_remote("https://github.com/team/prices")
    assert pages and pages.request(number) == ""


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("Merge pull request #12 from team/promote\n\nPromote Price", "#12"),
        ("Promote Price version 2 to Production (#13)\n\nWhy", "#13"),
        ("Merge branch 'promote' into 'main'\n\nPromote\n\nSee merge request group/prices!7", "!7"),
        ("Merged in promote/price (pull request #14)\n\nPromote Price", "#14"),
        ("Merge pull request 'Promote Price' (#15) from promote into main", "#15"),
        ("Fix #16 in passing", ""),
        ("", ""),
    ],
)
def test_request_number_is_read_from_merge_commits_of_every_kind(message: str, number: str) -> None:
    assert request_number(message) == number


def _links(pages: Forge) -> list[str]:
    pattern = pages.compare_pattern().replace("{old}", OLD).replace("{new}", NEW)
    return [
        pages.commit(OLD), pages.compare(OLD, NEW), pattern, pages.file(OLD, "src/a b.py"),
        pages.request("#12"), pages.request("!12"), pages.new_request("release/1", BRANCH),
        pages.requests(BRANCH),
    ]  # fmt: skip
