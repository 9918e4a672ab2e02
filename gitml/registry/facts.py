"""Hides where the facts about a version are: its run on the branch, its MLmodel in its commit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitml.entities import Dataset, Metric, ModelVersion, Run
from gitml.errors import StoreError
from gitml.formats import metric_history, run_records
from gitml.formats.model_records import VersionFile
from gitml.git import GitRepo
from gitml.query.gates import Facts, Value
from gitml.registry.tags.version_commit import version_file
from gitml.store.branch import Branch

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one version.

    Attributes:
        version: The version.
        file: Its ``version.json``; None where another tool registered it.
        run: The run that trained it; None where it is not recorded or cannot be read.
        signature: Its signature: ``inputs``, ``outputs``, ``params`` as JSON.
    """

    version: ModelVersion
    file: VersionFile | None = None
    run: Run | None = None
    signature: dict[str, str] = field(default_factory=dict)

    @property
    def code_commit(self) -> str:
        """Id of the commit that trained it; empty where it is not known."""
        commit = self.version.code_commit or ""
        return commit if _COMMIT.fullmatch(commit) else ""

    @property
    def facts(self) -> Facts:
        """What gates can ask."""
        return _facts(self.run, self.signature)


def _facts(run: Run | None, signature: Mapping[str, str]) -> Facts:
    if run is None:
        return {"signature": signature}
    source = run.source
    told: dict[str, Value | None] = {
        "branch": source.branch, "commit": source.commit, "dirty": source.dirty,
        "name": source.name, "python": source.python, "remote": source.remote,
        "type": source.type,
    }  # fmt: skip
    return {
        "metrics": run.data.metrics,
        "params": run.data.params,
        "tags": run.data.tags,
        "datasets": _digests(run.inputs.dataset_inputs),
        "evaluations": _digests(
            one for one in run.inputs.dataset_inputs
            if one.context and not one.context.lower().startswith("train")
        ),
        "source": {key: value for key, value in told.items() if value not in (None, "")},
        "signature": signature,
    }  # fmt: skip


def _digests(datasets: Iterable[Dataset]) -> dict[str, str]:
    """Digest of each data set; all of them where several share a name, so that none passes."""
    found: dict[str, list[str]] = {}
    for one in datasets:
        if one.digest not in found.setdefault(one.name, []):
            found[one.name].append(one.digest)
    return {name: ", ".join(sorted(digests)) for name, digests in found.items()}


def collect(repo: GitRepo, branch: Branch, version: ModelVersion) -> Evidence:
    """Collect what is known of a version."""
    return Evidence(
        version=version,
        file=version_file(repo, version.commit),
        run=_run(repo, branch, version),
        signature=_signature(repo.read(f"{version.commit}:MLmodel")),
    )


def curves(repo: GitRepo, branch: Branch, version: ModelVersion) -> tuple[Metric, ...]:
    """Read every point of every metric of a version's run; none where they cannot be read."""
    folder = folder_of(repo, branch, version)
    data = repo.read(f"{folder}/metrics.jsonl") if folder else None
    try:
        return metric_history.from_jsonl(data) if data else ()
    except StoreError:
        return ()


def _run(repo: GitRepo, branch: Branch, version: ModelVersion) -> Run | None:
    folder = folder_of(repo, branch, version)
    data = repo.read(f"{folder}/run.json") if folder else None
    return run_records.run_from_json(data, f"{folder}/run.json").run if data else None


def folder_of(repo: GitRepo, branch: Branch, version: ModelVersion) -> str | None:
    """Where a version's run is, as ``<rev>:<path>``: as of now, else as of its own history."""
    return next(_folders(repo, branch, version.run_id, version.commit), None)


def _folders(repo: GitRepo, branch: Branch, run_id: str, commit: str) -> Iterator[str]:
    """Find a run as of now, and as of the history of a version."""
    if not _RUN_ID.fullmatch(run_id):
        return
    for tip in (branch.tip(), f"{commit}^2", f"{commit}^1"):
        for entry in repo.tree(tip, "runs") if tip else []:
            folder = f"{tip}:{run_records.run_folder(entry.path, run_id)}"
            if repo.read(f"{folder}/run.json") is not None:
                yield folder


def values_ever(repo: GitRepo, branch: Branch, commit: str, kind: str, key: str) -> set[Value]:
    """Collect all values that a field of a version ever had, as far as records still tell.

    Args:
        repo: The repository.
        branch: Where the runs are recorded.
        commit: The version commit.
        kind: Kind of field, such as ``metrics``.
        key: Name of the metric, param, and so on.
    """
    file = version_file(repo, commit)
    if file is None:
        return set()
    signature = _signature(repo.read(f"{commit}:MLmodel"))
    found: set[Value] = set()
    for folder in _folders(repo, branch, file.run_id, commit):
        data = repo.read(f"{folder}/run.json") or b""
        run = run_records.run_from_json(data, f"{folder}/run.json").run
        value = _facts(run, signature).get(kind, {}).get(key)
        found |= {value} if value is not None else set()
        if kind == "metrics":
            data = repo.read(f"{folder}/metrics.jsonl") or b""
            found |= {p.value for p in metric_history.from_jsonl(data) if p.key == key}
    return found


def _signature(data: bytes | None) -> dict[str, str]:
    """Read the signature of an MLmodel file, which anybody may have written."""
    import yaml

    try:
        model: Any = yaml.safe_load(data or b"")
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    told = model.get("signature") if isinstance(model, dict) else None
    items = told.items() if isinstance(told, dict) else ()
    return {
        key: text if isinstance(text, str) else json.dumps(text, sort_keys=True, default=str)
        for key, text in items
        if text is not None and key in ("inputs", "outputs", "params")
    }
