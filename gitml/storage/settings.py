"""The settings of a remote that this machine has: credentials, endpoints, commands, key files.

They come from DVC's own files, but only from those that no branch brings: the system's and the
user's configuration, and ``.dvc/config.local`` of the work tree if git does not track it. Not from
``.dvc/config``, neither that of the records branch nor that of the code: a pull request may have
changed it.

A section with a URL is used for that address alone, whatever it is called; one without, if it is
called ``gitml``, for the address that the branch names. So a password never goes elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from gitml import files
from gitml.errors import InvalidInput, NotFound
from gitml.formats.dvc_config import REMOTE, SECTION
from gitml.git import GitRepo
from gitml.storage.address import Address

LOCAL = Path(".dvc", "config.local")


def machine_settings(git: GitRepo, address: Address, *, current: bool) -> dict[str, Any]:
    """Return this machine's settings for an address; an empty mapping if there are none.

    Args:
        git: The repository.
        address: The address.
        current: Whether the branch names it, not just one of its runs.
    """
    settings: dict[str, Any] = {}
    for sections in _levels(git):
        for name, section in sections.items():
            url = section.get("url")
            if url == address.url or (url is None and name == REMOTE and current):
                settings.update({key: value for key, value in section.items() if key != "url"})
    return settings


def foreign_settings(git: GitRepo, address: Address) -> list[str]:
    """Return the other URLs that this machine's sections called ``gitml`` are for."""
    sections = (level.get(REMOTE, {}) for level in _levels(git))
    return sorted({str(s["url"]) for s in sections if s.get("url") not in (None, address.url)})


def local_file(git: GitRepo) -> Path | None:
    """Return ``.dvc/config.local``, of a bare repository the one in it.

    Returns:
        None if a commit may have brought it.
    """
    file = (git.work_tree or git.git_dir) / LOCAL
    if file.is_symlink() or file.parent.is_symlink() or is_tracked(git):
        return None
    return file


def is_tracked(git: GitRepo) -> bool:
    """Return True if git tracks ``.dvc/config.local``, or ``.dvc`` as a link or a submodule."""
    if git.work_tree is None:
        return False
    out = git.run("ls-files", "-z", "--", f":(top,icase){LOCAL.parent}")
    names = {name.casefold() for name in os.fsdecode(out).split("\0")}
    return not names.isdisjoint({LOCAL.as_posix(), LOCAL.parent.as_posix()})


def write_setting(file: Path, address: Address, key: str, value: str | None) -> None:
    """Write a setting for an address into a file of DVC, or remove it.

    The section gets the address as its URL: DVC wants one, and ties the setting to it.

    Args:
        file: What `writable_local_file` or `global_file` returns.
        address: The address.
        key: A setting that `check_setting` accepts.
        value: Its value; None to remove it.

    Raises:
        InvalidInput: The file cannot be parsed, or cannot be written.
        NotFound: There is nothing to remove.
    """
    from configobj import ConfigObj, ConfigObjError

    try:
        lines = file.read_bytes().decode().splitlines() if file.exists() else []
        sections = ConfigObj(lines, interpolation=False, indent_type="    ")
        title = _title(sections, address)
        section = sections.setdefault(title, {})
        if value is None and key not in section:
            raise NotFound(f"{key} of '{address}' is not set in {file}.")
        section["url"] = address.url
        if value is None:
            del section[key]
        else:
            section[key] = value
        if set(section) == {"url"}:
            del sections[title]
        text = "".join(f"{line}\n" for line in sections.write())
    except (ConfigObjError, UnicodeDecodeError, AttributeError) as exc:
        raise InvalidInput(f"{file} cannot be parsed: {exc}.") from exc
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(file) as temporary:
            temporary.touch(mode=0o600, exist_ok=False)
            temporary.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise InvalidInput(f"{file} cannot be written: {exc.strerror or exc}.") from exc


def _title(sections: Mapping[str, Any], address: Address) -> str:
    """Return the section of an address: ``gitml``, unless that is another address's."""
    name = sha256(address.url.encode()).hexdigest()[:8]
    own = f'remote "{REMOTE}-{name}"'
    taken = sections.get(SECTION, {}).get("url") not in (None, address.url)
    return own if taken or own in sections else SECTION


def global_file() -> Path:
    """Return the user's own configuration of DVC, which all repositories share."""
    from dvc.config import Config

    folder: str = Config.get_dir("global")
    return Path(folder, "config")


def writable_local_file(git: GitRepo) -> Path:
    """Return ``.dvc/config.local``, once it is certain that git ignores it.

    Raises:
        InvalidInput: git tracks it, or does not ignore it.
    """
    file = local_file(git)
    if file is None:
        raise InvalidInput(
            f"git tracks {LOCAL}, or {LOCAL.parent} is a link, so gitml does not read it.",
            hint=f"Run `git rm --cached {LOCAL}`, or add --global.",
        )
    if git.work_tree and not _is_ignored(git):
        exclude = git.common_dir / "info" / "exclude"
        old = exclude.read_bytes() if exclude.exists() else b""
        files.replace(exclude, old + (b"\n" if old[-1:] not in (b"", b"\n") else b"")
                      + f"/{LOCAL.as_posix()}\n".encode())  # fmt: skip
        if not _is_ignored(git):
            raise InvalidInput(
                f"A .gitignore file lets git see {LOCAL}, which is to hold secrets.",
                hint="Correct it, or add --global.",
            )
    return file


def _is_ignored(git: GitRepo) -> bool:
    assert git.work_tree is not None
    path = str(git.work_tree / LOCAL)
    return bool(git.run("-C", str(git.work_tree), "check-ignore", "--", path, ok=(0, 1)))


def _levels(git: GitRepo) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Yield the remotes of each of DVC's files that count, the one that wins last.

    Raises:
        InvalidInput: One of the files cannot be parsed.
    """
    from configobj import ConfigObjError
    from dvc.config import Config, ConfigError

    file = local_file(git)
    try:
        reader = Config(local_dvc_dir=str(file.parent) if file else None, validate=False)
        for level in ("system", "global", "local"):
            if level in reader.files:
                yield reader.load_one(level)["remote"]
    except (ConfigError, ConfigObjError) as exc:
        raise InvalidInput(f"DVC's settings of this machine cannot be read: {exc}.") from exc
