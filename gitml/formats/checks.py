"""Check files of the branch and repair what can be derived from other files. Pure.

A file is checked against its JSON Schema (`schemas/`), by the reader that everything else uses, and
against the files it must agree with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitml.entities import Artifact, RunStatus
from gitml.errors import StoreError
from gitml.formats import (
    artifact_paths,
    canonical,
    dvc_config,
    manifest,
    metric_history,
    model_records,
    run_records,
    schemas,
)
from gitml.text import short_repr

RUN_FILES = frozenset({
    "run.json", "metrics.jsonl", "artifacts.json", "artifacts.dvc", ".dvc/config", "source.patch",
    "requirements.txt",
})  # fmt: skip
ROOT_FILES = frozenset({
    "README.md", ".dvc/config", ".dvcignore", ".github/workflows/gitml-records.yml",
    ".gitlab-ci.yml",
})  # fmt: skip
_EXPERIMENT = re.compile(r"experiments/([^/]+)\.json")
_LISTED = 3  # faults listed per file


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A problem with a file, a tag or a ref.

    Attributes:
        place: Path on the branch, name of a tag or ref, or file of this machine.
        reason: What is wrong with it.
        fix: What to do.
        repairable: True if ``gitml fsck --repair`` can fix it.
    """

    place: str
    reason: str
    fix: str
    repairable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCheck:
    """The result of checking a run's folder.

    Attributes:
        faults: What is wrong.
        repaired: Corrected content of files, by path on the branch.
        artifacts: The run's files; empty if they cannot be read.
        remote_config: Its ``.dvc/config``.
        open_since: Of a run that has not ended, when anything was written to it last, ms since the
            Unix epoch; else None.
    """

    faults: tuple[Fault, ...]
    repaired: Mapping[str, bytes]
    artifacts: tuple[Artifact, ...] = ()
    remote_config: bytes = b""
    open_since: int | None = None


def is_foreign(path: str) -> bool:
    """Return True if gitml never writes this path of the branch."""
    run = run_records.parse_run_path(path)
    if run:
        return run[2] not in RUN_FILES
    return not (
        path in ROOT_FILES or _EXPERIMENT.fullmatch(path) or model_records.parse_model_path(path)
    )


def check_run(folder: str, files: Mapping[str, bytes | StoreError]) -> RunCheck:
    """Check one run.

    Args:
        folder: Its folder on the branch.
        files: Content by path in the folder; the error if a file cannot be read.
    """
    check = _Run(folder, files)
    return RunCheck(
        faults=tuple(check.faults()),
        repaired=check.repaired,
        artifacts=check.artifacts,
        remote_config=check.config,
        open_since=check.open_since,
    )


class _Run:
    """The state of checking a run."""

    def __init__(self, folder: str, files: Mapping[str, bytes | StoreError]) -> None:
        self._folder, self._files = folder, files
        self.repaired: dict[str, bytes] = {}
        self.artifacts: tuple[Artifact, ...] = ()
        self.config = b""
        self.open_since: int | None = None

    def faults(self) -> Iterator[Fault]:
        for name, data in self._files.items():
            if isinstance(data, StoreError):
                yield self._fault(name, data.message)
        yield from self._record()
        yield from self._manifest()
        yield from self._config()

    def _data(self, name: str) -> bytes | None:
        data = self._files.get(name)
        return data if isinstance(data, bytes) else None

    def _fault(self, name: str, reason: str, *, repairable: bool = False) -> Fault:
        path = f"{self._folder}/{name}"
        return _fault(path, reason, repairable=repairable)

    def _record(self) -> Iterator[Fault]:
        if "run.json" not in self._files:
            yield self._fault("run.json", "is missing")
        data = self._data("run.json")
        if data is None:
            return
        path = f"{self._folder}/run.json"
        points = self._data("metrics.jsonl")
        if points is None and "metrics.jsonl" not in self._files:
            points = b""
        history = None
        if points is not None:
            try:
                history = metric_history.from_jsonl(points)
            except StoreError as error:
                yield self._fault("metrics.jsonl", error.message)
        reasons = list(_record_faults(path, data, "run", self._read_record))
        corrected = _corrected(data, history) if history is not None else None
        if corrected is None or not self._is_valid(corrected):
            yield from (_fault(path, reason) for reason in reasons)
        elif corrected != data and (reasons or self._differing(data, corrected)):
            self.repaired[path] = corrected
            fields = self._differing(data, corrected)
            reason = "its end_time is before its start_time"
            if fields != ["end_time"]:
                reason = "its metrics do not agree with metrics.jsonl"
            yield self._fault("run.json", reason, repairable=True)

    def _differing(self, data: bytes, corrected: bytes) -> list[str]:
        old, new = json.loads(data), json.loads(corrected)
        derived = ("metrics", "metric_stats", "end_time")
        return [key for key in derived if old.get(key) != new.get(key)]

    def _is_valid(self, data: bytes) -> bool:
        return not list(_record_faults("", data, "run", self._read_record))

    def _read_record(self, data: bytes, what: str) -> None:
        record = run_records.run_from_json(data, what)
        info, summaries = record.run.info, record.run.data.summaries.values()
        if not RunStatus.is_terminated(info.status):
            points = (summary.timestamp for summary in summaries)
            self.open_since = max(info.start_time, *record.written.values(), *points)
        if run_records.run_folder(info.experiment_id, info.run_id) != self._folder:
            raise StoreError(f"{what} holds run {info.run_id} of {info.experiment_id}.")

    def _manifest(self) -> Iterator[Fault]:
        data, out = self._data("artifacts.json"), self._data("artifacts.dvc")
        if data is None:
            if out is not None and "artifacts.json" not in self._files:
                yield self._fault("artifacts.json", "is missing although there is artifacts.dvc")
            return
        try:
            entries = tuple(manifest.parse(data))
        except StoreError as error:
            yield self._fault("artifacts.json", error.message)
            return
        yield from self._names(entries)
        expected = manifest.dvc_file(self.artifacts)
        if self.artifacts and out != expected:
            self.repaired[f"{self._folder}/artifacts.dvc"] = expected
            yield self._fault("artifacts.dvc", "does not match artifacts.json", repairable=True)

    def _names(self, entries: Sequence[Artifact]) -> Iterator[Fault]:
        """Check the paths of artifacts; the repaired manifest has others in place of some."""
        faults = artifact_paths.faults(entry.path for entry in entries)
        for path, reason in faults.items():
            name = f"artifact {short_repr(path, 200)} {reason}"
            yield self._fault("artifacts.json", name, repairable=True)
        self.artifacts = manifest.renamed(entries, faults)
        if faults:
            self.repaired[f"{self._folder}/artifacts.json"] = manifest.to_json(self.artifacts)

    def _config(self) -> Iterator[Fault]:
        config = self._data(".dvc/config")
        if config is None:
            if self.artifacts and ".dvc/config" not in self._files:
                yield self._fault(".dvc/config", "is missing, so the remote is unknown")
            return
        reason = config_fault(config)
        if reason:
            yield self._fault(".dvc/config", reason)
            return
        self.config = config
        ignored = ignored_settings(config)
        if ignored:
            self.repaired[f"{self._folder}/.dvc/config"] = address_alone(config)
            yield self._fault(".dvc/config", ignored, repairable=True)


def config_fault(config: bytes) -> str | None:
    """Return what is wrong with a ``.dvc/config``; None if it is valid."""
    try:
        url = dvc_config.remote_url(config)
    except StoreError as error:
        return error.message
    return None if url else f"names no remote {dvc_config.REMOTE!r}"


def ignored_settings(config: bytes) -> str | None:
    """Return what a valid ``.dvc/config`` says besides its address; None if there is nothing."""
    names = dvc_config.ignored_settings(config)
    return f"has {', '.join(names[:3])}, which gitml ignores and stock DVC obeys" if names else None


def address_alone(config: bytes) -> bytes:
    """Return a valid ``.dvc/config`` without all that gitml ignores."""
    return dvc_config.dvc_config(dvc_config.remote_url(config) or "")


def check_file(path: str, data: bytes) -> list[Fault]:
    """Check a file outside runs: an experiment, a model, a version, or ``.dvc/config``."""
    experiment, model = _EXPERIMENT.fullmatch(path), model_records.parse_model_path(path)
    if experiment:
        name, read = "experiment", _experiment_reader(experiment[1])
    elif model and model[1] is None:
        name, read = "model", _read_model
    elif model:
        name, read = "version", _version_reader(model[1])
    else:
        return _check_root_config(data) if path == ".dvc/config" else []
    return [_fault(path, reason) for reason in _record_faults(path, data, name, read)]


def _check_root_config(data: bytes) -> list[Fault]:
    reason = config_fault(data)
    ignored = None if reason else ignored_settings(data)
    if ignored:
        return [_fault(".dvc/config", ignored, repairable=True)]
    return [_fault(".dvc/config", reason)] if reason else []


Read = Callable[[bytes, str], None]
"""Raises StoreError if a record cannot be read; takes its content and its name for messages."""


def _read_model(data: bytes, what: str) -> None:
    model_records.model_from_json(data, what)


def _experiment_reader(identifier: str) -> Read:
    def read(data: bytes, what: str) -> None:
        content = run_records.experiment_from_json(data, what).experiment.experiment_id
        if content != identifier:
            raise StoreError(f"{what} holds experiment {content}.")

    return read


def _version_reader(number: int | None) -> Read:
    def read(data: bytes, what: str) -> None:
        content = model_records.version_from_json(data, what).version
        if content != number:
            raise StoreError(f"{what} holds version {content}.")

    return read


def check_version_commit(
    version_json: bytes, model_dvc: bytes | None, slug: str, number: int | None, slug_of: Slug
) -> list[str]:
    """Check the files of the version commit that a tag points to.

    Args:
        version_json: Its ``version.json``.
        model_dvc: Its ``model.dvc``.
        slug: The model in the tag.
        number: The version in the tag; None if the tag names none.
        slug_of: Returns the slug of a model's name.
    """
    reasons = list(_record_faults("", version_json, "version-commit", _read_version_file))
    if reasons:
        return reasons
    file = model_records.version_file_from_json(version_json)
    if slug_of(file.name) != slug or number not in (None, file.version):
        reasons.append(f"its commit holds version {file.version} of {file.name!r:.60}")
    if file.digest and dvc_digest(model_dvc or b"") != file.digest:
        reasons.append("model.dvc and version.json name different contents")
    return reasons


Slug = Callable[[str], str]


def _read_version_file(data: bytes, what: str) -> None:
    model_records.version_file_from_json(data, what)


def dvc_digest(data: bytes) -> str | None:
    """Read the hash of the only output of a DVC file; None if it has none."""
    hashes = manifest.out_hashes(data)
    return hashes[0] if len(hashes) == 1 else None


def _record_faults(path: str, data: bytes, name: str, read: Read) -> Iterator[str]:
    """Yield the faults of a record: those of its schema, or of its reader if there are none."""
    try:
        value: Any = canonical.load(data, "it")
    except StoreError as error:
        yield error.message
        return
    reasons = list(map(str, schemas.faults(value, name)))
    yield from reasons[:_LISTED]
    if len(reasons) > _LISTED:
        yield f"{len(reasons) - _LISTED} more fields are wrong"
    if not reasons:
        try:
            read(data, "it")
        except StoreError as error:
            yield error.message


def _corrected(data: bytes, history: Any) -> bytes | None:
    """Return a run's record with what can be derived; None if it is not a record.

    The metrics are those of its history, and it does not end before it starts.
    """
    try:
        value = canonical.load(data, "it")
        summaries = metric_history.summarize(history)
        value["metrics"] = {key: canonical.number_out(s.last) for key, s in summaries.items()}
        value["metric_stats"] = {key: run_records.stats_out(s) for key, s in summaries.items()}
        start, end = value.get("start_time"), value.get("end_time")
        if canonical.is_int64(start) and canonical.is_int64(end):
            value["end_time"] = max(start, end)
        return canonical.dump(value)
    except (StoreError, ValueError, RecursionError):
        return None


def _fault(path: str, reason: str, *, repairable: bool = False) -> Fault:
    fix = "gitml fsck --repair" if repairable else f"git log BRANCH -- {path}"
    return Fault(place=path, reason=reason.rstrip("."), fix=fix, repairable=repairable)
