"""Compare the properties of runs. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitml.formats.run_records import RunFiles
from gitml.tracking.client import NOTE_TAG

_INTERNAL = ("mlflow.", "gitml.")  # tags that repeat what stands elsewhere
_LEAD = 8  # characters before a difference that show where one is


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One property of several runs.

    Attributes:
        kind: ``attributes``, ``source``, ``environment``, ``datasets``, ``params``, ``metrics``
            or ``tags``.
        name: The property.
        values: One per run; None where a run lacks it.
        differs: Whether not all of them are the same.
    """

    kind: str
    name: str
    values: tuple[Any, ...]
    differs: bool


def compare(runs: Sequence[RunFiles]) -> list[Row]:
    """List every property of some runs, by kind and name."""
    rows = []
    for kind, read in _KINDS.items():
        properties = [read(run) for run in runs]
        for name in sorted({name for values in properties for name in values}):
            values = tuple(of_run.get(name) for of_run in properties)
            # As texts: NaN equals NaN, and 1 is not True.
            differs = len({repr(value) for value in values}) > 1
            rows.append(Row(kind=kind, name=name, values=values, differs=differs))
    return rows


def excerpts(values: Sequence[Any], room: int) -> tuple[Any, ...]:
    """Shorten long texts of one row to where they begin to differ.

    Args:
        values: One per run.
        room: Characters that each may have; what was left out shows as ``…``.
    """
    texts = [value for value in values if isinstance(value, str)]
    if all(len(text) <= room for text in texts):
        return tuple(values)
    first, last = min(texts), max(texts)  # what begins both, begins all
    pairs = enumerate(zip(first, last, strict=False))
    same = next((index for index, (a, b) in pairs if a != b), len(first)) if first != last else 0
    start = same - _LEAD if same > _LEAD else 0
    return tuple(_cut(value, start, room) if isinstance(value, str) else value for value in values)


def _cut(text: str, start: int, room: int) -> str:
    before = "…" if start else ""
    excerpt = text[start : start + room - len(before)]
    if start + len(excerpt) < len(text):
        excerpt = f"{excerpt[:-1]}…"
    return before + excerpt


def _attributes(files: RunFiles) -> Mapping[str, Any]:
    info = files.record.run.info
    return {
        "experiment_id": info.experiment_id,
        "run_name": info.run_name,
        "status": info.status,
        "user_id": info.user_id,
    }


def _source(files: RunFiles) -> Mapping[str, Any]:
    source = files.record.run.source
    values = {
        "branch": source.branch,
        "command": " ".join(source.command),
        "commit": source.commit,
        "name": source.name,
        "remote": source.remote,
        "uncommitted changes": _digest(files.patch) if source.dirty else None,
    }
    return {name: value for name, value in values.items() if value}


def _digest(patch: bytes) -> str:
    return f"patch {hashlib.sha256(patch).hexdigest()[:12]}" if patch else "yes"


def _environment(files: RunFiles) -> Mapping[str, Any]:
    lines = files.requirements.decode("utf-8", "replace").splitlines()
    packages = dict(line.split("==", 1) for line in lines if "==" in line)
    python = files.record.run.source.python
    return {**packages, **({"python": python} if python else {})}


def _datasets(files: RunFiles) -> Mapping[str, Any]:
    digests: dict[str, str] = {}
    for dataset in files.record.run.inputs.dataset_inputs:
        name = f"{dataset.name} ({dataset.context})" if dataset.context else dataset.name
        digests[name] = f"{digests[name]}, {dataset.digest}" if name in digests else dataset.digest
    return digests


def _tags(files: RunFiles) -> Mapping[str, Any]:
    tags = files.record.run.data.tags
    return {k: v for k, v in tags.items() if k == NOTE_TAG or not k.startswith(_INTERNAL)}


_KINDS: Mapping[str, Callable[[RunFiles], Mapping[str, Any]]] = {
    "attributes": _attributes,
    "params": lambda files: files.record.run.data.params,
    "metrics": lambda files: files.record.run.data.metrics,
    "tags": _tags,
    "datasets": _datasets,
    "source": _source,
    "environment": _environment,
}
