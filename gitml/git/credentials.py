"""Remove user names and passwords from URLs and texts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit


def without_credentials(url: str) -> str:
    """Return a URL without user name and password, any other text as it is.

    The user name of ssh is no secret, and needed.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an address
        return without_password(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    login, _, host = parts.netloc.rpartition("@")
    user = f"{login.partition(':')[0]}@" if parts.scheme in ("ssh", "git+ssh") else ""
    return urlunsplit(parts._replace(netloc=user + host))


def without_password(text: str) -> str:
    """Mask ``user:password@`` wherever it occurs in a text."""
    return re.sub(r"//[^/\s@]+@", "//", text)
