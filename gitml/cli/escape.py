"""Hides how a text that anybody may have written is made harmless for a terminal. Pure."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"  # emoji and several scripts need them


def inert(text: str) -> str:
    r"""Write characters that steer a terminal, or reorder what is read, as escapes.

    Escape sequences, line breaks, bidirectional marks and unpaired surrogates become ``\x1b``,
    ``\n``, ``\u202e`` and the like; letters and emoji of any script stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    steers = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not steers or char in _JOINERS:
        return char
    return char.encode("unicode_escape").decode("ascii")
