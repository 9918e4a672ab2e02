"""Write edits of descriptions and tags as commit messages of the branch, and read them. Pure.

An edit is one commit: a line for people, an empty line, ``Edited: <field>`` and, where one was
given, ``Reason: <why>``. Whoever made the commit made the edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitml.entities import ModelEvent
from gitml.text import single_line

LOG_FORMAT = "%H%x00%ct%x00%cn%x00%ce%x00%B%x00"
"""How ``git log`` must write the commits that ``events`` reads."""
KIND = "edited"
_FIELDS = 5  # of LOG_FORMAT
_SUBJECT = re.compile(r"model [^:\n]+: ((?:version ([1-9][0-9]{0,8}) )?[^\n]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit of a model or a version.

    Attributes:
        field: ``description`` or ``tags.<key>``.
        done: What happened to it: ``changed``, ``set`` or ``removed``.
        reason: Why; empty where nobody said.
    """

    field: str
    done: str
    reason: str = ""


def message(slug: str, version: int | None, edit: Edit) -> str:
    """Write the commit message of an edit."""
    field = single_line(edit.field)
    which = f"version {version} " if version else ""
    message = f"model {slug}: {which}{field} {edit.done}\n\nEdited: {field}\n"
    reason = single_line(edit.reason)
    return f"{message}Reason: {reason}\n" if reason else message


def events(log: str, model: str) -> Iterator[ModelEvent]:
    """Read the edits of one model, newest first, from what ``git log`` wrote.

    Args:
        log: Commits in ``LOG_FORMAT``; those that are no edits are left out.
        model: The model's true name, for the events.
    """
    parts = log.split("\0")
    for start in range(0, len(parts) - _FIELDS, _FIELDS):
        commit, time, user, email, text = parts[start : start + _FIELDS]
        subject = _SUBJECT.match(text)
        edited = re.search(r"^Edited: (.+)$", text, re.MULTILINE)
        if not subject or not edited:
            continue
        reason = re.search(r"^Reason: (.+)$", text, re.MULTILINE)
        yield ModelEvent(
            model=model,
            kind=KIND,
            version=int(subject[2]) if subject[2] else None,
            value=edited[1],
            tag="",
            commit=commit.strip(),
            timestamp=int(time) * 1000 if time.isdecimal() else 0,
            user=user,
            email=email,
            message=f"{model} {subject[1]}",
            detail={"reason": reason[1]} if reason else {},
        )
