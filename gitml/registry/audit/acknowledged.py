"""Read which problems of tags were looked at and are accepted, as the reviewed code branch says.

``registry/acknowledged`` has one line for each: the id of the tag object, the tag, and why. It is
read from the default branch of the git remote, like the signers beside it: whoever may write one
there may write the other, so a line needs no signature of its own. An acknowledgement silences
``gitml registry verify`` on exactly that object; a tag that does not count goes on not to count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitml.errors import InvalidInput
from gitml.registry.audit.chain import TagFault
from gitml.registry.audit.signers import ACKNOWLEDGED, Policy
from gitml.registry.tags.grammar import parse as parse_tag
from gitml.text import single_line

_LINE = re.compile(r"(?P<oid>[0-9a-f]{40}(?:[0-9a-f]{24})?)[ \t]+(?P<tag>\S+)[ \t]+(?P<why>\S.*)")
_LONGEST = 1_000  # characters of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedFault:
    """A fault that was looked at, and why it is accepted."""

    fault: TagFault
    why: str


def parse(data: bytes) -> dict[tuple[str, str], str]:
    """Read the file: name and id of a tag to why it is accepted.

    Raises:
        InvalidInput: A line is not as it should be.
    """
    reasons: dict[tuple[str, str], str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None or parse_tag(match["tag"]) is None:
            raise InvalidInput(
                f"{ACKNOWLEDGED}, line {number}: {text!r:.80} is not `ID TAG WHY`.",
                hint="`gitml registry acknowledge TAG -m WHY` writes such lines.",
            )
        reasons[match["tag"], match["oid"]] = match["why"]
    return reasons


def line(fault: TagFault, why: str) -> str:
    """Write the line that accepts a fault."""
    return f"{fault.oid} {fault.tag} {single_line(why, _LONGEST)}\n"


def parted(
    faults: Iterable[TagFault], policy: Policy
) -> tuple[list[TagFault], list[AcknowledgedFault]]:
    """Part the faults that nobody accepted from those that somebody did.

    Raises:
        InvalidInput: The file of the policy is not as it should be.
    """
    reasons: Mapping[tuple[str, str], str] = parse(policy.acknowledged)
    unknown: list[TagFault] = []
    acknowledged: list[AcknowledgedFault] = []
    for fault in faults:
        why = reasons.get((fault.tag, fault.oid))
        if why is None:
            unknown.append(fault)
        else:
            acknowledged.append(AcknowledgedFault(fault=fault, why=why))
    return unknown, acknowledged
