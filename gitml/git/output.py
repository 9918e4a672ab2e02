"""Parse what git prints and what its objects hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitml.errors import StoreError
from gitml.git.entities import REGULAR, ZERO, Change, Tag, TreeEntry

TAG_FORMAT = (
    "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00"
    "%(taggerdate:unix)%00%(taggername)%00%(taggeremail:trim)%00%(contents)%00"
)
"""Format of ``git for-each-ref`` that ``tags`` parses."""
_TAG_FIELDS = 9


def text(raw: bytes) -> str:
    """Decode UTF-8, with a replacement character for what is not."""
    return raw.decode("utf-8", "replace")


def blobs(out: bytes, oids: Sequence[str]) -> Iterator[bytes]:
    """Iterate over the contents that ``git cat-file --batch`` printed.

    Raises:
        StoreError: One of the objects is missing.
    """
    view, position = memoryview(out), 0
    for oid in oids:
        end = out.index(b"\n", position)
        header = out[position:end].split()
        if header[-1] == b"missing":
            raise StoreError(f"Object {oid} is missing.", hint="Run `git fsck`.")
        size = int(header[2])
        yield bytes(view[end + 1 : end + 1 + size])
        position = end + 1 + size + 1


def sizes(out: bytes) -> list[tuple[str, int]]:
    """Parse ``git cat-file --batch-check``: type and size of each object, "missing" and 0."""
    headers = [line.split() for line in out.decode().splitlines()]
    return [(h[1], int(h[2])) if len(h) == 3 else ("missing", 0) for h in headers]


def files_in(tree: bytes, width: int) -> Iterator[tuple[str, str]]:
    """Iterate over names and ids of ordinary files in a tree object; ids have ``width`` bytes."""
    position = 0
    while position < len(tree):
        end = tree.index(b"\0", position)
        mode, _, name = tree[position:end].partition(b" ")
        position = end + 1 + width
        if mode.decode() in REGULAR:
            yield text(name), tree[end + 1 : position].hex()


def tree_entries(out: bytes) -> list[TreeEntry]:
    """Parse ``git ls-tree -z``."""
    entries = []
    for line in out.split(b"\0")[:-1]:
        meta, name = line.split(b"\t", 1)
        mode, kind, oid = meta.decode().split()
        entries.append(TreeEntry(mode=mode, type=kind, oid=oid, path=text(name)))
    return entries


def changes(out: bytes, *, exact: bool) -> list[Change]:
    """Parse ``git diff-tree -z --raw``; ``exact`` keeps bytes that are not UTF-8 as surrogates."""
    parts = out.split(b"\0")[:-1]
    parsed = []
    for meta, name in zip(parts[::2], parts[1::2], strict=True):
        old_mode, new_mode, old_oid, new_oid, _ = meta.decode().lstrip(":").split()
        parsed.append(
            Change(
                path=name.decode("utf-8", "surrogateescape") if exact else text(name),
                old=None if old_oid == ZERO else old_oid,
                new=None if new_oid == ZERO else new_oid,
                old_mode=old_mode,
                new_mode=new_mode,
            )
        )
    return parsed


def tags(out: bytes, under: str) -> list[Tag]:
    """Parse ``git for-each-ref`` in ``TAG_FORMAT``, with names below ``under``."""
    fields = text(out).split("\0")
    parsed = []
    for start in range(0, len(fields) - _TAG_FIELDS, _TAG_FIELDS):
        name, kind, oid, target_kind, target, when, user, email, message = fields[
            start : start + _TAG_FIELDS
        ]
        parsed.append(
            Tag(
                name=name.lstrip("\n").removeprefix(f"{under}/"),
                oid=oid,
                target=target or oid,
                annotated=kind == "tag" and target_kind == "commit" and when.isdigit(),
                timestamp=int(when) if when.isdigit() else 0,
                user=user,
                email=email,
                message=message,
            )
        )
    return parsed


def too_large(name: str, size: int, limit: int) -> StoreError:
    """Return the error for an object of more bytes than are read."""
    return StoreError(
        f"{name} has {size:,} bytes; gitml reads up to {limit:,}.",
        hint="Look at who pushed it: `git log --find-object=ID`.",
    )
