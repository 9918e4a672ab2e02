"""Keeps passwords out of what is shown or written."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit


def without_credentials(url: str) -> str:
    """Drop user name and password from a URL; other texts are returned as they are."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc or parts.scheme == "ssh":
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def without_password(text: str) -> str:
    """Mask ``user:password@`` wherever it stands in a text."""
    return re.sub(r"//[^/\s@]+@", "//", text)
