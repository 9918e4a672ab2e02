"""What a registry of many tags costs, gitml beside stock GTO; prints JSON. Argument: how many."""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gitml.formats import model_records
from gitml.formats.model_records import ModelRecord, VersionFile, VersionRecord
from gitml.registry.tags import version_commit
from gitml.registry.tags.detail import TagDetail, TagLink
from gitml.registry.tags.messages import format_message, linked

_VERSIONS = 20  # of each model; each is registered, staged, promoted, and replaced by the next
_START = 1_700_000_000  # s
_WHO = "Bench <bench@example.org>"


def git(*args: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", *args], input=stdin, check=True, stdout=subprocess.PIPE).stdout


def load(count: int) -> int:
    """Write a registry of at least that many tags; returns how many there are."""
    models = [f"model-{number:04d}" for number in range(-(-count // (5 * _VERSIONS - 1)))]
    marks = Path(".git/marks")
    code = git("rev-parse", "HEAD").strip().decode()
    stream = b"".join(_records(models)) + b"".join(
        _commit(mark, name, version, code)
        for mark, (name, version) in enumerate(_each(models), start=1)
    )
    git("fast-import", "--quiet", f"--export-marks={marks}", stdin=stream)
    lines = (line.split() for line in marks.read_text().splitlines())
    commits = {int(mark[1:]): oid for mark, oid in lines}
    tags = [
        tag
        for position, name in enumerate(models)
        for tag in _tags(name, [commits[position * _VERSIONS + n] for n in range(1, _VERSIONS + 1)])
    ]
    git("fast-import", "--quiet", stdin=b"".join(tags))
    git("pack-refs", "--all")
    return len(tags)


def _each(models: list[str]) -> Iterator[tuple[str, int]]:
    return ((name, version) for name in models for version in range(1, _VERSIONS + 1))


def _data(text: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(text), text)


def _records(models: list[str]) -> Iterator[bytes]:
    yield f"commit refs/heads/gitml/runs\ncommitter {_WHO} {_START} +0000\n".encode()
    yield _data(b"Load")
    timestamps = {"creation_timestamp": _START * 1000, "last_updated_timestamp": _START * 1000}
    for name in models:
        record = model_records.model_to_json(ModelRecord(name=name, **timestamps))
        yield b"M 100644 inline %s\n" % model_records.model_path(name).encode() + _data(record)
    for name, version in _each(models):
        run_id = f"{version:032x}"
        version_record = VersionRecord(name=name, version=version, run_id=run_id, **timestamps)
        path = model_records.version_path(name, version).encode()
        yield b"M 100644 inline %s\n" % path + _data(model_records.version_to_json(version_record))


def _file(name: str, version: int, code: str = "") -> VersionFile:
    return VersionFile(
        name=name,
        version=version,
        run_id=f"{version:032x}",
        source=f"runs:/{version:032x}/model",
        path="model",
        digest=f"{version:032x}.dir",
        size=1000,
        nfiles=2,
        code_commit=code,
        created=_START * 1000,
        user="Bench",
    )


def _commit(mark: int, name: str, version: int, code: str) -> bytes:
    file = _file(name, version, code)
    files = {
        "dvc.yaml": version_commit.dvc_yaml(name, version_commit.about(file)),
        "model.dvc": f"outs:\n- md5: {file.digest}\n  path: model\n".encode(),
        "version.json": model_records.version_file_to_json(file),
    }
    head = f"reset refs/heads/load\ncommit refs/heads/load\nmark :{mark}\n"
    parts = [f"{head}committer {_WHO} {_START} +0000\n".encode(), _data(b"version")]
    parts += [f"from {code}\ndeleteall\n".encode()]
    parts += [b"M 100644 inline %s\n" % p.encode() + _data(data) for p, data in files.items()]
    return b"".join(parts)


def _tags(name: str, commits: list[str]) -> Iterator[bytes]:
    """The history of one model, each event naming the one before it."""
    last: TagLink | None = None
    counter = 0
    for offset, (tag, commit, version) in enumerate(_events(name, commits)):
        counter += "#" in tag
        tag = f"{tag}{counter}" if tag.endswith("#") else tag
        detail = TagDetail.of(
            model=name,
            version=version,
            user="Bench",
            reason="better than before",
            run_id=f"{version:032x}",
            digest=f"{version:032x}.dir",
        )
        message = linked(format_message(f"{name} version {version}", detail), last).encode()
        when = _START + offset
        head = f"object {commit}\ntype commit\ntag {tag}\ntagger {_WHO} {when} +0000\n\n".encode()
        raw = head + message
        oid = hashlib.sha1(b"tag %d\0%s" % (len(raw), raw)).hexdigest()
        last = TagLink(tag=tag, oid=oid)
        yield f"tag {tag}\nfrom {commit}\ntagger {_WHO} {when} +0000\n".encode() + _data(message)


def _events(name: str, commits: list[str]) -> Iterator[tuple[str, str, int]]:
    for version, commit in enumerate(commits, start=1):
        yield f"{name}@v{version}.0.0", commit, version
        yield f"{name}#Staging#", commit, version
        yield f"{name}#Staging!#", commit, version
        if version > 1:
            yield f"{name}#Production!#", commits[version - 2], version - 1
        yield f"{name}#Production#", commit, version


def seconds(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def program(name: str, *args: str) -> Callable[[], object]:
    """A command line, as a process of its own."""
    command = [str(Path(sys.executable).with_name(name)), *args]
    if name == "gitml":
        command = [sys.executable, "-c", "from gitml.cli import main; main()", *args]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main(count: int) -> dict[str, float]:
    import gitml
    from gitml.registry.promotion import verify

    def listed() -> list[gitml.RegisteredModel]:
        return gitml.MlflowClient().search_registered_models(max_results=None)

    tags = load(count)
    name = "model-0000"
    figures: dict[str, float] = {"tags": tags}
    figures["list, s"] = seconds(listed, 5)
    figures["history of one model, s"] = seconds(
        lambda: gitml.MlflowClient().model_history(name), 5
    )
    figures["verify, s"] = seconds(lambda: verify(gitml.MlflowClient().registry), 1)
    figures["gitml registry list, s"] = seconds(program("gitml", "registry", "list"), 3)
    figures["gitml registry history, s"] = seconds(program("gitml", "registry", "history", name), 3)
    figures["gto show, s"] = seconds(program("gto", "show"), 1)
    figures["gto history, s"] = seconds(program("gto", "history", name), 1)
    client = gitml.MlflowClient()
    assert len(listed()) * (5 * _VERSIONS - 1) == tags
    assert verify(client.registry).holds
    assert client.get_latest_versions(name, ["Production"])[0].version == _VERSIONS
    return figures


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
