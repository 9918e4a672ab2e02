"""Take secrets out of a patch. Pure.

A patch keeps its lines, so that its hunks stay valid. One that had a secret in an unchanged or a
removed line does not apply any more; its run says that values are missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise

from gitml import redaction

_PRIVATE = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pypirc", ".npmrc", ".htpasswd"),
    *(".git-credentials", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12"),
    *("*.pfx", "*.jks", "*.keystore", "*.kdbx", "kaggle.json", "credentials", "credentials.*"),
    *("secrets", "secrets.*", "*.secret", "*.secrets", "service-account*.json", "config.local"),
)
"""Names of files that hold secrets and nothing else."""
_EXAMPLES = ("*.example", "*.sample", "*.template", "*.dist", "*.py")
_SETTINGS = (
    *("*.yaml", "*.yml", "*.toml", "*.ini", "*.cfg", "*.conf", "*.properties", "*.tfvars", "*.sh"),
    *("*.bash", "*.env*", "Dockerfile*", "Makefile"),
)
"""Names of files in which a value needs no quotes."""
_FILE = re.compile(r"^diff --git ", re.MULTILINE)
_RENAMED = re.compile(r'^rename to "?(.+?)"?$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A patch without secrets.

    Attributes:
        data: The patch.
        values: How many lines lack a value.
        files: Files that are left out, since they hold nothing but secrets.
        changed: All files that the patch changed.
    """

    data: bytes
    values: int = 0
    files: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def redact(patch: bytes) -> Redacted:
    """Take out what looks like a secret, and files that hold nothing else."""
    whole = patch.decode("latin-1")  # every byte is a character, and comes back as it was
    bounds = sorted({0, len(whole), *(match.start() for match in _FILE.finditer(whole))})
    parts, hidden, files, changed = [], 0, [], []
    for start, end in pairwise(bounds):
        part = whole[start:end]
        path = _path(part).encode("latin-1").decode("utf-8", "replace")
        name = path.rpartition("/")[2]
        changed.append(path)
        if is_private(name):
            files.append(path)
            continue
        is_code = not any(fnmatch(name, pattern) for pattern in _SETTINGS)
        clean = redaction.text(part, is_code=is_code)
        if clean != part:
            lines = zip(part.split("\n"), clean.split("\n"), strict=True)
            hidden += sum(before != after for before, after in lines)
        parts.append(clean)
    data = "".join(parts).encode("latin-1")
    return Redacted(data=data, values=hidden, files=tuple(files), changed=tuple(changed))


def is_private(name: str) -> bool:
    """Return True if a file of this name holds secrets and nothing else."""
    return any(fnmatch(name, pattern) for pattern in _PRIVATE) and not any(
        fnmatch(name, pattern) for pattern in _EXAMPLES
    )


def _path(part: str) -> str:
    """Return the path of the file that one part of a patch changes."""
    renamed = _RENAMED.search(part)
    if renamed:
        return renamed[1]
    header = part.partition("\n")[0].removeprefix("diff --git ")
    if header.startswith('"'):
        return header.rpartition(' "b/')[2].rstrip('"')
    return header[len(header) // 2 + 3 :]  # "a/PATH b/PATH"
