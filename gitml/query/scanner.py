"""Hides how texts in our small languages are taken apart, and how faults are located. Pure.

These are filters and gates. Both quote alike: keys in backticks or double quotes, texts in single
or double quotes where a doubled quote stands for one. Space behind a token belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitml.errors import InvalidInput

_SPACE = re.compile(r"\s*")
_KEY = re.compile(r'`([^`]+)`|"([^"]+)"')
_TEXT = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_SHOWN = 25  # characters of the text that a message quotes


class Scanner:
    """Reads one text from left to right.

    Args:
        text: The text.
        what: The word for it in messages, such as ``filter``.
        word: What a keyword has to match as a whole.
        hints: What to write instead, by signs that other languages have.

    Attributes:
        text: The text.
        at: Position of the next character, from 0.
    """

    def __init__(
        self, text: str, what: str, *, word: re.Pattern[str], hints: Mapping[str, str]
    ) -> None:
        self.text = text
        self.at = 0
        self._what, self._word, self._hints = what, word, hints
        self.space()

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def follows(self, sign: str) -> bool:
        """Tell whether the text goes on with a sign."""
        return self.text.startswith(sign, self.at)

    def space(self) -> None:
        """Step over space."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def skip(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Step over what a pattern matches here, and over the space behind it."""
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
            self.space()
        return found

    def sign(self, *signs: str) -> str | None:
        """Step over the first of some signs that is here."""
        for sign in signs:
            if self.follows(sign):
                self.at += len(sign)
                self.space()
                return sign
        return None

    def keyword(self, *words: str) -> str | None:
        """Step over one of some words, in any case; returns it as it is given here."""
        found = self._word.match(self.text, self.at)
        written = found[0].lower() if found else ""
        for word in words:
            if word.lower() == written:
                self.skip(self._word)
                return word
        return None

    def key(self, bare: re.Pattern[str]) -> str | None:
        """Read a key, quoted or as a pattern has it; the space behind it stays."""
        quoted = _KEY.match(self.text, self.at)
        found = quoted or bare.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return (found[1] or found[2]) if quoted else found[0]

    def quoted(self) -> str | None:
        """Read a quoted text."""
        found = self.skip(_TEXT)
        if found is None:
            return None
        if found[1] is not None:
            return found[1].replace("''", "'")
        return found[2].replace('""', '"')

    def wrong(self, expected: str, at: int | None = None, hint: str | None = None) -> InvalidInput:
        """Describe what is wrong, for raising.

        Args:
            expected: What could stand there.
            at: Where; default here.
            hint: What to write; default what ``hints`` has for the sign that is there.
        """
        at = self.at if at is None else at
        rest = self.text[at : at + _SHOWN].split("\n")[0].rstrip()
        if hint is None:
            hint = next((told for sign, told in self._hints.items() if rest.startswith(sign)), None)
        found = f"found {rest!r}" if rest else "but it ends there"
        return InvalidInput(
            f"The {self._what} cannot be read at character {at + 1}: expected {expected}, {found}.",
            hint=hint,
        )
