"""Remove user names and passwords from URLs and texts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit


def without_credentials(url: str) -> str:
    """Return a URL without user name and password, any other text as it is."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc or parts.scheme == "ssh":
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def without_password(text: str) -> str:
    """Mask ``user:password@`` wherever it occurs in a text."""
    return re.sub(r"//[^/\s@]+@", "//", text)
