"""Scan filters and gates token by token, and locate errors in them. Pure.

Both languages quote alike: keys in backticks or double quotes, strings in single or double quotes,
where a doubled quote stands for one. Space after a token belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitml.errors import InvalidInput
from gitml.text import clip

_SPACE = re.compile(r"\s*")
_KEY = re.compile(r'`([^`]+)`|"([^"]+)"')
_TEXT = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_LONGEST_NAME = 40  # characters of a field that a message quotes
_EXCERPT = 25  # characters of the text that a message quotes


class Scanner:
    """Reads one text from left to right.

    Args:
        text: The text.
        what: What messages call it, such as ``filter``.
        word: Pattern of a whole keyword.
        hints: What to write instead of operators of other languages.

    Attributes:
        text: The text.
        position: Index of the next character.
    """

    def __init__(
        self, text: str, what: str, *, word: re.Pattern[str], hints: Mapping[str, str]
    ) -> None:
        self.text = text
        self.position = 0
        self._what, self._word, self._hints = what, word, hints
        self.space()

    @property
    def ended(self) -> bool:
        """True at the end of the text."""
        return self.position >= len(self.text)

    def follows(self, sign: str) -> bool:
        """Return True if the rest starts with a sign."""
        return self.text.startswith(sign, self.position)

    def space(self) -> None:
        """Skip space."""
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def skip(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Skip what a pattern matches, and the space after it; None if it does not match."""
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
            self.space()
        return match

    def sign(self, *signs: str) -> str | None:
        """Skip the first of the signs that follows, and return it."""
        for sign in signs:
            if self.follows(sign):
                self.position += len(sign)
                self.space()
                return sign
        return None

    def keyword(self, *words: str) -> str | None:
        """Skip one of the words, in any case, and return it as it is given."""
        match = self._word.match(self.text, self.position)
        next_word = match[0].lower() if match else ""
        for word in words:
            if word.lower() == next_word:
                self.skip(self._word)
                return word
        return None

    def key(self, bare: re.Pattern[str]) -> str | None:
        """Read a key, quoted or matching a pattern; the space after it is not skipped."""
        quoted = _KEY.match(self.text, self.position)
        match = quoted or bare.match(self.text, self.position)
        if not match:
            return None
        self.position = match.end()
        return (match[1] or match[2]) if quoted else match[0]

    def quoted(self) -> str | None:
        """Read a quoted string."""
        match = self.skip(_TEXT)
        if match is None:
            return None
        if match[1] is not None:
            return match[1].replace("''", "'")
        return match[2].replace('""', '"')

    def wrong(
        self, expected: str, position: int | None = None, hint: str | None = None
    ) -> InvalidInput:
        """Return the error for an unexpected token, to be raised.

        Args:
            expected: What is valid there.
            position: Where; default the next character.
            hint: What to write; default that of ``hints`` for the token.
        """
        position = self.position if position is None else position
        rest = self.text[position : position + _EXCERPT].split("\n")[0].rstrip()
        if hint is None:
            hint = next((hint for sign, hint in self._hints.items() if rest.startswith(sign)), None)
        actual = f"found {rest!r}" if rest else "but it ends there"
        return InvalidInput(
            f"Invalid {self._what} at character {position + 1}: expected {expected}, {actual}.",
            hint=hint,
        )

    def unknown(self, field: str, position: int, hint: str) -> InvalidInput:
        """Return the error for a field that does not exist, to be raised."""
        name = clip(field, _LONGEST_NAME)
        return InvalidInput(f"Unknown field {name!r} at character {position + 1}.", hint=hint)
