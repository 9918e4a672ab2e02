"""Hides how a review reads: Markdown for a pull request's comment, plain values for programs.

Whatever a repository's people can write stands in code spans: no markup, no mentions, no HTML.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitml.registry import hosting
from gitml.registry.admission import Admission
from gitml.registry.evidence import Evidence
from gitml.registry.gates import Verdict, shown
from gitml.registry.reviewing import Review, StageChange
from gitml.registry.tags import one_line

MARKER = "<!-- gitml:registry-report -->"
"""First line of the Markdown, by which a comment is found again and updated."""
_LONGEST = 160  # characters of one value
_MOST = 60  # rows of one table


# Plain values -----------------------------------------------------------------------------------


def summary(review: Review) -> dict[str, Any]:
    """Tell a review as values that JSON has."""
    return {
        "holds": review.holds,
        "base": review.base,
        "changes": [_change(change, review.address) for change in review.changes],
        "notes": list(review.notes),
    }


def _change(change: StageChange, address: str) -> dict[str, Any]:
    found = change.admission
    old = found.incumbent
    metrics = (_metrics(one) for one in (found.candidate, old))
    return {
        "model": change.model,
        "stage": change.stage.value,
        "version": found.candidate.version.version,
        "incumbent": old.version.version if old else None,
        "live": change.live,
        "holds": not found.failed,
        "gates": [_gate(verdict) for verdict in found.verdicts],
        "incumbent_forced": change.forced,
        "gates_added": list(change.gates_added),
        "gates_removed": list(change.gates_removed),
        "metrics": _compared(*metrics),
        "params_changed": _params(found),
        "code": _code(found, address),
        "candidate": _about(found.candidate),
        "incumbent_version": _about(old) if old else None,
    }


def _gate(verdict: Verdict) -> dict[str, Any]:
    return {
        "gate": verdict.gate,
        "measured": verdict.filled,
        "holds": verdict.holds,
        "pending": verdict.pending,
        "note": verdict.note,
        "values": dict(verdict.values),
    }


def _metrics(one: Evidence | None) -> Mapping[str, float]:
    return one.run.data.metrics if one and one.run else {}


def _compared(new: Mapping[str, float], old: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "metric": key,
            "candidate": new.get(key),
            "incumbent": old.get(key),
            "difference": new[key] - old[key] if key in new and key in old else None,
        }
        for key in sorted({*new, *old})
    ]


def _params(found: Admission) -> list[dict[str, Any]]:
    new, old = (
        one.run.data.params if one and one.run else {} for one in (found.candidate, found.incumbent)
    )
    return [
        {"param": key, "candidate": new.get(key), "incumbent": old.get(key)}
        for key in sorted({*new, *old})
        if new.get(key) != old.get(key)
    ]


def _code(found: Admission, address: str) -> dict[str, str]:
    new, old = (
        one.version.code_commit or "" if one else "" for one in (found.candidate, found.incumbent)
    )
    link = hosting.compare_url(address, old, new) if address and old and new and old != new else ""
    return {"candidate": new, "incumbent": old, "link": link}


def _about(one: Evidence) -> dict[str, Any]:
    run, file = one.run, one.file
    return {
        "version": one.version.version,
        "run_id": one.version.run_id,
        "run_name": run.info.run_name if run else "",
        "trained_by": run.info.user_id if run else "",
        "trained_at": run.info.start_time if run else None,
        "registered_by": one.version.user_id,
        "dirty": run.source.dirty if run else None,
        "size": file.size if file else None,
        "files": file.nfiles if file else None,
        "digest": one.version.digest,
        "datasets": [
            {"name": data.name, "digest": data.digest, "context": data.context}
            for data in (run.inputs.dataset_inputs if run else ())
        ],
    }


# Markdown ---------------------------------------------------------------------------------------


def markdown(review: Review) -> str:
    """Format a review as the comment of a pull request, its verdict first."""
    told = summary(review)
    parts = [MARKER, f"# Model registry: {_verdict(review)}"]
    for change in told["changes"]:
        parts += _section(change)
    if told["notes"]:
        parts += ["## Other changes", "\n".join(f"- {_code_span(note)}" for note in told["notes"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(review: Review) -> str:
    if not review.changes:
        return "no version changes its stage"
    failed = sum(len(change.admission.failed) for change in review.changes)
    if failed:
        return f"{failed} gate{'s fail' if failed > 1 else ' fails'} ❌"
    waiting = sum(len(change.admission.pending) for change in review.changes)
    if waiting:
        return f"{waiting} gate{'s wait' if waiting > 1 else ' waits'} for approval ⏳"
    if any(change.admission.verdicts for change in review.changes):
        return "all gates hold ✅"
    return "no gates are declared ⚠️"


def _section(change: Mapping[str, Any]) -> Iterable[str]:
    old = change["incumbent"]
    yield (
        f"## {_code_span(change['model'])} version {change['version']} → {change['stage']} "
        + (f"(now version {old})" if old else "(nothing is live there)")
    )
    if change["incumbent_forced"]:
        why = _code_span(change["incumbent_forced"])
        yield f"⚠️ Version {old} was forced past its gates: {why}"
    if change["live"]:
        yield "This version is live already."
    yield _table(
        ("gate", "measured", "", "note"),
        [
            (_code_span(gate["gate"]), _code_span(gate["measured"]), _mark(gate),
             _code_span(gate["note"]))
            for gate in change["gates"]
        ],
    )  # fmt: skip
    for word in ("added", "removed"):
        texts = change[f"gates_{word}"]
        if texts:
            listed = ", ".join(map(_code_span, texts))
            yield f"⚠️ This proposal also has gates {word}: {listed}"
    yield _table(("metric", "candidate", "incumbent", "difference"), _metric_rows(change))
    yield _table(
        ("param that changed", "candidate", "incumbent"),
        [
            (_code_span(one["param"]), _value(one["candidate"]), _value(one["incumbent"]))
            for one in change["params_changed"]
        ],
    )
    yield _table(("", "candidate", "incumbent"), _origin_rows(change))


def _mark(gate: Mapping[str, Any]) -> str:
    return "✅ holds" if gate["holds"] else "⏳ waits" if gate["pending"] else "❌ fails"


def _metric_rows(change: Mapping[str, Any]) -> list[Sequence[str]]:
    return [
        (_code_span(one["metric"]), _value(one["candidate"]), _value(one["incumbent"]),
         _difference(one))
        for one in change["metrics"]
    ]  # fmt: skip


def _difference(one: Mapping[str, Any]) -> str:
    if one["difference"] is None:
        return "–"
    percent = f" ({one['difference'] / abs(one['incumbent']):+.1%})" if one["incumbent"] else ""
    return f"{one['difference']:+.6g}{percent}"


def _origin_rows(change: Mapping[str, Any]) -> list[Sequence[str]]:
    new, old = change["candidate"], change["incumbent_version"]
    code = change["code"]
    between = f" ([compare]({code['link']}))" if code["link"] else ""
    rows = [
        ("run", *(_value(one and one["run_id"]) for one in (new, old))),
        ("trained by", *(_value(one and one["trained_by"]) for one in (new, old))),
        ("trained at", *(_time(one and one["trained_at"]) for one in (new, old))),
        ("code", _value(code["candidate"]) + between, _value(code["incumbent"])),
        ("uncommitted changes", *(_value(one and one["dirty"]) for one in (new, old))),
        ("size", *(_size(one) for one in (new, old))),
        ("model digest", *(_value(one and one["digest"]) for one in (new, old))),
        ("datasets", *(_datasets(one) for one in (new, old))),
    ]
    return [row for row in rows if set(row[1:]) != {"–"}]


def _datasets(one: Mapping[str, Any] | None) -> str:
    data = one["datasets"] if one else []
    return ", ".join(_code_span(f"{item['name']} {item['digest']}") for item in data) or "–"


def _size(one: Mapping[str, Any] | None) -> str:
    if not one or one["size"] is None:
        return "–"
    return f"{one['size']:,} bytes in {one['files']} file{'s' if one['files'] != 1 else ''}"


def _time(ms: int | None) -> str:
    if not ms:
        return "–"
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _value(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return _code_span(value if isinstance(value, str) else shown(value))


def _code_span(text: str) -> str:
    """A code span that holds any text, in a table too."""
    line = one_line(text)
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    if not line:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    padding = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{padding}{line}{padding}{fence}".replace("|", "\\|")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [titles, ["---"] * len(titles), *rows[:_MOST]]
    more = f"\n\n… and {len(rows) - _MOST} more rows." if len(rows) > _MOST else ""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + more
