"""Read and write the URL of the remote in ``.dvc/config``. Pure."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from gitml.errors import StoreError

REMOTE = "gitml"
_CLONE_FOLDER = re.compile(rb"url = .*/gitml/remote\s*$", re.MULTILINE)
_MOST_LINES, _LONGEST_LINE = 1_000, 1_000  # the parser's patterns take for ever on longer ones
_SECTION = f'remote "{REMOTE}"'


def dvc_config(url: str, previous: bytes = b"") -> bytes:
    """Write a ``.dvc/config`` whose default remote is ``gitml`` at a URL.

    Args:
        url: Absolute path or URL.
        previous: The file as it was; its other settings are kept.

    Raises:
        StoreError: ``previous`` is not a DVC configuration.
    """
    config = _read(previous)
    for section, key, value in (("core", "remote", REMOTE), (_SECTION, "url", url)):
        if not isinstance(config.setdefault(section, {}), dict):
            raise StoreError(f"Cannot parse .dvc/config: {section!r} is not a section.")
        config[section][key] = value
    lines: list[str] = config.write()
    return "".join(f"{line}\n" for line in lines).encode()


def remote_url(config: bytes) -> str | None:
    """Return the URL of the remote ``gitml`` in a ``.dvc/config``; None if it has none.

    Raises:
        StoreError: It is not a DVC configuration.
    """
    section = _read(config).get(_SECTION)
    url = section.get("url") if isinstance(section, dict) else None
    return url if isinstance(url, str) else None


def remote_urls(config: bytes, root: Path | None) -> list[str]:
    """Return the URLs of all remotes of a DVC project; folders absolute.

    Args:
        config: Its ``.dvc/config``; one that cannot be parsed has no remotes.
        root: The project's folder.
    """
    try:
        sections = _read(config)
    except StoreError:
        return []
    urls = []
    for name, section in sections.items():
        url = section.get("url") if name.lstrip("'").startswith("remote ") else None
        if isinstance(url, str):
            inside = root is not None and "://" not in url
            urls.append(os.path.normpath(root / ".dvc" / url) if inside and root else url)
    return urls


def names_clone_folder(config: bytes) -> bool:
    """Return True if the remote is the default one: a folder inside some clone's ``.git``."""
    return _CLONE_FOLDER.search(config) is not None


def _read(data: bytes) -> Any:
    # What DVC itself reads the file with.
    from configobj import ConfigObj, ConfigObjError

    try:
        lines = data.decode().splitlines()
        if len(lines) > _MOST_LINES or any(len(line) > _LONGEST_LINE for line in lines):
            raise StoreError("Cannot parse .dvc/config: it is too large.")
        return ConfigObj(lines, interpolation=False, indent_type="    ")
    except (UnicodeDecodeError, ConfigObjError) as exc:
        raise StoreError(f"Cannot parse .dvc/config: {str(exc).rstrip('.')}.") from exc
