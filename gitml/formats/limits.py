"""Limits of what can be logged and of what is read: one table for writers and readers. Pure.

A writer refuses what exceeds a limit when it is logged; whatever was logged can be read. As many
as ``JOINED`` clones may each have logged that much to a run before their versions are joined, so
readers take that many times as much.
"""

from __future__ import annotations

from gitml.errors import TooLarge
from gitml.text import format_size

KEY = 250  # characters of the name of a param, metric or tag
NAME = 500  # characters of the name of a run or experiment
PARAM = 250_000  # characters of a value
TAG = 1_000_000  # characters of a value, also of a note or a description
RECORD = 8_000_000  # bytes of run.json and of every other JSON record
HISTORY = 100_000_000  # bytes of metrics.jsonl; git hosts refuse files of 100 MiB
MANIFEST = 100_000_000  # bytes of artifacts.json
JOURNAL = 400_000_000  # bytes of a journal: tags set again and again take room there only
UNTRACKED = 1_000_000  # bytes of a file in source.patch that git does not track
PATCH = 10_000_000  # bytes of source.patch; a larger one is data, not code

JOINED = 4
READ_RECORD = JOINED * RECORD  # bytes
READ_FILE = JOINED * max(HISTORY, MANIFEST, PATCH)  # bytes of any other file


def check_record(what: str, size: int, *, before: int = 0) -> None:
    """Refuse an edit that makes a JSON record too large.

    Args:
        what: What the record is of, such as ``Experiment 'house'``.
        size: Bytes after the edit.
        before: Bytes before: a record that is too large may still be made smaller.

    Raises:
        TooLarge: It would be too large.
    """
    if size > max(RECORD, before):
        raise TooLarge(
            f"{what} would take {format_size(size)} on the branch; the limit is "
            f"{format_size(RECORD)} for all its texts together.",
            hint="Log large texts as files, with `log_text` or `log_dict`.",
        )


def check_history(what: str, size: int, *, before: int = 0) -> None:
    """Refuse metric points for which there is no room.

    Args:
        what: What they belong to, such as ``Run 1f2e…``.
        size: Bytes of the history with them.
        before: Bytes of it before.

    Raises:
        TooLarge: It would be too large.
    """
    if size > max(HISTORY, before):
        raise TooLarge(
            f"{what} has no room for more metric points: its history takes at most "
            f"{format_size(HISTORY)}, because git hosts refuse larger files.",
            hint="Log every tenth step, or all of them as a file, with `log_table`.",
        )
