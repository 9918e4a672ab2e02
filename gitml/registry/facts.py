"""Read the facts about a version: its run from the branch, its MLmodel from its commit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gitml.entities import Dataset, Metric, ModelVersion, Run
from gitml.errors import StoreError
from gitml.formats import metric_history, plain_yaml, run_records
from gitml.formats.model_records import VersionFile
from gitml.git import GitRepo
from gitml.query.gates import Facts, Value
from gitml.registry.tags.version_commit import version_file
from gitml.store.branch import Branch

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SOURCE_FIELDS = ("branch", "commit", "dirty", "name", "python", "remote", "type")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """Facts about one version.

    Attributes:
        version: The version.
        file: Its ``version.json``; None if another tool registered it.
        run: The run that trained it; None if it is not recorded.
        signature: The model's signature: ``inputs``, ``outputs``, ``params`` as JSON.
    """

    version: ModelVersion
    file: VersionFile | None = None
    run: Run | None = None
    signature: dict[str, str] = field(default_factory=dict)

    @property
    def code_commit(self) -> str:
        """Id of the commit that trained it; empty if it is not recorded."""
        commit = self.version.code_commit or ""
        return commit if _COMMIT.fullmatch(commit) else ""

    @property
    def gate_facts(self) -> Facts:
        """The values that gates can name."""
        return _gate_facts(self.run, self.signature)


class FactsReader:
    """Reads the facts about versions; each once for a tip of the branch.

    Args:
        repo: The repository.
        branch: Where the runs are recorded.
    """

    def __init__(self, repo: GitRepo, branch: Branch) -> None:
        self._repo = repo
        self._branch = branch
        self._facts: dict[tuple[str | None, str], VersionFacts] = {}

    def of(self, version: ModelVersion) -> VersionFacts:
        """Return the facts about a version.

        Raises:
            StoreError: The record of its run cannot be read.
        """
        key = self._branch.tip(), version.commit
        if key not in self._facts:
            self._facts[key] = collect(self._repo, self._branch, version)
        return replace(self._facts[key], version=version)


def _gate_facts(run: Run | None, signature: Mapping[str, str]) -> Facts:
    if run is None:
        return {"signature": signature}
    datasets = run.inputs.dataset_inputs
    source = {name: getattr(run.source, name) for name in _SOURCE_FIELDS}
    return {
        "metrics": run.data.metrics,
        "params": run.data.params,
        "tags": run.data.tags,
        "datasets": _digests(datasets),
        "evaluations": _digests(
            dataset for dataset in datasets
            if dataset.context and not dataset.context.lower().startswith("train")
        ),
        "source": {name: value for name, value in source.items() if value not in (None, "")},
        "signature": signature,
    }  # fmt: skip


def _digests(datasets: Iterable[Dataset]) -> dict[str, str]:
    """Return the digest of each dataset; joined if several share a name, so that none passes."""
    digests: dict[str, list[str]] = {}
    for dataset in datasets:
        if dataset.digest not in digests.setdefault(dataset.name, []):
            digests[dataset.name].append(dataset.digest)
    return {name: ", ".join(sorted(values)) for name, values in digests.items()}


def collect(repo: GitRepo, branch: Branch, version: ModelVersion) -> VersionFacts:
    """Read the facts about a version.

    Raises:
        StoreError: The record of its run cannot be read.
    """
    return VersionFacts(
        version=version,
        file=version_file(repo, version.commit),
        run=_run(repo, branch, version),
        signature=_signature(repo.read(f"{version.commit}:MLmodel")),
    )


def curves(repo: GitRepo, branch: Branch, version: ModelVersion) -> tuple[Metric, ...]:
    """Read every point of every metric of a version's run; empty if they cannot be read."""
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
    """Return the folder of a version's run as ``<rev>:<path>``: as of now, else of its commit."""
    return next(_folders(repo, branch, version.run_id, version.commit), None)


def _folders(repo: GitRepo, branch: Branch, run_id: str, commit: str) -> Iterator[str]:
    """Yield the folder of a run as of now, and as of the history of a version."""
    if not _RUN_ID.fullmatch(run_id):
        return
    for tip in (branch.tip(), f"{commit}^2", f"{commit}^1"):
        for entry in repo.tree(tip, "runs") if tip else []:
            folder = f"{tip}:{run_records.run_folder(entry.path, run_id)}"
            if repo.read(f"{folder}/run.json") is not None:
                yield folder


def values_ever(repo: GitRepo, branch: Branch, commit: str, kind: str, key: str) -> set[Value]:
    """Collect all values that a field of a version ever had, as far as they are recorded.

    Args:
        repo: The repository.
        branch: Where the runs are recorded.
        commit: The version commit.
        kind: Kind of field, such as ``metrics``.
        key: Name of the metric, param, and so on.

    Raises:
        StoreError: A record of its run cannot be read.
    """
    file = version_file(repo, commit)
    if file is None:
        return set()
    signature = _signature(repo.read(f"{commit}:MLmodel"))
    values: set[Value] = set()
    for folder in _folders(repo, branch, file.run_id, commit):
        data = repo.read(f"{folder}/run.json") or b""
        run = run_records.run_from_json(data, f"{folder}/run.json").run
        value = _gate_facts(run, signature).get(kind, {}).get(key)
        values |= {value} if value is not None else set()
        if kind == "metrics":
            data = repo.read(f"{folder}/metrics.jsonl") or b""
            values |= {p.value for p in metric_history.from_jsonl(data) if p.key == key}
    return values


def _signature(data: bytes | None) -> dict[str, str]:
    """Parse the signature of an MLmodel file, which anybody may have written."""
    try:
        model: Any = plain_yaml.load(data or b"", plain_yaml.MODEL)
    except plain_yaml.YamlFault:
        return {}
    signature = model.get("signature") if isinstance(model, dict) else None
    items = signature.items() if isinstance(signature, dict) else ()
    return {
        key: text if isinstance(text, str) else json.dumps(text, sort_keys=True, default=str)
        for key, text in items
        if text is not None and key in ("inputs", "outputs", "params")
    }
