"""Check and format the address of a remote. Pure."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from gitml.errors import InvalidInput
from gitml.formats.dvc_config import REMOTE

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
        path = unquote(url.removeprefix("file://")) if colon else url
        return os.path.normpath(folder.absolute() / Path(path).expanduser())
    if scheme not in PLUGINS:
        schemes = ", ".join(sorted(PLUGINS))
        raise InvalidInput(
            f"DVC does not support '{scheme}://' storage.", hint=f"Supported: {schemes}."
        )
    try:
        password = urlsplit(url).password
    except ValueError as error:
        raise InvalidInput(f"'{masked}' is not a valid address: {error}.") from error
    if password is not None:
        raise InvalidInput(
            f"'{masked}' holds a password, which would be stored in git for everyone to read.",
            hint=f"Leave it out, and run `dvc remote modify --local {REMOTE} password …`.",
        )
    return url


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
