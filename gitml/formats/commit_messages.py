"""Write the messages of commits on the branch: `git log gitml/runs` is the lab notebook."""

from __future__ import annotations

from urllib.parse import unquote

from gitml.entities import Run
from gitml.text import format_duration, format_number, single_line

_WIDTH = 72
_LISTED = 12  # metrics or params listed in a message


def commit_message(run: Run) -> str:
    """Return a subject, the run's numbers, and trailers for programs."""
    info = run.info
    name = single_line(info.run_name, 48) or "-"
    duration = f" in {format_duration(info.end_time - info.start_time)}" if info.end_time else ""
    subject = f"{name}: {info.status.lower()}{duration}"
    if info.lifecycle_stage == "deleted":
        subject = f"{name}: deleted"
    metrics = [
        f"{single_line(key, 40)} = {format_number(value)}"
        for key, value in sorted(run.data.metrics.items())
    ]
    params = [
        f"{single_line(key, 40)} = {single_line(value, 40)}"
        for key, value in sorted(run.data.params.items())
    ]
    trailers = [
        f"Experiment: {single_line(unquote(info.experiment_id), 60)}",
        f"Run: {info.run_id}",
        f"Status: {info.status}",
    ]
    if run.source.commit:
        branch = f" ({single_line(run.source.branch, 60)})" if run.source.branch else ""
        dirty = ", with uncommitted changes" if run.source.dirty else ""
        trailers.append(f"Code: {run.source.commit}{branch}{dirty}")
    if run.parent_run_id:
        trailers.append(f"Parent: {single_line(run.parent_run_id, 40)}")
    parts = [subject, _wrapped(metrics), _wrapped(params), "\n".join(trailers)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _wrapped(items: list[str]) -> str:
    """Lay items out in lines; the last one counts what was left out."""
    lines = [""]
    more = [f"and {len(items) - _LISTED} more"] if len(items) > _LISTED else []
    for item in items[:_LISTED] + more:
        joined = f"{lines[-1]}, {item}" if lines[-1] else item
        if len(joined) > _WIDTH:
            lines.append(item)
        else:
            lines[-1] = joined
    return "\n".join(line for line in lines if line)
