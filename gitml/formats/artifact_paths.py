"""Decide which artifact paths may be written to a folder. Pure.

Anybody may have written a manifest, and a path that is harmless on one system names a file of git
or DVC, a device or a stream on another: what is written or downloaded must be safe on all of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from gitml.errors import InvalidInput
from gitml.text import short_repr

_LONGEST_PATH = 4096  # bytes that file systems take
_LONGEST_PART = 255  # likewise, of each part
# Characters that HFS+ ignores in names, as git lists them.
_IGNORED = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
# NTFS has a second, short name for each file.
_GIT = frozenset({".git", "git~1"})
_DVC = frozenset({".dvc", "dvc~1", ".dvcignore", "dvcign~1"})
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\xb9\xb2\xb3]) *(?:[.:].*)?", re.DOTALL
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DRIVE = re.compile(r"[A-Za-z]:")
OUTSIDE = "is not a plain path inside the run's artifacts"
_EDGE = ". "  # Windows drops them from the end of a name


def is_inside(path: str) -> bool:
    """Return True if a path leads to a file below the folder it starts from, on a POSIX system."""
    escapes = any(part in ("", ".", "..") for part in path.split("/"))
    is_utf8 = not any("\ud800" <= char <= "\udfff" for char in path)
    return not escapes and is_utf8 and len(path) <= _LONGEST_PATH and not set(path) & {"\\", "\0"}


def fault(path: str) -> str | None:
    """Return why a path must not be written, None if every system takes it for a plain file."""
    if not is_inside(path):
        return OUTSIDE
    return next(filter(None, map(_part_fault, path.split("/"))), None)


def faults(paths: Iterable[str]) -> dict[str, str]:
    """Return the paths of one folder that must not be written, and why."""
    paths = list(paths)
    wrong = {path: reason for path in paths if (reason := fault(path))}
    return {**wrong, **_repositories(paths)}


def check(path: str) -> str:
    """Return a path unchanged if it may be written.

    Raises:
        InvalidInput: It leads elsewhere, or a part of it is special to git, DVC or a system.
    """
    reason = fault(path)
    if reason:
        raise refusal(path, reason)
    return path


def check_all(paths: Collection[str]) -> None:
    """Check the paths of one folder.

    Raises:
        InvalidInput: One must not be written.
    """
    for path, reason in sorted(faults(paths).items()):
        raise refusal(path, reason)


def refusal(path: str, reason: str) -> InvalidInput:
    """Return the error to raise for a path that must not be written."""
    return InvalidInput(
        f"Artifact path {short_repr(path, 200)} {reason}.",
        hint="Use names separated by '/', such as 'plots/roc.png'.",
    )


def renamed(path: str, others: Collection[str]) -> str:
    """Return a path that may be written in place of one inside that may not.

    Args:
        path: The path.
        others: Paths of the folder, of which it will be none.
    """
    parts = [_renamed(part) if _part_fault(part) else part for part in path.split("/")]
    if parts == path.split("/"):  # the folder as a whole is at fault
        parts[-1] = f"_{parts[-1]}"
    stem, number = "/".join(parts), 1
    name = stem
    while name in others or fault(name):
        number += 1
        name = f"{stem[:200]}-{number}"
    return name


def _renamed(part: str) -> str:
    plain = _CONTROL.sub("_", part.translate(_IGNORED)).rstrip(_EDGE).replace(":", "_")
    name = f"_{plain}" if _part_fault(plain or "_") or plain != part else plain
    while len(name.encode()) > _LONGEST_PART:
        name = name[:-1]
    return name


@lru_cache(maxsize=4096)  # a folder's files share most parts
def _part_fault(part: str) -> str | None:
    plain = part.translate(_IGNORED).casefold()
    stem = plain.partition(":")[0].rstrip(_EDGE)
    name = short_repr(part, 80)
    if not plain.strip(_EDGE):
        return f"has the part {name}, which is no name of a file"
    if stem in _GIT:
        return f"has the part {name}, which git takes for its own folder"
    if stem in _DVC:
        return f"has the part {name}, which DVC takes for its own"
    if _CONTROL.search(part):
        return f"has control characters in the part {name}"
    if part.endswith(tuple(_EDGE)):
        return f"has the part {name}, which ends in a dot or a space"
    if _DEVICE.fullmatch(plain):
        return f"has the part {name}, which is a device on Windows"
    if _DRIVE.match(part):
        return f"has the part {name}, which begins with a drive on Windows"
    if len(part.encode()) > _LONGEST_PART:
        return f"has the part {name} of more than {_LONGEST_PART} bytes"
    return None


def _repositories(paths: Collection[str]) -> dict[str, str]:
    """Return the files that would make git take their folder for a repository.

    It would follow the settings in the folder, which can name programs.
    """
    names = {path.translate(_IGNORED).casefold(): path for path in paths}
    heads = [name for name in names if name.rpartition("/")[2] == "head"]
    if not heads:
        return {}
    entries = {name[:end] for name in names for end, char in enumerate(f"{name}/") if char == "/"}
    wrong = {}
    for head in heads:
        folder = head.removesuffix("head")
        if f"{folder}commondir" in entries or {f"{folder}objects", f"{folder}refs"} <= entries:
            wrong[names[head]] = "makes its folder a git repository"
    return wrong
