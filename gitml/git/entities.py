"""Values of git: entries of trees, changes, refs, tags, people."""

from __future__ import annotations

from dataclasses import dataclass

ZERO = "0" * 40
"""Stands for "no object" where git wants an id."""
REGULAR = ("100644", "100755")  # modes of ordinary files


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One entry of a tree: octal mode, object type, object id, path below that tree."""

    mode: str
    type: str
    oid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that differs between two trees.

    Attributes:
        path: Path below the root.
        old: Id before, None where the path was absent.
        new: Id after, None where the path is absent.
        old_mode: Octal mode before, ``000000`` where the path was absent.
        new_mode: Octal mode after, likewise.
    """

    path: str
    old: str | None
    new: str | None
    old_mode: str = "100644"
    new_mode: str = "100644"

    @property
    def regular(self) -> bool:
        """True if the new entry is a file: no symbolic link, no submodule."""
        return self.new_mode in REGULAR


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """Move ``name`` from ``old`` to ``new``; None stands for "does not exist"."""

    name: str
    new: str | None
    old: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as ``git for-each-ref`` shows it.

    Attributes:
        name: Without ``refs/tags/``.
        oid: The tag object, or the target of a lightweight tag.
        target: Id of the commit it leads to.
        annotated: Whether it is an annotated tag on a commit.
        timestamp: Tagger time, s since the Unix epoch; 0 for a lightweight tag.
        user: Tagger name.
        email: Tagger e-mail.
        message: The whole message.
    """

    name: str
    oid: str
    target: str
    annotated: bool
    timestamp: int
    user: str
    email: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who commits."""

    name: str
    email: str

    def __str__(self) -> str:
        """Format as in a commit header."""
        return f"{self.name} <{self.email}>"
