"""Read and write the URL of the remote in ``.dvc/config``. Pure."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from gitml.errors import StoreError

REMOTE = "gitml"
SECTION = f'remote "{REMOTE}"'
_CLONE_FOLDER = "/gitml/remote"
_MOST_LINES, _LONGEST_LINE = 1_000, 1_000  # the parser's patterns take for ever on longer ones
_OWN = re.compile(rf'remote "{REMOTE}(-[0-9a-f]{{8}})?"')  # see gitml.storage.settings
_READ = {("core", "remote"), (SECTION, "url")}


def dvc_config(url: str) -> bytes:
    """Write a ``.dvc/config`` whose only remote is ``gitml``, with nothing but its URL.

    Args:
        url: Absolute path or URL.
    """
    config = _read(b"")
    config["core"] = {"remote": REMOTE}
    config[SECTION] = {"url": url}
    lines: list[str] = config.write()
    return "".join(f"{line}\n" for line in lines).encode()


@lru_cache(maxsize=256)
def remote_url(config: bytes) -> str | None:
    """Return the URL of the remote ``gitml`` in a ``.dvc/config``; None if it has none.

    Anybody may have pushed it: `gitml.storage.address.recorded` checks it.

    Raises:
        StoreError: It is not a DVC configuration.
    """
    section = _read(config).get(SECTION)
    url = section.get("url") if isinstance(section, dict) else None
    if not isinstance(url, str):
        return None
    if not url.isprintable() or {'"', "'"} <= set(url):  # nothing that could be written again
        raise StoreError("Cannot parse .dvc/config: its URL has characters that no URL has.")
    return url


def ignored_settings(config: bytes) -> list[str]:
    """Name the settings of a ``.dvc/config`` that gitml does not obey: all but the URL.

    Returns:
        Names as in ``dvc config``, such as ``remote.gitml.profile``; none where it cannot be
        parsed.
    """
    try:
        sections = _read(config)
    except StoreError:
        return []
    names = []
    for title, section in sections.items():
        name = title.replace(' "', ".", 1).rstrip('"')
        if not isinstance(section, dict):
            names.append(name)
            continue
        names += [f"{name}.{key}" for key in section if (title, key) not in _READ]
        if section.get("remote", REMOTE) != REMOTE and title == "core":
            names.append("core.remote")
    return names


def remote_urls(config: bytes, root: Path | None) -> list[str]:
    """Return the URLs of all remotes of a DVC project but gitml's own; folders absolute.

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
        is_remote = name.lstrip("'").startswith("remote ") and not _OWN.fullmatch(name)
        url = section.get("url") if is_remote else None
        if isinstance(url, str):
            inside = root is not None and "://" not in url
            urls.append(os.path.normpath(root / ".dvc" / url) if inside and root else url)
    return urls


def is_clone_folder(url: str) -> bool:
    """Return True if a URL is that of a default remote: a folder inside some clone's ``.git``."""
    return Path(url).is_absolute() and url.endswith(_CLONE_FOLDER)


def is_shared(config: bytes) -> bool:
    """Return True if a ``.dvc/config`` names a remote that is not some clone's default one."""
    try:
        url = remote_url(config)
    except StoreError:
        return False
    return url is not None and not is_clone_folder(url)


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
