"""Judge recorded gates again by the values recorded with them. All pure."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from gitml.errors import InvalidInput
from gitml.query import gates
from gitml.query.gate_nodes import GateField, fields_of
from gitml.query.gates import Gate, Value
from gitml.registry.tags.detail import RecordedGate
from gitml.text import single_line

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
_TOLERANCE = 1e-3  # relative; the sentence is for people, other releases may round otherwise
_CUT = "…"  # ends a text that was too long to be recorded whole

_FieldValue = tuple[GateField, Value | None]


def field_values(gate: Gate, values: Mapping[str, Value | None]) -> Iterator[_FieldValue]:
    """Yield each field of a gate with its recorded value."""
    for node in fields_of(gate.node):
        yield node, values.get(gate.text[node.start : node.end])


def gate_problem(recorded: RecordedGate, approvals: int = 0) -> str:
    """Judge a recorded gate again.

    Args:
        recorded: The gate and its values.
        approvals: Number of people who approved, as the tag names them.

    Returns:
        What contradicts the record, in a sentence; empty if nothing does.
    """
    text, measured = recorded.gate, recorded.measured
    if text is None or measured is None or recorded.values is None:
        return "A gate is not recorded with its values."
    try:
        gate = gates.read(text)
    except InvalidInput as error:
        return f"The gate {text!r:.120} cannot be parsed: {error.message}"
    pairs = list(field_values(gate, recorded.values))
    if any(node.kind == "approvals" and value != approvals for node, value in pairs):
        return f"The gate {text!r:.120} was judged by other approvals than the tag names."
    for vacant in _vacant_stages(pairs):
        verdict = gates.judge(gate, *_facts(pairs, vacant))
        if _same_sentence(single_line(verdict.measured), measured):
            return _verdict_problem(recorded, verdict.holds, [value for _, value in pairs])
    return f"The gate {text!r:.120} is recorded as {measured!r:.120}, not with its values."


def _vacant_stages(pairs: Iterable[_FieldValue]) -> Iterator[tuple[str, ...]]:
    """Yield the sets of stages that may have been vacant: a missing value does not tell."""
    pairs = list(pairs)
    candidates = {node.stage for node, value in pairs if node.stage and value is None}
    candidates -= {node.stage for node, value in pairs if value is not None}
    for count in range(len(candidates), -1, -1):
        yield from itertools.combinations(sorted(candidates), count)


def _same_sentence(left: str, right: str) -> bool:
    (left_words, left_numbers), (right_words, right_numbers) = (
        (parts[::2], [float(number) for number in parts[1::2]])
        for parts in (_NUMBER.split(left), _NUMBER.split(right))
    )
    return left_words == right_words and all(
        math.isclose(a, b, rel_tol=_TOLERANCE)
        for a, b in zip(left_numbers, right_numbers, strict=True)
    )


def _verdict_problem(recorded: RecordedGate, holds: bool, values: Iterable[Value | None]) -> str:
    cut = any(isinstance(value, str) and value.endswith(_CUT) for value in values)
    waived = recorded.note.startswith("waived") and recorded.holds is True
    if recorded.holds is holds or cut or waived:
        return ""
    word = "holds" if recorded.holds else "fails"
    return f"The gate {recorded.gate!r:.120} is recorded as one that {word}: {recorded.measured}."


def _facts(
    pairs: Iterable[_FieldValue], vacant: Iterable[str]
) -> tuple[gates.Facts, dict[str, gates.Facts | None]]:
    """Return the facts of the candidate and of each live version, as far as values record them."""
    facts: dict[str, dict[str, dict[str, Value]]] = defaultdict(lambda: defaultdict(dict))
    for node, value in pairs:
        facts[node.stage]  # not vacant, even if it lacks the value
        if value is not None:
            facts[node.stage][node.kind][node.key] = value
    live: dict[str, gates.Facts | None] = {
        stage: of_stage for stage, of_stage in facts.items() if stage
    }
    return facts[""], {**live, **dict.fromkeys(vacant)}
