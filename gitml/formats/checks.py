"""Hides what a sound record is: files of the branch in, faults and repaired files out. All pure.

A file is held against its JSON Schema (`schemas/`) and against the reader that everybody uses, then
against the files it must agree with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitml.entities import Artifact
from gitml.errors import StoreError
from gitml.formats import (
    canonical,
    dvc_config,
    manifest,
    metric_history,
    model_records,
    run_records,
    schemas,
)

RUN_FILES = frozenset({
    "run.json", "metrics.jsonl", "artifacts.json", "artifacts.dvc", ".dvc/config", "source.patch",
    "requirements.txt",
})  # fmt: skip
ROOT_FILES = frozenset({
    "README.md", ".dvc/config", ".dvcignore", ".github/workflows/gitml-records.yml",
    ".gitlab-ci.yml",
})  # fmt: skip
_EXPERIMENT = re.compile(r"experiments/([^/]+)\.json")
_SHOWN = 3  # faults told of one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is wrong.

    Attributes:
        place: Path on the branch, name of a tag or ref, or file of this machine.
        reason: What is wrong with it.
        fix: What to do.
        repairable: Whether ``gitml fsck --repair`` can make it good from what is there.
    """

    place: str
    reason: str
    fix: str
    repairable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCheck:
    """What was found in one run's folder.

    Attributes:
        faults: What is wrong.
        repaired: Files that would be right, by path on the branch.
        artifacts: The run's files; empty where they cannot be known.
        remote_config: Its ``.dvc/config``.
    """

    faults: tuple[Fault, ...]
    repaired: Mapping[str, bytes]
    artifacts: tuple[Artifact, ...] = ()
    remote_config: bytes = b""


def is_foreign(path: str) -> bool:
    """Tell whether a path of the branch is none that gitml writes."""
    run = run_records.parse_run_path(path)
    if run:
        return run[2] not in RUN_FILES
    known = (
        path in ROOT_FILES or _EXPERIMENT.fullmatch(path) or model_records.parse_model_path(path)
    )
    return not known


def check_run(where: str, files: Mapping[str, bytes | StoreError]) -> RunCheck:
    """Check one run.

    Args:
        where: Its folder on the branch.
        files: Its files by their path in the folder; the error of one that cannot be read.
    """
    check = _Run(where, files)
    return RunCheck(
        faults=tuple(check.faults()),
        repaired=check.repaired,
        artifacts=check.artifacts,
        remote_config=check.config,
    )


class _Run:
    """The middle of checking a run: what was understood so far."""

    def __init__(self, where: str, files: Mapping[str, bytes | StoreError]) -> None:
        self._where, self._files = where, files
        self.repaired: dict[str, bytes] = {}
        self.artifacts: tuple[Artifact, ...] = ()
        self.config = b""

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
        path = f"{self._where}/{name}"
        return _fault(path, reason, repairable=repairable)

    def _record(self) -> Iterator[Fault]:
        if "run.json" not in self._files:
            yield self._fault("run.json", "is missing")
        data = self._data("run.json")
        if data is None:
            return
        path = f"{self._where}/run.json"
        points = self._data("metrics.jsonl")
        if points is None and "metrics.jsonl" not in self._files:
            points = b""
        history = None
        if points is not None:
            try:
                history = metric_history.from_jsonl(points)
            except StoreError as error:
                yield self._fault("metrics.jsonl", error.message)
        told = list(_record_faults(path, data, "run", self._read_record))
        right = _with_summaries(data, history) if history is not None else None
        if right is None or not self._reads(right):
            yield from (_fault(path, reason) for reason in told)
        elif right != data and (told or self._differs(data, right)):
            self.repaired[path] = right
            reason = "its metrics do not agree with metrics.jsonl"
            yield self._fault("run.json", reason, repairable=True)

    def _differs(self, data: bytes, right: bytes) -> bool:
        one, other = json.loads(data), json.loads(right)
        return any(one.get(key) != other[key] for key in ("metrics", "metric_stats"))

    def _reads(self, data: bytes) -> bool:
        return not list(_record_faults("", data, "run", self._read_record))

    def _read_record(self, data: bytes, what: str) -> None:
        info = run_records.run_from_json(data, what).run.info
        if run_records.run_folder(info.experiment_id, info.run_id) != self._where:
            raise StoreError(f"{what} holds run {info.run_id} of {info.experiment_id}.")

    def _manifest(self) -> Iterator[Fault]:
        listed, out = self._data("artifacts.json"), self._data("artifacts.dvc")
        if listed is None:
            if out is not None and "artifacts.json" not in self._files:
                yield self._fault("artifacts.json", "is missing, and artifacts.dvc is there")
            return
        try:
            self.artifacts = tuple(manifest.parse(listed))
        except StoreError as error:
            yield self._fault("artifacts.json", error.message)
            return
        right = manifest.dvc_file(self.artifacts)
        if self.artifacts and out != right:
            self.repaired[f"{self._where}/artifacts.dvc"] = right
            yield self._fault("artifacts.dvc", "is not that of artifacts.json", repairable=True)

    def _config(self) -> Iterator[Fault]:
        config = self._data(".dvc/config")
        if config is None:
            if self.artifacts and ".dvc/config" not in self._files:
                yield self._fault(".dvc/config", "is missing: nothing says where the artifacts are")
            return
        reason = config_fault(config)
        if reason:
            yield self._fault(".dvc/config", reason)
        else:
            self.config = config


def config_fault(config: bytes) -> str | None:
    """Say what is wrong with a ``.dvc/config``; None where nothing is."""
    try:
        url = dvc_config.remote_url(config)
    except StoreError as error:
        return error.message
    return None if url else f"names no remote {dvc_config.REMOTE!r}"


def check_file(path: str, data: bytes) -> list[Fault]:
    """Check a file that belongs to no run: an experiment, a model, a version, the root's."""
    experiment, model = _EXPERIMENT.fullmatch(path), model_records.parse_model_path(path)
    if experiment:
        name, read = "experiment", _experiment_reader(experiment[1])
    elif model and model[1] is None:
        name, read = "model", _read_model
    elif model:
        name, read = "version", _version_reader(model[1])
    else:
        reason = config_fault(data) if path == ".dvc/config" else None
        return [_fault(path, reason)] if reason else []
    return [_fault(path, reason) for reason in _record_faults(path, data, name, read)]


Read = Callable[[bytes, str], None]
"""Raises StoreError where a record cannot be read; given its bytes and what to call it."""


def _read_model(data: bytes, what: str) -> None:
    model_records.model_from_json(data, what)


def _experiment_reader(identifier: str) -> Read:
    def read(data: bytes, what: str) -> None:
        found = run_records.experiment_from_json(data, what).experiment.experiment_id
        if found != identifier:
            raise StoreError(f"{what} holds experiment {found}.")

    return read


def _version_reader(number: int | None) -> Read:
    def read(data: bytes, what: str) -> None:
        found = model_records.version_from_json(data, what).version
        if found != number:
            raise StoreError(f"{what} holds version {found}.")

    return read


def check_version_commit(
    version_json: bytes, model_dvc: bytes | None, slug: str, number: int | None, slug_of: Slug
) -> list[str]:
    """Check what a tag's version commit holds.

    Args:
        version_json: Its ``version.json``.
        model_dvc: Its ``model.dvc``.
        slug: The model in the tag.
        number: The version in the tag; None where the tag names none.
        slug_of: Gives a model name's slug.
    """
    told = list(_record_faults("", version_json, "version-commit", _read_version_file))
    if told:
        return told
    file = model_records.version_file_from_json(version_json)
    if slug_of(file.name) != slug or number not in (None, file.version):
        told.append(f"its commit holds version {file.version} of {file.name!r:.60}")
    if file.digest and dvc_digest(model_dvc or b"") != file.digest:
        told.append("model.dvc and version.json name different contents")
    return told


Slug = Callable[[str], str]


def _read_version_file(data: bytes, what: str) -> None:
    model_records.version_file_from_json(data, what)


def dvc_digest(data: bytes) -> str | None:
    """Read the hash of the one out of a DVC file; None where it has none."""
    found = re.findall(rb"^\s*(?:- )?md5: ([0-9a-f]{32}(?:\.dir)?)\s*$", data, re.MULTILINE)
    return found[0].decode() if len(found) == 1 else None


def _record_faults(path: str, data: bytes, name: str, read: Read) -> Iterator[str]:
    """What schema and reader say of a record, the schema first."""
    try:
        value: Any = canonical.load(data, "it")
    except StoreError as error:
        yield error.message
        return
    mismatches = list(map(str, schemas.faults(value, name)))
    yield from mismatches[:_SHOWN]
    if len(mismatches) > _SHOWN:
        yield f"{len(mismatches) - _SHOWN} more fields are wrong"
    if not mismatches:
        try:
            read(data, "it")
        except StoreError as error:
            yield error.message


def _with_summaries(data: bytes, history: Any) -> bytes | None:
    """A run's record with the metrics of its history; None where it is no record at all."""
    try:
        value = canonical.load(data, "it")
        summaries = metric_history.summarize(history)
        value["metrics"] = {key: canonical.number_out(s.last) for key, s in summaries.items()}
        value["metric_stats"] = {key: run_records.stats_out(s) for key, s in summaries.items()}
        return canonical.dump(value)
    except (StoreError, ValueError, RecursionError):
        return None


def _fault(path: str, reason: str, *, repairable: bool = False) -> Fault:
    fix = "gitml fsck --repair" if repairable else f"git log BRANCH -- {path}"
    return Fault(place=path, reason=reason.rstrip("."), fix=fix, repairable=repairable)
