"""Parse what git prints when a remote refuses a push: which ref, by which rule, in whose words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitml.git.credentials import without_password
from gitml.text import single_line

_STATUS = re.compile(r"^!\t[^\t]*:([^\t:]+)\t\[[a-z ]+\] \((.*)\)$", re.MULTILINE)
_REMOTE = re.compile(r"^remote: ?(.*)$", re.MULTILINE)
_COMPANION = re.compile(r"atomic (?:push|transaction) fail")  # would be fine without the others
_RULE = re.compile(r"declin|prohibit|protect|den[iy]|refus|not allowed|checked out")
_NOISE = re.compile(r"^(?:error: hook declined to update |Resolving deltas|Processed \d)")
_LONGEST = 600  # characters of the remote's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a remote refuses.

    Attributes:
        ref: Full name of the ref.
        others: How many more it refuses for a reason of their own.
        reason: Why, as git says: a hook, or a setting of the remote.
        words: What the remote says to it, one line; may be empty.
    """

    ref: str
    others: int
    reason: str
    words: str

    @property
    def by_rule(self) -> bool:
        """Whether a rule of the remote refuses it, whatever its words are."""
        return _RULE.search(self.reason) is not None

    def __str__(self) -> str:
        """Format as the end of a sentence."""
        more = f" and {self.others} more" if self.others else ""
        words = f": {self.words.rstrip('.')}" if self.words else ""
        return f"{self.ref}{more} ({self.reason}){words}"


def parse(out: bytes, err: bytes) -> Refusal | None:
    """Parse the output of ``git push --porcelain``; None if no ref is refused for itself."""
    statuses = _STATUS.findall(out.decode("utf-8", "replace"))
    own = [(ref, reason) for ref, reason in statuses if not _COMPANION.search(reason)]
    if not own:
        return None
    text = without_password(err.decode("utf-8", "replace"))
    lines = (single_line(line) for line in _REMOTE.findall(text))
    words = "; ".join(line.rstrip(".") for line in lines if line and not _NOISE.search(line))
    ref, reason = own[0]
    return Refusal(ref=ref, others=len(own) - 1, reason=reason, words=single_line(words, _LONGEST))
