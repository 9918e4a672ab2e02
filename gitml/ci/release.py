"""Pack a model version for a release: archive, notes for people, description for programs."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gitml import files, uris
from gitml.client import MlflowClient
from gitml.entities import ModelEvent, ModelVersion, Run
from gitml.errors import InvalidInput, NotFound
from gitml.registry import resolve
from gitml.registry.tags import stage_history
from gitml.registry.tags.grammar import Kind, parse, slug
from gitml.registry.tags.stage_history import StageEntry
from gitml.text import format_number, single_line

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A packed version; ``release.json`` has these keys.

    Attributes:
        model: The model's name.
        version: Its version.
        tag: The git tag of the version.
        stage_tag: The git tag that let it enter its stage; empty where it is in none.
        run_id: The run that logged it.
        code_commit: Commit that trained it; empty where unknown.
        digest: DVC hash of the model directory.
        archive: Name of the packed directory.
        sha256: Its SHA-256, hexadecimal.
        size: Its bytes.
    """

    model: str
    version: int
    tag: str
    stage_tag: str
    run_id: str
    code_commit: str
    digest: str
    archive: str
    sha256: str
    size: int


def pack(client: MlflowClient, name: str, folder: Path) -> Release:
    """Pack a version's model directory, with notes for people and a description for programs.

    The archive's bytes depend on the version alone, so a release can be repeated and compared.

    Args:
        client: The client of the repository.
        name: A tag such as ``Price#Production#7`` or ``Price@v2.0.0``, or a ``models:/`` URI.
        folder: Where ``<model>-v<version>.tar.gz``, ``notes.md`` and ``release.json`` go.

    Raises:
        InvalidInput: It is neither, or does not name a version.
        NotFound: There is no such tag, model or version.
        ArtifactError: The model's files are gone, or are not those that were registered.
    """
    version, entry = _find(client, name)
    stem = f"{slug(version.name).replace('/', '-').replace('=', '-')}-v{version.version}"
    archive = folder / f"{stem}.tar.gz"
    resolve.source_of(version, client.repository)
    directory = resolve.local_path(version.source, client)
    folder.mkdir(parents=True, exist_ok=True)
    digest, size = _write(directory, archive, stem, version.creation_timestamp // 1000)
    release = Release(
        model=version.name,
        version=version.version,
        tag=_tag_of(client.model_history(version.name), version),
        stage_tag=entry.tag if entry else "",
        run_id=version.run_id,
        code_commit=version.code_commit or "",
        digest=version.digest,
        archive=archive.name,
        sha256=digest,
        size=size,
    )
    run = client.get_run(version.run_id) if version.run_id else None
    (folder / "notes.md").write_text(_notes(release, entry, run), encoding="utf-8")
    text = json.dumps(asdict(release), indent=2, ensure_ascii=False)
    (folder / "release.json").write_text(f"{text}\n", encoding="utf-8")
    return release


def _find(client: MlflowClient, name: str) -> tuple[ModelVersion, StageEntry | None]:
    if name.startswith("models:"):
        uri = uris.parse(name)
        assert isinstance(uri, uris.ModelUri)
        version = resolve.model_version(uri, client.registry)
        times = stage_history.entries(client.model_history(version.name), version.current_stage)
        return version, next((e for e in times[::-1] if e.version == version.version), None)
    tag = parse(name)
    if tag is None or tag.kind not in (Kind.STAGE, Kind.REGISTERED):
        raise InvalidInput(
            f"{name!r:.120} is not the tag of a version, nor of one that entered a stage.",
            hint="Give a tag such as Price#Production#7 or Price@v2.0.0, or models:/Price/2.",
        )
    history = client.model_history(tag.model)
    event = next((event for event in history if event.tag == name), None)
    if event is None or event.version is None:
        for item in client.registry.view(tag.model).rejected_of(tag.model):
            if item.tag.name == name:
                raise NotFound(
                    item.sentence, hint="Nothing is released from a tag that does not count."
                )
        raise NotFound(
            f"There is no registry tag {name!r:.120} in this clone.", hint="Run `gitml pull` first."
        )
    entry = None
    if tag.kind is Kind.STAGE:
        entry = stage_history.stage_entry(event, event.version, None)
    return client.get_model_version(event.model, event.version), entry


def _tag_of(history: list[ModelEvent], version: ModelVersion) -> str:
    tags = [e.tag for e in history if e.kind == Kind.REGISTERED and e.version == version.version]
    return tags[0] if tags else ""


def _write(directory: Path, archive: Path, stem: str, when: int) -> tuple[str, int]:
    """Pack a folder; return SHA-256 and size of the archive."""
    with files.replacing(archive) as aside:
        with (
            aside.open("wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=when) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in sorted(path for path in directory.rglob("*") if path.is_file()):
                info = tarfile.TarInfo(f"{stem}/{path.relative_to(directory).as_posix()}")
                info.size, info.mtime, info.mode = path.stat().st_size, when, 0o644
                with path.open("rb") as file:
                    tar.addfile(info, file)
        digest = hashlib.sha256()
        with aside.open("rb") as file:
            for block in iter(lambda: file.read(_CHUNK), b""):
                digest.update(block)
    return digest.hexdigest(), archive.stat().st_size


def _notes(release: Release, entry: StageEntry | None, run: Run | None) -> str:
    """Notes in an indented block: whatever people wrote stays text."""
    out = io.StringIO()
    out.write("Model directory in MLflow's format, with the record of its promotion.\n\n")
    for label, text in _facts(release, entry, run):
        if text:
            out.write(f"    {label:<14}{single_line(text)}\n")
    return out.getvalue()


def _facts(
    release: Release, entry: StageEntry | None, run: Run | None
) -> Iterator[tuple[str, str]]:
    yield "model", release.model
    yield "version", f"{release.version}"
    if entry:
        yield "entered", entry.tag
        yield "reason", entry.reason
        yield "forced", "past its gates" if entry.forced else ""
        yield "merged by", entry.merged_by
        yield "pull request", entry.pull_request
        yield "merge commit", entry.merge_commit
        yield "approved by", ", ".join(entry.approved_by)
        for gate in entry.gates:
            verdict = "holds" if gate.holds else "fails"
            yield "gate", f"{gate.gate}    {gate.measured}    {verdict}"
    for key, value in sorted(run.data.metrics.items()) if run else ():
        yield "metric", f"{key} = {format_number(value)}"
    yield "run", release.run_id
    yield "code commit", release.code_commit
    yield "digest", release.digest
    yield "sha256", f"{release.sha256}  {release.archive}"
