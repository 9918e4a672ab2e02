"""Read and write what describes a run's artifacts: manifest, DVC directory object, ``.dvc`` file.

Pure. A manifest is a list of ``Artifact`` with one entry per path, in which
no path is at once a file and a folder. An entry whose path must not be written stays in it, so that
it can be listed, and is in nothing that DVC reads.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from gitml.entities import Artifact, FileInfo
from gitml.errors import StoreError
from gitml.formats import artifact_paths, plain_yaml
from gitml.text import short_repr

_MD5 = re.compile(r"[0-9a-f]{32}")
_OUT_HASH = re.compile(r"\bmd5: ([0-9a-f]{32}(?:\.dir)?)\b")
_LARGEST_FILE = 2**63  # bytes


def to_json(manifest: Iterable[Artifact]) -> bytes:
    """Write ``artifacts.json``: objects of ``md5``, ``path``, ``size`` (bytes), sorted by path."""
    entries = [{"md5": a.md5, "path": a.path, "size": a.size} for a in _sorted(manifest)]
    return json.dumps(entries, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"


def parse(data: bytes, what: str = "artifacts.json") -> list[Artifact]:
    """Read and check ``artifacts.json``.

    Args:
        data: The file's bytes.
        what: What the bytes are, for the message of an error.

    Returns:
        The entries, sorted by path.

    Raises:
        StoreError: It is not a manifest, or names a path outside the run's artifacts.
    """
    try:
        entries = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise StoreError(f"{what} is not valid JSON ({exc}).") from exc
    if not isinstance(entries, list):
        raise StoreError(f"{what} is not a list of artifacts.")
    manifest = _sorted(_entry(entry, what) for entry in entries)
    _check_tree(manifest, what)
    return manifest


def directory_object(manifest: Iterable[Artifact]) -> bytes:
    """Write DVC's directory object (its ``.dir`` file) of a manifest's writable files."""
    entries = [{"md5": a.md5, "relpath": a.path} for a in _sorted(writable(manifest))]
    return json.dumps(entries, sort_keys=True).encode("ascii")


def directory_hash(manifest: Iterable[Artifact]) -> str:
    """Compute the name of the directory object: its md5 and ``.dir``."""
    content = directory_object(manifest)
    return hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"


def dvc_file(
    manifest: Sequence[Artifact], *, path: str = "artifacts", remote: str | None = None
) -> bytes:
    """Write the ``.dvc`` file of a manifest with the bytes that ``dvc add`` writes.

    Args:
        manifest: The folder's files.
        path: Name of the folder, beside the ``.dvc`` file.
        remote: Name of the remote the folder is bound to; None leaves it to the default remote.
    """
    files = writable(manifest)
    out: dict[str, Any] = {
        "md5": directory_hash(files),
        "size": sum(artifact.size for artifact in files),
        "nfiles": len(files),
        "hash": "md5",
        "path": path,
    }
    if remote is not None:
        out["remote"] = remote
    return plain_yaml.dump({"outs": [out]}, width=1 << 20).encode()


def writable(manifest: Iterable[Artifact]) -> list[Artifact]:
    """Return the entries that may be written to a folder; see :mod:`artifact_paths`."""
    entries = list(manifest)
    faults = artifact_paths.faults(artifact.path for artifact in entries)
    return [a for a in entries if a.path not in faults] if faults else entries


def renamed(manifest: Sequence[Artifact], paths: Collection[str]) -> tuple[Artifact, ...]:
    """Return a manifest in which these paths, which must not be written, have other names."""
    names = {artifact.path for artifact in manifest}
    entries = {artifact.path: artifact for artifact in manifest if artifact.path not in paths}
    for artifact in manifest:
        if artifact.path in paths:
            path = artifact_paths.renamed(artifact.path, names)
            names.add(path)
            entries[path] = Artifact(path=path, size=artifact.size, md5=artifact.md5)
    return tuple(_sorted(entries.values()))


def out_hashes(dvc_file: bytes) -> list[str]:
    """Return every hash in a DVC file that anybody may have written, in whatever layout."""
    text = dvc_file.decode("utf-8", "replace")
    return _OUT_HASH.findall(text)


def select(manifest: Iterable[Artifact], prefix: str = "") -> list[Artifact]:
    """Return the file named ``prefix``, or the files below that folder; everything for ``""``."""
    prefix = prefix.strip("/")
    return [
        a for a in manifest if not prefix or a.path == prefix or a.path.startswith(prefix + "/")
    ]


def subdirectory(manifest: Iterable[Artifact], prefix: str) -> list[Artifact]:
    """Return the manifest of one folder: files below ``prefix``, their paths relative to it."""
    start = prefix.strip("/") + "/" if prefix.strip("/") else ""
    return [
        Artifact(path=a.path[len(start) :], size=a.size, md5=a.md5)
        for a in manifest
        if a.path.startswith(start)
    ]


def overlay(old: Iterable[Artifact], new: Iterable[Artifact]) -> list[Artifact]:
    """Lay ``new`` over ``old``, as copying one folder onto another does.

    The new entry wins if both name a path. An old file in the place of a new folder is dropped, and
    so is an old folder in the place of a new file.
    """
    merged = {a.path: a for a in new}
    folders = {folder for path in merged for folder in _parents(path)}
    for artifact in old:
        hidden = artifact.path in folders or any(p in merged for p in _parents(artifact.path))
        if artifact.path not in merged and not hidden:
            merged[artifact.path] = artifact
    return _sorted(merged.values())


def listing(manifest: Iterable[Artifact], folder: str = "") -> list[FileInfo]:
    """List a folder's direct children, sorted; paths are relative to the artifact root.

    Empty if there is no such folder, or if it is a file (as MLflow's ``list_artifacts``).
    """
    start = folder.strip("/") + "/" if folder.strip("/") else ""
    children: dict[str, FileInfo] = {}
    for artifact in manifest:
        if artifact.path.startswith(start):
            name, slash, _ = artifact.path[len(start) :].partition("/")
            size = None if slash else artifact.size
            child = FileInfo(path=start + name, is_dir=bool(slash), file_size=size)
            children.setdefault(child.path, child)
    return [children[path] for path in sorted(children)]


def _sorted(manifest: Iterable[Artifact]) -> list[Artifact]:
    return sorted(manifest, key=lambda artifact: artifact.path)


def _parents(path: str) -> list[str]:
    return [path[:index] for index, char in enumerate(path) if char == "/"]


def _entry(entry: Any, what: str) -> Artifact:
    fields = entry if isinstance(entry, dict) else {}
    path, size, md5 = fields.get("path"), fields.get("size"), fields.get("md5")
    if not isinstance(path, str) or not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise StoreError(f"{what} has an entry without a path and an md5 of 32 hex digits.")
    if type(size) is not int or not 0 <= size < _LARGEST_FILE:
        raise StoreError(f"{what} gives no size in bytes for {short_repr(path, 200)}.")
    if not artifact_paths.is_inside(path):
        raise StoreError(f"{what}: {artifact_paths.refusal(path, artifact_paths.OUTSIDE).message}")
    return Artifact(path=path, size=size, md5=md5)


def _check_tree(manifest: Sequence[Artifact], what: str) -> None:
    paths = {artifact.path for artifact in manifest}
    if len(paths) < len(manifest):
        raise StoreError(f"{what} lists a path twice.")
    for path in paths:
        for folder in _parents(path):
            if folder in paths:
                raise StoreError(
                    f"{what} lists {short_repr(folder, 99)} as a file and as a folder."
                )
