"""Format a review as Markdown for a pull request's comment.

Texts that people wrote stand in code spans: no markup, no mentions, no HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from gitml.query.gates import Verdict
from gitml.registry.promotion.comparison import (
    MetricComparison,
    VersionComparison,
    VersionOrigin,
    gate_word,
)
from gitml.registry.promotion.review import Review
from gitml.registry.tags.stage_history import StageEntry
from gitml.text import (
    format_apart,
    format_difference,
    format_number,
    format_size,
    format_time,
    plural,
    single_line,
)

MARKER = "<!-- gitml:registry-report -->"
"""First line of the Markdown, by which a comment is found again and updated."""
_MAX_VALUE = 160  # characters
_MAX_ROWS = 60  # of a table
_MARKS = {"holds": "✅", "waits": "⏳", "fails": "❌"}
_ARROWS = {"lower": "↓", "higher": "↑", None: ""}
_OUTCOMES = {"better": "🟢 better", "worse": "🔴 worse", "same": "same", None: ""}
_SOURCES = {"declared": "as declared", "gate": "as a gate says", "name": "by its name"}

_Row = Sequence[str]


def markdown(review: Review) -> str:
    """Format a review as the comment of a pull request, its verdict first."""
    parts = [MARKER, f"# Model registry: {verdict(review)}", *_rule_changes(review)]
    for change in review.changes:
        parts += _section(change)
    if review.notes:
        parts += ["## Other changes", "\n".join(f"- {_code_span(note)}" for note in review.notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(review: Review) -> str:
    """Format the verdict in a few words; a change of rules is part of it."""
    failed = sum(change.failed for change in review.changes)
    waiting = sum(change.waiting for change in review.changes)
    words = {
        "no change": "no version changes its stage",
        "fails": f"{failed} gate{'s fail' if failed > 1 else ' fails'} ❌",
        "waits": f"{waiting} gate{'s wait' if waiting > 1 else ' waits'} for approval ⏳",
        "holds": "all gates hold ✅",
        "no gates": "no gates are declared ⚠️",
    }[review.verdict]
    if not review.rule_changes:
        return words
    changed = "this pull request changes the rules" + (" that judge it" if review.changes else "")
    return f"{words}; {changed} ⚠️" if review.verdict in ("fails", "waits") else f"{changed} ⚠️"


def _rule_changes(review: Review) -> Iterator[str]:
    if not review.rule_changes:
        return
    judging = bool(review.changes)
    yield f"This pull request changes the rules{' that judge it' if judging else ''}:"
    lines = [
        f"- {_code_span(change.rule)}: {_code_span(change.old) or 'nothing'} → "
        f"{_code_span(change.new) or 'nothing'}"
        for change in review.rule_changes[:_MAX_ROWS]
    ]
    if len(review.rule_changes) > _MAX_ROWS:
        lines.append(f"- … and {len(review.rule_changes) - _MAX_ROWS} more")
    yield "\n".join(lines)
    if judging:
        yield "The rules of the base judge it as well, here and when it is applied."


def _section(change: VersionComparison) -> Iterator[str]:
    yield (
        f"## {_code_span(change.model)} version {change.version} → {change.stage} "
        + (f"(now version {change.incumbent})" if change.incumbent else "(nothing is live there)")
    )
    yield from _warnings(change)
    gates = [(_code_span(g.gate), _code_span(g.measured), _mark(g), _code_span(g.note))
             for g in change.gates]  # fmt: skip
    yield _table(("gate", "measured", "", "note"), gates)
    if change.approved_by:
        yield f"Approved by {', '.join(map(_code_span, change.approved_by))}."
    rows = list(map(_metric_row, change.metrics))
    yield _table(("metric", "candidate", "incumbent", "difference", ""), rows)
    yield _legend(change)
    params = [(_code_span(row.param), _value(row.candidate), _value(row.incumbent))
              for row in change.params_changed]  # fmt: skip
    yield _table(("param that changed", "candidate", "incumbent"), params)
    data = [(_code_span(f"{row.name} ({row.context})" if row.context else row.name),
             _value(row.candidate), _value(row.incumbent), row.change)
            for row in change.datasets]  # fmt: skip
    yield _table(("dataset", "candidate", "incumbent", ""), data)
    yield _table(("", "candidate", "incumbent"), list(_origin_rows(change)))
    yield from _folded(change)


def _warnings(change: VersionComparison) -> Iterator[str]:
    if change.incumbent_forced:
        why = _code_span(change.incumbent_forced)
        yield f"⚠️ Version {change.incumbent} was forced past its gates: {why}"
    if change.live:
        yield "This version is live already."
    for word, texts in (("added", change.gates_added), ("removed", change.gates_removed)):
        if texts:
            listed = ", ".join(map(_code_span, texts))
            yield f"⚠️ This proposal also has gates {word}: {listed}"


def _mark(gate: Verdict) -> str:
    word = gate_word(gate)
    return f"{_MARKS[word]} {word}"


def _metric_row(row: MetricComparison) -> _Row:
    name = f"{_code_span(row.metric)} {_ARROWS[row.better]}".rstrip()
    outcome = _OUTCOMES[row.outcome]
    values = (row.candidate, row.incumbent)
    numbers = [value for value in values if value is not None]
    texts = dict(zip(numbers, format_apart(numbers), strict=True))
    candidate, incumbent = (_value(None if v is None else texts[v]) for v in values)
    return name, candidate, incumbent, difference(row), outcome


def difference(row: MetricComparison) -> str:
    """Format a metric's difference, absolute and relative."""
    if row.difference is None:
        return "–"
    percent = f" ({row.relative:+.1%})" if row.relative is not None else ""
    return f"{format_difference(row.difference)}{percent}"


def _legend(change: VersionComparison) -> str:
    """Format which direction of which metrics is better, and how that is known."""
    groups = (
        f"{_ARROWS[better]} {better} is better, {_SOURCES[source]}: "
        f"{', '.join(map(_code_span, metrics))}"
        for better, source, metrics in change.directions(_MAX_ROWS)
    )
    return "; ".join(groups)


def _origin_rows(change: VersionComparison) -> Iterable[_Row]:
    new, old, code = change.candidate, change.incumbent_version, change.code
    link = f" ([compare]({code.link}))" if code.link else ""

    def both(cell: Callable[[VersionOrigin], str]) -> _Row:
        return cell(new), cell(old) if old else "–"

    rows = [
        ("run", *both(lambda row: _value(row.run_id))),
        ("trained by", *both(lambda row: _value(row.trained_by))),
        ("trained at", *both(lambda row: _time(row.trained_at))),
        ("registered by", *both(lambda row: _value(row.registered_by))),
        ("code", _value(code.candidate) + link, _value(code.incumbent)),
        ("uncommitted changes", *both(lambda row: _value(row.dirty))),
        ("size", _size(new) + _grown(change.size_difference), _size(old) if old else "–"),
        ("model digest", *both(lambda row: _value(row.digest))),
    ]
    return (row for row in rows if set(row[1:]) != {"–"})


def _folded(change: VersionComparison) -> Iterator[str]:
    """What is read by few: commits between the two, and what was in the stage before."""
    code = change.code
    if code.commits:
        lines = [f"- {_code_span(subject)}" for subject in code.subjects]
        if code.commits > len(code.subjects):
            lines.append(f"- … and {code.commits - len(code.subjects)} more")
        title = f"{code.commits} commit{'s' if code.commits > 1 else ''} between the two"
        yield _details(title, "\n".join(lines))
    if change.history:
        titles = ("version", "since", "by", "why")
        table = _table(titles, list(map(_history_row, change.history)))
        yield _details(f"History of {change.stage}", table)


def _history_row(row: StageEntry) -> _Row:
    why = f"⚠️ forced: {_code_span(row.reason)}" if row.forced else _code_span(row.reason)
    return f"{row.version}", _time(row.timestamp), _code_span(row.people), why


def _details(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _size(row: VersionOrigin) -> str:
    if row.size is None or row.files is None:
        return "–"
    return f"{format_size(row.size)} in {plural(row.files, 'file')}"


def _grown(count: int | None) -> str:
    return f" ({'-' if count < 0 else '+'}{format_size(abs(count))})" if count else ""


def _time(ms: int | None) -> str:
    return f"{format_time(ms)} UTC" if ms else "–"


def _value(value: float | str | bool | None) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _code_span(str(value).lower())
    return _code_span(value if isinstance(value, str) else format_number(value))


def _code_span(text: str) -> str:
    """A code span that holds any text, in a table too."""
    line = single_line(text, _MAX_VALUE)
    if not line:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    padding = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{padding}{line}{padding}{fence}".replace("|", "\\|")


def _table(titles: _Row, rows: Sequence[_Row]) -> str:
    if not rows:
        return ""
    lines = [titles, ["---"] * len(titles), *rows[:_MAX_ROWS]]
    more = f"\n\n… and {len(rows) - _MAX_ROWS} more rows." if len(rows) > _MAX_ROWS else ""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + more
