"""Web addresses of GitHub, GitLab, Bitbucket and Gitea: commits, comparisons, pull requests.

Pure: an address is made from a remote's URL, nothing is looked up. What comes from a repository may
become an ``https`` or ``http`` link and nothing else, and never shows a user name or password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_SCP = re.compile(r"(?:[^@/\s]+@)?(\[[^\]/@\s]+\]|[^@/:\s]+):(?!//|:)(.+)")
_SCHEMES = {"http", "https", "file", "ftp", "javascript", "data", "mailto"}  # no hosts
_PORTS = {"https": 443, "http": 80}
_SSH = ("ssh", "git+ssh", "ssh+git")
_SSH_HOSTS = {  # for networks that let only port 443 through
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
_REQUEST = re.compile(r"[#!]([1-9][0-9]{0,8})")
_MERGED = re.compile(
    r"^Merge pull request (#\d+)"  # GitHub
    r"|^Merge pull request .*\((#\d+)\) from "  # Gitea
    r"|^Merged in .*\(pull request (#\d+)\)"  # Bitbucket
    r"|See merge request \S*(!\d+)"  # GitLab
    r"|\((#\d+)\)\s*$",  # what was squashed
    re.MULTILINE,
)


class ForgeKind(StrEnum):
    """Whose web pages a forge has."""

    GITHUB = "github"
    GITLAB = "gitlab"
    BITBUCKET = "bitbucket"
    GITEA = "gitea"


_PUBLIC = {  # over https whatever the remote's URL says
    "github.com": ForgeKind.GITHUB,
    "gitlab.com": ForgeKind.GITLAB,
    "bitbucket.org": ForgeKind.BITBUCKET,
    "codeberg.org": ForgeKind.GITEA,
}
_NAMES = {  # in the name of a host
    "github": ForgeKind.GITHUB,
    "gitlab": ForgeKind.GITLAB,
    "bitbucket": ForgeKind.BITBUCKET,
    "gitea": ForgeKind.GITEA,
    "forgejo": ForgeKind.GITEA,
    "codeberg": ForgeKind.GITEA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paths:
    """Paths below a repository's address."""

    commit: str
    compare: str
    file: str
    request: str
    new_request: str
    requests: str


_PATHS = {
    ForgeKind.GITHUB: _Paths(
        commit="/commit/{commit}",
        compare="/compare/{old}...{new}",
        file="/blob/{commit}/{name}",
        request="/pull/{number}",
        new_request="/compare/{base}...{branch}?expand=1",
        requests="/pulls?q=is%3Apr+head%3A{value}",
    ),
    ForgeKind.GITLAB: _Paths(
        commit="/-/commit/{commit}",
        compare="/-/compare/{old}...{new}",
        file="/-/blob/{commit}/{name}",
        request="/-/merge_requests/{number}",
        new_request="/-/merge_requests/new?merge_request%5Bsource_branch%5D={value}"
        "&merge_request%5Btarget_branch%5D={base_value}",
        requests="/-/merge_requests?scope=all&state=all&source_branch={value}",
    ),
    ForgeKind.BITBUCKET: _Paths(
        commit="/commits/{commit}",
        compare="/branches/compare/{new}..{old}",
        file="/src/{commit}/{name}",
        request="/pull-requests/{number}",
        new_request="/pull-requests/new?source={value}&dest={base_value}",
        requests="/branch/{branch}",  # its page names its pull requests
    ),
    ForgeKind.GITEA: _Paths(
        commit="/commit/{commit}",
        compare="/compare/{old}...{new}",
        file="/src/commit/{commit}/{name}",
        request="/pulls/{number}",
        new_request="/compare/{base}...{branch}",
        requests="/branches?q={value}",  # the list names the pull request of each branch
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """Web pages of one repository; without an address every link is empty.

    Attributes:
        address: Address of the repository, such as ``https://github.com/team/prices``.
        kind: Whose pages they are.
    """

    address: str = ""
    kind: ForgeKind = ForgeKind.GITHUB

    def commit(self, commit: str | None) -> str:
        """Return the address of a commit; empty if that is not a commit id."""
        return self._page(_PATHS[self.kind].commit, commit=commit) if is_commit(commit) else ""

    def compare(self, old: str, new: str) -> str:
        """Return the address of what changed between two commits; empty if one is no commit id."""
        if not is_commit(old) or not is_commit(new):
            return ""
        return self._page(_PATHS[self.kind].compare, old=old, new=new)

    def compare_pattern(self) -> str:
        """Return the address of a comparison with ``{old}`` and ``{new}`` for the commits."""
        return f"{self.address}{_PATHS[self.kind].compare}" if self.address else ""

    def file(self, commit: str, path: str) -> str:
        """Return the address of a file as of a commit; empty if that is not a commit id.

        >>> Forge(address="https://gitlab.com/team/prices", kind=ForgeKind.GITLAB).file(
        ...     "0123456", "src/train model.py"
        ... )
        'https://gitlab.com/team/prices/-/blob/0123456/src/train%20model.py'
        """
        if not is_commit(commit):
            return ""
        return self._page(_PATHS[self.kind].file, commit=commit, name=_quoted(path))

    def request(self, number: str) -> str:
        """Return the address of a pull request, such as that of ``#12`` or ``!12``."""
        match = _REQUEST.fullmatch(number)
        return self._page(_PATHS[self.kind].request, number=match[1]) if match else ""

    def new_request(self, base: str, branch: str) -> str:
        """Return the address of the page on which a pull request is opened."""
        return self._page(
            _PATHS[self.kind].new_request,
            base=_quoted(base),
            base_value=_quoted(base, ""),
            branch=_quoted(branch),
            value=_quoted(branch, ""),
        )

    def requests(self, branch: str) -> str:
        """Return the address of the page that lists the pull requests of a branch."""
        path = _PATHS[self.kind].requests
        return self._page(path, branch=_quoted(branch), value=_quoted(branch, ""))

    def _page(self, path: str, **values: str | None) -> str:
        return f"{self.address}{path.format(**values)}" if self.address else ""


NO_FORGE = Forge()
"""Stands for a repository without web pages: its links are empty."""


@lru_cache(maxsize=64)
def from_remote(url: str, kind: str = "") -> Forge | None:
    """Find the web pages of a git remote; None for a folder, a ``file:`` URL or anything odd.

    Args:
        url: URL of the remote, in any form that git takes.
        kind: Kind of the forge (see ``ForgeKind``) where the host's name does not tell it;
            GitHub's if empty.

    >>> from_remote("git@gitlab.example.org:group/prices.git")
    Forge(address='https://gitlab.example.org/group/prices', kind=<ForgeKind.GITLAB: 'gitlab'>)
    >>> from_remote("http://user:secret@git.local:3000/team/prices", kind="gitea").commit("0123456")
    'http://git.local:3000/team/prices/commit/0123456'
    >>> from_remote("../prices.git")
    """
    try:
        parts = _split(url.strip())
        host = (parts.hostname or "").removesuffix(".")
        port = parts.port
    except ValueError:  # brackets or a port that are none
        return None
    host = f"[{host}]" if ":" in host else host
    path = _quoted(parts.path.strip("/").removesuffix(".git"), "/-._~%")
    if parts.scheme not in ("https", "http", "git", *_SSH) or not _HOST.fullmatch(host):
        return None
    if "/" not in path:  # on a forge a repository is somebody's
        return None
    if parts.scheme in _SSH:
        host = _SSH_HOSTS.get(host, host)
    web = parts.scheme in ("https", "http")
    scheme = "http" if parts.scheme == "http" and host not in _PUBLIC else "https"
    own_port = port and web and host not in _PUBLIC and port != _PORTS[scheme]
    suffix = f":{port}" if own_port else ""
    return Forge(address=f"{scheme}://{host}{suffix}/{path}", kind=_kind(host, kind))


def is_commit(text: str | None) -> bool:
    """Return True if a text is a commit id or the start of one: 7 to 64 lower-case hex digits."""
    return text is not None and _COMMIT.fullmatch(text) is not None


def request_number(message: str) -> str:
    r"""Return the pull request that a merge commit's message names; empty if it names none.

    >>> request_number("Merge pull request #12 from team/promote")
    '#12'
    >>> request_number("Merge branch 'promote'\n\nSee merge request team/prices!7")
    '!7'
    """
    match = _MERGED.search(message)
    return next(filter(None, match.groups()), "") if match else ""


def _split(url: str) -> SplitResult:
    """Split a URL, or what ``scp`` takes for one; a drive letter or a scheme is no host."""
    scp = _SCP.fullmatch(url)
    if scp and "://" not in url and len(scp[1]) > 1 and scp[1].lower() not in _SCHEMES:
        return urlsplit(f"ssh://{scp[1]}/{scp[2].lstrip('/')}")
    return urlsplit(url)


def _quoted(text: str, safe: str = "/") -> str:
    return quote(text, safe=safe, errors="replace")


def _kind(host: str, kind: str) -> ForgeKind:
    if host in _PUBLIC:
        return _PUBLIC[host]
    named = (value for name, value in _NAMES.items() if name in host)
    return next(named, None) or ForgeKind(kind or ForgeKind.GITHUB)
