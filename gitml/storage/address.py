"""Check and format the address of a remote. Pure.

A remote can only be opened by an `Address`, and every `Address` is checked when it is made. What a
branch says becomes one in `recorded`, what a user types in `typed`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from gitml.errors import InvalidInput
from gitml.formats import dvc_config

PLUGINS = {
    "azure": "dvc-azure",
    "gdrive": "dvc-gdrive",
    "gs": "dvc-gs",
    "hdfs": "dvc-hdfs",
    "http": "dvc-http",
    "https": "dvc-http",
    "oss": "dvc-oss",
    "s3": "dvc-s3",
    "ssh": "dvc-ssh",
    "webdav": "dvc-webdav",
    "webdavs": "dvc-webdav",
    "webhdfs": "dvc-webhdfs",
}
_LOGINS = {"hdfs", "ssh", "webhdfs"}  # a user name in their URLs is no secret
_LONGEST = 900  # characters; the line in .dvc/config has to stay below 1,000
_EXPANDED = re.compile(r"%\(|\$[\w{(]")  # what DVC's parser, a shell or a library would replace


@dataclass(frozen=True, slots=True)
class Address:
    """Where a remote is: an absolute folder, or a URL of a kind that DVC knows.

    Attributes:
        url: The folder or URL.

    Raises:
        InvalidInput: It is neither, or could be taken for more than an address.
    """

    url: str

    def __post_init__(self) -> None:
        reason = _fault(self.url)
        if reason:
            raise InvalidInput(
                f"'{mask(self.url)[:200]}' is not a valid address of a remote: it {reason}.",
                hint="Give a folder or a URL, such as s3://bucket/path.",
            )

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine."""
        return "://" not in self.url

    @property
    def scheme(self) -> str:
        """The kind of storage, such as ``s3``; empty for a folder."""
        return self.url.partition("://")[0] if not self.is_folder else ""

    def __str__(self) -> str:
        """Show it without credentials."""
        return mask(self.url)


def recorded(config: bytes, *, default: Path) -> Address:
    """Return the address that a ``.dvc/config`` of a branch or of a tag names.

    This is the only way from there to a remote. Nothing else that the file says is obeyed.

    Args:
        config: The file, which anybody may have pushed.
        default: The remote of this clone that needs no set-up, ``gitml/remote`` in its ``.git``:
            the address if the file names none.

    Raises:
        StoreError: The file is not a DVC configuration.
        InvalidInput: What it names is not an address, or a folder inside this clone's ``.git``.
    """
    url = dvc_config.remote_url(config) or str(default)
    url = _folder_of(url) if url.startswith("file://") else url
    reason = _fault(url)
    if "://" not in url and url != str(default) and Path(url).is_relative_to(default.parent.parent):
        reason = "is a folder inside this clone's .git"
    if reason:
        raise InvalidInput(
            f"The records name '{mask(url)[:200]}' as the remote for artifacts, but it {reason}.",
            hint="Set another one with `gitml remote add NAME URL`.",
        )
    return Address(url)


def typed(text: str, folder: Path) -> Address:
    """Return the address that a user typed.

    Args:
        text: A URL or a folder.
        folder: What a relative path is relative to.

    Raises:
        InvalidInput: It is not the address of a DVC remote, or holds a password.
    """
    return Address(absolute_url(text, folder))


def absolute_url(url: str, folder: Path) -> str:
    """Return a remote's address in the form that is saved.

    Args:
        url: What the user typed.
        folder: What a relative path is relative to.

    Raises:
        InvalidInput: It is not the address of a DVC remote, or holds a password.
    """
    scheme, colon, _ = url.partition("://")
    masked = mask(url)
    if not url.strip() or not url.isprintable() or "%(" in url:
        raise InvalidInput(f"'{masked}' is not a valid address.", hint="Give a folder or a URL.")
    if not colon and re.match(r"[\w.-]+@[\w.-]+:", url):
        raise InvalidInput(
            f"'{masked}' is the address of a git repository, not of a DVC remote.",
            hint="Write ssh://user@host/path.",
        )
    if not colon or scheme == "file":
        path = _folder_of(url) if colon else url
        return os.path.normpath(folder.absolute() / Path(path).expanduser())
    if scheme not in PLUGINS:
        schemes = ", ".join(sorted(PLUGINS))
        raise InvalidInput(
            f"DVC does not support '{scheme}://' storage.", hint=f"Supported: {schemes}."
        )
    parts = _split(url)
    if parts is not None and parts.password is not None:
        raise InvalidInput(
            f"'{masked}' holds a password, which would be stored in git for everyone to read.",
            hint="Leave it out, and run `gitml remote set password`, which asks for it.",
        )
    return Address(url).url


def _folder_of(url: str) -> str:
    return unquote(url.removeprefix("file://"))


def _fault(url: str) -> str | None:
    """Return why a text is not an address; None if it is one."""
    if not url or url != url.strip() or not url.isprintable():
        return "is empty, or has spaces around it or characters that cannot be printed"
    if len(url) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if _EXPANDED.search(url):
        return "has a variable in it, which nobody replaces"
    scheme, colon, _ = url.partition("://")
    if not colon:
        if Path(url).is_absolute() and ".." not in Path(url).parts:
            return None
        return "is neither an absolute folder nor a URL"
    if scheme not in PLUGINS:
        return f"is of the kind '{scheme[:40]}://', which is not supported"
    return _fault_of_url(_split(url))


def _fault_of_url(parts: SplitResult | None) -> str | None:
    if parts is None or re.search(r"[\s\\]", parts.netloc):
        return "cannot be parsed as a URL"
    user, _, host = parts.netloc.rpartition("@")
    if not host:
        return "names no host or bucket"
    if host.startswith("-") or user.startswith("-"):
        return "names a host or a user that begins with '-'"
    if parts.password is not None:
        return "holds a password"
    if parts.query or parts.fragment:
        return "has options ('?' or '#')"
    return None


def _split(url: str) -> SplitResult | None:
    """Split a URL; None if it has brackets without an address, or a port that is no number."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
    except ValueError:
        return None
    return parts


def mask(url: str) -> str:
    """Hide the credentials of a URL: user and password, and the values of its query."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an address
        return f"{url.partition('://')[0]}://***"
    user, separator, host = parts.netloc.rpartition("@")
    secret = ":" in user or parts.scheme not in _LOGINS
    netloc = f"***@{host}" if separator and secret else parts.netloc
    query = re.sub(r"=[^&]*", "=***", parts.query)
    return urlunsplit(parts._replace(netloc=netloc, query=query))
