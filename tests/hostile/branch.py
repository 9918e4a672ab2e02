"""A branch full of broken files beside a few good ones, written through one ``git fast-import``."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gitml
from gitml.models import Model
from gitml.registry import registration
from tests.conftest import git, make_repository
from tests.hostile.mutations import mutated

BRANCH = "refs/heads/gitml/runs"
_ODD_MODES = ("100755", "120000", "160000")


@dataclass(frozen=True)
class Entry:
    """One path of a commit: raw path, mode, content (an object id for a submodule)."""

    path: bytes
    data: bytes
    mode: str = "100644"


@dataclass(frozen=True)
class Good:
    """A repository as gitml writes it: its folder, ids of its runs, files of its branch."""

    folder: Path
    runs: tuple[str, ...]
    files: Mapping[str, bytes]


def make_good(folder: Path) -> Good:
    """Log two runs with everything a run can have, and register a model."""
    make_repository(folder)
    runs = tuple(_log(folder, name) for name in ("one", "two"))
    client = gitml.MlflowClient(folder)
    for run_id in runs:
        registration.register(client, f"runs:/{run_id}/model", "Price", description="text")
    client.update_registered_model("Price", "a *model*")
    client.set_model_version_tag("Price", 1, "checked", "yes")
    client.transition_model_version_stage("Price", 1, "Staging", reason="good")
    return Good(folder=folder, runs=runs, files=files_of(folder))


def _log(folder: Path, name: str) -> str:
    client = gitml.MlflowClient(folder)
    experiment = client.repository.experiments.create("house", {"team": "x"}, exist_ok=True)
    run_id = client.create_run(experiment, run_name=name).info.run_id
    client.log_param(run_id, "alpha", 0.5)
    for step in range(3):
        client.log_metric(run_id, "rmse", 1.5 - step, step=step)
    client.set_tag(run_id, "mlflow.note.content", "# A note")
    client.log_inputs(run_id, [gitml.Dataset(name="d", digest="1", context="train")])
    client.log_text(run_id, f"hello {name}", "notes/hello.txt")
    model = Model(flavors={"python_function": {"loader_module": "nothing"}}, run_id=run_id)
    client.write_artifact(run_id, "model/MLmodel", model.save)
    client.set_terminated(run_id)
    return run_id


def files_of(folder: Path, rev: str = BRANCH) -> dict[str, bytes]:
    """Every file of a commit."""
    names = git(folder, "ls-tree", "-r", "--name-only", rev).splitlines()
    return {
        name: subprocess.run(
            ["git", "show", f"{rev}:{name}"], cwd=folder, capture_output=True, check=True
        ).stdout
        for name in names
    }


def broken_entries(good: Good, count: int, seed: int) -> Iterator[Entry]:
    """Copies of the good files under other ids, one file broken in each copy."""
    chance = random.Random(seed)
    run_files = [name for name in good.files if good.runs[0] in name]
    others = [name for name in good.files if name.startswith(("models/", "experiments/"))]
    for number in range(count):
        if chance.random() < 0.8:
            yield from _broken_run(good, run_files, number, chance)
        else:
            name = chance.choice(others)
            path = name.replace("house", f"house{number}").replace("/Price/", f"/Price{number}/")
            data = good.files[name].replace(b"house", b"house%d" % number)
            data = data.replace(b'"Price"', b'"Price%d"' % number)
            yield _spoilt(path, data, chance)


def _broken_run(
    good: Good, names: list[str], number: int, chance: random.Random
) -> Iterator[Entry]:
    old = good.runs[0]
    new = hashlib.md5(b"%d" % number).hexdigest()
    broken = chance.choice([*names, *(name for name in names if name.endswith("run.json"))])
    for name in names:
        path = name.replace(f"/{old[:2]}/{old}/", f"/{new[:2]}/{new}/")
        data = good.files[name].replace(old.encode(), new.encode())
        yield _spoilt(path, data, chance) if name == broken else Entry(path.encode(), data)


def _spoilt(path: str, data: bytes, chance: random.Random) -> Entry:
    raw = path.encode()
    if chance.random() < 0.9:
        return Entry(raw, mutated(data, chance))
    mode = chance.choice((*_ODD_MODES, "folder", "name"))
    if mode == "folder":
        return Entry(raw + b"/run.json", data)
    if mode == "name":
        return Entry(raw[:-3] + chance.choice((b"\xff\xfe", b"\n", b'"', b"\x1b[2J", b" ")), data)
    return Entry(raw, b"1" * 40 if mode == "160000" else data, mode)


def tricky_paths(data: bytes) -> list[Entry]:
    """Paths that lead elsewhere, collide when decoded, or stand where a folder of ours is."""
    long = b"runs/" + b"/".join([b"deep"] * 200) + b"/run.json"
    names = (
        b"models/\xff/model.json", b"models/\xfe/model.json", b"models/a\nb/model.json",
        b"experiments/\xff.json", b"experiments/a b.json", b"experiments/%2e%2e.json",
        b"runs/house/zz/run.json", b"runs/.hidden/aa/" + b"a" * 32 + b"/run.json", long,
        b"models/x/versions/99999999999999999999.json", "models/x/versions/٣.json".encode(),
        b"foreign/file.txt", b"README.md", b"models/M/model.json/x",
    )  # fmt: skip
    return [Entry(name, data) for name in names]


def commit(folder: Path, entries: list[Entry], parent: str | None = None, ref: str = BRANCH) -> str:
    """Commit entries on top of a commit, whatever git would say to them."""
    parts = [b"commit refs/tmp/hostile\ncommitter E <e@example.org> 1700000000 +0000\ndata 0\n\n"]
    if parent:
        parts.append(b"from %s\n" % parent.encode())
    for entry in entries:
        mode = entry.mode.encode()
        if entry.mode == "160000":
            parts.append(b"M %s %s %s\n" % (mode, entry.data, _quoted(entry.path)))
        else:
            head = b"M %s inline %s\ndata %d\n" % (mode, _quoted(entry.path), len(entry.data))
            parts.append(head + entry.data + b"\n")
    subprocess.run(["git", "fast-import", "--quiet", "--force"], cwd=folder,
                   input=b"".join(parts), check=True)  # fmt: skip
    tip = git(folder, "rev-parse", "refs/tmp/hostile")
    git(folder, "update-ref", ref, tip)
    git(folder, "update-ref", "-d", "refs/tmp/hostile")
    return tip


def _quoted(path: bytes) -> bytes:
    out = b"".join(
        b"\\%03o" % byte if byte < 32 or byte > 126 or byte in b'"\\' else bytes([byte])
        for byte in path
    )
    return b'"' + out + b'"'
