"""Write down that problems of tags were looked at, so that they are not reported for ever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gitml import files
from gitml.errors import InvalidInput, NotFound
from gitml.registry.audit import acknowledged
from gitml.registry.audit.chain import TagFault
from gitml.registry.audit.signers import ACKNOWLEDGED
from gitml.registry.registry import Registry
from gitml.registry.verify import verify

_HEADER = (
    b"# Problems of registry tags that were looked at: ID TAG WHY. What is written on the default\n"
    b"# branch, `gitml registry verify` accepts; `gitml registry acknowledge` adds lines.\n"
)


def acknowledge(
    registry: Registry, tags: Sequence[str], reason: str
) -> tuple[Path, list[TagFault]]:
    """Add the problems of tags to ``registry/acknowledged`` of the work tree.

    They count as accepted once that file is on the default branch of the git remote.

    Args:
        registry: The registry.
        tags: Names of the tags.
        reason: Why they are accepted.

    Returns:
        The file, and the problems that are new in it.

    Raises:
        InvalidInput: There is no work tree, no reason, or a line of the file is not valid.
        NotFound: A tag has no problem.
    """
    root = registry.repo.work_tree
    if root is None:
        raise InvalidInput(
            "A bare repository has no files to write to.",
            hint="Run it in a clone with a work tree.",
        )
    if not reason.strip():
        raise InvalidInput("An acknowledgement needs a reason.", hint="Give it with -m WHY.")
    faults = verify(registry).faults
    missing = [tag for tag in tags if tag not in {fault.tag for fault in faults}]
    if missing:
        raise NotFound(
            f"`gitml registry verify` finds nothing wrong with {missing[0]!r:.120}.",
            hint=f"It names: {', '.join(dict.fromkeys(f.tag for f in faults)) or 'no tag'}.",
        )
    path = root / ACKNOWLEDGED
    data = path.read_bytes() if path.is_file() else _HEADER
    accepted = acknowledged.parse(data)
    added: dict[tuple[str, str], TagFault] = {}
    for fault in faults:
        key = fault.tag, fault.oid
        if fault.tag in tags and key not in accepted:
            added.setdefault(key, fault)
    lines = "".join(acknowledged.line(fault, reason) for fault in added.values())
    end = b"" if data.endswith(b"\n") or not data else b"\n"
    if added:
        files.replace(path, data + end + lines.encode())
    return path, list(added.values())
