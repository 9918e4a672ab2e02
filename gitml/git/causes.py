"""Tell why git refused, by what it printed, and what to do about it.

git says precisely what is wrong; a race with another writer is only one of many causes.
"""

from __future__ import annotations

import re

from gitml.errors import StoreError
from gitml.git.processes import complaint

_RACE = re.compile(
    rb"Not updating|but expected|reference already exists|unable to resolve reference '[^']*'\s*$",
    re.MULTILINE,
)
_CONFLICT = re.compile(
    r"'(?:refs/(heads|tags)/)?([^']+)' exists; cannot create '(?:refs/(?:heads|tags)/)?([^']+)'"
)
_HINTS = (
    (r"No space left|Disk quota", "Free some space, then repeat the command; nothing is lost."),
    (r"Read-only file system|Permission denied|insufficient permission|unable to create temporary",
     "Check who owns the .git folder and may write there: `ls -ld .git .git/objects`."),
    (r"dubious ownership",
     "If you trust its owner, run `git config --global --add safe.directory FOLDER`."),
    (r"\.lock': File exists",
     "Another program writes there; if none does, remove the file that git names."),
    (r"bad config|bad (?:numeric|boolean)|unable to parse .* config",
     "Correct the file that git names."),
    (r"repo version|repository extension|unknown (?:option|switch|subcommand)|is not a git command"
     r"|unrecognized (?:option|argument)|^usage: git",
     "It needs another version of git; gitml needs 2.34 or newer, see `git --version`."),
    (r"reference broken|bad ref|broken ref|[Nn]ot a valid commit|[Nn]ot a commit|non-commit object",
     "The branch is damaged. `git reflog BRANCH` lists its former commits; "
     "`git update-ref refs/heads/BRANCH COMMIT` puts it back."),
    (r"inflate|corrupt|checksum|CRC|cannot unpack|unable to unpack|is empty|bad object|missing blob"
     r"|unable to read|could not read|did not read|Failed to read object|missing tree|bad tree",
     "Objects are damaged: `git fsck` names them; fetch them again from a remote or a backup."),
)  # fmt: skip


def is_race(err: bytes) -> bool:
    """Return True if git complains that a ref is not what it was a moment ago."""
    return bool(_RACE.search(err))


def names_conflict(err: bytes) -> bool:
    """Return True if git complains that a ref is in the way of another."""
    return bool(_CONFLICT.search(err.decode("utf-8", "replace")))


def refused(
    what: str, err: bytes, *, hint: str | None = None, elsewhere: bool = False
) -> StoreError:
    """Return the error for a command that git refused.

    Args:
        what: What was tried, the beginning of a sentence.
        err: What git printed.
        hint: What to do where git's words do not tell.
        elsewhere: True if it is perhaps another machine's git that complains.
    """
    text = err.decode("utf-8", "replace")
    conflict = _CONFLICT.search(text)
    if conflict:
        kind, existing, new = conflict.groups()
        side = " there" if elsewhere else ""
        advice = f"Rename it{side}: `git branch -m {existing} NEW`; or set `branch` in gitml.yaml."
        if kind == "tags":
            advice = f"Remove it{side} if nobody needs it: `git tag -d {existing}`."
        return StoreError(
            f"{what}: there is a {existing!r:.80}, and git cannot have {new!r:.80} beside it.",
            hint=advice,
        )
    if elsewhere:
        return StoreError(f"{what}: {complaint(err)}", hint=hint)
    hints = (advice for pattern, advice in _HINTS if re.search(pattern, text, re.MULTILINE))
    return StoreError(f"{what}: {complaint(err)}", hint=next(hints, hint))
